// From a private or symmetric JWK to a key that signs, bound to one algorithm; or the reason why
// not.

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

/** A key that signs, with the one algorithm that it signs with. */
export interface SigningKey {
  readonly kid: string | undefined;
  readonly algorithm: AlgorithmName;
  /**
   * The issuer that the key is pinned to, in the deprecated `keys` list; undefined everywhere else.
   */
  readonly issuer: string | undefined;
  /**
   * NumericDate from which it signs: the JWK's `nbf`, as OpenID Federation 1.0 §8.7 has it. Before
   * all time where there is none.
   */
  readonly signsFrom: number;
  /**
   * NumericDate after which no token of it is valid any more: the JWK's `exp`. Set when the next
   * key is made.
   */
  readonly signedUntil: number | undefined;
  /** The encoded JOSE header and its dot. */
  readonly header: string;
  readonly sign: SignatureMaker;
  /**
   * As verifiers need it, under the very `kid` and `alg` of its tokens; undefined for a symmetric
   * key.
   */
  readonly publicJwk: JsonObject | undefined;
}

/** What is asked of a signing key. */
export interface SigningPolicy {
  /** The signer's `alg`; undefined where each key says its own. */
  readonly algorithm: AlgorithmName | undefined;
  /** The signer's `typ`; null for none. */
  readonly typ: string | null;
  readonly issuer?: string | undefined;
  /**
   * A key without a kid is called by its thumbprint (RFC 7638). Not for symmetric keys, of which
   * that would tell.
   */
  readonly nameByThumbprint?: boolean | undefined;
}

/** A key that cannot sign. */
export interface RefusedKey {
  readonly kid: string | undefined;
  /** Constant text; nothing of the key is in it. */
  readonly reason: string;
}

const PROBE = Buffer.from('latchkey');

/**
 * Imports one JWK, or says why it cannot sign. A private half that does not fit its public half is
 * found out here.
 */
export function importSigningKey(jwk: unknown, policy: SigningPolicy): SigningKey | RefusedKey {
  let kid: string | undefined;
  try {
    if (!isJsonObject(jwk)) throw new UnusableKey('not a JSON object');
    kid = readKid(jwk);
    checkUse(jwk, 'sign');
    const algorithm = bindAlgorithm(jwk, policy.algorithm);
    const { key, thumbprint } = importMaterial(jwk, [algorithm]);
    if (policy.nameByThumbprint === true) kid ??= thumbprint;
    const sign = createSignatureMaker(algorithm, algorithm.kty === 'oct' ? key : importPrivateHalf(jwk));
    if (!signsFor(sign, createSignatureVerifier(algorithm, key))) {
      throw new UnusableKey('the private half does not belong to the public half');
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
 * The signer's algorithm, the key's own, or the only one that the key is for. Where both are named,
 * they have to agree.
 */
function bindAlgorithm(jwk: JsonObject, asked: AlgorithmName | undefined): SignatureAlgorithm {
  const { kty, crv, alg: own } = readType(jwk);
  const named = asked ?? own;
  const [first, second] = defaultAlgorithms(kty, crv);
  // EdDSA and Ed25519 are two names of one algorithm (RFC 9864 §2.2); the older is known to more
  // verifiers.
  const only = second === undefined || first?.kty === 'OKP' ? first : undefined;
  const algorithm = named === undefined ? only : findAlgorithm(named);
  if (algorithm === undefined)
    throw new UnusableKey(named === undefined ? 'alg is needed' : 'alg is not supported');
  if (isLegacy(algorithm)) throw new UnusableKey(`nothing is signed with ${algorithm.name}`);
  if (!fitsKey(algorithm, kty, crv)) throw new UnusableKey('alg does not fit kty and crv');
  if (own !== undefined && own !== algorithm.name && algorithm.kty !== 'OKP')
    throw new UnusableKey('its alg is another one');
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
