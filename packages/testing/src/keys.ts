// Key pairs for tests. Private keys stay in this process.
import { KeyObject, randomUUID } from 'node:crypto';
import type { AlgorithmName, JsonObject } from '@latchkey/core';
import { exportJWK, generateKeyPair } from 'jose';

/** A key pair with its `kid` and its algorithm. */
export interface SigningKey {
  readonly alg: AlgorithmName;
  readonly kid: string;
  readonly privateKey: KeyObject;
  /** The public key as a member of a JWK Set: with `kid`, `alg` and `use`. */
  readonly publicJwk: JsonObject;
}

/**
 * Generates a key pair. Default algorithm: ES256, the fastest to generate.
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
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(publicKey);
  return {
    alg,
    kid,
    privateKey: KeyObject.from(privateKey),
    publicJwk: { ...(jwk as JsonObject), kid, alg, use: 'sig' },
  };
}
