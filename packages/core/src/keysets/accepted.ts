// Until when tokens of each key may come, from those that were accepted: whether a key may be
// dropped from its set. Kept by keyset, so that it outlives a change of the options.
import { sharedState } from '../values/copies.ts';

/** The tokens of one key. */
export interface AcceptedKey {
  /** Undefined: the key has none. */
  readonly kid: string | undefined;
  /**
   * The latest time at which a token that was accepted expires, in seconds since the epoch, without
   * clock skew. Undefined: a token without an end was accepted.
   */
  readonly until: number | undefined;
}

/** More keys than a set in use has. The one that expired first makes room. */
const MAX_KEYS = 256;

const accepted = sharedState('accepted keys', () => new WeakMap<object, Map<string | undefined, number>>());

/** Notes a token that was accepted. Called once for each token that is verified. */
export function noteAccepted(
  keyset: object,
  kid: string | undefined,
  until = Number.POSITIVE_INFINITY,
): void {
  const keys = accepted.get(keyset) ?? new Map<string | undefined, number>();
  accepted.set(keyset, keys);
  const known = keys.get(kid);
  if (known !== undefined && known >= until) return;
  if (known === undefined && keys.size >= MAX_KEYS) keys.delete(firstToEnd(keys));
  keys.set(kid, until);
}

function firstToEnd(keys: ReadonlyMap<string | undefined, number>): string | undefined {
  let first: readonly [string | undefined, number] | undefined;
  for (const entry of keys) if (first === undefined || entry[1] < first[1]) first = entry;
  return first?.[0];
}

/** The keys of a keyset that have verified tokens, also those that it no longer has. */
export function acceptedOf(keyset: object): readonly AcceptedKey[] {
  return [...(accepted.get(keyset) ?? [])].map(([kid, until]) => ({
    kid,
    until: Number.isFinite(until) ? until : undefined,
  }));
}
