// JWK in (RFC 7517), verification key out, or the reason why not. A weak or odd key is refused here and never later.
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import {
  type AlgorithmName,
  defaultAlgorithms,
  findAlgorithm,
  fitsKey,
  type SignatureAlgorithm,
} from '../token/algorithms.ts';
import { isJsonObject, type JsonObject } from '../token/json.ts';
import { createSignatureVerifier, type SignatureVerifier } from '../token/signature.ts';

/** A public key that is fit to verify with, and the algorithms that it is bound to. */
export interface VerificationKey {
  readonly kid: string | undefined;
  /** What tells one key from another whatever it is called: the RFC 7638 members, in their order. */
  readonly material: string;
  /** By the exact "alg" of a token. An algorithm that is not here is refused for this key. */
  readonly verifiers: ReadonlyMap<AlgorithmName, SignatureVerifier>;
}

/** A member of a JWK Set that cannot be used. */
export interface SkippedKey {
  readonly kid: string | undefined;
  /** Constant text; nothing of the key is in it. */
  readonly reason: string;
}

/** The usable keys of a JWK Set, in its order, and the members that were passed over. */
export interface ImportedJwks {
  readonly keys: readonly VerificationKey[];
  readonly skipped: readonly SkippedKey[];
}

/** A JWK Set as it is written, RFC 7517 §5. */
export interface JwkSet {
  readonly keys: readonly JsonObject[];
}

const MAX_KEYS = 200;
const MAX_KID_LENGTH = 256;
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;
// RFC 7518 §6.2.2, §6.3.2, §6.4: members that only a private or symmetric key has.
const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'] as const;
const EC_COORDINATE_BYTES: ReadonlyMap<string, number> = new Map([
  ['P-256', 32],
  ['P-384', 48],
  ['P-521', 66],
]);
// The encodings of the Ed25519 points of small order: a signature by one of them proves nothing (RFC 8032 §8.4 and cofactors).
const SMALL_ORDER_ED25519: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
]);

/**
 * Imports a JWK Set. Unusable members are skipped, each with its reason (RFC 7517 §5: ignore what is not understood).
 * @param allowed the keyset's `allowedAlgorithms`; undefined where it names none
 * @throws TypeError if the document is no JWK Set at all
 */
export function importJwks(document: unknown, allowed: ReadonlySet<AlgorithmName> | undefined): ImportedJwks {
  if (!isJsonObject(document) || !Object.hasOwn(document, 'keys') || !Array.isArray(document.keys)) {
    throw new TypeError('not a JWK Set');
  }
  if (document.keys.length > MAX_KEYS) throw new TypeError(`a JWK Set of more than ${MAX_KEYS} keys`);
  const keys: VerificationKey[] = [];
  const skipped: SkippedKey[] = [];
  for (const member of document.keys) {
    const key = importJwk(member, allowed);
    if ('reason' in key) skipped.push(key);
    else keys.push(key);
  }
  return { keys, skipped };
}

/** Imports one JWK, or says why it cannot be used to verify. */
export function importJwk(
  jwk: unknown,
  allowed: ReadonlySet<AlgorithmName> | undefined,
): VerificationKey | SkippedKey {
  if (!isJsonObject(jwk)) return { kid: undefined, reason: 'not a JSON object' };
  const kid = readKid(jwk);
  if (kid === null) return { kid: undefined, reason: 'kid is not a string of 1 to 256 characters' };
  try {
    const algorithms = bindAlgorithms(jwk, allowed);
    const { key, material } = importKey(jwk);
    return Object.freeze({
      kid,
      material,
      verifiers: new Map(
        algorithms.map((algorithm) => [algorithm.name, createSignatureVerifier(algorithm, key)]),
      ),
    });
  } catch (error) {
    if (error instanceof UnusableKey) return { kid, reason: error.message };
    throw error;
  }
}

/** Private control flow of this file: carries a reason out of the checks. */
class UnusableKey extends Error {}

function readKid(jwk: JsonObject): string | undefined | null {
  if (!Object.hasOwn(jwk, 'kid')) return undefined;
  const { kid } = jwk;
  return typeof kid === 'string' && kid !== '' && kid.length <= MAX_KID_LENGTH ? kid : null;
}

/** The key's own "alg", else the keyset's, else the defaults of its type; never one that the keyset does not allow. */
function bindAlgorithms(
  jwk: JsonObject,
  allowed: ReadonlySet<AlgorithmName> | undefined,
): readonly SignatureAlgorithm[] {
  const kty = member(jwk, 'kty');
  const crv = Object.hasOwn(jwk, 'crv') ? member(jwk, 'crv') : undefined;
  checkUse(jwk);
  let bound: readonly SignatureAlgorithm[];
  if (Object.hasOwn(jwk, 'alg')) {
    const algorithm = findAlgorithm(member(jwk, 'alg'));
    if (algorithm === undefined) throw new UnusableKey('alg is not supported');
    if (!fitsKey(algorithm, kty, crv)) throw new UnusableKey('alg does not fit kty and crv');
    // RFC 9864 §4.1: EdDSA and Ed25519 are two names of one algorithm for such a key.
    bound = algorithm.kty === 'OKP' ? defaultAlgorithms(kty, crv) : [algorithm];
  } else if (allowed === undefined) {
    bound = defaultAlgorithms(kty, crv);
  } else {
    bound = [...allowed]
      .map(findAlgorithm)
      .filter((algorithm) => algorithm !== undefined)
      .filter((algorithm) => fitsKey(algorithm, kty, crv));
  }
  if (allowed !== undefined) bound = bound.filter(({ name }) => allowed.has(name));
  if (bound.length === 0) throw new UnusableKey('no supported and allowed algorithm fits the key');
  return bound;
}

/** RFC 7517 §4.2 and §4.3: a key that is meant for something else is not used to verify. */
function checkUse(jwk: JsonObject): void {
  if (Object.hasOwn(jwk, 'use') && jwk.use !== 'sig') throw new UnusableKey('use is not "sig"');
  if (!Object.hasOwn(jwk, 'key_ops')) return;
  const operations = jwk.key_ops;
  if (!Array.isArray(operations) || !operations.includes('verify')) {
    throw new UnusableKey('key_ops does not have "verify"');
  }
}

function importKey(jwk: JsonObject): { key: KeyObject; material: string } {
  for (const name of SECRET_MEMBERS) {
    // Whoever publishes it has lost it: the key is not used, not even its public half.
    if (Object.hasOwn(jwk, name)) throw new UnusableKey('holds a private or symmetric key');
  }
  const publicMembers = readPublicMembers(jwk);
  const material = JSON.stringify(publicMembers);
  try {
    return { key: createPublicKey({ key: publicMembers, format: 'jwk' }), material };
  } catch {
    // OpenSSL refuses points that are not on the curve.
    throw new UnusableKey('not a valid public key');
  }
}

/** The members that make the key, RFC 7638 §3.2, in that order, each checked. */
function readPublicMembers(jwk: JsonObject): JsonWebKey {
  const kty = member(jwk, 'kty');
  switch (kty) {
    case 'RSA': {
      const n = integer(jwk, 'n');
      const e = integer(jwk, 'e');
      const bits = bitLength(n);
      if (bits < MIN_RSA_BITS) throw new UnusableKey('RSA modulus under 2048 bits (RFC 7518 §3.3)');
      if (bits > MAX_RSA_BITS) throw new UnusableKey('RSA modulus over 8192 bits');
      const exponent = e.length <= 5 ? Number.parseInt(e.toString('hex'), 16) : Number.POSITIVE_INFINITY;
      if (exponent < 3 || exponent >= 2 ** 33 || exponent % 2 === 0) {
        throw new UnusableKey('RSA exponent is not an odd number from 3 to 2^33');
      }
      return { e: member(jwk, 'e'), kty, n: member(jwk, 'n') };
    }
    case 'EC': {
      const crv = member(jwk, 'crv');
      const length = EC_COORDINATE_BYTES.get(crv);
      if (length === undefined) throw new UnusableKey('crv is not supported');
      for (const name of ['x', 'y'] as const) {
        // RFC 7518 §6.2.1.2: the full length of the curve, leading zeros included.
        if (octets(jwk, name).length !== length)
          throw new UnusableKey(`${name} has not the length of the curve`);
      }
      return { crv, kty, x: member(jwk, 'x'), y: member(jwk, 'y') };
    }
    case 'OKP': {
      const crv = member(jwk, 'crv');
      if (crv !== 'Ed25519') throw new UnusableKey('crv is not supported');
      const x = octets(jwk, 'x');
      if (x.length !== 32) throw new UnusableKey('x has not the length of the curve');
      if (SMALL_ORDER_ED25519.has(x.toString('hex'))) throw new UnusableKey('x is a point of small order');
      return { crv, kty, x: member(jwk, 'x') };
    }
    default:
      throw new UnusableKey('kty is not supported');
  }
}

function member(jwk: JsonObject, name: string): string {
  const value = Object.hasOwn(jwk, name) ? jwk[name] : undefined;
  if (typeof value !== 'string') throw new UnusableKey(`${name} is not a string`);
  return value;
}

/** Canonical base64url: one key, one spelling. */
function octets(jwk: JsonObject, name: string): Buffer {
  const text = member(jwk, name);
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) throw new UnusableKey(`${name} is not base64url`);
  return bytes;
}

/** Base64urlUInt, RFC 7518 §2: no leading zero octets. */
function integer(jwk: JsonObject, name: string): Buffer {
  const bytes = octets(jwk, name);
  if (bytes.length === 0 || bytes[0] === 0) throw new UnusableKey(`${name} is not a minimal integer`);
  return bytes;
}

function bitLength(integerBytes: Buffer): number {
  return integerBytes.length * 8 - Math.clz32(integerBytes[0] ?? 0) + 24;
}
