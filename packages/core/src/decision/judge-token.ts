// The decision on a token, whatever its route requires: who vouches for its claims (vouch.ts,
// vouch-by-endpoint.ts), the claims (judge-claims.ts), groups, the principal. The result may come
// from a cache.
import { withTextSub } from '../claims/numeric-sub.ts';
import { registeredChecks, validityOf } from '../claims/registered.ts';
import { AuthError, inSpace, refusalIn } from '../errors.ts';
import type { Groups } from '../groups/groups.ts';
import { noteAccepted } from '../keysets/accepted.ts';
import type { Keyset } from '../keysets/keyset.ts';
import { isByDpop } from '../possession/create.ts';
import type { RemoteEndpoint } from '../remote/endpoint.ts';
import { type JsonObject, own } from '../values/json.ts';
import { isPromise } from '../values/promise.ts';
import type { TokenDecision } from './decision.ts';
import { createClaimsJudge, judgeTokenRules, type PreparedPolicy } from './judge-claims.ts';
import { type DecisionFacts, noteKeyset } from './outcome.ts';
import { createPrincipal, noteToken, type PrincipalContext } from './principal.ts';
import { type Reports, withReports } from './report-only.ts';
import type { AuthenticatorSettings } from './settings.ts';
import { type TokenPolicy, tokenPolicies } from './token-policy.ts';
import type { Trace } from './trace.ts';
import { createVerifiedTokens } from './verified-tokens.ts';
import { createVouchByKey, hasEnded, type KeysetParts, type Verdict, type Vouched } from './vouch.ts';
import { createVouchByEndpoint } from './vouch-by-endpoint.ts';

/** The parts that decisions on tokens use. The authenticator makes them. */
export interface TokenParts extends Omit<KeysetParts, 'policies'> {
  readonly remote: RemoteEndpoint | undefined;
  /** The keysets with `system: true`: only they verify tokens with the system subject. */
  readonly system: ReadonlySet<Keyset>;
  /** What tokens of these keysets must be, in place of what the options say. */
  readonly policies: ReadonlyMap<Keyset, TokenPolicy>;
  /** The same for keysets that the application finds while requests run. */
  readonly policyOfFound?: ((keyset: Keyset) => TokenPolicy | undefined) | undefined;
  readonly groups: Groups | undefined;
}

/** Decides on tokens. */
export interface TokenJudge {
  /** Returns the decision on a cached token; undefined for a token that has to be verified. */
  recall(token: string, facts: DecisionFacts | undefined): TokenDecision | Promise<TokenDecision> | undefined;
  judge(
    token: string,
    trace: Trace | undefined,
    facts: DecisionFacts | undefined,
  ): TokenDecision | Promise<TokenDecision>;
  /** Drops all cached tokens. */
  clear(): void;
}

/**
 * Makes the judge. Fetches nothing before the first token.
 * @param context what principals take along; their policy adds to it
 */
export function createTokenJudge(
  settings: AuthenticatorSettings,
  parts: TokenParts,
  context: PrincipalContext,
): TokenJudge {
  const { space, clock, resources } = settings;
  const { system, remote, groups } = parts;
  const policies = tokenPolicies(
    settings.policy,
    parts.policies,
    (policy): PreparedPolicy => {
      const { maxTokenAgeMs } = policy.registered;
      const checks = registeredChecks(policy.registered);
      const { unnamed } = policy;
      const its: PrincipalContext = Object.freeze({ ...context, maxTokenAgeMs, unnamed });
      // Later refusals of a bound token are challenges of the scheme by which it came.
      const bound: PrincipalContext =
        settings.possession?.dpop === undefined || space === undefined
          ? its
          : Object.freeze({ ...its, space: Object.freeze({ ...space, scheme: 'DPoP' as const }) });
      return { ...policy, checks, context: its, bound };
    },
    parts.policyOfFound,
  );
  const byKey = createVouchByKey(settings, { ...parts, policies });
  const vouch = remote === undefined ? byKey : createVouchByEndpoint(settings, remote, byKey);
  const judgeClaims = createClaimsJudge(settings, context, policies.of(undefined));
  // A remote endpoint can revoke a token, so only its own cache (`cacheFor`) may keep a result.
  const cache =
    settings.cache === undefined || remote !== undefined
      ? undefined
      : createVerifiedTokens<TokenDecision>(settings.cache, clock);
  // Group resolvers are asked for each request, because groups change while a token is valid. So
  // with resolvers, the cache has the claims of a token, but no principal.
  const cachesPrincipals = (settings.groups?.resolvers.size ?? 0) === 0;

  /**
   * The decision on a cached token. The rules for every token run again, because a schema is code
   * of the application, and may decide differently.
   */
  function recall(
    token: string,
    facts: DecisionFacts | undefined,
  ): TokenDecision | Promise<TokenDecision> | undefined {
    const verified = cache?.get(token);
    if (verified === undefined) return undefined;
    const policy = policies.of(verified.keyset);
    const reports: Reports = [];
    for (const rules of policy.claims)
      if (judgeTokenRules(rules, verified.claims, context, reports) !== undefined) return undefined;
    if (facts !== undefined) noteKeyset(facts, verified.keyset, parts.keysets, true);
    const made =
      verified.made ??
      decidePrincipal(
        token,
        verified.claims,
        contextOfBinding(verified.claims, policy),
        system.has(verified.keyset),
      );
    return isPromise(made)
      ? made.then((decision) => withReports(decision, reports))
      : withReports(made, reports);
  }

  function judge(
    token: string,
    trace: Trace | undefined,
    facts: DecisionFacts | undefined,
  ): TokenDecision | Promise<TokenDecision> {
    const verdict: Verdict = { trace, facts, refusal: undefined, reports: [] };
    const vouched = vouch(token, verdict);
    return isPromise(vouched)
      ? vouched.then((found) => judgeVouched(token, found, verdict))
      : judgeVouched(token, vouched, verdict);
  }

  function judgeVouched(
    token: string,
    vouched: Vouched | undefined,
    verdict: Verdict,
  ): TokenDecision | Promise<TokenDecision> {
    const { trace, reports = [] } = verdict;
    if (vouched === undefined || hasEnded(verdict)) return refuse(verdict, vouched?.claims);
    const { by, isRemote } = vouched;
    const policy = policies.of(vouched.keyset);
    const claims = policy.registered.numericSub === true ? withTextSub(vouched.claims) : vouched.claims;
    const isSystem =
      by === undefined ? isRemote && settings.remote?.isSystem === true : system.has(by.keyset);
    trace?.({ stage: 'claims set', claims, isVerified: isRemote || by !== undefined });
    judgeClaims({ ...vouched, claims }, policy, isSystem, verdict);
    if (verdict.refusal !== undefined) {
      trace?.({ stage: 'groups', principal: undefined });
      return refuse(verdict, claims);
    }
    const keep = (decision: TokenDecision): TokenDecision => {
      if (!decision.ok || by === undefined || trace !== undefined) return withReports(decision, reports);
      // Of tenants there may be any number, with keys of their own.
      if (by.keyset.template === undefined) noteAccepted(by.keyset, by.key.kid, decision.principal.expiresAt);
      const made = cachesPrincipals ? decision : undefined;
      const kept = cache?.set(token, { claims, by, made }, validityOf(claims, policy.registered));
      // The string of the cache, so that the header that the token came in can be collected.
      if (kept !== undefined && made !== undefined) noteToken(decision.principal, kept);
      return withReports(decision, reports);
    };
    const decision = decidePrincipal(token, claims, contextFor(vouched, policy), isSystem, trace);
    return isPromise(decision) ? decision.then(keep) : keep(decision);
  }

  /** Routes with a resource judge the audience of the token itself too. */
  function contextFor({ claims, tokenClaims }: Vouched, policy: PreparedPolicy): PrincipalContext {
    const ownAudience = tokenClaims && own(tokenClaims, 'aud');
    const context = contextOfBinding(claims, policy);
    return resources.size === 0 || ownAudience === undefined
      ? context
      : Object.freeze({ ...context, ownAudience });
  }

  function contextOfBinding(claims: JsonObject, policy: PreparedPolicy): PrincipalContext {
    return policy.bound !== policy.context && isByDpop(claims) ? policy.bound : policy.context;
  }

  function refuse(
    { refusal, trace }: Pick<Verdict, 'refusal' | 'trace'>,
    claims: JsonObject | undefined,
  ): TokenDecision {
    const error = inSpace(refusal ?? new AuthError('token_rejected'), space);
    const decision: TokenDecision = { ok: false, error };
    return trace === undefined ? decision : { ...decision, claims };
  }

  /** Finds the groups of the subject, and makes the principal. */
  function decidePrincipal(
    token: string,
    claims: JsonObject,
    its: PrincipalContext,
    isSystem: boolean,
    trace?: Trace,
  ): TokenDecision | Promise<TokenDecision> {
    const refuseFor = (error: unknown): TokenDecision => {
      const refusal = refusalIn(error);
      trace?.({ stage: 'groups', principal: undefined, refusal });
      return refuse({ refusal, trace }, claims);
    };
    const make = (found: readonly string[] | null | undefined): TokenDecision => {
      try {
        const principal = createPrincipal(claims, its, found);
        noteToken(principal, token);
        trace?.({ stage: 'groups', principal });
        return Object.freeze({ ok: true, principal });
      } catch (error) {
        return refuseFor(error);
      }
    };
    if (groups === undefined) return make(undefined);
    // Both are strings or absent: the checks of registered claims refuse other values.
    const issuer = own(claims, 'iss') as string | undefined;
    const subject = own(claims, 'sub') as string | undefined;
    return groups.of({ claims, issuer, subject, isSystem }).then(make, refuseFor);
  }

  return { recall, judge, clear: () => cache?.clear() };
}
