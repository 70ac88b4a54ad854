// Tokens that were seen before, found by their last characters and compared whole. Bounded by
// number and by bytes. What is kept of a token, and whether it still counts, is the caller's.
import { LRUCache } from 'lru-cache';

/** How much is kept. */
export interface CacheLimits {
  readonly tokens: number;
  /** An estimate of the memory that entries hold, tokens and claims. */
  readonly bytes: number;
}

/** Keeps one thing for each of the tokens that were used last. */
export interface TokenCache<T extends object> {
  /** No more than so many are kept at a time, whatever they hold. */
  readonly most: number;
  /** @returns what is kept for exactly this token */
  get(token: string): T | undefined;
  /** @param bytes an estimate of what the entry holds, the token aside */
  set(token: string, entry: T, bytes: number): void;
  delete(token: string): void;
  clear(): void;
}

/**
 * V8 hashes all of a string that it looks up: these are the characters of the signature that no two
 * tokens share by chance.
 */
const KEY_LENGTH = 32;
/** A longer token is rare, and would push out many. */
const MAX_TOKEN_LENGTH = 4096;
/** What an entry takes whatever it holds. */
const BYTES_PER_ENTRY = 600;

/** Makes a cache. */
export function createTokenCache<T extends object>({ tokens, bytes }: CacheLimits): TokenCache<T> {
  // The cache makes room for all at once: for no more than can fit.
  const most = Math.max(1, Math.min(tokens, Math.ceil(bytes / BYTES_PER_ENTRY)));
  const entries = new LRUCache<string, { readonly token: string; readonly kept: T }>({
    max: most,
    maxSize: bytes,
  });
  return {
    most,
    get(token) {
      const entry = entries.get(token.slice(-KEY_LENGTH));
      // Two tokens share the last 32 characters only if their signer arranged it; compare all of
      // it.
      return entry !== undefined && entry.token === token ? entry.kept : undefined;
    },
    set(given, kept, size) {
      if (given.length > MAX_TOKEN_LENGTH) return;
      // A copy: to V8 a token is a part of the header that it came in, and would keep all of that.
      const token = Buffer.from(given, 'latin1').toString('latin1');
      entries.set(token.slice(-KEY_LENGTH), { token, kept }, { size: BYTES_PER_ENTRY + token.length + size });
    },
    delete: (token) => void entries.delete(token.slice(-KEY_LENGTH)),
    clear: () => entries.clear(),
  };
}
