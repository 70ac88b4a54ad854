// Authorizes a principal: checks it against the rules of a route. Verifies no token.
import {
  type ClaimCheck,
  type CompiledRules,
  checksIn,
  compileRules,
  firstFailure,
  judgedValue,
  needsOf,
  type SchemaOutputs,
  unfoldedGroup,
} from '../claims/compile.ts';
import { ruleDetail } from '../claims/rule-detail.ts';
import type { RequestParameters, Rules } from '../claims/rules.ts';
import { PLAIN_SCOPES, type ScopeSettings, scopesOf, scopesToAsk } from '../claims/scopes.ts';
import type { ClaimsOf, SignedClaimsOf } from '../claims/types.ts';
import { keyOf, type RequestView } from '../credentials/request.ts';
import { AuthError, inSpace } from '../errors.ts';
import type { Clock } from '../values/clock.ts';
import { foldCase } from '../values/fold.ts';
import type { JsonObject, JsonValue } from '../values/json.ts';
import type { CompiledAccess, NamedRoutes } from './access.ts';
import { noteRefusal } from './outcome.ts';
import { contextOf, type Principal, type PrincipalContext, signedClaims, withOutputs } from './principal.ts';
import {
  type JudgedRequirement,
  type JudgedToken,
  judgeRequirements,
  NO_REQUIREMENTS,
  type RouteRequirements,
} from './requirements.ts';
import { noRoute } from './route-names.ts';
import { type RouteResources, resourceOf } from './route-resources.ts';
import type { Trace } from './trace.ts';

/**
 * Checks a principal against the rules of a route. Verifies nothing: the principal must come from
 * an authenticator. Does not change the principal: its claims stay as they were signed, whatever a
 * schema makes of them.
 * @param principal undefined for an anonymous request
 * @param request for `fromRequest` rules; with the request that was authenticated, the event
 *   `latchkey:decision` tells of the refusal in place of the acceptance
 * @throws AuthError `credentials_missing` for an anonymous request, `scope_insufficient`,
 *   `claims_insufficient`; for a named route also `token_issuer_untrusted` and
 *   `authentication_insufficient`
 * @throws TypeError for an object that only looks like a principal, and for a named route that its
 *   authenticator does not have
 * @example
 * ```ts
 * const principal = await authenticator.authenticate(request);
 * authorize(principal, { scope: 'friends:read' });
 * console.log(principal.claims.scope);
 * ```
 */
export function authorize<const R extends Rules>(
  principal: Principal | undefined,
  rules: R | CompiledRules<R>,
  request?: RequestParameters,
): asserts principal is Principal<SignedClaimsOf<R>> {
  const compiled = compileRules(rules);
  const refusal = judgeRoute(principal, compiled, request) ?? judgeByNow(principal, compiled, request);
  if (refusal === undefined) return;
  if (request !== undefined) noteRefusal(keyOf(request as RequestView), refusal);
  throw refusal;
}

/**
 * Checks a principal like `authorize`, and returns it. Where a rule is a schema, the returned
 * principal has the output of the schema as the claim.
 * @param anonymous the context of the authenticator that let an anonymous request pass, for the
 *   challenge
 * @throws as `authorize` does
 */
export function authorized<const R extends Rules>(
  principal: Principal | undefined,
  rules: CompiledRules<R>,
  request?: RequestParameters,
  anonymous?: PrincipalContext,
): Principal<ClaimsOf<R>> {
  const outputs: SchemaOutputs = [];
  const refusal =
    judgeRoute(principal, rules, request, { trace: undefined, outputs, anonymous }) ??
    judgeByNow(principal, rules, request);
  if (refusal !== undefined) throw refusal;
  // The rules have just been checked, and refuse an anonymous request.
  return withOutputs(principal as Principal, outputs) as Principal<ClaimsOf<R>>;
}

// Every member is an own one, so that none is read from a polluted prototype.
const NO_OPTIONS: ScopeContext = Object.freeze({
  routes: new Map(),
  scopes: PLAIN_SCOPES,
  always: undefined,
});

interface JudgeOptions {
  readonly trace: Trace | undefined;
  /** Gets the outputs of schemas. */
  readonly outputs: SchemaOutputs | undefined;
  /** The authenticator that let an anonymous request pass. */
  readonly anonymous: PrincipalContext | undefined;
}

// Every member is an own one, so that none is read from a polluted prototype.
const PLAINLY: JudgeOptions = Object.freeze({ trace: undefined, outputs: undefined, anonymous: undefined });

/**
 * Returns why a route refuses a principal; undefined if it does not.
 * @throws TypeError as `authorize` does
 */
export function judgeRoute(
  principal: Principal | undefined,
  rules: CompiledRules<unknown>,
  request: RequestParameters | undefined,
  { trace, outputs, anonymous }: JudgeOptions = PLAINLY,
): AuthError | undefined {
  if (principal === undefined) {
    const scope = scopesFor(rules, anonymous ?? NO_OPTIONS);
    const refusal = new AuthError('credentials_missing', { detail: 'the request is anonymous', scope });
    trace?.({ stage: 'route caller', refusal });
    return anonymous === undefined ? refusal : inSpace(refusal, spaceFor(rules, anonymous));
  }
  const context = contextOf(principal);
  if (context === undefined) throw new TypeError('authorize: not a principal that an authenticator made');
  const { delimiter, also } = context;
  // A rule that no group can meet would let all pass as `noneOf`. Options are checked at start.
  const unfolded = context.foldsGroups === true ? unfoldedGroup(rules) : undefined;
  if (unfolded !== undefined)
    throw new TypeError(
      `authorize: groups are in lower case here; write '${foldCase(unfolded)}' for '${unfolded}'`,
    );
  const { issuer } = principal;
  const asked = { ...context, issuer, claims: signedClaims(principal), delimiter, request, outputs };
  const refusal = judgeRules(rules, asked, trace);
  return refusal === undefined ? also?.(rules, request) : inSpace(refusal, spaceFor(rules, context));
}

/**
 * Checks a principal from before a change of the options by their named route, as it is now.
 * @returns why it is refused; undefined if it is not
 */
function judgeByNow(
  principal: Principal | undefined,
  rules: CompiledRules<unknown>,
  request: RequestParameters | undefined,
): AuthError | undefined {
  const context = principal && contextOf(principal);
  if (principal === undefined || context?.now === undefined || rules.route === undefined) return undefined;
  // The rules of a changed route are read by the options that were changed with them.
  const { routes, scopes, resources, delimiter } = context.now();
  if (routes === context.routes) return undefined;
  const { issuer } = principal;
  const claims = signedClaims(principal);
  const asked = { ...context, issuer, claims, request, routes, scopes, resources, delimiter };
  const refusal = judgeRules(rules, asked);
  return refusal && inSpace(refusal, spaceFor(rules, { ...context, routes, resources }));
}

/**
 * Returns why a token does not meet the requirements of a route; undefined if it does. They are
 * checked on the claims as they were signed.
 * @throws TypeError for a resource that the options of the principal's authenticator do not have
 */
export function judgeAccess(
  principal: Principal,
  { requires }: Pick<CompiledAccess, 'requires'>,
  trace?: Trace,
): AuthError | undefined {
  if (requires === NO_REQUIREMENTS) return undefined;
  const { space, clock, clockSkewMs, resources, ownAudience, provesPossession, now } =
    contextOf(principal) ?? {};
  const judged = {
    ...{ issuer: principal.issuer, claims: signedClaims(principal), ownAudience },
    ...{ clock, clockSkewMs, resources, provesPossession },
  };
  const refusal = traceRequirements(requires, judged, trace);
  if (refusal !== undefined)
    return inSpace(refusal, resourceOf(requires.resource, resources)?.space ?? space);
  // A principal from before a change of the options: its resource may have another URL now.
  const changed = requires.resource === undefined ? undefined : now?.().resources;
  if (changed === undefined || changed === resources) return undefined;
  const resource = resourceOf(requires.resource, changed);
  const stale = resource?.judge(judged.claims, ownAudience);
  return stale && inSpace(stale, resource?.space);
}

/** What the challenges of a named route have in common, or else those of its authenticator. */
function spaceFor(
  { route }: CompiledRules<unknown>,
  { routes, resources, space }: Pick<PrincipalContext, 'routes' | 'resources' | 'space'>,
): PrincipalContext['space'] {
  const named = route === undefined ? undefined : routes.get(route)?.requires.resource;
  return resourceOf(named, resources)?.space ?? space;
}

/** Judges requirements, and reports each result to the trace if there is one. */
export function traceRequirements(
  requires: RouteRequirements,
  judged: JudgedToken,
  trace: Trace | undefined,
): AuthError | undefined {
  const note = trace && ((one: JudgedRequirement) => trace({ stage: 'route requirement', ...one }));
  return judgeRequirements(requires, judged, note);
}

/** The claims that the rules of a route are checked against, and their context. */
export interface AskedClaims {
  readonly issuer: string | undefined;
  readonly claims: JsonObject;
  readonly delimiter: string | undefined;
  readonly request: RequestParameters | undefined;
  readonly routes: NamedRoutes;
  readonly scopes?: ScopeSettings | undefined;
  /** The rules on every token. */
  readonly always?: CompiledRules<unknown> | undefined;
  readonly outputs?: SchemaOutputs | undefined;
  readonly clock?: Clock | undefined;
  readonly clockSkewMs?: number | undefined;
  readonly resources?: RouteResources | undefined;
  readonly ownAudience?: JsonValue | undefined;
  readonly provesPossession?: boolean | undefined;
}

/**
 * Checks claims against the rules of a route. The rules of a named route are those in the options.
 */
export function judgeRules(
  rules: CompiledRules<unknown>,
  asked: AskedClaims,
  trace?: Trace,
): AuthError | undefined {
  const { claims, request, routes } = asked;
  const route = rules.route === undefined ? undefined : routes.get(rules.route);
  if (rules.route !== undefined && route === undefined)
    throw new TypeError(`authorize: the options have no ${noRoute(rules.route, [...routes.keys()])}`);
  const refusal = route && traceRequirements(route.requires, asked, trace);
  if (refusal !== undefined && trace === undefined) return refusal;
  const inForce = route?.claims ?? rules;
  const refuse = (check: ClaimCheck, holds: boolean | undefined) => insufficient(check, holds, asked);
  const judge = trace === undefined ? firstFailure : traceRules('route', refuse, trace);
  const failed = judge(inForce, claims, asked);
  if (refusal !== undefined || failed === undefined) return refusal;
  const own = refuse(failed, failed.needsRequest && request === undefined ? undefined : false);
  if (own.code !== 'scope_insufficient') return own;
  // A client acts on this challenge, so it names all scopes, and only if they are all that is
  // missing.
  const other = checksIn(inForce).find((check) => check.need === undefined && !holdsSafely(check, asked));
  if (other !== undefined) return refuse(other, false);
  return own.withChallenge({
    scope: scopesFor(rules, asked, scopesOf(claims, asked.scopes ?? PLAIN_SCOPES)),
  });
}

/** What `scopesFor` needs to know of the options. */
type ScopeContext = Pick<AskedClaims, 'routes' | 'scopes' | 'always'>;

/**
 * Returns all scopes that the rules of a route and the rules on every token need, for a challenge;
 * undefined if they name none.
 * @param held the scopes of the token
 */
export function scopesFor(
  rules: CompiledRules<unknown>,
  { routes, scopes = PLAIN_SCOPES, always }: ScopeContext,
  held?: readonly string[],
): string | undefined {
  const inForce = rules.route === undefined ? rules : routes.get(rules.route)?.claims;
  const needs = [always, inForce].flatMap((each) => (each === undefined ? [] : needsOf(each)));
  return scopesToAsk(needs, scopes, held);
}

/** A rule that cannot be checked, such as a schema that throws, counts as one that holds. */
function holdsSafely(check: ClaimCheck, asked: AskedClaims): boolean {
  try {
    return check.holds(judgedValue(check, asked.claims, asked), asked.request);
  } catch {
    return true;
  }
}

/** Checks rules like `firstFailure`, but all of them, and reports each result to the trace. */
export function traceRules(
  stage: 'claims' | 'route',
  refuse: (check: ClaimCheck, holds: boolean | undefined) => AuthError,
  trace: Trace,
): typeof firstFailure {
  return (rules, claims, context = {}) => {
    const { request } = context;
    let first: ClaimCheck | undefined;
    for (const check of checksIn(rules)) {
      const value = judgedValue(check, claims, context);
      const holds = check.needsRequest && request === undefined ? undefined : check.holds(value, request);
      if (holds !== true) first ??= check;
      trace({ stage, check, value, holds, refusal: holds === true ? undefined : refuse(check, holds) });
    }
    return first;
  };
}

const NO_REQUEST = 'a rule compares with the request, but no request was given';

function insufficient(check: ClaimCheck, holds: boolean | undefined, asked: AskedClaims): AuthError {
  const detail = holds === undefined ? NO_REQUEST : ruleDetail(check, asked.claims, asked);
  return new AuthError(check.need === undefined ? 'claims_insufficient' : 'scope_insufficient', { detail });
}
