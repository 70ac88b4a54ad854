// Judges claims by the rules of a route, and says what a client has to ask for. Knows no principal.
import {
  type ClaimCheck,
  type CompiledRules,
  checksIn,
  firstFailure,
  hasDates,
  holdsSafely,
  isReportOnly,
  judgedValue,
  needsOf,
  type SchemaOutputs,
} from '../claims/compile.ts';
import { ALWAYS, isEnforced } from '../claims/enforce.ts';
import type { Holds } from '../claims/form.ts';
import { ruleDetail } from '../claims/rule-detail.ts';
import type { RequestParameters } from '../claims/rules.ts';
import { PLAIN_SCOPES, type ScopeSettings, scopesOf, scopesToAsk } from '../claims/scopes.ts';
import { AuthError } from '../errors.ts';
import type { Clock } from '../values/clock.ts';
import type { JsonObject, JsonValue } from '../values/json.ts';
import type { NamedRoutes } from './access.ts';
import type { Reports } from './report-only.ts';
import {
  type JudgedRequirement,
  type JudgedToken,
  judgeRequirements,
  type RouteRequirements,
} from './requirements.ts';
import { noRoute } from './route-names.ts';
import type { RouteResources } from './route-resources.ts';
import type { Trace } from './trace.ts';

/**
 * Judges requirements, and reports each result to the trace if there is one.
 * @param reports gets the refusal, if they refuse nothing yet
 */
export function traceRequirements(
  requires: RouteRequirements,
  judged: JudgedToken,
  trace: Trace | undefined,
  reports?: Reports,
): AuthError | undefined {
  const isOn = isEnforced(requires.enforcedFromMs ?? ALWAYS, judged.clock);
  const note =
    trace &&
    ((one: JudgedRequirement) =>
      trace({
        stage: 'route requirement',
        ...(isOn ? one : { ...one, refusal: undefined, wouldRefuse: one.refusal }),
      }));
  const refusal = judgeRequirements(requires, judged, note);
  if (isOn || refusal === undefined) return refusal;
  reports?.push({ refusal, claims: [] });
  return undefined;
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
 * @param reports gets what is not refused, because of `enforce`
 */
export function judgeRules(
  rules: CompiledRules<unknown>,
  asked: AskedClaims,
  trace?: Trace,
  reports?: Reports,
): AuthError | undefined {
  const { claims, routes, clock } = asked;
  const route = rules.route === undefined ? undefined : routes.get(rules.route);
  if (rules.route !== undefined && route === undefined)
    throw new TypeError(`authorize: the options have no ${noRoute(rules.route, [...routes.keys()])}`);
  const refusal = route && traceRequirements(route.requires, asked, trace, reports);
  if (refusal !== undefined && trace === undefined) return refusal;
  const inForce = route?.claims ?? rules;
  const judge =
    trace === undefined
      ? firstFailure
      : traceRules('route', (check, holds) => insufficient(check, holds, asked), trace);
  const unmet: ClaimCheck[] = [];
  const reportsAll = isReportOnly(rules, clock) || isReportOnly(inForce, clock);
  const failed = judge(inForce, claims, reportsAll ? { ...asked, isReportOnly: true } : asked, unmet);
  if (refusal !== undefined) return refusal;
  if (failed !== undefined) {
    const others = checksIn(inForce).filter((check) => isEnforced(check.enforcedFromMs, clock));
    const own = refusalBy(
      failed,
      () => others.find((check) => check.need === undefined && !mayHold(check, asked)),
      asked,
    );
    if (own.code !== 'scope_insufficient') return own;
    return own.withChallenge({
      scope: scopesFor(rules, asked, scopesOf(claims, asked.scopes ?? PLAIN_SCOPES)),
    });
  }
  const [first] = unmet;
  if (first === undefined) return undefined;
  // As if there were no rules: what their schemas made of claims does not count either.
  if (reportsAll) asked.outputs?.splice(0);
  const reported = refusalBy(first, () => unmet.find(({ need }) => need === undefined), asked);
  reports?.push({ refusal: reported, claims: unmet.map(({ claim }) => claim), route: rules.route });
  return undefined;
}

/**
 * The refusal by the first rule that does not hold. A client acts on the challenge for scopes, so
 * it gets one only if scopes are all that is missing.
 * @param findOther finds a rule that does not hold and is not about scopes
 */
function refusalBy(
  failed: ClaimCheck,
  findOther: () => ClaimCheck | undefined,
  asked: AskedClaims,
): AuthError {
  const own = insufficient(
    failed,
    failed.needsRequest && asked.request === undefined ? undefined : false,
    asked,
  );
  const other = own.code === 'scope_insufficient' ? findOther() : undefined;
  return other === undefined ? own : insufficient(other, false, asked);
}

/** What `scopesFor` needs to know of the options. */
export type ScopeContext = Pick<AskedClaims, 'routes' | 'scopes' | 'always' | 'clock'>;

/**
 * Returns all scopes that the rules of a route and the rules on every token need, for a challenge;
 * undefined if they name none.
 * @param held the scopes of the token
 */
export function scopesFor(
  rules: CompiledRules<unknown>,
  { routes, scopes = PLAIN_SCOPES, always, clock = Date }: ScopeContext,
  held?: readonly string[],
): string | undefined {
  const inForce = isReportOnly(rules, clock) ? undefined : rulesIn(rules, routes);
  const needs = [always, inForce].flatMap((each) => (each === undefined ? [] : needsOf(each, clock)));
  return scopesToAsk(needs, scopes, held);
}

/** True if the scopes of a challenge depend on the time: see `enforce`. */
export function hasDatesIn(
  rules: CompiledRules<unknown>,
  { routes, always }: Pick<ScopeContext, 'routes' | 'always'>,
): boolean {
  return [rules, always, rulesIn(rules, routes)].some((each) => each !== undefined && hasDates(each));
}

function rulesIn(rules: CompiledRules<unknown>, routes: NamedRoutes): CompiledRules<unknown> | undefined {
  return rules.route === undefined ? rules : routes.get(rules.route)?.claims;
}

/** A rule that cannot be checked, such as a schema that throws, counts as one that holds. */
function mayHold(check: ClaimCheck, asked: AskedClaims): boolean {
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
  return (rules, claims, context = {}, reported = []) => {
    const { request, clock } = context;
    const reportsAll = context.isReportOnly === true || isReportOnly(rules, clock);
    let first: ClaimCheck | undefined;
    for (const check of checksIn(rules)) {
      const value = judgedValue(check, claims, context);
      const isOn = !reportsAll && isEnforced(check.enforcedFromMs, clock);
      const judge = isOn ? check.holds : (...given: Parameters<Holds>) => holdsSafely(check, ...given);
      const holds = check.needsRequest && request === undefined ? undefined : judge(value, request);
      const refusal = holds === true ? undefined : refuse(check, holds);
      if (refusal !== undefined && isOn) first ??= check;
      else if (refusal !== undefined) reported.push(check);
      trace({ stage, check, value, holds, ...(isOn ? { refusal } : { wouldRefuse: refusal }) });
    }
    return first;
  };
}

const NO_REQUEST = 'a rule compares with the request, but no request was given';

function insufficient(check: ClaimCheck, holds: boolean | undefined, asked: AskedClaims): AuthError {
  const detail = holds === undefined ? NO_REQUEST : ruleDetail(check, asked.claims, asked);
  return new AuthError(check.need === undefined ? 'claims_insufficient' : 'scope_insufficient', { detail });
}
