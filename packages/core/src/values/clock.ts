// The clock option: the time of day, and the monotonic time that ages and pauses are measured by.
import { ConfigError } from '../errors.ts';

/** A clock. */
export interface Clock {
  /** The time of day: milliseconds since the epoch. */
  now(): number;
  /**
   * Milliseconds since any moment, which never go back: for the ages of keys and the pauses between
   * two readings. Default: `performance.now()`.
   */
  monotonic?(): number;
}

/** Returns the monotonic time of a clock, or of the process. */
export function monotonicOf(clock: Clock): () => number {
  const { monotonic } = clock;
  return monotonic === undefined ? () => performance.now() : () => monotonic.call(clock);
}

/** Returns the clock of the options, or `Date` when there is none. @throws ConfigError */
export function readClock(value: unknown): Clock {
  if (value === undefined) return Date;
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  if (!isObject || !('now' in value) || !gives(value, value.now))
    throw new ConfigError('clock', 'expected an object with now(), in milliseconds');
  if ('monotonic' in value && !gives(value, value.monotonic))
    throw new ConfigError('clock.monotonic', 'expected a function that returns milliseconds');
  return value as Clock;
}

/** True for a method that returns a number. */
function gives(clock: object, method: unknown): boolean {
  return typeof method === 'function' && Number.isFinite(method.call(clock));
}
