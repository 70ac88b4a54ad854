// Key pairs for tests. Private keys stay in this process.
import { generateKeyPair, type KeyObject, type KeyPairKeyObjectResult, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import type { AlgorithmName, JsonObject } from '@latchkey/core';

/** A key pair with its `kid` and its algorithm. */
export interface SigningKey {
  readonly alg: AlgorithmName;
  readonly kid: string;
  readonly privateKey: KeyObject;
  /** The public key as a member of a JWK Set: with `kid`, `alg` and `use`. */
  readonly publicJwk: JsonObject;
}

const RSA_BITS = 2048;
const CURVES: ReadonlyMap<string, string> = new Map([
  ['ES256', 'P-256'],
  ['ES384', 'P-384'],
  ['ES512', 'P-521'],
]);
/** The names in node:crypto. */
const ML_DSA_TYPES = ['ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87'] as const;

const generate = promisify(generateKeyPair);

/**
 * Generates a key pair. Default algorithm: ES256, the fastest to generate.
 * @throws TypeError for an algorithm of shared secrets, such as HS256
 * @example
 * ```ts
 * const key = await generateSigningKey('RS256');
 * const keySets = [{ issuer: 'partner', jwks: { keys: [key.publicJwk] } }];
 * ```
 */
export async function generateSigningKey(
  alg: AlgorithmName = 'ES256',
  kid: string = randomUUID(),
): Promise<SigningKey> {
  const { publicKey, privateKey } = await generatePair(alg);
  const jwk = publicKey.export({ format: 'jwk' }) as JsonObject;
  return { alg, kid, privateKey, publicJwk: { ...jwk, kid, alg, use: 'sig' } };
}

async function generatePair(alg: AlgorithmName): Promise<KeyPairKeyObjectResult> {
  const namedCurve = CURVES.get(alg);
  if (namedCurve !== undefined) return generate('ec', { namedCurve });
  if (/^[RP]S/.test(alg)) return generate('rsa', { modulusLength: RSA_BITS });
  if (alg === 'EdDSA' || alg === 'Ed25519') return generate('ed25519');
  const type = ML_DSA_TYPES.find((name) => name === alg.toLowerCase());
  if (type === undefined)
    throw new TypeError(`generateSigningKey: expected an algorithm of key pairs, got ${alg}`);
  return generate(type);
}
