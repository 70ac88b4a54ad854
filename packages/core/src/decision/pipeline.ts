// The decision on a request, in the order of its checks: its transport, the place of its token, the
// token (judge-token.ts), the mode and what the route requires (judge-route.ts).
import { type CompiledRules, needsOf } from '../claims/compile.ts';
import { PLAIN_SCOPES } from '../claims/scopes.ts';
import { keyOf, parametersOf, protocolOf, type RequestView } from '../credentials/request.ts';
import { AuthError, asError, inSpace, refusalIn } from '../errors.ts';
import type { Possession } from '../possession/possession.ts';
import type { RevocationList } from '../revocation/list.ts';
import { ofThisCopy, sharedState } from '../values/copies.ts';
import { isPromise } from '../values/promise.ts';
import { type CompiledAccess, NOTHING_ASKED } from './access.ts';
import { noteAnonymous } from './anonymous.ts';
import type { Decision, Refused, RequestDecision, TokenDecision } from './decision.ts';
import { createPossessionJudge } from './judge-possession.ts';
import { createRevocationJudge } from './judge-revocation.ts';
import { createRouteJudge, type Noted } from './judge-route.ts';
import { createTokenJudge, type TokenParts } from './judge-token.ts';
import { type DecisionFacts, factsOf, factsOfToken, keyOfToken } from './outcome.ts';
import type { Principal, PrincipalContext, RoutesInForce } from './principal.ts';
import type { AuthenticatorSettings } from './settings.ts';
import { told } from './tell-reports.ts';
import type { Trace } from './trace.ts';

/** The parts that decisions use. The authenticator makes them. */
export interface PipelineParts extends TokenParts {
  /** Judges the proofs of bound tokens. Undefined: such tokens are refused. */
  readonly possession: Possession | undefined;
  /** Has the tokens that were ended before they expire. Undefined: none are. */
  readonly revocations: RevocationList | undefined;
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
  const { tokens, clock, delimiter, space, scopes, routes, resources } = settings;
  const context: PrincipalContext = Object.freeze({
    ...ofThisCopy,
    space,
    scopes,
    always: settings.claims,
    delimiter,
    routes,
    resources,
    now: parts.now,
    // Own members, so that none is read from a polluted prototype.
    provesPossession: settings.possession !== undefined,
    signed: undefined,
    also: undefined,
    ownAudience: undefined,
    foldsGroups: settings.groups?.ignoreCase === true,
    clock,
    clockSkewMs: settings.policy.registered.clockSkewMs,
  });
  const tokenJudge = createTokenJudge(settings, parts, context);
  const routeJudge = createRouteJudge(context);
  const proofs = parts.possession && createPossessionJudge(parts.possession, space);
  const revocation = parts.revocations && createRevocationJudge(parts.revocations, settings);
  // A note costs as much as the decision. Without these options it would say nothing.
  const isNoted =
    space !== undefined || scopes !== PLAIN_SCOPES || routes.size > 0 || needsOf(settings.claims).length > 0;

  function refused(error: AuthError): Refused {
    return { ok: false, error: inSpace(error, space) };
  }

  function decide(request: RequestView, access: CompiledAccess, trace?: Trace): Decision | Promise<Decision> {
    if (refusals.hasAny) refusals.byKey.delete(keyOf(request));
    try {
      const insecure = settings.requireSecureTransport ? judgeTransport(request) : undefined;
      if (insecure !== undefined) {
        trace?.({ stage: 'credentials', hasToken: false, refusal: insecure });
        // In every mode: a client that is anonymous here would send its token in clear again.
        return refused(insecure);
      }
      const facts = trace === undefined ? factsOf(request) : undefined;
      const judged = judgeCredentials(request, access, trace, facts);
      if (!isPromise(judged)) return judgeForRoute(judged, request, access, trace, facts);
      return judged.then((decision) => judgeForRoute(decision, request, access, trace, facts)).catch(fail);
    } catch (fault) {
      return fail(fault);
    }
  }

  /** The decision on the token of a request, before the route is known. */
  function judgeCredentials(
    request: RequestView,
    { mode = settings.mode }: CompiledAccess,
    trace: Trace | undefined,
    facts: DecisionFacts | undefined,
  ): RequestDecision | Promise<RequestDecision> {
    let token: string | undefined;
    try {
      token = tokens.find(request, trace && placesOf(trace));
      const known = token === undefined || trace !== undefined ? undefined : tokenJudge.recall(token, facts);
      if (known !== undefined && token !== undefined) return judgePresented(known, token, request, trace);
      if (token !== undefined) tokens.check(token);
    } catch (error) {
      const refusal = refusalIn(error);
      trace?.({ stage: 'credentials', hasToken: false, refusal });
      return refused(refusal);
    }
    if (token !== undefined) {
      trace?.({ stage: 'credentials', hasToken: true });
      return judgePresented(tokenJudge.judge(token, trace, facts), token, request, trace);
    }
    if (mode !== 'strict' && trace === undefined) return ANONYMOUS;
    const refusal = new AuthError('credentials_missing', { detail: tokens.missing(request) });
    trace?.({ stage: 'credentials', hasToken: false, refusal });
    return mode === 'strict' ? refused(refusal) : ANONYMOUS;
  }

  /** What is judged for each request, also where the token is in the cache. */
  function judgePresented(
    judged: TokenDecision | Promise<TokenDecision>,
    token: string,
    request: RequestView,
    trace: Trace | undefined,
  ): TokenDecision | Promise<TokenDecision> {
    const proven = proofs === undefined ? judged : proofs.prove(judged, token, request, trace);
    return revocation === undefined ? proven : revocation.judgeLater(proven, token, trace);
  }

  /** Applies the mode and what the route requires to the decision on the token. */
  function judgeForRoute(
    judged: RequestDecision,
    request: RequestView,
    access: CompiledAccess,
    trace: Trace | undefined,
    facts: DecisionFacts | undefined,
  ): Decision {
    const { mode = settings.mode, claims: rules } = access;
    const resource = routeJudge.resourceOf(access);
    const noted: Noted = { trace, reports: [] };
    let decision: RequestDecision = routeJudge.applyRequirements(judged, access, resource, noted);
    // A 503 is the answer in every mode, because the token may be valid.
    if (!decision.ok && mode === 'permissive' && decision.error.status !== 503) {
      refusals.hasAny = true;
      refusals.byKey.set(keyOf(request), decision.error);
      if (facts !== undefined) facts.ignored = decision.error.code;
      decision = ANONYMOUS;
    }
    if (decision === ANONYMOUS) {
      trace?.({ stage: 'anonymous', mode });
      const its = resource === undefined ? context : { ...context, space: resource.space };
      if (isNoted && rules === undefined) noteAnonymous(keyOf(request), its);
    }
    const applied = routeJudge.applyRules(decision, rules, rules && parametersOf(request), noted);
    if (applied.ok) return told(applied, noted, keyOf(request));
    const challenged = routeJudge.challenge(applied, access, resource);
    return proofs === undefined ? challenged : proofs.challenge(challenged, request);
  }

  function decideOnToken(
    token: string,
    rules?: CompiledRules,
    trace?: Trace,
    { requires }: Pick<CompiledAccess, 'requires'> = NOTHING_ASKED,
  ): Decision<Principal> | Promise<Decision<Principal>> {
    const facts = trace === undefined ? factsOfToken() : undefined;
    const key = keyOfToken();
    const known = trace === undefined ? tokenJudge.recall(token, facts) : undefined;
    const judged = known ?? tokenJudge.judge(token, trace, facts);
    const apply = (verified: TokenDecision): TokenDecision => {
      const unbound = proofs === undefined ? verified : proofs.refuseBound(verified, trace);
      const decision = revocation === undefined ? unbound : revocation.judge(unbound, token, trace);
      const resource = routeJudge.resourceOf({ claims: rules, requires });
      const noted: Noted = { trace, reports: [] };
      const required = routeJudge.applyRequirements(decision, { claims: rules, requires }, resource, noted);
      const applied = routeJudge.applyRules(required, rules, undefined, noted);
      if (applied.ok) return told(applied, noted, key);
      return resource === undefined ? applied : { ok: false, error: inSpace(applied.error, resource.space) };
    };
    return isPromise(judged) ? judged.then(apply) : apply(judged);
  }

  return { decide, decideOnToken, clear: tokenJudge.clear };
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
