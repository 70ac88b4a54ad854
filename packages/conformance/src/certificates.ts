// The certificates of clients in cases: on TLS connections, and in the headers of proxies. Each is
// a self-signed one.
import { createClientCertificate } from '@latchkey/testing';

const made = {
  /** That of the server. Clients do not check it. */
  server: createClientCertificate(),
  /** The one that tokens are bound to. */
  client: createClientCertificate(),
  another: createClientCertificate(),
};

/** The name of a certificate of a client. */
export type CertificateName = 'client' | 'another';

/** By name. */
export const certificates: typeof made = made;

/** The header of a proxy that follows RFC 9440. */
export const clientCert = (name: CertificateName) => ['Client-Cert', made[name].clientCert] as const;

/** The header of Envoy. */
export const forwardedClientCert = (name: CertificateName) =>
  [
    'X-Forwarded-Client-Cert',
    `By=spiffe://proxy.example/a;Hash=${hashOf(name)};Subject="CN=client, O=\\"a\\""`,
  ] as const;

/** A certificate as it comes from a connection. */
export const derOf = (name: CertificateName): Buffer =>
  Buffer.from(made[name].clientCert.slice(1, -1), 'base64');

function hashOf(name: CertificateName): string {
  return Buffer.from(made[name].thumbprint, 'base64url').toString('hex');
}
