// The route report: what each route of an application asks for, and whether anybody said. Adapters
// walk their framework's routes and note what stands on the way; what that comes to is decided
// here, so that all say the same.

import { claimNames } from '../claims/compile.ts';
import type { AuthenticationMode, CompiledAccess } from '../decision/access.ts';
import type { Authenticator } from '../decision/authenticator.ts';
import type { CombinedAuthenticator } from '../decision/combine.ts';
import { ConfigError } from '../errors.ts';
import { warn } from '../events.ts';
import { argument, readBoolean, readObject } from '../values/readers.ts';

/** What one handler, hook or decorator does. */
export type RouteMark =
  | {
      readonly kind: 'authenticate';
      readonly mode: AuthenticationMode;
      /** The authenticator that is asked. */
      readonly by?: object;
    }
  | { readonly kind: 'claims'; readonly claims: readonly string[] }
  | { readonly kind: 'public' };

/**
 * The marks of authentication, and of the rules that it judges in the same step. A combined
 * authenticator needs each of its tokens, whatever the route's mode is.
 */
export function authenticateMarks(
  authenticator: Pick<Authenticator | CombinedAuthenticator, 'kind' | 'mode'>,
  { mode: asked, claims }: Pick<CompiledAccess, 'mode' | 'claims'>,
): readonly RouteMark[] {
  const mode = authenticator.kind === 'combined' ? authenticator.mode : (asked ?? authenticator.mode);
  const marks: RouteMark[] = [{ kind: 'authenticate', mode, by: authenticator }];
  if (claims !== undefined) marks.push({ kind: 'claims', claims: claimNames(claims) });
  return marks;
}

/** A mark, and where on the way to the route it stands. */
export interface PassedMark {
  readonly mark: RouteMark;
  readonly from: 'route' | 'router' | 'application';
}

/** What a route asks for. */
export interface RouteReport {
  /** Upper case; `ALL` for every method. */
  readonly method: string;
  /** As it was written, with the paths of what it is in. */
  readonly path: string;
  /** `UNDECIDED`: nothing authenticates before it, and nothing says that it is public. */
  readonly requirement: 'token' | 'optional token' | 'public' | 'UNDECIDED';
  /** The claims that rules ask for. */
  readonly claims: readonly string[];
  /**
   * Where what decided stands: on the route itself, on a router around it, or on the application.
   */
  readonly from: PassedMark['from'] | undefined;
}

/** How routes are reported. */
export interface RoutesOptions {
  /**
   * Throws if any route is undecided. Ask when all routes are there, before the service listens.
   * Default false.
   */
  readonly failOnUndecided?: boolean;
}

/**
 * Refuses to report a route whose mode has no effect: the same authenticator has refused the
 * request before it gets there, where Fastify and NestJS would let the route decide.
 * @throws ConfigError
 */
function refuseUnreachable(route: Pick<RouteReport, 'method' | 'path'>, passed: readonly PassedMark[]): void {
  const strict = new Set<object>();
  for (const { mark } of passed) {
    if (mark.kind !== 'authenticate' || mark.by === undefined) continue;
    if (mark.mode === 'strict') strict.add(mark.by);
    else if (strict.has(mark.by))
      throw new ConfigError(
        `${route.method} ${route.path}`,
        `mode '${mark.mode}' has no effect after a strict authenticate; move the route before it`,
      );
  }
}

const checked = new WeakSet<object>();

/**
 * Reports an application's routes when its first request comes, and warns of what the report
 * refuses. Refuses no request: each `authenticate` still decides, whatever the report makes of the
 * routes.
 * @param application undefined where a router runs without one
 */
export function checkOnce<A extends object>(
  application: A | undefined,
  routes: (application: A) => unknown,
): void {
  if (application === undefined || checked.has(application)) return;
  checked.add(application);
  try {
    routes(application);
  } catch (error) {
    // Anything else is a fault of the walk: other libraries keep what they like among the routes.
    if (error instanceof ConfigError) warn('LATCHKEY_ROUTES', error.message);
  }
}

/** More than any application has. Routers in routers can multiply without end. */
const MAX_ROUTES = 20_000;

/** Counts the routes of one walk. @throws ConfigError beyond the bound */
export function countRoutes(): () => void {
  let count = 0;
  return () => {
    if (++count > MAX_ROUTES)
      throw new ConfigError('routes', `more than ${MAX_ROUTES}; list the routes of each router by itself`);
  };
}

/**
 * What the marks on the way to a route come to. Whatever refuses anonymous requests somewhere on
 * the way refuses them.
 */
export function reportRoute(
  { method, path }: Pick<RouteReport, 'method' | 'path'>,
  passed: readonly PassedMark[],
): RouteReport {
  refuseUnreachable({ method, path }, passed);
  const claims = passed.flatMap(({ mark }) => (mark.kind === 'claims' ? mark.claims : []));
  const authenticating = passed.filter(({ mark }) => mark.kind === 'authenticate');
  const strict = authenticating.findLast(
    ({ mark }) => mark.kind === 'authenticate' && mark.mode === 'strict',
  );
  const ruled = authenticating.length > 0 ? passed.findLast(({ mark }) => mark.kind === 'claims') : undefined;
  const decided =
    strict ?? ruled ?? authenticating.at(-1) ?? passed.findLast(({ mark }) => mark.kind === 'public');
  let requirement: RouteReport['requirement'] = 'UNDECIDED';
  if (strict !== undefined || ruled !== undefined) requirement = 'token';
  else if (authenticating.length > 0) requirement = 'optional token';
  else if (decided !== undefined) requirement = 'public';
  return { method, path, requirement, claims, from: decided?.from };
}

/**
 * Gives the reports back.
 * @throws ConfigError for wrong options, and if the options ask for it and a route is undecided
 */
export function checkRoutes(
  reports: readonly RouteReport[],
  ...options: readonly [options?: RoutesOptions]
): readonly RouteReport[] {
  const given = readObject(argument(options, 'routes', {}), ['failOnUndecided'], 'routes');
  const failOnUndecided = readBoolean(given.failOnUndecided, false, 'routes.failOnUndecided');
  const undecided = reports.filter(({ requirement }) => requirement === 'UNDECIDED');
  if (failOnUndecided && undecided.length > 0) {
    const names = undecided.map(({ method, path }) => `${method} ${path}`).join(', ');
    throw new ConfigError('routes', `undecided: ${names}; authenticate them, or say that they are public`);
  }
  return reports;
}
