// Several tokens on one request: all of them, or any, as a tree. Each leaf is an authenticator with its own places and keysets.

import { type CompiledRules, compileRules } from '../claims/compile.ts';
import type { Rules } from '../claims/rules.ts';
import type { ConcealableRequest, ResponseView } from '../credentials/query.ts';
import { parametersOf, type RequestView } from '../credentials/request.ts';
import { AuthError, asError, ConfigError, isAuthError } from '../errors.ts';
import type { AuthenticateOverrides, CompiledOverrides } from './access.ts';
import { compileOverrides } from './access.ts';
import type { Authenticator } from './authenticator.ts';
import { authorize } from './authorize.ts';
import type { Principal } from './principal.ts';

/** Where one of the tokens comes from, and what it has to be. */
export type TokenSource =
  | Authenticator
  | { readonly from: Authenticator; readonly claims: Rules | CompiledRules }
  | RequestTree<unknown>;

/** A tree of tokens, to be asked like an authenticator. */
export interface RequestTree<T = unknown> {
  /** Always: each token that the tree needs has to be there and good. */
  readonly mode: 'strict';
  /**
   * Authenticates a request by the whole tree. Neither the authenticators' modes nor an override's are asked.
   * @throws AuthError
   */
  authenticate(request: RequestView, overrides?: AuthenticateOverrides | CompiledOverrides): Promise<T>;
  /** See `Authenticator.conceal`. */
  conceal(request: ConcealableRequest, response: ResponseView, parsed?: unknown): void;
}

/** What a source gives. */
type Given<S> = S extends RequestTree<infer T> ? (S extends Authenticator ? Principal : T) : Principal;

/**
 * All of these tokens have to be there, and good.
 * @returns the principals, by name.
 * @throws ConfigError if none is named
 * @example
 * ```ts
 * const both = requireAll({ user: users, device: devices });
 * const { user, device } = await both.authenticate(request);
 * ```
 */
export function requireAll<const S extends { readonly [name: string]: TokenSource }>(
  sources: S,
): RequestTree<{ readonly [Name in keyof S]: Given<S[Name]> }> {
  return treeOf(sources, (outcomes) => {
    // The first that is missing or bad is the answer, whatever the others are.
    for (const { outcome } of outcomes) if (outcome.status === 'rejected') throw asError(outcome.reason);
    return Object.freeze(
      Object.fromEntries(
        outcomes.map(({ name, outcome }) => [
          name,
          outcome.status === 'fulfilled' ? outcome.value : undefined,
        ]),
      ),
    ) as { readonly [Name in keyof S]: Given<S[Name]> };
  });
}

/**
 * One of these tokens has to be there and good; the first that is, counts, and a bad one beside it does not.
 * @returns that principal, by its name
 * @throws AuthError if none is: 503 before all others, then the first refusal that is not about a missing token
 * @throws ConfigError if none is named
 * @example
 * ```ts
 * const either = requireAny({ user: users, service: services });
 * const { user, service } = await either.authenticate(request);
 * ```
 */
export function requireAny<const S extends { readonly [name: string]: TokenSource }>(
  sources: S,
): RequestTree<{ readonly [Name in keyof S]?: Given<S[Name]> }> {
  return treeOf(sources, (outcomes) => {
    const refusals: AuthError[] = [];
    for (const { name, outcome } of outcomes) {
      if (outcome.status === 'fulfilled') {
        return Object.freeze({ [name]: outcome.value }) as { readonly [Name in keyof S]?: Given<S[Name]> };
      }
      if (!isAuthError(outcome.reason)) throw asError(outcome.reason);
      refusals.push(outcome.reason);
    }
    throw (
      refusals.find(({ status }) => status === 503) ??
      refusals.find(({ code }) => code !== 'credentials_missing') ??
      new AuthError('credentials_missing')
    );
  });
}

interface Outcome {
  readonly name: string;
  readonly outcome: PromiseSettledResult<unknown>;
}

function treeOf<T>(
  sources: { readonly [name: string]: TokenSource },
  decide: (outcomes: readonly Outcome[]) => T,
): RequestTree<T> {
  const leaves = Object.entries(sources).map(([name, source]) => ({ name, leaf: leafOf(source) }));
  if (leaves.length === 0) throw new ConfigError('sources', 'expected at least one');
  return Object.freeze({
    mode: 'strict' as const,
    async authenticate(request: RequestView, overrides?: AuthenticateOverrides | CompiledOverrides) {
      // All at once: each finds its token before anybody takes one out of the URL.
      const settled = await Promise.allSettled(
        leaves.map(({ leaf }) => leaf.authenticate(request, overrides)),
      );
      return decide(
        leaves.flatMap(({ name }, index) => {
          const outcome = settled[index];
          return outcome === undefined ? [] : { name, outcome };
        }),
      );
    },
    conceal(request: ConcealableRequest, response: ResponseView, parsed?: unknown) {
      for (const { leaf } of leaves) leaf.conceal(request, response, parsed);
    },
  });
}

function leafOf(source: TokenSource): RequestTree {
  if ('from' in source) return strict(source.from, compileRules(source.claims));
  return 'verify' in source ? strict(source, undefined) : source;
}

function strict(authenticator: Authenticator, rules: CompiledRules | undefined): RequestTree {
  return {
    mode: 'strict',
    async authenticate(request, overrides) {
      const principal = await authenticator.authenticate(request, {
        ...compileOverrides(overrides),
        mode: 'strict',
      });
      if (rules !== undefined) authorize(principal, rules, parametersOf(request));
      return principal;
    },
    conceal: authenticator.conceal,
  };
}
