// Selects the keysets for a token by its issuer, and the keys of a keyset that may have signed it.
// Verifies nothing.

import type { VerificationKey } from '../jwk/import-jwks.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import type { KeySelection, KeySnapshot, Keyset } from './keyset.ts';

/** Finds keysets by issuer, in time that does not depend on how many there are. */
export interface KeysetIndex {
  /**
   * In the order of the options. Empty: no keyset may verify tokens of this issuer, and nothing is
   * fetched.
   */
  forIssuer(issuer: string | undefined): readonly Keyset[];
}

/** Keys tried for one token when several keys of a set share its kid. */
const MAX_CANDIDATES = 3;
/** Keys tried for one token without a kid, if the keyset has `kidless: try-all`. */
const MAX_KIDLESS = 4;

/**
 * Indexes keysets by their issuer. Issuers are compared by code point; nothing is normalised.
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
    // A token whose issuer has a keyset is never verified by keys of another keyset.
    forIssuer: (issuer) => (issuer === undefined ? forMissing : (byIssuer.get(issuer) ?? anyIssuer)),
  };
}

/** The keys of a set that fit a token. */
interface SelectedKeys {
  /** The set has the token's kid, or needs none: reading the source again would not help. */
  readonly known: boolean;
  readonly candidates: readonly VerificationKey[];
  /** There is one candidate, and the other keysets of the issuer are not tried. */
  readonly final?: true;
}

const UNKNOWN: SelectedKeys = Object.freeze({ known: false, candidates: Object.freeze([]) });

/**
 * Returns the keys to try for a token, and whether the set has its kid at all.
 * @param kid of the token, unverified: it only finds a key
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
  // Without a kid, only the first key that fits is tried.
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
  // Fast path: nearly every kid belongs to one key.
  if (keys.length === 1) return keys[0]?.verifiers.has(algorithm) === true ? keys : [];
  return keys.filter(({ verifiers }) => verifiers.has(algorithm)).slice(0, most);
}
