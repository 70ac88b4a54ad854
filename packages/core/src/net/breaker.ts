// A breaker before anything that answers slowly or not at all: few failures are waited for, and then few are asked for.

/** Guards one place that is asked over the network. */
export interface Breaker {
  /** Does the work, unless the place is known to be down or too much is under way there: then it rejects at once. */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** Failures in a row. */
  readonly failures: number;
  /** `closed`: everybody asks. `open`: one asks a second, and the others are told at once. */
  readonly state: 'closed' | 'open';
}

// Errors of an answer that came. A symbol of our own: no other code's error is taken for one.
const INCONCLUSIVE: unique symbol = Symbol('inconclusive');

/**
 * Makes the error for an answer that came and cannot be used. The question may be at fault, so the breaker
 * does not count it as a failure: one caller with odd questions must not shut the place for all.
 */
export function inconclusive(message: string): Error {
  return Object.assign(new Error(message), { [INCONCLUSIVE]: true });
}

function isInconclusive(error: unknown): boolean {
  return typeof error === 'object' && error !== null && INCONCLUSIVE in error;
}

const MAX_FAILURES = 5;
const PROBE_MS = 1_000;
/** While a place hangs, what waits for it must not grow without bound. */
const MAX_UNDER_WAY = 256;

/** Makes a breaker that opens after five failures in a row, and closes with the first success. Time is monotonic. */
export function createBreaker(): Breaker {
  let failures = 0;
  let probedAt = 0;
  let underWay = 0;
  /** Changes with every opening and closing: what was begun before says nothing of the time after. */
  let epoch = 0;

  function succeeded(begun: number): void {
    if (begun !== epoch) return;
    if (failures >= MAX_FAILURES) epoch++;
    failures = 0;
  }

  function failed(begun: number): void {
    if (begun !== epoch || ++failures !== MAX_FAILURES) return;
    epoch++;
    probedAt = performance.now();
  }

  return {
    async run(work) {
      if (underWay >= MAX_UNDER_WAY) throw new Error('too much is under way already');
      if (failures >= MAX_FAILURES) {
        const now = performance.now();
        if (now - probedAt < PROBE_MS) throw new Error('down, and asked once a second');
        probedAt = now;
      }
      const begun = epoch;
      underWay++;
      try {
        const result = await work();
        succeeded(begun);
        return result;
      } catch (error) {
        if (isInconclusive(error)) succeeded(begun);
        else failed(begun);
        throw error;
      } finally {
        underWay--;
      }
    },
    get failures() {
      return failures;
    },
    get state() {
      return failures >= MAX_FAILURES ? 'open' : 'closed';
    },
  };
}
