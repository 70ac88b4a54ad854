// The text of `detail` for a rule that does not hold. It names our rules and registered claims, and
// never a value of the token. Called only for refusals.
import type { JsonObject } from '../values/json.ts';
import { nearestTo } from '../values/kind.ts';
import { type ClaimCheck, type EvaluationContext, judgedValue } from './compile.ts';
import { groupsProblem } from './groups.ts';
import { looksNested } from './path.ts';

/** Claims whose names say nothing about a token: registered ones, and those of common providers. */
const KNOWN: readonly string[] = [
  ...['scope', 'scp', 'permissions', 'roles', 'groups', 'entitlements', 'client_id', 'azp', 'act'],
  ...['sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'acr', 'amr', 'auth_time', 'typ', 'token_use'],
  ...['email', 'email_verified', 'name', 'preferred_username', 'tenant', 'tid', 'oid'],
];

/** The detail for a token whose groups look like several in one text. */
const ONE_GROUP =
  "the rule on groups does not hold; the claim is one text, so one group; to split it at spaces or commas, write split: ' ' or split: ',' next to the groups of the rule";

/** Says which rule does not hold, and the probable mistake if the token does not have the claim. */
export function ruleDetail(
  check: Pick<ClaimCheck, 'claim' | 'path' | 'isScope' | 'isGroups' | 'rule'>,
  claims: JsonObject,
  context: EvaluationContext,
): string {
  const { claim, path, isScope, isGroups, rule } = check;
  const { delimiter } = context;
  const at = path(delimiter);
  if (at.length === 0) return 'the rule on all claims does not hold';
  const problem = isGroups ? groupsProblem(claims) : undefined;
  if (problem !== undefined) return problem;
  const value = judgedValue(check, claims, context);
  if (isGroups && rule.split === undefined && typeof value === 'string' && /[ ,]/.test(value))
    return ONE_GROUP;
  if (value !== undefined) return `the rule on ${claim} does not hold`;
  const absent = `the token has no claim ${claim}`;
  const isName = path(undefined).length === 1;
  if (at.length > 1)
    return isName && /[:/]/.test(claim)
      ? `${absent}; nestedClaimDelimiter splits this name: write a backslash before each delimiter in it`
      : absent;
  if (isName && looksNested(claim)) return `${absent}; it is a path only with nestedClaimDelimiter: '.'`;
  const has = (name: string) => Object.hasOwn(claims, name);
  if (isScope && has('permissions'))
    return 'the token has permissions and no scope; set scopes: { permissions: true }';
  const near = nearestTo(claim, KNOWN.filter(has));
  return near === undefined ? absent : `${absent}; did you mean ${near}?`;
}
