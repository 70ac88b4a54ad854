// Remembers which tokens the endpoint refused, for the times when it does not answer and the
// keysets verify instead. Calls no endpoint.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../values/clock.ts';
import { type JsonObject, own } from '../values/json.ts';

/** The tokens that the endpoint refused and that a key would accept. */
export interface Refusals {
  /**
   * Remembers a refused token.
   * @param claims of the token, verified by a key: they tell how long the token is valid
   */
  add(token: string, claims: JsonObject): void;
  has(token: string): boolean;
  /** Forgets a token, because the endpoint has accepted it since. */
  remove(token: string): void;
}

/** Refusals that are remembered. The least recently used ones are dropped first. */
export const MAX_REFUSALS = 10_000;

/**
 * Makes an empty memory. Only tokens that a key has verified are added, so made-up tokens cannot
 * displace others.
 */
export function createRefusals(clock: Clock, skewMs: number): Refusals {
  const untilMs = new LRUCache<string, number>({ max: MAX_REFUSALS });
  return {
    add(token, claims) {
      const exp = own(claims, 'exp');
      untilMs.set(nameOf(token), typeof exp === 'number' ? exp * 1000 + skewMs : Number.POSITIVE_INFINITY);
    },
    has(token) {
      const end = untilMs.get(nameOf(token));
      return end !== undefined && clock.now() < end;
    },
    remove: (token) => void untilMs.delete(nameOf(token)),
  };
}

/**
 * Names a token by its signed part: some signatures have several encodings, and the token is the
 * same.
 */
function nameOf(token: string): string {
  return createHash('sha256')
    .update(token.slice(0, token.lastIndexOf('.')))
    .digest('base64');
}
