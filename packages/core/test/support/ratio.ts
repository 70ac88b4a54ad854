// What some work costs compared with other work: a ratio within one run, which other processes of
// the machine hardly change.

const ROUNDS = 9;
const REPEATS = 20;

/** How many times as long the work takes as the other. The fastest of several rounds counts. */
export async function ratioOf(work: () => unknown, other: () => unknown): Promise<number> {
  let fastest = Number.POSITIVE_INFINITY;
  let fastestOther = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    fastest = Math.min(fastest, await timeOf(work));
    fastestOther = Math.min(fastestOther, await timeOf(other));
  }
  return fastest / fastestOther;
}

async function timeOf(work: () => unknown): Promise<number> {
  const start = performance.now();
  for (let repeat = 0; repeat < REPEATS; repeat++) await work();
  return performance.now() - start;
}
