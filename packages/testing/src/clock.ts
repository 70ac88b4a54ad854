// A wall clock that a test moves by hand.
import type { Clock } from '@latchkey/core';

/** A clock that stands still until it is told otherwise. */
export interface TestClock extends Clock {
  /** Moves the clock. Milliseconds; negative goes back. */
  advance(ms: number): void;
  /** Milliseconds since the epoch. */
  set(ms: number): void;
}

/**
 * Makes a clock. Hand it to `createAuthenticator({ clock })` and to `createIssuer({ clock })`.
 * @example
 * ```ts
 * const clock = createClock();
 * const issuer = await createIssuer({ clock });
 * clock.advance(60_000);
 * ```
 */
export function createClock(startMs: number = Date.now()): TestClock {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    advance: (ms) => {
      nowMs += ms;
    },
    set: (ms) => {
      nowMs = ms;
    },
  };
}
