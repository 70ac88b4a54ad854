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
  /**
   * Remembers a refused token while no key can be asked about it. It may be made up, so it has a
   * place only until others of its kind need it.
   */
  addUndecided(token: string): void;
  /** True for a token of `addUndecided` that has been neither added nor removed since. */
  isUndecided(token: string): boolean;
  has(token: string): boolean;
  /** Forgets a token: the endpoint has accepted it since, or no key has signed it. */
  remove(token: string): void;
}

/**
 * Refusals that are remembered, and as many of tokens that no key could be asked about. The least
 * recently used ones are dropped first.
 */
export const MAX_REFUSALS = 10_000;

/**
 * Makes an empty memory. Tokens that a key has verified have a place of their own, so made-up
 * tokens cannot displace them.
 */
export function createRefusals(clock: Clock, skewMs: number): Refusals {
  const untilMs = new LRUCache<string, number>({ max: MAX_REFUSALS });
  const undecided = new LRUCache<string, true>({ max: MAX_REFUSALS });
  return {
    add(token, claims) {
      const exp = own(claims, 'exp');
      const name = nameOf(token);
      undecided.delete(name);
      untilMs.set(name, typeof exp === 'number' ? exp * 1000 + skewMs : Number.POSITIVE_INFINITY);
    },
    addUndecided: (token) => void undecided.set(nameOf(token), true),
    isUndecided: (token) => undecided.has(nameOf(token)),
    has(token) {
      const name = nameOf(token);
      const end = untilMs.get(name);
      return (end !== undefined && clock.now() < end) || undecided.get(name) === true;
    },
    remove(token) {
      const name = nameOf(token);
      untilMs.delete(name);
      undecided.delete(name);
    },
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
