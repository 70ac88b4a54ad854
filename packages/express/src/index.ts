// Maps Express to core: passes the request in, sets `req.auth`, passes errors to `next`. No decision is made here.
import {
  type AuthenticationSource,
  authorize,
  type Claims,
  type ClaimsOf,
  type CompiledRules,
  type Concealment,
  checkOnce,
  claimNames,
  compileRules,
  concealmentOf,
  createResponseSigner,
  decide,
  holdReply,
  type Principal,
  prepareAuthentication,
  type RouteAccess,
  type Rules,
  type Signer,
  type SignResponseOptions,
  whenDecided,
} from '@latchkey/core';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { mark, routes } from './routes.ts';

export * from '@latchkey/core';
export { routes };

/** A request that has been authenticated and authorized. */
export type AuthenticatedRequest<C extends Claims = Claims> = Request & {
  /** Who the verified token says the caller is. Its claims are typed by the rules that they satisfied. */
  readonly auth: Principal<C>;
};

/** A handler behind `requireClaims`. */
export type AuthenticatedHandler<C extends Claims = Claims> = (
  request: AuthenticatedRequest<C>,
  response: Response,
  next: NextFunction,
) => unknown;

/**
 * Authenticates every request that passes through it, and sets `req.auth`: the principal, or for `requireAll` and
 * `requireAny` the principals by name. With `access.claims` it also judges the rules of the route, in one step; without, see `requireClaims`. In the modes `optional` and
 * `permissive` an anonymous request passes with `req.auth` undefined.
 *
 * Refusals go to the application's error handling as an `AuthError`; Express's own answers with its status and headers.
 * Put it before body parsers, so that nobody unknown makes the service read a body. What stands before it, and what is marked with
 * `publicRoute`, is public; another `authenticate` on a router or a route decides anew for what is behind it.
 * @param access what the route asks: rules, issuers, and a mode instead of that of the options
 * @throws ConfigError for wrong options, at once
 */
export function authenticate(source: AuthenticationSource, access: RouteAccess = {}): RequestHandler {
  const { authenticator, access: asked, marks } = prepareAuthentication(source, access);
  return mark(marks, (request, response, next) => {
    checkOnce(request.app, routes);
    // A value that something else has set must not be taken for ours, least of all on a refusal.
    setAuth(request, undefined);
    const decision = decide<unknown>(authenticator, request, asked);
    concealToken(concealmentOf(authenticator, request, request.originalUrl), request, response);
    return whenDecided<unknown, void>(decision, (auth) => {
      setAuth(request, auth);
      next();
    });
  });
}

/**
 * Lets a request pass whose principal satisfies the rules; the principal must have been set by `authenticate`. Given a handler,
 * calls it with `req.auth` typed by the rules; without one, goes on to the next handler. Of several on one way, each has to hold.
 * @throws ConfigError for wrong rules, at once
 */
export function requireClaims<const R extends Rules>(
  rules: R | CompiledRules<R>,
  handler?: AuthenticatedHandler<ClaimsOf<R>>,
): RequestHandler {
  const compiled = compileRules(rules);
  return mark([{ kind: 'claims', claims: claimNames(compiled) }], (request, response, next) => {
    const judged = request as AuthenticatedRequest<ClaimsOf<R>>;
    authorize(judged.auth, compiled, request);
    return handler === undefined ? next() : handler(judged, response, next);
  });
}

/**
 * Signs fields of what the handlers behind it reply, however they write it, before any of it leaves. What cannot be signed goes to the
 * application's error handling, and leaves nothing. Put compression before it, not behind.
 * @throws ConfigError for wrong options, at once
 */
export function signResponse(options: SignResponseOptions): RequestHandler {
  const { sign } = createResponseSigner(options);
  return (_request, response, next) => {
    holdReply(response, sign, next);
    next();
  };
}

/** Answers with the public JWK Set of a signer, for everybody. Put it before `authenticate`. */
export function publishKeys(signer: Signer): RequestHandler {
  return mark([{ kind: 'public' }], async (_request, response) => {
    const { headers, body } = await signer.publish();
    response.set(headers).send(body);
  });
}

/** Says aloud that a route is for everybody. Changes nothing about a request: it is for `routes`, and for readers. */
export function publicRoute(): RequestHandler {
  return mark([{ kind: 'public' }], (_request, _response, next) => next());
}

function setAuth(request: Request, auth: unknown): void {
  (request as Request & { auth?: unknown }).auth = auth;
}

/** Takes a token in the query out of the URL, in both places where Express keeps it. */
function concealToken(concealment: Concealment | undefined, request: Request, response: Response): void {
  if (concealment === undefined) return;
  request.url = concealment.strip(request.url);
  request.originalUrl = concealment.strip(request.originalUrl);
  if (!response.headersSent) response.set(concealment.headers);
}
