// Imports a JWK Set (RFC 7517): returns verification keys, each bound to its algorithms, and the
// reasons for skipped keys.
import {
  type AlgorithmName,
  defaultAlgorithms,
  familyOf,
  findAlgorithm,
  fitsKey,
  isLegacy,
  type SignatureAlgorithm,
} from '../token/algorithms.ts';
import { createSignatureVerifier, type SignatureVerifier } from '../token/signature.ts';
import { isJsonObject, type JsonObject, type JsonValue, own } from '../values/json.ts';
import { kindOf } from '../values/kind.ts';
import { mapInTurns } from '../values/turns.ts';
import {
  type CertificateThumbprints,
  checkUse,
  EXPOSED,
  hasPrivateHalf,
  holdsSecret,
  importMaterial,
  readKid,
  readThumbprints,
  readType,
  withCertifiedKey,
} from './import-key.ts';
import { UnusableKey } from './weak-keys.ts';

/** A key to verify with, and the algorithms that it is bound to. */
export interface VerificationKey extends CertificateThumbprints {
  readonly kid: string | undefined;
  /**
   * RFC 7638, SHA-256: identifies the key independently of its kid. The thumbprint of a symmetric
   * key is a secret too.
   */
  readonly thumbprint: string;
  /**
   * The member `issuer` of its JWK, which says whose tokens it signs; Microsoft Entra has it. Empty
   * if the member is not a text, or is too long. Only keysets for many tenants read it.
   */
  readonly issuer?: string | undefined;
  /** By the exact "alg" of a token. The key refuses every other algorithm. */
  readonly verifiers: ReadonlyMap<AlgorithmName, SignatureVerifier>;
}

/** The options of a keyset that decide which keys it accepts. */
export interface KeyPolicy {
  /**
   * `public`: the set is published, so a private or symmetric key in it is compromised and skipped.
   * `secret`: the set may hold both.
   */
  readonly origin: 'public' | 'secret';
  /** The keyset's `allowedAlgorithms`; undefined if the option is not set. */
  readonly allowed?: ReadonlySet<AlgorithmName> | undefined;
  /** The keyset's `unsafeLegacyAlgorithms`. */
  readonly legacy?: ReadonlySet<AlgorithmName> | undefined;
  /**
   * The keyset's `unsafeAlgorithmMatch`: a key verifies every algorithm of its family, regardless
   * of its own "alg".
   */
  readonly matchFamily?: boolean | undefined;
  /** The keyset's `keyUse`: the `use` that every key must have. Default: `sig`, or none. */
  readonly use?: string | undefined;
}

/** A member of a JWK Set that cannot be used. */
export interface SkippedKey {
  readonly kid: string | undefined;
  /** Constant text without any part of the key. */
  readonly reason: string;
}

/** The usable keys of a JWK Set, in its order, and the members that were skipped. */
export interface ImportedJwks {
  readonly keys: readonly VerificationKey[];
  readonly skipped: readonly SkippedKey[];
}

/** A JWK Set, RFC 7517 §5. */
export interface JwkSet {
  readonly keys: readonly JsonObject[];
}

/** The greatest length of the `issuer` of a key. */
const MAX_ISSUER = 512;
/** The largest number of keys in a JWK Set. */
export const MAX_KEYS = 200;
/**
 * Keys that are imported in one turn of the event loop. Importing an RSA key takes up to a
 * millisecond.
 */
export const KEYS_PER_TURN = 8;

/**
 * Imports a JWK Set. Unusable members are skipped, each with its reason (RFC 7517 §5: ignore what
 * is not understood).
 * @throws TypeError if the document is not a JWK Set
 */
export function importJwks(document: unknown, policy: KeyPolicy): ImportedJwks {
  return separate(membersOf(document).map((member) => importJwk(member, policy)));
}

/**
 * Like `importJwks`, but a few keys per turn of the event loop, so that requests are answered
 * meanwhile. Rejects where `importJwks` throws.
 */
export async function importJwksInTurns(
  document: unknown,
  policy: KeyPolicy,
  signal: AbortSignal,
): Promise<ImportedJwks> {
  const members = membersOf(document);
  return separate(await mapInTurns(members, KEYS_PER_TURN, (member) => importJwk(member, policy), signal));
}

/** Returns the members of a JWK Set. @throws TypeError */
export function membersOf(document: unknown): readonly JsonValue[] {
  if (!isJsonObject(document) || !Object.hasOwn(document, 'keys') || !Array.isArray(document.keys)) {
    throw new TypeError(`expected a JWK Set, { keys: [ … ] }${formOf(document)}`);
  }
  if (document.keys.length > MAX_KEYS) throw new TypeError(`expected a JWK Set of at most ${MAX_KEYS} keys`);
  return document.keys;
}

/** Names a form of keys that people take for a JWK Set. */
function formOf(document: unknown): string {
  if (!isJsonObject(document)) return '';
  if (Object.hasOwn(document, 'jwks_uri'))
    return ', got the metadata of an issuer; write useOidcDiscovery: true, or its jwks_uri as jwksUrl';
  if (Object.hasOwn(document, 'kty')) return ', got one key; put it into { keys: [ … ] }';
  if (Object.hasOwn(document, 'keys')) return `, got keys that are ${kindOf(document.keys)}; put it into [ ]`;
  const values = Object.values(document);
  const isMap = values.length > 0 && values.every((value) => String(value).startsWith('-----BEGIN '));
  return isMap ? ', got certificates by key id; use the URL where the provider publishes JWKs' : '';
}

/** Separates the usable keys from the skipped ones. */
export function separate(imported: readonly (VerificationKey | SkippedKey)[]): ImportedJwks {
  return {
    keys: imported.filter((key): key is VerificationKey => !('reason' in key)),
    skipped: imported.filter((key): key is SkippedKey => 'reason' in key),
  };
}

/** Imports one JWK, or returns why it cannot be used to verify. */
export function importJwk(member: unknown, policy: KeyPolicy): VerificationKey | SkippedKey {
  if (!isJsonObject(member)) return { kid: undefined, reason: 'not a JSON object' };
  let kid: string | undefined;
  try {
    kid = readKid(member);
    if (policy.origin === 'public' && holdsSecret(member)) throw new UnusableKey(EXPOSED);
    const jwk = withCertifiedKey(member);
    const algorithms = bindAlgorithms(jwk, policy);
    if (kid === undefined && algorithms.some(isLegacy)) {
      throw new UnusableKey('a key for a legacy algorithm needs a kid');
    }
    const { key, thumbprint } = importMaterial(jwk, algorithms);
    return Object.freeze({
      kid,
      ...readThumbprints(member),
      thumbprint,
      issuer: issuerOf(member),
      verifiers: new Map(
        algorithms.map((algorithm) => [algorithm.name, createSignatureVerifier(algorithm, key)]),
      ),
    });
  } catch (error) {
    if (error instanceof UnusableKey) return { kid, reason: error.message };
    throw error;
  }
}

function issuerOf(member: JsonObject): string | undefined {
  const issuer = own(member, 'issuer');
  if (issuer === undefined) return undefined;
  return typeof issuer === 'string' && issuer.length <= MAX_ISSUER ? issuer : '';
}

/**
 * The algorithms of a key: its own "alg", else the keyset's algorithms, else the defaults of its
 * type. Algorithms that the keyset does not allow are left out.
 */
function bindAlgorithms(
  jwk: JsonObject,
  { origin, allowed, legacy, matchFamily, use }: KeyPolicy,
): readonly SignatureAlgorithm[] {
  // The public half of a private key verifies, but WebCrypto exports such a key with "sign" only.
  const or = origin === 'secret' && hasPrivateHalf(jwk) ? 'sign' : undefined;
  checkUse(jwk, { operation: 'verify', or, use });
  const bound = namedAlgorithms(readType(jwk), allowed)
    .flatMap((algorithm) => (matchFamily === true ? familyOf(algorithm) : [algorithm]))
    .filter((algorithm) => allowed === undefined || allowed.has(algorithm.name));
  if (bound.length === 0) throw new UnusableKey('no supported and allowed algorithm fits the key');
  const asked = bound.filter((algorithm) => !isLegacy(algorithm) || legacy?.has(algorithm.name) === true);
  if (asked.length === 0) throw new UnusableKey('its algorithm is not in unsafeLegacyAlgorithms');
  return asked;
}

function namedAlgorithms(
  { kty, crv, alg }: ReturnType<typeof readType>,
  allowed: ReadonlySet<AlgorithmName> | undefined,
): readonly SignatureAlgorithm[] {
  if (alg !== undefined) {
    const algorithm = findAlgorithm(alg);
    if (algorithm === undefined) throw new UnusableKey('alg is not supported');
    if (!fitsKey(algorithm, kty, crv)) throw new UnusableKey('alg does not fit kty and crv');
    // RFC 9864 §4.1: EdDSA and Ed25519 are two names of one algorithm for such a key.
    return algorithm.kty === 'OKP' ? defaultAlgorithms(kty, crv) : [algorithm];
  }
  // An AKP key is invalid without "alg": it tells how the bytes are read.
  if (allowed === undefined || kty === 'AKP') return defaultAlgorithms(kty, crv);
  return [...allowed]
    .map(findAlgorithm)
    .filter((algorithm) => algorithm !== undefined)
    .filter((algorithm) => fitsKey(algorithm, kty, crv));
}
