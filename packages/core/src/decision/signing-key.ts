// Finds the key that signed a token. The keysets of its issuer are asked in order, first for the
// keys that they have, then, if none knows the key that it names, after another read of their
// sources. Claims are not checked.
import { AuthError, isAuthError } from '../errors.ts';
import type { VerificationKey } from '../jwk/import-jwks.ts';
import type { KeySnapshot, Keyset } from '../keysets/keyset.ts';
import { selectKeys } from '../keysets/select.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import type { UnverifiedHeader, UnverifiedToken } from '../token/parse.ts';
import { own } from '../values/json.ts';
import { isPromise } from '../values/promise.ts';
import { type Miss, noKeyText, noSignerText, otherAlgorithmText } from './details.ts';
import { type Steps, wait } from './steps.ts';
import type { Trace } from './trace.ts';

/** The key that signed a token, and where it was found. */
export interface SignedBy {
  readonly keyset: Keyset;
  readonly key: VerificationKey;
  readonly header: UnverifiedHeader;
  readonly algorithm: AlgorithmName;
  /**
   * The keys that were in force: first those of the keysets that were asked before, then its own.
   * Undefined if one of these keysets was unavailable.
   */
  readonly snapshots: readonly AskedKeyset[] | undefined;
}

/** A keyset, and the keys that it had when it was asked. */
export interface AskedKeyset {
  readonly keyset: Keyset;
  readonly snapshotId: number;
}

const LOOKS = ['keys', 'refetch'] as const;

/**
 * Finds the key that signed a token. Checks no claim; the issuer only selects keys.
 * @param keysets the keysets that accept the issuer and the algorithm of the token
 * @returns the key, or why the token is refused: 503 while a keyset is unavailable
 */
export function* findSigningKey(
  { header, claims, signingInput, signature }: UnverifiedToken,
  algorithm: AlgorithmName,
  keysets: readonly Keyset[],
  trace?: Trace,
): Steps<SignedBy | AuthError> {
  const { kid } = header;
  const iss = own(claims, 'iss');
  const issuer = typeof iss === 'string' ? iss : undefined;
  let unavailable: AuthError | undefined;
  let isKnown = false;
  let isTried = false;
  let misses: Miss[] = [];
  const notSigned = () =>
    new AuthError('token_signature_invalid', { detail: noSignerText(algorithm, header, misses) });
  for (const look of LOOKS) {
    let snapshots: AskedKeyset[] | undefined = [];
    misses = [];
    for (const keyset of keysets) {
      let snapshot: KeySnapshot;
      try {
        const keys = keyset[look](header, issuer);
        snapshot = isPromise(keys) ? yield* wait(keys) : keys;
      } catch (error) {
        if (!isAuthError(error)) throw error;
        unavailable = error;
        snapshots = undefined;
        trace?.({ stage: 'keyset', keyset, named: header, tried: [], known: false, refusal: error });
        continue;
      }
      snapshots?.push({ keyset, snapshotId: snapshot.id });
      const { candidates, known, final } = selectKeys(snapshot, keyset.selection, algorithm, header);
      isKnown ||= known;
      const key = candidates.find(({ verifiers }) => verifiers.get(algorithm)?.(signingInput, signature));
      if (trace !== undefined) {
        const until = key === undefined ? candidates.length : candidates.indexOf(key) + 1;
        const tried = candidates.slice(0, until).map((one) => ({ key: one, hasSigned: one === key }));
        trace({ stage: 'keyset', keyset, named: header, snapshot, tried, known });
      }
      if (key !== undefined) {
        keyset.confirm?.(header, issuer);
        return { keyset, key, header, algorithm, snapshots };
      }
      misses.push({ keyset, snapshot, known, tried: candidates.length });
      // Without a kid, the first key that fits decides, unless an unavailable keyset may have the
      // right key.
      if (final) return unavailable ?? notSigned();
      isTried ||= candidates.length > 0;
    }
    if (isKnown) break;
  }
  // While one of the keysets is unavailable, the token may be valid.
  if (unavailable !== undefined) return unavailable;
  if (isTried) return notSigned();
  return isKnown
    ? new AuthError('token_algorithm_refused', { detail: otherAlgorithmText(algorithm, kid, misses) })
    : new AuthError('token_key_unknown', { detail: noKeyText(header, misses) });
}
