// Compiles `config.auth` of routes, once each, and makes the route report of an application in all
// its scopes. No request is decided here.
import { channel } from 'node:diagnostics_channel';
import * as core from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { refuseMisplaced, refuseSigners, refuseUncovered } from './misplaced.ts';
import { guardNotFound } from './not-found.ts';

/** The part of a route's `config` that Latchkey reads. */
export interface RouteConfig {
  /** `false`: the route is public. If omitted, a token is required, as the plugin's options say. */
  readonly auth?: core.RouteAccess | false;
}

/** One registration of the plugin: its scope, and its requirements. */
export interface Registration {
  readonly scope: FastifyInstance;
  readonly authenticator: core.Authenticator | core.CombinedAuthenticator;
  /** Decides on a request by the requirement of its route, or of its not-found handler. */
  readonly decide: (request: FastifyRequest, reply: FastifyReply) => void | Promise<void>;
}

/**
 * The key of a scope's registration. A scope inside it inherits the registration, like all
 * properties.
 */
export const REGISTRATION: unique symbol = Symbol('latchkey');
/** The rules of hooks that `requireClaims` made, and of handlers of `recentDecisions`. */
export const requirements: WeakMap<object, adapter.CompiledRules> = new WeakMap();

const NOTHING_SAID: core.RouteAccess = {};

type SeenRoute = { readonly scope: FastifyInstance; readonly options: RouteOptions };
// The key is the server, which all scopes of an application share. Fastify announces each
// application before anything can be added to it, so this sees every route, in any scope and at any
// time.
// The channel is with them, because Bun forgets the subscribers of a channel that no object keeps.
const announced = {
  applications: new WeakMap<object, { root: FastifyInstance; seen: SeenRoute[] }>(),
  channel: channel('fastify.initialization'),
};
announced.channel.subscribe((message) => {
  const { fastify: root } = message as { readonly fastify: FastifyInstance };
  const seen: SeenRoute[] = [];
  announced.applications.set(root.server, { root, seen });
  guardNotFound(root, decideNotFound);
  root.addHook('onRoute', function (options) {
    refuseSigners(options);
    seen.push({ scope: this, options });
  });
  root.addHook('onReady', async () => {
    for (const { scope, options } of seen)
      if (Reflect.get(scope, REGISTRATION) === undefined) refuseUncovered(options);
  });
});

/**
 * Decides by the registration that covers the not-found handler; a handler without one needs no
 * token.
 */
async function decideNotFound(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const registration: Registration | undefined = Reflect.get(request.server, REGISTRATION);
  await registration?.decide(request, reply);
}

/**
 * Does the same for an application that was made before this package was loaded: it may have
 * handlers already.
 */
export function guardLate(scope: FastifyInstance): void {
  guardNotFound(scope, decideNotFound);
  scope.addHook('preHandler', async (request, reply) => {
    if (request.is404) await decideNotFound(request, reply);
  });
}

/** True for an application that was made after this package was loaded. */
export const isSeen = (app: FastifyInstance): boolean => announced.applications.has(app.server);

/**
 * Lists the routes of the whole application with their requirements, in every scope, covered or
 * not. Call it when all routes are added: after `await app.ready()`. Hooks of `requireClaims` are
 * listed if they are on a route, not if they are on a scope.
 * @param app the application, or any scope of it
 * @throws ConfigError with `failOnUndecided`, and for an application that was made before this
 *   package was loaded
 * @example
 * ```ts
 * await app.ready();
 * console.table(routes(app, { failOnUndecided: true }));
 * ```
 */
export function routes(
  app: FastifyInstance,
  ...options: readonly [options?: core.RoutesOptions]
): readonly core.RouteReport[] {
  const application = announced.applications.get(app.server);
  if (application === undefined)
    throw new core.ConfigError('routes', 'not seen: import @latchkey/fastify before the application is made');
  const { root, seen } = application;
  const reports = seen.flatMap((route) => {
    const { url: path, method } = route.options;
    return [method].flat().map((name) => adapter.reportRoute({ method: name, path }, marksOf(route, root)));
  });
  return adapter.checkRoutes(reports, ...options);
}

/**
 * Refuses a wrong `config.auth` of routes that were added before the plugin and, with
 * `failOnUndecided`, routes that are undecided.
 */
export function checkApplication(app: FastifyInstance, failOnUndecided: boolean): void {
  if (failOnUndecided || announced.applications.has(app.server)) routes(app, { failOnUndecided });
}

// The key is the object that the route declares. Fastify passes the same object to each request.
const compiledAuth = new WeakMap<object, adapter.CompiledAccess>();

/**
 * Compiles `config.auth` once for each object. The object must not change afterwards.
 * @throws ConfigError
 */
export function compileAuth(config: object = {}, path = 'config.auth'): adapter.CompiledAccess | false {
  const said = adapter.optionIn(config, 'auth', path);
  const auth = said === undefined ? NOTHING_SAID : said;
  if (auth === false) return false;
  const known = compiledAuth.get(Object(auth));
  if (known !== undefined) return known;
  if (auth === true)
    throw new core.ConfigError(
      path,
      'expected access, or false, got true; a token is needed without it, so leave it out',
    );
  if (typeof auth === 'string')
    throw new core.ConfigError(path, 'expected access, or false, got a string; false makes the route public');
  // compileAccess refuses a value that is not access.
  const compiled = adapter.compileAccess(auth as core.RouteAccess, path);
  compiledAuth.set(Object(auth), compiled);
  return compiled;
}

/**
 * Refuses rules for a combined authenticator, which belong to its sources, and a name of a route
 * that the options do not have. @throws ConfigError
 */
export function checkAuth(
  asked: adapter.CompiledAccess | false | undefined,
  authenticator: Registration['authenticator'],
  path: string,
): void {
  if (!asked) return;
  if (authenticator.kind === 'combined') adapter.checkCombinedAccess(asked, path);
  adapter.checkAccessNames(authenticator, asked, path);
  adapter.warnOfAccess(authenticator, asked, path);
}

/** Returns the `config` of a route. @throws ConfigError if it is undefined */
export function configOf(route: Pick<RouteOptions, 'method' | 'url' | 'config'>): object {
  return Object(adapter.optionIn(route, 'config', `${route.method} ${route.url} config`));
}

function marksOf({ scope, options }: SeenRoute, root: FastifyInstance): readonly adapter.PassedMark[] {
  const { method, url, onRequest, preParsing, preValidation, preHandler, handler } = options;
  const config = configOf(options);
  const auth = adapter.optionIn(config, 'auth', `${method} ${url} config.auth`);
  if (auth === false) return [{ mark: { kind: 'public' }, from: 'route' }];
  const hooks: readonly unknown[] = [onRequest, preParsing, preValidation, preHandler, handler].flat();
  const required = hooks.flatMap((hook) => requirements.get(Object(hook)) ?? []).map(claimsMark);
  const registration: Registration | undefined = Reflect.get(scope, REGISTRATION);
  if (registration === undefined) return required;
  refuseMisplaced(options);
  const path = `${method} ${url} config.auth`;
  const asked = compileAuth(config, path) || undefined;
  checkAuth(asked, registration.authenticator, path);
  const around = registration.scope === root ? 'application' : 'router';
  const from = auth === undefined ? around : 'route';
  const marks = adapter.authenticateMarks(registration.authenticator, asked || adapter.compileAccess({}));
  return [...marks.map((mark) => ({ mark, from }) as const), ...required];
}

function claimsMark(rules: adapter.CompiledRules): adapter.PassedMark {
  return { mark: adapter.claimsMark(rules), from: 'route' };
}
