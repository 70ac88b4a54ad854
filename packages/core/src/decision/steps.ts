// Runs a generator without promises for as long as nothing has to be waited for. Knows nothing
// about tokens.
import { isPromise } from '../values/promise.ts';

/** Steps that return a `T`, and yield each promise to wait for. */
export type Steps<T> = Generator<Promise<unknown>, T, unknown>;

/** For use inside steps: returns the value, and waits only if it is a promise. */
export function* wait<T>(value: T | Promise<T>): Steps<T> {
  return isPromise(value) ? ((yield value) as T) : value;
}

/** Runs steps: synchronously if they yield nothing, else returns a promise of their result. */
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
