// Makes a signing key from a private or symmetric JWK, bound to one algorithm; or returns why it
// cannot sign.

import { publicJwk } from '../jwk/generate.ts';
import { checkUse, importMaterial, importPrivateHalf, readKid, readType } from '../jwk/import-key.ts';
import { UnusableKey } from '../jwk/weak-keys.ts';
import {
  type AlgorithmName,
  defaultAlgorithms,
  findAlgorithm,
  fitsKey,
  isLegacy,
  type SignatureAlgorithm,
} from '../token/algorithms.ts';
import { createSignatureMaker, createSignatureVerifier, type SignatureMaker } from '../token/signature.ts';
import { isJsonObject, type JsonObject } from '../values/json.ts';

/** A key that signs, and its one algorithm. */
export interface SigningKey {
  readonly kid: string | undefined;
  readonly algorithm: AlgorithmName;
  /** The issuer that the key is pinned to in the deprecated `keys` list; otherwise undefined. */
  readonly issuer: string | undefined;
  /**
   * The NumericDate from which the key signs: the `nbf` of the JWK, like in OpenID Federation 1.0
   * §8.7. -Infinity if there is none.
   */
  readonly signsFrom: number;
  /**
   * The NumericDate after which no token of the key is valid: the `exp` of the JWK. Set when the
   * next key is made.
   */
  readonly signedUntil: number | undefined;
  /** The encoded JOSE header and its dot. */
  readonly header: string;
  readonly sign: SignatureMaker;
  /**
   * The public JWK for verifiers, with the exact `kid` and `alg` of its tokens; undefined for a
   * symmetric key.
   */
  readonly publicJwk: JsonObject | undefined;
}

/** The options for signing keys. */
export interface SigningPolicy {
  /** The `alg` of the signer; undefined if each key defines its own. */
  readonly algorithm: AlgorithmName | undefined;
  /** The `typ` of the signer; null for none. */
  readonly typ: string | null;
  readonly issuer?: string | undefined;
  /**
   * Uses the thumbprint (RFC 7638) as the kid of a key without one. Not for symmetric keys: the
   * thumbprint is derived from the secret.
   */
  readonly nameByThumbprint?: boolean | undefined;
}

/** A key that cannot sign. */
export interface RefusedKey {
  readonly kid: string | undefined;
  /** Constant text without any part of the key. */
  readonly reason: string;
}

const PROBE = Buffer.from('latchkey');

/**
 * Imports one JWK, or returns why it cannot sign. Detects a private half that does not match its
 * public half.
 */
export function importSigningKey(jwk: unknown, policy: SigningPolicy): SigningKey | RefusedKey {
  let kid: string | undefined;
  try {
    if (!isJsonObject(jwk)) throw new UnusableKey('expected a JSON object');
    kid = readKid(jwk);
    checkUse(jwk, { operation: 'sign' });
    const algorithm = bindAlgorithm(jwk, policy.algorithm);
    const { key, thumbprint } = importMaterial(jwk, [algorithm]);
    if (policy.nameByThumbprint === true) kid ??= thumbprint;
    const sign = createSignatureMaker(algorithm, algorithm.kty === 'oct' ? key : importPrivateHalf(jwk));
    if (!signsFor(sign, createSignatureVerifier(algorithm, key))) {
      throw new UnusableKey('the private half does not match the public half');
    }
    return Object.freeze({
      kid,
      algorithm: algorithm.name,
      issuer: policy.issuer,
      signsFrom: readDate(jwk, 'nbf') ?? Number.NEGATIVE_INFINITY,
      signedUntil: readDate(jwk, 'exp'),
      header: encodeHeader(algorithm.name, kid, policy.typ),
      sign,
      publicJwk: publicJwk({ ...jwk, alg: algorithm.name, ...(kid === undefined ? {} : { kid }) }),
    });
  } catch (error) {
    if (error instanceof UnusableKey) return { kid, reason: error.message };
    throw error;
  }
}

/**
 * Chooses the algorithm: the signer's, the key's own, or the only one that the key fits. If both
 * are named, they must agree.
 */
function bindAlgorithm(jwk: JsonObject, asked: AlgorithmName | undefined): SignatureAlgorithm {
  const { kty, crv, alg: own } = readType(jwk);
  const named = asked ?? own;
  const [first, second] = defaultAlgorithms(kty, crv);
  // EdDSA and Ed25519 are two names of one algorithm (RFC 9864 §2.2); more verifiers know the older
  // name.
  const only = second === undefined || first?.kty === 'OKP' ? first : undefined;
  const algorithm = named === undefined ? only : findAlgorithm(named);
  if (algorithm === undefined)
    throw new UnusableKey(named === undefined ? 'alg is required' : 'alg is not supported');
  if (isLegacy(algorithm)) throw new UnusableKey(`${algorithm.name} is for verifying only`);
  if (!fitsKey(algorithm, kty, crv)) throw new UnusableKey('alg does not fit kty and crv');
  if (own !== undefined && own !== algorithm.name && algorithm.kty !== 'OKP')
    throw new UnusableKey('its alg differs from the alg of the signer');
  return algorithm;
}

function signsFor(
  sign: SignatureMaker,
  verify: (signingInput: Uint8Array, signature: Uint8Array) => boolean,
): boolean {
  try {
    return verify(PROBE, sign(PROBE));
  } catch {
    return false;
  }
}

function readDate(jwk: JsonObject, name: 'nbf' | 'exp'): number | undefined {
  if (!Object.hasOwn(jwk, name)) return undefined;
  const value = jwk[name];
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new UnusableKey(`${name} is not a number`);
  return value;
}

function encodeHeader(alg: AlgorithmName, kid: string | undefined, typ: string | null): string {
  const header = { alg, ...(kid === undefined ? {} : { kid }), ...(typ === null ? {} : { typ }) };
  return `${Buffer.from(JSON.stringify(header)).toString('base64url')}.`;
}
