// What a decision comes to, as one word. Does not make the decision.
import { isAuthError } from '../../src/errors.ts';

/** `accepted`, or the code of the refusal. Rejects with any other error, which is a crash. */
export async function outcome(decision: Promise<unknown>): Promise<string> {
  try {
    await decision;
    return 'accepted';
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return error.code;
  }
}
