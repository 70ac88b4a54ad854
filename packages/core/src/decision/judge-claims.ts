// Checks the claims of a token that a key or an endpoint vouches for: what must hold for every
// token, whatever its route requires.
import { type ClaimCheck, type CompiledRules, firstFailure } from '../claims/compile.ts';
import { checkEvents, judgeRegisteredClaims, type RegisteredCheck } from '../claims/registered.ts';
import { ruleDetail } from '../claims/rule-detail.ts';
import { AuthError } from '../errors.ts';
import { createAnswerChecks } from '../remote/answer-checks.ts';
import { type JsonObject, own } from '../values/json.ts';
import { issuerText } from './details.ts';
import { traceRules } from './judge-rules.ts';
import type { PrincipalContext } from './principal.ts';
import type { Reports } from './report-only.ts';
import type { AuthenticatorSettings } from './settings.ts';
import type { TokenPolicy } from './token-policy.ts';
import { ignoringFaultsAfter, type Trace } from './trace.ts';
import { ends, notTheSystem, type Verdict, type Vouched } from './vouch.ts';

/** A policy, with what its tokens are checked by. */
export interface PreparedPolicy extends TokenPolicy {
  readonly checks: readonly RegisteredCheck[];
  readonly context: PrincipalContext;
  /** The same for tokens that are bound to a key. */
  readonly bound: PrincipalContext;
}

/** Checks claims. The verdict gets the refusal. */
export type JudgeClaims = (
  vouched: Vouched,
  policy: PreparedPolicy,
  isSystem: boolean,
  verdict: Verdict,
) => void;

/**
 * Makes the function.
 * @param common the policy of tokens that no keyset has verified
 */
export function createClaimsJudge(
  settings: AuthenticatorSettings,
  context: PrincipalContext,
  common: PreparedPolicy,
): JudgeClaims {
  const { issuers, systemSubject, clock } = settings;
  // An answer of the endpoint, and the token that it accepts, are judged by the options for all.
  const audienceChecks = common.checks.filter(({ claim }) => claim === 'aud');
  const checksOfAnswer = settings.remote && createAnswerChecks(settings.policy.registered, settings.remote);

  /**
   * Checks what must hold for every token: the registered claims, the issuer in the answer of an
   * endpoint, the system subject, the rules.
   */
  function judgeClaims(vouched: Vouched, policy: PreparedPolicy, isSystem: boolean, verdict: Verdict): void {
    const { claims, isRemote, tokenClaims } = vouched;
    const { trace } = verdict;
    const nowMs = clock.now();
    const refusal = judgeRegisteredClaims(
      (isRemote ? checksOfAnswer?.(claims, tokenClaims) : undefined) ?? policy.checks,
      claims,
      nowMs,
      trace && ((check, found) => trace({ stage: 'registered claim', check, claims, nowMs, refusal: found })),
    );
    if (ends(verdict, refusal)) return;
    if (isRemote) {
      const issuer = own(claims, 'iss');
      const isWelcome = (issuer === undefined || typeof issuer === 'string') && issuers?.(issuer) !== false;
      const untrusted = isWelcome
        ? undefined
        : new AuthError('token_issuer_untrusted', {
            detail: `issuers does not accept ${issuerText(issuer)}`,
          });
      trace?.({ stage: 'issuer', issuer, vouchedBy: 'endpoint', refusal: untrusted });
      if (ends(verdict, untrusted)) return;
    }
    if (tokenClaims !== undefined) {
      const contradiction = judgeTokenItself(tokenClaims, claims, nowMs, trace);
      if (ends(verdict, contradiction)) return;
    }
    if (systemSubject !== undefined && own(claims, 'sub') === systemSubject) {
      const impostor = isSystem ? undefined : notTheSystem();
      trace?.({ stage: 'system subject', refusal: impostor });
      if (ends(verdict, impostor)) return;
    }
    for (const rules of policy.claims) {
      const broken = ignoringFaultsAfter(verdict.refusal, () =>
        judgeTokenRules(rules, claims, context, verdict.reports ?? [], trace),
      );
      if (ends(verdict, broken)) return;
    }
  }

  /**
   * Checks `aud`, `iss` and `events` in the JWT that the endpoint accepted. They only restrict: a
   * token for another API, of another issuer, or of events is refused, whatever the endpoint
   * answers.
   * @param claims the answer of the endpoint
   */
  function judgeTokenItself(
    tokenClaims: JsonObject,
    claims: JsonObject,
    nowMs: number,
    trace: Trace | undefined,
  ): AuthError | undefined {
    const hasAudience = Object.hasOwn(tokenClaims, 'aud');
    const wrongAudience = hasAudience ? judgeRegisteredClaims(audienceChecks, tokenClaims, nowMs) : undefined;
    const issuer = own(tokenClaims, 'iss');
    const answered = own(claims, 'iss');
    const isTrusted =
      issuer === undefined ||
      (typeof issuer === 'string' &&
        (answered === undefined || issuer === answered) &&
        issuers?.(issuer) !== false);
    const untrusted = isTrusted
      ? undefined
      : new AuthError('token_issuer_untrusted', {
          detail: `${issuerText(issuer)} of the token itself is not accepted, whatever the endpoint says`,
        });
    const isEvent = checkEvents(tokenClaims);
    const record = (claim: 'aud' | 'iss' | 'events', refusal: AuthError | undefined) => {
      if (Object.hasOwn(tokenClaims, claim))
        trace?.({ stage: 'token itself', claim, value: own(tokenClaims, claim), refusal });
    };
    record('aud', wrongAudience);
    record('iss', untrusted);
    record('events', isEvent);
    return wrongAudience ?? untrusted ?? isEvent;
  }

  return judgeClaims;
}

/**
 * Returns why rules on every token refuse one; undefined if they do not.
 * @param reports gets what is not refused, because of `enforce`
 */
export function judgeTokenRules(
  rules: CompiledRules,
  claims: JsonObject,
  context: PrincipalContext,
  reports: Reports,
  trace?: Trace,
): AuthError | undefined {
  const judge =
    trace === undefined
      ? firstFailure
      : traceRules('claims', (check) => invalidBy(ruleDetail(check, claims, context)), trace);
  const unmet: ClaimCheck[] = [];
  const failed = judge(rules, claims, context, unmet);
  const first = failed ?? unmet[0];
  if (first === undefined) return undefined;
  const refusal = invalidBy(ruleDetail(first, claims, context));
  if (failed !== undefined) return refusal;
  reports.push({ refusal, claims: unmet.map(({ claim }) => claim) });
  return undefined;
}

function invalidBy(detail: string): AuthError {
  return new AuthError('token_claims_invalid', { detail });
}
