// The command of a bench or a soak: runs the part that the arguments name and prints its table.
// Nothing is measured here.
import { type Figure, formatTable } from './figures.ts';

/** A part of a command. It gets the arguments after its name. */
export type Part = (given: readonly string[]) => Promise<readonly Figure[]>;

/** The parts of a command, by name. */
export type Parts = ReadonlyMap<string, Part>;

/**
 * Runs the part that the arguments name. An unknown name sets exit code 2; a part that throws ends
 * the process with 1. A missed goal does not change the exit code.
 * @param command how the user called it: `pnpm bench`
 * @param whole the part of a call with options and without a name
 * @returns the number of missed goals, or undefined if no part ran
 */
export async function runFigures(command: string, parts: Parts, whole?: Part): Promise<number | undefined> {
  const all = process.argv.slice(2);
  const isWhole = whole !== undefined && all[0]?.startsWith('--') === true;
  const [name = '', ...given] = isWhole ? ['', ...all] : all;
  const part = isWhole ? whole : parts.get(name);
  if (part === undefined) {
    console.log(`${command} NAME, where NAME is one of: ${[...parts.keys()].join(', ')}`);
    process.exitCode = 2;
    return undefined;
  }
  try {
    const began = performance.now();
    const figures = await part(given);
    const missed = figures.filter(({ met }) => !met).length;
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    console.log(`\n${formatTable(figures)}\n`);
    console.log(`${figures.length - missed} met, ${missed === 0 ? 'none' : missed} MISSED, in ${seconds} s`);
    return missed;
  } catch (error) {
    console.error('The run failed:', error);
    // `exit` ends scenarios that may still run.
    process.exit(1);
  }
}
