// The admission filter of the token cache (a TinyLFU "doorkeeper"): a token is cached when it
// verifies the second time, so that tokens that come once evict nothing. It keeps a bit for each,
// and nothing else.
import { randomBytes } from 'node:crypto';

/** Remembers, for a while, that tokens verified. */
export interface Doorkeeper {
  /**
   * True for a token that verified before, among the last so many; it is remembered by being asked
   * about. One in fifty or so is taken for another one, and then kept a little early.
   */
  admits(token: string): boolean;
}

/** Few enough bits set that hardly a token finds another one's. */
const BITS_PER_TOKEN = 32;
/** Beyond that, remembering takes more than it saves. */
const MAX_TOKENS = 2 ** 20;
/**
 * The characters that are looked at: random in every signature, where the last ones need not be
 * (RFC 8032 §5.1.6).
 */
const FIRST = 12;
const LAST = 4;

/**
 * Makes one.
 * @param tokens how many others may come in between: as many as are kept, since one that is longer
 *   away would not be there any more
 */
export function createDoorkeeper(tokens: number): Doorkeeper {
  const generation = Math.min(Math.floor(tokens / 2) + 1, MAX_TOKENS);
  const log2 = Math.ceil(Math.log2(generation * BITS_PER_TOKEN));
  // Nobody can tell which tokens share a bit. It would only make one be kept early.
  const seed = randomBytes(4).readInt32LE();
  // Two generations, so that forgetting the older one leaves what came last.
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

/** Spreads, and hides nothing. */
function hash(token: string, seed: number): number {
  let mixed = seed;
  const end = token.length - LAST;
  for (let index = Math.max(0, token.length - FIRST); index < end; index++)
    mixed = Math.imul(mixed ^ token.charCodeAt(index), 0x9e3779b1);
  // Multiplying carries upwards only: the upper bits have heard of all the others now, but for the
  // last step's.
  return Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b);
}
