// The route report: what each route of an application asks for, read off the application's own stack. Decides nothing.
import { type AuthenticationMode, ConfigError } from '@latchkey/core';
import type { Express, RequestHandler, Router } from 'express';

/** What one of our handlers does, for the report. */
type Mark =
  | { readonly kind: 'authenticate'; readonly mode: AuthenticationMode | undefined }
  | { readonly kind: 'claims'; readonly claims: readonly string[] }
  | { readonly kind: 'public' };

/** What a route asks for. */
export interface RouteReport {
  /** Upper case; `ALL` for `app.all`. */
  readonly method: string;
  /** As it was written, with the paths of the routers that it is in. */
  readonly path: string;
  /** `UNDECIDED`: nothing authenticates before it, and nothing says that it is public. */
  readonly requirement: 'token' | 'optional token' | 'public' | 'UNDECIDED';
  /** The claims that rules ask for. */
  readonly claims: readonly string[];
  /** Where what decided stands: on the route itself, on a router around it, or on the application. */
  readonly from: 'route' | 'router' | 'application' | undefined;
}

/** How routes are reported. */
export interface RoutesOptions {
  /** Throws if any route is undecided. Call it when all routes are there, before the service listens. */
  readonly failOnUndecided?: boolean;
}

interface Layer {
  readonly handle: RequestHandler & { readonly stack?: readonly Layer[] };
  readonly route?: {
    readonly path: unknown;
    readonly stack: readonly (Layer & { readonly method?: string })[];
  };
  /** Mounted at `/`, so that every path goes through it. */
  readonly slash?: boolean;
  readonly rawPath?: unknown;
}

interface Passed {
  readonly mark: Mark;
  readonly from: 'router' | 'application';
}

const marks = new WeakMap<object, Mark>();

/** Notes what a handler does. */
export function mark(what: Mark, handler: RequestHandler): RequestHandler {
  marks.set(handler, what);
  return handler;
}

/**
 * Lists the routes of an application, or of a router, with what they ask for. Handlers that are mounted at a path count for nothing
 * but the routers below them: whether a request passes them depends on how its path is spelled. A mounted application is not looked
 * into; list its routes by themselves.
 * @throws ConfigError with `failOnUndecided`
 */
export function routes(
  app: Express | Router,
  { failOnUndecided = false }: RoutesOptions = {},
): readonly RouteReport[] {
  const { stack } = ('router' in app ? app.router : app) as unknown as { readonly stack: readonly Layer[] };
  const reports = walk(stack, '', [], 'application');
  const undecided = reports.filter(({ requirement }) => requirement === 'UNDECIDED');
  if (failOnUndecided && undecided.length > 0) {
    const names = undecided.map(({ method, path }) => `${method} ${path}`).join(', ');
    throw new ConfigError('routes', `undecided: ${names}; put authenticate or publicRoute() before them`);
  }
  return reports;
}

function walk(
  stack: readonly Layer[],
  prefix: string,
  before: readonly Passed[],
  from: Passed['from'],
): readonly RouteReport[] {
  const passed = [...before];
  return stack.flatMap((layer) => {
    if (layer.route !== undefined) return reportsOf(layer.route, prefix, passed);
    const found = marks.get(layer.handle);
    if (found !== undefined && layer.slash === true) passed.push({ mark: found, from });
    const inner = layer.handle.stack;
    return inner === undefined ? [] : walk(inner, prefix + mountPath(layer), passed, 'router');
  });
}

function reportsOf(
  { path, stack }: NonNullable<Layer['route']>,
  prefix: string,
  before: readonly Passed[],
): readonly RouteReport[] {
  const methods = new Set(stack.map(({ method }) => method));
  return [...methods].map((method) => {
    const own = stack
      .filter((layer) => layer.method === undefined || layer.method === method)
      .flatMap(({ handle }) => marks.get(handle) ?? [])
      .map((found) => ({ mark: found, from: 'route' as const }));
    const all = [...before, ...own];
    // The last that says who may pass; what authenticated before has already refused.
    const decided = all.findLast((passed) => passed.mark.kind !== 'claims');
    return {
      method: method?.toUpperCase() ?? 'ALL',
      path: `${prefix}${String(path)}`,
      requirement: requirementOf(
        decided?.mark,
        all.some(({ mark: { kind } }) => kind === 'authenticate'),
      ),
      claims: all.flatMap((passed) => (passed.mark.kind === 'claims' ? passed.mark.claims : [])),
      from: decided?.from,
    };
  });
}

function requirementOf(decided: Mark | undefined, authenticated: boolean): RouteReport['requirement'] {
  if (decided === undefined) return 'UNDECIDED';
  if (decided.kind === 'public' && !authenticated) return 'public';
  const mode = decided.kind === 'authenticate' ? (decided.mode ?? 'strict') : 'strict';
  return mode === 'strict' ? 'token' : 'optional token';
}

function mountPath({ slash, rawPath }: Layer): string {
  if (slash === true) return '';
  return typeof rawPath === 'string' ? rawPath : '(mounted)';
}
