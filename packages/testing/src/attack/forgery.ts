// A forged request, by its differences from a request with a good token.

/** A request of an attack. What is left out is that of a request with a good token. */
export interface Forgery {
  /** The token, where a good one would be. Default: the request has none. */
  readonly token?: string;
  readonly method?: string;
  /** The target in the first line of the request. */
  readonly target?: string;
  /** Added to the headers of the route. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  /** Send the request this many times; the last one is judged. Default 1. */
  readonly times?: number;
  /** What tells it from the other requests of the attack, without any part of a token. */
  readonly label?: string;
}
