// Pinned public keys of a TLS connection: reads the option, and compares it with the certificates
// of the server. The other TLS options are in tls.ts.
import { createHash, X509Certificate } from 'node:crypto';
import {
  type ConnectionOptions,
  checkServerIdentity,
  type DetailedPeerCertificate,
  type PeerCertificate,
} from 'node:tls';
import { ConfigError } from '../errors.ts';
import { readList } from '../values/readers.ts';

const FINGERPRINT_BYTES = 32;

/**
 * Reads `fingerprints`, and returns the check that a connection makes after verifying the chain and
 * the host name.
 * @throws ConfigError
 */
export function pinning(value: unknown, path: string): Pick<ConnectionOptions, 'checkServerIdentity'> {
  if (!Array.isArray(value) || value.length === 0)
    throw new ConfigError(path, 'expected at least one fingerprint');
  const pins = new Set(readList(value, readFingerprint, path));
  return {
    checkServerIdentity(hostname, certificate) {
      const refusal = checkServerIdentity(hostname, certificate);
      if (refusal !== undefined) return refusal;
      return chainOf(certificate).some((link) => pins.has(publicKeyFingerprint(link)))
        ? undefined
        : new Error('no certificate of the chain has a pinned fingerprint');
    },
  };
}

/**
 * Reads a fingerprint: 32 bytes, in either alphabet of base64. Returns it as base64url without
 * padding.
 */
function readFingerprint(value: unknown, path: string): string {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(value)) {
    throw new ConfigError(path, 'expected the SHA-256 of a public key, base64');
  }
  const bytes = Buffer.from(value, 'base64');
  if (bytes.length !== FINGERPRINT_BYTES) {
    const hint = /^[\x20-\x7e]+$/.test(bytes.toString('latin1')) ? ', which is readable text' : '';
    throw new ConfigError(
      path,
      `expected the SHA-256 of a public key: ${FINGERPRINT_BYTES} bytes, not ${bytes.length}${hint}`,
    );
  }
  return bytes.toString('base64url');
}

/** SHA-256 of a certificate's SubjectPublicKeyInfo, base64url. */
function publicKeyFingerprint({ publicKey }: X509Certificate): string {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('base64url');
}

/**
 * Returns the leaf, which the handshake has verified, and each certificate above it that signed the
 * one below. Node finds issuers by name alone, among all certificates that the server sent: a
 * server may send one that is not part of the chain.
 */
function chainOf(leaf: PeerCertificate): readonly X509Certificate[] {
  const chain = [new X509Certificate(leaf.raw)];
  const seen = new Set<unknown>([leaf]);
  let link: Partial<DetailedPeerCertificate> = leaf;
  for (;;) {
    const issuer: DetailedPeerCertificate | undefined = link.issuerCertificate;
    const below = chain.at(-1);
    // The root is its own issuer.
    if (issuer === undefined || below === undefined || seen.has(issuer)) return chain;
    const above = new X509Certificate(issuer.raw);
    if (!mayIssue(above, Date.now()) || !below.checkIssued(above) || !below.verify(above.publicKey))
      return chain;
    seen.add(issuer);
    chain.push(above);
    link = issuer;
  }
}

function mayIssue({ ca, validFrom, validTo }: X509Certificate, nowMs: number): boolean {
  return ca && Date.parse(validFrom) <= nowMs && nowMs <= Date.parse(validTo);
}
