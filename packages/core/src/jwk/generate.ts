// Keys made here, as JWKs, and the public half of one. Where they are kept and who signs with them
// is settled elsewhere.
import { generateKeyPair, type KeyPairKeyObjectResult, randomBytes, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { type AlgorithmName, findAlgorithm, isLegacy, type SignatureAlgorithm } from '../token/algorithms.ts';
import { MAX_KID_LENGTH } from '../token/parse.ts';
import { isJsonObject, type JsonObject, own } from '../values/json.ts';

const RSA_BITS = 3072;
/** By what node:crypto calls them. */
const ML_DSA_TYPES = ['ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87'] as const;

/**
 * An allow-list: RFC 7518 §6.2.1 and §6.3.1, RFC 8037 §2, and AKP, of whose key "alg" is a part.
 */
const PUBLIC_MEMBERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['RSA', ['n', 'e']],
  ['EC', ['crv', 'x', 'y']],
  ['OKP', ['crv', 'x']],
  ['AKP', ['alg', 'pub']],
]);

const generate = promisify(generateKeyPair);

/**
 * Makes a private JWK, or for HMAC a symmetric one, with its `kid`, `alg` and `use`. Off the main
 * thread: a service goes on answering meanwhile.
 *
 * RSA keys have 3072 bits: 2048 are 112 bits of strength, which NIST SP 800-57 Part 1 (§5.6) ends
 * with 2030, and 3072 are the 128 that P-256 and Ed25519 have. A secret is as long as its hash (RFC
 * 7518 §3.2). For `Ed25519` the key says `EdDSA`, which every verifier knows; it signs under both
 * names.
 * @param kid 1 to 256 characters. Default: a random UUID
 * @throws TypeError for HMD5 and HS224, which are never made anew, and for a kid that no keyset
 *   would take
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
  if (!isJsonObject(jwk)) throw new TypeError('the key has no JWK');
  return { ...head, ...jwk };
}

/**
 * The public half of a JWK: what makes the public key, and its `kid`, `alg` and `use` (`sig` where
 * it has none). Everything else stays behind, known or not. Does not judge whether the key is any
 * good.
 * @returns undefined for a symmetric key, which has no such half, and where it cannot be told: the
 *   type is not known, or one of these members is no string or, of those that make the key, missing
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
    throw new Error(`this Node.js cannot make a key for ${name}: it takes 24.6 or later with OpenSSL 3.5`);
  }
}
