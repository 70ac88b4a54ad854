// Why a command ends with something else than 0: the exit codes, and what leads to which.
import { ConfigError, isAuthError } from '@latchkey/core';
import { CommanderError } from 'commander';

/**
 * 0: done. 1: the answer is no. 2: misused, or a configuration or file that cannot be used. 3: a
 * source cannot be reached.
 */
export type ExitCode = 0 | 1 | 2 | 3;

/** A command that cannot go on. The message is for whoever called it, and holds no secret. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly exitCode: Exclude<ExitCode, 0>;

  constructor(exitCode: Exclude<ExitCode, 0>, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** The answer is no: a token that is not good, say. */
export const refused = (message: string): Failure => new Failure(1, message);

/** What was asked for cannot be done so. */
export const misused = (message: string): Failure => new Failure(2, message);

/** A source did not answer, or not with what it should. */
export const unreachable = (message: string): Failure => new Failure(3, message);

/** What has been thrown, as a failure; undefined for help and the version, which end well. */
export function failureOf(error: unknown): Failure | undefined {
  if (error instanceof Failure) return error;
  // Commander has said what there was to say.
  if (error instanceof CommanderError) return error.exitCode === 0 ? undefined : new Failure(2, '');
  if (error instanceof ConfigError) return new Failure(2, error.message);
  if (isAuthError(error)) return new Failure(error.status === 503 ? 3 : 1, error.detail ?? error.message);
  return new Failure(2, error instanceof Error ? error.message : 'a non-Error value was thrown');
}
