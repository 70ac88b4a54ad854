// Applies the list of revocations to the decision on the token of a request, and writes it into the
// trace. What the list has is in revocation/.
import { AuthError, inSpace } from '../errors.ts';
import { unverifiedClaims } from '../remote/endpoint.ts';
import type { RevocationList } from '../revocation/list.ts';
import type { RevocationKind } from '../revocation/revocation.ts';
import type { JsonObject } from '../values/json.ts';
import { isPromise } from '../values/promise.ts';
import type { TokenDecision } from './decision.ts';
import { signedClaims } from './principal.ts';
import type { AuthenticatorSettings } from './settings.ts';
import type { Trace } from './trace.ts';

type Made = TokenDecision | Promise<TokenDecision>;

/** Refuses verified tokens that have been revoked. Judged for each request. */
export interface RevocationJudge {
  judge(verified: TokenDecision, token: string, trace: Trace | undefined): TokenDecision;
  /** The same for a decision that may be on its way. */
  judgeLater(judged: Made, token: string, trace: Trace | undefined): Made;
}

/** Makes the judge of an authenticator. */
export function createRevocationJudge(
  list: RevocationList,
  settings: AuthenticatorSettings,
): RevocationJudge {
  const { remote, maxTokenBytes, space } = settings;
  const acceptsStale = settings.revocation?.acceptsStale === true;

  /** The answer of an endpoint may lack what the token itself has. */
  function find(claims: JsonObject, token: string): RevocationKind | undefined {
    const found = list.find(claims);
    if (found !== undefined || remote === undefined) return found;
    const itself = unverifiedClaims(token, maxTokenBytes);
    return itself && list.find(itself);
  }

  function judge(verified: TokenDecision, token: string, trace: Trace | undefined): TokenDecision {
    if (!verified.ok) return verified;
    const claims = signedClaims(verified.principal);
    const kind = find(claims, token);
    const problem = kind === undefined && !acceptsStale ? list.whyNotCurrent() : undefined;
    if (kind === undefined && problem === undefined) {
      trace?.({ stage: 'revocation', kind });
      return verified;
    }
    const refusal =
      kind === undefined
        ? new AuthError('revocation_unavailable', { detail: problem })
        : new AuthError('token_revoked', { detail: TEXTS[kind] });
    trace?.({ stage: 'revocation', kind, refusal });
    const decision = { ok: false, error: inSpace(refusal, space) } as const;
    return trace === undefined ? decision : { ...decision, claims };
  }

  return {
    judge,
    judgeLater: (judged, token, trace) =>
      isPromise(judged)
        ? judged.then((verified) => judge(verified, token, trace))
        : judge(judged, token, trace),
  };
}

const TEXTS: { readonly [Kind in RevocationKind]: string } = {
  jti: 'the token has been revoked, by its jti',
  sid: 'the session of the token has been ended, by its sid',
  sub: 'the tokens of the subject that were issued before a time have been revoked, by their sub',
  client: 'the tokens of the client that were issued before a time have been revoked, by client_id or azp',
  issuer: 'all tokens of the issuer that were issued before a time have been revoked',
};
