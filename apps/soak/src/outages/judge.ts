// Judges the answer to every token by the endpoint's state at that time. The load is in remote.ts.
import { type Authenticator, isAuthError } from '@latchkey/core';
import { isOfAcceptance } from './acceptance.ts';
import { sharedNow } from './companion.ts';
import type { Tokens } from './tokens.ts';

/**
 * The endpoint's state: `says` if it answers, `mute` if it cannot, `changes` if it is between both.
 */
export type Era = 'says' | 'changes' | 'mute';

/** The results of all requests so far. */
export interface Verdicts {
  readonly requests: number;
  readonly principals: number;
  /**
   * The number of principals for tokens that the endpoint did not accept, and of requests that
   * passed without a principal.
   */
  readonly failOpen: number;
  /** The number of other wrong answers, by kind: `valid: 401 token_rejected (mute)`. */
  readonly odd: ReadonlyMap<string, number>;
  /** The number of refusals because the endpoint is unavailable. */
  readonly unavailable: number;
}

/** Judges one authenticator. */
export interface Judge {
  readonly name: string;
  readonly authenticator: Authenticator;
  /** Presents a token. Never rejects. */
  present(kind: 'valid' | 'forged'): Promise<void>;
  era(era: Era): void;
  /**
   * The start time, by `sharedNow()`, of the call that caused this request to the endpoint for this
   * token. It is known until the endpoint can answer again.
   */
  begunAt(token: string, asked: number): number | undefined;
  /** The time of the first principal in this era, by `sharedNow()`. */
  readonly firstPrincipal: number | undefined;
  /** The longest time of a refusal since the last `takeSlowest`. */
  takeSlowest(): number;
  readonly verdicts: Verdicts;
}

/** Creates a judge. */
export function createJudge(name: string, authenticator: Authenticator, tokens: Tokens): Judge {
  const odd = new Map<string, number>();
  let requests = 0;
  let principals = 0;
  let failOpen = 0;
  let unavailable = 0;
  let slowestMs = 0;
  let era: Era = 'says';
  let eras = 0;
  let firstPrincipal: number | undefined;
  // Concurrent requests with the same token share one call, which the first one starts.
  const begun = new Map<string, { readonly times: number[]; underWay: number }>();

  function begin(token: string): { underWay: number } {
    const call = begun.get(token) ?? { times: [], underWay: 0 };
    begun.set(token, call);
    if (call.underWay++ === 0) call.times.push(sharedNow());
    return call;
  }

  return {
    name,
    authenticator,
    async present(kind) {
      const { token, request } = tokens[kind]();
      const began = { at: performance.now(), eras };
      requests++;
      const call = begin(token);
      let outcome: string;
      try {
        const principal = await authenticator.authenticate(request);
        const isAccepted = principal !== undefined && isOfAcceptance(principal, token);
        outcome = isAccepted ? 'principal' : 'passed unaccepted';
      } catch (error) {
        outcome = isAuthError(error) ? `${error.status} ${error.code}` : `error ${error}`;
        if (isAuthError(error) && error.status === 503 && !('Retry-After' in error.headers))
          outcome += ', bare';
        slowestMs = Math.max(slowestMs, performance.now() - began.at);
      }
      call.underWay--;
      // A request that began before a change may get an answer of either state.
      const isSettled = began.eras === eras;
      const during = isSettled ? era : 'changes';
      if (outcome === 'principal' && kind === 'valid' && during !== 'mute') {
        principals++;
        firstPrincipal ??= sharedNow();
        return;
      }
      if (outcome === 'principal' || outcome === 'passed unaccepted') failOpen++;
      if (outcome === UNAVAILABLE) unavailable++;
      const isRight =
        (outcome === UNAVAILABLE && during !== 'says') ||
        (outcome === REJECTED && kind === 'forged' && during !== 'mute');
      if (isRight) return;
      const text = `${kind}: ${outcome} (${during})`;
      odd.set(text, (odd.get(text) ?? 0) + 1);
    },
    era(next) {
      era = next;
      eras++;
      firstPrincipal = undefined;
      if (next !== 'changes') begun.clear();
    },
    begunAt: (token, asked) => begun.get(token)?.times.findLast((at) => at <= asked),
    get firstPrincipal() {
      return firstPrincipal;
    },
    takeSlowest() {
      const taken = slowestMs;
      slowestMs = 0;
      return taken;
    },
    get verdicts() {
      return { requests, principals, failOpen, odd, unavailable };
    },
  };
}

const UNAVAILABLE = '503 remote_unavailable';
const REJECTED = '401 token_rejected';
