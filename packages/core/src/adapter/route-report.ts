// The route report: what each route of an application requires, and whether this was decided at
// all. Adapters walk the routes of their framework and collect marks; the result is computed here,
// so that all adapters agree.

import { type CompiledRules, claimNames, isReportOnly, reportOnlyIn } from '../claims/compile.ts';
import { ALWAYS, NEVER } from '../claims/enforce.ts';
import type { AuthenticationMode, CompiledAccess } from '../decision/access.ts';
import type { Authenticator } from '../decision/authenticator.ts';
import type { CombinedAuthenticator } from '../decision/combine.ts';
import { NO_REQUIREMENTS, type RouteRequirements } from '../decision/requirements.ts';
import { checkRouteName } from '../decision/route-names.ts';
import { ConfigError } from '../errors.ts';
import { warn } from '../events.ts';
import { sharedState } from '../values/copies.ts';
import { argument, readBoolean, readObject } from '../values/readers.ts';

/** What one handler, hook or decorator does. */
export type RouteMark =
  | {
      readonly kind: 'authenticate';
      readonly mode: AuthenticationMode;
      /** The authenticator that decides. */
      readonly by?: object;
      /** What the access requires besides rules. */
      readonly requires?: RouteRequirements;
    }
  | {
      readonly kind: 'claims';
      readonly claims: readonly string[];
      /** The rules themselves, which may name a route of the options. */
      readonly rules?: CompiledRules<unknown>;
    }
  | { readonly kind: 'public' }
  /** It answers at these paths by itself, and passes all other requests on. */
  | { readonly kind: 'document'; readonly paths: () => readonly string[] };

/**
 * The marks of authentication, and of the rules that it checks in the same step. A combination
 * needs all of its tokens, whatever the mode of the route is.
 */
export function authenticateMarks(
  authenticator: Pick<Authenticator | CombinedAuthenticator, 'kind' | 'mode'>,
  { mode: asked, claims, requires }: CompiledAccess,
): readonly RouteMark[] {
  const mode = authenticator.kind === 'combined' ? authenticator.mode : (asked ?? authenticator.mode);
  const required = requires === NO_REQUIREMENTS ? {} : { requires };
  const marks: RouteMark[] = [{ kind: 'authenticate', mode, by: authenticator, ...required }];
  if (claims !== undefined) marks.push(claimsMark(claims));
  return marks;
}

/** The mark of rules. */
export function claimsMark(rules: CompiledRules<unknown>): RouteMark {
  return { kind: 'claims', claims: claimNames(rules), rules };
}

/** A mark, and its place on the way to the route. */
export interface PassedMark {
  readonly mark: RouteMark;
  readonly from: 'route' | 'router' | 'application';
}

/** A part of what a route requires that refuses nothing yet. */
export interface ReportOnlyPart {
  /** The claim, such as `roles`; `acr`, `auth_time` or `act` for requirements. */
  readonly claim: string;
  /** From when on it refuses, in ISO 8601. Absent: never. */
  readonly until?: string;
}

/** What a route requires of a token besides rules: `issuers`, `audience`, `acr` and so on. */
export interface RequiredPart {
  /** The claim: `iss`, `aud`, `act`, `cnf`, `acr` or `auth_time`. */
  readonly about: string;
  readonly expected: string;
}

/** What a route requires. */
export interface RouteReport {
  /** In upper case; `ALL` for every method. */
  readonly method: string;
  /** As written, with the paths of the routers around it. */
  readonly path: string;
  /** `UNDECIDED`: no authentication runs before the route, and it is not marked as public. */
  readonly requirement: 'token' | 'optional token' | 'public' | 'UNDECIDED';
  /** The claims that the rules name. */
  readonly claims: readonly string[];
  /** What the token must be besides. Absent: nothing. */
  readonly requires?: readonly RequiredPart[];
  /** What refuses nothing yet, because of `enforce`. Absent: nothing. */
  readonly reportOnly?: readonly ReportOnlyPart[];
  /**
   * The place of the mark that decided: the route itself, a router around it, or the application.
   */
  readonly from: PassedMark['from'] | undefined;
}

/** Options of the route report. */
export interface RoutesOptions {
  /**
   * Throws if any route is undecided. Call it when all routes are registered, before the service
   * listens. Default false.
   */
  readonly failOnUndecided?: boolean;
}

/**
 * Refuses to report a route whose mode has no effect, because the same authenticator refuses the
 * request earlier. In Fastify and NestJS, the route would decide.
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

/**
 * Refuses to report a route whose rules name a route that the options of its authenticator do not
 * have: every request to it would fail.
 * @throws ConfigError
 */
function refuseUnknownNames(
  route: Pick<RouteReport, 'method' | 'path'>,
  passed: readonly PassedMark[],
): void {
  let by: object | undefined;
  for (const { mark } of passed) {
    if (mark.kind === 'authenticate') by = mark.by;
    if (mark.kind === 'claims' && by !== undefined)
      checkRouteName(by, mark.rules, `${route.method} ${route.path}`);
  }
}

const checked = sharedState('reported applications', () => new WeakSet<object>());

/**
 * Reports the routes of an application at its first request, and warns if the report throws a
 * ConfigError. Refuses no request: each `authenticate` still decides, whatever the report says.
 * @param application undefined if a router runs without one
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
    // Other errors are faults of the walk: other libraries may store anything among the routes.
    if (error instanceof ConfigError) warn('LATCHKEY_ROUTES', error.message);
  }
}

/** More than any application has. Nested routers can multiply without end. */
const MAX_ROUTES = 20_000;

/** Counts the routes of one walk. @throws ConfigError beyond the bound */
export function countRoutes(): () => void {
  let count = 0;
  return () => {
    if (++count > MAX_ROUTES)
      throw new ConfigError(
        'routes',
        `expected at most ${MAX_ROUTES} routes, got more; report each router by itself`,
      );
  };
}

/**
 * Computes the report of a route from its marks. One mark that refuses anonymous requests is enough
 * to require a token.
 */
export function reportRoute(
  { method, path }: Pick<RouteReport, 'method' | 'path'>,
  passed: readonly PassedMark[],
): RouteReport {
  refuseUnreachable({ method, path }, passed);
  refuseUnknownNames({ method, path }, passed);
  const claims = passed.flatMap(({ mark }) => (mark.kind === 'claims' ? mark.claims : []));
  const authenticating = passed.filter(({ mark }) => mark.kind === 'authenticate');
  const strict = authenticating.findLast(
    ({ mark }) => mark.kind === 'authenticate' && mark.mode === 'strict',
  );
  const ruled = authenticating.length > 0 ? passed.findLast(({ mark }) => isEnforcedClaims(mark)) : undefined;
  const open = passed.findLast(
    ({ mark, from }) => mark.kind === 'public' || (mark.kind === 'document' && from === 'route'),
  );
  const decided = strict ?? ruled ?? authenticating.at(-1) ?? open;
  let requirement: RouteReport['requirement'] = 'UNDECIDED';
  if (strict !== undefined || ruled !== undefined) requirement = 'token';
  else if (authenticating.length > 0) requirement = 'optional token';
  else if (decided !== undefined) requirement = 'public';
  const reportOnly = passed.flatMap(({ mark }) => reportOnlyOf(mark));
  const requires = passed.flatMap(({ mark }) => requiredBy(mark));
  const report: RouteReport = {
    ...{ method, path, requirement, claims, from: decided?.from },
    ...(requires.length === 0 ? {} : { requires }),
    ...(reportOnly.length === 0 ? {} : { reportOnly }),
  };
  marksOfReports.set(report, passed);
  return report;
}

// A report is data that is printed and compared, so its marks are not in it.
const marksOfReports = sharedState(
  'marks of reports',
  () => new WeakMap<RouteReport, readonly PassedMark[]>(),
);

/** The marks that a report was computed from; undefined for a copy of a report. */
export function marksOfReport(report: RouteReport): readonly PassedMark[] | undefined {
  return marksOfReports.get(report);
}

/** True for rules that need a principal: those of an access with `enforce` do not, yet. */
function isEnforcedClaims(mark: RouteMark): boolean {
  return mark.kind === 'claims' && (mark.rules === undefined || !isReportOnly(mark.rules));
}

function requiredBy(mark: RouteMark): readonly RequiredPart[] {
  if (mark.kind !== 'authenticate') return [];
  const { checks = [], resource } = mark.requires ?? {};
  const named = resource === undefined ? [] : [{ about: 'aud', expected: `the resource ${resource}` }];
  return [...named, ...checks.map(({ about, expected }) => ({ about, expected }))];
}

function reportOnlyOf(mark: RouteMark): readonly ReportOnlyPart[] {
  if (mark.kind === 'claims')
    return (mark.rules === undefined ? [] : reportOnlyIn(mark.rules)).map(({ claim, enforcedFromMs }) =>
      partOf(claim, enforcedFromMs),
    );
  const { checks = [], enforcedFromMs = ALWAYS } = mark.kind === 'authenticate' ? (mark.requires ?? {}) : {};
  return enforcedFromMs === ALWAYS ? [] : checks.map(({ about }) => partOf(about, enforcedFromMs));
}

function partOf(claim: string, enforcedFromMs: number): ReportOnlyPart {
  return enforcedFromMs === NEVER ? { claim } : { claim, until: new Date(enforcedFromMs).toISOString() };
}

/**
 * Reports what a middleware of `publishResource` answers.
 * @param before the marks of the middleware before it
 * @throws ConfigError if clients without a token cannot reach it
 */
export function reportDocuments(
  { mark, from }: PassedMark,
  before: readonly PassedMark[],
): readonly RouteReport[] {
  if (mark.kind !== 'document') return [];
  const isClosed = before.some((one) => one.mark.kind === 'authenticate' && one.mark.mode === 'strict');
  return mark.paths().map((path): RouteReport => {
    if (isClosed)
      throw new ConfigError(
        `GET ${path}`,
        'clients without a token get no metadata; put publishResource before authenticate',
      );
    return { method: 'GET', path, requirement: 'public', claims: [], from };
  });
}

/**
 * Returns the reports.
 * @throws ConfigError for invalid options, and for undecided routes if the options ask for it
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
    throw new ConfigError(
      'routes',
      `undecided: ${names}; authenticate these routes, or mark them as public (publicRoute(), @Public(), or auth: false)`,
    );
  }
  return reports;
}
