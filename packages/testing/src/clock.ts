// A wall clock that only a test moves. Timers are not replaced.
import type { Clock } from '@latchkey/core';

/** A clock that moves only when a test moves it. */
export interface TestClock extends Clock {
  /** Moves the clock. Milliseconds; a negative value goes back. */
  advance(ms: number): void;
  /** Sets the time. Milliseconds since the epoch. */
  set(ms: number): void;
}

/**
 * Creates a clock. Pass it to `createAuthenticator({ clock })` and to `createIssuer({ clock })`.
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
