// Which certificate the client of a request has: that of its TLS connection, or that which a
// trusted proxy names in a header. What is ambiguous is refused.
import { countHeader, headerOf, memberOf, type RequestView } from '../credentials/request.ts';
import { certificateThumbprint, forwardedReaders } from './forwarded.ts';
import type { MutualTlsSettings } from './mutual-tls-options.ts';
import { peerMatcher } from './peers.ts';
import { mismatch } from './possession.ts';

/**
 * Returns the thumbprint of the certificate of a client; undefined if it has none.
 * @throws AuthError for a request that may have several, or one that cannot be read
 */
export type CertificateFinder = (request: RequestView) => string | undefined;

// A certificate is hashed once for each connection. A resumed session keeps its certificate.
const thumbprints = new WeakMap<object, string>();

/** Makes the finder. */
export function createCertificateFinder({ forwarded }: MutualTlsSettings): CertificateFinder {
  if (forwarded === undefined) return (request) => thumbprintOf(socketOf(request));
  const isTrusted = peerMatcher(forwarded.peers);
  const name = forwarded.header.toLowerCase();
  const others = Object.keys(forwardedReaders)
    .map((header) => header.toLowerCase())
    .filter((header) => header !== name);
  const read = forwardedReaders[forwarded.header];
  return (request) => {
    const socket = socketOf(request);
    const own = thumbprintOf(socket);
    // Anybody can write a header. Such a client proves its certificate itself, or has none.
    if (socket === undefined || !isTrusted(memberOf(socket, 'remoteAddress'))) return own;
    const value = headerOf(request.headers, name);
    if (others.some((header) => headerOf(request.headers, header) !== undefined))
      throw mismatch('another header of client certificates came too; let the proxy remove it');
    if (value === undefined) return undefined;
    if (own !== undefined)
      throw mismatch(`a certificate came by ${forwarded.header}, and another one by TLS`);
    if (typeof value !== 'string' || countHeader(request, name) > 1)
      throw mismatch(`several headers ${forwarded.header}`);
    const thumbprint = read(value);
    if (thumbprint === undefined)
      throw mismatch(`${forwarded.header} of the proxy is not one certificate in its form`);
    return thumbprint;
  };
}

function socketOf(request: RequestView): object | undefined {
  const socket = memberOf(request, 'socket');
  return typeof socket === 'object' && socket !== null ? socket : undefined;
}

/**
 * The certificate of a TLS connection. The client has proven in the handshake to have its key.
 * No authority needs to have signed it: RFC 8705 §2.2.
 */
function thumbprintOf(socket: object | undefined): string | undefined {
  if (socket === undefined) return undefined;
  const known = thumbprints.get(socket);
  if (known !== undefined) return known;
  const read = memberOf(socket, 'getPeerCertificate');
  if (typeof read !== 'function') return undefined;
  const certificate: unknown = Reflect.apply(read, socket, []);
  const isObject = typeof certificate === 'object' && certificate !== null;
  // Node gives an empty object where the client has no certificate.
  const der = isObject && Object.hasOwn(certificate, 'raw') ? Reflect.get(certificate, 'raw') : undefined;
  if (!(der instanceof Uint8Array) || der.length === 0) return undefined;
  const thumbprint = certificateThumbprint(der);
  thumbprints.set(socket, thumbprint);
  return thumbprint;
}
