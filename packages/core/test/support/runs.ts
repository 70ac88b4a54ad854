// How long tests with seeds run. LATCHKEY_RUNS and LATCHKEY_SEED of the environment are read here,
// and nowhere else; `pnpm properties` sets them.

/** How many runs are asked for. Undefined: a usual run. */
export const ASKED_RUNS = wholeNumber('LATCHKEY_RUNS');
/** The seed that is asked for, to repeat a run that has failed. */
export const ASKED_SEED = wholeNumber('LATCHKEY_SEED');

/** The number of runs that is asked for, else that of a usual run. */
export function runsOf(usual: number): number {
  return ASKED_RUNS ?? usual;
}

/** The first seed. Default 1: a usual run is the same each time. */
export function firstSeed(): number {
  return ASKED_SEED ?? 1;
}

/** @throws TypeError for a text that is not a whole number */
function wholeNumber(name: string): number | undefined {
  const { [name]: text } = process.env;
  if (text === undefined || text === '') return undefined;
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw new TypeError(`${name}: expected a whole number, got ${text}`);
}
