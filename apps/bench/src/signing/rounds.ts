// Compares throughput: contestants run in turn, round by round, so that the machine's noise affects
// all of them. It does not know signing.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { median } from '@latchkey/test-kit/load';

/** One of the implementations that do the same work. */
export interface Contestant {
  readonly name: string;
  /** Does the work this many times. */
  run(times: number): unknown;
}

/** The result of a contestant. */
export interface Pace {
  readonly perSecond: number;
  /**
   * Its throughput divided by that of the first contestant in the same round: the median of the
   * rounds.
   */
  readonly ratio: number;
}

/** The number of turns of each contestant. */
export const ROUNDS = 15;
const SLICE_MS = 100;

/**
 * Runs all contestants in turn.
 * @returns a function that gives a contestant's result by its name
 */
export async function race(contestants: readonly Contestant[]): Promise<(name: string) => Pace> {
  const lanes: { readonly contestant: Contestant; readonly times: number; readonly paces: number[] }[] = [];
  for (const contestant of contestants)
    lanes.push({ contestant, times: await timesIn(contestant), paces: [] });
  for (let round = 0; round < ROUNDS; round++) {
    // The order changes, so that no contestant always runs after the slowest one.
    for (let turn = 0; turn < lanes.length; turn++) {
      const lane = lanes[(round + turn) % lanes.length];
      lane?.paces.push(await pace(lane.contestant, lane.times));
    }
  }
  const first = lanes[0]?.paces ?? [];
  return (name) => {
    const paces = lanes.find(({ contestant }) => contestant.name === name)?.paces ?? [];
    const ratios = paces.map((perSecond, round) => perSecond / (first[round] ?? Number.NaN));
    return { perSecond: median(paces), ratio: median(ratios) };
  };
}

/** How many times the work fits into a slice after warming up. */
async function timesIn(contestant: Contestant): Promise<number> {
  for (let times = 16; ; times *= 2) {
    const perSecond = await pace(contestant, times);
    if ((times / perSecond) * 1000 >= SLICE_MS)
      return Math.max(16, Math.round((perSecond * SLICE_MS) / 1000));
  }
}

async function pace({ run }: Contestant, times: number): Promise<number> {
  // Collects the garbage of the previous contestant first.
  globalThis.gc?.();
  await nextTurn();
  const began = performance.now();
  await run(times);
  return (times / (performance.now() - began)) * 1000;
}
