// The tokens that were issued, by what they were asked for, and the calls that are running. This
// code calls no server.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { AuthError, isAuthError } from '../errors.ts';
import { MAX_CACHED_BYTES } from '../net/limits.ts';
import type { Clock } from '../values/clock.ts';

/** A value, and until when it is used: milliseconds since the epoch. Without: it is not kept. */
export interface Kept<T> {
  readonly value: T;
  readonly bytes: number;
  readonly untilMs: number | undefined;
}

/** Tokens by the digest of what they were asked for. */
export interface TokenCache<T> {
  /**
   * Returns the value that is kept, or makes it. Concurrent calls with one key share one making.
   */
  get(key: string, make: () => Promise<Kept<T>>): Promise<T>;
  readonly size: number;
  clear(): void;
}

/** A refusal is kept, so that a client that tries again and again does not reach the server. */
const REFUSED_MS = 5_000;
/** The estimated size of an entry without its token: its digest, and its place in the cache. */
const BYTES_PER_ENTRY = 400;

type Entry<T> = { readonly untilMs: number } & (
  | { readonly value: T }
  | { readonly refusal: string | undefined }
);

/** Makes an empty cache with the most entries that it may have. */
export function createTokenCache<T>(max: number, clock: Clock): TokenCache<T> {
  const entries = new LRUCache<string, Entry<T>>({ max, maxSize: MAX_CACHED_BYTES });
  const making = new Map<string, Promise<T>>();

  async function fill(key: string, make: () => Promise<Kept<T>>): Promise<T> {
    try {
      const { value, bytes, untilMs } = await make();
      if (untilMs !== undefined && clock.now() < untilMs)
        entries.set(key, { value, untilMs }, { size: BYTES_PER_ENTRY + bytes });
      return value;
    } catch (error) {
      if (isAuthError(error) && error.code === 'exchange_refused')
        entries.set(
          key,
          { refusal: error.detail, untilMs: clock.now() + REFUSED_MS },
          { size: BYTES_PER_ENTRY },
        );
      throw error;
    } finally {
      making.delete(key);
    }
  }

  return {
    async get(key, make) {
      const entry = entries.get(key);
      // With a clock that returns NaN, nothing is used.
      if (entry !== undefined && clock.now() < entry.untilMs) {
        if ('value' in entry) return entry.value;
        throw new AuthError('exchange_refused', { detail: entry.refusal });
      }
      const pending = making.get(key) ?? fill(key, make);
      making.set(key, pending);
      return pending;
    },
    get size() {
      return entries.size;
    },
    clear: () => entries.clear(),
  };
}

/**
 * The key of what is asked for. The token of the subject is part of it, so that no other subject
 * gets the same entry, and is not in it: a heap dump must not contain tokens.
 */
export function digestOf(parts: readonly (string | readonly string[])[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}
