// The names of the routes of an authenticator, so that a misspelt name is refused when the service
// starts. Decides about no request.
import type { CompiledRules } from '../claims/compile.ts';
import { ConfigError } from '../errors.ts';
import { sharedState } from '../values/copies.ts';
import { meant } from '../values/kind.ts';

const namesOf = sharedState('route names', () => new WeakMap<object, () => readonly string[]>());

/** Notes which names an authenticator knows. They may change with its options. */
export function noteRouteNames(authenticator: object, names: () => readonly string[]): void {
  namesOf.set(authenticator, names);
}

/** The names that an authenticator knows; undefined for one that an application has written. */
export function routeNamesOf(authenticator: object): readonly string[] | undefined {
  return namesOf.get(authenticator)?.();
}

/** Refuses a name that the options of the authenticator do not have. @throws ConfigError */
export function checkRouteName(
  authenticator: object,
  rules: CompiledRules<unknown> | undefined,
  path: string,
): void {
  const names = rules?.route === undefined ? undefined : routeNamesOf(authenticator);
  if (rules?.route === undefined || names === undefined || names.includes(rules.route)) return;
  throw new ConfigError(path, `expected a route of the options, got ${noRoute(rules.route, names)}`);
}

/** Says which routes there are in place of this one. */
export function noRoute(name: string, names: readonly string[]): string {
  const there = names.length === 0 ? 'there are none' : `there are ${names.join(', ')}`;
  return `route ${name}; ${there}${meant(name, names)}`;
}
