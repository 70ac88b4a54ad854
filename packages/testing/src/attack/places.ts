// What attacks on the places of a token have in common.
import type { Need } from './attack.ts';

/** Advice. */
export const AMBIGUOUS =
  'A proxy and the service could each read another one of the tokens. Refuse a request with more than one (RFC 6750 §2).';

/** A token alone opens the route. */
export const unbound: Need = ({ config }) =>
  config.binding === undefined
    ? undefined
    : 'tokens must be bound to their sender, so a token alone opens nothing';

/** The options name such a place. */
export const hasPlace =
  (place: 'cookie' | 'query'): Need =>
  ({ config }) =>
    config.carriers.some((carrier) => place in carrier) ? undefined : `tokenFrom has no ${place}`;
