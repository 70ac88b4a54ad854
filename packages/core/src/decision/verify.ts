// From a token to claims that somebody trusted has signed: form, type, algorithm, issuer, key, signature, in this order.
import { AuthError, isAuthError } from '../errors.ts';
import type { VerificationKey } from '../jwk/import-jwks.ts';
import type { KeySnapshot, Keyset } from '../keysets/keyset.ts';
import { type KeysetIndex, selectKeys } from '../keysets/select.ts';
import { type AlgorithmName, findAlgorithm } from '../token/algorithms.ts';
import { normalizeType, parseToken, type UnverifiedHeader, type UnverifiedToken } from '../token/parse.ts';
import type { JsonObject } from '../values/json.ts';

/** The key that signed a token, and where it was found. */
export interface VerifiedBy {
  readonly keyset: Keyset;
  readonly key: VerificationKey;
  readonly header: UnverifiedHeader;
  readonly algorithm: AlgorithmName;
  /** The keys that were in force, after those of the keysets that were asked before; undefined where one of these could not be asked. */
  readonly snapshots: readonly AskedKeyset[] | undefined;
}

/** A keyset, and the keys that it had when it was asked. */
export interface AskedKeyset {
  readonly keyset: Keyset;
  readonly snapshotId: number;
}

/** Claims that can be believed, and whose word they are. */
export interface VerifiedClaims {
  readonly claims: JsonObject;
  /** Undefined where no key signed them: a remote endpoint has accepted them. */
  readonly by: VerifiedBy | undefined;
}

/** What verifying takes. */
export interface VerificationSettings {
  readonly index: KeysetIndex;
  /** The issuers that are welcome, beside having keys; undefined where all are. */
  readonly issuers: ((issuer: string | undefined) => boolean) | undefined;
  /** Lower case, without `application/`. Undefined in the set: no typ at all. */
  readonly types: ReadonlySet<string | undefined>;
  readonly maxTokenBytes: number;
  /** JOSE headers of tokens that verified, by how they are encoded. Kept up here. */
  readonly headers: Map<string, UnverifiedHeader>;
}

/** Issuers write a handful of headers, one for each of their keys. Together they take less than half a megabyte. */
const MAX_HEADERS = 256;
const MAX_HEADER_LENGTH = 512;

/**
 * Verifies a token by the keys of its issuer: at once where they are at hand. Does *not* look at times, audience or any rule.
 * @throws AuthError, or rejects with it
 */
export function verifyByKeys(
  token: string,
  settings: VerificationSettings,
): VerifiedClaims | Promise<VerifiedClaims> {
  const { headers } = settings;
  const unverified = parseToken(token, settings.maxTokenBytes, headers);
  const { alg, typ } = unverified.header;
  if (!settings.types.has(typ === undefined ? undefined : normalizeType(typ))) {
    throw new AuthError('token_type_refused');
  }
  const algorithm = findAlgorithm(alg);
  if (algorithm === undefined) throw new AuthError('token_algorithm_refused');
  const keysets = candidates(unverified.claims, algorithm.name, settings);
  const verified = verifyAtHand(unverified, algorithm.name, keysets);
  if (verified === undefined) return verifySignature(unverified, algorithm.name, keysets);
  // Only a header that somebody trusted has signed: nobody else can fill the place. A copy, which does not hold on to the token.
  const { newHeader } = unverified;
  if (newHeader !== undefined && newHeader.length <= MAX_HEADER_LENGTH && headers.size < MAX_HEADERS)
    headers.set(Buffer.from(newHeader, 'latin1').toString('latin1'), unverified.header);
  return verified;
}

/** The keysets that may speak for this issuer. The claim is unverified: it only narrows. */
function candidates(
  unverifiedClaims: JsonObject,
  algorithm: AlgorithmName,
  { index, issuers }: VerificationSettings,
): readonly Keyset[] {
  const issuer = Object.hasOwn(unverifiedClaims, 'iss') ? unverifiedClaims.iss : undefined;
  if (issuer !== undefined && (typeof issuer !== 'string' || issuer === '')) {
    throw new AuthError('token_issuer_untrusted', { detail: 'iss is not a string' });
  }
  const found = index.forIssuer(issuer);
  if (found.length === 0 || issuers?.(issuer) === false) throw new AuthError('token_issuer_untrusted');
  const allows = ({ allowed }: Keyset) => allowed === undefined || allowed.has(algorithm);
  // Nearly always all do.
  const allowing = found.every(allows) ? found : found.filter(allows);
  if (allowing.length === 0) throw new AuthError('token_algorithm_refused');
  return allowing;
}

/**
 * Finds a key that signed the token, where all that may be asked is at hand. Most requests are done with this.
 * @returns undefined where a source has to be waited for, or looked at again
 */
function verifyAtHand(
  { header, claims, signingInput, signature }: UnverifiedToken,
  algorithm: AlgorithmName,
  keysets: readonly Keyset[],
): VerifiedClaims | undefined {
  let tried = false;
  const snapshots: AskedKeyset[] = [];
  for (const keyset of keysets) {
    let snapshot: KeySnapshot | Promise<KeySnapshot>;
    try {
      snapshot = keyset.keys(header);
    } catch {
      return undefined;
    }
    if (snapshot instanceof Promise) {
      // Asked again below, and heard of there.
      snapshot.catch(() => {});
      return undefined;
    }
    snapshots.push({ keyset, snapshotId: snapshot.id });
    const selected = selectKeys(snapshot, keyset.selection, algorithm, header.kid);
    for (const key of selected.candidates) {
      if (key.verifiers.get(algorithm)?.(signingInput, signature) === true)
        return { claims, by: { keyset, key, header, algorithm, snapshots } };
    }
    tried ||= selected.candidates.length > 0;
    if (selected.final) break;
  }
  if (tried) throw new AuthError('token_signature_invalid');
  return undefined;
}

/**
 * Finds a key that signed the token: first among the keys at hand, then, if no candidate knows the kid, after one more look at
 * the sources.
 * @returns the claims, verified from here on, and whose key it was
 */
async function verifySignature(
  { header, claims, signingInput, signature }: UnverifiedToken,
  algorithm: AlgorithmName,
  keysets: readonly Keyset[],
): Promise<VerifiedClaims> {
  let unavailable: unknown;
  let known = false;
  let tried = false;
  for (const look of ['keys', 'refetch'] as const) {
    let snapshots: AskedKeyset[] | undefined = [];
    for (const keyset of keysets) {
      let snapshot: KeySnapshot;
      try {
        const found = keyset[look](header);
        // Not awaited unless it has to be: most requests find their key at hand.
        snapshot = found instanceof Promise ? await found : found;
      } catch (error) {
        if (!isAuthError(error)) throw error;
        unavailable = error;
        snapshots = undefined;
        continue;
      }
      snapshots?.push({ keyset, snapshotId: snapshot.id });
      const selected = selectKeys(snapshot, keyset.selection, algorithm, header.kid);
      known ||= selected.known;
      for (const key of selected.candidates) {
        tried = true;
        if (key.verifiers.get(algorithm)?.(signingInput, signature) === true)
          return { claims, by: { keyset, key, header, algorithm, snapshots } };
      }
      // Unless the first that fits may be in a set that cannot be asked.
      if (selected.final) throw unavailable ?? new AuthError('token_signature_invalid');
    }
    if (known) break;
  }
  // While one of the candidates cannot be asked, nobody can say that the token is bad.
  if (unavailable !== undefined) throw unavailable;
  if (tried) throw new AuthError('token_signature_invalid');
  throw new AuthError(known ? 'token_algorithm_refused' : 'token_key_unknown');
}
