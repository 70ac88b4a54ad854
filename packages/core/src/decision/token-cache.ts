// A cache by token, looked up by the last characters and compared as a whole. Bounded by number and
// by bytes. The caller decides what an entry contains and whether it is still valid.
import { LRUCache } from 'lru-cache';

/** The limits of a cache. */
export interface CacheLimits {
  readonly tokens: number;
  /** The estimated memory of the entries: tokens and claims. */
  readonly bytes: number;
}

/** Stores one entry for each of the tokens that were used last. */
export interface TokenCache<T extends object> {
  /** @returns the entry of exactly this token */
  get(token: string): T | undefined;
  /**
   * @param bytes the estimated size of the entry, without the token
   * @returns a copy of the token, which the entry has; undefined if it is too long
   */
  set(token: string, entry: T, bytes: number): string | undefined;
  delete(token: string): void;
}

/**
 * The length of the lookup key. V8 hashes the whole string at a lookup, so the key is short: the
 * last characters of the signature, which two tokens do not share by chance.
 */
const KEY_LENGTH = 32;
/** Longer tokens are rare, and each would evict many others. */
const MAX_TOKEN_LENGTH = 4096;
/** The memory of an entry in addition to its content. */
const BYTES_PER_ENTRY = 600;

/**
 * The largest number of entries. A cache allocates room for all at once, so for no more than fit.
 */
export function mostOf({ tokens, bytes }: CacheLimits): number {
  return Math.max(1, Math.min(tokens, Math.ceil(bytes / BYTES_PER_ENTRY)));
}

/** Makes an empty cache. */
export function createTokenCache<T extends object>(limits: CacheLimits): TokenCache<T> {
  const entries = new LRUCache<string, { readonly token: string; readonly kept: T }>({
    max: mostOf(limits),
    maxSize: limits.bytes,
  });
  return {
    get(token) {
      const entry = entries.get(token.slice(-KEY_LENGTH));
      // Two tokens can share the last 32 characters only if their signer arranged it; compare the
      // whole token.
      return entry !== undefined && entry.token === token ? entry.kept : undefined;
    },
    set(given, kept, size) {
      if (given.length > MAX_TOKEN_LENGTH) return undefined;
      // A copy: V8 represents the token as a slice of its header, and would keep the whole header
      // in memory.
      const token = Buffer.from(given, 'latin1').toString('latin1');
      entries.set(token.slice(-KEY_LENGTH), { token, kept }, { size: BYTES_PER_ENTRY + token.length + size });
      return token;
    },
    delete: (token) => void entries.delete(token.slice(-KEY_LENGTH)),
  };
}
