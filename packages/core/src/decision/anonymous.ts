// Anonymous requests that an authenticator let pass, so that a later refusal by the rules of a
// route has the same challenge as all others. Nothing is decided here.
import { sharedState } from '../values/copies.ts';
import type { PrincipalContext } from './principal.ts';

const contexts = sharedState('anonymous requests', () => new WeakMap<object, PrincipalContext>());

/** Notes which authenticator let a request pass. */
export function noteAnonymous(request: object, context: PrincipalContext): void {
  contexts.set(request, context);
}

/** Returns the context of the authenticator that let an anonymous request pass. */
export function anonymousContext(request: object): PrincipalContext | undefined {
  return contexts.get(request);
}
