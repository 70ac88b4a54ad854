// Parts of a route that are for this package and are where nothing reads them. A route that has one
// is refused when it is added: without them it would let in more, or reply unsigned.
import { ConfigError } from '@latchkey/core';
import type { RouteOptions } from 'fastify';

/** The hooks that `signResponse` made. */
export const responseSigners: WeakSet<object> = new WeakSet();

const OTHER_HOOKS = [
  'onRequest',
  'preParsing',
  'preValidation',
  'preHandler',
  'preSerialization',
  'onError',
  'onResponse',
  'onTimeout',
  'onRequestAbort',
] as const;

/** Members of `config.auth` that no other plugin is likely to read from `config`. */
const OF_AUTH = ['claims', 'issuers', 'audience'] as const;

/** Refuses a response signer that is another hook than `onSend`. @throws ConfigError */
export function refuseSigners(route: RouteOptions): void {
  const found = OTHER_HOOKS.find((name) =>
    [route[name]].flat().some((hook) => responseSigners.has(Object(hook))),
  );
  if (found !== undefined)
    throw new ConfigError(
      `${nameOf(route)} ${found}`,
      'expected signResponse as onSend; it signs nothing here',
    );
}

/** Refuses access that is not under `config.auth`. @throws ConfigError */
export function refuseMisplaced(route: RouteOptions): void {
  const at = nameOf(route);
  if (Object.hasOwn(route, 'auth'))
    throw new ConfigError(`${at} auth`, 'expected it under config: config.auth');
  const names = Object.keys(Object(route.config));
  // `Auth`, and letters in another order. `oauth` may be of another plugin.
  const misspelt = names.find((name) => name !== 'auth' && lettersOf(name) === lettersOf('auth'));
  if (misspelt !== undefined)
    throw new ConfigError(`${at} config.${misspelt}`, 'unknown option; did you mean auth?');
  const loose = OF_AUTH.find((name) => names.includes(name));
  if (loose !== undefined)
    throw new ConfigError(`${at} config.${loose}`, `expected it under config.auth: config.auth.${loose}`);
}

/**
 * Refuses rules in `config.auth` of a route that no registration covers: nothing would read them.
 * @throws ConfigError
 */
export function refuseUncovered(route: RouteOptions): void {
  const auth: unknown = Reflect.get(Object(route.config), 'auth');
  const rules = OF_AUTH.find((name) => Object.hasOwn(Object(auth), name));
  if (rules !== undefined)
    throw new ConfigError(
      `${nameOf(route)} config.auth.${rules}`,
      'no registration of @latchkey/fastify covers this route; register it in this scope or an outer one',
    );
}

const lettersOf = (name: string): string => [...name.toLowerCase()].sort().join('');

function nameOf({ method, url }: RouteOptions): string {
  return `${[method].flat().join()} ${url}`;
}
