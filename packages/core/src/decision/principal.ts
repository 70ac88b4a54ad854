// The principal: the caller that a verified token describes, made from its claims. Nothing is
// verified here.
import type { ProtectionSpace } from '../challenge.ts';
import type { CompiledRules, SchemaOutputs } from '../claims/compile.ts';
import type { RequestParameters } from '../claims/rules.ts';
import { malformedScopes, PLAIN_SCOPES, type ScopeSettings, scopesOf } from '../claims/scopes.ts';
import { AuthError } from '../errors.ts';
import type { Clock } from '../values/clock.ts';
import { checkCopy, type Marked } from '../values/copies.ts';
import { deepFreeze, type JsonObject, type JsonValue, own } from '../values/json.ts';
import type { NamedRoutes } from './access.ts';

/**
 * The JWT Claims Set of a verified token, by claim name. The values are JSON; rules make the types
 * more precise: see `ClaimsOf`.
 */
export type Claims = { readonly [name: string]: unknown };

/**
 * The caller that a verified token describes. Deep-frozen, and shared by requests with the same
 * token.
 */
export interface Principal<C extends Claims = Claims> {
  /** The `iss` claim. Undefined if a keyset without an issuer verified a token without `iss`. */
  readonly issuer: string | undefined;
  /** The `sub` claim. Undefined if the token has none, as tokens for clients may. */
  readonly subject: string | undefined;
  /**
   * All scopes: the items of `scope` and `scp`, those of `permissions` if `scopes.permissions` is
   * set, and the scopes that they imply by `scopes.implies`. A rule on `scope` applies to these.
   */
  readonly scopes: readonly string[];
  /**
   * All groups, from the source in the options; without such options, from the `groups` claim. A
   * rule on `groups` applies to these.
   */
  readonly groups: readonly string[];
  readonly claims: C;
}

/** Named routes, and the options that their rules are read by. */
export interface RoutesInForce {
  readonly routes: NamedRoutes;
  readonly delimiter: string | undefined;
}

/** What a principal takes along from its authenticator for later checks. */
export interface PrincipalContext extends Marked {
  /** The challenges of later refusals. */
  readonly space: ProtectionSpace | undefined;
  /** How scopes are read. Default: without options. */
  readonly scopes?: ScopeSettings | undefined;
  /** The rules on every token: later challenges name their scopes too. */
  readonly always?: CompiledRules<unknown> | undefined;
  /** The authenticator's `nestedClaimDelimiter`. */
  readonly delimiter: string | undefined;
  /** The authenticator's `routes`. */
  readonly routes: NamedRoutes;
  /** Groups are in lower case: `groupCase: 'insensitive'`. */
  readonly foldsGroups?: boolean;
  /** What is in force now, where options can change. Later checks use both. */
  readonly now?: (() => RoutesInForce) | undefined;
  /** The claims as they were signed, where a schema of a route has changed them. */
  readonly signed?: JsonObject | undefined;
  /** The authenticator's `maxTokenAge`. */
  readonly maxTokenAgeMs?: number | undefined;
  /** The authenticator's `clock`. */
  readonly clock?: Clock;
  /** Checks the same caller by options that are not in force yet. Their rules must hold too. */
  readonly also?: (
    rules: CompiledRules<unknown>,
    request: RequestParameters | undefined,
  ) => AuthError | undefined;
}

// Tells a principal from other objects of the same shape. A symbol, because parsed JSON cannot have
// one.
const CONTEXT: unique symbol = Symbol.for('@latchkey/Principal');

const NONE: readonly string[] = Object.freeze([]);

/**
 * Makes a principal from claims that have been verified and checked.
 * @param groups from another source; undefined if only the claim provides them
 * @throws AuthError `token_claims_invalid` if a scope claim or `groups` has a wrong type
 */
export function createPrincipal(
  claims: JsonObject,
  context: PrincipalContext,
  groups?: readonly string[],
): Principal {
  const { scopes = PLAIN_SCOPES } = context;
  const malformed = malformedScopes(claims, scopes);
  if (malformed !== undefined)
    throw new AuthError('token_claims_invalid', { detail: `${malformed} is not a list of strings` });
  const principal = {
    issuer: own(claims, 'iss') as string | undefined,
    subject: own(claims, 'sub') as string | undefined,
    scopes: scopesOf(claims, scopes) ?? NONE,
    groups: groups ?? readStrings(own(claims, 'groups'), 'groups'),
    // Replaces the claim, so that code that trusts a rule on `groups` never reads the unchecked
    // claim.
    claims: groups === undefined ? frozen(claims) : deepFreeze({ ...claims, groups }),
  };
  Object.freeze(principal.groups);
  return Object.freeze(Object.defineProperty(principal, CONTEXT, { value: context }));
}

/** True for a principal that an authenticator made; false for other objects of the same shape. */
export function isPrincipal(value: unknown): value is Principal {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, CONTEXT);
}

/**
 * Returns the context from the authenticator; undefined for an object that no authenticator made.
 * @throws ConfigError if it is of another copy of this package, and in another form
 */
export function contextOf(principal: object): PrincipalContext | undefined {
  // Own property only: an object that inherits from a principal may have other members.
  if (!isPrincipal(principal)) return undefined;
  const { [CONTEXT]: context } = principal as { readonly [CONTEXT]?: PrincipalContext };
  if (context !== undefined) checkCopy(context, 'principal');
  return context;
}

/**
 * Returns the claims of a principal as they were signed, where a schema of a route has changed
 * `principal.claims`. Otherwise these are the same.
 * @example
 * ```ts
 * const principal = await authenticator.verify(token, { level: z.coerce.number() });
 * console.log(principal.claims.level, signedClaims(principal).level); // 4 '4'
 * ```
 */
export function signedClaims(principal: Principal): JsonObject {
  return contextOf(principal)?.signed ?? (principal.claims as JsonObject);
}

/**
 * Returns a principal whose claims are what schemas made of them. Members that a schema of all
 * claims drops stay as they were. Later rules are still checked on the signed claims.
 */
export function withOutputs(principal: Principal, outputs: SchemaOutputs): Principal {
  const context = contextOf(principal);
  if (outputs.length === 0 || context === undefined) return principal;
  const claims = outputs.reduce<Claims>(
    (all, { path, value }) => Object.freeze(replaced(all, path, value)),
    principal.claims,
  );
  const changed = { ...principal, claims };
  const value: PrincipalContext = Object.freeze({ ...context, signed: signedClaims(principal) });
  return Object.freeze(Object.defineProperty(changed, CONTEXT, { value }));
}

/** Copies the objects on the path; the claims are shared by requests. */
function replaced(claims: Claims, [name, ...inner]: readonly string[], value: unknown): Claims {
  if (name === undefined) {
    if (typeof value !== 'object' || value === null)
      throw new TypeError('claims: expected an object from the schema of all claims');
    return { ...claims, ...value };
  }
  if (inner.length === 0) return { ...claims, [name]: value };
  const member = Object.hasOwn(claims, name) ? claims[name] : undefined;
  return { ...claims, [name]: Object.freeze(replaced(isRecord(member) ? member : {}, inner, value)) };
}

function isRecord(value: unknown): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Parsed claims are deep-frozen already, and need no second walk. */
function frozen(claims: JsonObject): JsonObject {
  return Object.isFrozen(claims) ? claims : deepFreeze(claims);
}

function readStrings(value: JsonValue | undefined, name: string): readonly string[] {
  if (value === undefined || value === null) return NONE;
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.slice();
  throw new AuthError('token_claims_invalid', { detail: `${name} is not a list of strings` });
}
