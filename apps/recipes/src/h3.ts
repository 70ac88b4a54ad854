// h3.ts: middleware for h3 2, and so for Nitro 3.
import type { Guard, Principal, RouteAccess } from '@latchkey/web';
import { type H3Event, HTTPError, type Middleware } from 'h3';

const principals = new WeakMap<H3Event, Principal>();

/** Middleware that lets only requests pass that satisfy `access`. */
export function authenticate(guard: Guard, access: RouteAccess = {}): Middleware {
  const judge = guard.for(access);
  return async (event, next) => {
    const auth = await judge(event.req, { params: event.context.params ?? {} });
    if (auth instanceof Response) return auth;
    if (auth !== undefined) principals.set(event, auth);
    return next();
  };
}

/** The principal of a request, in a handler behind the middleware. */
export function principalOf(event: H3Event): Principal {
  const principal = principals.get(event);
  if (principal === undefined) throw new HTTPError({ status: 401 });
  return principal;
}
