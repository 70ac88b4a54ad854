// Whether a value has to be waited for.

/**
 * True for a promise of any kind. `instanceof Promise` is false for the promises of async functions
 * once a library (zone.js, bluebird) has replaced `globalThis.Promise`, and a decision that has to
 * be waited for would then be taken for one that was made.
 */
export function isPromise<T>(value: T | PromiseLike<T>): value is Promise<T> {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return isObject && 'then' in value && typeof value.then === 'function';
}
