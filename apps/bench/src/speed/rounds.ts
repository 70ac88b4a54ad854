// Compares work in this process: contestants run in turn, round by round, so that the machine's
// noise affects all of them. It does not know tokens.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { median } from '@latchkey/test-kit/load';
import type { SpeedOptions } from './options.ts';

/** One of the implementations that do the same work. */
export interface Contestant {
  readonly name: string;
  /**
   * Prepares without being timed.
   * @returns the timed function, which does the work `times` times
   */
  prepare(times: number): (() => unknown) | Promise<() => unknown>;
}

/** The result of a contestant. */
export interface Pace {
  /** Microseconds of CPU time per operation: the median of the rounds. */
  readonly us: number;
  /** Microseconds per operation in each round. */
  readonly rounds: readonly number[];
}

/** The results of all contestants, by name. */
export interface Paces {
  of(name: string): Pace;
  /**
   * The speed of a contestant divided by that of the other in the same round: the median of the
   * rounds.
   */
  ratio(name: string, other: string): number;
}

/** The number of operations between two readings of the clock and two turns of the event loop. */
const BATCH = 500;

/** Runs all contestants in turn. */
export async function race(
  contestants: readonly Contestant[],
  { rounds, sliceMs }: Pick<SpeedOptions, 'rounds' | 'sliceMs'>,
): Promise<Paces> {
  const paces = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  for (const contestant of contestants) await slice(contestant, sliceMs);
  for (let round = 0; round < rounds; round++) {
    // The order changes, so that no contestant always runs after the slowest one.
    for (let turn = 0; turn < contestants.length; turn++) {
      const contestant = contestants[(round + turn) % contestants.length];
      if (contestant === undefined) continue;
      // Collects the garbage of the previous contestant first.
      globalThis.gc?.();
      paces.get(contestant.name)?.push(await slice(contestant, sliceMs));
    }
  }
  const of = (name: string): Pace => {
    const all = paces.get(name);
    if (all === undefined) throw new Error(`expected the name of a contestant, got ${name}`);
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

/**
 * Runs a contestant for a slice. Returns microseconds of CPU time per operation, of all threads:
 * other load on the machine hardly changes them.
 */
async function slice({ prepare }: Contestant, sliceMs: number): Promise<number> {
  let ms = 0;
  let times = 0;
  while (ms < sliceMs) {
    const run = await prepare(BATCH);
    await nextTurn();
    const began = process.cpuUsage();
    await run();
    const { user, system } = process.cpuUsage(began);
    ms += (user + system) / 1_000;
    times += BATCH;
  }
  return (ms / times) * 1000;
}

/**
 * Gives copies of texts in turn. The token of a real request is a new string: V8 has not hashed it,
 * and it is not identical to a cached string.
 */
export function freshCopies(texts: readonly string[]): (count: number) => string[] {
  const bytes = texts.map((text) => Buffer.from(text, 'latin1'));
  let next = 0;
  return (count) =>
    Array.from({ length: count }, () => (bytes[next++ % bytes.length] ?? Buffer.alloc(0)).toString('latin1'));
}

/** A contestant with synchronous work. */
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

/** A contestant with asynchronous work, one operation after the other. */
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
