// Tokens that verified before. One that is found again is good only while its times say so and its key is still in its keyset, so a key that
// left is dead here at once too. Only verified tokens get in: nobody can place an entry.
import type { Validity } from '../claims/registered.ts';
import type { KeySnapshot, Keyset } from '../keysets/keyset.ts';
import { selectKeys } from '../keysets/select.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import type { UnverifiedHeader } from '../token/parse.ts';
import type { Clock } from '../values/clock.ts';
import type { JsonObject, JsonValue } from '../values/json.ts';
import { createDoorkeeper } from './doorkeeper.ts';
import { type CacheLimits, createTokenCache } from './token-cache.ts';
import type { AskedKeyset, VerifiedBy } from './verify.ts';

/** What is known of a token that verified. */
export interface VerifiedToken<T> {
  readonly claims: JsonObject;
  /** The keyset whose key signed it. */
  readonly keyset: Keyset;
  /** What was made of it, where that does not change. */
  readonly made: T | undefined;
}

/** The tokens of one authenticator that verified. */
export interface VerifiedTokens<T> {
  /** @returns undefined for a token that has to be verified anew, and then says why it is refused */
  recall(token: string): VerifiedToken<T> | undefined;
  /** Whether a token that has just verified is to be remembered: from the second time on, and it is asked once each time. */
  admits(token: string): boolean;
  remember(token: string, verified: Verified<T>, validity: Validity): void;
  clear(): void;
}

/** A token that has just verified. */
export interface Verified<T> {
  readonly claims: JsonObject;
  readonly by: VerifiedBy;
  readonly made: T | undefined;
}

/** Holds no key and no set of keys: they may be replaced while nobody sends the token again. */
interface Entry<T> extends VerifiedToken<T> {
  readonly kid: string | undefined;
  readonly thumbprint: string;
  readonly algorithm: AlgorithmName;
  readonly header: UnverifiedHeader;
  /** The keysets that were asked before its own. */
  readonly before: readonly AskedKeyset[];
  readonly validity: Validity;
  /** The keys in force when it was last looked at. */
  snapshotId: number;
}

/** Makes an empty one. */
export function createVerifiedTokens<T>(limits: CacheLimits, clock: Clock): VerifiedTokens<T> {
  const cache = createTokenCache<Entry<T>>(limits);
  const { admits } = createDoorkeeper(cache.most);
  return {
    admits,
    recall(token) {
      const entry = cache.find(token);
      if (entry === undefined) return undefined;
      const now = clock.now();
      const isInTime = Number.isFinite(now) && now >= entry.validity.fromMs && now < entry.validity.untilMs;
      if (isInTime && isInForce(entry)) return entry;
      cache.drop(token);
      return undefined;
    },
    remember(token, { claims, by, made }, validity) {
      const snapshotId = by.snapshots?.at(-1)?.snapshotId;
      // A keyset that could not be asked may have had another key for it.
      if (by.snapshots === undefined || snapshotId === undefined) return;
      const { keyset, header, algorithm } = by;
      const { kid, thumbprint } = by.key;
      const before = by.snapshots.slice(0, -1);
      const entry = {
        claims,
        keyset,
        made,
        kid,
        thumbprint,
        algorithm,
        header,
        before,
        validity,
        snapshotId,
      };
      cache.keep(token, entry, weigh(claims));
    },
    clear: cache.clear,
  };
}

/** True while its key is one that would be found for it again, and no other would be before. */
function isInForce(entry: Entry<unknown>): boolean {
  const { keyset, header, kid, thumbprint, algorithm } = entry;
  for (const { keyset: other, snapshotId } of entry.before)
    if (keysNow(other, header)?.id !== snapshotId) return false;
  const current = keysNow(keyset, header);
  if (current === undefined) return false;
  if (current.id === entry.snapshotId) return true;
  const { candidates } = selectKeys(current, keyset.selection, algorithm, header.kid);
  const isThere = candidates.some((key) => key.kid === kid && key.thumbprint === thumbprint);
  if (isThere) entry.snapshotId = current.id;
  return isThere && candidates.every((key) => key.verifiers.has(algorithm));
}

/** @returns undefined where they would have to be waited for, or cannot be had */
function keysNow(keyset: Keyset, header: UnverifiedHeader): KeySnapshot | undefined {
  try {
    const keys = keyset.keys(header);
    if (!(keys instanceof Promise)) return keys;
    // Whoever verifies anew waits for the same, and hears of its failure.
    keys.catch(() => {});
  } catch {
    // As well.
  }
  return undefined;
}

/** About the bytes that claims take. Objects and lists have a price of their own, however little is in them. */
function weigh(value: JsonValue): number {
  if (typeof value === 'string') return 24 + value.length;
  if (typeof value !== 'object' || value === null) return 16;
  let bytes = 80;
  for (const [name, member] of Object.entries(value)) bytes += 16 + name.length + weigh(member);
  return bytes;
}
