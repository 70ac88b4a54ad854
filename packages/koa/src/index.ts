// Maps Koa to core: passes the request in, sets `ctx.state.auth`, throws errors. No decision is
// made here.
import type * as core from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import type { Signer, SignResponseOptions } from '@latchkey/core/signing';
import type { Middleware, ParameterizedContext } from 'koa';
import { mark, routes } from './routes.ts';

export * from '@latchkey/core';
export { recentDecisions } from './decisions.ts';
export type { ApplicationView, RouterView } from './routes.ts';
export { routes };

/** The state of a request that has been authenticated. */
export interface AuthState<T = core.Principal | undefined> {
  /**
   * The principal of the verified token. Behind `requireClaims`, its claims are typed by the rules
   * that they satisfied.
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
 * rules of the route, in one step; without them, see `requireClaims`. In the modes `optional` and
 * `permissive` an anonymous request passes with `ctx.state.auth` undefined.
 *
 * A refusal goes to the application's error handling as an `AuthError`; Koa's own error handling
 * answers with its status, headers and message. Put `authenticate` on the application, before body
 * parsers, so that the service reads no body of an unauthenticated request, or on a route. Do not
 * register it by `router.use` on a router with a prefix: requests can bypass it there. Middleware
 * before it, and routes marked with `publicRoute`, are public; another `authenticate` on a route
 * decides anew.
 * @param source options, an authenticator, or several authenticators combined
 * @param access what the route asks: rules, issuers, an audience, and a mode that replaces that of
 *   the options. It may be omitted, but not undefined, which would drop the rules of a route: a
 *   wrapper passes it on only if it has one,
 *   `authenticate(source, ...(access === undefined ? [] : [access]))`
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
    // Another middleware may have set `ctx.state.auth`. Handlers must not take that value for a
    // principal, least of all after a refusal.
    (ctx.state as { auth: unknown }).auth = undefined;
    const view = viewOf(ctx);
    const decision = adapter.decide<unknown, ParameterizedContext>(authenticator, view, asked, KOA, ctx);
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
 * goes on to the next middleware, and types the state for it. Where a rule is a schema,
 * `ctx.state.auth.claims` has its output from there on. Where a request passes several, each must
 * be satisfied.
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
  adapter.refuseRequest(rules, 'requireClaims', RULES);
  const compiled = adapter.compileRules(rules);
  const handler = adapter.handlerIn(handlers, 'requireClaims');
  return mark([adapter.claimsMark(compiled)], (ctx, next) => {
    const { method, headers, params = {} } = ctx;
    // Set by `authenticate`, also for an anonymous request.
    if (!Object.hasOwn(ctx.state, 'auth')) throw adapter.notAuthenticated('requireClaims', ORDER);
    const auth = adapter.authorizeRequest(ctx.req, ctx.state.auth, compiled, { method, headers, params });
    (ctx.state as { auth: unknown }).auth = auth;
    return handler === undefined ? next() : handler(ctx, next);
  });
}

/**
 * Signs fields of the replies of the handlers behind it, before any byte is sent; replies that they
 * write to `ctx.res` too. A 2xx that is not JSON, or has a field that cannot be signed, is thrown
 * as if by a handler, and no byte of it is sent. Put compression before it, not behind.
 * @throws ConfigError for wrong options, at once
 * @example
 * ```ts
 * router.post('/token', signResponse({ signer, keysToSign: ['access_token'] }), (ctx) => {
 *   ctx.body = { access_token: { sub: 'alice', exp: Math.floor(Date.now() / 1000) + 300 } };
 * });
 * ```
 */
export function signResponse(options: SignResponseOptions): Middleware {
  adapter.refuseRequest(options, 'signResponse', SIGNING);
  const { sign } = adapter.createResponseSigner(options);
  return async (ctx, next) => {
    const { res } = ctx;
    // Holds what a handler writes past Koa, and the answer to an error that Koa itself or a
    // middleware before this one writes.
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
      // An error handler before this middleware may set only a status, or nothing at all. Without a
      // type, Koa drops the body.
      ctx.remove('Content-Type');
      ctx.body = null;
      throw error;
    }
  };
}

/**
 * Answers every request with the public JWK Set of a signer. Put it before `authenticate`.
 * @example
 * ```ts
 * router.get('/.well-known/jwks.json', publishKeys(signer));
 * ```
 */
export function publishKeys(signer: Signer): Middleware {
  adapter.refuseRequest(signer, 'publishKeys', 'a signer');
  const publish = adapter.keysPublisher(signer);
  return mark([{ kind: 'public' }], async (ctx) => {
    const { headers, body } = await publish();
    ctx.body = body;
    ctx.set(headers);
  });
}

/**
 * Answers requests for the metadata of the protected resources of authenticators (RFC 9728), at the
 * paths that their challenges name, to everybody. All other requests pass on. Put it on the
 * application, before `authenticate`.
 * @throws ConfigError for an authenticator without `resource`, at once
 * @example
 * ```ts
 * app.use(publishResource(authenticator));
 * app.use(authenticate(authenticator));
 * ```
 */
export function publishResource(
  ...authenticators: readonly (core.Authenticator | core.CombinedAuthenticator)[]
): Middleware {
  const { answer, paths } = adapter.resourcePublisher(...authenticators);
  return mark([{ kind: 'document', paths }], (ctx, next) => {
    const found = answer(ctx.method, ctx.originalUrl);
    if (found === undefined) return next();
    ctx.body = found.body === '' ? null : found.body;
    ctx.status = found.status;
    ctx.set(found.headers);
    return undefined;
  });
}

/**
 * Answers requests with logout tokens and security event tokens, for a receiver of
 * `createEventReceiver`. Needs no body parser, and works behind one. Put it before `authenticate`.
 * @throws ConfigError for anything but a receiver, at once
 * @example
 * ```ts
 * const receiver = createEventReceiver(authenticator, { logout: { clientId: 'web' } });
 * router.post('/backchannel-logout', receiveEvents(receiver));
 * ```
 */
export function receiveEvents(receiver: core.EventReceiver): Middleware {
  const answer = adapter.nodeEventAnswerer(receiver);
  return mark([{ kind: 'public' }], async (ctx) => {
    // A body parser may have set `ctx.request.body`.
    const { status, headers, body } = await answer(ctx.req, Reflect.get(ctx.request, 'body'));
    ctx.body = body;
    ctx.status = status;
    ctx.remove('Content-Type');
    ctx.set(headers);
  });
}

/**
 * Answers health checks: 200 `{"status":"ready"}` while the authenticators can judge tokens, else
 * 503 `{"status":"unavailable"}`. It says nothing else, because everybody may ask. Put it before
 * `authenticate`.
 * @param authenticators those of `createAuthenticator`: each one of a combination
 * @throws ConfigError for anything else, at once
 * @example
 * ```ts
 * router.get('/health', healthCheck(authenticator));
 * ```
 */
export function healthCheck(...authenticators: readonly core.Authenticator[]): Middleware {
  const answer = adapter.healthAnswerer(...authenticators);
  return mark([{ kind: 'public' }], (ctx) => {
    const { status, headers, body } = answer();
    ctx.body = body;
    ctx.status = status;
    ctx.set(headers);
  });
}

/**
 * Marks a route as public for `routes` and for readers of the code. It does not change how a
 * request is handled.
 * @example
 * ```ts
 * router.get('/health', publicRoute(), (ctx) => {
 *   ctx.body = 'ok';
 * });
 * ```
 */
export function publicRoute(...none: readonly never[]): Middleware {
  adapter.refuseArguments(none, 'publicRoute');
  return mark([{ kind: 'public' }], (_ctx, next) => next());
}

const RULES = "rules, such as { scope: 'read' }";
const SIGNING = 'options, such as { signer, keysToSign }';
const ORDER = 'authenticate; register authenticate first';

/** For the event `latchkey:decision`. @koa/router sets the pattern of the route on the context. */
const KOA: adapter.RequestPlace<ParameterizedContext> = Object.freeze({
  framework: 'koa',
  routeOf: ({ _matchedRoute }: ParameterizedContext) =>
    _matchedRoute === undefined ? undefined : String(_matchedRoute),
  whenAnswered: ({ res }: ParameterizedContext, done: () => void) => adapter.onceResponded(res, done),
});

/**
 * Returns the raw request, with the properties that Koa keeps elsewhere assigned to it. That is
 * cheaper than a view for every request, and `refusalOf(ctx.req)` finds the request that core saw.
 * `body` is set only if its parser ran before.
 */
function viewOf({ req, request, params, protocol, originalUrl }: ParameterizedContext): adapter.RequestView {
  if ('body' in request) Object.assign(req, { body: request.body });
  // Under Express, the request has a protocol that cannot be assigned.
  const own = 'protocol' in req ? {} : { protocol };
  // koa-mount shortens the URL of the request, and a proof is for the one that was received.
  const more = 'originalUrl' in req ? own : { ...own, originalUrl };
  return Object.assign(req, params === undefined ? more : { ...more, params });
}

/**
 * Restores what Koa changes: a body that is removed becomes a 204, and one that is replaced keeps
 * its length and type.
 */
function setBody(ctx: ParameterizedContext, status: number, body: string | Buffer): void {
  ctx.body = body.length === 0 ? null : body;
  ctx.status = status;
  // Koa 2 removes both headers that say where an empty body ends.
  if (body.length === 0) ctx.length = 0;
}

/**
 * Koa keeps the first URL in two properties, and in two more once `ctx.URL` and `ctx.query` were
 * read.
 */
function concealToken(concealment: adapter.Concealment | undefined, ctx: ParameterizedContext): void {
  if (concealment === undefined) return;
  ctx.originalUrl = concealment.strip(ctx.originalUrl);
  ctx.request.originalUrl = ctx.originalUrl;
  for (const kept of ['memoizedURL', '_querycache']) Reflect.deleteProperty(ctx.request, kept);
  // Koa ignores headers that are set after the head was sent.
  ctx.set(concealment.headers);
}
