// Reports one route by its access, for a framework without a list of its routes.
import {
  authenticateMarks,
  type PassedMark,
  type RouteReport,
  reportRoute,
} from '../adapter/route-report.ts';
import { type CompiledAccess, compileAccess, type RouteAccess } from '../decision/access.ts';
import type { Authenticator } from '../decision/authenticator.ts';
import { type CombinedAuthenticator, checkCombinedAccess } from '../decision/combine.ts';
import { checkAccessNames } from '../decision/route-names.ts';

/**
 * Reports a route by what decides on it, as `routes` of an adapter does: for handlers of
 * `@latchkey/web`, and for frameworks without an adapter.
 * @param access what the route requires; `false` for a public one
 * @throws ConfigError for access that cannot be used
 * @example
 * ```ts
 * const reports = [
 *   reportAccess({ method: 'GET', path: '/health' }, authenticator, false),
 *   reportAccess({ method: 'GET', path: '/orders' }, authenticator, { audience: 'orders' }),
 * ];
 * const { components, paths } = describeOpenApi(reports);
 * ```
 */
export function reportAccess(
  route: Pick<RouteReport, 'method' | 'path'>,
  authenticator: Authenticator | CombinedAuthenticator,
  access: RouteAccess | CompiledAccess | false,
): RouteReport {
  const { method, path } = route;
  if (access === false) return reportRoute({ method, path }, [{ mark: { kind: 'public' }, from: 'route' }]);
  const place = `${method} ${path}`;
  const compiled = compileAccess(access, place);
  if (authenticator.kind === 'combined') checkCombinedAccess(compiled, place);
  checkAccessNames(authenticator, compiled, place);
  const marks = authenticateMarks(authenticator, compiled);
  return reportRoute(
    { method, path },
    marks.map((mark): PassedMark => ({ mark, from: 'route' })),
  );
}
