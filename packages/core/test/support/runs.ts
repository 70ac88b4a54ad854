// How long tests with seeds run. LATCHKEY_RUNS and LATCHKEY_SEED of the environment are read here,
// and nowhere else.

/** The number of runs: LATCHKEY_RUNS if it is set, else the number of the normal test run. */
export function runsOf(normal: number): number {
  return wholeNumber('LATCHKEY_RUNS') ?? normal;
}

/** The first seed: LATCHKEY_SEED if it is set, to repeat a run that has failed. Default 1. */
export function firstSeed(): number {
  return wholeNumber('LATCHKEY_SEED') ?? 1;
}

function wholeNumber(name: string): number | undefined {
  const text = process.env[name] ?? '';
  if (text === '') return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${name}: expected a whole number, got ${text}`);
  return Number(text);
}
