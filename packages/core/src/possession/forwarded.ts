// The certificate of a client in a header of a proxy: Client-Cert (RFC 9440), and
// X-Forwarded-Client-Cert of Envoy. One certificate in exactly one form, or nothing.
import { createHash } from 'node:crypto';
import type { ClientCertificateHeader } from './mutual-tls-options.ts';

/**
 * Reads the SHA-256 thumbprint of the certificate in a header, in base64url. Undefined for a text
 * that does not say exactly one.
 */
export type ForwardedReader = (value: string) => string | undefined;

/** How each header is read. */
export const forwardedReaders: { readonly [Name in ClientCertificateHeader]: ForwardedReader } = {
  'Client-Cert': readClientCert,
  'X-Forwarded-Client-Cert': readForwardedClientCert,
};

/** The SHA-256 thumbprint of a certificate in DER, in base64url: RFC 8705 §3.1. */
export function certificateThumbprint(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('base64url');
}

/** RFC 9440 §2.2: one byte sequence (RFC 8941 §3.3.5), without parameters. */
function readClientCert(value: string): string | undefined {
  const [, base64] = /^:([A-Za-z0-9+/]+={0,2}):$/.exec(value) ?? [];
  const der = base64 === undefined ? undefined : fromBase64(base64);
  return der && certificateThumbprint(der);
}

// A value is quoted if it has a separator in it. Envoy does not quote what a client can choose in
// its certificate, such as URI: a separator there makes a second element or a second hash, and
// both are refused.
const PAIR = /([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;]*))(?:;(?!$)|$)/y;

/**
 * One element: `By=…;Hash=<hex>;Subject="…"`. With several, it cannot be told which one is that of
 * the client.
 */
function readForwardedClientCert(value: string): string | undefined {
  const said = new Map<string, string>();
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < value.length) {
    const [, key, quoted, plain = ''] = PAIR.exec(value) ?? [];
    if (key === undefined) return undefined;
    const name = key.toLowerCase();
    const isCertificate = name === 'hash' || name === 'cert';
    if (isCertificate && said.has(name)) return undefined;
    said.set(name, quoted ?? plain);
  }
  const [hash, certificate] = [said.get('hash'), said.get('cert')];
  const byHash = hash === undefined ? undefined : fromHex(hash);
  const byCertificate = certificate === undefined ? undefined : fromPem(certificate);
  if (hash === undefined) return byCertificate;
  return certificate === undefined || byHash === byCertificate ? byHash : undefined;
}

function fromHex(hash: string): string | undefined {
  return /^[0-9A-Fa-f]{64}$/.test(hash) ? Buffer.from(hash, 'hex').toString('base64url') : undefined;
}

/** A PEM certificate, URL-encoded. */
function fromPem(escaped: string): string | undefined {
  try {
    const pem = decodeURIComponent(escaped).trim();
    const [, base64] =
      /^-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\n]+)\n-----END CERTIFICATE-----$/.exec(pem) ?? [];
    const der = base64 === undefined ? undefined : fromBase64(base64.replaceAll('\n', ''));
    return der && certificateThumbprint(der);
  } catch {
    // Wrong escapes.
    return undefined;
  }
}

/** Bytes of which this is the only base64 form. */
function fromBase64(base64: string): Uint8Array | undefined {
  const bytes = Buffer.from(base64, 'base64');
  return bytes.toString('base64') === base64 ? bytes : undefined;
}
