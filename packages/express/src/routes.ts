// The route report of an Express application, read from its router stack. No decision is made here.
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
import type { Application, Express, RequestHandler, Router } from 'express';

/**
 * The members of a layer that are read here. Express writes them; a layer that a library adds may
 * lack them.
 */
interface Layer {
  readonly handle: RequestHandler & { readonly stack?: readonly Layer[] };
  readonly route?: Route;
  /** Mounted at `/`, so that every path goes through it. */
  readonly slash?: boolean;
  /** The same in Express 4. */
  readonly regexp?: { readonly fast_slash?: boolean };
  readonly rawPath?: unknown;
}

export interface Route {
  readonly path: unknown;
  readonly stack: readonly (Layer & { readonly method?: string })[];
}

/** One walk: the layers of the routers that enclose it, and the counter of its routes. */
interface Walk {
  readonly inside: readonly (readonly Layer[])[];
  readonly count: () => void;
}

const marks = new WeakMap<object, readonly RouteMark[]>();

/** Records the marks of a handler. */
export function mark(what: readonly RouteMark[], handler: RequestHandler): RequestHandler {
  marks.set(handler, what);
  return handler;
}

/**
 * Lists the routes of an application, or of a router, with their requirements. A handler that is
 * mounted at a path counts only for the routers below it: whether a request passes it depends on
 * how the path of the request is spelled. Routes of a mounted application are not listed; call
 * `routes` for that application. On a route, marks behind an unmarked handler do not count either.
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
  const stack = layersOf(routerOf(app));
  if (stack === undefined) throw new ConfigError('routes', 'expected an application or a router of Express');
  const found = walk(stack, '', [], 'application', { inside: [stack], count: countRoutes() });
  return checkRoutes(found, ...options);
}

/** The router of an application; a router is its own. */
export function routerOf(app: Application | Router): unknown {
  // An application of Express 4 has no router before its first route, and throws when `router` is
  // read.
  if ('lazyrouter' in app) return Reflect.get(app, '_router') ?? { stack: [] };
  return 'router' in app ? app.router : app;
}

function isEveryPath({ slash, regexp }: Layer): boolean {
  return slash === true || regexp?.fast_slash === true;
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
    const found = isEveryPath(layer) ? (marks.get(handle) ?? []) : [];
    const here = found.map((one): PassedMark => ({ mark: one, from }));
    const documents = here.flatMap((one) => reportDocuments(one, passed));
    passed.push(...here);
    if (documents.length > 0) return documents;
    const inner = layersOf(handle);
    // A router that is mounted in itself adds no further route.
    if (inner === undefined || inside.includes(inner)) return [];
    return walk(inner, prefix + mountPath(layer), passed, 'router', { inside: [...inside, inner], count });
  });
}

/** The layers of a router or a route; undefined for anything else. */
export function layersOf(holder: unknown): readonly Layer[] | undefined {
  const stack: unknown = Reflect.get(Object(holder), 'stack');
  return Array.isArray(stack) ? stack : undefined;
}

function reportsOf(
  { path, stack }: Route,
  prefix: string,
  before: readonly PassedMark[],
): readonly RouteReport[] {
  const named = new Set(stack.map(({ method }) => method));
  // app.all() registers every method of Node.
  const isAll = METHODS.every((method) => named.has(method.toLowerCase()));
  return (isAll ? [undefined] : [...named]).map((method) => {
    const layers = stack.filter((layer) => isAll || layer.method === undefined || layer.method === method);
    // An unmarked handler may answer, so the handlers behind it may never run.
    const others = layers.findIndex(({ handle }) => !marks.has(handle));
    const own = layers
      .slice(0, others === -1 ? layers.length : others)
      .flatMap(({ handle }) => marks.get(handle) ?? [])
      .map((found): PassedMark => ({ mark: found, from: 'route' }));
    const name = method?.toUpperCase() ?? 'ALL';
    return reportRoute({ method: name, path: `${prefix}${String(path)}` }, [...before, ...own]);
  });
}

/** The path that a router is mounted at, as it was written. */
export function mountPath(layer: Layer): string {
  const { rawPath } = layer;
  if (isEveryPath(layer)) return '';
  return typeof rawPath === 'string' ? rawPath : '(mounted)';
}
