// Work side by side in this process: contestants in turn, round by round, so that the machine's
// noise hits all. Knows nothing of tokens.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { median } from '@latchkey/test-kit/load';
import type { SpeedOptions } from './options.ts';

/** Somebody who does something many times. */
export interface Contestant {
  readonly name: string;
  /** Makes ready what is not to be timed. @returns what is timed: does it so many times */
  prepare(times: number): () => unknown;
}

/** How a contestant fared. */
export interface Pace {
  /** Microseconds for one: the median of the rounds. */
  readonly us: number;
  /** Microseconds for one, round by round. */
  readonly rounds: readonly number[];
}

/** How all fared, by name. */
export interface Paces {
  of(name: string): Pace;
  /** How many times as fast one is as the other in the same round: the median of the rounds. */
  ratio(name: string, other: string): number;
}

/** So many at a time: between two looks at the clock, and between two turns of the event loop. */
const BATCH = 500;

/** Lets all run in turn. */
export async function race(
  contestants: readonly Contestant[],
  { rounds, sliceMs }: Pick<SpeedOptions, 'rounds' | 'sliceMs'>,
): Promise<Paces> {
  const paces = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  for (const contestant of contestants) await slice(contestant, sliceMs);
  for (let round = 0; round < rounds; round++) {
    // Nobody is always the one after the slowest.
    for (let turn = 0; turn < contestants.length; turn++) {
      const contestant = contestants[(round + turn) % contestants.length];
      if (contestant === undefined) continue;
      // What the one before has left behind is not this one's.
      globalThis.gc?.();
      paces.get(contestant.name)?.push(await slice(contestant, sliceMs));
    }
  }
  const of = (name: string): Pace => {
    const all = paces.get(name);
    if (all === undefined) throw new Error(`nobody is called ${name}`);
    return { us: median(all), rounds: all };
  };
  return {
    of,
    ratio(name, other) {
      const below = of(name).rounds;
      return median(of(other).rounds.map((us, round) => us / (below[round] ?? Number.NaN)));
    },
  };
}

/** Microseconds for one. */
async function slice({ prepare }: Contestant, sliceMs: number): Promise<number> {
  let ms = 0;
  let times = 0;
  while (ms < sliceMs) {
    const run = prepare(BATCH);
    await nextTurn();
    const began = performance.now();
    await run();
    ms += performance.now() - began;
    times += BATCH;
  }
  return (ms / times) * 1000;
}

/**
 * Gives copies of texts in turn. A token that arrives is a string that nobody has seen: V8 has not
 * hashed it, and it is nobody's same.
 */
export function freshCopies(texts: readonly string[]): (count: number) => string[] {
  const bytes = texts.map((text) => Buffer.from(text, 'latin1'));
  let next = 0;
  return (count) =>
    Array.from({ length: count }, () => (bytes[next++ % bytes.length] ?? Buffer.alloc(0)).toString('latin1'));
}

/** Something that is done at once. */
export function atOnce(
  name: string,
  copies: (count: number) => string[],
  work: (text: string) => unknown,
): Contestant {
  return {
    name,
    prepare(times) {
      const texts = copies(times);
      return () => {
        for (const text of texts) work(text);
      };
    },
  };
}

/** Something that is waited for, one after the other. */
export function inTurn(
  name: string,
  copies: (count: number) => string[],
  work: (text: string) => Promise<unknown>,
): Contestant {
  return {
    name,
    prepare(times) {
      const texts = copies(times);
      return async () => {
        for (const text of texts) await work(text);
      };
    },
  };
}
