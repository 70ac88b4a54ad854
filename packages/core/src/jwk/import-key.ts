// Makes a key from the members of a JWK, for verifying and for signing. Malformed and exposed keys
// are refused here, weak ones in weak-keys.ts.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
  X509Certificate,
} from 'node:crypto';
import type { SignatureAlgorithm } from '../token/algorithms.ts';
import { MAX_KID_LENGTH } from '../token/parse.ts';
import { type JsonObject, own } from '../values/json.ts';
import { refuseWeakPoint, refuseWeakRsa, refuseWeakSecret, UnusableKey } from './weak-keys.ts';

/** A key and its thumbprint. */
interface KeyMaterial {
  readonly key: KeyObject;
  /** RFC 7638, SHA-256. */
  readonly thumbprint: string;
}

/** The reason for skipping a published private key. */
export const EXPOSED = 'holds a private or symmetric key';
// RFC 7518 §6.2.2, §6.3.2, §6.4: members that only a private or symmetric key has.
const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'] as const;
/** The members that are a public key, without `kty` and `crv`. */
const KEY_MEMBERS = ['n', 'e', 'x', 'y', 'k', 'pub'] as const;
const EC_COORDINATE_BYTES: ReadonlyMap<string, number> = new Map([
  ['P-256', 32],
  ['P-384', 48],
  ['P-521', 66],
]);

/**
 * True for a JWK that has private or symmetric members. If it was published, the key is
 * compromised: not even its public half is used.
 */
export function holdsSecret(jwk: JsonObject): boolean {
  return SECRET_MEMBERS.some((name) => Object.hasOwn(jwk, name));
}

/**
 * True for a JWK with the member that every private key has: RFC 7518 §6.2.2 and §6.3.2, RFC 8037
 * §2, and `priv` for AKP.
 */
export function hasPrivateHalf(jwk: JsonObject): boolean {
  return jwk.kty !== 'oct' && Object.hasOwn(jwk, jwk.kty === 'AKP' ? 'priv' : 'd');
}

/** Reads the "kid" of a JWK, if it has one. @throws UnusableKey */
export function readKid(jwk: JsonObject): string | undefined {
  if (!Object.hasOwn(jwk, 'kid')) return undefined;
  const { kid } = jwk;
  if (typeof kid === 'string' && kid !== '' && kid.length <= MAX_KID_LENGTH && kid.isWellFormed()) return kid;
  throw new UnusableKey('kid is not a string of 1 to 256 characters');
}

/** The thumbprints of the certificate of a key, RFC 7517 §4.8 and §4.9. They only find a key. */
export interface CertificateThumbprints {
  readonly x5t: string | undefined;
  readonly x5tS256: string | undefined;
}

/** Returns the thumbprints that a JWK names, or else those of the certificate in it. */
export function readThumbprints(jwk: JsonObject): CertificateThumbprints {
  const { x5c } = jwk;
  const first: unknown = Array.isArray(x5c) ? x5c[0] : undefined;
  const certificate = typeof first === 'string' ? Buffer.from(first, 'base64') : undefined;
  const read = (name: string, hash: 'sha1' | 'sha256') => {
    const named = own(jwk, name);
    if (typeof named === 'string' && named !== '' && named.length <= MAX_KID_LENGTH) return named;
    return certificate && createHash(hash).update(certificate).digest('base64url');
  };
  return { x5t: read('x5t', 'sha1'), x5tS256: read('x5t#S256', 'sha256') };
}

/** What the members `use` and `key_ops` of a key must permit. */
interface Purpose {
  /** The operation that the key is needed for. */
  readonly operation: 'sign' | 'verify';
  /** Another operation that is accepted too. */
  readonly or?: 'sign' | 'verify' | undefined;
  /** The `use` that every key must have. Default: `sig`, or none. */
  readonly use?: string | undefined;
}

/** Refuses a key that is meant for another use: RFC 7517 §4.2 and §4.3. @throws UnusableKey */
export function checkUse(jwk: JsonObject, { operation, or = operation, use }: Purpose): void {
  const isRight =
    use === undefined ? !Object.hasOwn(jwk, 'use') || jwk.use === 'sig' : own(jwk, 'use') === use;
  if (!isRight) throw new UnusableKey(`use is not "${use ?? 'sig'}"`);
  if (!Object.hasOwn(jwk, 'key_ops')) return;
  const operations = jwk.key_ops;
  if (!Array.isArray(operations) || !(operations.includes(operation) || operations.includes(or)))
    throw new UnusableKey(`key_ops does not have "${operation}"`);
}

/** Reads the members that say which algorithms a key is for. @throws UnusableKey */
export function readType(jwk: JsonObject): {
  readonly kty: string;
  readonly crv: string | undefined;
  readonly alg: string | undefined;
} {
  const optional = (name: string) => (Object.hasOwn(jwk, name) ? member(jwk, name) : undefined);
  return { kty: member(jwk, 'kty'), crv: optional('crv'), alg: optional('alg') };
}

/**
 * Adds the members of the public key in the certificate of a JWK that has no others, RFC 7517 §4.7.
 * The certificate only holds the key: its dates and its issuer are not checked.
 * @throws UnusableKey
 */
export function withCertifiedKey(jwk: JsonObject): JsonObject {
  const { x5c } = jwk;
  const certificate: unknown = Array.isArray(x5c) ? x5c[0] : undefined;
  if (certificate === undefined || KEY_MEMBERS.some((name) => Object.hasOwn(jwk, name))) return jwk;
  let members: JsonObject;
  try {
    const { publicKey } = new X509Certificate(Buffer.from(String(certificate), 'base64'));
    members = publicKey.export({ format: 'jwk' }) as JsonObject;
  } catch {
    throw new UnusableKey('x5c is not a certificate of a supported key');
  }
  if (jwk.kty !== members.kty || (Object.hasOwn(jwk, 'crv') && jwk.crv !== members.crv))
    throw new UnusableKey('x5c is the certificate of another type of key');
  return { ...jwk, ...members };
}

/**
 * Makes the key for these algorithms; from a private key, its public half.
 * @throws UnusableKey
 */
export function importMaterial(jwk: JsonObject, algorithms: readonly SignatureAlgorithm[]): KeyMaterial {
  if (jwk.kty === 'oct') return importSecret(jwk, algorithms);
  const members = readPublicMembers(jwk, algorithms);
  try {
    return { key: createPublicKey({ key: members, format: 'jwk' }), thumbprint: thumbprintOf(members) };
  } catch {
    // OpenSSL refuses points that are not on the curve, and unknown key types.
    throw new UnusableKey('not a valid public key');
  }
}

/**
 * Makes the private key of a JWK whose public half `importMaterial` has accepted. Does not check
 * that the two halves belong together.
 * @throws UnusableKey
 */
export function importPrivateHalf(jwk: JsonObject): KeyObject {
  if (!hasPrivateHalf(jwk)) throw new UnusableKey('not a private key');
  if (Object.hasOwn(jwk, 'oth')) throw new UnusableKey('RSA keys of more than two primes are not supported');
  try {
    return createPrivateKey({ key: { ...jwk } as JsonWebKey, format: 'jwk' });
  } catch {
    throw new UnusableKey('not a valid private key');
  }
}

/**
 * Makes a symmetric key, RFC 7518 §6.4. Its bytes are used as they are; a secret that looks like
 * another, encoded key is refused.
 */
function importSecret(jwk: JsonObject, algorithms: readonly SignatureAlgorithm[]): KeyMaterial {
  const bytes = octets(jwk, 'k');
  refuseWeakSecret(bytes, algorithms);
  return { key: createSecretKey(bytes), thumbprint: thumbprintOf({ k: member(jwk, 'k'), kty: 'oct' }) };
}

/** RFC 7638 §3: the hash of the members that make the key, in lexicographic order. */
function thumbprintOf(members: JsonWebKey): string {
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}

/** Returns the members that make the key, in the order of RFC 7638 §3.2, each checked. */
function readPublicMembers(jwk: JsonObject, algorithms: readonly SignatureAlgorithm[]): JsonWebKey {
  const kty = member(jwk, 'kty');
  switch (kty) {
    case 'RSA': {
      const [n, e] = [integer(jwk, 'n'), integer(jwk, 'e')];
      refuseWeakRsa(n, e);
      return { e: e.toString('base64url'), kty, n: n.toString('base64url') };
    }
    case 'EC': {
      const crv = member(jwk, 'crv');
      const length = EC_COORDINATE_BYTES.get(crv);
      if (length === undefined) throw new UnusableKey('crv is not supported');
      for (const name of ['x', 'y'] as const) {
        // RFC 7518 §6.2.1.2: the full length of the curve, leading zeros included.
        if (octets(jwk, name).length !== length)
          throw new UnusableKey(`${name} does not have the length of the curve`);
      }
      return { crv, kty, x: member(jwk, 'x'), y: member(jwk, 'y') };
    }
    case 'OKP': {
      const crv = member(jwk, 'crv');
      if (crv !== 'Ed25519') throw new UnusableKey('crv is not supported');
      const x = octets(jwk, 'x');
      if (x.length !== 32) throw new UnusableKey('x does not have the length of the curve');
      refuseWeakPoint(x);
      return { crv, kty, x: member(jwk, 'x') };
    }
    case 'AKP': {
      const [algorithm] = algorithms;
      if (algorithm?.kty !== 'AKP' || octets(jwk, 'pub').length !== algorithm.publicKeyBytes) {
        throw new UnusableKey('pub does not have the length that alg requires');
      }
      return { alg: algorithm.name, kty, pub: member(jwk, 'pub') };
    }
    default:
      throw new UnusableKey('kty is not supported');
  }
}

/** Reads a member that must be a string. */
function member(jwk: JsonObject, name: string): string {
  const value = own(jwk, name);
  if (typeof value !== 'string') throw new UnusableKey(`${name} is not a string`);
  return value;
}

/** Decodes canonical base64url: each key has exactly one spelling. */
function octets(jwk: JsonObject, name: string): Buffer {
  const text = member(jwk, name);
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) throw new UnusableKey(`${name} is not base64url`);
  return bytes;
}

/**
 * Decodes Base64urlUInt, RFC 7518 §2. Providers publish integers with leading zero octets, which
 * the RFC forbids: they are removed, so that a key has the same thumbprint with and without them.
 */
function integer(jwk: JsonObject, name: string): Buffer {
  const bytes = octets(jwk, name);
  const start = bytes.findIndex((byte) => byte !== 0);
  if (start === -1) throw new UnusableKey(`${name} is not a positive integer`);
  return bytes.subarray(start);
}
