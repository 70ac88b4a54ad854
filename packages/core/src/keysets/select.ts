// Which keysets may speak for a token, and which of their keys may have signed it.

import type { VerificationKey } from '../jwk/import-jwks.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import type { KeySelection, KeySnapshot, Keyset } from './keyset.ts';

/** Finds keysets by issuer, in time that does not depend on how many there are. */
export interface KeysetIndex {
  /**
   * In the order of the options. Empty: nobody may speak for this issuer, and nothing is fetched.
   */
  forIssuer(issuer: string | undefined): readonly Keyset[];
}

/** Keys tried for one token when several of a set share its kid. */
const MAX_CANDIDATES = 3;
/** Keys tried for one token without a kid, where the keyset says so. */
const MAX_KIDLESS = 4;

/**
 * Indexes keysets by their issuer. Code-point equality: nothing is normalised.
 * @param forMissing the keysets for tokens without an issuer
 */
export function indexKeysets(keysets: readonly Keyset[], forMissing: readonly Keyset[]): KeysetIndex {
  const byIssuer = new Map<string, readonly Keyset[]>();
  for (const keyset of keysets) {
    if (keyset.issuer === undefined) continue;
    byIssuer.set(keyset.issuer, [...(byIssuer.get(keyset.issuer) ?? []), keyset]);
  }
  const anyIssuer = keysets.filter(({ issuer }) => issuer === undefined);
  return {
    // An issuer that is pinned to a keyset is never verified by another one's keys.
    forIssuer: (issuer) => (issuer === undefined ? forMissing : (byIssuer.get(issuer) ?? anyIssuer)),
  };
}

/** What a set has for a token. */
interface SelectedKeys {
  /** The set knows the token's kid, or needs none: looking again would not help. */
  readonly known: boolean;
  readonly candidates: readonly VerificationKey[];
  /** There is one candidate, and no other keyset of the issuer is to be asked. */
  readonly final?: true;
}

const UNKNOWN: SelectedKeys = Object.freeze({ known: false, candidates: Object.freeze([]) });

/**
 * The keys to try for a token, and whether the set knows its kid at all.
 * @param kid the token's, unverified: it finds a key, and no more
 */
export function selectKeys(
  { keys, byKid, firstFor }: KeySnapshot,
  { kidless, unnamed = false }: KeySelection,
  algorithm: AlgorithmName,
  kid: string | undefined,
): SelectedKeys {
  const same = kid === undefined ? undefined : byKid.get(kid);
  if (same !== undefined) return { known: true, candidates: taking(same, algorithm, MAX_CANDIDATES) };
  if (unnamed) return { known: true, candidates: taking(keys, algorithm, keys.length) };
  if (kid !== undefined || kidless === 'refuse') return UNKNOWN;
  if (kidless === 'try-all')
    return { known: keys.length > 0, candidates: taking(keys, algorithm, MAX_KIDLESS) };
  // Without a kid the first key that fits is the one, and only that.
  const first = firstFor.get(algorithm);
  return first === undefined
    ? { known: keys.length > 0, candidates: [] }
    : { known: true, candidates: [first], final: true };
}

function taking(
  keys: readonly VerificationKey[],
  algorithm: AlgorithmName,
  most: number,
): readonly VerificationKey[] {
  // Most kids are of one key.
  if (keys.length === 1) return keys[0]?.verifiers.has(algorithm) === true ? keys : [];
  return keys.filter(({ verifiers }) => verifiers.has(algorithm)).slice(0, most);
}
