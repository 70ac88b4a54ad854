// From a JWK's members to a key: what is weak, odd or exposed is refused here, with a constant reason, and never later.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import type { SignatureAlgorithm } from '../token/algorithms.ts';
import { type JsonObject, own } from '../values/json.ts';
import { isAnotherKey } from './key-encodings.ts';
import { hasRocaFingerprint } from './weak-keys.ts';

/** Why a key cannot be used. The message is constant; nothing of the key is in it. */
export class UnusableKey extends Error {}

/** A key, and its name that nobody gave it. */
interface KeyMaterial {
  readonly key: KeyObject;
  /** RFC 7638, SHA-256. */
  readonly thumbprint: string;
}

const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;
/** The reason for skipping a published private key. */
export const EXPOSED = 'holds a private or symmetric key';
// RFC 7518 §6.2.2, §6.3.2, §6.4: members that only a private or symmetric key has.
const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'] as const;
const EC_COORDINATE_BYTES: ReadonlyMap<string, number> = new Map([
  ['P-256', 32],
  ['P-384', 48],
  ['P-521', 66],
]);
// The encodings of the Ed25519 points of small order: a signature by one of them proves nothing.
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
 * Refuses a published private or symmetric key: whoever publishes it has lost it, and not even its public half is used.
 * @throws UnusableKey
 */
export function refuseExposed(jwk: JsonObject): void {
  if (SECRET_MEMBERS.some((name) => Object.hasOwn(jwk, name))) throw new UnusableKey(EXPOSED);
}

/**
 * Makes a key for these algorithms; of a private key, its public half.
 * @throws UnusableKey
 */
export function importMaterial(jwk: JsonObject, algorithms: readonly SignatureAlgorithm[]): KeyMaterial {
  if (jwk.kty === 'oct') return importSecret(jwk, algorithms);
  const members = readPublicMembers(jwk, algorithms);
  try {
    return { key: createPublicKey({ key: members, format: 'jwk' }), thumbprint: thumbprintOf(members) };
  } catch {
    // OpenSSL refuses points that are not on the curve, and key types that it does not know.
    throw new UnusableKey('not a valid public key');
  }
}

/**
 * Makes the private half of a key whose public half `importMaterial` took. Whether the two belong together is not asked here.
 * @throws UnusableKey
 */
export function importPrivateHalf(jwk: JsonObject): KeyObject {
  if (!Object.hasOwn(jwk, jwk.kty === 'AKP' ? 'priv' : 'd')) throw new UnusableKey('not a private key');
  if (Object.hasOwn(jwk, 'oth')) throw new UnusableKey('RSA keys of more than two primes are not supported');
  try {
    return createPrivateKey({ key: { ...jwk } as JsonWebKey, format: 'jwk' });
  } catch {
    throw new UnusableKey('not a valid private key');
  }
}

/** A symmetric key, RFC 7518 §6.4. Its bytes are never guessed at: what looks like another key is refused. */
function importSecret(jwk: JsonObject, algorithms: readonly SignatureAlgorithm[]): KeyMaterial {
  const bytes = octets(jwk, 'k');
  const shortest = Math.max(
    ...algorithms.map((algorithm) => (algorithm.kty === 'oct' ? algorithm.minKeyBytes : 0)),
  );
  if (bytes.length < shortest) throw new UnusableKey('the secret is shorter than its hash (RFC 7518 §3.2)');
  if (new Set(bytes).size < 8) throw new UnusableKey('the secret is no random secret');
  if (isAnotherKey(bytes)) throw new UnusableKey('the secret is the text of another key');
  return { key: createSecretKey(bytes), thumbprint: thumbprintOf({ k: member(jwk, 'k'), kty: 'oct' }) };
}

/** RFC 7638 §3: the hash of the members that make the key, in lexicographic order. */
function thumbprintOf(members: JsonWebKey): string {
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}

/** The members that make the key, RFC 7638 §3.2, in that order, each checked. */
function readPublicMembers(jwk: JsonObject, algorithms: readonly SignatureAlgorithm[]): JsonWebKey {
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
      if (hasRocaFingerprint(n)) throw new UnusableKey('RSA modulus of a broken generator (CVE-2017-15361)');
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
    case 'AKP': {
      const [algorithm] = algorithms;
      if (algorithm?.kty !== 'AKP' || octets(jwk, 'pub').length !== algorithm.publicKeyBytes) {
        throw new UnusableKey('pub has not the length that alg asks for');
      }
      return { alg: algorithm.name, kty, pub: member(jwk, 'pub') };
    }
    default:
      throw new UnusableKey('kty is not supported');
  }
}

/** A member that has to be a string. */
export function member(jwk: JsonObject, name: string): string {
  const value = own(jwk, name);
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
