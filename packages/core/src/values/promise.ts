// Tells promises from other values. Does not wait for them.

/**
 * True for a promise of any kind. `instanceof Promise` is not enough: once a library (zone.js,
 * bluebird) has replaced `globalThis.Promise`, it is false for the promises of async functions, and
 * a pending decision would be taken for a made one.
 */
export function isPromise<T>(value: T | PromiseLike<T>): value is Promise<T> {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return isObject && 'then' in value && typeof value.then === 'function';
}
