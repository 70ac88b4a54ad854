// Selects the keysets for a token by its issuer, and the keys of a keyset that may have signed it.
// Verifies nothing.

import type { VerificationKey } from '../jwk/import-jwks.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import type { KeyName } from '../token/parse.ts';
import { isPromise } from '../values/promise.ts';
import type { IssuerTemplate } from './issuer-template.ts';
import type { KeySelection, KeySnapshot, Keyset } from './keyset.ts';

/** Finds keysets by issuer, in time that does not depend on how many there are. */
export interface KeysetIndex {
  /**
   * The keysets that may verify tokens of this issuer, in the order of the options. If there are
   * none, the token is refused and nothing is fetched. Synchronous, unless the application has to
   * be asked about the issuer.
   * @throws AuthError `keyset_unavailable` (or rejects with it) if the application fails
   */
  forIssuer(issuer: string | undefined): readonly Keyset[] | Promise<readonly Keyset[]>;
  /** The first keyset that names this issuer, whether or not it accepts it. Asks nothing. */
  naming(issuer: string): Keyset | undefined;
}

/** Keys tried for one token when several keys of a set share its kid. */
const MAX_CANDIDATES = 3;
/** Keys tried for one token without a kid, if the keyset has `kidless: try-all`. */
const MAX_KIDLESS = 4;

/**
 * Indexes keysets by their issuer. Issuers are compared by code point; nothing is normalised.
 * @param forMissing the keysets for tokens without an issuer
 * @param find finds a keyset of an issuer that none of these names
 */
export function indexKeysets(
  keysets: readonly Keyset[],
  forMissing: readonly Keyset[],
  find?: (issuer: string) => Keyset | undefined | Promise<Keyset | undefined>,
): KeysetIndex {
  const byIssuer = new Map<string, readonly Keyset[]>();
  const templates: (readonly [template: IssuerTemplate, alone: readonly [Keyset]])[] = [];
  for (const keyset of keysets) {
    const { issuer, template } = keyset;
    if (template !== undefined) templates.push([template, [keyset]]);
    else if (issuer !== undefined) byIssuer.set(issuer, [...(byIssuer.get(issuer) ?? []), keyset]);
  }
  const anyIssuer = keysets.filter(({ issuer }) => issuer === undefined);

  /** The keysets for many tenants that have this form of issuer. There are few of them. */
  function ofTemplate(issuer: string): readonly Keyset[] | undefined {
    let found: readonly Keyset[] | undefined;
    for (const [template, alone] of templates)
      if (template.tenantOf(issuer) !== undefined) found = found === undefined ? alone : [...found, ...alone];
    return found;
  }

  const orAny = (found: Keyset | undefined) => (found === undefined ? anyIssuer : [found]);

  return {
    // A token whose issuer has a keyset is never verified by keys of another keyset.
    forIssuer(issuer) {
      if (issuer === undefined) return forMissing;
      const exact = byIssuer.get(issuer);
      if (exact !== undefined) return exact;
      const found = ofTemplate(issuer);
      if (found !== undefined) return accepting(found, issuer);
      const other = find?.(issuer);
      return isPromise(other) ? other.then(orAny) : orAny(other);
    },
    naming: (issuer) => (byIssuer.get(issuer) ?? ofTemplate(issuer))?.[0],
  };
}

/** Those of the keysets that accept the issuer. */
function accepting(
  keysets: readonly Keyset[],
  issuer: string,
): readonly Keyset[] | Promise<readonly Keyset[]> {
  const asked: (boolean | Promise<boolean>)[] = [];
  try {
    for (const keyset of keysets) asked.push(keyset.accepts?.(issuer) ?? true);
  } catch (error) {
    // No decision waits for those that were asked before. Their rejections must not end the
    // process.
    for (const answer of asked) if (isPromise(answer)) answer.catch(() => {});
    throw error;
  }
  if (!asked.some(isPromise)) return asked.every((is) => is === true) ? keysets : those(keysets, asked);
  return Promise.all(asked).then((answers) => those(keysets, answers));
}

function those(keysets: readonly Keyset[], answers: readonly unknown[]): readonly Keyset[] {
  return keysets.filter((_, index) => answers[index] === true);
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
 * Returns the keys to try for a token. Keys with the token's kid come first; for a token without a
 * kid, those with its certificate. Keys without a kid are tried for any token. A token that names
 * no key is treated as the option `kidless` says.
 * @param named of the token, unverified: it only finds a key
 */
export function selectKeys(
  snapshot: KeySnapshot,
  { kidless, unnamed = false }: KeySelection,
  algorithm: AlgorithmName,
  named: KeyName,
): SelectedKeys {
  const { keys, byKid, firstFor } = snapshot;
  const { kid } = named;
  const same = kid === undefined ? keysByCertificate(snapshot, named) : byKid.get(kid);
  if (same !== undefined) return { known: true, candidates: firstThatTake(algorithm, same, MAX_CANDIDATES) };
  if (unnamed) return { known: true, candidates: firstThatTake(algorithm, keys, keys.length) };
  if (namesKey(snapshot, named) || kidless === 'refuse') return UNKNOWN;
  if (kidless === 'try-all')
    return { known: keys.length > 0, candidates: firstThatTake(algorithm, keys, MAX_KIDLESS) };
  // `kidless: 'first'`: only the first key that fits is tried.
  const first = firstFor.get(algorithm);
  return first === undefined
    ? { known: keys.length > 0, candidates: [] }
    : { known: true, candidates: [first], final: true };
}

/**
 * True if a token names its key in a way that the keys of the set can be found by. A set without
 * certificates has no thumbprints to compare.
 */
export function namesKey({ byX5t, byX5tS256 }: KeySnapshot, { kid, x5t, x5tS256 }: KeyName): boolean {
  return (
    kid !== undefined ||
    (x5t !== undefined && byX5t.size > 0) ||
    (x5tS256 !== undefined && byX5tS256.size > 0)
  );
}

/**
 * The keys with the thumbprints of a token. SHA-1 finds a key as well as any other name: the
 * signature decides. If the token has both thumbprints, no key that has another one is meant.
 * @returns undefined if there are none
 */
function keysByCertificate(
  { byX5t, byX5tS256 }: KeySnapshot,
  { x5t, x5tS256 }: KeyName,
): readonly VerificationKey[] | undefined {
  if (x5t === undefined && x5tS256 === undefined) return undefined;
  const lists = [
    x5t === undefined ? undefined : byX5t.get(x5t),
    x5tS256 === undefined ? undefined : byX5tS256.get(x5tS256),
  ].filter((list) => list !== undefined);
  const isOther = (given: string | undefined, has: string | undefined) =>
    given !== undefined && has !== undefined && given !== has;
  const meant = (lists[0] ?? []).filter(
    (key) =>
      lists.every((list) => list.includes(key)) && !isOther(x5t, key.x5t) && !isOther(x5tS256, key.x5tS256),
  );
  return meant.length === 0 ? undefined : meant;
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
