// The process warning about `enforce`: what refuses nothing yet lets callers pass that the rules do
// not permit. Once for each authenticator, whatever its options and its routes have of it.
import { type CompiledRules, reportOnlyIn } from '../claims/compile.ts';
import { ALWAYS, enforcedText, isEnforced } from '../claims/enforce.ts';
import { warn } from '../events.ts';
import type { Clock } from '../values/clock.ts';
import { sharedState } from '../values/copies.ts';
import type { CompiledAccess, NamedRoutes } from './access.ts';
import { partsOf } from './notice-parts.ts';
import type { RouteRequirements } from './requirements.ts';
import type { AuthenticatorSettings } from './settings.ts';

/** How many places a warning names. */
const MAX_NAMED = 5;

/** By the routes of the options: each authenticator has its own object, and its principals too. */
const warned = sharedState('warned of enforce', () => new WeakSet<NamedRoutes>());

/** Warns of the options of an authenticator. */
export function warnOfEnforce({ claims, policies, routes, clock }: AuthenticatorSettings): void {
  const own = [...policies].flatMap(([{ name }, policy]) =>
    policy.claims
      .filter((rules) => rules !== claims)
      .flatMap((rules) => placesIn({ claims: rules }, name, clock)),
  );
  const named = [...routes].flatMap(([name, route]) => placesIn(route, `routes.${name}`, clock));
  tell(routes, [...placesIn({ claims }, '', clock), ...own, ...named]);
}

/**
 * Warns of what a route asks.
 * @param authenticator nothing is known of one that an application has written
 */
export function warnOfAccess(authenticator: object, access: CompiledAccess, path: string): void {
  for (const { settings } of partsOf(authenticator) ?? [])
    tell(settings.routes, placesIn(access, path, settings.clock));
}

/**
 * Warns of rules that have let a caller pass.
 * @param routes of the authenticator that made the principal
 */
export function warnOfRules(routes: NamedRoutes, rules: CompiledRules<unknown>, clock?: Clock): void {
  if (!warned.has(routes)) tell(routes, placesIn({ claims: rules }, '', clock));
}

/** What is not enforced now, with its path and until when. */
function placesIn(
  {
    claims,
    requires,
  }: { readonly claims?: CompiledRules<unknown> | undefined; readonly requires?: RouteRequirements },
  path: string,
  clock?: Clock,
): readonly string[] {
  const at = path === '' ? '' : `${path}.`;
  const rules = claims === undefined ? [] : reportOnlyIn(claims);
  const parts = [
    ...rules.map(({ claim, enforcedFromMs }) => [`${at}claims.${claim}`, enforcedFromMs] as const),
    ...(requires?.checks ?? []).map(
      ({ about }) => [`${at}${about}`, requires?.enforcedFromMs ?? ALWAYS] as const,
    ),
  ];
  return parts.flatMap(([place, fromMs]) =>
    isEnforced(fromMs, clock) ? [] : [`${place} (${enforcedText(fromMs)})`],
  );
}

function tell(routes: NamedRoutes, places: readonly string[]): void {
  if (places.length === 0 || warned.has(routes)) return;
  warned.add(routes);
  const more = places.length > MAX_NAMED ? `, and ${places.length - MAX_NAMED} more` : '';
  const named = places.slice(0, MAX_NAMED).join(', ');
  warn('LATCHKEY_UNSAFE', `enforce: callers pass that these rules would refuse: ${named}${more}`);
}
