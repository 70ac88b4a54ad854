// The errors of tests that expect a refusal. Does not compare them.
import { ConfigError } from '../../src/errors.ts';

/** The error that some work rejects with. Fails where the work succeeds. */
export async function rejectionOf(work: Promise<unknown>): Promise<Error> {
  let result: unknown;
  try {
    result = await work;
  } catch (error) {
    if (error instanceof Error) return error;
    throw new Error('rejected with something that is not an Error', { cause: error });
  }
  throw new Error('expected a rejection, got a result', { cause: result });
}

/** The ConfigError that a call throws, or undefined where the call throws nothing. */
export function configErrorOf(call: () => unknown): ConfigError | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

/** The ConfigError that some work rejects with. Fails on success and on any other error. */
export async function configRejectionOf(work: Promise<unknown>): Promise<ConfigError> {
  const error = await rejectionOf(work);
  if (error instanceof ConfigError) return error;
  throw error;
}
