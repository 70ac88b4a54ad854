// Reads the token of a command from standard input, or from its arguments, which other users can
// see. Tokens are not parsed here.
import { readStdin } from './commands/secrets-files.ts';
import type { Context } from './context.ts';
import { misused } from './failure.ts';

/** The description of the token argument. */
export const TOKEN_ARGUMENT =
  'the token; - or no argument reads it from standard input, which other users cannot see';

/** Reads the token from an argument or standard input. @throws Failure if there is none */
export async function readToken(context: Context, given: string | undefined): Promise<string> {
  const token = await readTokenText(context, given);
  if (token === '') throw misused('expected a token, as an argument or on stdin');
  return token;
}

/**
 * Reads the token from an argument, with a warning, or from standard input. Also takes the line of
 * a header, and the output of `tokens show` and `tokens create`.
 */
export async function readTokenText(context: Context, given = '-'): Promise<string> {
  if (given === '-') return tokenIn(Buffer.from(await readStdin(context)).toString('utf8'));
  warnOfArgument(context, 'the token', '-');
  return tokenIn(given);
}

function tokenIn(text: string): string {
  const [, shown] = /^[\d/]+ [\d:]+ Token: (\S+)$/m.exec(text) ?? [];
  return shown ?? text.trim().replace(/^(?:authorization: *)?bearer +/i, '');
}

/** Warns of a secret in the arguments, and names the option that reads it from standard input. */
export function warnOfArgument({ output }: Context, what: string, instead: string): void {
  output.warn(
    `${what} was in the arguments, which other processes and the history of the shell can see; ${instead} reads it instead`,
  );
}
