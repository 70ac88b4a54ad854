// Generates keys as JWKs, and extracts the public half of a JWK. Storing keys and signing with them
// is done elsewhere.
import { generateKeyPair, type KeyPairKeyObjectResult, randomBytes, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { type AlgorithmName, findAlgorithm, isLegacy, type SignatureAlgorithm } from '../token/algorithms.ts';
import { MAX_KID_LENGTH } from '../token/parse.ts';
import { isJsonObject, type JsonObject, own } from '../values/json.ts';

const RSA_BITS = 3072;
/** The names in node:crypto. */
const ML_DSA_TYPES = ['ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87'] as const;

/**
 * An allow-list of the public members: RFC 7518 §6.2.1 and §6.3.1, RFC 8037 §2; and AKP, where
 * "alg" is a part of the key.
 */
const PUBLIC_MEMBERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['RSA', ['n', 'e']],
  ['EC', ['crv', 'x', 'y']],
  ['OKP', ['crv', 'x']],
  ['AKP', ['alg', 'pub']],
]);

const generate = promisify(generateKeyPair);

/**
 * Generates a private JWK, or for HMAC a symmetric one, with its `kid`, `alg` and `use`. The work
 * is done off the main thread, so a service keeps answering requests.
 *
 * RSA keys have 3072 bits, which are 128 bits of strength, like P-256 and Ed25519. 2048 bits are
 * 112 bits of strength, which NIST SP 800-57 Part 1 (§5.6) permits only until 2030. A secret is as
 * long as the output of its hash (RFC 7518 §3.2). For `Ed25519`, `alg` is `EdDSA`, which every
 * verifier knows; the key signs under both names.
 * @param kid 1 to 256 characters. Default: a random UUID
 * @throws TypeError for HMD5 and HS224, which are refused for new keys, and for a kid that a keyset
 *   would refuse
 * @throws Error for ML-DSA on a Node.js without it
 * @example
 * ```ts
 * const jwk = await generateJwk('ES256');
 * const jwks = JSON.stringify({ keys: [jwk] }); // a secret
 * ```
 */
export async function generateJwk(algorithm: AlgorithmName, kid: string = randomUUID()): Promise<JsonObject> {
  const row = findAlgorithm(algorithm);
  if (row === undefined) throw new TypeError('not a supported algorithm');
  if (isLegacy(row)) throw new TypeError(`${row.name} is too weak for a new key`);
  if (kid === '' || kid.length > MAX_KID_LENGTH) throw new TypeError('expected a kid of 1 to 256 characters');
  const head = { kty: row.kty, kid, alg: row.name === 'Ed25519' ? 'EdDSA' : row.name, use: 'sig' };
  if (row.kty === 'oct') return { ...head, k: randomBytes(row.minKeyBytes).toString('base64url') };
  const { privateKey } = await generatePair(row);
  const jwk: unknown = privateKey.export({ format: 'jwk' });
  if (!isJsonObject(jwk)) throw new TypeError('expected the key to have a JWK');
  return { ...head, ...jwk };
}

/**
 * Returns the public half of a JWK: the members of the public key, and `kid`, `alg` and `use`
 * (`sig` if the JWK has none). All other members are left out, known or not. Does not check the key
 * itself.
 * @returns undefined for a symmetric key, which has no public half; for an unknown type; if one of
 *   the members is not a string; and if a member of the public key is missing
 * @example
 * ```ts
 * const jwk = await generateJwk('ES256');
 * const published = { keys: [publicJwk(jwk)] };
 * ```
 */
export function publicJwk(jwk: JsonObject): JsonObject | undefined {
  const kty = own(jwk, 'kty');
  const needed = typeof kty === 'string' ? PUBLIC_MEMBERS.get(kty) : undefined;
  if (needed === undefined) return undefined;
  const half: Record<string, string> = { use: 'sig' };
  for (const name of ['kty', 'kid', 'alg', 'use', ...needed]) {
    const value = own(jwk, name);
    if (typeof value === 'string') half[name] = value;
    else if (value !== undefined || needed.includes(name)) return undefined;
  }
  return half;
}

async function generatePair(
  algorithm: Exclude<SignatureAlgorithm, { kty: 'oct' }>,
): Promise<KeyPairKeyObjectResult> {
  switch (algorithm.kty) {
    case 'RSA':
      return generate('rsa', { modulusLength: RSA_BITS });
    case 'EC':
      return generate('ec', { namedCurve: algorithm.crv });
    case 'OKP':
      return generate('ed25519');
    case 'AKP':
      return generateMlDsa(algorithm.name);
  }
}

async function generateMlDsa(name: AlgorithmName): Promise<KeyPairKeyObjectResult> {
  const type = ML_DSA_TYPES.find((known) => known === name.toLowerCase());
  if (type === undefined) throw new TypeError('not a supported algorithm');
  try {
    return await generate(type);
  } catch {
    throw new Error(
      `this Node.js cannot make a key for ${name}: it needs Node.js 24.6 or later with OpenSSL 3.5`,
    );
  }
}
