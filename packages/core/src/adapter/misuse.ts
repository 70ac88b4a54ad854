// Mistakes in the order of middleware, which only an adapter can see. Each is a ConfigError: a
// fault of the service, and never a refusal of its client.
import { ConfigError } from '../errors.ts';
import { kindOf } from '../values/kind.ts';
import { isPlainObject } from '../values/readers.ts';

/**
 * Refuses the request or context of a framework where options or rules are expected: the function
 * was registered as a middleware itself, without a call.
 * @param name of the function, for the message
 * @throws ConfigError
 */
export function refuseRequest(value: unknown, name: string, call: string): void {
  if (typeof value !== 'object' || value === null || isPlainObject(value)) return;
  // A context of Hono has its request in a member.
  const hasRequest = 'req' in value && typeof value.req === 'object';
  if (hasRequest || ('headers' in value && 'method' in value))
    throw new ConfigError(name, `expected ${call}, got a request; call ${name} where it is registered`);
}

/**
 * Reads the arguments after the first of a function that takes at most one more.
 * @param expected what the second argument is
 * @throws ConfigError for more arguments, and for a second one that is not a function
 */
export function handlerIn<F>(rest: readonly [handler?: F], name: string): F | undefined {
  const [handler] = rest;
  if (rest.length > 1)
    throw new ConfigError(name, `expected one handler, got ${rest.length}; register the others behind it`);
  if (rest.length === 0 || typeof handler === 'function') return handler;
  const fix = typeof handler === 'object' ? '; put all rules into one object' : '';
  throw new ConfigError(name, `expected a handler as the second argument, got ${kindOf(handler)}${fix}`);
}

/**
 * Refuses arguments of a function that takes none: it was registered without a call, or was given
 * the handler.
 * @throws ConfigError
 */
export function refuseArguments(given: readonly unknown[], name: string): void {
  if (given.length === 0) return;
  refuseRequest(given[0], name, 'no argument');
  throw new ConfigError(
    name,
    `expected no argument, got ${kindOf(given[0])}; register the handler behind it`,
  );
}

/** The fault of `requireClaims` on a request that `authenticate` has not seen. */
export function notAuthenticated(name: string, fix: string): ConfigError {
  return new ConfigError(name, `expected an authenticated request, got one before ${fix}`);
}
