// The wall clock option. Only for times of day: durations are measured with a monotonic clock
// elsewhere.
import { ConfigError } from '../errors.ts';

/** A wall clock. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

/** Returns the clock of the options, or `Date` when there is none. @throws ConfigError */
export function readClock(value: unknown): Clock {
  if (value === undefined) return Date;
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  if (!isObject || !('now' in value) || typeof value.now !== 'function' || !Number.isFinite(value.now())) {
    throw new ConfigError('clock', 'expected an object with now(), in milliseconds');
  }
  return value as Clock;
}
