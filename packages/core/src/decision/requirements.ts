// What a route requires of a token besides rules on its claims. Each requirement is one option of a
// route, in code (access.ts) and in `routes` of the options. The rules of a route are not here.
import { type IssuerMatcher, issuers, issuersJudge } from '../claims/issuers.ts';
import { AuthError } from '../errors.ts';
import type { JsonObject, JsonValue } from '../values/json.ts';
import { optional, type ReadBy } from '../values/option.ts';
import { issuerText } from './details.ts';

/** The options of a route that are requirements. */
export const requirementOptions = {
  issuers: optional(issuers, 'The only issuers that this route accepts.', issuersJudge),
} as const;

/** Checked requirements. */
export interface RouteRequirements {
  readonly welcomes: IssuerMatcher | undefined;
}

/** The token that is judged. */
export interface JudgedToken {
  readonly issuer: string | undefined;
  readonly claims: JsonObject;
}

/** The requirements of a route that has none. */
export const NO_REQUIREMENTS: RouteRequirements = Object.freeze({ welcomes: undefined });

/** Turns the options of a route into requirements. */
export function requirementsOf({ issuers: welcomes }: ReadBy<typeof requirementOptions>): RouteRequirements {
  const isAny = welcomes !== undefined;
  return isAny ? Object.freeze({ welcomes }) : NO_REQUIREMENTS;
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
  { welcomes }: RouteRequirements,
  { issuer }: JudgedToken,
  note?: (requirement: JudgedRequirement) => void,
): AuthError | undefined {
  let refusal: AuthError | undefined;
  if (welcomes !== undefined) {
    if (!welcomes(issuer)) {
      const detail = `issuers of the route does not accept ${issuerText(issuer)}`;
      refusal = new AuthError('token_issuer_untrusted', { detail });
    }
    note?.({ about: 'iss', expected: 'one of the issuers of the route', actual: issuer, refusal });
  }
  return refusal;
}
