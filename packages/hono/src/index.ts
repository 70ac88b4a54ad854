// Maps Hono to core: passes the request in, sets the variable `auth`, throws refusals. No decision
// is made here.
import type * as core from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import type { Signer, SignResponseOptions } from '@latchkey/core/signing';
import * as web from '@latchkey/web';
import type { Context, MiddlewareHandler } from 'hono';
import { concealToken, HONO, type RequestSettings, refusal, takeReply, viewOf } from './context.ts';
import { mark, routes } from './routes.ts';

export * from '@latchkey/core';
export type { RequestSettings } from './context.ts';
export { recentDecisions } from './decisions.ts';
export { receiveEvents } from './events.ts';
export type { ApplicationView } from './routes.ts';
export { routes };

/** The variables of a request that has been authenticated. */
export interface AuthVariables<T = core.Principal | undefined> {
  /** The principal of the verified token: its claims are typed by `requireClaims` before. */
  auth: T;
}

/** A middleware that types `c.var.auth` for the handlers behind it. */
export type AuthMiddleware<T> = MiddlewareHandler<{ Variables: AuthVariables<T> }>;

/**
 * Authenticates every request that passes through it, and sets the variable `auth` (`c.var.auth`,
 * `c.get('auth')`): the principal, or for `requireAll` and `requireAny` the principals by name. In
 * the modes `optional` and `permissive` an anonymous request passes with `auth` undefined.
 *
 * A refusal is thrown as an `HTTPException` of Hono, whose `cause` is the `AuthError`; Hono answers
 * with its status, its headers, and `{ code, status, message }`. Handlers before it, and routes
 * marked with `publicRoute`, are public.
 * @param source options, an authenticator, or several authenticators combined
 * @param access what the route asks. It may be omitted, but not undefined, which would drop the
 *   rules of a route
 * @param settings how the request came, if the server does not say so
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
  ...more: readonly [access?: core.RouteAccess, settings?: RequestSettings]
): AuthMiddleware<T> {
  const [access, settings] = more;
  const given = more.length === 0 ? [] : ([access as core.RouteAccess] as const);
  const { authenticator, access: asked, marks } = adapter.prepareAuthentication(source, ...given);
  return mark(marks, async (c, next) => {
    // Another middleware may have set `auth`, and handlers must not take that for a principal.
    c.set('auth', undefined as T);
    const view = viewOf(c, settings);
    const decision = adapter.decide<unknown, Context>(authenticator, view, asked, HONO, c);
    concealToken(authenticator, view, c);
    try {
      c.set('auth', await adapter.whenDecided(decision, (auth) => auth as T));
    } catch (error) {
      throw refusal(error);
    }
    try {
      await next();
    } finally {
      adapter.requestAnswered(c.req);
    }
  });
}

/**
 * Lets a request pass whose principal satisfies the rules, and types the claims of `auth` by them
 * for the handlers behind it. The principal must have been set by `authenticate`. Where a request
 * passes several, each must be satisfied.
 * @throws ConfigError for wrong rules, at once
 * @example
 * ```ts
 * app.get('/admin', requireClaims({ roles: ['admin'] }), (c) => c.json(c.var.auth.claims.roles));
 * ```
 */
export function requireClaims<const R extends core.Rules>(
  rules: R | adapter.CompiledRules<R>,
  ...none: readonly never[]
): AuthMiddleware<core.Principal<core.ClaimsOf<R>>> {
  adapter.refuseRequest(rules, 'requireClaims', "rules, such as { scope: 'read' }");
  const compiled = adapter.compileRules(rules);
  adapter.refuseArguments(none, 'requireClaims');
  return mark([adapter.claimsMark(compiled)], async (c, next) => {
    // Set by `authenticate`, also for an anonymous request.
    if (!Object.hasOwn(c.var, 'auth'))
      throw adapter.notAuthenticated('requireClaims', 'authenticate; register authenticate first');
    const { method } = c.req;
    const request = { method, headers: c.req.header(), params: c.req.param() };
    try {
      c.set('auth', adapter.authorizeRequest(c.req, c.var.auth, compiled, request));
    } catch (error) {
      throw refusal(error);
    }
    await next();
  });
}

/**
 * Signs fields of the replies of the handlers behind it. A 2xx that is not JSON, or has a field
 * that cannot be signed, is thrown as if by a handler, and nothing of it is sent.
 * @throws ConfigError for wrong options, at once
 * @example
 * ```ts
 * app.post('/token', signResponse({ signer, keysToSign: ['access_token'] }), (c) =>
 *   c.json({ access_token: { sub: 'alice', exp: Math.floor(Date.now() / 1000) + 300 } }),
 * );
 * ```
 */
export function signResponse(options: SignResponseOptions): MiddlewareHandler {
  const sign = web.signResponse(options);
  return async (c, next) => {
    await next();
    c.res = await sign(takeReply(c));
  };
}

/**
 * Answers every request with the public JWK Set of a signer. Put it before `authenticate`.
 * @example
 * ```ts
 * app.get('/.well-known/jwks.json', publishKeys(signer));
 * ```
 */
export function publishKeys(signer: Signer): MiddlewareHandler {
  const publish = web.publishKeys(signer);
  return mark([{ kind: 'public' }], (c) => publish(c.req.raw));
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
): MiddlewareHandler {
  const { paths } = adapter.resourcePublisher(...authenticators);
  const answer = web.publishResource(...authenticators);
  return mark([{ kind: 'document', paths }], async (c, next) => answer(c.req.raw) ?? next());
}

/**
 * Answers health checks: 200 `{"status":"ready"}` while the authenticators can judge tokens, else
 * 503 `{"status":"unavailable"}`. It says nothing else, because everybody may ask. Put it before
 * `authenticate`.
 * @param authenticators those of `createAuthenticator`: each one of a combination
 * @throws ConfigError for anything else, at once
 * @example
 * ```ts
 * app.get('/health', healthCheck(authenticator));
 * ```
 */
export function healthCheck(...authenticators: readonly core.Authenticator[]): MiddlewareHandler {
  const answer = web.healthCheck(...authenticators);
  return mark([{ kind: 'public' }], async (c) => answer(c.req.raw));
}

/**
 * Marks a route as public for `routes` and for readers of the code. It does not change how a
 * request is handled.
 * @example
 * ```ts
 * app.get('/health', publicRoute(), (c) => c.text('ok'));
 * ```
 */
export function publicRoute(...none: readonly never[]): MiddlewareHandler {
  adapter.refuseArguments(none, 'publicRoute');
  return mark([{ kind: 'public' }], (_c, next) => next());
}
