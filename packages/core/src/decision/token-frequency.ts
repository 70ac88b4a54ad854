// Counts how often tokens that are not in the cache have verified (a TinyLFU sketch). The cache
// takes a token only if it verifies again, and more often than the one that would have to go. So
// one-off tokens evict nothing.

/** Remembers, for a while, how often tokens have verified. */
export interface TokenFrequency {
  /**
   * The number of the present generation. What was counted two generations ago is forgotten.
   */
  readonly generation: number;
  /**
   * Counts a token.
   * @param hash the 32 bits of its hash
   * @returns how often it has verified, this time included. About one new token in fifty is
   *   mistaken for others, and gets their count
   */
  note(hash: number): number;
}

/** Few counters are in use, so that two tokens rarely share both of theirs. */
const COUNTERS_PER_TOKEN = 16;
/** With more tokens, the table costs more than it saves. */
const MAX_TOKENS = 2 ** 20;
const MAX_COUNT = 255;

/**
 * Makes an empty table.
 * @param tokens how many other tokens may come between two uses of a token that is recognized: the
 *   size of the cache
 */
export function createTokenFrequency(tokens: number): TokenFrequency {
  const generation = Math.min(tokens + 1, MAX_TOKENS);
  const log2 = Math.ceil(Math.log2(generation * COUNTERS_PER_TOKEN));
  const shift = 32 - log2;
  // Two generations, so that dropping the older one keeps the recent tokens.
  let recent = new Uint8Array(2 ** log2);
  let older = new Uint8Array(2 ** log2);
  let noted = 0;
  let number = 0;
  return {
    get generation() {
      return number;
    },
    note(hash) {
      // A token has two counters, and the smaller one counts: it is shared less.
      const one = hash >>> shift;
      const two = Math.imul(hash, 0xc2b2ae35) >>> shift;
      const ones = (recent[one] ?? 0) + (older[one] ?? 0);
      const twos = (recent[two] ?? 0) + (older[two] ?? 0);
      const before = Math.min(ones, twos);
      if (ones === before) raise(recent, one);
      if (twos === before && two !== one) raise(recent, two);
      if (++noted === generation) {
        [recent, older] = [older.fill(0), recent];
        noted = 0;
        number++;
      }
      return before + 1;
    },
  };
}

function raise(counters: Uint8Array, at: number): void {
  const count = counters[at] ?? 0;
  if (count < MAX_COUNT) counters[at] = count + 1;
}
