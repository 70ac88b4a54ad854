// What `pnpm bench speed` is asked for, and how long each measurement then takes. Runs nothing.
import { parseArgs } from 'node:util';

/** The parts, in the order in which they run. */
const PARTS = ['http', 'verify', 'rejected', 'rules', 'selection', 'memory', 'start', 'cluster'] as const;
export type Part = (typeof PARTS)[number];

/** How a run is made. */
export interface SpeedOptions {
  readonly parts: readonly Part[];
  readonly pace: 'full' | 'quick' | 'smoke';
  /** Leaves the report and the chart in `results`. */
  readonly write: boolean;
  /** How often everybody has a turn under HTTP load, and for how many whole seconds. */
  readonly httpRounds: number;
  readonly httpSeconds: number;
  /** How often everybody has a turn in this process, and for how long. */
  readonly rounds: number;
  readonly sliceMs: number;
  /** So many tokens are in rotation that nobody has seen before: more than any cache keeps. */
  readonly newTokens: number;
  /** How many tokens the memory is measured over, of each kind. */
  readonly memoryTokens: number;
  /** How many fresh processes import each adapter. */
  readonly starts: number;
}

/** Within two minutes. */
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
  // Whether everything runs. What is measured means nothing.
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

/** Reads what stands after the name of the bench. @throws Error for anything else */
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
