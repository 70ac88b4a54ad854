// Tokens that were seen before, found by their last characters and compared whole. Bounded by number and by bytes. What is kept of a token,
// and whether it still counts, is the caller's.
import { LRUCache } from 'lru-cache';

/** How much is kept. */
export interface CacheLimits {
  readonly tokens: number;
  /** An estimate of the memory that entries hold, tokens and claims. */
  readonly bytes: number;
}

/** Keeps one thing for each of the tokens that were used last. */
export interface TokenCache<T extends object> {
  /** @returns what is kept for exactly this token */
  find(token: string): T | undefined;
  keep(token: string, entry: T): void;
  drop(token: string): void;
  clear(): void;
}

/** V8 hashes all of a string that it looks up: these are the characters of the signature that no two tokens share by chance. */
const KEY_LENGTH = 32;
/** A longer token is rare, and would push out many. */
const MAX_TOKEN_LENGTH = 4096;
/** Claims take about three times their encoded length, and an entry has its own. */
const BYTES_PER_CHARACTER = 4;
const BYTES_PER_ENTRY = 600;

/** Makes a cache. */
export function createTokenCache<T extends object>({ tokens, bytes }: CacheLimits): TokenCache<T> {
  const entries = new LRUCache<string, { readonly token: string; readonly kept: T }>({
    max: tokens,
    maxSize: bytes,
  });
  return {
    find(token) {
      const entry = entries.get(token.slice(-KEY_LENGTH));
      // Two tokens may end alike: by who made them, never by who found them.
      return entry !== undefined && entry.token === token ? entry.kept : undefined;
    },
    keep(token, kept) {
      if (token.length > MAX_TOKEN_LENGTH) return;
      const size = BYTES_PER_ENTRY + BYTES_PER_CHARACTER * token.length;
      entries.set(token.slice(-KEY_LENGTH), { token, kept }, { size });
    },
    drop: (token) => void entries.delete(token.slice(-KEY_LENGTH)),
    clear: () => entries.clear(),
  };
}
