// Small readers for options: each gives a checked value, or a ConfigError that names the path.
import { ConfigError } from '@latchkey/core';

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
/** What a timer can wait. */
const MAX_MS = 2 ** 31 - 1;

/** A string that says something. */
export function readText(value: unknown, path: string): string {
  if (typeof value === 'string' && value.trim() !== '') return value;
  throw new ConfigError(path, 'expected a string that is not empty');
}

/** True or false; false if it is not there. */
export function readBoolean(value: unknown, path: string): boolean {
  if (value === undefined) return false;
  if (typeof value !== 'boolean') throw new ConfigError(path, 'expected true or false');
  return value;
}

/** A whole number from 1 to `max`. */
export function readCount(value: unknown, fallback: number, max: number, path: string): number {
  if (value === undefined) return fallback;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new ConfigError(path, `expected a whole number from 1 to ${max}`);
}

/** A duration as in all options: a number with a unit. @returns milliseconds, more than none */
export function readDuration(value: unknown, fallbackMs: number, path: string): number {
  if (value === undefined) return fallbackMs;
  if (typeof value !== 'string' || !/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(value)) {
    throw new ConfigError(path, `expected a duration with a unit, like '500ms' or '2s'`);
  }
  let totalMs = 0;
  for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    totalMs += Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
  }
  const ms = Math.round(totalMs);
  if (ms < 1 || ms > MAX_MS) throw new ConfigError(path, 'expected from 1 ms to 24 days');
  return ms;
}
