// Selects the keysets for a token by its issuer, and the keys of a keyset that may have signed it.
// Verifies nothing.

import type { VerificationKey } from '../jwk/import-jwks.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import type { KeySelection, KeySnapshot, Keyset } from './keyset.ts';

/** Finds keysets by issuer, in time that does not depend on how many there are. */
export interface KeysetIndex {
  /**
   * The keysets that may verify tokens of this issuer, in the order of the options. If there are
   * none, the token is refused and nothing is fetched.
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
  /**
   * The set has the key that the token names, or the token names none. If false, the source is read
   * again, because it may have a new key.
   */
  readonly known: boolean;
  readonly candidates: readonly VerificationKey[];
  /** If no candidate has signed the token, the other keysets of the issuer are not tried. */
  readonly final?: true;
}

const UNKNOWN: SelectedKeys = Object.freeze({ known: false, candidates: Object.freeze([]) });

/**
 * Returns the keys to try for a token. Keys with the token's kid come first. Keys without a kid are
 * tried for any token. A token without a kid is treated as the option `kidless` says.
 * @param kid of the token, unverified: it only finds a key
 */
export function selectKeys(
  { keys, byKid, firstFor }: KeySnapshot,
  { kidless, unnamed = false }: KeySelection,
  algorithm: AlgorithmName,
  kid: string | undefined,
): SelectedKeys {
  const withSameKid = kid === undefined ? undefined : byKid.get(kid);
  if (withSameKid !== undefined)
    return { known: true, candidates: firstThatTake(algorithm, withSameKid, MAX_CANDIDATES) };
  if (unnamed) return { known: true, candidates: firstThatTake(algorithm, keys, keys.length) };
  if (kid !== undefined || kidless === 'refuse') return UNKNOWN;
  if (kidless === 'try-all')
    return { known: keys.length > 0, candidates: firstThatTake(algorithm, keys, MAX_KIDLESS) };
  // `kidless: 'first'`: only the first key that fits is tried.
  const first = firstFor.get(algorithm);
  return first === undefined
    ? { known: keys.length > 0, candidates: [] }
    : { known: true, candidates: [first], final: true };
}

/** The first `most` keys that can verify signatures of the algorithm. */
function firstThatTake(
  algorithm: AlgorithmName,
  keys: readonly VerificationKey[],
  most: number,
): readonly VerificationKey[] {
  // Fast path: nearly every kid belongs to one key.
  if (keys.length === 1) return keys[0]?.verifiers.has(algorithm) === true ? keys : [];
  return keys.filter(({ verifiers }) => verifiers.has(algorithm)).slice(0, most);
}
