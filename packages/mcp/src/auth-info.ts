// The principal as the `AuthInfo` of the SDK, and back. No decision is made here.
import type { IncomingMessage } from 'node:http';
import { ConfigError, type Principal, signedClaims, tokenOf } from '@latchkey/core';
import { isPrincipal, METADATA_PATH, metadataUrlOf, notAuthenticated } from '@latchkey/core/adapter';

/**
 * What both versions of the SDK call `AuthInfo`: a transport takes it with a request, and handlers
 * get it as `extra.authInfo` (v1) or `ctx.http.authInfo` (v2).
 */
export interface AuthInfo {
  /** The access token. Never write it into a log or a result. */
  token: string;
  /** `principal.clientId`. Empty if the token has neither `client_id` nor `azp`. */
  clientId: string;
  /** `principal.scopes`. */
  scopes: string[];
  /** When the token expires, in seconds since the epoch. Absent for a token that never does. */
  expiresAt?: number;
  /** `resource.url` of the options. Absent if `aud` of the token does not name it. */
  resource?: URL;
  /** The URL of the metadata of the resource, which v2 names in its challenges. */
  resourceMetadataUrl?: string;
  /** The principal: see `principalOf`. */
  extra: { principal: Principal; [name: string]: unknown };
}

/** A principal, or the `AuthInfo` that was made from it. */
export type Caller = Principal | Pick<AuthInfo, 'extra'> | SdkAuthInfo;

/** An `AuthInfo` as the SDK declares it. */
export interface SdkAuthInfo {
  readonly token: string;
  readonly extra?: { readonly [name: string]: unknown };
}

/**
 * Makes the `AuthInfo` of the SDK from a principal. Decides nothing.
 * @param token default: the token that was verified for the principal
 * @throws ConfigError for an object that no authenticator made
 * @example
 * ```ts
 * const principal = await authenticator.verify(token);
 * await transport.handleRequest(request, { authInfo: authInfoOf(principal) });
 * ```
 */
export function authInfoOf(principal: Principal, token: string | undefined = tokenOf(principal)): AuthInfo {
  if (!isPrincipal(principal) || token === undefined)
    throw new ConfigError('authInfoOf', 'expected a principal of an authenticator; pass no copy of it');
  const { clientId = '', scopes, expiresAt } = principal;
  const metadataUrl = metadataUrlOf(principal);
  const resource = metadataUrl === undefined ? undefined : audienceAt(principal, metadataUrl);
  return {
    ...{ token, clientId, scopes: [...scopes] },
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(resource === undefined ? {} : { resource }),
    ...(metadataUrl === undefined ? {} : { resourceMetadataUrl: metadataUrl }),
    extra: { principal },
  };
}

/**
 * Returns the principal of an `AuthInfo`, to check more of it in a handler.
 * @param authInfo `extra.authInfo` (v1) or `ctx.http?.authInfo` (v2) of a handler; a principal is
 *   returned as it is
 * @returns undefined for undefined, which is an anonymous caller
 * @throws ConfigError for an `AuthInfo` that `authInfoOf` did not make
 * @example
 * ```ts
 * server.registerTool('whoami', {}, (extra) => {
 *   const principal = principalOf(extra.authInfo);
 *   authorize(principal, { scope: 'profile' });
 *   return { content: [{ type: 'text', text: principal.subject ?? 'a client' }] };
 * });
 * ```
 */
export function principalOf(authInfo: Caller | undefined): Principal | undefined {
  if (authInfo === undefined || isPrincipal(authInfo)) return authInfo;
  const extra: unknown = Reflect.get(Object(authInfo), 'extra');
  const principal: unknown =
    typeof extra === 'object' && extra !== null && Object.hasOwn(extra, 'principal')
      ? Reflect.get(extra, 'principal')
      : undefined;
  if (isPrincipal(principal)) return principal;
  throw new ConfigError(
    'authInfo',
    'expected the AuthInfo of tokenVerifier, authInfoOf or withAuthInfo, and no copy of its principal',
  );
}

/** A request as the transports of both versions of the SDK take it. */
export type SdkRequest = IncomingMessage & { method: string; url: string; auth?: AuthInfo };

/**
 * Replaces the principal in `request.auth`, where `authenticate` of Express puts it, by the
 * `AuthInfo` that the transports of the SDK read there. Call it where the request is passed to the
 * SDK: handlers that run later find the `AuthInfo`. An anonymous request gets none.
 * @param principal default: `request.auth`. Other frameworks keep the principal elsewhere:
 *   `withAuthInfo(ctx.req, ctx.state.auth)` (Koa), `withAuthInfo(request.raw, request.auth)`
 *   (Fastify)
 * @returns the same request, with the type that the SDK takes
 * @throws ConfigError if the request did not pass `authenticate`
 * @example
 * ```ts
 * app.post('/mcp', authenticate(authenticator), express.json(), async (req, res) => {
 *   await transport.handleRequest(withAuthInfo(req), res, req.body);
 * });
 * ```
 */
export function withAuthInfo(
  request: IncomingMessage,
  ...given: readonly [principal?: Principal | undefined]
): SdkRequest {
  const principal = principalOf(given.length === 0 ? authOf(request, 'withAuthInfo') : given[0]);
  // The same object, because transports read its stream. Requests to a server have both members.
  const known = request as SdkRequest;
  delete known.auth;
  if (principal !== undefined) known.auth = authInfoOf(principal);
  return known;
}

/** What `authenticate` or a middleware of the SDK has set. @throws ConfigError if none has run */
export function authOf(request: object, name: string): Caller | undefined {
  if (!Object.hasOwn(request, 'auth'))
    throw notAuthenticated(name, 'authenticate; register authenticate first');
  return (request as { auth?: Caller }).auth;
}

/** The audience of the token whose metadata are at this URL. */
function audienceAt(principal: Principal, metadataUrl: string): URL | undefined {
  const { aud } = signedClaims(principal);
  const { origin, pathname } = new URL(metadataUrl);
  const url = new URL(`${origin}${pathname.slice(METADATA_PATH.length)}`);
  const isResource = (name: unknown) =>
    typeof name === 'string' && URL.canParse(name) && new URL(name).href === url.href;
  return (Array.isArray(aud) ? aud : [aud]).some(isResource) ? url : undefined;
}
