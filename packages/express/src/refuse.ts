// Answers a refusal where the application has no error handler. Express's own handler would print
// every refused request to stderr.
import { isAuthError } from '@latchkey/core';
import { asError } from '@latchkey/core/adapter';
import type { Application, NextFunction, Request, Response } from 'express';
import { layersOf, routerOf } from './routes.ts';

/**
 * Passes an error to the error handlers of the application. If it has none, answers a refusal as
 * the other frameworks do: status, headers, and `{ code, status, message }`.
 */
export function refuse(error: unknown, { app }: Request, response: Response, next: NextFunction): void {
  if (!isAuthError(error) || response.headersSent || app === undefined || hasErrorHandler(app))
    next(asError(error));
  else response.status(error.status).set(error.headers).json(error);
}

/** True if the application, or one that it is mounted in, has a handler with four parameters. */
function hasErrorHandler(app: Application): boolean {
  for (let at: Application | undefined = app; at !== undefined; at = Reflect.get(at, 'parent'))
    if (handlesErrors(routerOf(at), new Set())) return true;
  return false;
}

/** @param seen routers may be mounted in themselves */
function handlesErrors(holder: unknown, seen: Set<unknown>): boolean {
  if (seen.has(holder)) return false;
  seen.add(holder);
  return (layersOf(holder) ?? []).some(
    ({ handle, route }) =>
      (typeof handle === 'function' && handle.length === 4) ||
      handlesErrors(handle, seen) ||
      handlesErrors(route, seen),
  );
}
