// Which keysets may speak for a token, and which of their keys may have signed it.
import type { AlgorithmName } from '../token/algorithms.ts';
import type { VerificationKey } from './jwk.ts';
import type { KeySnapshot, Keyset } from './keyset.ts';

/** Finds keysets by issuer, in time that does not depend on how many there are. */
export interface KeysetIndex {
  /** In the order of the options. Empty: nobody may speak for this issuer, and nothing is fetched. */
  forIssuer(issuer: string | undefined): readonly Keyset[];
}

/** Keys tried for one token when several of a set share its kid. */
const MAX_CANDIDATES = 3;

/** Indexes keysets by their issuer. Code-point equality: nothing is normalised. */
export function indexKeysets(keysets: readonly Keyset[]): KeysetIndex {
  const byIssuer = new Map<string, readonly Keyset[]>();
  for (const keyset of keysets) {
    if (keyset.issuer === undefined) continue;
    byIssuer.set(keyset.issuer, [...(byIssuer.get(keyset.issuer) ?? []), keyset]);
  }
  const anyIssuer = keysets.filter(({ issuer }) => issuer === undefined);
  return {
    // An issuer that is pinned to a keyset is never verified by another one's keys.
    forIssuer: (issuer) => (issuer === undefined ? undefined : byIssuer.get(issuer)) ?? anyIssuer,
  };
}

/** The keys to try for a token, at most three; and whether its kid is in the set at all. */
export function selectKeys(
  { keys, byKid, firstFor }: KeySnapshot,
  algorithm: AlgorithmName,
  kid: string | undefined,
): { readonly known: boolean; readonly candidates: readonly VerificationKey[] } {
  if (kid === undefined) {
    // Without a kid the first key that fits is the one, and only that.
    const first = firstFor.get(algorithm);
    return { known: keys.length > 0, candidates: first === undefined ? [] : [first] };
  }
  const same = byKid.get(kid);
  if (same === undefined) return { known: false, candidates: [] };
  return {
    known: true,
    candidates: same.filter(({ verifiers }) => verifiers.has(algorithm)).slice(0, MAX_CANDIDATES),
  };
}
