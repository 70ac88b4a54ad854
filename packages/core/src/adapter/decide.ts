// The adapter contract, as far as frameworks have it in common: what an adapter is made of, the
// web's Request as core reads it, and a decision handed on. It decides nothing.

import { keyedView, type RequestView } from '../credentials/request.ts';
import { type CompiledAccess, compileAccess, NOTHING_ASKED, type RouteAccess } from '../decision/access.ts';
import { type Authenticator, type AuthenticatorLimits, principalOf } from '../decision/authenticator.ts';
import { type CombinedAuthenticator, checkCombinedAccess, isAuthenticator } from '../decision/combine.ts';
import type { AuthenticatorOptions } from '../decision/options.ts';
import type { Decision } from '../decision/pipeline.ts';
import type { UpgradeAuthenticator } from '../decision/upgrade.ts';
import { createAuthenticator } from '../descriptor/create.ts';
import type { DescriptorOptions } from '../descriptor/load.ts';
import { type AuthError, asError } from '../errors.ts';
import { isPromise } from '../values/promise.ts';
import { argument } from '../values/readers.ts';
import { authenticateMarks, type RouteMark } from './route-report.ts';

/** What an application gives an adapter: options, a descriptor, or authenticators made before. */
export type AuthenticationSource<T = unknown> =
  | AuthenticatorOptions
  | DescriptorOptions
  | Authenticator
  | CombinedAuthenticator<T>;

/** What an adapter's middleware is made of. */
export interface PreparedAuthentication {
  readonly authenticator: Authenticator | CombinedAuthenticator;
  readonly access: CompiledAccess;
  /** What the middleware does, for the route report. */
  readonly marks: readonly RouteMark[];
}

/**
 * Makes an authenticator, unless one is given, and what a route asks of it.
 * @throws ConfigError for wrong options, for wrong access, and for rules on several combined
 *   authenticators
 */
export function prepareAuthentication(
  source: AuthenticationSource,
  ...access: readonly [access?: RouteAccess | CompiledAccess]
): PreparedAuthentication {
  const compiled = compileAccess(argument(access, 'access', NOTHING_ASKED));
  const authenticator = toAuthenticator(source);
  if (authenticator.kind === 'combined') checkCombinedAccess(compiled);
  return { authenticator, access: compiled, marks: authenticateMarks(authenticator, compiled) };
}

/**
 * The authenticator that is given, or one that is made of the options.
 * @param limits what the framework cannot do
 * @throws ConfigError
 */
export function toAuthenticator(
  source: AuthenticationSource,
  limits?: AuthenticatorLimits,
): Authenticator | CombinedAuthenticator {
  return isAuthenticator(source) ? source : createAuthenticator(source, limits);
}

/**
 * Asks an authenticator for its decision. Never throws, and rejects only with an Error, whatever an
 * authenticator does against its contract: frameworks read some other values as "go on".
 */
export function decide<T>(
  authenticator: UpgradeAuthenticator<T>,
  view: RequestView,
  access: CompiledAccess,
): Decision<T> | Promise<Decision<T>> {
  try {
    const decision = authenticator.decide(view, access);
    if (!isPromise(decision)) return decision;
    const guarded = Promise.resolve(decision).catch(fail);
    // Who asked may fail before it waits: the rejection must not take the process with it.
    guarded.catch(() => {});
    return guarded;
  } catch (fault) {
    return fail(fault);
  }
}

function fail(fault: unknown): Promise<never> {
  return Promise.reject(asError(fault));
}

/**
 * Calls `take` with what a decision gives: at once if it is there, which saves the request the
 * turns of a promise.
 * @returns what `take` gives. If that is a promise that rejects, it does so as it is
 * @throws the refusal, or what `take` throws, as an Error: frameworks read some other values as "go
 *   on"
 */
export function whenDecided<T, R>(
  decision: Decision<T> | Promise<Decision<T>>,
  take: (auth: T) => R,
): R | Promise<Awaited<R>> {
  if (isPromise(decision)) return takeLater(decision, take);
  try {
    return take(principalOf(decision));
  } catch (error) {
    throw asError(error);
  }
}

async function takeLater<T, R>(deciding: Promise<Decision<T>>, take: (auth: T) => R): Promise<Awaited<R>> {
  let taken: R;
  try {
    taken = take(principalOf(await deciding));
  } catch (error) {
    throw asError(error);
  }
  return await taken;
}

/** What core reads of a web-standard `Request`, and what its framework adds. */
export interface WebRequestExtras {
  /** The parameters of the matched path, for `fromRequest` rules. */
  readonly params?: RequestView['params'];
  /** Default: the `Request`. Give another object where the framework may replace the `Request`. */
  readonly key?: object;
}

/**
 * What core reads of a web-standard `Request`. It has no headers as they were sent: duplicates that
 * the platform has joined are refused where they can be seen.
 */
export function requestViewOf(
  request: Request,
  { params, key = request }: WebRequestExtras = {},
): RequestView {
  const { host, pathname, search } = new URL(request.url);
  const headers = { host, ...Object.fromEntries(request.headers) };
  const url = `${pathname}${search}`;
  // Each member is there, so that none is looked up in a prototype.
  const view = { method: request.method, url, headers, rawHeaders: undefined, body: undefined, params };
  return keyedView(view, key);
}

/**
 * A refusal as a web-standard `Response`: its status, its headers, and `{ code, status, message }`
 * as JSON.
 */
export function toResponse(error: AuthError): Response {
  return Response.json(error.toJSON(), { status: error.status, headers: error.headers });
}
