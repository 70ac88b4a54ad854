// A clock whose time of day only a test moves. Timers are not replaced.
import type { Clock } from '@latchkey/core';

/** A clock whose time of day moves only when a test moves it. */
export interface TestClock extends Clock {
  /** Real time, and all that `advance` added. */
  monotonic(): number;
  /**
   * Lets time pass: tokens and keys get older, and pauses between two readings of the keys end.
   * Milliseconds; a negative value moves only the time of day, back.
   */
  advance(ms: number): void;
  /** Sets the time of day, like a correction of the system clock. Milliseconds since the epoch. */
  set(ms: number): void;
}

/**
 * Creates a clock. Pass it to `createAuthenticator({ clock })` and to `createIssuer({ clock })`.
 * @example
 * ```ts
 * const clock = createClock();
 * const issuer = await createIssuer({ clock }); // issuer.options has the clock too
 * clock.advance(60_000);
 * ```
 */
export function createClock(startMs: number = Date.now()): TestClock {
  let nowMs = startMs;
  let passedMs = 0;
  return {
    now: () => nowMs,
    monotonic: () => performance.now() + passedMs,
    advance: (ms) => {
      nowMs += ms;
      passedMs += Math.max(0, ms);
    },
    set: (ms) => {
      nowMs = ms;
    },
  };
}
