// What routes say in `config.auth`, compiled once; and the route report of an application, in all
// its scopes.
import { subscribe } from 'node:diagnostics_channel';
import * as core from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { refuseMisplaced, refuseSigners } from './misplaced.ts';
import { guardNotFound } from './not-found.ts';

/** The part of a route's `config` that is Latchkey's. */
export interface RouteConfig {
  /** `false`: the route is for everybody. Left out: a token, as the plugin's options say. */
  readonly auth?: core.RouteAccess | false;
}

/** One registration of the plugin: where, and what it asks. */
export interface Registration {
  readonly scope: FastifyInstance;
  readonly authenticator: core.Authenticator | core.CombinedAuthenticator;
  /** Decides on a request by what its route, or its not-found handler, asks. */
  readonly decide: (request: FastifyRequest, reply: FastifyReply) => void | Promise<void>;
}

/**
 * Under which a scope has its registration. A scope in it inherits that, as it inherits everything.
 */
export const REGISTRATION: unique symbol = Symbol('latchkey');
/** The rules of hooks that `requireClaims` made. */
export const requirements = new WeakMap<object, adapter.CompiledRules>();

const NOTHING_SAID: core.RouteAccess = {};

type SeenRoute = { readonly scope: FastifyInstance; readonly options: RouteOptions };
// By the server, which all scopes of an application share. Fastify announces each application
// before anything can be added to it, so that routes are seen wherever, and whenever, they are
// added.
const applications = new WeakMap<object, { root: FastifyInstance; seen: SeenRoute[] }>();
subscribe('fastify.initialization', (message) => {
  const { fastify: root } = message as { readonly fastify: FastifyInstance };
  const seen: SeenRoute[] = [];
  applications.set(root.server, { root, seen });
  guardNotFound(root, decideNotFound);
  root.addHook('onRoute', function (options) {
    refuseSigners(options);
    seen.push({ scope: this, options });
  });
});

/**
 * Decides by the registration that the not-found handler is in; a handler in none asks for nothing.
 */
async function decideNotFound(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const registration: Registration | undefined = Reflect.get(request.server, REGISTRATION);
  await registration?.decide(request, reply);
}

/**
 * The same for an application that was made before this package was loaded: handlers may be set
 * already.
 */
export function guardLate(scope: FastifyInstance): void {
  guardNotFound(scope, decideNotFound);
  scope.addHook('preHandler', async (request, reply) => {
    if (request.is404) await decideNotFound(request, reply);
  });
}

/** True for an application that was made after this package was loaded. */
export const isSeen = (app: FastifyInstance): boolean => applications.has(app.server);

/**
 * Lists the routes of the whole application, with what they ask for: in every scope, covered or
 * not. Ask when all are there: `await app.ready()`. Hooks that `requireClaims` made are listed
 * where they stand on a route, not where they stand on a scope.
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
  const application = applications.get(app.server);
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
 * Refuses what is wrong on routes that were added before the plugin, and if asked to, routes that
 * are undecided.
 */
export function checkApplication(app: FastifyInstance, failOnUndecided: boolean): void {
  if (failOnUndecided || applications.has(app.server)) routes(app, { failOnUndecided });
}

// By the object that a route says, which Fastify hands to each request as it is.
const compiledAuth = new WeakMap<object, adapter.CompiledAccess>();

/**
 * Checks what a route says for itself: once for each object. It must not change after that.
 * @throws ConfigError
 */
export function compileAuth(config: object = {}, path = 'config.auth'): adapter.CompiledAccess | false {
  const said = adapter.optionIn(config, 'auth', path);
  const auth = said === undefined ? NOTHING_SAID : said;
  if (auth === false) return false;
  const known = compiledAuth.get(Object(auth));
  if (known !== undefined) return known;
  // What is not access is refused here.
  const compiled = adapter.compileAccess(auth as core.RouteAccess, path);
  compiledAuth.set(Object(auth), compiled);
  return compiled;
}

/** Rules are for the sources of a combined authenticator. @throws ConfigError */
export function checkAuth(
  asked: adapter.CompiledAccess | false | undefined,
  { kind }: Registration['authenticator'],
  path: string,
): void {
  if (asked && kind === 'combined') adapter.checkCombinedAccess(asked, path);
}

/** A route's `config`. @throws ConfigError where it is given as undefined */
export function configOf(route: Pick<RouteOptions, 'method' | 'url' | 'config'>): object {
  return Object(adapter.optionIn(route, 'config', `${route.method} ${route.url} config`));
}

function marksOf({ scope, options }: SeenRoute, root: FastifyInstance): readonly adapter.PassedMark[] {
  const { method, url, onRequest, preParsing, preValidation, preHandler } = options;
  const config = configOf(options);
  const auth = adapter.optionIn(config, 'auth', `${method} ${url} config.auth`);
  if (auth === false) return [{ mark: { kind: 'public' }, from: 'route' }];
  const hooks: readonly unknown[] = [onRequest, preParsing, preValidation, preHandler].flat();
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
  return { mark: { kind: 'claims', claims: adapter.claimNames(rules) }, from: 'route' };
}
