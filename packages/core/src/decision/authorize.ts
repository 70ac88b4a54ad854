// Authorizes a principal: checks it against the rules of a route. Verifies no token.
import {
  type CompiledRules,
  compileRules,
  isReportOnly,
  type SchemaOutputs,
  unfoldedGroup,
} from '../claims/compile.ts';
import type { RequestParameters, Rules } from '../claims/rules.ts';
import { PLAIN_SCOPES } from '../claims/scopes.ts';
import type { ClaimsOf, SignedClaimsOf } from '../claims/types.ts';
import { keyOf, type RequestView } from '../credentials/request.ts';
import { AuthError, inSpace } from '../errors.ts';
import type { Clock } from '../values/clock.ts';
import { foldCase } from '../values/fold.ts';
import type { CompiledAccess } from './access.ts';
import { judgeRules, type ScopeContext, scopesFor, traceRequirements } from './judge-rules.ts';
import { noteRefusal } from './outcome.ts';
import { contextOf, type Principal, type PrincipalContext, signedClaims, withOutputs } from './principal.ts';
import type { Reports } from './report-only.ts';
import { NO_REQUIREMENTS } from './requirements.ts';
import { resourceOf } from './route-resources.ts';
import { publishReports } from './tell-reports.ts';
import type { Trace } from './trace.ts';
import { warnOfRules } from './warn-enforce.ts';

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
  const reports: Reports = [];
  const refusal =
    judgeRoute(principal, compiled, request, { ...PLAINLY, reports }) ??
    judgeByNow(principal, compiled, request);
  const key = request && keyOf(request as RequestView);
  if (refusal === undefined) {
    if (reports.length > 0) warnOf(principal, compiled);
    return publishReports(reports, key);
  }
  if (key !== undefined) noteRefusal(key, refusal);
  throw refusal;
}

/**
 * Checks a principal like `authorize`, and returns it. Where a rule is a schema, the returned
 * principal has the output of the schema as the claim.
 * @param anonymous the context of the authenticator that let an anonymous request pass, for the
 *   challenge
 * @param key what core keeps notes on the request under
 * @throws as `authorize` does
 */
export function authorized<const R extends Rules>(
  principal: Principal | undefined,
  rules: CompiledRules<R>,
  request?: RequestParameters,
  anonymous?: PrincipalContext,
  key?: object,
): Principal<ClaimsOf<R>> {
  const outputs: SchemaOutputs = [];
  const reports: Reports = [];
  const refusal =
    judgeRoute(principal, rules, request, { trace: undefined, outputs, anonymous, reports }) ??
    judgeByNow(principal, rules, request);
  if (refusal !== undefined) throw refusal;
  publishReports(reports, key);
  if (reports.length > 0) warnOf(principal, rules);
  // The rules have just been checked, and refuse an anonymous request.
  return withOutputs(principal as Principal, outputs) as Principal<ClaimsOf<R>>;
}

/** Rules of a call are not known when the service starts. */
function warnOf(principal: Principal | undefined, rules: CompiledRules<unknown>): void {
  const context = principal && contextOf(principal);
  if (context !== undefined) warnOfRules(context.routes, rules, context.clock);
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
  /** Gets what is not refused, because of `enforce`. */
  readonly reports: Reports | undefined;
  /** The clock for an anonymous request. Default: that of `anonymous`, or the time of day. */
  readonly clock?: Clock | undefined;
}

// Every member is an own one, so that none is read from a polluted prototype.
const PLAINLY: JudgeOptions = Object.freeze({
  trace: undefined,
  outputs: undefined,
  anonymous: undefined,
  reports: undefined,
});

/**
 * Returns why a route refuses a principal; undefined if it does not.
 * @throws TypeError as `authorize` does
 */
export function judgeRoute(
  principal: Principal | undefined,
  rules: CompiledRules<unknown>,
  request: RequestParameters | undefined,
  { trace, outputs, anonymous, reports, clock }: JudgeOptions = PLAINLY,
): AuthError | undefined {
  if (principal === undefined) {
    const scope = scopesFor(rules, anonymous ?? NO_OPTIONS);
    const refusal = new AuthError('credentials_missing', { detail: 'the request is anonymous', scope });
    if (isReportOnly(rules, anonymous?.clock ?? clock)) {
      trace?.({ stage: 'route caller', wouldRefuse: refusal });
      reports?.push({ refusal, claims: [] });
      return undefined;
    }
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
  const refusal = judgeRules(rules, asked, trace, reports);
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
  reports?: Reports,
): AuthError | undefined {
  if (requires === NO_REQUIREMENTS) return undefined;
  const { space, clock, clockSkewMs, resources, ownAudience, provesPossession, now } =
    contextOf(principal) ?? {};
  const judged = {
    ...{ issuer: principal.issuer, claims: signedClaims(principal), ownAudience },
    ...{ clock, clockSkewMs, resources, provesPossession },
  };
  const refusal = traceRequirements(requires, judged, trace, reports);
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
