// `dpop` of a route, which can only tighten what the options say of bound tokens.
import { ConfigError } from '../errors.ts';
import { type Judge, replaced, verdict } from '../values/judge.ts';
import { choice, type Kind } from '../values/option.ts';
import type { DpopMode } from './options.ts';

/** What a route says of tokens that are bound to a key. */
export type RouteDpop = 'required' | 'allowed';

/** `dpop` of a route. */
export const dpopOfRoute: Kind<RouteDpop> = choice('required', 'allowed');

/** Compared with a route that says nothing, `allowed` changes nothing. */
export const dpopOfRouteJudge: Judge = (before, after) => {
  const known: readonly unknown[] = [undefined, 'required', 'allowed'];
  if (!known.includes(before) || !known.includes(after))
    return replaced('the route requires bound tokens, or does not')(before, after);
  if ((before === 'required') === (after === 'required'))
    return [verdict('changes', 'the route says the same of bound tokens', after)];
  return after === 'required'
    ? [verdict('closes', 'tokens of the route must be bound to a key', after)]
    : [verdict('opens', 'tokens of the route need not be bound to a key', after)];
};

/**
 * Refuses a route that needs more than the options judge, or seems to loosen them.
 * @param modes of all authenticators that decide on the route
 * @throws ConfigError
 */
export function checkRouteDpop(dpop: RouteDpop | undefined, modes: readonly DpopMode[], path: string): void {
  if (dpop === undefined) return;
  if (modes.includes('off'))
    throw new ConfigError(path, "needs dpop in the options; add dpop: { mode: 'allowed', publicUrl } there");
  if (dpop === 'allowed' && modes.includes('required'))
    throw new ConfigError(
      path,
      'cannot loosen dpop.mode of the options, which is required; set that to allowed, and required on the other routes',
    );
}
