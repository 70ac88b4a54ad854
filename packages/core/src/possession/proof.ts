// Opens a DPoP proof (RFC 9449 §4.2): its form, its type, its algorithm and the key in it. As
// strict as for tokens. What the proof says of the request is judged in dpop.ts.
import { AuthError, isAuthError } from '../errors.ts';
import { checkUse, holdsSecret, importMaterial, readType } from '../jwk/import-key.ts';
import { UnusableKey } from '../jwk/weak-keys.ts';
import { findAlgorithm, fitsKey } from '../token/algorithms.ts';
import { parseToken } from '../token/parse.ts';
import { createSignatureVerifier } from '../token/signature.ts';
import { isJsonObject, type JsonObject, own, parseJsonObject } from '../values/json.ts';

/** A proof, and the key that it names. Trust no claim before `isSigned()` is true. */
export interface OpenProof {
  readonly claims: JsonObject;
  /** RFC 7638, SHA-256: of the key in the proof. */
  readonly thumbprint: string;
  /** True if the key in the proof has signed it. */
  isSigned(): boolean;
}

/** Enough for the largest supported key and signature, ML-DSA-87. */
const MAX_PROOF_BYTES = 12_288;

/**
 * Opens a proof. `kid`, `jku`, `x5u` and `x5c` are never read: the key is `jwk`, and nothing else.
 * @throws AuthError `proof_invalid`
 */
export function openProof(text: string, algorithms: ReadonlySet<string>): OpenProof {
  const { header, claims, signingInput, signature } = parse(text);
  const [alg, jwk] = [own(header, 'alg'), own(header, 'jwk')];
  if (own(header, 'typ') !== 'dpop+jwt') throw invalid('typ of the proof is not dpop+jwt');
  const algorithm = typeof alg === 'string' && algorithms.has(alg) ? findAlgorithm(alg) : undefined;
  if (algorithm === undefined || algorithm.kty === 'oct')
    throw invalid('alg of the proof is not one of dpop.algorithms');
  if (!isJsonObject(jwk)) throw invalid('the proof has no jwk');
  if (holdsSecret(jwk)) throw invalid('jwk of the proof has a private or symmetric key');
  try {
    const { kty, crv, alg: ofKey } = readType(jwk);
    if (!fitsKey(algorithm, kty, crv) || (ofKey !== undefined && ofKey !== algorithm.name))
      throw new UnusableKey('it is not a key for alg');
    checkUse(jwk, { operation: 'verify', or: 'sign' });
    const { key, thumbprint } = importMaterial(jwk, [algorithm]);
    const isSigned = () => createSignatureVerifier(algorithm, key)(signingInput, signature);
    return { claims, thumbprint, isSigned };
  } catch (error) {
    if (!(error instanceof UnusableKey)) throw error;
    throw invalid(`jwk of the proof: ${error.message}`);
  }
}

/** Parses a proof like a token, and its header once more, because tokens need less of it. */
function parse(text: string) {
  try {
    const { claims, signingInput, signature } = parseToken(text, MAX_PROOF_BYTES);
    const encoded = text.slice(0, text.indexOf('.'));
    return { claims, signingInput, signature, header: parseJsonObject(Buffer.from(encoded, 'base64url')) };
  } catch (error) {
    if (!isAuthError(error)) throw error;
    throw invalid(`the proof is malformed: ${error.detail}`);
  }
}

/** The refusal of a proof. */
export function invalid(detail: string): AuthError {
  return new AuthError('proof_invalid', { detail });
}
