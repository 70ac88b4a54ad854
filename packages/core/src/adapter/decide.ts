// The part of the adapter contract that all frameworks share: prepares an authenticator, and passes
// a decision on. Makes no decision.

import type { ServerResponse } from 'node:http';
import type { CompiledRules } from '../claims/compile.ts';
import type { RequestParameters, Rules } from '../claims/rules.ts';
import type { ClaimsOf } from '../claims/types.ts';
import { keyOf, type RequestView } from '../credentials/request.ts';
import { type CompiledAccess, compileAccess, NOTHING_ASKED, type RouteAccess } from '../decision/access.ts';
import { anonymousContext } from '../decision/anonymous.ts';
import { type Authenticator, type AuthenticatorLimits, principalOf } from '../decision/authenticator.ts';
import { authorized } from '../decision/authorize.ts';
import { type CombinedAuthenticator, checkCombinedAccess, isAuthenticator } from '../decision/combine.ts';
import type { Decision } from '../decision/decision.ts';
import type { AuthenticatorOptions } from '../decision/options.ts';
import {
  noteOutcome,
  noteRefusal,
  type RequestPlace,
  type WatchedRequest,
  watchRequest,
} from '../decision/outcome.ts';
import type { Principal } from '../decision/principal.ts';
import { rememberHook, tellRefusal } from '../decision/refusal-hook.ts';
import { checkAccessNames } from '../decision/route-names.ts';
import type { UpgradeAuthenticator } from '../decision/upgrade.ts';
import { warnOfAccess } from '../decision/warn-enforce.ts';
import { createAuthenticator } from '../descriptor/create.ts';
import type { DescriptorOptions } from '../descriptor/load.ts';
import { type AuthError, asError, ConfigError, isAuthError } from '../errors.ts';
import { checkCopy } from '../values/copies.ts';
import { isPromise } from '../values/promise.ts';
import { argument } from '../values/readers.ts';
import { refuseRequest } from './misuse.ts';
import { authenticateMarks, type RouteMark } from './route-report.ts';

/** What an application passes to an adapter: options, a descriptor, or an authenticator. */
export type AuthenticationSource<T = unknown> =
  | AuthenticatorOptions
  | DescriptorOptions
  | Authenticator
  | CombinedAuthenticator<T>;

/** The parts of an adapter's middleware. */
export interface PreparedAuthentication {
  readonly authenticator: Authenticator | CombinedAuthenticator;
  readonly access: CompiledAccess;
  /** What the middleware does, for the route report. */
  readonly marks: readonly RouteMark[];
}

/** How long `loadKeys` waits: shorter than what frameworks allow for one step of the start. */
const START_WAIT_MS = 3_000;

/**
 * Loads the keys of an authenticator, for adapters of frameworks that wait at the start. Resolves
 * when each source has been read or has failed, or after three seconds; at once with `loadAtStart:
 * false`. Never rejects: a source that fails has emitted a process warning.
 */
export async function loadKeys(authenticator: Authenticator | CombinedAuthenticator): Promise<void> {
  await startOf(authenticator, START_WAIT_MS);
}

/** An authenticator that an application has written may have no `start`, or one that throws. */
async function startOf(authenticator: Authenticator | CombinedAuthenticator, waitMs: number): Promise<void> {
  try {
    await authenticator.start?.(waitMs);
  } catch {
    // Its requests tell what is wrong.
  }
}

/**
 * Makes an authenticator, unless one is given, starts to load its keys, and compiles the access of
 * a route.
 * @throws ConfigError for invalid options, for invalid access, and for rules on a combination of
 *   authenticators
 */
export function prepareAuthentication(
  source: AuthenticationSource,
  ...access: readonly [access?: RouteAccess | CompiledAccess]
): PreparedAuthentication {
  refuseRequest(source, 'authenticate', 'options, such as { keySets, audience }');
  if (access.length > 1)
    throw new ConfigError('authenticate', `expected options and access, got ${access.length + 1} arguments`);
  const compiled = compileAccess(argument(access, 'access', NOTHING_ASKED));
  const authenticator = toAuthenticator(source);
  if (authenticator.kind === 'combined') checkCombinedAccess(compiled);
  checkAccessNames(authenticator, compiled, 'access');
  warnOfAccess(authenticator, compiled, 'access');
  void startOf(authenticator, 0);
  return { authenticator, access: compiled, marks: authenticateMarks(authenticator, compiled) };
}

/**
 * Returns the given authenticator, or makes one from the options.
 * @param limits what the framework cannot do
 * @throws ConfigError for invalid options, and for an authenticator of another copy of this package
 *   that does not work with this one
 */
export function toAuthenticator(
  source: AuthenticationSource,
  limits?: AuthenticatorLimits,
): Authenticator | CombinedAuthenticator {
  if (!isAuthenticator(source)) return createAuthenticator(source, limits);
  checkCopy(source, 'authenticator');
  return source;
}

/**
 * Asks an authenticator for its decision. Never throws, and rejects only with an Error, even if the
 * authenticator breaks its contract: frameworks read some other values as "continue".
 * @param place what the adapter says of its framework, for the event `latchkey:decision`
 * @param subject what the functions of the place are called with
 */
export function decide<T, S = undefined>(
  authenticator: UpgradeAuthenticator<T>,
  view: RequestView,
  access: CompiledAccess,
  place?: RequestPlace<S>,
  subject?: S,
): Decision<T> | Promise<Decision<T>> {
  try {
    const { onRefusal } = authenticator;
    if (onRefusal !== undefined) rememberHook(keyOf(view), onRefusal);
    const watched = watchRequest(view, place, subject as S);
    const decision = authenticator.decide(view, access);
    const isTold = onRefusal !== undefined || watched !== undefined;
    if (!isPromise(decision)) return isTold ? told(view, decision, watched) : decision;
    const guarded = Promise.resolve(decision)
      .then((made) => (isTold ? told(view, made, watched) : made))
      .catch(fail);
    // The caller may fail before it waits: an unhandled rejection would end the process.
    guarded.catch(() => {});
    return guarded;
  } catch (fault) {
    return fail(fault);
  }
}

/** Passes a decision on, and tells those who want to know. */
function told<T>(view: RequestView, made: Decision<T>, watched: WatchedRequest | undefined): Decision<T> {
  if (made.ok === false) tellRefusal(keyOf(view), made.error);
  if (watched !== undefined) noteOutcome(watched, made);
  return made;
}

function fail(fault: unknown): Promise<never> {
  return Promise.reject(asError(fault));
}

/**
 * Like `authorize`, for a request that `decide` has decided on: a refusal is also told to the
 * `onRefusal` of its authenticator, and by the event `latchkey:decision`.
 * @param key the framework's own request object
 * @returns the principal, as its type is by the rules
 * @throws AuthError, TypeError as `authorize` does
 */
export function authorizeRequest<const R extends Rules>(
  key: object,
  principal: Principal | undefined,
  rules: CompiledRules<R>,
  request?: RequestParameters,
): Principal<ClaimsOf<R>> {
  try {
    return authorizedQuietly(key, principal, rules, request);
  } catch (error) {
    if (isAuthError(error)) requestRefused(key, error);
    throw error;
  }
}

/**
 * Like `authorizeRequest`, and tells of no refusal: for an adapter that judges several rules,
 * and answers with one of the refusals, or with none.
 */
export function authorizedQuietly<const R extends Rules>(
  key: object,
  principal: Principal | undefined,
  rules: CompiledRules<R>,
  request?: RequestParameters,
): Principal<ClaimsOf<R>> {
  const anonymous = principal === undefined ? anonymousContext(key) : undefined;
  return authorized(principal, rules, request, anonymous, key);
}

/**
 * Tells of a refusal as `authorizeRequest` does.
 * @param key the framework's own request object
 * @param place for a request that `decide` has not decided on
 */
export function requestRefused(key: object, refusal: AuthError, place?: RequestPlace): void {
  tellRefusal(key, refusal);
  noteRefusal(key, refusal, place);
}

/**
 * Calls back once or twice when a response of Node has been sent, or its connection has ended: for
 * `whenAnswered` of a place.
 */
export function onceResponded(response: ServerResponse, done: () => void): void {
  if (response.writableFinished || response.destroyed) done();
  response.once('finish', done).once('close', done);
}

/**
 * Calls `take` with the result of a decision, synchronously if the decision is made: this saves the
 * turns of a promise.
 * @returns the result of `take`. If that is a promise that rejects, its reason is passed on
 *   unchanged
 * @throws the refusal, or the error of `take`, as an Error: frameworks read some other values as
 *   "continue"
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
