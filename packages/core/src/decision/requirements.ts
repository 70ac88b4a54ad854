// What a route requires of a token besides rules on its claims. Each requirement is one option of a
// route, in code (access.ts) and in `routes` of the options. The rules of a route are not here.
import { audiences, checkAudience } from '../claims/audience.ts';
import { type IssuerMatcher, issuers, issuersJudge } from '../claims/issuers.ts';
import { AuthError } from '../errors.ts';
import { type JsonObject, type JsonValue, own } from '../values/json.ts';
import { optional, type ReadBy } from '../values/option.ts';
import { issuerText } from './details.ts';

/** The options of a route that are requirements. */
export const requirementOptions = {
  issuers: optional(issuers, 'The only issuers that this route accepts.', issuersJudge),
  audience: optional(
    audiences,
    'The audience of this route, or several: a token must name one of them, next to the audience of the options.',
  ),
} as const;

/** Checked requirements. */
export interface RouteRequirements {
  readonly welcomes: IssuerMatcher | undefined;
  readonly audience: ReadonlySet<string> | undefined;
}

/** The token that is judged. */
export interface JudgedToken {
  readonly issuer: string | undefined;
  readonly claims: JsonObject;
}

/** The requirements of a route that has none. */
export const NO_REQUIREMENTS: RouteRequirements = Object.freeze({
  welcomes: undefined,
  audience: undefined,
});

/** Turns the options of a route into requirements. */
export function requirementsOf({
  issuers: welcomes,
  audience,
}: ReadBy<typeof requirementOptions>): RouteRequirements {
  const isAny = welcomes !== undefined || audience !== undefined;
  return isAny ? Object.freeze({ welcomes, audience }) : NO_REQUIREMENTS;
}

/** One requirement, as it was judged, for `explain`. */
export interface JudgedRequirement {
  /** The claim, such as `iss`. */
  readonly about: string;
  readonly expected: string;
  readonly actual: JsonValue | undefined;
  readonly refusal: AuthError | undefined;
}

/**
 * Returns why a token does not meet the requirements of a route; undefined if it does.
 * @param note called with each requirement; if given, the checks go on after a refusal
 */
export function judgeRequirements(
  { welcomes, audience }: RouteRequirements,
  { issuer, claims }: JudgedToken,
  note?: (requirement: JudgedRequirement) => void,
): AuthError | undefined {
  let first: AuthError | undefined;
  const judged = (requirement: JudgedRequirement): boolean => {
    first ??= requirement.refusal;
    note?.(requirement);
    return first !== undefined && note === undefined;
  };
  if (welcomes !== undefined) {
    const detail = `issuers of the route does not accept ${issuerText(issuer)}`;
    const refusal = welcomes(issuer) ? undefined : new AuthError('token_issuer_untrusted', { detail });
    const expected = 'one of the issuers of the route';
    if (judged({ about: 'iss', expected, actual: issuer, refusal })) return first;
  }
  if (audience !== undefined) {
    const actual = own(claims, 'aud');
    const refusal = checkAudience(actual, { audience, owner: 'of the route' });
    judged({ about: 'aud', expected: `one of ${JSON.stringify([...audience])}`, actual, refusal });
  }
  return first;
}
