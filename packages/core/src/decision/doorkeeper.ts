// The admission filter of the token cache (a TinyLFU "doorkeeper"): a token is cached when it
// verifies the second time, so that one-off tokens evict nothing. It stores one bit for each token.
import { randomBytes } from 'node:crypto';

/** Remembers, for a while, that tokens have verified. */
export interface Doorkeeper {
  /**
   * True for a token that has verified before and is among the last ones. Asking also remembers the
   * token. About one in fifty is mistaken for another token, and then cached a little early.
   */
  admits(token: string): boolean;
}

/** Few bits are set, so that two tokens rarely share one. */
const BITS_PER_TOKEN = 32;
/** With more tokens, the filter costs more than it saves. */
const MAX_TOKENS = 2 ** 20;
/**
 * The characters that are hashed, counted from the end. They are random in every signature; the
 * last ones need not be (RFC 8032 §5.1.6).
 */
const FIRST = 12;
const LAST = 4;

/**
 * Makes an empty filter.
 * @param tokens how many other tokens may come between two uses of a token: the size of the cache,
 *   because the cache would have dropped it after more
 */
export function createDoorkeeper(tokens: number): Doorkeeper {
  const generation = Math.min(Math.floor(tokens / 2) + 1, MAX_TOKENS);
  const log2 = Math.ceil(Math.log2(generation * BITS_PER_TOKEN));
  // A random seed hides which tokens share a bit. Sharing would only cause a token to be cached
  // early.
  const seed = randomBytes(4).readInt32LE();
  // Two generations, so that dropping the older one keeps the recent tokens.
  let recent = new Int32Array(2 ** log2 / 32);
  let older = new Int32Array(2 ** log2 / 32);
  let remembered = 0;
  return {
    admits(token) {
      const place = hash(token, seed) >>> (32 - log2);
      const word = place >>> 5;
      const bit = 1 << (place & 31);
      const seen = recent[word] ?? 0;
      if (((seen | (older[word] ?? 0)) & bit) !== 0) return true;
      recent[word] = seen | bit;
      if (++remembered === generation) {
        [recent, older] = [older.fill(0), recent];
        remembered = 0;
      }
      return false;
    },
  };
}

/** A fast hash. Not cryptographic. */
function hash(token: string, seed: number): number {
  let mixed = seed;
  const end = token.length - LAST;
  for (let index = Math.max(0, token.length - FIRST); index < end; index++)
    mixed = Math.imul(mixed ^ token.charCodeAt(index), 0x9e3779b1);
  // A multiplication carries upwards only, so the upper bits are mixed best, and are used. This
  // step mixes in the bits of the last product.
  return Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b);
}
