// Reads the arguments of `pnpm bench speed` and sets the length of each measurement. Nothing runs
// here.
import { parseArgs } from 'node:util';

/** The parts, in the order in which they run. */
const PARTS = [
  'http',
  'verify',
  'scan',
  'rejected',
  'rules',
  'possession',
  'selection',
  'memory',
  'start',
  'cluster',
] as const;
export type Part = (typeof PARTS)[number];

/** The options of a run. */
export interface SpeedOptions {
  readonly parts: readonly Part[];
  readonly pace: 'full' | 'quick' | 'smoke';
  /** Writes the report and the chart to `results`. */
  readonly write: boolean;
  /** The number of turns of each contestant under HTTP load, and the whole seconds of a turn. */
  readonly httpRounds: number;
  readonly httpSeconds: number;
  /** The number of turns of each contestant in this process, and the milliseconds of a turn. */
  readonly rounds: number;
  readonly sliceMs: number;
  /** The number of new tokens in rotation. It is larger than every cache. */
  readonly newTokens: number;
  /** The number of tokens for the memory, valid and invalid each. */
  readonly memoryTokens: number;
  /** The number of new processes that import each adapter. */
  readonly starts: number;
}

/** The parts of a quick run, which take at most two minutes. */
const QUICK_PARTS: readonly Part[] = ['http', 'verify', 'rules'];

const PACES = {
  full: {
    httpRounds: 5,
    httpSeconds: 3,
    rounds: 15,
    sliceMs: 200,
    newTokens: 20_000,
    memoryTokens: 1_000_000,
    starts: 15,
  },
  quick: {
    httpRounds: 3,
    httpSeconds: 1,
    rounds: 5,
    sliceMs: 60,
    newTokens: 12_000,
    memoryTokens: 100_000,
    starts: 5,
  },
  // Only checks that everything runs. The measurements mean nothing.
  smoke: {
    httpRounds: 1,
    httpSeconds: 1,
    rounds: 3,
    sliceMs: 5,
    newTokens: 400,
    memoryTokens: 10_000,
    starts: 1,
  },
} as const;

const USAGE = `pnpm bench speed [PART…] [--quick | --smoke] [--rounds=N] [--write], where PART is one of: ${PARTS.join(', ')}`;

/** Reads the arguments after the name of the bench. @throws Error for an unknown argument */
export function readSpeedOptions(given: readonly string[]): SpeedOptions {
  const { values, positionals } = parseArgs({
    args: [...given],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      smoke: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      rounds: { type: 'string' },
    },
  });
  const pace = values.smoke ? 'smoke' : values.quick ? 'quick' : 'full';
  const unknown = positionals.filter((name) => !PARTS.some((part) => part === name));
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (unknown.length > 0 || (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)))
    throw new Error(USAGE);
  const all = values.quick ? QUICK_PARTS : PARTS;
  return {
    parts: positionals.length === 0 ? all : PARTS.filter((part) => positionals.includes(part)),
    pace,
    write: values.write,
    ...PACES[pace],
    ...(rounds === undefined ? {} : { httpRounds: rounds, rounds }),
  };
}
