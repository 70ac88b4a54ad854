// Raw keys as people have them in files: a key pair in PEM, the bytes of a symmetric secret. Judged
// here, before they become secrets.
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { importJwk } from '../jwk/import-jwks.ts';
import { privateJwkFromPem, publicJwkFromPem } from '../secrets/pem.ts';
import { symmetricJwk } from '../secrets/symmetric.ts';
import type { JsonObject } from '../values/json.ts';

/** A key pair, or one half of one: PEM, each half in a text of its own. */
export interface KeyPairText {
  readonly privateKey?: string | undefined;
  readonly publicKey?: string | undefined;
}

/**
 * Checks a key pair: PKCS#8, PKCS#1 or SEC 1 the private half, SubjectPublicKeyInfo or PKCS#1 the
 * public one; RSA of 2048 bits at the least, ECDSA or Ed25519.
 * @throws TypeError with a constant text, for what is no such key, is weak, or are halves of two
 */
export function checkKeyPair({ privateKey, publicKey }: KeyPairText): void {
  const thumbprints = [
    ...(privateKey === undefined ? [] : [usable(privateJwkFromPem(privateKey))]),
    ...(publicKey === undefined ? [] : [usable(publicJwkFromPem(publicKey))]),
  ];
  if (thumbprints.length === 0) throw new TypeError('there is no key');
  if (new Set(thumbprints).size > 1) throw new TypeError('the public key does not belong to the private key');
}

/**
 * The public half of a private key, as SubjectPublicKeyInfo.
 * @throws TypeError with a constant text
 */
export function extractPublicKey(privateKey: string): string {
  checkKeyPair({ privateKey });
  const key = createPrivateKey(privateKey);
  return createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
}

/**
 * Checks a symmetric secret: random, and 32 bytes at the least.
 * @throws TypeError with a constant text
 */
export function checkSymmetricSecret(bytes: Uint8Array): void {
  usable({ ...symmetricJwk(bytes), alg: 'HS256' });
}

/** @returns the thumbprint */
function usable(jwk: JsonObject): string {
  const key = importJwk(jwk, { origin: 'secret' });
  if ('reason' in key) throw new TypeError(key.reason);
  return key.thumbprint;
}
