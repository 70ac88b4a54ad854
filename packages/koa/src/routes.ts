// The route report of a Koa application, read off its middleware and the stacks of its @koa/router
// routers. Decides nothing.
import { METHODS } from 'node:http';
import type { RouteReport, RoutesOptions } from '@latchkey/core';
import {
  checkRoutes,
  countRoutes,
  type PassedMark,
  type RouteMark,
  reportRoute,
} from '@latchkey/core/adapter';

/** What is read of an application. */
export interface ApplicationView {
  readonly middleware: readonly object[];
}

/**
 * What is read of a router. One of @koa/router satisfies it; its types are not asked for, as not
 * every application has them.
 */
export interface RouterView {
  readonly stack: readonly {
    readonly path: string | RegExp;
    /** Empty for what `router.use` registered. */
    readonly methods: readonly string[];
    readonly stack: readonly object[];
  }[];
  /**
   * Runs one of the layers that match a request, and so nothing that `router.use` registered before
   * it.
   */
  readonly exclusive: boolean;
}

// What @koa/router writes for `router.use` without any path. Any other path is matched against how
// a request spells its own, with a prefix by case although routes are not: `router.use` then does
// not stand before all of the routes beside it.
const EVERY_PATH = String.raw`(?:\/|$)`;

const marks = new WeakMap<object, readonly RouteMark[]>();

/** Notes what a middleware does. */
export function mark<M extends object>(what: readonly RouteMark[], middleware: M): M {
  marks.set(middleware, what);
  return middleware;
}

/**
 * Lists the routes of an application, or of one router of @koa/router, with what they ask for. A
 * router does not know what stands before it: ask for the application. What `router.use` mounts at
 * a path, or on a router with a prefix, counts for nothing, and on an `exclusive` router nothing
 * that it mounts; on a route, neither does what stands behind another handler. What other
 * middleware wraps (koa-mount, koa-compose) is not looked into.
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
  return checkRoutes(isRouter(from) ? ofRouter(from, [], countRoutes()) : ofApplication(from), ...options);
}

function ofApplication({ middleware }: ApplicationView): readonly RouteReport[] {
  const passed: PassedMark[] = [];
  const count = countRoutes();
  return middleware.flatMap((handler) => {
    passed.push(...marksOf([handler], 'application'));
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
 * What stands behind a handler that is not ours may never be reached. A parameter's own, which
 * @koa/router puts first, is none.
 */
function leading(handlers: readonly object[]): readonly object[] {
  const others = handlers.findIndex((handler) => !marks.has(handler) && !('param' in handler));
  return others === -1 ? handlers : handlers.slice(0, others);
}

function marksOf(handlers: readonly object[], from: PassedMark['from']): readonly PassedMark[] {
  return handlers.flatMap((handler) => (marks.get(handler) ?? []).map((mark) => ({ mark, from })));
}

/** @koa/router writes `all` as every method that Node knows, and a HEAD beside every GET. */
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
