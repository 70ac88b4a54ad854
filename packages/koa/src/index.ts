// Latchkey for Koa: hand over the request, hang up the principal, hand over the error. What is decided, core decides.
import {
  type AuthenticateOverrides,
  type Authenticator,
  type AuthenticatorOptions,
  asError,
  authenticateMark,
  authorize,
  type Claims,
  type ClaimsOf,
  claimNames,
  compileOverrides,
  compileRules,
  createAuthenticator,
  type Principal,
  type RequestTree,
  type RequestView,
  type Rules,
} from '@latchkey/core';
import type { Middleware, ParameterizedContext } from 'koa';
import { mark } from './routes.ts';

export * from '@latchkey/core';
export { type ApplicationView, type RouterView, routes } from './routes.ts';

/** The state of a request that has been authenticated. */
export interface AuthState<T = Principal | undefined> {
  /** Who the verified token says the caller is. Behind `requireClaims`, its claims are typed by the rules that they satisfied. */
  readonly auth: T;
}

/** A middleware behind `requireClaims`. */
export type AuthenticatedMiddleware<C extends Claims = Claims> = Middleware<AuthState<Principal<C>>>;

/**
 * Authenticates every request that passes through it, and sets `ctx.state.auth`: the principal, or for a tree of `requireAll` and
 * `requireAny` its principals by name. Does *not* look at any route's rules: see `requireClaims`. In the modes `optional` and
 * `permissive` an anonymous request passes with `ctx.state.auth` undefined.
 *
 * Refusals go to the application's error handling as an `AuthError`; Koa's own answers with its status, headers and message.
 * Put it on the application, before body parsers, so that nobody unknown makes the service read a body, or on a route; what
 * `router.use` registers on a router with a prefix can be passed by. What stands before it, and what is marked with `publicRoute`, is
 * public; another `authenticate` on a route decides anew.
 * @param options options, an authenticator made before, or a tree of them
 * @param overrides what the route says instead of the options
 * @throws ConfigError for wrong options, at once
 */
export function authenticate<T = Principal | undefined>(
  options: AuthenticatorOptions | Authenticator | RequestTree<T>,
  overrides: AuthenticateOverrides = {},
): Middleware<AuthState<T>> {
  const authenticator = 'authenticate' in options ? options : createAuthenticator(options);
  const compiled = compileOverrides(overrides);
  return mark(authenticateMark(authenticator, compiled), async (ctx, next) => {
    // Nobody else's value may be taken for ours, least of all when the token is refused.
    Reflect.deleteProperty(ctx.state, 'auth');
    let auth: unknown;
    try {
      const authenticated = authenticator.authenticate(viewOf(ctx), compiled);
      concealToken(authenticator, ctx);
      auth = await authenticated;
    } catch (error) {
      // Koa answers nothing at all to a rejection with null or undefined.
      throw asError(error);
    }
    Object.assign(ctx.state, { auth });
    return next();
  });
}

/**
 * Lets a request pass whose principal satisfies the rules; the principal must have been set by `authenticate`. Given a handler,
 * calls it with `ctx.state.auth` typed by the rules; without one, goes on to the next middleware, and types the state for it. Of
 * several on one way, each has to hold.
 * @throws ConfigError for wrong rules, at once
 */
export function requireClaims<const R extends Rules>(
  rules: R,
  handler?: AuthenticatedMiddleware<ClaimsOf<R>>,
): AuthenticatedMiddleware<ClaimsOf<R>> {
  const compiled = compileRules(rules);
  return mark({ kind: 'claims', claims: claimNames(compiled) }, async (ctx, next) => {
    const { method, headers, params = {} } = ctx;
    authorize(ctx.state.auth, compiled, { method, headers, params });
    return handler === undefined ? next() : handler(ctx, next);
  });
}

/** Says aloud that a route is for everybody. Changes nothing about a request: it is for `routes`, and for readers. */
export function publicRoute(): Middleware {
  return mark({ kind: 'public' }, (_ctx, next) => next());
}

/**
 * The raw request, with what Koa keeps beside it hung on it: cheaper than a view for every request, and `refusalOf(ctx.req)` finds the
 * request that core saw. A body is there only if its parser ran before.
 */
function viewOf({ req, request, params }: ParameterizedContext): RequestView {
  if ('body' in request) Object.assign(req, { body: request.body });
  return params === undefined ? req : Object.assign(req, { params });
}

/** Koa keeps the first URL beside the raw request's own: in two places, and in a third once somebody has asked for `ctx.URL`. */
function concealToken(authenticator: Pick<RequestTree, 'conceal'>, ctx: ParameterizedContext): void {
  // Koa's own way of setting a header does nothing where the head has been sent; Node's throws.
  const response = { setHeader: (name: string, value: string) => ctx.set(name, value) };
  const first = { url: ctx.originalUrl };
  authenticator.conceal(ctx.req, response);
  authenticator.conceal(first, response);
  if (first.url === ctx.originalUrl) return;
  ctx.originalUrl = first.url;
  ctx.request.originalUrl = first.url;
  Reflect.deleteProperty(ctx.request, 'memoizedURL');
}
