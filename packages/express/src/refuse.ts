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
    if (isHandled(routerOf(at))) return true;
  return false;
}

/**
 * By router: reading the layers of 2,000 routes takes longer than the refusal. They are read again
 * when the router has got another layer.
 */
const known = new WeakMap<object, { readonly layers: number; readonly isHandled: boolean }>();

function isHandled(router: unknown): boolean {
  const layers = layersOf(router)?.length ?? 0;
  const before = known.get(Object(router));
  if (before?.layers === layers) return before.isHandled;
  const found = handlesErrors(router, new Set());
  known.set(Object(router), { layers, isHandled: found });
  return found;
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
