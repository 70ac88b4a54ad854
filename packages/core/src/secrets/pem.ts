// PEM in, JWK out: PKCS#8 and SubjectPublicKeyInfo, PKCS#1, SEC 1 (RFC 7468, RFC 8017, RFC 5915).
// What the key is worth is judged where JWKs are imported.
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { JsonObject } from '../values/json.ts';

const PUBLIC_LABELS = ['PUBLIC KEY', 'RSA PUBLIC KEY'] as const;
const PRIVATE_LABELS = ['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY'] as const;

/** Reads a public key. @throws TypeError with a constant text */
export function publicJwkFromPem(pem: string | Uint8Array): JsonObject {
  const { label, block } = readPem(pem);
  if (PRIVATE_LABELS.some((known) => known === label)) {
    throw new TypeError('a private key stands where a public one is expected');
  }
  if (!PUBLIC_LABELS.some((known) => known === label)) {
    throw new TypeError('expected PEM with "BEGIN PUBLIC KEY" or "BEGIN RSA PUBLIC KEY"');
  }
  return toJwk(createPublicKey, block);
}

/**
 * Reads a private key whole: what this returns is a secret.
 * @throws TypeError with a constant text
 */
export function privateJwkFromPem(pem: string | Uint8Array): JsonObject {
  const { label, block } = readPem(pem);
  if (!PRIVATE_LABELS.some((known) => known === label)) {
    throw new TypeError(
      'expected PEM with "BEGIN PRIVATE KEY", "BEGIN RSA PRIVATE KEY" or "BEGIN EC PRIVATE KEY"',
    );
  }
  return toJwk(createPrivateKey, block);
}

function readPem(pem: string | Uint8Array): { readonly label: string; readonly block: string } {
  const given = typeof pem === 'string' ? pem : Buffer.from(pem).toString('utf8');
  // `openssl ecparam -genkey` writes the curve in a block of its own before the key.
  const text = given.replace(/-----BEGIN EC PARAMETERS-----[^-]*-----END EC PARAMETERS-----\s*/, '');
  if (/^(?:Proc-Type: 4,ENCRYPTED|-----BEGIN ENCRYPTED PRIVATE KEY-----)/m.test(text)) {
    throw new TypeError('the private key is encrypted');
  }
  const found = /^\s*(-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \2-----)\s*$/.exec(text);
  if (found === null) throw new TypeError('expected one PEM block and nothing else');
  const [, block = '', label = ''] = found;
  if (label === 'CERTIFICATE') throw new TypeError('a certificate is no key; extract its public key');
  return { label, block };
}

function toJwk(read: (block: string) => KeyObject, block: string): JsonObject {
  try {
    return read(block).export({ format: 'jwk' }) as JsonObject;
  } catch {
    throw new TypeError('not a key of a type that is supported');
  }
}
