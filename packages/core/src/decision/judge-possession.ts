// Applies proof of possession to the decision on the token of a request, and writes it into the
// trace. How a proof is judged is in possession/.
import type { ProtectionSpace } from '../challenge.ts';
import type { RequestView } from '../credentials/request.ts';
import { type AuthError, inSpace } from '../errors.ts';
import { isByDpop } from '../possession/create.ts';
import type { NoteProof } from '../possession/kind.ts';
import { mismatch, type Possession } from '../possession/possession.ts';
import { isPromise } from '../values/promise.ts';
import type { Refused, TokenDecision } from './decision.ts';
import { signedClaims } from './principal.ts';
import type { Trace } from './trace.ts';

type Made = TokenDecision | Promise<TokenDecision>;

/** Applies the proofs of requests. */
export interface PossessionJudge {
  /** Refuses a verified token whose request does not prove its key. Judged for each request. */
  prove(judged: Made, token: string, request: RequestView, trace: Trace | undefined): Made;
  /**
   * Refuses a verified token that is bound, or that has to be, where no request is: only a request
   * has the proof.
   */
  refuseBound(verified: TokenDecision, trace: Trace | undefined): TokenDecision;
  /** Writes the error into the challenge of the scheme by which the token came. */
  challenge(refused: Refused, request: RequestView): Refused;
}

/** Makes the judge of an authenticator. */
export function createPossessionJudge(
  possession: Possession,
  space: ProtectionSpace | undefined,
): PossessionJudge {
  function refused(
    error: AuthError,
    verified: TokenDecision & { readonly ok: true },
    trace: Trace | undefined,
  ) {
    const decision = { ok: false, error: inSpace(error, space) } as const;
    return trace === undefined ? decision : { ...decision, claims: signedClaims(verified.principal) };
  }

  function proveOne(
    verified: TokenDecision,
    token: string,
    request: RequestView,
    trace: Trace | undefined,
  ): Made {
    if (!verified.ok) return verified;
    const note = noteIn(trace);
    const refusal = possession.judge({ claims: signedClaims(verified.principal), token, request, note });
    const conclude = (error: AuthError | undefined) =>
      error === undefined ? verified : refused(error, verified, trace);
    return isPromise(refusal) ? refusal.then(conclude) : conclude(refusal);
  }

  return {
    prove: (judged, token, request, trace) =>
      isPromise(judged)
        ? judged.then((verified) => proveOne(verified, token, request, trace))
        : proveOne(judged, token, request, trace),
    refuseBound(verified, trace) {
      if (!verified.ok) return verified;
      const claims = signedClaims(verified.principal);
      const isBound = Object.hasOwn(claims, 'cnf');
      if (!isBound && !possession.isRequired) return verified;
      const error = mismatch(
        isBound
          ? 'the token is bound to a key or a certificate, and only a request can have the proof'
          : 'the options require bound tokens, and only a request can have the proof',
        isByDpop(claims) ? 'DPoP' : undefined,
      );
      noteIn(trace)?.('cnf', error);
      return refused(error, verified, trace);
    },
    challenge(decided, request) {
      const scheme = possession.schemeOf(request);
      return scheme === undefined ? decided : { ...decided, error: decided.error.withChallenge({ scheme }) };
    },
  };
}

function noteIn(trace: Trace | undefined): NoteProof | undefined {
  return trace && ((about, refusal) => trace({ stage: 'possession', about, refusal }));
}
