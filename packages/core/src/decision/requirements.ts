// What a route requires of a token besides rules on its claims. Each requirement is one option of a
// route, in code (access.ts) and in `routes` of the options. The rules of a route are not here.
import { actorOf } from '../claims/actor.ts';
import { type ActorMatcher, actors, actorsJudge } from '../claims/actors.ts';
import { audiences, checkAudience } from '../claims/audience.ts';
import { ALWAYS } from '../claims/enforce.ts';
import { type IssuerMatcher, issuers, issuersJudge } from '../claims/issuers.ts';
import { AuthError, refusalIn } from '../errors.ts';
import {
  BINDINGS,
  bindingNames,
  bindingOfRoute,
  bindingOfRouteJudge,
  type RouteBinding,
  type RouteBindings,
} from '../possession/route.ts';
import type { Clock } from '../values/clock.ts';
import { type JsonObject, type JsonValue, own } from '../values/json.ts';
import { lasting, listed, replaced } from '../values/judge.ts';
import { optional, type ReadBy } from '../values/option.ts';
import { issuerText } from './details.ts';
import { type RouteResources, resourceName, resourceOf } from './route-resources.ts';
import { acr, judgeAcr, judgeAge, maxAge, type StepUp, stepUpOf } from './step-up.ts';

/** The options of a route that are requirements. */
export const requirementOptions = {
  issuers: optional(issuers, 'The only issuers that this route accepts.', issuersJudge),
  audience: optional(
    audiences,
    'The audience of this route, or several: a token must name one of them, next to the audience of the options.',
  ),
  resource: optional(
    resourceName,
    'The name of the resource of this route, in resources: a token must be for it, and challenges name its metadata.',
    replaced('tokens of the route are for another resource'),
  ),
  actors: optional(
    actors,
    'The only actors that may act for a subject here (act, RFC 8693). A token without an actor needs false in the list; false alone accepts no other.',
    actorsJudge,
  ),
  dpop: optional(
    bindingOfRoute,
    'required: a token of this route must be bound to a key, and come with its proof (RFC 9449). allowed: it may, as dpop.mode says.',
    bindingOfRouteJudge('to a key'),
  ),
  mutualTls: optional(
    bindingOfRoute,
    'required: a token of this route must be bound to a certificate that the client has (RFC 8705). allowed: it may, as mutualTls.mode says.',
    bindingOfRouteJudge('to a certificate'),
  ),
  senderConstrained: optional(
    bindingOfRoute,
    'required: a token of this route must be bound to a key or to a certificate. allowed: it may, as the options say.',
    bindingOfRouteJudge('to a key or a certificate'),
  ),
  acr: optional(
    acr,
    'The accepted values of acr, the best first (RFC 9470). A token with none of them gets a challenge that asks the client for them.',
    listed({ more: 'opens', given: 'closes', thing: 'acr' }),
  ),
  maxAge: optional(
    maxAge,
    'How long ago the user may have authenticated, by auth_time (RFC 9470). In whole seconds, 1s or more.',
    lasting('opens', 'the user may have authenticated this long ago'),
  ),
} as const;

/** Checked requirements, in the order in which they are judged. */
export interface RouteRequirements {
  readonly checks: readonly RequirementCheck[];
  /** The name of the resource of the route. It is judged first. */
  readonly resource?: string | undefined;
  /** What the route says of bound tokens. `allowed` must be what the options say. */
  readonly dpop?: RouteBinding | undefined;
  readonly mutualTls?: RouteBinding | undefined;
  readonly senderConstrained?: RouteBinding | undefined;
  /** The route accepts no anonymous request, whatever the mode of its authenticator is. */
  readonly needsToken: boolean;
  /** From when on they refuse: see `enforce` of an access. Absent: always. */
  readonly enforcedFromMs?: number | undefined;
}

/** The token that is judged. */
export interface JudgedToken {
  readonly issuer: string | undefined;
  readonly claims: JsonObject;
  /** Those of its authenticator. Undefined for a principal of an older copy of this package. */
  readonly clock?: Clock | undefined;
  readonly clockSkewMs?: number | undefined;
  /** Those of its authenticator. */
  readonly resources?: RouteResources | undefined;
  /** `aud` of the JWT that an endpoint accepted; `claims` are its answer. */
  readonly ownAudience?: JsonValue | undefined;
  /** Its authenticator accepts bound tokens only with their proof. */
  readonly provesPossession?: boolean | undefined;
}

interface RequirementCheck {
  /** The claim, such as `iss`. */
  readonly about: string;
  readonly expected: string;
  readonly judge: (token: JudgedToken) => AuthError | undefined;
}

/** One requirement, as it was judged, for `explain`. */
export interface JudgedRequirement extends Pick<RequirementCheck, 'about' | 'expected'> {
  readonly actual: JsonValue | undefined;
  readonly refusal: AuthError | undefined;
}

/** The requirements of a route that has none. */
export const NO_REQUIREMENTS: RouteRequirements = Object.freeze({
  checks: [],
  resource: undefined,
  dpop: undefined,
  mutualTls: undefined,
  senderConstrained: undefined,
  needsToken: false,
});

/**
 * Turns the options of a route into requirements.
 * @param enforcedFromMs see `readEnforcement`
 */
export function requirementsOf(
  read: ReadBy<typeof requirementOptions>,
  enforcedFromMs = ALWAYS,
): RouteRequirements {
  const stepUp = stepUpOf({ acr: read.acr, maxAgeMs: read.maxAge });
  const checks = Object.freeze([
    ...issuerChecks(read.issuers),
    ...audienceChecks(read.audience),
    ...actorChecks(read.actors),
    ...bindingChecks(read),
    // Last: a better authentication does not help a token that is refused for something else.
    ...stepUpChecks(stepUp),
  ]);
  const { resource, dpop, mutualTls, senderConstrained } = read;
  const bindings = [dpop, mutualTls, senderConstrained];
  const needsToken = read.actors !== undefined || bindings.includes('required') || stepUp !== undefined;
  return checks.length === 0 && [resource, ...bindings].every((one) => one === undefined)
    ? NO_REQUIREMENTS
    : Object.freeze({ checks, resource, dpop, mutualTls, senderConstrained, needsToken, enforcedFromMs });
}

/**
 * Returns why a token does not meet the requirements of a route; undefined if it does.
 * @param note called with each requirement; if given, the checks go on after a refusal
 * @throws TypeError for a resource that the options of the token's authenticator do not have
 */
export function judgeRequirements(
  requires: RouteRequirements,
  token: JudgedToken,
  note?: (requirement: JudgedRequirement) => void,
): AuthError | undefined {
  let first: AuthError | undefined;
  for (const { about, expected, judge } of checksOf(requires, token)) {
    const refusal = judge(token);
    first ??= refusal;
    if (note !== undefined) {
      const actual = about === 'iss' ? token.issuer : own(token.claims, about);
      note({ about, expected, actual, refusal });
    } else if (first !== undefined) break;
  }
  return first;
}

function checksOf({ checks, resource }: RouteRequirements, token: JudgedToken): readonly RequirementCheck[] {
  const named = resourceOf(resource, token.resources);
  if (named === undefined) return checks;
  const { expected, judge } = named;
  return [
    { about: 'aud', expected, judge: ({ claims, ownAudience }) => judge(claims, ownAudience) },
    ...checks,
  ];
}

function issuerChecks(welcomes: IssuerMatcher | undefined): readonly RequirementCheck[] {
  if (welcomes === undefined) return [];
  const judge = ({ issuer }: JudgedToken) => (welcomes(issuer) ? undefined : notWelcome(issuer));
  return [{ about: 'iss', expected: 'one of the issuers of the route', judge }];
}

function audienceChecks(audience: ReadonlySet<string> | undefined): readonly RequirementCheck[] {
  if (audience === undefined) return [];
  const judge = ({ claims }: JudgedToken) =>
    checkAudience(own(claims, 'aud'), { audience, owner: 'of the route' });
  return [{ about: 'aud', expected: `one of ${JSON.stringify([...audience])}`, judge }];
}

function actorChecks(accepts: ActorMatcher | undefined): readonly RequirementCheck[] {
  if (accepts === undefined) return [];
  const judge = (token: JudgedToken) => judgeActor(accepts, token);
  return [{ about: 'act', expected: 'one of the actors of the route', judge }];
}

/** The proof of a bound token has been judged with its request, before the route is. */
function bindingChecks(asked: RouteBindings): readonly RequirementCheck[] {
  return bindingNames
    .filter((name) => asked[name] === 'required')
    .map((name) => {
      const { text, scheme, needs, isBound } = BINDINGS[name];
      const judge = ({ claims, provesPossession }: JudgedToken) => {
        if (provesPossession === true && isBound(own(claims, 'cnf'))) return undefined;
        const detail =
          provesPossession === true
            ? `the route requires a token that is bound ${text}`
            : `the route needs ${needs}`;
        return new AuthError('token_binding_mismatch', { detail, scheme });
      };
      return { about: 'cnf', expected: `bound ${text}`, judge };
    });
}

function stepUpChecks(stepUp: StepUp | undefined): readonly RequirementCheck[] {
  const checks: RequirementCheck[] = [];
  if (stepUp?.acr !== undefined)
    checks.push({
      about: 'acr',
      expected: `one of ${stepUp.acr.join(', ')}`,
      judge: ({ claims }) => judgeAcr(stepUp, claims),
    });
  if (stepUp?.maxAgeMs !== undefined)
    checks.push({
      about: 'auth_time',
      expected: `at most ${stepUp.maxAgeMs / 1000} s ago`,
      judge: ({ claims, clock = Date, clockSkewMs = 0 }) =>
        judgeAge(stepUp, claims, { nowMs: clock.now(), clockSkewMs }),
    });
  return checks;
}

function notWelcome(issuer: string | undefined): AuthError {
  const detail = `issuers of the route does not accept ${issuerText(issuer)}`;
  return new AuthError('token_issuer_untrusted', { detail });
}

function judgeActor(accepts: ActorMatcher, { claims, issuer }: JudgedToken): AuthError | undefined {
  try {
    const actor = actorOf(claims);
    if (accepts(actor, issuer)) return undefined;
    const detail =
      actor === undefined
        ? 'actors of the route requires an actor; add false to it to accept tokens without act'
        : 'actors of the route does not accept the actor of the token';
    return new AuthError('claims_insufficient', { detail });
  } catch (error) {
    return refusalIn(error);
  }
}
