// Maps Express to core: passes the request in, sets `req.auth`, passes errors to `next`. No
// decision is made here.
import type {
  Authenticator,
  Claims,
  ClaimsOf,
  CombinedAuthenticator,
  CompiledRules,
  EventReceiver,
  Principal,
  RouteAccess,
  Rules,
} from '@latchkey/core';
import {
  type AuthenticationSource,
  asError,
  authorizeRequest,
  checkOnce,
  claimsMark,
  compileRules,
  concealToken,
  createResponseSigner,
  decide,
  handlerIn,
  healthAnswerer,
  holdReply,
  isPromise,
  keysPublisher,
  nodeEventAnswerer,
  notAuthenticated,
  prepareAuthentication,
  refuseArguments,
  refuseRequest,
  resourcePublisher,
  whenDecided,
} from '@latchkey/core/adapter';
import type { Signer, SignResponseOptions } from '@latchkey/core/signing';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { EXPRESS } from './place.ts';
import { refuse } from './refuse.ts';
import { mark, routes } from './routes.ts';

export * from '@latchkey/core';
export { recentDecisions } from './decisions.ts';
export { routes };

/** A request that has been authenticated and authorized. */
export type AuthenticatedRequest<C extends Claims = Claims> = Request & {
  /** The principal of the verified token. Its claims are typed by the rules that they satisfied. */
  readonly auth: Principal<C>;
};

/** A handler behind `requireClaims`. */
export type AuthenticatedHandler<C extends Claims = Claims> = (
  request: AuthenticatedRequest<C>,
  response: Response,
  next: NextFunction,
) => unknown;

/**
 * Authenticates every request that passes through it, and sets `req.auth`: the principal, or for
 * `requireAll` and `requireAny` the principals by name. With `access.claims` it also judges the
 * rules of the route, in one step; without them, see `requireClaims`. In the modes `optional` and
 * `permissive` an anonymous request passes with `req.auth` undefined.
 *
 * A refusal goes to the application's error handlers as an `AuthError`. An application without one
 * gets the status, the headers and `{ code, status, message }`, and nothing is printed. Put
 * `authenticate` before body parsers, so that the service reads no body of an unauthenticated
 * request. Handlers before it, and routes marked with `publicRoute`, are public; another
 * `authenticate` on a router or a route decides anew for the handlers behind it.
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
export function authenticate(
  source: AuthenticationSource,
  ...access: readonly [access?: RouteAccess]
): RequestHandler {
  const { authenticator, access: asked, marks } = prepareAuthentication(source, ...access);
  return mark(marks, (request, response, next) => {
    // express-ws calls the handlers of a socket's route with the socket first.
    if (request.headers === undefined)
      throw new TypeError('authenticate: expected a request; use it before the route of a socket');
    checkOnce(request.app, routes);
    // Another middleware may have set `req.auth`. Handlers must not take that value for a
    // principal, least of all after a refusal.
    setAuth(request, undefined);
    const decision = decide<unknown, Request>(authenticator, request, asked, EXPRESS, request);
    const concealment = concealToken(authenticator, request, request, request.originalUrl);
    if (concealment !== undefined && !response.headersSent) response.set(concealment.headers);
    const fail = (error: unknown) => refuse(error, request, response, next);
    try {
      const done = whenDecided<unknown, void>(decision, (auth) => {
        setAuth(request, auth);
        next();
      });
      return settled(done, fail);
    } catch (error) {
      return fail(error);
    }
  });
}

/**
 * Lets a request pass whose principal satisfies the rules; the principal must have been set by
 * `authenticate`. Given a handler, calls it with `req.auth` typed by the rules; without one, goes
 * on to the next handler. Where a rule is a schema, `req.auth.claims` has its output from there on.
 * Where a request passes several, each must be satisfied.
 * @throws ConfigError for wrong rules, at once
 * @example
 * ```ts
 * app.get(
 *   '/admin',
 *   requireClaims({ roles: allOf('admin') }, (req, res) => {
 *     res.json(req.auth.claims.roles);
 *   }),
 * );
 * ```
 */
export function requireClaims<const R extends Rules>(
  rules: R | CompiledRules<R>,
  ...handlers: readonly [handler?: AuthenticatedHandler<ClaimsOf<R>>]
): RequestHandler {
  refuseRequest(rules, 'requireClaims', RULES);
  const compiled = compileRules(rules);
  const handler = handlerIn(handlers, 'requireClaims');
  return mark([claimsMark(compiled)], (request, response, next) => {
    // Set by `authenticate`, also for an anonymous request.
    if (!Object.hasOwn(request, 'auth')) throw notAuthenticated('requireClaims', ORDER);
    const { auth } = request as Partial<AuthenticatedRequest>;
    try {
      setAuth(request, authorizeRequest(request, auth, compiled, request));
    } catch (error) {
      return refuse(error, request, response, next);
    }
    const judged = request as AuthenticatedRequest<ClaimsOf<R>>;
    return handler === undefined ? next() : settled(handler(judged, response, next), next);
  });
}

/**
 * Signs fields of the replies of the handlers behind it, however they write them, before any byte
 * is sent. A reply that cannot be signed goes to the application's error handling, and no byte of
 * it is sent. Put compression before it, not behind.
 * @throws ConfigError for wrong options, at once
 * @example
 * ```ts
 * app.post('/token', signResponse({ signer, keysToSign: ['access_token'] }), (_req, res) => {
 *   res.json({ access_token: { sub: 'alice', exp: Math.floor(Date.now() / 1000) + 300 } });
 * });
 * ```
 */
export function signResponse(options: SignResponseOptions): RequestHandler {
  refuseRequest(options, 'signResponse', SIGNING);
  const { sign } = createResponseSigner(options);
  return (_request, response, next) => {
    holdReply(response, sign, next);
    next();
  };
}

/**
 * Answers every request with the public JWK Set of a signer. Put it before `authenticate`.
 * @example
 * ```ts
 * app.get('/.well-known/jwks.json', publishKeys(signer));
 * ```
 */
export function publishKeys(signer: Signer): RequestHandler {
  refuseRequest(signer, 'publishKeys', 'a signer');
  const publish = keysPublisher(signer);
  const answer = async (response: Response) => {
    const { headers, body } = await publish();
    response.set(headers).send(body);
  };
  return mark([{ kind: 'public' }], (_request, response, next) => settled(answer(response), next));
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
  ...authenticators: readonly (Authenticator | CombinedAuthenticator)[]
): RequestHandler {
  const { answer, paths } = resourcePublisher(...authenticators);
  return mark([{ kind: 'document', paths }], ({ method, originalUrl }, response, next) => {
    const found = answer(method, originalUrl);
    if (found === undefined) next();
    else response.writeHead(found.status, found.headers).end(found.body);
  });
}

/**
 * Answers requests with logout tokens and security event tokens, for a receiver of
 * `createEventReceiver`. Needs no body parser, and works behind one. Put it before `authenticate`.
 * @throws ConfigError for anything but a receiver, at once
 * @example
 * ```ts
 * const receiver = createEventReceiver(authenticator, { logout: { clientId: 'web' } });
 * app.use('/backchannel-logout', receiveEvents(receiver));
 * app.use(authenticate(authenticator));
 * ```
 */
export function receiveEvents(receiver: EventReceiver): RequestHandler {
  const answer = nodeEventAnswerer(receiver);
  const send = async (request: Request, response: Response) => {
    const { status, headers, body } = await answer(request, request.body);
    response.writeHead(status, headers).end(body);
  };
  return mark([{ kind: 'public' }], (request, response, next) => settled(send(request, response), next));
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
export function healthCheck(...authenticators: readonly Authenticator[]): RequestHandler {
  const answer = healthAnswerer(...authenticators);
  return mark([{ kind: 'public' }], (_request, response) => {
    const { status, headers, body } = answer();
    response.status(status).set(headers).send(body);
  });
}

/**
 * Marks a route as public for `routes` and for readers of the code. It does not change how a
 * request is handled.
 * @example
 * ```ts
 * app.get('/health', publicRoute(), (_req, res) => {
 *   res.send('ok');
 * });
 * ```
 */
export function publicRoute(...none: readonly never[]): RequestHandler {
  refuseArguments(none, 'publicRoute');
  return mark([{ kind: 'public' }], (_request, _response, next) => next());
}

const RULES = "rules, such as { scope: 'read' }";
const SIGNING = 'options, such as { signer, keysToSign }';
const ORDER = 'authenticate; register authenticate first';

/**
 * Passes a rejection to `next`. Express 4 does not look at promises: a rejected one would end the
 * process.
 */
function settled(result: unknown, fail: (error: Error) => void): unknown {
  return isPromise(result) ? result.then(undefined, (reason) => fail(asError(reason))) : result;
}

function setAuth(request: Request, auth: unknown): void {
  (request as { auth?: unknown }).auth = auth;
}
