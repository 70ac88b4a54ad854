// A breaker before a place that answers slowly or not at all: few failures are waited for, and then
// the place is asked rarely.

/** Guards one place that is asked over the network. */
export interface Breaker {
  /**
   * Does the work, unless the place is known to be down or too much is under way there: then it
   * rejects at once.
   * @param about what is asked about: an answer that is a failure counts once for each, so that one
   *   odd token or subject does not make the place down for all
   */
  run<T>(work: () => Promise<T>, about?: string): Promise<T>;
  /** Failures in a row. */
  readonly failures: number;
  /** `closed`: each request asks. `open`: one asks a second, and the others are told at once. */
  readonly state: 'closed' | 'open';
}

// Marks on errors. Symbols of this module: no other code's error is taken for one.
const INCONCLUSIVE: unique symbol = Symbol('inconclusive');
const ANSWERED: unique symbol = Symbol('answered');
const OVERLOADED: unique symbol = Symbol('overloaded');

/**
 * Makes the error for an answer that came and cannot be used. The question may be at fault, so the
 * breaker does not count it as a failure: one caller with odd questions must not shut the place for
 * all.
 */
export function inconclusive(message: string): Error {
  return Object.assign(new Error(message), { [INCONCLUSIVE]: true });
}

/**
 * Makes the error for an answer that says that the place fails. It may be about this one question
 * only.
 */
export function answeredFailure(message: string): Error {
  return Object.assign(new Error(message), { [ANSWERED]: true });
}

/**
 * True for the error of work that did not begin, since too much is under way already: it says
 * nothing of the place.
 */
export function isOverloaded(error: unknown): boolean {
  return isMarked(error, OVERLOADED);
}

function isMarked(error: unknown, mark: symbol): boolean {
  return typeof error === 'object' && error !== null && mark in error;
}

const MAX_FAILURES = 5;
const PROBE_MS = 1_000;
/** While a place hangs, what waits for it must not grow without bound. */
export const MAX_UNDER_WAY = 256;

/**
 * Makes a breaker that opens after five failures in a row, and closes with the first success. Time
 * is monotonic.
 */
export function createBreaker(): Breaker {
  let failures = 0;
  let probedAt = 0;
  let underWay = 0;
  /**
   * Changes with every opening and closing: what was begun before says nothing of the time after.
   */
  let epoch = 0;
  /** What answers that were failures were about, since the last success. */
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
        throw Object.assign(new Error('too much is under way already'), { [OVERLOADED]: true });
      }
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
