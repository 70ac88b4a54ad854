// The token that a command is about: from standard input, or from its arguments, which others can
// see.
import { readStdin } from './commands/secrets-files.ts';
import type { Context } from './context.ts';
import { misused } from './failure.ts';

/** How the argument of a token is described. */
export const TOKEN_ARGUMENT = 'the token; - or none reads it from standard input, where nobody else sees it';

/** Reads the token of an argument, or of standard input. @throws Failure if there is none */
export async function readToken(context: Context, given: string | undefined): Promise<string> {
  const token = await readTokenText(context, given);
  if (token === '') throw misused('expected a token, as an argument or on stdin');
  return token;
}

/** The text of an argument, with a warning, or of standard input. */
export async function readTokenText(context: Context, given = '-'): Promise<string> {
  if (given === '-')
    return Buffer.from(await readStdin(context))
      .toString('utf8')
      .trim();
  warnOfArgument(context, 'the token', '-');
  return given.trim();
}

/** Says that something secret was in the arguments, and what reads it from standard input. */
export function warnOfArgument({ output }: Context, what: string, instead: string): void {
  output.warn(
    `${what} stood in the arguments: other processes and the history of the shell have it; ${instead} reads it instead`,
  );
}
