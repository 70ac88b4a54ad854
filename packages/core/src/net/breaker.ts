// A circuit breaker for one remote service: after a few failures, most requests fail at once, and
// one per second tries the service.

/** Guards one remote service. */
export interface Breaker {
  /**
   * Does the work. Rejects at once if the service is known to be down or too many calls are
   * running.
   * @param about the subject of the call. A failure that the service itself answered counts once
   *   per subject, so that one odd token or subject does not open the breaker for all
   */
  run<T>(work: () => Promise<T>, about?: string): Promise<T>;
  /** Failures in a row. */
  readonly failures: number;
  /** `closed`: each call is made. `open`: one call per second is made; the others fail at once. */
  readonly state: 'closed' | 'open';
}

// Marks on errors. The symbols are private to this module, so that errors of other code are never
// taken for marked ones.
const INCONCLUSIVE: unique symbol = Symbol('inconclusive');
const ANSWERED: unique symbol = Symbol('answered');
const OVERLOADED: unique symbol = Symbol('overloaded');

/**
 * Makes the error for an unusable answer. The request may be the cause, so the breaker does not
 * count it as a failure: one caller with odd requests must not close the service for all.
 */
export function inconclusive(message: string): Error {
  return Object.assign(new Error(message), { [INCONCLUSIVE]: true });
}

/**
 * Makes the error for an answer that reports a failure of the service. The failure may concern this
 * one request only.
 */
export function answeredFailure(message: string): Error {
  return Object.assign(new Error(message), { [ANSWERED]: true });
}

/**
 * True for the error of work that did not start because too many calls are running. It says nothing
 * about the service.
 */
export function isOverloaded(error: unknown): boolean {
  return isMarked(error, OVERLOADED);
}

function isMarked(error: unknown, mark: symbol): boolean {
  return typeof error === 'object' && error !== null && mark in error;
}

const MAX_FAILURES = 5;
const PROBE_MS = 1_000;
/** While a service hangs, the number of waiting calls must not grow without bound. */
export const MAX_UNDER_WAY = 256;

/**
 * Makes a breaker that opens after five failures in a row, and closes with the first success. Uses
 * the monotonic clock.
 */
export function createBreaker(): Breaker {
  let failures = 0;
  let probedAt = 0;
  let underWay = 0;
  /**
   * Incremented at each opening and closing: a call that began earlier does not count afterwards.
   */
  let epoch = 0;
  /** The subjects of the answered failures since the last success. */
  const about = new Set<string>();

  function succeeded(begun: number): void {
    if (begun !== epoch) return;
    if (failures >= MAX_FAILURES) epoch++;
    failures = 0;
    about.clear();
  }

  function failed(begun: number, subject: string | undefined): void {
    if (begun !== epoch || (subject !== undefined && about.has(subject))) return;
    if (subject !== undefined && failures < MAX_FAILURES) about.add(subject);
    if (++failures !== MAX_FAILURES) return;
    epoch++;
    probedAt = performance.now();
  }

  return {
    async run(work, subject) {
      if (underWay >= MAX_UNDER_WAY) {
        throw Object.assign(new Error('too many calls are running'), { [OVERLOADED]: true });
      }
      if (failures >= MAX_FAILURES) {
        const now = performance.now();
        if (now - probedAt < PROBE_MS) throw new Error('the circuit is open; it is probed once per second');
        probedAt = now;
      }
      const begun = epoch;
      underWay++;
      try {
        const result = await work();
        succeeded(begun);
        return result;
      } catch (error) {
        if (isMarked(error, INCONCLUSIVE)) succeeded(begun);
        else failed(begun, isMarked(error, ANSWERED) ? subject : undefined);
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
