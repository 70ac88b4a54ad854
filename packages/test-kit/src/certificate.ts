// A certificate authority and server certificates for tests. The X.509 DER is written by hand,
// because node:crypto cannot create certificates, and packages that can have a dozen dependencies.
// Only ECDSA P-256 with SHA-256.
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** A certificate and its private key, in PEM. */
export interface Certified {
  readonly cert: string;
  readonly key: string;
}

/**
 * An authority. `issue` creates a certificate for a host, valid from one day before to one day
 * after `aroundMs`. Default: now.
 */
export interface Authority extends Certified {
  issue(host: string, aroundMs?: number): Certified;
}

/** Creates an authority with this name and a new key. */
export function createAuthority(name: string): Authority {
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const certify = (
    subject: string,
    { publicKey, privateKey }: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
    extension: Buffer,
    aroundMs = Date.now(),
  ) => ({
    cert: pem(
      'CERTIFICATE',
      certificate(name, subject, publicKey, authority.privateKey, extension, aroundMs),
    ),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  });
  return {
    ...certify(name, authority, isAuthority),
    issue: (host, aroundMs) =>
      certify(host, generateKeyPairSync('ec', { namedCurve: 'P-256' }), hasHost(host), aroundMs),
  };
}

const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head =
    length < 128
      ? [tag, length]
      : length < 256
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), content]);
};
const sequence = (...parts: readonly Uint8Array[]) => der(0x30, ...parts);
const identifier = (hex: string) => der(0x06, Buffer.from(hex, 'hex'));
const octets = (content: Uint8Array) => der(0x04, content);
const bits = (content: Uint8Array) => der(0x03, Buffer.from([0]), content);
const yes = der(0x01, Buffer.from([0xff]));
/** RFC 5280 §4.1.2.5.1, UTCTime. */
const time = (ms: number) =>
  der(0x17, Buffer.from(new Date(ms).toISOString().replace(/^..|[-:T]|\.\d+/g, ''), 'ascii'));

const ecdsaWithSha256 = sequence(identifier('2a8648ce3d040302'));
/** RFC 5280 §4.2.1.9, basicConstraints: cA. */
const isAuthority = sequence(identifier('551d13'), yes, octets(sequence(yes)));
/** RFC 5280 §4.2.1.6, subjectAltName: dNSName. */
const hasHost = (host: string) =>
  sequence(identifier('551d11'), octets(sequence(der(0x82, Buffer.from(host, 'ascii')))));
const commonName = (text: string) =>
  sequence(der(0x31, sequence(identifier('550403'), der(0x0c, Buffer.from(text, 'utf8')))));

/** RFC 5280 §4.1. */
function certificate(
  issuer: string,
  subject: string,
  publicKey: KeyObject,
  signingKey: KeyObject,
  extension: Buffer,
  aroundMs: number,
): Buffer {
  const day = 86_400_000;
  const serial = Buffer.concat([Buffer.from([1]), randomBytes(8)]);
  const content = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    ecdsaWithSha256,
    commonName(issuer),
    sequence(time(aroundMs - day), time(aroundMs + day)),
    commonName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(extension)),
  );
  return sequence(content, ecdsaWithSha256, bits(sign('sha256', content, signingKey)));
}

function pem(label: string, content: Buffer): string {
  const lines = content.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}
