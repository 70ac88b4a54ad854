// The route report: what each route of an application asks for, and whether anybody said. Adapters walk their framework's routes and
// note what stands on the way; what that comes to is decided here, so that all say the same.

import type { CompiledOverrides } from '../decision/access.ts';
import type { Authenticator } from '../decision/authenticator.ts';
import type { AuthenticationMode } from '../decision/options.ts';
import { ConfigError } from '../errors.ts';

/** What one handler, hook or decorator does. */
export type RouteMark =
  | { readonly kind: 'authenticate'; readonly mode: AuthenticationMode }
  | { readonly kind: 'claims'; readonly claims: readonly string[] }
  | { readonly kind: 'public' };

/** The mark of authentication. A tree needs each of its tokens, whatever an override says. */
export function authenticateMark(
  authenticator: Pick<Authenticator, 'mode'>,
  { mode }: Pick<CompiledOverrides, 'mode'>,
): RouteMark {
  const isTree = !('verify' in authenticator);
  return { kind: 'authenticate', mode: isTree ? authenticator.mode : (mode ?? authenticator.mode) };
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
  /** Where what decided stands: on the route itself, on a router around it, or on the application. */
  readonly from: PassedMark['from'] | undefined;
}

/** How routes are reported. */
export interface RoutesOptions {
  /** Throws if any route is undecided. Ask when all routes are there, before the service listens. Default false. */
  readonly failOnUndecided?: boolean;
}

/** What the marks on the way to a route come to. Whatever refuses anonymous requests somewhere on the way refuses them. */
export function reportRoute(
  { method, path }: Pick<RouteReport, 'method' | 'path'>,
  passed: readonly PassedMark[],
): RouteReport {
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

/** Gives the reports back. @throws ConfigError if the options ask for it and a route is undecided */
export function checkRoutes(
  reports: readonly RouteReport[],
  { failOnUndecided = false }: RoutesOptions,
): readonly RouteReport[] {
  const undecided = reports.filter(({ requirement }) => requirement === 'UNDECIDED');
  if (failOnUndecided && undecided.length > 0) {
    const names = undecided.map(({ method, path }) => `${method} ${path}`).join(', ');
    throw new ConfigError('routes', `undecided: ${names}; authenticate them, or say that they are public`);
  }
  return reports;
}
