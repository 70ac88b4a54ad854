// Certificates of clients for tests: tokens that are bound to them (RFC 8705 §3), and the
// connections that have them. The X.509 DER is written by hand, because node:crypto cannot make
// certificates. Only ECDSA P-256 with SHA-256, signed by itself.
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/** A certificate that tokens can be bound to, and its private key. */
export interface ClientCertificate {
  /** In PEM, for `node:https`. */
  readonly cert: string;
  /** In PEM, for `node:https`. */
  readonly key: string;
  /** The SHA-256 thumbprint, in base64url. */
  readonly thumbprint: string;
  /** The claim of a token that is bound to the certificate: `mint({ cnf: certificate.cnf })`. */
  readonly cnf: { readonly 'x5t#S256': string };
  /** The certificate as a proxy writes it in the header `Client-Cert` (RFC 9440). */
  readonly clientCert: string;
}

/** The certificate is valid from one day before it is made to ten years after. */
const DAY_MS = 86_400_000;
const LIFETIME_MS = 3650 * DAY_MS;

/**
 * Makes a certificate that no authority has signed. A server gets it with `requestCert: true` and
 * `rejectUnauthorized: false`, or with the certificate in `ca`.
 * @example
 * ```ts
 * const issuer = await createIssuer();
 * const { cert, key, cnf } = createClientCertificate();
 * const token = await issuer.mint({ sub: 'alice', cnf });
 * const headers = { authorization: `Bearer ${token}` };
 * const options = { cert, key, headers }; // https.get('https://localhost:8443/orders', options)
 * ```
 */
export function createClientCertificate(): ClientCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const content = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    name,
    sequence(time(Date.now() - DAY_MS), time(Date.now() + LIFETIME_MS)),
    name,
    spki,
  );
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', content, privateKey)]);
  const whole = sequence(content, ecdsaWithSha256, der(0x03, signature));
  const base64 = whole.toString('base64');
  const thumbprint = createHash('sha256').update(whole).digest('base64url');
  return Object.freeze<ClientCertificate>({
    cert: `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}/g, '$&\n').trim()}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    thumbprint,
    cnf: Object.freeze({ 'x5t#S256': thumbprint }),
    clientCert: `:${base64}:`,
  });
}

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const long = length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...(length < 128 ? [length] : long)]), content]);
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return der(0x30, ...parts);
}

/** RFC 5280 §4.1.2.5.1, UTCTime. */
function time(ms: number): Buffer {
  return der(0x17, Buffer.from(new Date(ms).toISOString().replace(/^..|[-:T]|\.\d+/g, ''), 'ascii'));
}

const ecdsaWithSha256 = sequence(der(0x06, Buffer.from('2a8648ce3d040302', 'hex')));
/** CN=client */
const name = sequence(
  der(0x31, sequence(der(0x06, Buffer.from('550403', 'hex')), der(0x0c, Buffer.from('client')))),
);
