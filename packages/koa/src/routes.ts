// The route report of a Koa application, read from its middleware and the stacks of its @koa/router
// routers. No decision is made here.
import { METHODS } from 'node:http';
import { ConfigError, type RouteReport, type RoutesOptions } from '@latchkey/core';
import {
  checkRoutes,
  countRoutes,
  type PassedMark,
  type RouteMark,
  reportDocuments,
  reportRoute,
} from '@latchkey/core/adapter';

/** The members of an application that are read here. */
export interface ApplicationView {
  readonly middleware: readonly object[];
}

/**
 * The members of a router that are read here. A router of @koa/router has them. Its types are not
 * imported, because not every application installs them.
 */
export interface RouterView {
  readonly stack: readonly {
    readonly path: string | RegExp;
    /** Empty for a layer that `router.use` registered. */
    readonly methods: readonly string[];
    readonly stack: readonly object[];
  }[];
  /**
   * An exclusive router runs only one of the layers that match a request, so it skips the layers
   * that `router.use` registered.
   */
  readonly exclusive: boolean;
}

// The path that @koa/router writes for `router.use` without a path. @koa/router compares any other
// path with the path as the request spells it, and a prefix by case, although it compares routes
// without case: `router.use` then does not protect every route of its router.
const EVERY_PATH = String.raw`(?:\/|$)`;

const marks = new WeakMap<object, readonly RouteMark[]>();

/** Records the marks of a middleware. */
export function mark<M extends object>(what: readonly RouteMark[], middleware: M): M {
  marks.set(middleware, what);
  return middleware;
}

/**
 * Lists the routes of an application, or of one router of @koa/router, with their requirements. A
 * router does not know the middleware before it, so prefer the report of the application.
 * Middleware that `router.use` mounts at a path, or on a router with a prefix, does not count; on
 * an `exclusive` router, no middleware of `router.use` counts; on a route, marks behind an unmarked
 * handler do not count either. Routes that other middleware wraps (koa-mount, koa-compose) are not
 * listed.
 * @throws ConfigError with `failOnUndecided`
 * @example
 * ```ts
 * console.table(routes(app, { failOnUndecided: true }));
 * ```
 */
export function routes(
  from: ApplicationView | RouterView,
  ...options: readonly [options?: RoutesOptions]
): readonly RouteReport[] {
  if (isRouter(from)) return checkRoutes(ofRouter(from, [], countRoutes()), ...options);
  if (!Array.isArray(Reflect.get(Object(from), 'middleware')))
    throw new ConfigError('routes', 'expected an application or a router of Koa');
  return checkRoutes(ofApplication(from), ...options);
}

function ofApplication({ middleware }: ApplicationView): readonly RouteReport[] {
  const passed: PassedMark[] = [];
  const count = countRoutes();
  return middleware.flatMap((handler) => {
    const here = marksOf([handler], 'application');
    const documents = here.flatMap((one) => reportDocuments(one, passed));
    passed.push(...here);
    if (documents.length > 0) return documents;
    return 'router' in handler && isRouter(handler.router) ? ofRouter(handler.router, passed, count) : [];
  });
}

function ofRouter(
  { stack, exclusive }: RouterView,
  before: readonly PassedMark[],
  count: () => void,
): readonly RouteReport[] {
  const passed = [...before];
  return stack.flatMap(({ path, methods, stack: handlers }) => {
    count();
    if (methods.length === 0 && path === EVERY_PATH && !exclusive)
      passed.push(...marksOf(handlers, 'router'));
    return namesOf(methods).map((method) =>
      reportRoute({ method, path: String(path) }, [...passed, ...marksOf(leading(handlers), 'route')]),
    );
  });
}

/**
 * An unmarked handler may answer, so the handlers behind it may never run. The router puts the
 * handler of a parameter first; it does not count as one.
 */
function leading(handlers: readonly object[]): readonly object[] {
  const others = handlers.findIndex((handler) => !marks.has(handler) && !('param' in handler));
  return others === -1 ? handlers : handlers.slice(0, others);
}

function marksOf(handlers: readonly object[], from: PassedMark['from']): readonly PassedMark[] {
  return handlers.flatMap((handler) => (marks.get(handler) ?? []).map((mark) => ({ mark, from })));
}

/** @koa/router writes `all` as every method that Node knows, and adds a HEAD to every GET. */
function namesOf(methods: readonly string[]): readonly string[] {
  if (methods.length >= METHODS.length) return ['ALL'];
  return methods.filter((method) => method !== 'HEAD' || !methods.includes('GET'));
}

function isRouter(value: unknown): value is RouterView {
  if (typeof value !== 'object' || value === null || !('stack' in value)) return false;
  return Array.isArray(value.stack) && value.stack.every(isLayer);
}

function isLayer(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(Reflect.get(value, 'methods')) && Array.isArray(Reflect.get(value, 'stack'));
}
