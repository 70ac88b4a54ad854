// What the endpoint refused, for the times in which it does not answer and the keysets are asked
// instead.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../values/clock.ts';
import { type JsonObject, own } from '../values/json.ts';

/** Remembers tokens that the endpoint refused, and that a key would accept. */
export interface Refusals {
  /** @param claims those of the token, verified by a key: they say how long it could be accepted */
  add(token: string, claims: JsonObject): void;
  has(token: string): boolean;
  /** The endpoint has accepted it since. */
  remove(token: string): void;
}

/** Refusals that are remembered. The ones used longest ago go first. */
export const MAX_REFUSALS = 10_000;

/**
 * Makes an empty memory. It is filled only with tokens that a key signed: made-up ones cannot push
 * others out.
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
 * By what is signed: some signatures can be written in another way, and the token is still the
 * same.
 */
function nameOf(token: string): string {
  return createHash('sha256')
    .update(token.slice(0, token.lastIndexOf('.')))
    .digest('base64');
}
