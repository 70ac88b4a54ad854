// Latchkey for Express: hand over the request, hang up the principal, hand over the error. What is decided, core decides.
import {
  type Authenticator,
  type AuthenticatorOptions,
  authorize,
  compileRules,
  createAuthenticator,
  type Principal,
  type Rules,
} from '@latchkey/core';
import type { NextFunction, Request, RequestHandler, Response } from 'express';

export * from '@latchkey/core';

/** A request that has been authenticated and authorized. */
export type AuthenticatedRequest = Request & {
  /** Who the verified token says the caller is. */
  readonly auth: Principal;
};

/** A handler behind `requireClaims`. */
export type AuthenticatedHandler = (
  request: AuthenticatedRequest,
  response: Response,
  next: NextFunction,
) => unknown;

/**
 * Authenticates every request that passes through it, and sets `req.auth`. Does *not* look at any route's rules: see
 * `requireClaims`. With `mode: 'optional'` an anonymous request passes with `req.auth` undefined.
 *
 * Refusals go to the application's error handling as an `AuthError`; Express's own answers with its status and headers.
 * Put it before body parsers, so that nobody unknown makes the service read a body.
 * @throws ConfigError for wrong options, at once
 */
export function authenticate(options: AuthenticatorOptions | Authenticator): RequestHandler {
  const authenticator = 'authenticate' in options ? options : createAuthenticator(options);
  return async (request, _response, next) => {
    // Nobody else's value may be taken for ours, least of all when the token is refused.
    setAuth(request, undefined);
    setAuth(request, await authenticator.authenticate(request));
    next();
  };
}

/**
 * Lets a request pass whose principal satisfies the rules; the principal must have been set by `authenticate`. Given a handler,
 * calls it with `req.auth` typed; without one, goes on to the next handler.
 * @throws ConfigError for wrong rules, at once
 */
export function requireClaims(rules: Rules, handler?: AuthenticatedHandler): RequestHandler {
  const compiled = compileRules(rules);
  return (request, response, next) => {
    const { auth } = request as Request & { auth?: Principal };
    authorize(auth, compiled);
    return handler === undefined ? next() : handler(request as AuthenticatedRequest, response, next);
  };
}

function setAuth(request: Request, auth: Principal | undefined): void {
  (request as Request & { auth?: Principal | undefined }).auth = auth;
}
