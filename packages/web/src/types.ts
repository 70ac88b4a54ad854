// The type of what a guard gives, by the options and by the access of a route.
import type * as core from '@latchkey/core';

type Anybody = core.Principal | undefined;

/**
 * What an accepted request gives, by the source of a guard: for options that have no mode or a
 * strict one, a principal; for a combination, its principals by name.
 */
export type AuthOf<S> =
  S extends core.CombinedAuthenticator<infer T>
    ? T
    : S extends { readonly keySets: unknown } | { readonly remote: unknown }
      ? ByMode<S, core.Principal>
      : Anybody;

/**
 * What an accepted request gives on a route: a principal whose claims are typed by the rules; else
 * by the mode of the route; else what the guard gives.
 */
export type AuthFor<T, A> = A extends { readonly claims: infer R extends core.Rules }
  ? core.Principal<core.ClaimsOf<R>>
  : ByMode<A, T>;

type ByMode<O, Without> = 'mode' extends keyof O
  ? O extends { readonly mode: 'strict' }
    ? core.Principal
    : Anybody
  : Without;
