// Numbers that look random and are the same in every run (mulberry32). Not for secrets.

/** Gives a whole number: at least 0, less than its argument. */
export type Pick = (below: number) => number;

/** Makes a function that returns the next number: at least 0, less than 1. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Makes a function that picks whole numbers. */
export function picker(seed: number): Pick {
  const next = seeded(seed);
  return (below) => Math.floor(next() * below);
}
