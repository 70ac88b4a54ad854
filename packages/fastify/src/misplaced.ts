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
const OF_AUTH = ['claims', 'issuers'] as const;

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
  const misspelt = names.find((name) => name !== 'auth' && name.toLowerCase() === 'auth');
  if (misspelt !== undefined)
    throw new ConfigError(`${at} config.${misspelt}`, 'unknown option; did you mean auth?');
  const loose = OF_AUTH.find((name) => names.includes(name));
  if (loose !== undefined)
    throw new ConfigError(`${at} config.${loose}`, `expected it under config.auth: config.auth.${loose}`);
}

function nameOf({ method, url }: RouteOptions): string {
  return `${[method].flat().join()} ${url}`;
}
