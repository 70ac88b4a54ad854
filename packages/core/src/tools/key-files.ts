// Checks raw keys in files: a key pair in PEM, or the bytes of a symmetric secret. They are checked
// before they become secrets; nothing is written here.
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { importJwk } from '../jwk/import-jwks.ts';
import { privateJwkFromPem, publicJwkFromPem } from '../secrets/pem.ts';
import { symmetricJwk } from '../secrets/symmetric.ts';
import type { JsonObject } from '../values/json.ts';

/** A key pair, or one half of one: PEM, each half as a separate text. */
export interface KeyPairText {
  readonly privateKey?: string | undefined;
  readonly publicKey?: string | undefined;
}

/**
 * Checks a key pair. The private half must be PKCS#8, PKCS#1 or SEC 1, the public half
 * SubjectPublicKeyInfo or PKCS#1. RSA keys need at least 2048 bits; ECDSA and Ed25519 are
 * supported.
 * @throws TypeError without any part of the key, for an invalid or weak key, and for halves that do
 *   not match
 */
export function checkKeyPair({ privateKey, publicKey }: KeyPairText): void {
  const thumbprints = [
    ...(privateKey === undefined ? [] : [usable(privateJwkFromPem(privateKey))]),
    ...(publicKey === undefined ? [] : [usable(publicJwkFromPem(publicKey))]),
  ];
  if (thumbprints.length === 0) throw new TypeError('expected a key');
  if (new Set(thumbprints).size > 1) throw new TypeError('the public key does not match the private key');
}

/**
 * The public half of a private key, as SubjectPublicKeyInfo.
 * @throws TypeError without any part of the key
 */
export function extractPublicKey(privateKey: string): string {
  checkKeyPair({ privateKey });
  const key = createPrivateKey(privateKey);
  return createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
}

/**
 * Checks a symmetric secret: it must look random and have at least 32 bytes.
 * @throws TypeError without any part of the key
 */
export function checkSymmetricSecret(bytes: Uint8Array): void {
  usable({ ...symmetricJwk(bytes), alg: 'HS256' });
}

/**
 * Checks a key.
 * @returns its thumbprint
 */
function usable(jwk: JsonObject): string {
  const key = importJwk(jwk, { origin: 'secret' });
  if ('reason' in key) throw new TypeError(key.reason);
  return key.thumbprint;
}
