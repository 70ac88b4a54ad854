// The argument of runs whose length is up to the user.
import { parseArgs } from 'node:util';

/**
 * The value of `--minutes`.
 * @throws Error if it is not a number above 0 and up to 60
 */
export function minutesOf(given: readonly string[], fallback: number): number {
  const { values } = parseArgs({ args: [...given], options: { minutes: { type: 'string' } } });
  const minutes = Number(values.minutes ?? fallback);
  if (!(minutes > 0 && minutes <= 60))
    throw new Error(`--minutes: expected a number above 0 and up to 60, got ${values.minutes}`);
  return minutes;
}
