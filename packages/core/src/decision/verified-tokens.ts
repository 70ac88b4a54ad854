// The cache of verified tokens. An entry counts only while its times say so and its key is still
// the one that would be found, so a removed key is dead here at once. Only verified tokens get in.
import type { Validity } from '../claims/registered.ts';
import type { KeySnapshot, Keyset } from '../keysets/keyset.ts';
import { selectKeys } from '../keysets/select.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import type { UnverifiedHeader } from '../token/parse.ts';
import type { Clock } from '../values/clock.ts';
import type { JsonObject } from '../values/json.ts';
import { isPromise } from '../values/promise.ts';
import { weigh } from '../values/weigh.ts';
import { createDoorkeeper } from './doorkeeper.ts';
import type { AskedKeyset, SignedBy } from './signing-key.ts';
import { type CacheLimits, createTokenCache } from './token-cache.ts';

/** What is known of a token that verified. */
export interface VerifiedToken<T> {
  readonly claims: JsonObject;
  /** The keyset whose key signed it. */
  readonly keyset: Keyset;
  /** What was made of the token, where that does not change. */
  readonly made: T | undefined;
}

/** A token that has just verified. */
export interface Verified<T> {
  readonly claims: JsonObject;
  readonly by: SignedBy;
  readonly made: T | undefined;
}

/** The verified tokens of one authenticator. */
export interface VerifiedTokens<T> {
  /**
   * @returns undefined for a token that has to be verified anew, which then tells why it is refused
   */
  get(token: string): VerifiedToken<T> | undefined;
  /** Keeps a token that has just verified, from the second time on that it does. */
  set(token: string, verified: Verified<T>, validity: Validity): void;
  clear(): void;
}

/** Holds no key and no set of keys, which may be replaced while the token is not sent. */
interface Entry<T> extends VerifiedToken<T> {
  readonly kid: string | undefined;
  readonly thumbprint: string;
  readonly algorithm: AlgorithmName;
  readonly header: UnverifiedHeader;
  /** The keysets that were asked before its own. */
  readonly before: readonly AskedKeyset[];
  readonly validity: Validity;
  /** The keys in force when the entry was last looked at. */
  snapshotId: number;
}

/** Makes an empty cache. */
export function createVerifiedTokens<T>(limits: CacheLimits, clock: Clock): VerifiedTokens<T> {
  const cache = createTokenCache<Entry<T>>(limits);
  const { admits } = createDoorkeeper(cache.most);
  return {
    get(token) {
      const entry = cache.get(token);
      if (entry === undefined) return undefined;
      const now = clock.now();
      const isInTime = Number.isFinite(now) && now >= entry.validity.fromMs && now < entry.validity.untilMs;
      if (isInTime && isInForce(entry)) return entry;
      cache.delete(token);
      return undefined;
    },
    set(token, { claims, by, made }, validity) {
      if (!admits(token)) return;
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
      cache.set(token, entry, weigh(claims));
    },
    clear: cache.clear,
  };
}

/** True while its key would be found for it again, and no other key before that. */
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

/** @returns undefined where the keys would have to be waited for, or cannot be had */
function keysNow(keyset: Keyset, header: UnverifiedHeader): KeySnapshot | undefined {
  try {
    const keys = keyset.keys(header);
    if (!isPromise(keys)) return keys;
    // Verifying anew waits for the same keys, and tells of their failure.
    keys.catch(() => {});
  } catch {
    // Verifying anew tells of this, too.
  }
  return undefined;
}
