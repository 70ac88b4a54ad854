// Synchronous first: a function written as a generator runs without a promise for as long as
// nothing has to be waited for. It knows nothing of tokens.
import { isPromise } from '../values/promise.ts';

/** Steps that give a `T`, and yield each promise that has to be waited for. */
export type Steps<T> = Generator<Promise<unknown>, T, unknown>;

/** Inside steps: the value, waited for only if it is a promise. */
export function* wait<T>(value: T | Promise<T>): Steps<T> {
  return isPromise(value) ? ((yield value) as T) : value;
}

/** Runs steps: at once to the end if they yield nothing, else with a promise of what they give. */
export function run<T>(steps: Steps<T>): T | Promise<T> {
  const first = steps.next();
  return first.done === true ? first.value : runOn(steps, first.value);
}

async function runOn<T>(steps: Steps<T>, first: Promise<unknown>): Promise<T> {
  let waited = first;
  for (;;) {
    const next = await waited.then(
      (value) => steps.next(value),
      (error: unknown) => steps.throw(error),
    );
    if (next.done === true) return next.value;
    waited = next.value;
  }
}
