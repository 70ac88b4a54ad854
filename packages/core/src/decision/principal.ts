// Principal: who a verified token says the caller is, and its making from claims.
import { type CompiledRules, splitList } from '../claims/compile.ts';
import type { RequestParameters } from '../claims/rules.ts';
import { AuthError } from '../errors.ts';
import type { Clock } from '../values/clock.ts';
import { deepFreeze, type JsonObject, type JsonValue, own } from '../values/json.ts';
import type { NamedRoutes } from './access.ts';

/**
 * The JWT Claims Set of a verified token, by claim name. JSON values, of which rules say more: see
 * `ClaimsOf`.
 */
export type Claims = { readonly [name: string]: unknown };

/**
 * Who the verified token says the caller is. Frozen to its leaves, and shared by requests that
 * carry the same token.
 */
export interface Principal<C extends Claims = Claims> {
  /** The `iss` claim. Undefined where a keyset without issuer verified a token without one. */
  readonly issuer: string | undefined;
  /** The `sub` claim. Undefined where the token has none: tokens for clients may. */
  readonly subject: string | undefined;
  /** The items of `scope`, or of `scp`. */
  readonly scopes: readonly string[];
  /**
   * All groups, from where the options say they come; without such options, the `groups` claim. A
   * rule on `groups` is judged by these.
   */
  readonly groups: readonly string[];
  readonly claims: C;
}

/** What a principal brings along from its authenticator, for judging it later. */
export interface PrincipalContext {
  readonly realm: string | undefined;
  /** The authenticator's `nestedClaimDelimiter`. */
  readonly delimiter: string | undefined;
  /** The authenticator's `routes`. */
  readonly routes: NamedRoutes;
  /** Groups are in lower case: `groupCase: 'insensitive'`. */
  readonly foldsGroups?: boolean;
  /** The authenticator's `maxTokenAge`. */
  readonly maxTokenAgeMs?: number | undefined;
  /** The authenticator's `clock`. */
  readonly clock?: Clock;
  /**
   * What options that are about to be in force say of the same caller. Rules have to hold there,
   * too.
   */
  readonly also?: (
    rules: CompiledRules<unknown>,
    request: RequestParameters | undefined,
  ) => AuthError | undefined;
}

// Tells a principal from anything that merely looks like one. A symbol, because what arrives as
// JSON cannot have one.
const CONTEXT: unique symbol = Symbol.for('@latchkey/Principal') as never;

const NONE: readonly string[] = Object.freeze([]);

/**
 * Makes a principal of claims that have been verified and judged.
 * @param groups found elsewhere; undefined where the claim is all that there is
 * @throws AuthError `token_claims_invalid` if `scope`, `scp` or `groups` is not what its name
 *   promises
 */
export function createPrincipal(
  claims: JsonObject,
  context: PrincipalContext,
  groups?: readonly string[],
): Principal {
  const scope = own(claims, 'scope') ?? own(claims, 'scp');
  const principal = {
    issuer: own(claims, 'iss') as string | undefined,
    subject: own(claims, 'sub') as string | undefined,
    scopes: typeof scope === 'string' ? splitList(scope) : readStrings(scope, 'scope'),
    groups: groups ?? readStrings(own(claims, 'groups'), 'groups'),
    // A claim that is not believed must not be read by whoever believes the rule on it.
    claims: groups === undefined ? frozen(claims) : deepFreeze({ ...claims, groups }),
  };
  Object.freeze(principal.scopes);
  Object.freeze(principal.groups);
  return Object.freeze(Object.defineProperty(principal, CONTEXT, { value: context }));
}

/** True for what an authenticator made; false for anything else that stands in the same place. */
export function isPrincipal(value: unknown): value is Principal {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, CONTEXT);
}

/** What the authenticator gave it along; undefined for what no authenticator made. */
export function contextOf(principal: object): PrincipalContext | undefined {
  // What only inherits from a principal may say other things of itself.
  return isPrincipal(principal)
    ? (principal as { readonly [CONTEXT]?: PrincipalContext })[CONTEXT]
    : undefined;
}

/** Claims that were parsed are frozen to their leaves already, and need no second walk. */
function frozen(claims: JsonObject): JsonObject {
  return Object.isFrozen(claims) ? claims : deepFreeze(claims);
}

function readStrings(value: JsonValue | undefined, name: string): readonly string[] {
  if (value === undefined || value === null) return NONE;
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.slice();
  throw new AuthError('token_claims_invalid', { detail: `${name} is not a list of strings` });
}
