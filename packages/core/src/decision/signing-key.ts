// Which key signed a token: the keysets of its issuer are asked in order, first for the keys at
// hand, then, if none of them knows the key id, after one more look at their sources.
import { AuthError, isAuthError } from '../errors.ts';
import type { VerificationKey } from '../jwk/import-jwks.ts';
import type { KeySnapshot, Keyset } from '../keysets/keyset.ts';
import { selectKeys } from '../keysets/select.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import type { UnverifiedHeader, UnverifiedToken } from '../token/parse.ts';
import { own } from '../values/json.ts';
import { isPromise } from '../values/promise.ts';
import { type Steps, wait } from './steps.ts';
import type { Trace } from './trace.ts';

/** The key that signed a token, and where it was found. */
export interface SignedBy {
  readonly keyset: Keyset;
  readonly key: VerificationKey;
  readonly header: UnverifiedHeader;
  readonly algorithm: AlgorithmName;
  /**
   * The keys that were in force: those of the keysets that were asked before, then its own.
   * Undefined where one of these could not be asked.
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
 * Finds the key that signed a token. It judges no claim; the issuer finds keys.
 * @param keysets those that may speak for the token and take its algorithm
 * @returns why the token is refused, where no key has signed it: 503 while a keyset cannot be asked
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
  for (const look of LOOKS) {
    let snapshots: AskedKeyset[] | undefined = [];
    for (const keyset of keysets) {
      let snapshot: KeySnapshot;
      try {
        const keys = keyset[look](header, issuer);
        snapshot = isPromise(keys) ? yield* wait(keys) : keys;
      } catch (error) {
        if (!isAuthError(error)) throw error;
        unavailable = error;
        snapshots = undefined;
        trace?.({ stage: 'keyset', keyset, kid, tried: [], known: false, refusal: error });
        continue;
      }
      snapshots?.push({ keyset, snapshotId: snapshot.id });
      const { candidates, known, final } = selectKeys(snapshot, keyset.selection, algorithm, kid);
      isKnown ||= known;
      const key = candidates.find(({ verifiers }) => verifiers.get(algorithm)?.(signingInput, signature));
      if (trace !== undefined) {
        const until = key === undefined ? candidates.length : candidates.indexOf(key) + 1;
        const tried = candidates.slice(0, until).map((one) => ({ key: one, hasSigned: one === key }));
        trace({ stage: 'keyset', keyset, kid, snapshot, tried, known });
      }
      if (key !== undefined) {
        keyset.confirm?.(header, issuer);
        return { keyset, key, header, algorithm, snapshots };
      }
      // Without a kid, the first key that fits decides; unless that may be in a set that cannot be
      // asked.
      if (final) return unavailable ?? new AuthError('token_signature_invalid');
      isTried ||= candidates.length > 0;
    }
    if (isKnown) break;
  }
  // While one of the keysets cannot be asked, the token may be good.
  if (unavailable !== undefined) return unavailable;
  if (isTried) return new AuthError('token_signature_invalid');
  return new AuthError(isKnown ? 'token_algorithm_refused' : 'token_key_unknown');
}
