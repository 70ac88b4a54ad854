// The outcome of each request, for the channel `latchkey:decision`, and where the request was made,
// for `latchkey:report-only` too. Without a subscriber, nothing is collected here. Nothing is
// decided here.
import { AsyncLocalStorage } from 'node:async_hooks';
import { keyOf, type RequestView } from '../credentials/request.ts';
import { type AuthError, type AuthErrorCode, isAuthError } from '../errors.ts';
import { type DecisionEvent, hasListeners, publish } from '../events.ts';
import type { Keyset } from '../keysets/keyset.ts';
import { sharedState } from '../values/copies.ts';
import type { Decision } from './decision.ts';

/** What an adapter says of the requests of its framework, once for all of them. */
export interface RequestPlace<S = never> {
  /** The name of the framework, in lower case. */
  readonly framework: string;
  /**
   * Returns the pattern of the route of a request. It must never contain a part of the path,
   * because metrics are counted by it. Default: undefined.
   */
  readonly routeOf?: (subject: S) => string | undefined;
  /**
   * Calls `done` when a request has been answered. Rules of the route may refuse it until then.
   * `adapter`: the adapter calls `requestAnswered`. Absent: no rule can follow the decision.
   */
  readonly whenAnswered?: ((subject: S, done: () => void) => void) | 'adapter';
}

/** What a decision has found out about the token of a request. */
export interface DecisionFacts {
  issuer: string | undefined;
  /** The keysets that were asked have different issuers. */
  hasSeveral: boolean;
  /** Undefined: no keyset was asked. */
  isCached: boolean | undefined;
  /** Why `mode: 'permissive'` ignores the token. */
  ignored: AuthErrorCode | undefined;
}

/** A request whose outcome is watched. */
export interface WatchedRequest {
  readonly key: object;
  readonly facts: DecisionFacts;
  /** Asks the place, which may fail. */
  readonly place: RequestPlace<never> | undefined;
  readonly subject: unknown;
  readonly startMs: number;
  durationMs: number;
  outcome: 'accepted' | 'anonymous' | undefined;
  /** The outcome has been published. */
  told: DecisionEvent['outcome'] | undefined;
  /** Somebody will say when the request has been answered. */
  isAwaited: boolean;
}

const CHANNEL = 'latchkey:decision';
const OTHER_CHANNEL = 'latchkey:report-only';

const NO_REQUEST: RequestView = Object.freeze({ headers: Object.freeze({}) });

// Set only while `verify` is called, which reads it at once.
const verifying: { watched: WatchedRequest | undefined } = sharedState('token being verified', () => ({
  watched: undefined,
}));

const requests = sharedState('watched requests', () => new WeakMap<object, WatchedRequest>());

/**
 * Watches one decision on a request.
 * @param place what the adapter says of its framework; undefined without an adapter
 * @param subject what the functions of the place are called with
 * @returns undefined without a listener
 */
export function watchRequest<S>(
  view: RequestView,
  place: RequestPlace<S> | undefined,
  subject: S,
): WatchedRequest | undefined {
  if (!hasListeners(CHANNEL) && !hasListeners(OTHER_CHANNEL)) return undefined;
  const key = keyOf(view);
  const watched: WatchedRequest = {
    key,
    facts: noFacts(),
    place: place as RequestPlace<never> | undefined,
    subject,
    startMs: performance.now(),
    durationMs: 0,
    outcome: undefined,
    told: undefined,
    isAwaited: requests.get(key)?.isAwaited === true,
  };
  // A later decision on the same request replaces an earlier one.
  requests.set(key, watched);
  return watched;
}

/** Returns where a decision on a request notes facts; undefined without a listener. */
export function factsOf(view: RequestView): DecisionFacts | undefined {
  return hasListeners(CHANNEL) ? requests.get(keyOf(view))?.facts : undefined;
}

/**
 * Notes the keyset that a token was judged by.
 * @param keysets those of the options: the name of another one may come from a token
 */
export function noteKeyset(
  facts: DecisionFacts,
  keyset: Keyset | undefined,
  keysets: readonly Keyset[],
  isCached: boolean,
): void {
  if (keyset === undefined) return;
  const issuer = keysets.includes(keyset) ? keyset.issuer : undefined;
  const isFirst = facts.isCached === undefined;
  facts.hasSeveral ||= !isFirst && facts.issuer !== issuer;
  facts.issuer = facts.hasSeveral ? undefined : issuer;
  facts.isCached = isCached && (isFirst || facts.isCached === true);
}

/** Returns where a decision on a token alone notes facts; undefined without a listener. */
export function factsOfToken(): DecisionFacts | undefined {
  return hasListeners(CHANNEL) ? verifying.watched?.facts : undefined;
}

/** Returns the key of a decision on a token alone, while `verify` is called. */
export function keyOfToken(): object | undefined {
  return verifying.watched?.key;
}

/** Where a request was made; nothing for a request that is not watched. */
export function placeOf(key: object | undefined): Pick<DecisionEvent, 'route' | 'framework'> {
  const watched = key === undefined ? undefined : requests.get(key);
  return { route: watched && routeOf(watched), framework: watched?.place?.framework };
}

/**
 * Publishes the outcome of a request whose token an adapter verifies alone, because its framework
 * hands out nothing else.
 * @param verify calls `verify` of an authenticator
 */
export async function verifyRequest<T>(place: RequestPlace, verify: () => Promise<T>): Promise<T> {
  const watched = watchRequest({ ...NO_REQUEST }, place, undefined as never);
  if (watched === undefined) return verify();
  try {
    const principal = await started(verify, watched);
    noteOutcome(watched, { ok: true, principal });
    return principal;
  } catch (error) {
    if (isAuthError(error)) noteOutcome(watched, { ok: false, error });
    throw error;
  }
}

function started<T>(verify: () => Promise<T>, watched: WatchedRequest): Promise<T> {
  verifying.watched = watched;
  try {
    return verify();
  } finally {
    verifying.watched = undefined;
  }
}

/** Publishes a refusal now, and an acceptance when no rule of the route can follow. */
export function noteOutcome<T>(watched: WatchedRequest, made: Decision<T>): void {
  watched.durationMs = performance.now() - watched.startMs;
  if (made.ok !== true) {
    if (isAuthError(made.error)) tell(watched, 'refused', made.error);
    return;
  }
  watched.outcome = made.principal === undefined ? 'anonymous' : 'accepted';
  const { key, place, subject, isAwaited } = watched;
  const { whenAnswered } = place ?? {};
  if (whenAnswered === undefined) tell(watched, watched.outcome);
  else if (whenAnswered !== 'adapter' && !isAwaited) {
    watched.isAwaited = true;
    // The listener finds the span of the request, in whatever context the reply ends.
    const run = AsyncLocalStorage.snapshot();
    whenAnswered(subject as never, () => run(requestAnswered, key));
  }
}

/** Publishes the outcome of a request that has been answered, unless it is published. */
export function requestAnswered(key: object): void {
  if (!hasListeners(CHANNEL)) return;
  const watched = requests.get(key);
  if (watched?.outcome !== undefined && watched.told === undefined) tell(watched, watched.outcome);
}

/**
 * Publishes that a rule has refused a request, unless a refusal of it is published.
 * @param place for a request that `watchRequest` has not seen; without it, nothing is published
 */
export function noteRefusal(key: object, refusal: AuthError, place?: RequestPlace): void {
  if (!hasListeners(CHANNEL)) return;
  const watched = requests.get(key) ?? (place && watchRequest(key as RequestView, place, undefined as never));
  if (watched !== undefined && watched.told !== 'refused') tell(watched, 'refused', refusal);
}

function noFacts(): DecisionFacts {
  return { issuer: undefined, hasSeveral: false, isCached: undefined, ignored: undefined };
}

function tell(watched: WatchedRequest, outcome: DecisionEvent['outcome'], refusal?: AuthError): void {
  const { facts, place, durationMs } = watched;
  watched.told = outcome;
  publish(CHANNEL, {
    outcome,
    code: refusal?.code ?? (outcome === 'anonymous' ? facts.ignored : undefined),
    status: refusal?.status,
    issuer: facts.issuer,
    route: routeOf(watched),
    framework: place?.framework,
    durationMs,
    cached: facts.isCached === true,
  });
}

/** The functions of an adapter read objects of the framework, which the application may change. */
function routeOf({ place, subject }: WatchedRequest): string | undefined {
  try {
    return place?.routeOf?.(subject as never);
  } catch {
    return undefined;
  }
}
