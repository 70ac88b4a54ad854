// How many cases a property is tried on, from which seed, and what is done with one that fails.
import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { ASKED_RUNS, ASKED_SEED } from '../support/runs.ts';

/** The runs of the longest property in a usual test run. All others have fewer. */
const USUAL_RUNS = 1_500;

const KEPT = new URL('examples.json', import.meta.url);

// A usual run is the same each time, so that what it says is about the change that was made.
const seed = ASKED_SEED ?? (ASKED_RUNS === undefined ? 1 : undefined);

/** True for a long run, which prints what it has tried. */
export const IS_LONG = ASKED_RUNS !== undefined;

/** The cases of a property that has this many in a usual run. */
export function runsOf(usual: number): number {
  return Math.ceil((usual * (ASKED_RUNS ?? USUAL_RUNS)) / USUAL_RUNS);
}

/**
 * How long so many cases may take, in milliseconds. Default: 100 ms for each, also on a busy
 * machine.
 */
export function timeFor(usual: number, eachMs = 100): number {
  return 20_000 + eachMs * runsOf(usual);
}

/**
 * Tries a property. On failure, the message has the seed and the shrunk case; a long run keeps the
 * case in examples.json, and every later run begins with the cases that are there.
 * @param usual how many cases a usual run tries
 * @throws Error with the seed and the smallest case that fails
 */
export async function check<T>(
  name: string,
  usual: number,
  cases: fc.Arbitrary<T>,
  holds: (one: T) => Promise<void> | void,
): Promise<void> {
  const details = await fc.check(
    fc.asyncProperty(cases, async (one) => void (await holds(one))),
    {
      numRuns: runsOf(usual),
      examples: keptOf(name).map((one) => [one as T]),
      ...(seed === undefined ? {} : { seed }),
    },
  );
  if (IS_LONG) console.log(`${name}: ${details.numRuns} cases, LATCHKEY_SEED=${details.seed}`);
  if (!details.failed) return;
  const [found] = details.counterexample ?? [];
  const message = `${name}: LATCHKEY_SEED=${details.seed}\n${fc.defaultReportMessage(details)}`;
  if (found === undefined) throw new Error(message);
  if (IS_LONG) keep(name, found);
  const text = JSON.stringify(found);
  throw new Error(`${message}\nKeep the case in examples.json, under ${name}: ${text}`, {
    cause: details.errorInstance,
  });
}

type Kept = { readonly [name: string]: readonly unknown[] };

function keptOf(name: string): readonly unknown[] {
  return (JSON.parse(readFileSync(KEPT, 'utf8')) as Kept)[name] ?? [];
}

function keep(name: string, found: unknown): void {
  const all = JSON.parse(readFileSync(KEPT, 'utf8')) as Kept;
  const kept = { ...all, [name]: [...(all[name] ?? []), found] };
  writeFileSync(KEPT, `${JSON.stringify(kept, null, 2)}\n`);
}
