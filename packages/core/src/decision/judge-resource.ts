// The resource that a request is for, where a service is several (RFC 9728): a token for one of
// them is not accepted on the routes of another. The audience of a named resource is judged with
// the other requirements of a route.
import { audienceText, checkAudience } from '../claims/audience.ts';
import { type AuthError, inSpace } from '../errors.ts';
import { own } from '../values/json.ts';
import type { CompiledAccess, NamedRoutes } from './access.ts';
import { contextOf, inSpaceOf, type Principal, signedClaims } from './principal.ts';
import { checkItself, type RouteResource, type RouteResources, resourceOf } from './route-resources.ts';
import type { Trace } from './trace.ts';

/** Finds the resource of a request, and judges the tokens of all other routes. */
export interface ResourceJudge {
  /**
   * The resource that a route names itself, or by its name in the options; undefined for none.
   * @throws TypeError if the options do not have it
   */
  of(access: Pick<CompiledAccess, 'claims' | 'requires'>): RouteResource | undefined;
  /** Returns the principal whose later refusals have the challenge of a resource. */
  at(principal: Principal, resource: RouteResource): Principal;
  /**
   * Returns why a token is not accepted on a route that names no resource; undefined if it is: a
   * token that is only for a named resource is not.
   */
  judge(principal: Principal, trace: Trace | undefined): AuthError | undefined;
}

/** Makes the judge of an authenticator. */
export function createResourceJudge(routes: NamedRoutes, resources: RouteResources): ResourceJudge {
  // One principal for each cached token and resource, and not for each request.
  const made = new WeakMap<Principal, Map<RouteResource, Principal>>();
  return {
    of({ claims, requires }) {
      const byRoute = claims?.route === undefined ? undefined : routes.get(claims.route)?.requires.resource;
      return resourceOf(requires.resource ?? byRoute, resources);
    },
    at(principal, resource) {
      const known = made.get(principal) ?? new Map<RouteResource, Principal>();
      const one = known.get(resource) ?? inSpaceOf(principal, resource.space);
      made.set(principal, known.set(resource, one));
      return one;
    },
    judge(principal, trace) {
      const { unnamed, space, ownAudience } = contextOf(principal) ?? {};
      const aud = own(signedClaims(principal), 'aud');
      // A token without an audience has been accepted by an option of its own.
      if (unnamed === undefined || (aud ?? ownAudience) === undefined) return undefined;
      const refusal =
        (aud === undefined ? undefined : checkAudience(aud, unnamed)) ?? checkItself(ownAudience, unnamed);
      trace?.({
        stage: 'route requirement',
        about: 'aud',
        expected: audienceText(unnamed),
        actual: aud ?? ownAudience,
        refusal,
      });
      return refusal && inSpace(refusal, space);
    },
  };
}
