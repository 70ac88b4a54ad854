// The names of the routes and resources of an authenticator, so that a misspelt name is refused
// when the service starts. Decides about no request.
import type { CompiledRules } from '../claims/compile.ts';
import { ConfigError } from '../errors.ts';
import { type BindingModes, checkRouteBindings } from '../possession/route.ts';
import { sharedState } from '../values/copies.ts';
import { meant } from '../values/kind.ts';
import type { CompiledAccess } from './access.ts';
import { noResource } from './route-resources.ts';

/** The names that the options of an authenticator give. */
export interface KnownNames {
  readonly routes: readonly string[];
  readonly resources: readonly string[];
  /** How each authenticator that decides accepts bound tokens. Undefined: it accepts none. */
  readonly bindings?: readonly BindingModes[] | undefined;
}

/** Those of options that give none. */
export const NO_NAMES: KnownNames = Object.freeze({ routes: [], resources: [] });

/** Those of options that accept no bound tokens. */
const NO_BINDINGS: readonly BindingModes[] = [{ dpop: 'off', mutualTls: 'off', senderConstrained: 'off' }];

const knownNames = sharedState('known names', () => new WeakMap<object, () => KnownNames>());

/** Notes which names an authenticator knows. They may change with its options. */
export function noteNames(authenticator: object, names: () => KnownNames): void {
  knownNames.set(authenticator, names);
}

/** The names that an authenticator knows; undefined for one that an application has written. */
export function namesOf(authenticator: object): KnownNames | undefined {
  return knownNames.get(authenticator)?.();
}

/** The names that several authenticators all know: each of them decides on a route. */
export function commonNames([first = NO_NAMES, ...others]: readonly KnownNames[]): KnownNames {
  const inAll = (names: readonly string[], of: (one: KnownNames) => readonly string[]) =>
    names.filter((name) => others.every((one) => of(one).includes(name)));
  return {
    routes: inAll(first.routes, ({ routes }) => routes),
    resources: inAll(first.resources, ({ resources }) => resources),
    bindings: [first, ...others].flatMap(({ bindings = NO_BINDINGS }) => bindings),
  };
}

/** Refuses a route that the options of the authenticator do not have. @throws ConfigError */
export function checkRouteName(
  authenticator: object,
  rules: CompiledRules<unknown> | undefined,
  path: string,
): void {
  const names = rules?.route === undefined ? undefined : namesOf(authenticator)?.routes;
  if (rules?.route === undefined || names === undefined || names.includes(rules.route)) return;
  throw new ConfigError(path, `expected a route of the options, got ${noRoute(rules.route, names)}`);
}

/**
 * Refuses access with a route or a resource that the options of the authenticator do not have.
 * @param path of the access
 * @param pathOfRules of its rules, where a decorator of their own has them
 * @throws ConfigError
 */
export function checkAccessNames(
  authenticator: object,
  { claims, requires }: CompiledAccess,
  path: string,
  pathOfRules = `${path}.claims`,
): void {
  checkRouteName(authenticator, claims, pathOfRules);
  const known = namesOf(authenticator);
  if (known !== undefined) checkRouteBindings(requires, known.bindings ?? NO_BINDINGS, path);
  const { resource } = requires;
  const names = resource === undefined ? undefined : known?.resources;
  if (resource === undefined || names === undefined || names.includes(resource)) return;
  throw new ConfigError(
    `${path}.resource`,
    `expected a resource of the options, got ${noResource(resource, names)}`,
  );
}

/** Says which routes there are in place of this one. */
export function noRoute(name: string, names: readonly string[]): string {
  const there = names.length === 0 ? 'there are none' : `there are ${names.join(', ')}`;
  return `route ${name}; ${there}${meant(name, names)}`;
}
