// Decides once for each caller and access, where a framework asks several times: for several guards
// of a handler, or for many fields of one operation.
import type { RequestView } from '../credentials/request.ts';
import type { CompiledAccess } from '../decision/access.ts';
import type { Decision } from '../decision/decision.ts';
import type { RequestPlace } from '../decision/outcome.ts';
import type { UpgradeAuthenticator } from '../decision/upgrade.ts';
import { decide } from './decide.ts';

/** A decision that is kept. */
export interface Attempt {
  /** What it is kept on; copies and derived objects do not match. */
  readonly of: object;
  /** What was decided on. */
  readonly request: object;
  /** Not another application's: one may be mounted in the other, and trust other issuers. */
  readonly by: UpgradeAuthenticator<unknown>;
  readonly asked: CompiledAccess;
  readonly decision: Decision<unknown> | Promise<Decision<unknown>>;
  /** The adapter sets it when it lets the caller pass. */
  passed?: { readonly auth: unknown };
  readonly before: Attempt | undefined;
}

// Kept on the object itself, because a WeakMap would cost every request as much as the rest of an
// adapter.
const LATEST: unique symbol = Symbol('attempts');
type Attempted = object & { [LATEST]?: Attempt | undefined };

/**
 * Returns the decision that is kept on an object for this authenticator and access, or decides, as
 * `decide` does.
 * @param key the request, or what the framework makes anew for each caller
 * @param place for `decide`
 * @throws TypeError if the key has a decision on another request: one caller would be another
 */
export function decideOnce(
  authenticator: UpgradeAuthenticator<unknown>,
  key: Attempted,
  view: RequestView,
  asked: CompiledAccess,
  place?: RequestPlace<RequestView>,
): Attempt {
  const last = key[LATEST];
  if (last?.of === key && last.request !== view)
    throw new TypeError(
      'expected a new object for each request, got one of another; with GraphQL, return a new context',
    );
  const kept = attemptOn(key, (attempt) => attempt.asked === asked && attempt.by === authenticator);
  if (kept !== undefined) return kept;
  const decision = decide(authenticator, view, asked, place, view);
  const made: Attempt = { of: key, request: view, by: authenticator, asked, decision, before: last };
  key[LATEST] = made;
  return made;
}

/** Returns the latest decision kept on an object that a condition holds for. */
export function attemptOn(key: Attempted, isWanted: (attempt: Attempt) => boolean): Attempt | undefined {
  let attempt = key[LATEST];
  while (attempt !== undefined && (attempt.of !== key || !isWanted(attempt))) attempt = attempt.before;
  return attempt;
}
