// Reads the arguments of `pnpm bench pairs`. Nothing runs here.
import { parseArgs } from 'node:util';
import { FRAMEWORKS, type Framework } from '../speed/http/contestants.ts';
import type { Length } from './pair.ts';

/** The options of a run. */
export interface PairsOptions {
  readonly frameworks: readonly Framework['name'][];
  readonly length: Length;
}

const NAMES = FRAMEWORKS.map(({ name }) => name);
const USAGE = `pnpm bench pairs [FRAMEWORK…] [--smoke], where FRAMEWORK is one of: ${NAMES.join(', ')}`;

/** Reads the arguments after the name of the bench. @throws Error for an unknown argument */
export function readPairsOptions(given: readonly string[]): PairsOptions {
  const { values, positionals } = parseArgs({
    args: [...given],
    allowPositionals: true,
    options: { smoke: { type: 'boolean', default: false } },
  });
  if (positionals.some((name) => !NAMES.some((known) => known === name))) throw new Error(USAGE);
  return {
    frameworks: positionals.length === 0 ? NAMES : NAMES.filter((name) => positionals.includes(name)),
    length: values.smoke ? { slices: 2, seconds: 1 } : { slices: 20, seconds: 1 },
  };
}
