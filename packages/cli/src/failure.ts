// The exit codes of commands other than 0, and the errors that lead to them.
import { ConfigError, isAuthError } from '@latchkey/core';
import { CommanderError } from 'commander';

/**
 * 0: done. 1: the answer is no. 2: misuse, or a wrong configuration or file. 3: a source cannot be
 * reached.
 */
export type ExitCode = 0 | 1 | 2 | 3;

/** An error that ends a command. The message is for the user, and contains no secret. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly exitCode: Exclude<ExitCode, 0>;

  constructor(exitCode: Exclude<ExitCode, 0>, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** The answer is no: for example, the token is refused. */
export const refused = (message: string): Failure => new Failure(1, message);

/** The command was used wrongly, or cannot be done. */
export const misused = (message: string): Failure => new Failure(2, message);

/** A source did not answer, or gave a wrong answer. */
export const unreachable = (message: string): Failure => new Failure(3, message);

/** Turns a thrown value into a failure; undefined for help and the version, which end with 0. */
export function failureOf(error: unknown): Failure | undefined {
  if (error instanceof Failure) return error;
  // Commander has printed its message already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? undefined : new Failure(2, '');
  if (error instanceof ConfigError) return new Failure(2, error.message);
  if (isAuthError(error)) return new Failure(error.status === 503 ? 3 : 1, error.detail ?? error.message);
  return new Failure(2, error instanceof Error ? error.message : 'a non-Error value was thrown');
}
