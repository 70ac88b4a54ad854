// What an attack is: data, with a function that forges its requests from the configuration. The
// attacks are in the folder attacks, one file for each kind.
import type { Bench } from './bench.ts';
import type { Forgery } from './forgery.ts';

/** A row of the threat model, and a name: `T-016/none`. */
export type AttackId = `T-${number}/${string}`;

/** Says why an attack does not apply to a configuration; undefined if it does. */
export type Need = (bench: Bench) => string | undefined;

/**
 * What a caller needs for an attack. `nothing`: every caller can make it. `a-token`: some token of
 * the issuer, such as one for another service, an old one, or one of another user. `the-issuer`: a
 * token that an issuer writes wrongly, by mistake or on purpose.
 */
export type AttackTakes = 'nothing' | 'a-token' | 'the-issuer';

/** An attack. */
export interface Attack {
  readonly id: AttackId;
  /** Default: that of its group, in attacks/all.ts. */
  readonly takes?: AttackTakes;
  /** What is sent. */
  readonly title: string;
  /** What is wrong with a service that lets it in, and what to do. */
  readonly advice: string;
  readonly needs?: readonly Need[];
  /**
   * The request is not for the path and the method of the route, so an answer of 200 alone does not
   * say that the handler of the route ran: see judge.ts.
   */
  readonly isElsewhere?: boolean;
  /** The requests; a text is a token. */
  forge(bench: Bench): Forged | Promise<Forged>;
}

type Forged = readonly (string | Forgery)[];

/** Signs malformed tokens with the right key. */
export const signingKey: Need = ({ issuer: { key } }) =>
  key === undefined ? 'it signs with the key of the issuer, and issuer.key is not given' : undefined;

/** RSA, with either padding. */
export const rsaKey: Need = ({ good }) =>
  /^[RP]S/.test(good.alg) ? undefined : `it is for RSA, and the tokens are signed with ${good.alg}`;

/** ECDSA. */
export const ecdsaKey: Need = ({ good }) =>
  good.alg.startsWith('ES') ? undefined : `it is for ECDSA, and the tokens are signed with ${good.alg}`;
