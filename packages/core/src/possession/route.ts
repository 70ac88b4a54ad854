// What a route says of bound tokens: `dpop`, `mutualTls` and `senderConstrained`. It can only
// tighten what the options say.
import { ConfigError } from '../errors.ts';
import { isJsonObject, type JsonValue } from '../values/json.ts';
import { type Judge, replaced, verdict } from '../values/judge.ts';
import { choice, type Kind } from '../values/option.ts';
import { dpopBinding } from './dpop.ts';
import type { ProofMode } from './mode.ts';
import { mutualTlsBinding } from './mutual-tls.ts';

/** What a route says of tokens that are bound in one way. */
export type RouteBinding = 'required' | 'allowed';

/** The ways in which a token may be bound: by each kind, and by any of them. */
export type BindingName = 'dpop' | 'mutualTls' | 'senderConstrained';

/** What a route says of each way. */
export type RouteBindings = { readonly [Name in BindingName]?: RouteBinding | undefined };

/** The modes of the options of one authenticator. */
export type BindingModes = { readonly [Name in BindingName]: ProofMode };

/** What each way needs of a token, and of the options. */
export const BINDINGS: {
  readonly [Name in BindingName]: {
    /** How a token is bound, in messages. */
    readonly text: string;
    readonly scheme: 'DPoP' | undefined;
    /** What the options of the service need. */
    readonly needs: string;
    readonly isBound: (cnf: JsonValue | undefined) => boolean;
  };
} = {
  dpop: {
    text: 'to a key',
    scheme: 'DPoP',
    needs: "dpop in the options; add dpop: { mode: 'allowed', publicUrl } there",
    isBound: hasMember(dpopBinding.member),
  },
  mutualTls: {
    text: 'to a certificate',
    scheme: undefined,
    needs: "mutualTls in the options; add mutualTls: { mode: 'allowed' } there",
    isBound: hasMember(mutualTlsBinding.member),
  },
  senderConstrained: {
    text: 'to a key or a certificate',
    scheme: undefined,
    needs: 'dpop or mutualTls in the options; add one of them there',
    // Which members it may have was judged with the token.
    isBound: (cnf) => cnf !== undefined,
  },
};

/** All ways, in the order in which they are judged. */
export const bindingNames: readonly BindingName[] = Object.keys(BINDINGS) as BindingName[];

/** The value of each way on a route. */
export const bindingOfRoute: Kind<RouteBinding> = choice('required', 'allowed');

/** Compared with a route that says nothing, `allowed` changes nothing. */
export function bindingOfRouteJudge(thing: string): Judge {
  return (before, after) => {
    const known: readonly unknown[] = [undefined, 'required', 'allowed'];
    if (!known.includes(before) || !known.includes(after))
      return replaced('the route requires bound tokens, or does not')(before, after);
    if ((before === 'required') === (after === 'required'))
      return [verdict('changes', 'the route says the same of bound tokens', after)];
    return after === 'required'
      ? [verdict('closes', `tokens of the route must be bound ${thing}`, after)]
      : [verdict('opens', `tokens of the route need not be bound ${thing}`, after)];
  };
}

/**
 * Refuses a route that needs more than the options judge, or seems to loosen them.
 * @param modes of all authenticators that decide on the route
 * @throws ConfigError
 */
export function checkRouteBindings(asked: RouteBindings, modes: readonly BindingModes[], path: string): void {
  for (const name of bindingNames) {
    const said = asked[name];
    if (said === undefined) continue;
    const its = modes.map((one) => one[name]);
    if (its.includes('off')) throw new ConfigError(`${path}.${name}`, `needs ${BINDINGS[name].needs}`);
    if (said === 'allowed' && its.includes('required'))
      throw new ConfigError(
        `${path}.${name}`,
        `cannot loosen ${name === 'senderConstrained' ? name : `${name}.mode`} of the options, which is required; set that to allowed, and required on the other routes`,
      );
  }
}

function hasMember(name: string): (cnf: JsonValue | undefined) => boolean {
  return (cnf) => cnf !== undefined && isJsonObject(cnf) && Object.hasOwn(cnf, name);
}
