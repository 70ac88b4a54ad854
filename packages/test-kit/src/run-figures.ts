// The command of a bench or a soak: finds the part that is asked for, runs it and prints its table.
import { type Figure, formatTable } from './figures.ts';

/** The parts of a command, by name. Each is given the arguments after its name. */
export type Parts = ReadonlyMap<string, (given: readonly string[]) => Promise<readonly Figure[]>>;

/**
 * Runs the part that the arguments name. Sets exit code 2 for a name that is not there; a run that
 * breaks ends the process with 1. A goal that is missed is a result, not a failure.
 * @param command how the user called it: `pnpm bench`
 * @returns how many goals were missed, or undefined where nothing ran
 */
export async function runFigures(command: string, parts: Parts): Promise<number | undefined> {
  const [name = '', ...given] = process.argv.slice(2);
  const part = parts.get(name);
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
    console.error('The run itself broke:', error);
    // Other scenarios may still run.
    process.exit(1);
  }
}
