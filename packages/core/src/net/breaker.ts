// A circuit breaker for one remote service. After five failures in a row it opens: calls fail at
// once, and one per second is made, to find out whether the service is back.

/** Guards one remote service. */
export interface Breaker {
  /**
   * Does the work. Rejects at once if the breaker is open or too many calls are running.
   * @param subject what the call is about, such as a token. An answered failure counts once for
   *   each subject, so that one odd token does not open the breaker for all
   */
  run<T>(work: () => Promise<T>, subject?: string): Promise<T>;
  /** Failures in a row, as far as they count. */
  readonly failures: number;
  /** `closed`: each call is made. `open`: one call per second is made; the others fail at once. */
  readonly state: 'closed' | 'open';
}

// Marks on errors. Symbols, so that errors of other code are never taken for marked ones. They are
// registered, because a group resolver may use another copy of this package.
const INCONCLUSIVE: unique symbol = Symbol.for('@latchkey/inconclusive');
const ANSWERED: unique symbol = Symbol.for('@latchkey/answered');
const OVERLOADED: unique symbol = Symbol.for('@latchkey/overloaded');

/**
 * Makes the error for an unusable answer. The breaker counts it like a success: the service has
 * answered, and the request may be the cause. One caller with odd requests must not open the
 * breaker for all.
 */
export function inconclusive(message: string): Error {
  return Object.assign(new Error(message), { [INCONCLUSIVE]: true });
}

/**
 * Makes the error for an answer that reports a failure of the service, such as a 500. The failure
 * may concern this one request only, so the breaker counts it once for each subject.
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
 * Makes a breaker that opens after five failures in a row, and closes with the first success.
 * @param monotonic the monotonic time, in milliseconds
 */
export function createBreaker(monotonic: () => number = () => performance.now()): Breaker {
  let failures = 0;
  let probedAt = 0;
  let underWay = 0;
  /** Incremented at each opening and closing. Results of calls of an earlier epoch are ignored. */
  let epoch = 0;
  /** The subjects whose answered failures have been counted since the last success. */
  const counted = new Set<string>();
  const isOpen = () => failures >= MAX_FAILURES;

  function succeeded(): void {
    if (isOpen()) epoch++;
    failures = 0;
    counted.clear();
  }

  /** @param subject of an answered failure */
  function failed(subject: string | undefined): void {
    if (subject !== undefined) {
      if (counted.has(subject)) return;
      // Bounded: an open breaker adds no subjects.
      if (!isOpen()) counted.add(subject);
    }
    failures++;
    // Later failures are those of single probes: the breaker is open already.
    if (failures !== MAX_FAILURES) return;
    epoch++;
    probedAt = monotonic();
  }

  return {
    async run(work, subject) {
      if (underWay >= MAX_UNDER_WAY) {
        throw Object.assign(new Error('too many calls are running'), { [OVERLOADED]: true });
      }
      if (isOpen()) {
        const now = monotonic();
        if (now - probedAt < PROBE_MS) throw new Error('the circuit is open; it is probed once per second');
        probedAt = now;
      }
      const begunIn = epoch;
      underWay++;
      try {
        const result = await work();
        if (begunIn === epoch) succeeded();
        return result;
      } catch (error) {
        if (begunIn === epoch) {
          if (isMarked(error, INCONCLUSIVE)) succeeded();
          else failed(isMarked(error, ANSWERED) ? subject : undefined);
        }
        throw error;
      } finally {
        underWay--;
      }
    },
    get failures() {
      return failures;
    },
    get state() {
      return isOpen() ? 'open' : 'closed';
    },
  };
}
