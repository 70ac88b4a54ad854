// What a route adds to the decision on a token: its resource, its requirements, its rules. Applied
// to each request, also where the token is cached.
import type { CompiledRules, SchemaOutputs } from '../claims/compile.ts';
import type { RequestParameters } from '../claims/rules.ts';
import { inSpace } from '../errors.ts';
import { type JsonObject, own } from '../values/json.ts';
import type { CompiledAccess } from './access.ts';
import { judgeAccess, judgeRoute } from './authorize.ts';
import type { Refused, RefusedToken, RequestDecision } from './decision.ts';
import { createResourceJudge } from './judge-resource.ts';
import { hasDatesIn, judgeRules, scopesFor, traceRequirements } from './judge-rules.ts';
import { type PrincipalContext, signedClaims, withOutputs } from './principal.ts';
import type { Reports } from './report-only.ts';
import { NO_REQUIREMENTS } from './requirements.ts';
import { NO_RESOURCES, type RouteResource } from './route-resources.ts';
import { ignoringFaultsAfter, type Trace } from './trace.ts';
import { isIssuer } from './vouch.ts';

/** What a route may require of a token. */
type Requiring = Pick<CompiledAccess, 'requires' | 'claims'>;

/** Who is told of the checks, and gets what is not refused. */
export interface Noted {
  readonly trace: Trace | undefined;
  readonly reports: Reports;
}

/** Applies what routes require. */
export interface RouteJudge {
  /**
   * The resource of a route; undefined for none.
   * @throws TypeError if the options do not have it
   */
  resourceOf(access: Requiring): RouteResource | undefined;
  /** Applies the resource and the requirements of a route, which its mode may excuse. */
  applyRequirements<D extends RequestDecision>(
    decision: D,
    access: Requiring,
    resource: RouteResource | undefined,
    noted: Noted,
  ): D | RefusedToken;
  /** Applies the rules of a route, which no mode excuses. */
  applyRules<D extends RequestDecision>(
    decision: D,
    rules: CompiledRules | undefined,
    request: RequestParameters | undefined,
    noted: Noted,
  ): D | Refused;
  /** Names the resource and the scopes of a route in the challenge of a refusal. */
  challenge(refused: Refused, access: Requiring, resource: RouteResource | undefined): Refused;
}

/** Makes the judge of an authenticator. */
export function createRouteJudge(context: PrincipalContext): RouteJudge {
  const { routes, resources = NO_RESOURCES, space } = context;
  const resourceJudge = createResourceJudge(routes, resources);
  const scopesOfRules = new WeakMap<CompiledRules, string | undefined>();

  /** Refuses a token that is for another resource of the service. */
  function judgeForResource<D extends RequestDecision>(
    decision: D,
    resource: RouteResource | undefined,
    trace: Trace | undefined,
  ): D | RefusedToken {
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
    if (hasDatesIn(rules, context)) scopesOfRules.delete(rules);
    if (!scopesOfRules.has(rules)) scopesOfRules.set(rules, scopesFor(rules, context));
    const scope = scopesOfRules.get(rules);
    return { ok: false, error: scope === undefined ? error : error.withChallenge({ scope }) };
  }

  /**
   * Judges the requirements of a route. With a trace, the claims of a refused token are also
   * judged, to show the results.
   */
  function judgeRequired<D extends RequestDecision>(
    decision: D,
    access: Pick<CompiledAccess, 'requires'>,
    { trace, reports }: Noted,
  ): D | RefusedToken {
    if (access.requires === NO_REQUIREMENTS) return decision;
    if (decision.ok) {
      const { principal } = decision;
      const error = principal && judgeAccess(principal, access, trace, reports);
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
    { trace, reports }: Noted,
  ): D | Refused {
    if (rules === undefined) return decision;
    if (decision.ok) {
      const outputs: SchemaOutputs = [];
      const refusal = judgeRoute(decision.principal, rules, request, {
        trace,
        outputs,
        reports,
        anonymous: undefined,
        clock: context.clock,
      });
      // The refusal of a principal has its challenge already.
      if (refusal !== undefined) {
        const isNew = decision.principal === undefined;
        return { ok: false, error: isNew ? inSpace(refusal, space) : refusal };
      }
      if (outputs.length === 0 || decision.principal === undefined) return decision;
      return { ...decision, principal: withOutputs(decision.principal, outputs) };
    }
    const { claims } = decision;
    if (trace !== undefined && claims !== undefined) {
      ignoringFaultsAfter(decision.error, () => judgeRules(rules, { ...askedOf(claims), request }, trace));
    }
    return decision;
  }

  return {
    resourceOf: resourceJudge.of,
    applyRequirements: (decision, access, resource, noted) =>
      judgeRequired(judgeForResource(decision, resource, noted.trace), access, noted),
    applyRules,
    challenge(refused, { claims }, resource) {
      const asked = claims === undefined ? refused : asking(refused, claims);
      return resource === undefined ? asked : { ok: false, error: inSpace(asked.error, resource.space) };
    },
  };
}
