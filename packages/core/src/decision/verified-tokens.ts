// The cache of verified tokens. An entry is valid only within its times, and while its key is the
// one that would be found again: a removed key invalidates it at once. Only verified tokens are
// stored.
import type { Validity } from '../claims/registered.ts';
import type { KeySnapshot, Keyset } from '../keysets/keyset.ts';
import { selectKeys } from '../keysets/select.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import type { UnverifiedHeader } from '../token/parse.ts';
import type { Clock } from '../values/clock.ts';
import { type JsonObject, own } from '../values/json.ts';
import { isPromise } from '../values/promise.ts';
import { weigh } from '../values/weigh.ts';
import type { AskedKeyset, SignedBy } from './signing-key.ts';
import { type CacheLimits, createTokenCache, type TokenCache } from './token-cache.ts';

/** The cached data of a token that has verified. */
export interface VerifiedToken<T> {
  readonly claims: JsonObject;
  /** The keyset whose key signed the token. */
  readonly keyset: Keyset;
  /** The decision on the token, if it is the same each time. */
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
   * @returns undefined for a token that must be verified again, which also finds the reason if it
   *   is refused
   */
  get(token: string): VerifiedToken<T> | undefined;
  /**
   * Caches a token that has just verified, from the second time on, if there is room, or if another
   * one was used less.
   * @returns the token as the cache has it; undefined if it is not cached
   */
  set(token: string, verified: Verified<T>, validity: Validity): string | undefined;
  /** Lets go of all, and keeps nothing from then on. */
  clear(): void;
}

/**
 * Contains no key and no set of keys, so that replaced keys can be collected while the token is
 * unused.
 */
interface Entry<T> extends VerifiedToken<T> {
  /** `iss`, where it can be a name of an issuer. */
  readonly issuer: string | undefined;
  readonly kid: string | undefined;
  readonly thumbprint: string;
  readonly algorithm: AlgorithmName;
  readonly header: UnverifiedHeader;
  /** The keysets that were asked before that keyset. */
  readonly before: readonly AskedKeyset[];
  readonly validity: Validity;
  /** The keys in force when the entry was last checked. */
  snapshotId: number;
}

/** Makes an empty cache. */
export function createVerifiedTokens<T>(limits: CacheLimits, clock: Clock): VerifiedTokens<T> {
  // It has tables, so it is made when it is needed: a descriptor that changes makes many
  // authenticators that are hardly asked.
  let cache: TokenCache<Entry<T>> | undefined;
  let hasEnded = false;
  return {
    get(token) {
      const entry = cache?.get(token);
      if (entry === undefined) return undefined;
      const now = clock.now();
      const isInTime = Number.isFinite(now) && now >= entry.validity.fromMs && now < entry.validity.untilMs;
      if (isInTime && isInForce(entry)) return entry;
      cache?.delete(token);
      return undefined;
    },
    set(token, { claims, by, made }, validity) {
      if (hasEnded) return undefined;
      cache ??= createTokenCache(limits);
      const now = clock.now();
      const uses = cache.note(token, now);
      if (uses === undefined) return undefined;
      const snapshotId = by.snapshots?.at(-1)?.snapshotId;
      // An unavailable keyset may have another key for the token.
      if (by.snapshots === undefined || snapshotId === undefined) return undefined;
      const { keyset, header, algorithm } = by;
      const { kid, thumbprint } = by.key;
      const before = by.snapshots.slice(0, -1);
      const iss = own(claims, 'iss');
      const issuer = typeof iss === 'string' ? iss : undefined;
      const entry = {
        claims,
        keyset,
        made,
        issuer,
        kid,
        thumbprint,
        algorithm,
        header,
        before,
        validity,
        snapshotId,
      };
      return cache.set(token, entry, { bytes: weigh(claims), untilMs: validity.untilMs, uses }, now);
    },
    clear() {
      hasEnded = true;
      cache = undefined;
    },
  };
}

/** True while the same key would be found for the token, and no other key before it. */
function isInForce(entry: Entry<unknown>): boolean {
  const { keyset, issuer, header, kid, thumbprint, algorithm } = entry;
  if (keyset.accepts !== undefined && !isAcceptedNow(keyset, issuer)) return false;
  for (const { keyset: other, snapshotId } of entry.before)
    if (keysNow(other, header, issuer)?.id !== snapshotId) return false;
  const current = keysNow(keyset, header, issuer);
  if (current === undefined) return false;
  if (current.id === entry.snapshotId) return true;
  const { candidates } = selectKeys(current, keyset.selection, algorithm, header);
  const isThere = candidates.some((key) => key.kid === kid && key.thumbprint === thumbprint);
  if (isThere) entry.snapshotId = current.id;
  return isThere && candidates.every((key) => key.verifiers.has(algorithm));
}

/** False also if the application has to be asked: the verification that follows waits for it. */
function isAcceptedNow(keyset: Keyset, issuer: string | undefined): boolean {
  if (issuer === undefined) return false;
  try {
    const answer = keyset.accepts?.(issuer) ?? true;
    if (!isPromise(answer)) return answer === true;
    answer.catch(() => {});
  } catch {
    // The verification that follows reports this error.
  }
  return false;
}

/** @returns undefined if the keys have to be waited for, or are unavailable */
function keysNow(
  keyset: Keyset,
  header: UnverifiedHeader,
  issuer: string | undefined,
): KeySnapshot | undefined {
  try {
    const keys = keyset.keys(header, issuer);
    if (!isPromise(keys)) return keys;
    // The verification that follows waits for the same keys, and reports their failure.
    keys.catch(() => {});
  } catch {
    // The verification that follows reports this error.
  }
  return undefined;
}
