// Answers of the application about issuers that only tokens name: whether a tenant is welcome,
// which keyset an issuer has. They are kept for a while, within bounds. What an answer means is
// decided elsewhere.
import { LRUCache } from 'lru-cache';
import { AuthError, asError, isAuthError } from '../errors.ts';
import { withDeadline } from '../net/deadline.ts';
import { createCallNotice } from '../net/outage.ts';
import { isPromise } from '../values/promise.ts';

/** How an answer is asked for, and for how many issuers it is kept. */
interface AnswersSettings<G, V> {
  /** The option that answers, for messages. */
  readonly name: string;
  /** Asks the application. Undefined: no. */
  ask(issuer: string): G | undefined | Promise<G | undefined>;
  /**
   * Makes the value from what the application gave.
   * @throws AuthError `keyset_unavailable`
   */
  make(issuer: string, given: G): V;
  /** Called with each value after its last use. */
  readonly dropped?: (value: V, issuer: string) => void;
  /** The greatest number of issuers with a value. */
  readonly most: number;
  /** The greatest number of those that are not confirmed. Default: `most`, and none need it. */
  readonly candidates?: number;
  readonly monotonic: () => number;
}

/** Answers by issuer. */
export interface Answers<V> {
  /**
   * Returns the answer, synchronously if it is known. Undefined: no.
   * @throws AuthError `keyset_unavailable` (or rejects with it) if the application fails, or too
   *   many unknown issuers are asked about
   */
  of(issuer: string): V | undefined | Promise<V | undefined>;
  /** Records that the issuer is a real one: no unconfirmed issuer pushes it out. */
  confirm(issuer: string): void;
  /** The number of issuers with a value. */
  size(): number;
  /** Why the application failed last, without secrets. Undefined if it did not. */
  lastError(): string | undefined;
  /** Stops asking, and drops all values. */
  close(): void;
}

/** How long a value may be used after the application gave it. */
const ANSWER_MS = 60_000;
/** A value is asked for again after this share of that time, so that no request waits. */
const ASK_AHEAD = 0.75;
/** How long a no counts. */
const NO_MS = 10_000;
/** The pause after a failure, for each issuer. */
const FAILURE_MS = 1_000;
/** How long the application may take for one answer. */
const ANSWER_DEADLINE_MS = 5_000;
/** Issuers without a value that are remembered. */
export const MAX_REFUSED = 4_096;
/** Issuers without a value that are asked about at the same time: they may be made up. */
export const MAX_ASKED = 64;

/** Makes answers. Asks nothing yet. */
export function createAnswers<G, V extends object | true>(settings: AnswersSettings<G, V>): Answers<V> {
  const { name, most, monotonic, dropped = () => {} } = settings;
  const stopping = new AbortController();
  const notice = createCallNotice(
    name,
    'tokens that need it are answered with 503',
    stopping.signal,
    monotonic,
  );
  let isMoving = false;
  const placeFor = (max: number) =>
    new LRUCache<string, { readonly value: V; readonly askedAt: number }>({
      max,
      dispose: ({ value }, issuer) => {
        if (!isMoving) dropped(value, issuer);
      },
    });
  const confirmed = placeFor(most);
  const candidates = placeFor(settings.candidates ?? most);
  const refused = new LRUCache<string, { readonly untilMs: number; readonly failure?: AuthError }>({
    max: MAX_REFUSED,
  });
  const running = new Map<string, Promise<V | undefined>>();
  let strangers = 0;

  /** @param askedAt the answer is as old as the question */
  function settle(issuer: string, given: G | undefined, askedAt: number): V | undefined {
    if (stopping.signal.aborted) throw unavailable(name);
    if (given === undefined) {
      confirmed.delete(issuer);
      candidates.delete(issuer);
      refused.set(issuer, { untilMs: askedAt + NO_MS });
      return undefined;
    }
    const value = settings.make(issuer, given);
    refused.delete(issuer);
    (confirmed.has(issuer) ? confirmed : candidates).set(issuer, { value, askedAt });
    return value;
  }

  function fail(issuer: string, cause: unknown): AuthError {
    // A refusal that the application throws says nothing of the token.
    const isOurs = isAuthError(cause) && cause.code === 'keyset_unavailable';
    const failure = isOurs ? cause : unavailable(name, asError(cause));
    if (!stopping.signal.aborted) refused.set(issuer, { untilMs: monotonic() + FAILURE_MS, failure });
    return failure;
  }

  function ask(issuer: string): V | undefined | Promise<V | undefined> {
    if (stopping.signal.aborted) throw unavailable(name);
    const isStranger = !confirmed.has(issuer) && !candidates.has(issuer);
    // Those that have a value are as many as there is room for, so they are not counted.
    if (isStranger && strangers >= MAX_ASKED)
      throw new AuthError('keyset_unavailable', {
        detail: `${name}: too many unknown issuers at the same time`,
        retryAfterSeconds: 1,
      });
    const askedAt = monotonic();
    let answer: G | undefined | Promise<G | undefined>;
    try {
      answer = settings.ask(issuer);
    } catch (error) {
      void notice.watch(() => Promise.reject(error)).catch(() => {});
      throw fail(issuer, error);
    }
    if (!isPromise(answer)) {
      if (notice.lastError() !== undefined) void notice.watch(() => Promise.resolve());
      try {
        return settle(issuer, answer, askedAt);
      } catch (error) {
        throw fail(issuer, error);
      }
    }
    const asked = answer;
    if (isStranger) strangers++;
    const whole = notice
      .watch(() => withDeadline(ANSWER_DEADLINE_MS, stopping.signal, () => asked, late))
      .then((value) => settle(issuer, value, askedAt))
      .catch((error: unknown) => Promise.reject(fail(issuer, error)))
      .finally(() => {
        running.delete(issuer);
        if (isStranger) strangers--;
      });
    running.set(issuer, whole);
    return whole;
  }

  return {
    of(issuer) {
      const now = monotonic();
      const found = confirmed.get(issuer) ?? candidates.get(issuer);
      const ageMs = found === undefined ? Number.POSITIVE_INFINITY : now - found.askedAt;
      if (found !== undefined && ageMs < ANSWER_MS) {
        if (ageMs >= ANSWER_MS * ASK_AHEAD && !running.has(issuer) && !isRefused(issuer, now))
          askAhead(issuer);
        return found.value;
      }
      const no = refused.get(issuer);
      if (no !== undefined && now < no.untilMs) {
        if (no.failure !== undefined) throw no.failure;
        return undefined;
      }
      return running.get(issuer) ?? ask(issuer);
    },
    confirm(issuer) {
      const found = candidates.peek(issuer);
      if (found === undefined) return;
      isMoving = true;
      candidates.delete(issuer);
      isMoving = false;
      confirmed.set(issuer, found);
    },
    size: () => confirmed.size + candidates.size,
    lastError: notice.lastError,
    close() {
      stopping.abort();
      confirmed.clear();
      candidates.clear();
      refused.clear();
    },
  };

  function isRefused(issuer: string, now: number): boolean {
    const no = refused.get(issuer);
    return no !== undefined && now < no.untilMs;
  }

  /** Asks while the value is still good. A failure is told, and concerns no request yet. */
  function askAhead(issuer: string): void {
    try {
      const answer = ask(issuer);
      if (isPromise(answer)) answer.catch(() => {});
    } catch {
      // The notice has told of it.
    }
  }
}

function late(): Error {
  return new Error(`no answer within ${ANSWER_DEADLINE_MS} ms`);
}

function unavailable(name: string, cause?: unknown): AuthError {
  return new AuthError('keyset_unavailable', {
    detail: `${name} ${cause === undefined ? 'is closed' : 'failed'}`,
    ...(cause === undefined ? {} : { cause }),
    retryAfterSeconds: 1,
  });
}
