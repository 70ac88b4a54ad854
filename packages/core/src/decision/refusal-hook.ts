// `onRefusal`: tells the application of refused requests. It cannot change a decision, and it is
// called after the token is removed from the URL of the request.
import type { AuthError } from '../errors.ts';
import { warn } from '../events.ts';
import { causeText } from '../plain-text.ts';
import { sharedState } from '../values/copies.ts';
import { isPromise } from '../values/promise.ts';

/** What `onRefusal` may read of a request; it is the framework's own request object. */
export interface RefusedRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
}

/** The option `onRefusal`. */
export type RefusalHook = (refusal: AuthError, request: RefusedRequest) => unknown;

// Only of requests whose authenticator has a hook, because an entry costs as much as a decision.
const hooks = sharedState('refusal hooks', () => new WeakMap<object, RefusalHook>());
const broken = sharedState('broken refusal hooks', () => new WeakSet<RefusalHook>());

/** Remembers the hook for refusals that come later, such as those of the rules of a route. */
export function rememberHook(request: object, hook: RefusalHook): void {
  hooks.set(request, hook);
}

/**
 * Tells the hook of the authenticator that decided on the request, if it has one. Never throws.
 * @param request the framework's own request object
 */
export function tellRefusal(request: object, refusal: AuthError): void {
  const hook = hooks.get(request);
  if (hook === undefined) return;
  // Later, when the adapter has removed the token from the URL.
  queueMicrotask(() => {
    try {
      const told = hook(refusal, request);
      if (isPromise(told)) Promise.resolve(told).catch((fault: unknown) => tellFault(hook, fault));
    } catch (fault) {
      tellFault(hook, fault);
    }
  });
}

/** Warns once of each hook. */
function tellFault(hook: RefusalHook, fault: unknown): void {
  if (broken.has(hook)) return;
  broken.add(hook);
  warn('LATCHKEY_UNAVAILABLE', `onRefusal failed: ${causeText(fault)}; requests are refused all the same`);
}
