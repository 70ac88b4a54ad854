// The wall clock, as options give one. What is measured in milliseconds of running time does not
// come from here.
import { ConfigError } from '../errors.ts';

/** A wall clock. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

/** The clock that options give, or the system's. @throws ConfigError */
export function readClock(value: unknown): Clock {
  if (value === undefined) return Date;
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  if (!isObject || !('now' in value) || typeof value.now !== 'function' || !Number.isFinite(value.now())) {
    throw new ConfigError('clock', 'expected an object with now(), in milliseconds');
  }
  return value as Clock;
}
