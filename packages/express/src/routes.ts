// The route report of an Express application, read off its own stack. Decides nothing.
import { METHODS } from 'node:http';
import { ConfigError, type RouteReport, type RoutesOptions } from '@latchkey/core';
import {
  checkRoutes,
  countRoutes,
  type PassedMark,
  type RouteMark,
  reportRoute,
} from '@latchkey/core/adapter';
import type { Express, RequestHandler, Router } from 'express';

/**
 * What is read of a layer. Express writes it; what libraries put among the layers may look
 * otherwise.
 */
interface Layer {
  readonly handle: RequestHandler & { readonly stack?: readonly Layer[] };
  readonly route?: Route;
  /** Mounted at `/`, so that every path goes through it. */
  readonly slash?: boolean;
  readonly rawPath?: unknown;
}

interface Route {
  readonly path: unknown;
  readonly stack: readonly (Layer & { readonly method?: string })[];
}

/** One walk: the layers of the routers that it is in, and what counts its routes. */
interface Walk {
  readonly inside: readonly (readonly Layer[])[];
  readonly count: () => void;
}

const marks = new WeakMap<object, readonly RouteMark[]>();

/** Notes what a handler does. */
export function mark(what: readonly RouteMark[], handler: RequestHandler): RequestHandler {
  marks.set(handler, what);
  return handler;
}

/**
 * Lists the routes of an application, or of a router, with what they ask for. Handlers that are
 * mounted at a path count for nothing but the routers below them: whether a request passes them
 * depends on how its path is spelled. A mounted application is not looked into; list its routes by
 * themselves. On a route, what stands behind another handler does not count either.
 * @throws ConfigError with `failOnUndecided`
 * @example
 * ```ts
 * console.table(routes(app, { failOnUndecided: true }));
 * ```
 */
export function routes(
  app: Express | Router,
  ...options: readonly [options?: RoutesOptions]
): readonly RouteReport[] {
  const stack = layersOf('router' in app ? app.router : app);
  if (stack === undefined)
    throw new ConfigError('routes', 'expected an application or a router of Express 5');
  const found = walk(stack, '', [], 'application', { inside: [stack], count: countRoutes() });
  return checkRoutes(found, ...options);
}

function walk(
  stack: readonly Layer[],
  prefix: string,
  before: readonly PassedMark[],
  from: PassedMark['from'],
  { inside, count }: Walk,
): readonly RouteReport[] {
  const passed = [...before];
  return stack.flatMap((layer) => {
    count();
    const { route, handle } = layer;
    if (layersOf(route) !== undefined) return reportsOf(route as Route, prefix, passed);
    const found = layer.slash === true ? (marks.get(handle) ?? []) : [];
    passed.push(...found.map((one): PassedMark => ({ mark: one, from })));
    const inner = layersOf(handle);
    // A router that is mounted in itself brings no route that is not listed.
    if (inner === undefined || inside.includes(inner)) return [];
    return walk(inner, prefix + mountPath(layer), passed, 'router', { inside: [...inside, inner], count });
  });
}

function layersOf(holder: unknown): readonly Layer[] | undefined {
  const stack: unknown = Reflect.get(Object(holder), 'stack');
  return Array.isArray(stack) ? stack : undefined;
}

function reportsOf(
  { path, stack }: Route,
  prefix: string,
  before: readonly PassedMark[],
): readonly RouteReport[] {
  const named = new Set(stack.map(({ method }) => method));
  // app.all() names every method there is.
  const isAll = METHODS.every((method) => named.has(method.toLowerCase()));
  return (isAll ? [undefined] : [...named]).map((method) => {
    const layers = stack.filter((layer) => isAll || layer.method === undefined || layer.method === method);
    // What stands behind a handler that is not ours may never be reached.
    const others = layers.findIndex(({ handle }) => !marks.has(handle));
    const own = layers
      .slice(0, others === -1 ? layers.length : others)
      .flatMap(({ handle }) => marks.get(handle) ?? [])
      .map((found): PassedMark => ({ mark: found, from: 'route' }));
    const name = method?.toUpperCase() ?? 'ALL';
    return reportRoute({ method: name, path: `${prefix}${String(path)}` }, [...before, ...own]);
  });
}

function mountPath({ slash, rawPath }: Layer): string {
  if (slash === true) return '';
  return typeof rawPath === 'string' ? rawPath : '(mounted)';
}
