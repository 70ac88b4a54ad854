// The route report of a Hono application, read from its list of routes. No decision is made here.
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
  /** Middleware and handlers, in the order in which they run. */
  readonly routes: readonly {
    readonly path: string;
    readonly method: string;
    readonly handler: object;
  }[];
}

type Entry = ApplicationView['routes'][number];

/** Hono keeps a handler here that it wraps, because its application has its own error handler. */
const WRAPPED = '__COMPOSED_HANDLER';

const marks = new WeakMap<object, readonly RouteMark[]>();

/** Records the marks of a middleware. */
export function mark<M extends object>(what: readonly RouteMark[], middleware: M): M {
  marks.set(middleware, what);
  return middleware;
}

/**
 * Lists the routes of an application, with their requirements, and those of applications that
 * `app.route` has added. A middleware counts for the routes behind it whose path its own path
 * covers, segment by segment; one that `every`, `some` or `except` of Hono wraps does not count.
 * What `app.mount` has added is not listed.
 * @throws ConfigError with `failOnUndecided`
 * @example
 * ```ts
 * console.table(routes(app, { failOnUndecided: true }));
 * ```
 */
export function routes(
  from: ApplicationView,
  ...options: readonly [options?: RoutesOptions]
): readonly RouteReport[] {
  if (!Array.isArray(from?.routes)) throw new ConfigError('routes', 'expected an application of Hono');
  const count = countRoutes();
  return checkRoutes(
    from.routes.flatMap((entry, index) => reportOf(entry, from.routes.slice(0, index), count)),
    ...options,
  );
}

function reportOf(entry: Entry, before: readonly Entry[], count: () => void): readonly RouteReport[] {
  const passed = (): readonly PassedMark[] =>
    before.filter((one) => covers(one, entry)).flatMap((one) => marksOf(one, entry));
  const own = marksOf(entry, entry);
  const documents = own.flatMap((one) => reportDocuments(one, passed()));
  if (documents.length > 0) return documents;
  if (!isHandler(entry)) return [];
  count();
  return [reportRoute(entry, [...passed(), ...own])];
}

/** Middleware takes `next` as its second parameter, and a handler does not: so does Hono tell. */
function isHandler({ handler }: Entry): boolean {
  const target = targetOf(handler);
  return typeof target === 'function' && target.length < 2;
}

function marksOf({ handler, path, method }: Entry, route: Entry): readonly PassedMark[] {
  const from = path === route.path && method === route.method ? 'route' : 'application';
  return (marks.get(targetOf(handler)) ?? []).map((one) => ({ mark: one, from }));
}

function targetOf(handler: object): object {
  let target = handler;
  while (Object.hasOwn(target, WRAPPED)) target = Object(Reflect.get(target, WRAPPED));
  return target;
}

/** True if every request to the route also runs the middleware. */
function covers(middleware: Entry, route: Entry): boolean {
  if (middleware.method !== 'ALL' && middleware.method !== route.method) return false;
  if (middleware.path === route.path) return true;
  const wanted = middleware.path.split('/');
  const given = route.path.split('/');
  // An optional parameter makes two paths of one, and one of them may not match.
  if (wanted.some(isOptional) || given.some(isOptional))
    return middleware.path === '/*' || middleware.path === '*';
  const last = wanted.length - 1;
  if (wanted[last] !== '*')
    return wanted.length === given.length && wanted.every((part, at) => coversPart(part, given[at]));
  // A star at the end matches nothing too.
  return given.length >= last && wanted.slice(0, last).every((part, at) => coversPart(part, given[at]));
}

function coversPart(part: string, given = ''): boolean {
  return (
    part === given || (given !== '' && given !== '*' && /^:\w+$/.test(part)) || (part === '*' && given !== '')
  );
}

function isOptional(part: string): boolean {
  return part.endsWith('?');
}
