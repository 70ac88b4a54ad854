// Throughput side by side: contestants in turn, round by round, so that the machine's noise hits
// all. Knows nothing of signing.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { median } from '@latchkey/test-kit/load';

/** Somebody who does the same work as the others. */
export interface Contestant {
  readonly name: string;
  /** Does it so many times. */
  run(times: number): unknown;
}

/** How a contestant fared. */
export interface Pace {
  readonly perSecond: number;
  /** Its throughput by that of the first contestant in the same round: the median of the rounds. */
  readonly ratio: number;
}

/** How often each has its turn. */
export const ROUNDS = 15;
const SLICE_MS = 100;

/** Lets all run in turn. @returns what tells how one of them fared, by name */
export async function race(contestants: readonly Contestant[]): Promise<(name: string) => Pace> {
  const lanes: { readonly contestant: Contestant; readonly times: number; readonly paces: number[] }[] = [];
  for (const contestant of contestants)
    lanes.push({ contestant, times: await timesIn(contestant), paces: [] });
  for (let round = 0; round < ROUNDS; round++) {
    // Nobody is always the one after the slowest.
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

/** How often it fits into a slice, once it is warm. */
async function timesIn(contestant: Contestant): Promise<number> {
  for (let times = 16; ; times *= 2) {
    const perSecond = await pace(contestant, times);
    if ((times / perSecond) * 1000 >= SLICE_MS)
      return Math.max(16, Math.round((perSecond * SLICE_MS) / 1000));
  }
}

async function pace({ run }: Contestant, times: number): Promise<number> {
  // What the one before has left behind is not this one's.
  globalThis.gc?.();
  await nextTurn();
  const began = performance.now();
  await run(times);
  return (times / (performance.now() - began)) * 1000;
}
