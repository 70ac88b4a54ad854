// Tokens that verified before. One that is found again is good only while its times say so and its key is still in its keyset, so a key that
// left is dead here at once too. Only verified tokens get in: nobody can place an entry.

import type { Validity } from '../claims/registered.ts';
import type { Clock } from '../clock.ts';
import { type CacheLimits, createTokenCache } from '../token/cache.ts';
import type { JsonObject } from '../token/json.ts';
import type { KeySnapshot } from './keyset.ts';
import type { VerifiedBy } from './verify.ts';

/** What is known of a token that verified. */
export interface VerifiedToken<T> {
  readonly claims: JsonObject;
  readonly by: VerifiedBy;
  /** What was made of it, where that does not change. */
  readonly made: T | undefined;
}

/** The tokens of one authenticator that verified. */
export interface VerifiedTokens<T> {
  /** @returns undefined for a token that has to be verified anew, and then says why it is refused */
  recall(token: string): VerifiedToken<T> | undefined;
  remember(token: string, verified: VerifiedToken<T>, validity: Validity): void;
  clear(): void;
}

interface Entry<T> extends VerifiedToken<T> {
  readonly validity: Validity;
  /** The keys in force when it was last looked at. */
  snapshot: KeySnapshot;
}

/** Makes an empty one. */
export function createVerifiedTokens<T>(limits: CacheLimits, clock: Clock): VerifiedTokens<T> {
  const cache = createTokenCache<Entry<T>>(limits);
  return {
    recall(token) {
      const entry = cache.find(token);
      if (entry === undefined) return undefined;
      const now = clock.now();
      // A clock that gives no time is in no interval.
      if (now >= entry.validity.fromMs && now < entry.validity.untilMs && isInForce(entry)) return entry;
      cache.drop(token);
      return undefined;
    },
    remember(token, verified, validity) {
      cache.keep(token, { ...verified, validity, snapshot: verified.by.snapshot });
    },
    clear: cache.clear,
  };
}

/** True while the key that signed it is one that its keyset would find for it again. */
function isInForce(entry: Entry<unknown>): boolean {
  const { keyset, key, header } = entry.by;
  let current: KeySnapshot | Promise<KeySnapshot>;
  try {
    current = keyset.keys(header);
  } catch {
    return false;
  }
  if (current === entry.snapshot) return true;
  if (current instanceof Promise) {
    // Whoever verifies anew waits for the same, and hears of its failure.
    current.catch(() => {});
    return false;
  }
  // Which key a token without a kid gets, the order of the set says: it may be another one now.
  if (header.kid === undefined) return false;
  const same = (current.byKid.get(header.kid) ?? current.keys).find(
    ({ kid, thumbprint }) => kid === key.kid && thumbprint === key.thumbprint,
  );
  if (same === undefined || ![...key.verifiers.keys()].every((name) => same.verifiers.has(name)))
    return false;
  entry.snapshot = current;
  return true;
}
