// The guard: passes a web-standard Request to core, and returns the principal or the Response of a
// refusal. No decision is made here.
import * as core from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import type { AuthFor, AuthOf } from './types.ts';

/** What a server knows of a request that a `Request` does not hold. */
export type RequestExtras = Pick<adapter.WebRequestExtras, 'params' | 'protocol' | 'rawHeaders' | 'socket'>;

/** Guards routes of one access, which was checked when the guard was made. */
export type RouteGuard<T> = (request: Request, extras?: RequestExtras) => Promise<T | Response>;

/** Guards requests. Its type parameter is what a request without further access gives. */
export interface Guard<T = core.Principal | undefined> {
  /**
   * Decides on a request: resolves to its principal, or to the `Response` of a refusal, which the
   * handler has to return. In the modes `optional` and `permissive` an anonymous request resolves
   * to undefined. The request is not changed, and its body is not read.
   * @param access what the route asks. It is checked at each call: for constant access, use `for`
   * @param extras path parameters, for `fromRequest` rules, the protocol, for
   *   `requireSecureTransport`, which refuses the request if that is not said, and the connection,
   *   for `mutualTls`, without which the client has no certificate
   * @throws ConfigError for access that cannot be used, by rejection
   */
  (request: Request): Promise<T | Response>;
  <const A extends core.RouteAccess>(
    request: Request,
    access: A,
    extras?: RequestExtras,
  ): Promise<AuthFor<T, A> | Response>;
  /**
   * Makes the guard of routes with one access, which is checked at once.
   * @throws ConfigError for access that cannot be used
   * @example
   * ```ts
   * const admins = guard.for({ claims: { roles: ['admin'] } });
   * ```
   */
  for<const A extends core.RouteAccess>(access: A): RouteGuard<AuthFor<T, A>>;
  /**
   * Finds the token that a request has in its query, for which `tokenFrom` names a parameter. Only
   * `withAuth` calls it by itself. Undefined for a request without one.
   * @returns `strip`, which removes the token from a URL, and `headers` for the reply, so that no
   *   cache keeps it, and no page passes the URL on (RFC 6750 §2.3)
   */
  conceal(request: Request): adapter.Concealment | undefined;
  /** The authenticator that decides. */
  readonly authenticator: core.Authenticator | core.CombinedAuthenticator;
}

// A registered symbol, so that it is the same in all copies of this package.
const REFUSED: unique symbol = Symbol.for('@latchkey/refused');

/**
 * True if a guard has refused the request: its result is a `Response` to return. The same as `auth
 * instanceof Response`, and also right where a polyfill or a server has replaced `Response`.
 * @example
 * ```ts
 * const auth = await guard(request);
 * if (isRefused(auth)) return auth;
 * ```
 */
export function isRefused(auth: unknown): auth is Response {
  return (
    auth instanceof Response || (typeof auth === 'object' && auth !== null && Object.hasOwn(auth, REFUSED))
  );
}

/**
 * Makes the guard of a service whose handlers get a web-standard `Request`, and starts to load its
 * keys. A refusal is a `Response` with the status, the challenge, and `{ code, status, message }`
 * as JSON.
 * @param source options, an authenticator, or several authenticators combined
 * @throws ConfigError for wrong options, at once
 * @example
 * ```ts
 * const guard = createGuard({
 *   keySets: [{ issuer: 'https://accounts.google.com', useOidcDiscovery: true }],
 *   audience: 'https://api.example.com',
 * });
 *
 * export async function GET(request: Request): Promise<Response> {
 *   const auth = await guard(request);
 *   if (auth instanceof Response) return auth;
 *   return Response.json({ hello: auth.subject });
 * }
 * ```
 */
export function createGuard<const S extends adapter.AuthenticationSource>(source: S): Guard<AuthOf<S>> {
  adapter.refuseRequest(source, 'createGuard', 'options, such as { keySets, audience }');
  const { authenticator, access: nothing } = adapter.prepareAuthentication(source);

  function compiled(access: core.RouteAccess): adapter.CompiledAccess {
    return adapter.prepareAuthentication(authenticator, access).access;
  }

  async function judge(request: Request, asked: adapter.CompiledAccess, extras?: RequestExtras) {
    const view = viewOf(request, extras);
    try {
      return await adapter.whenDecided(adapter.decide(authenticator, view, asked, WEB), (auth) => auth);
    } catch (error) {
      if (!core.isAuthError(error)) throw error;
      return Object.assign(adapter.toResponse(error), { [REFUSED]: true });
    }
  }

  async function guard(
    request: Request,
    ...rest: readonly [access?: core.RouteAccess, extras?: RequestExtras]
  ): Promise<unknown> {
    return judge(request, rest.length === 0 ? nothing : compiled(rest[0] as core.RouteAccess), rest[1]);
  }

  return Object.freeze(
    Object.assign(guard, {
      for(access: core.RouteAccess) {
        const asked = compiled(access);
        return (request: Request, extras?: RequestExtras) => judge(request, asked, extras);
      },
      // The token is in the URL, so nothing else of the request is read.
      conceal: ({ url }: Request) => authenticator.conceal({ url, headers: {} }),
      authenticator,
    }),
  ) as unknown as Guard<AuthOf<S>>;
}

/** For the event `latchkey:decision`. A web-standard request has no route. */
const WEB: adapter.RequestPlace<undefined> = Object.freeze({ framework: 'web' });

function viewOf(request: Request, extras?: RequestExtras): adapter.RequestView {
  if (typeof request?.url !== 'string' || typeof request.headers?.get !== 'function')
    throw new core.ConfigError('guard', 'expected a web-standard Request; see the README for other kinds');
  return adapter.requestViewOf(request, extras);
}
