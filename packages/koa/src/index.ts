// Maps Koa to core: passes the request in, sets `ctx.state.auth`, throws errors. No decision is
// made here.
import * as core from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import type { Signer, SignResponseOptions } from '@latchkey/core/signing';
import type { Middleware, ParameterizedContext } from 'koa';
import { mark, routes } from './routes.ts';

export * from '@latchkey/core';
export type { ApplicationView, RouterView } from './routes.ts';
export { routes };

/** The state of a request that has been authenticated. */
export interface AuthState<T = core.Principal | undefined> {
  /**
   * Who the verified token says the caller is. Behind `requireClaims`, its claims are typed by the
   * rules that they satisfied.
   */
  readonly auth: T;
}

/** A middleware behind `requireClaims`. */
export type AuthenticatedMiddleware<C extends core.Claims = core.Claims> = Middleware<
  AuthState<core.Principal<C>>
>;

/**
 * Authenticates every request that passes through it, and sets `ctx.state.auth`: the principal, or
 * for `requireAll` and `requireAny` the principals by name. With `access.claims` it also judges the
 * rules of the route, in one step; without, see `requireClaims`. In the modes `optional` and
 * `permissive` an anonymous request passes with `ctx.state.auth` undefined.
 *
 * Refusals go to the application's error handling as an `AuthError`; Koa's own answers with its
 * status, headers and message. Put it on the application, before body parsers, so that nobody
 * unknown makes the service read a body, or on a route; what `router.use` registers on a router
 * with a prefix can be passed by. What stands before it, and what is marked with `publicRoute`, is
 * public; another `authenticate` on a route decides anew.
 * @param source options, an authenticator made before, or several combined
 * @param access what the route asks: rules, issuers, and a mode instead of that of the options
 * @throws ConfigError for wrong options, at once
 * @example
 * ```ts
 * app.use(
 *   authenticate({
 *     keySets: [{ issuer: 'https://accounts.google.com', useOidcDiscovery: true }],
 *     audience: 'https://api.example.com',
 *   }),
 * );
 * ```
 */
export function authenticate<T = core.Principal | undefined>(
  source: adapter.AuthenticationSource<T>,
  ...access: readonly [access?: core.RouteAccess]
): Middleware<AuthState<T>> {
  const { authenticator, access: asked, marks } = adapter.prepareAuthentication(source, ...access);
  return mark(marks, (ctx, next) => {
    adapter.checkOnce(ctx.app, routes);
    // A value that something else has set must not be taken for ours, least of all on a refusal.
    if ('auth' in ctx.state) Reflect.deleteProperty(ctx.state, 'auth');
    const view = viewOf(ctx);
    const decision = adapter.decide<unknown>(authenticator, view, asked);
    concealToken(adapter.concealToken(authenticator, view, ctx.req, ctx.originalUrl), ctx);
    return adapter.whenDecided<unknown, unknown>(decision, (auth) => {
      (ctx.state as { auth: unknown }).auth = auth;
      return next();
    });
  });
}

/**
 * Lets a request pass whose principal satisfies the rules; the principal must have been set by
 * `authenticate`. Given a handler, calls it with `ctx.state.auth` typed by the rules; without one,
 * goes on to the next middleware, and types the state for it. Of several on one way, each has to
 * hold.
 * @throws ConfigError for wrong rules, at once
 * @example
 * ```ts
 * router.get(
 *   '/admin',
 *   requireClaims({ roles: allOf('admin') }, (ctx) => {
 *     ctx.body = ctx.state.auth.claims.roles;
 *   }),
 * );
 * ```
 */
export function requireClaims<const R extends core.Rules>(
  rules: R | adapter.CompiledRules<R>,
  ...handlers: readonly [handler?: AuthenticatedMiddleware<core.ClaimsOf<R>>]
): AuthenticatedMiddleware<core.ClaimsOf<R>> {
  const compiled = adapter.compileRules(rules);
  const handler = adapter.argument(handlers, 'requireClaims: handler', undefined);
  return mark([{ kind: 'claims', claims: adapter.claimNames(compiled) }], (ctx, next) => {
    const { method, headers, params = {} } = ctx;
    core.authorize(ctx.state.auth, compiled, { method, headers, params });
    return handler === undefined ? next() : handler(ctx, next);
  });
}

/**
 * Signs fields of what the handlers behind it reply, before any of it leaves, also of what they
 * write to `ctx.res`. A 2xx that is not JSON, or has a field that cannot be signed, is thrown as by
 * a handler, and leaves nothing. Put compression before it, not behind.
 * @throws ConfigError for wrong options, at once
 * @example
 * ```ts
 * router.post('/token', signResponse({ signer, keysToSign: ['access_token'] }), (ctx) => {
 *   ctx.body = { access_token: { sub: 'alice', exp: Math.floor(Date.now() / 1000) + 300 } };
 * });
 * ```
 */
export function signResponse(options: SignResponseOptions): Middleware {
  const { sign } = adapter.createResponseSigner(options);
  return async (ctx, next) => {
    const { res } = ctx;
    // What is written past Koa, and what answers an error: Koa itself, or a middleware before this
    // one.
    const held = adapter.holdReply(res, sign, (error) => ctx.onerror(error));
    try {
      await next();
      if (ctx.respond === false || held.isBegun()) return;
      const { status, body } = ctx;
      const signed = await sign({
        status,
        body,
        getHeader: (name) => res.getHeader(name),
        setHeader: (name, value) => res.setHeader(name, value),
        removeHeader: (name) => res.removeHeader(name),
        response: res,
      });
      if (signed !== undefined) setBody(ctx, status, signed.body);
      held.release();
    } catch (error) {
      // An error handler before us may set a status only, or nothing at all. Without a type, Koa
      // lets go of the body.
      ctx.remove('Content-Type');
      ctx.body = null;
      throw error;
    }
  };
}

/**
 * Answers with the public JWK Set of a signer, for everybody. Put it before `authenticate`.
 * @example
 * ```ts
 * router.get('/.well-known/jwks.json', publishKeys(signer));
 * ```
 */
export function publishKeys(signer: Signer): Middleware {
  const publish = adapter.keysPublisher(signer);
  return mark([{ kind: 'public' }], async (ctx) => {
    const { headers, body } = await publish();
    ctx.body = body;
    ctx.set(headers);
  });
}

/**
 * Marks a route as public. Changes nothing about a request: it is for `routes`, and for readers.
 * @example
 * ```ts
 * router.get('/health', publicRoute(), (ctx) => {
 *   ctx.body = 'ok';
 * });
 * ```
 */
export function publicRoute(): Middleware {
  return mark([{ kind: 'public' }], (_ctx, next) => next());
}

/**
 * The raw request, with what Koa keeps beside it hung on it: cheaper than a view for every request,
 * and `refusalOf(ctx.req)` finds the request that core saw. A body is there only if its parser ran
 * before.
 */
function viewOf({ req, request, params }: ParameterizedContext): adapter.RequestView {
  if ('body' in request) Object.assign(req, { body: request.body });
  return params === undefined ? req : Object.assign(req, { params });
}

/**
 * Koa makes a 204 of a body that is taken away, and keeps the length and type of one that is
 * replaced.
 */
function setBody(ctx: ParameterizedContext, status: number, body: string | Buffer): void {
  ctx.body = body.length === 0 ? null : body;
  ctx.status = status;
}

/**
 * Koa keeps the first URL in two places of its own, and in two more once `ctx.URL` and `ctx.query`
 * were read.
 */
function concealToken(concealment: adapter.Concealment | undefined, ctx: ParameterizedContext): void {
  if (concealment === undefined) return;
  ctx.originalUrl = concealment.strip(ctx.originalUrl);
  ctx.request.originalUrl = ctx.originalUrl;
  for (const kept of ['memoizedURL', '_querycache']) Reflect.deleteProperty(ctx.request, kept);
  // Koa ignores headers that come after the head was sent.
  ctx.set(concealment.headers);
}
