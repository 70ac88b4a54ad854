// The decision, in the order of its checks: find the token of a request; find the keyset or the
// endpoint that vouches for it (vouch.ts, vouch-by-endpoint.ts); check its claims; find groups and
// make the principal. These results may come from a cache. The mode, issuers and rules of the route
// are applied each time. A refusal is a value here; the public functions throw it.
import {
  type ClaimCheck,
  type CompiledRules,
  firstFailure,
  needsOf,
  type SchemaOutputs,
} from '../claims/compile.ts';
import { withTextSub } from '../claims/numeric-sub.ts';
import {
  judgeRegisteredClaims,
  type RegisteredCheck,
  registeredChecks,
  validityOf,
} from '../claims/registered.ts';
import { ruleDetail } from '../claims/rule-detail.ts';
import type { RequestParameters } from '../claims/rules.ts';
import { PLAIN_SCOPES } from '../claims/scopes.ts';
import { keyOf, parametersOf, protocolOf, type RequestView } from '../credentials/request.ts';
import { AuthError, asError, inSpace, refusalIn } from '../errors.ts';
import type { Groups } from '../groups/groups.ts';
import type { Keyset } from '../keysets/keyset.ts';
import { createAnswerChecks } from '../remote/answer-checks.ts';
import type { RemoteEndpoint } from '../remote/endpoint.ts';
import { ofThisCopy, sharedState } from '../values/copies.ts';
import { type JsonObject, own } from '../values/json.ts';
import { isPromise } from '../values/promise.ts';
import { type CompiledAccess, NOTHING_ASKED } from './access.ts';
import { noteAnonymous } from './anonymous.ts';
import {
  judgeAccess,
  judgeRoute,
  judgeRules,
  scopesFor,
  traceRequirements,
  traceRules,
} from './authorize.ts';
import { issuerText } from './details.ts';
import { createResourceJudge } from './judge-resource.ts';
import type { AuthenticatorSettings } from './options.ts';
import {
  createPrincipal,
  noteToken,
  type Principal,
  type PrincipalContext,
  type RoutesInForce,
  signedClaims,
  withOutputs,
} from './principal.ts';
import { NO_REQUIREMENTS } from './requirements.ts';
import type { RouteResource } from './route-resources.ts';
import { type TokenPolicy, tokenPolicies } from './token-policy.ts';
import type { Trace } from './trace.ts';
import { createVerifiedTokens } from './verified-tokens.ts';
import {
  createVouchByKey,
  ends,
  hasEnded,
  isIssuer,
  type KeysetParts,
  notTheSystem,
  type Verdict,
  type Vouched,
} from './vouch.ts';
import { createVouchByEndpoint } from './vouch-by-endpoint.ts';

/** The result for a request. */
export type Decision<T = Principal | undefined> =
  | { readonly ok: true; readonly principal: T }
  | { readonly ok: false; readonly error: AuthError };

/** The parts that decisions use. The authenticator makes them. */
export interface PipelineParts extends Omit<KeysetParts, 'policies'> {
  readonly remote: RemoteEndpoint | undefined;
  /** The keysets with `system: true`: only they verify tokens with the system subject. */
  readonly system: ReadonlySet<Keyset>;
  /** What tokens of these keysets must be, in place of what the options say. */
  readonly policies: ReadonlyMap<Keyset, TokenPolicy>;
  /** The same for keysets that the application finds while requests run. */
  readonly policyOfFound?: ((keyset: Keyset) => TokenPolicy | undefined) | undefined;
  readonly groups: Groups | undefined;
  /** Returns the named routes in force now, where options can change while requests run. */
  readonly now: (() => RoutesInForce) | undefined;
}

/** Decides with the options of one authenticator. */
export interface Pipeline {
  /**
   * Decides on a request: its token, then the requirements of the route. Synchronous if nothing has
   * to be fetched, which is nearly always so. Never throws. Rejects with an Error, and only for
   * faults that are not refusals.
   */
  decide(request: RequestView, access: CompiledAccess, trace?: Trace): Decision | Promise<Decision>;
  /**
   * Decides on a token alone, then with the rules and the requirements of a route. Throws, or
   * rejects with, faults that are not refusals.
   */
  decideOnToken(
    token: string,
    rules?: CompiledRules,
    trace?: Trace,
    access?: Pick<CompiledAccess, 'requires'>,
  ): Decision<Principal> | Promise<Decision<Principal>>;
  /** Drops all cached tokens. */
  clear(): void;
}

/** The result for a token. With a trace, a refusal also has the claims, if they could be read. */
type TokenDecision = Decision<Principal> & { readonly claims?: JsonObject | undefined };
type RequestDecision = Decision & Pick<TokenDecision, 'claims'>;

/** A policy, with what its tokens are checked by. */
interface PreparedPolicy extends TokenPolicy {
  readonly checks: readonly RegisteredCheck[];
  readonly context: PrincipalContext;
}

interface Refused {
  readonly ok: false;
  readonly error: AuthError;
}

const ANONYMOUS: Decision<undefined> = Object.freeze({ ok: true, principal: undefined });
// The refusals of requests that permissive authenticators let pass, by the key of the request.
// `hasAny` spares the look-up for each request in a process without permissive authenticators.
const refusals = sharedState('refusals', () => ({ byKey: new WeakMap<object, AuthError>(), hasAny: false }));

/**
 * Returns why `mode: 'permissive'` let a request with an invalid token pass as anonymous; undefined
 * if it did not. For logs: it grants nothing.
 * @param request the request object of the framework
 * @example
 * ```ts
 * const principal = await authenticator.authenticate(request); // mode: 'permissive'
 * if (principal === undefined) console.warn(refusalOf(request)?.code);
 * ```
 */
export function refusalOf(request: object): AuthError | undefined {
  return refusals.byKey.get(request);
}

/** Makes a pipeline. Fetches nothing before the first token. */
export function createPipeline(settings: AuthenticatorSettings, parts: PipelineParts): Pipeline {
  const { tokens, issuers, systemSubject, clock, delimiter, space, scopes, routes, resources } = settings;
  const { system, remote, groups, now } = parts;
  const context = Object.freeze({
    ...ofThisCopy,
    space,
    scopes,
    always: settings.claims,
    delimiter,
    routes,
    resources,
    now,
    // Own members, so that none is read from a polluted prototype.
    signed: undefined,
    also: undefined,
    ownAudience: undefined,
    foldsGroups: settings.groups?.ignoreCase === true,
    clock,
    clockSkewMs: settings.policy.registered.clockSkewMs,
  });
  const policies = tokenPolicies(
    settings.policy,
    parts.policies,
    (policy): PreparedPolicy => {
      const { maxTokenAgeMs } = policy.registered;
      const checks = registeredChecks(policy.registered);
      const { unnamed } = policy;
      return { ...policy, checks, context: Object.freeze({ ...context, maxTokenAgeMs, unnamed }) };
    },
    parts.policyOfFound,
  );
  const byKey = createVouchByKey(settings, { ...parts, policies });
  const vouch = remote === undefined ? byKey : createVouchByEndpoint(settings, remote, byKey);
  // A remote endpoint can revoke a token, so only its own cache (`cacheFor`) may keep a result.
  const cache =
    settings.cache === undefined || remote !== undefined
      ? undefined
      : createVerifiedTokens<TokenDecision>(settings.cache, clock);
  // Group resolvers are asked for each request, because groups change while a token is valid. So
  // with resolvers, the cache has the claims of a token, but no principal.
  const cachesPrincipals = (settings.groups?.resolvers.size ?? 0) === 0;
  // An answer of the endpoint, and the token that it accepts, are judged by the options for all.
  const audienceChecks = policies.of(undefined).checks.filter(({ claim }) => claim === 'aud');
  const checksOfAnswer = settings.remote && createAnswerChecks(settings.policy.registered, settings.remote);

  const resourceJudge = createResourceJudge(routes, resources);
  const scopesOfRules = new WeakMap<CompiledRules, string | undefined>();
  // A note costs as much as the decision. Without these options it would say nothing.
  const isNoted =
    space !== undefined || scopes !== PLAIN_SCOPES || routes.size > 0 || needsOf(settings.claims).length > 0;

  function refused(error: AuthError): Refused {
    return { ok: false, error: inSpace(error, space) };
  }

  // -- A request: where its token is, the token, the mode, the route --

  function decide(request: RequestView, access: CompiledAccess, trace?: Trace): Decision | Promise<Decision> {
    if (refusals.hasAny) refusals.byKey.delete(keyOf(request));
    try {
      const insecure = settings.requireSecureTransport ? judgeTransport(request) : undefined;
      if (insecure !== undefined) {
        trace?.({ stage: 'credentials', hasToken: false, refusal: insecure });
        // In every mode: a client that is anonymous here would send its token in clear again.
        return refused(insecure);
      }
      const judged = judgeCredentials(request, access, trace);
      if (!isPromise(judged)) return judgeForRoute(judged, request, access, trace);
      return judged.then((decision) => judgeForRoute(decision, request, access, trace)).catch(fail);
    } catch (fault) {
      return fail(fault);
    }
  }

  /** The decision on the token of a request, before the route is known. */
  function judgeCredentials(
    request: RequestView,
    { mode = settings.mode }: CompiledAccess,
    trace: Trace | undefined,
  ): RequestDecision | Promise<RequestDecision> {
    let token: string | undefined;
    try {
      token = tokens.find(request, trace && placesOf(trace));
      const known = token === undefined || trace !== undefined ? undefined : recall(token);
      if (known !== undefined) return known;
      if (token !== undefined) tokens.check(token);
    } catch (error) {
      const refusal = refusalIn(error);
      trace?.({ stage: 'credentials', hasToken: false, refusal });
      return refused(refusal);
    }
    if (token !== undefined) {
      trace?.({ stage: 'credentials', hasToken: true });
      return judgeToken(token, trace);
    }
    if (mode !== 'strict' && trace === undefined) return ANONYMOUS;
    const refusal = new AuthError('credentials_missing', { detail: tokens.missing(request) });
    trace?.({ stage: 'credentials', hasToken: false, refusal });
    return mode === 'strict' ? refused(refusal) : ANONYMOUS;
  }

  /** Applies the issuers, the mode and the rules of a route to the decision on the token. */
  function judgeForRoute(
    judged: RequestDecision,
    request: RequestView,
    access: CompiledAccess,
    trace: Trace | undefined,
  ): Decision {
    const { mode = settings.mode, claims: rules } = access;
    const resource = resourceJudge.of(access);
    const forResource = judgeForResource(judged, resource, trace);
    let decision: RequestDecision = applyRequirements(forResource, access, trace);
    // A 503 is the answer in every mode, because the token may be valid.
    if (!decision.ok && mode === 'permissive' && decision.error.status !== 503) {
      refusals.hasAny = true;
      refusals.byKey.set(keyOf(request), decision.error);
      decision = ANONYMOUS;
    }
    if (decision === ANONYMOUS) {
      trace?.({ stage: 'anonymous', mode });
      if (isNoted && rules === undefined)
        noteAnonymous(
          keyOf(request),
          resource === undefined ? context : { ...context, space: resource.space },
        );
    }
    const applied = applyRules(decision, rules, rules && parametersOf(request), trace);
    if (applied.ok) return applied;
    const asked = rules === undefined ? applied : asking(applied, rules);
    return resource === undefined ? asked : { ok: false, error: inSpace(asked.error, resource.space) };
  }

  /** Refuses a token that is for another resource of the service. */
  function judgeForResource<D extends RequestDecision>(
    decision: D,
    resource: RouteResource | undefined,
    trace: Trace | undefined,
  ): D | (Refused & Pick<TokenDecision, 'claims'>) {
    if (resources.size === 0 || !decision.ok || decision.principal === undefined) return decision;
    const { principal } = decision;
    const refusal = resource === undefined ? resourceJudge.judge(principal, trace) : undefined;
    if (refusal !== undefined) {
      const decided: Refused = { ok: false, error: refusal };
      return trace === undefined ? decided : { ...decided, claims: signedClaims(principal) };
    }
    return resource === undefined
      ? decision
      : { ...decision, principal: resourceJudge.at(principal, resource) };
  }

  /** Names the scopes of a route in the challenge of a 401. A 403 names them already. */
  function asking({ error }: Refused, rules: CompiledRules): Refused {
    if (error.status !== 401) return { ok: false, error };
    if (!scopesOfRules.has(rules)) scopesOfRules.set(rules, scopesFor(rules, context));
    const scope = scopesOfRules.get(rules);
    return { ok: false, error: scope === undefined ? error : error.withChallenge({ scope }) };
  }

  /**
   * Applies the requirements of a route. With a trace, the claims of a refused token are also
   * judged, to show the results.
   */
  function applyRequirements<D extends RequestDecision>(
    decision: D,
    access: Pick<CompiledAccess, 'requires'>,
    trace: Trace | undefined,
  ): D | (Refused & Pick<TokenDecision, 'claims'>) {
    if (access.requires === NO_REQUIREMENTS) return decision;
    if (decision.ok) {
      const { principal } = decision;
      const error = principal && judgeAccess(principal, access, trace);
      if (principal === undefined || error === undefined) return decision;
      return trace === undefined
        ? { ok: false, error }
        : { ok: false, error, claims: signedClaims(principal) };
    }
    const { claims, error } = decision;
    if (trace !== undefined && claims !== undefined)
      ignoringFaultsAfter(error, () => traceRequirements(access.requires, askedOf(claims), trace));
    return decision;
  }

  /** The claims of a token that is refused, as the judges of a route take them. */
  function askedOf(claims: JsonObject) {
    const issuer = own(claims, 'iss');
    return { ...context, claims, issuer: isIssuer(issuer) ? issuer : undefined };
  }

  /**
   * Applies the rules of a route. With a trace, the claims of a refused token are also checked, to
   * show the results.
   */
  function applyRules<D extends RequestDecision>(
    decision: D,
    rules: CompiledRules | undefined,
    request: RequestParameters | undefined,
    trace: Trace | undefined,
  ): D | Refused {
    if (rules === undefined) return decision;
    if (decision.ok) {
      const outputs: SchemaOutputs = [];
      const refusal = judgeRoute(decision.principal, rules, request, {
        trace,
        outputs,
        anonymous: undefined,
      });
      // The refusal of a principal has its challenge already.
      if (refusal !== undefined)
        return decision.principal === undefined ? refused(refusal) : { ok: false, error: refusal };
      if (outputs.length === 0 || decision.principal === undefined) return decision;
      return { ...decision, principal: withOutputs(decision.principal, outputs) };
    }
    const { claims } = decision;
    if (trace !== undefined && claims !== undefined) {
      ignoringFaultsAfter(decision.error, () => judgeRules(rules, { ...askedOf(claims), request }, trace));
    }
    return decision;
  }

  // -- A token: who vouches for its claims, the claims, groups, the principal --

  function decideOnToken(
    token: string,
    rules?: CompiledRules,
    trace?: Trace,
    access: Pick<CompiledAccess, 'requires'> = NOTHING_ASKED,
  ): Decision<Principal> | Promise<Decision<Principal>> {
    const known = trace === undefined ? recall(token) : undefined;
    const judged = known ?? judgeToken(token, trace);
    const apply = (decision: TokenDecision): TokenDecision => {
      const resource = resourceJudge.of({ claims: rules, requires: access.requires });
      const forResource = judgeForResource(decision, resource, trace);
      const applied = applyRules(applyRequirements(forResource, access, trace), rules, undefined, trace);
      return applied.ok || resource === undefined
        ? applied
        : { ok: false, error: inSpace(applied.error, resource.space) };
    };
    return isPromise(judged) ? judged.then(apply) : apply(judged);
  }

  /**
   * The decision on a cached token. The rules for every token run again, because a schema is code
   * of the application, and may decide differently.
   * @returns undefined for a token that has to be verified
   */
  function recall(token: string): TokenDecision | Promise<TokenDecision> | undefined {
    const verified = cache?.get(token);
    if (verified === undefined) return undefined;
    const policy = policies.of(verified.keyset);
    for (const rules of policy.claims)
      if (firstFailure(rules, verified.claims, context) !== undefined) return undefined;
    return (
      verified.made ?? decidePrincipal(token, verified.claims, policy.context, system.has(verified.keyset))
    );
  }

  function judgeToken(token: string, trace: Trace | undefined): TokenDecision | Promise<TokenDecision> {
    const verdict: Verdict = { trace, refusal: undefined };
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
    const { trace } = verdict;
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
      if (!decision.ok || by === undefined || trace !== undefined) return decision;
      const made = cachesPrincipals ? decision : undefined;
      const kept = cache?.set(token, { claims, by, made }, validityOf(claims, policy.registered));
      // The string of the cache, so that the header that the token came in can be collected.
      if (kept !== undefined && made !== undefined) noteToken(decision.principal, kept);
      return decision;
    };
    const decision = decidePrincipal(token, claims, contextFor(vouched, policy), isSystem, trace);
    return isPromise(decision) ? decision.then(keep) : keep(decision);
  }

  /** Routes with a resource judge the audience of the token itself too. */
  function contextFor({ tokenClaims }: Vouched, policy: PreparedPolicy): PrincipalContext {
    const ownAudience = tokenClaims && own(tokenClaims, 'aud');
    return resources.size === 0 || ownAudience === undefined
      ? policy.context
      : Object.freeze({ ...policy.context, ownAudience });
  }

  function refuse({ refusal, trace }: Verdict, claims: JsonObject | undefined): TokenDecision {
    const decision = refused(refusal ?? new AuthError('token_rejected'));
    return trace === undefined ? decision : { ...decision, claims };
  }

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
    const ruleFailed = (check: ClaimCheck) => invalidBy(ruleDetail(check, claims, context));
    const judge = trace === undefined ? firstFailure : traceRules('claims', ruleFailed, trace);
    for (const rules of policy.claims) {
      const failed = ignoringFaultsAfter(verdict.refusal, () => judge(rules, claims, context));
      if (ends(verdict, failed === undefined ? undefined : ruleFailed(failed))) return;
    }
  }

  /**
   * Checks `aud` and `iss` in the JWT that the endpoint accepted. They only restrict: a token for
   * another API or of another issuer is refused, whatever the endpoint answers.
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
    const record = (claim: 'aud' | 'iss', refusal: AuthError | undefined) => {
      if (Object.hasOwn(tokenClaims, claim))
        trace?.({ stage: 'token itself', claim, value: own(tokenClaims, claim), refusal });
    };
    record('aud', wrongAudience);
    record('iss', untrusted);
    return wrongAudience ?? untrusted;
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

  return { decide, decideOnToken, clear: () => cache?.clear() };
}

/**
 * Runs a check that may throw a fault. With a trace, checks go on after a refusal, and a fault in
 * one of them must not replace the refusal.
 */
function ignoringFaultsAfter<T>(refusal: AuthError | undefined, judge: () => T): T | undefined {
  try {
    return judge();
  } catch (fault) {
    if (refusal === undefined) throw fault;
    return undefined;
  }
}

function judgeTransport(request: RequestView): AuthError | undefined {
  const protocol = protocolOf(request);
  if (protocol === 'https') return undefined;
  const detail =
    protocol === undefined
      ? 'nothing says how the request came; set protocol of the request that core gets'
      : 'the request came by http; if a proxy ends TLS, set trust proxy (Express), proxy (Koa) or trustProxy (Fastify) of the application';
  return new AuthError('transport_insecure', { detail });
}

function fail(fault: unknown): Promise<never> {
  return Promise.reject(asError(fault));
}

function placesOf(trace: Trace) {
  return (place: string, token: string | undefined, refusal: AuthError | undefined): void =>
    trace({ stage: 'place', place, hasToken: token !== undefined, refusal });
}

function invalidBy(detail: string): AuthError {
  return new AuthError('token_claims_invalid', { detail });
}
