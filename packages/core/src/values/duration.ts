// Reads durations as options and descriptors write them: a number with a unit. Does not read a
// clock.
import { ConfigError } from '../errors.ts';
import { kindOf } from './kind.ts';

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/**
 * A length of time with its unit, in the notation of Go: `'5s'`, `'30m'`, `'1h30m'`. Units: ms, s,
 * m, h, d.
 */
export type Duration = `${number}${keyof typeof UNIT_MS}` | (string & {});

/**
 * Reads a duration.
 * @returns milliseconds
 * @throws ConfigError for anything that is not a duration with a unit; `'0s'` is accepted
 */
export function parseDuration(value: unknown, path: string): number {
  if (typeof value !== 'string' || !/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(value)) {
    throw new ConfigError(
      path,
      `expected a duration with a unit, like '30s', '5m' or '1h', got ${kindOf(value)}`,
    );
  }
  let totalMs = 0;
  for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    totalMs += Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
  }
  if (!Number.isSafeInteger(Math.round(totalMs))) throw new ConfigError(path, 'is too long');
  return Math.round(totalMs);
}

/** A length of time in the largest unit that divides it, such as `90s`. */
export function durationText(lengthMs: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const)
    if (lengthMs !== 0 && lengthMs % UNIT_MS[unit] === 0) return `${lengthMs / UNIT_MS[unit]}${unit}`;
  return `${lengthMs}ms`;
}
