// Runs a command line. The commands are in commands/.

import { createContext } from './context.ts';
import { type ExitCode, failureOf } from './failure.ts';
import type { Terminal } from './output.ts';
import { createProgram } from './program.ts';

export type { ExitCode } from './failure.ts';
export type { OutputStream, Terminal } from './output.ts';

/**
 * Runs one command line, such as `['jwks', 'list']`. Prints to the given terminal, and never ends
 * the process.
 * @returns 0 done, 1 the answer is no, 2 misuse or a wrong configuration, 3 a source cannot be
 *   reached
 * @example
 * ```ts
 * process.exitCode = await run(process.argv.slice(2), terminal);
 * ```
 */
export async function run(argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const context = createContext(terminal);
  try {
    await createProgram(context).parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (error) {
    const failure = failureOf(error);
    if (failure === undefined) return 0;
    if (failure.message !== '') context.output.fail(failure.message);
    return failure.exitCode;
  }
}
