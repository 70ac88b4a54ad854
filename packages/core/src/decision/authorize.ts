// From a principal and rules to nothing, or to a refusal. Verifies nothing.
import { type CompiledRules, compileRules, firstFailure } from '../claims/compile.ts';
import type { RequestParameters, Rules } from '../claims/rules.ts';
import type { ClaimsOf } from '../claims/types.ts';
import { AuthError } from '../errors.ts';
import type { JsonObject } from '../values/json.ts';
import { contextOf, type Principal, type PrincipalContext } from './principal.ts';

/**
 * Judges a principal by a route's rules. Verifies nothing: the principal must come from an authenticator.
 * @param principal undefined for an anonymous request
 * @param request for `fromRequest` rules
 * @throws AuthError `credentials_missing` for an anonymous request, `scope_insufficient`, `claims_insufficient`; for a named route also
 * `token_issuer_untrusted`
 * @throws TypeError for anything that only looks like a principal, and for a named route that its authenticator does not have
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
): asserts principal is Principal<ClaimsOf<R>> {
  if (principal === undefined) throw new AuthError('credentials_missing');
  const context = contextOf(principal);
  if (context === undefined) throw new TypeError('authorize: not a principal that an authenticator made');
  const { realm, delimiter } = context;
  const compiled = rulesOf(compileRules(rules), principal, context);
  const failed = firstFailure(compiled, principal.claims as JsonObject, { delimiter, request });
  if (failed === undefined) return;
  throw new AuthError(failed.isScope ? 'scope_insufficient' : 'claims_insufficient', {
    detail: `the rule on ${failed.claim} does not hold`,
    realm,
    scope: failed.scope,
  });
}

/** The rules themselves, where they are a route's: as the options of the principal's own authenticator say. */
function rulesOf(
  rules: CompiledRules<unknown>,
  principal: Principal,
  { routes, realm }: PrincipalContext,
): CompiledRules<unknown> {
  if (rules.route === undefined) return rules;
  const route = routes.get(rules.route);
  if (route === undefined) throw new TypeError(`authorize: the options have no route ${rules.route}`);
  if (route.welcomes?.(principal.issuer) === false) throw new AuthError('token_issuer_untrusted', { realm });
  return route.claims;
}
