// The route report of an application of Nest: what its HTTP adapter was given, with the decorators
// of the handlers. No request is decided here.
import {
  type Authenticator,
  type CombinedAuthenticator,
  ConfigError,
  type RouteReport,
  type RoutesOptions,
  reportAccess,
} from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import { DiscoveryService, HttpAdapterHost, MetadataScanner } from '@nestjs/core';
import { LATCHKEY_AUTHENTICATOR } from './guard.ts';
import type { DocumentedApplication } from './openapi.ts';

/** One route, as it was added. */
interface Added {
  readonly method: string;
  readonly path: string;
  /** Undefined: the route was added past the adapter of Nest. */
  readonly handler: object | undefined;
}

/** The methods of an adapter that add routes. */
const METHODS = [
  'get',
  'post',
  'put',
  'patch',
  'delete',
  'head',
  'options',
  'search',
  'query',
  'all',
] as const;

/** Nest copies the metadata of a method to the handler that the adapter gets. */
const HANDLER = 'latchkey:handler';

const added = new WeakMap<object, Added[]>();

/**
 * Notes each route that is added from here on, and which method its handler is of. Called before
 * Nest adds its routes.
 * @param http a microservice has none
 */
export function noteRoutes(http: object | null | undefined, discovery: DiscoveryService): void {
  if (typeof http !== 'object' || http === null || added.has(http)) return;
  for (const { prototype } of classesOf(discovery))
    for (const name of new MetadataScanner().getAllMethodNames(prototype)) {
      const method: object = Reflect.get(prototype, name);
      if (Reflect.hasMetadata('method', method)) Reflect.defineMetadata(HANDLER, method, method);
    }
  const list: Added[] = [];
  added.set(http, list);
  for (const name of METHODS) {
    const add: unknown = Reflect.get(http, name);
    if (typeof add !== 'function') continue;
    const note = (...args: readonly unknown[]) => {
      const [path, handler] = [args[0], args.at(-1)];
      if (args.length > 1 && typeof path === 'string' && typeof handler === 'function')
        list.push({ method: name.toUpperCase(), path, handler });
      return add.apply(http, args);
    };
    Object.defineProperty(http, name, { value: note, configurable: true, writable: true });
  }
  // Express is read when the report is made; Fastify tells of each route.
  const instance: unknown = callOf(http, 'getInstance');
  if (callOf(http, 'getType') !== 'fastify') return;
  const listener = ({
    method,
    url,
  }: {
    readonly method: string | readonly string[];
    readonly url: string;
  }) => {
    for (const one of [method].flat()) list.push({ method: one, path: url, handler: undefined });
  };
  Reflect.get(Object(instance), 'addHook')?.call(instance, 'onRoute', listener);
}

/**
 * Lists the routes of an application with what their decorators require. The guard denies by
 * default, so a handler without a decorator needs a token. `UNDECIDED` are the routes before which
 * Nest runs no guard: those that `app.getHttpAdapter()` or the platform itself was given, such as
 * the pages of Swagger. Static files, middleware, GraphQL and messages are not listed. Call it when
 * the application is initialized: after `app.init()` or `app.listen()`.
 * @throws ConfigError with `failOnUndecided`, and for an application that is not initialized
 * @example
 * ```ts
 * await app.init();
 * console.table(routes(app, { failOnUndecided: true }));
 * ```
 */
export function routes(
  app: DocumentedApplication,
  ...options: readonly [options?: RoutesOptions]
): readonly RouteReport[] {
  if (typeof app?.get !== 'function')
    throw new ConfigError('routes', 'expected an application of Nest; pass what NestFactory.create returns');
  const strict = false;
  const authenticator = app.get<Authenticator | CombinedAuthenticator>(LATCHKEY_AUTHENTICATOR, { strict });
  const { httpAdapter } = app.get<HttpAdapterHost>(HttpAdapterHost, { strict });
  const known = added.get(Object(httpAdapter));
  if (known === undefined)
    throw new ConfigError('routes', 'expected an application with an HTTP adapter and LatchkeyModule');
  const classes = classesOf(app.get<DiscoveryService>(DiscoveryService, { strict }));
  const count = adapter.countRoutes();
  const found = everyOne(known, stackOf(httpAdapter)).flatMap((route) => {
    count();
    return reportsOf(route, classes, authenticator);
  });
  if (classes.length > 0 && !found.some(({ requirement }) => requirement !== 'UNDECIDED'))
    throw new ConfigError('routes', 'expected an initialized application; call it after app.init()');
  return adapter.checkRoutes(found, ...options);
}

function classesOf(discovery: DiscoveryService): readonly adapter.DecoratedClass[] {
  return discovery
    .getControllers()
    .flatMap(({ metatype }) => (typeof metatype === 'function' ? [metatype as adapter.DecoratedClass] : []));
}

/** What Nest has added, and what was added past it. Each route once, also if both know it. */
function everyOne(known: readonly Added[], more: readonly Added[]): readonly Added[] {
  const byNest = known.filter(({ handler }) => handler !== undefined);
  const names = new Set(byNest.map(({ method, path }) => `${method} ${path}`));
  const past = [...known, ...more].filter(
    ({ handler, method, path }) =>
      handler === undefined && !names.has(`${method} ${path}`) && !names.has(`ALL ${path}`),
  );
  // Fastify adds a HEAD to each GET.
  const gets = new Set([...byNest, ...past].flatMap(({ method, path }) => (method === 'GET' ? [path] : [])));
  return [...byNest, ...past.filter(({ method, path }) => method !== 'HEAD' || !gets.has(path))];
}

function reportsOf(
  { method, path, handler }: Added,
  classes: readonly adapter.DecoratedClass[],
  authenticator: Authenticator | CombinedAuthenticator,
): readonly RouteReport[] {
  const own: unknown = handler && Reflect.getMetadata(HANDLER, handler);
  const holders = typeof own === 'function' ? classes.filter((type) => hasMethod(type, own)) : [];
  if (typeof own !== 'function' || holders.length === 0) return [adapter.reportRoute({ method, path }, [])];
  // Classes may share an inherited method: their paths tell them apart, or each is reported.
  const near = holders.filter((type) => isAt(type, path));
  return (near.length === 0 ? holders : near).map((type) => {
    const { isPublic, asked } = adapter.decoratedAccess(type, own);
    return reportAccess({ method, path }, authenticator, isPublic ? false : asked);
  });
}

function hasMethod({ prototype }: adapter.DecoratedClass, method: unknown): boolean {
  return new MetadataScanner()
    .getAllMethodNames(prototype)
    .some((name) => Reflect.get(prototype, name) === method);
}

function isAt(type: adapter.DecoratedClass, path: string): boolean {
  const at: unknown = Reflect.getMetadata('path', type);
  return [at].flat().some((one) => {
    const bare = String(one).replace(/^\/|\/$/g, '');
    return bare === '' || `${path}/`.includes(`/${bare}/`);
  });
}

/** The routes of Express, as its router has them. */
function stackOf(http: object | undefined): readonly Added[] {
  if (callOf(http, 'getType') !== 'express') return [];
  const instance = Object(callOf(http, 'getInstance'));
  const router: unknown = Reflect.get(instance, 'router') ?? Reflect.get(instance, '_router');
  const stack: unknown = Reflect.get(Object(router), 'stack');
  return (Array.isArray(stack) ? stack : []).flatMap((layer: unknown) => {
    const route: unknown = Reflect.get(Object(layer), 'route');
    const layers: unknown = Reflect.get(Object(route), 'stack');
    const path = String(Reflect.get(Object(route), 'path'));
    const names = (Array.isArray(layers) ? layers : []).map((one: unknown): unknown =>
      Reflect.get(Object(one), 'method'),
    );
    return [...new Set(names)].map((name) => ({
      ...{ method: typeof name === 'string' ? name.toUpperCase() : 'ALL', path, handler: undefined },
    }));
  });
}

function callOf(target: object | undefined, name: string): unknown {
  const method: unknown = target && Reflect.get(target, name);
  return typeof method === 'function' ? method.call(target) : undefined;
}
