// Judges what comes of every token that is presented, by what the endpoint was able to say at that
// time. Makes no load.
import { type Authenticator, isAuthError } from '@latchkey/core';
import { isOfAcceptance } from './acceptance.ts';
import { sharedNow } from './companion.ts';
import type { Tokens } from './tokens.ts';

/** What the endpoint can do: say, not say, or either, while that changes. */
export type Era = 'says' | 'changes' | 'mute';

/** What came of all requests so far. */
export interface Verdicts {
  readonly requests: number;
  readonly principals: number;
  /**
   * Principals of tokens that the endpoint did not accept, and requests that passed without any.
   */
  readonly failOpen: number;
  /** Answers that are wrong in another way, by what they were: `401 token_rejected while mute`. */
  readonly odd: ReadonlyMap<string, number>;
  /** Those that said that nobody can say. */
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
   * When the call began that made the endpoint be asked about this token at this time, by
   * `sharedNow()`. Known until it can say again.
   */
  begunAt(token: string, asked: number): number | undefined;
  /** When the first principal came since the era began, by `sharedNow()`. */
  readonly firstPrincipal: number | undefined;
  /** The longest that a refusal took since this was last asked. */
  takeSlowest(): number;
  readonly verdicts: Verdicts;
}

/** Makes a judge. */
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
  // Those who bring the same token at the same time share one call: that of the first.
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
      // What has begun before a change may come of what was before it, or after.
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
