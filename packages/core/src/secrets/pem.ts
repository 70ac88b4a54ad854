// Converts PEM to JWK: PKCS#8 and SubjectPublicKeyInfo, PKCS#1, SEC 1 (RFC 7468, RFC 8017, RFC
// 5915). Whether the key is safe is checked when the JWK is imported.
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { JsonObject } from '../values/json.ts';

const PUBLIC_LABELS = ['PUBLIC KEY', 'RSA PUBLIC KEY'] as const;
const PRIVATE_LABELS = ['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY'] as const;

/** Reads a public key. @throws TypeError with a constant text */
export function publicJwkFromPem(pem: string | Uint8Array): JsonObject {
  const { label, block } = readPem(pem);
  if (PRIVATE_LABELS.some((known) => known === label)) {
    throw new TypeError('expected a public key, got a private key');
  }
  if (!PUBLIC_LABELS.some((known) => known === label)) {
    throw new TypeError('expected PEM with "BEGIN PUBLIC KEY" or "BEGIN RSA PUBLIC KEY"');
  }
  return toJwk(createPublicKey, block);
}

/**
 * Reads a private key, with its private members: the result is a secret.
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
  // `openssl ecparam -genkey` writes the curve in a separate block before the key.
  const text = given.replace(/-----BEGIN EC PARAMETERS-----[^-]*-----END EC PARAMETERS-----\s*/, '');
  if (/^(?:Proc-Type: 4,ENCRYPTED|-----BEGIN ENCRYPTED PRIVATE KEY-----)/m.test(text)) {
    throw new TypeError('expected an unencrypted private key');
  }
  const found = /^\s*(-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \2-----)\s*$/.exec(text);
  if (found === null) throw new TypeError('expected one PEM block and nothing else');
  const [, block = '', label = ''] = found;
  if (label === 'CERTIFICATE')
    throw new TypeError('expected a key, got a certificate; extract its public key');
  return { label, block };
}

function toJwk(read: (block: string) => KeyObject, block: string): JsonObject {
  try {
    return read(block).export({ format: 'jwk' }) as JsonObject;
  } catch {
    throw new TypeError('the type of the key is not supported');
  }
}
