// The principal: the caller that a verified token describes, made from its claims. Nothing is
// verified here.
import type { ProtectionSpace } from '../challenge.ts';
import { type Actor, actorOf } from '../claims/actor.ts';
import type { AudiencePolicy } from '../claims/audience.ts';
import type { CompiledRules, SchemaOutputs } from '../claims/compile.ts';
import { readGroups } from '../claims/groups.ts';
import { validityOf } from '../claims/registered.ts';
import type { RequestParameters } from '../claims/rules.ts';
import { malformedScopes, PLAIN_SCOPES, type ScopeSettings, scopesOf } from '../claims/scopes.ts';
import { AuthError, ConfigError } from '../errors.ts';
import type { Clock } from '../values/clock.ts';
import { checkCopy, type Marked, sharedState } from '../values/copies.ts';
import { deepFreeze, type JsonObject, type JsonValue, own } from '../values/json.ts';
import { kindOf } from '../values/kind.ts';
import type { NamedRoutes } from './access.ts';
import type { RouteResources } from './route-resources.ts';

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
   * The client that the token was issued to: `client_id` (RFC 9068 §2.2, RFC 7662 §2.2), or else
   * `azp` of OpenID Connect. Undefined if the token has neither.
   */
  readonly clientId: string | undefined;
  /**
   * When the token expires, in seconds since the epoch, as `exp` is: at `exp` or at the end of
   * `maxTokenAge`, whichever comes first, without clock skew. Undefined for a token with neither.
   * @example
   * ```ts
   * const secondsLeft = (principal.expiresAt ?? Infinity) - Date.now() / 1000;
   * ```
   */
  readonly expiresAt: number | undefined;
  /**
   * Who acts for the subject now: `act` of RFC 8693 §4.1. Undefined if the subject acts itself. A
   * handler that decides by it compares `actor.issuer` too, and never uses `actor.chain`; a route
   * decides by `actors`.
   */
  readonly actor: Actor | undefined;
  /**
   * All scopes: the items of `scope` and `scp`, those of `permissions` if `scopes.permissions` is
   * set, and the scopes that they imply by `scopes.implies`. A rule on `scope` applies to these.
   */
  readonly scopes: readonly string[];
  /**
   * All groups, from the source in the options; without such options, from the `groups` claim: a
   * list of texts, or one text, which is one group. A rule on `groups` applies to these, and never
   * holds if the claim is anything else.
   */
  readonly groups: readonly string[];
  readonly claims: C;
}

/** Named routes, and the options that their rules are read by. */
export interface RoutesInForce {
  readonly routes: NamedRoutes;
  /** Undefined in an older copy of this package. */
  readonly scopes?: ScopeSettings | undefined;
  /** The resources that routes name. Undefined in an older copy of this package. */
  readonly resources?: RouteResources | undefined;
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
  /** The authenticator's `resources`. */
  readonly resources?: RouteResources | undefined;
  /** The audiences of routes that name no resource. Undefined: those of all routes. */
  readonly unnamed?: AudiencePolicy | undefined;
  /** `aud` of the JWT that an endpoint accepted, if it has one. The claims are the answer. */
  readonly ownAudience?: JsonValue | undefined;
  /** A bound token was accepted with its proof only: `dpop` and `mutualTls` of the options. */
  readonly provesPossession?: boolean | undefined;
  /** Groups are in lower case: `groupCase: 'insensitive'`. */
  readonly foldsGroups?: boolean;
  /** What is in force now, where options can change. Later checks use both. */
  readonly now?: (() => RoutesInForce) | undefined;
  /** The claims as they were signed, where the principal has others. */
  readonly signed?: JsonObject | undefined;
  /** The authenticator's `maxTokenAge`. */
  readonly maxTokenAgeMs?: number | undefined;
  /** The authenticator's `clock`. */
  readonly clock?: Clock;
  /** The authenticator's `clockSkew`. */
  readonly clockSkewMs?: number | undefined;
  /** Checks the same caller by options that are not in force yet. Their rules must hold too. */
  readonly also?:
    | ((rules: CompiledRules<unknown>, request: RequestParameters | undefined) => AuthError | undefined)
    | undefined;
}

// Tells a principal from other objects of the same shape. A symbol, because parsed JSON cannot have
// one.
const CONTEXT: unique symbol = Symbol.for('@latchkey/Principal');

// The tokens of principals: not in the principal, where a log, JSON or an inspection would find
// them. An entry for each principal that is made, and not for each request: requests with a cached
// token share one.
const tokens = sharedState('tokens of principals', () => new WeakMap<object, string>());

const NONE: readonly string[] = Object.freeze([]);

/**
 * Makes a principal from claims that have been verified and checked.
 * @param groups from another source, null if they cannot be read there; undefined if only the claim
 *   provides them
 * @param only the scopes that count, of those in the claims; undefined if all do
 * @throws AuthError `token_claims_invalid` if a scope claim or `act` has a wrong form
 */
export function createPrincipal(
  claims: JsonObject,
  context: PrincipalContext,
  groups?: readonly string[] | null,
  only?: readonly string[],
): Principal {
  const { scopes = PLAIN_SCOPES } = context;
  const malformed = malformedScopes(claims, scopes);
  if (malformed !== undefined)
    throw new AuthError('token_claims_invalid', { detail: `${malformed} is not a list of strings` });
  const { untilMs } = validityOf(claims, { clockSkewMs: 0, maxTokenAgeMs: context.maxTokenAgeMs });
  const written = own(claims, 'groups');
  const found = groups === undefined ? readGroups(written) : groups;
  const isText = groups === undefined && typeof written === 'string';
  const principal = {
    issuer: own(claims, 'iss') as string | undefined,
    subject: own(claims, 'sub') as string | undefined,
    clientId: (own(claims, 'client_id') ?? own(claims, 'azp')) as string | undefined,
    expiresAt: Number.isFinite(untilMs) ? untilMs / 1000 : undefined,
    actor: actorOf(claims),
    scopes: only ?? scopesOf(claims, scopes) ?? NONE,
    groups: found?.slice() ?? NONE,
    // Replaces the claim, so that code that trusts a rule on `groups` never reads the unchecked
    // claim, and always finds a list.
    claims:
      groups !== undefined || isText ? deepFreeze({ ...claims, groups: found ?? null }) : frozen(claims),
  };
  Object.freeze(principal.scopes);
  Object.freeze(principal.groups);
  // A rule with `split` is judged by the text.
  const value = isText ? Object.freeze({ ...context, signed: frozen(claims) }) : context;
  return Object.freeze(Object.defineProperty(principal, CONTEXT, { value }));
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
 * Returns the claims of a principal as they were signed. `principal.claims` differs where a schema
 * of a route has changed them, and where `groups` is one text, which is a list there.
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
 * Returns the URL of the metadata of the protected resource that accepted the token of a principal
 * (RFC 9728 §3.1), which challenges name.
 * @returns undefined without `resource` in the options
 */
export function metadataUrlOf(principal: Principal): string | undefined {
  return contextOf(principal)?.space?.resourceMetadata;
}

/**
 * Returns the token that was verified for a principal, to call another service of the same audience
 * on behalf of the caller. Never send it to a service that its `aud` does not name: that service
 * could use it as the caller. For those, `createExchange` gets another token.
 * @param principal the object that the authenticator made, such as `req.auth`
 * @returns undefined for an anonymous caller
 * @throws ConfigError for any other object, such as a request or a copy of a principal
 * @example
 * ```ts
 * const principal = await authenticator.authenticate(request);
 * const headers = { authorization: `Bearer ${tokenOf(principal)}` };
 * await fetch('https://api.example.com/other-part', { headers });
 * ```
 */
export function tokenOf(principal: Principal | null | undefined): string | undefined {
  if (principal === null || principal === undefined) return undefined;
  if (!isPrincipal(principal))
    throw new ConfigError(
      'tokenOf',
      `expected a principal of an authenticator, got ${kindOf(principal)}; pass req.auth (Express, Nest), ctx.state.auth (Koa) or request.auth (Fastify), and no copy of it`,
    );
  return tokens.get(principal);
}

/** Notes the token of a principal. */
export function noteToken(principal: Principal, token: string): void {
  tokens.set(principal, token);
}

/** Notes the token of a principal also for another one that was made from it. */
export function withTokenOf<P extends Principal>(from: Principal, made: P): P {
  const token = tokens.get(from);
  if (token !== undefined) tokens.set(made, token);
  return made;
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
  return copyOf({ ...principal, claims }, principal, { ...context, signed: signedClaims(principal) });
}

/** Returns the principal with other challenges of later refusals. */
export function inSpaceOf(principal: Principal, space: ProtectionSpace): Principal {
  const context = contextOf(principal);
  if (context === undefined) return principal;
  const scheme = context.space?.scheme;
  const inSpace = scheme === undefined ? space : Object.freeze({ ...space, scheme });
  return copyOf({ ...principal }, principal, { ...context, space: inSpace });
}

function copyOf(copy: Principal, from: Principal, context: PrincipalContext): Principal {
  const value: PrincipalContext = Object.freeze(context);
  return withTokenOf(from, Object.freeze(Object.defineProperty(copy, CONTEXT, { value })));
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
