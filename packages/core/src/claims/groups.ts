// The groups in the claims of a token. Groups from elsewhere are found in the folder groups.
import { isTexts, type JsonObject, type JsonValue, own } from '../values/json.ts';
import { claimAt } from './path.ts';

/**
 * Reads a claim as groups: a list of texts, or one text, which is one group whatever is in it.
 * @returns undefined if the claim is absent; null for any other value, which has no groups
 */
export function readGroups(value: JsonValue | undefined): readonly string[] | null | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value.trim() === '' ? [] : [value];
  return isTexts(value) ? value : null;
}

/**
 * Returns what a rule on `groups` is judged by. Null, which no form accepts, if the groups are not
 * known: so a rule with `noneOf` does not hold either.
 */
export function judgedGroups(claims: JsonObject): JsonValue | undefined {
  const value = own(claims, 'groups');
  if (typeof value === 'string') return value;
  if (value === undefined) return areGroupsElsewhere(claims, ['groups'], true) ? null : undefined;
  return readGroups(value) ?? null;
}

/** Says why a token has no groups to judge; undefined if it has some, or just none. */
export function groupsProblem(claims: JsonObject): string | undefined {
  if (judgedGroups(claims) !== null) return undefined;
  return own(claims, 'groups') === undefined
    ? ELSEWHERE
    : 'groups is neither a list of texts nor one text, so it has no groups';
}

/** The detail for a token that names no groups because it would have too many. */
export const ELSEWHERE =
  'the groups are not in the token: _claim_names or hasgroups says that there are too many; get them from groups.directory or groups.endpoint';

/**
 * True if the token says that its groups are elsewhere: a provider with more groups than fit into a
 * token names the claim in `_claim_names` (OpenID Connect Core 1.0 §5.6.2), or has `hasgroups`.
 */
export function areGroupsElsewhere(claims: JsonObject, path: readonly string[], isAbsent: boolean): boolean {
  const names =
    claimAt(claims, ['_claim_names', path[0] ?? '']) ?? claimAt(claims, ['_claim_names', ...path]);
  return names !== undefined || (isAbsent && claimAt(claims, ['hasgroups']) === true);
}
