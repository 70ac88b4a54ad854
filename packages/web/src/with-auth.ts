// Wraps a handler, so that it runs only for accepted requests.
import * as core from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import { type Guard, isRefused, type RequestExtras } from './guard.ts';
import type { AuthFor } from './types.ts';

/** Says what a server knows of a request besides its `Request`, such as the path parameters. */
export type ExtrasOf<Q extends Request, Rest extends readonly unknown[]> = (
  request: Q,
  ...rest: Rest
) => RequestExtras | Promise<RequestExtras>;

/** A handler of requests, as frameworks and servers take it. */
export type Handler<Q extends Request, Rest extends readonly unknown[]> = (
  request: Q,
  ...rest: Rest
) => Promise<Response>;

/**
 * Wraps a handler: it is called with the request and its principal, and not at all for a refused
 * request, which gets the `Response` of the refusal. What else the framework passes comes behind
 * the principal. A token in the query is removed from the URL that the handler sees.
 * @param access what the route asks. It may be omitted, but not undefined, which would drop the
 *   rules of a route
 * @param extrasOf gives the path parameters, for `fromRequest` rules, the protocol, for
 *   `requireSecureTransport`, and the connection, for `mutualTls`. Default: none is known
 * @throws ConfigError for access that cannot be used, at once
 * @example
 * ```ts
 * export const GET = withAuth(guard, (request, auth) => Response.json(auth.claims.roles), {
 *   claims: { roles: ['admin'] },
 * });
 * ```
 */
export function withAuth<
  T,
  const A extends core.RouteAccess = object,
  Q extends Request = Request,
  Rest extends readonly unknown[] = readonly [],
>(
  guard: Guard<T>,
  handler: (request: Q, auth: AuthFor<T, A>, ...rest: Rest) => Response | Promise<Response>,
  ...more: readonly [access?: A, extrasOf?: ExtrasOf<Q, Rest>]
): Handler<Q, Rest> {
  if (typeof guard?.for !== 'function')
    throw new core.ConfigError('withAuth', 'expected a guard; make one with createGuard');
  if (typeof handler !== 'function')
    throw new core.ConfigError('withAuth', 'expected a handler as the second argument');
  const [access, extrasOf] = more;
  const judge = guard.for((more.length === 0 ? {} : access) as A);
  return async (request, ...rest) => {
    const auth = await judge(request, await extrasOf?.(request, ...rest));
    const concealment = guard.conceal(request);
    if (isRefused(auth)) return withHeaders(auth, concealment?.headers);
    if (concealment === undefined) return handler(request, auth, ...rest);
    const seen = adapter.requestWithUrl(request, concealment.strip(request.url)) as Q;
    return withHeaders(await handler(seen, auth, ...rest), concealment.headers);
  };
}

/** The headers of some responses cannot be changed, such as those of a redirect. */
function withHeaders(response: Response, headers: Readonly<Record<string, string>> = {}): Response {
  const entries = Object.entries(headers);
  if (entries.length === 0) return response;
  const { status, statusText } = response;
  const all = new Headers(response.headers);
  for (const [name, value] of entries) all.set(name, value);
  return new Response(response.body, { status, statusText, headers: all });
}
