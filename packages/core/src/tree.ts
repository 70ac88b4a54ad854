// Several tokens on one request: all of them, or any, as a tree. Each leaf is an authenticator with its own places and keysets.
import type { AuthenticateOverrides, Authenticator } from './authenticator.ts';
import { authorize } from './authenticator.ts';
import { type CompiledRules, compileRules } from './claims/compile.ts';
import type { RequestParameters, Rules } from './claims/rules.ts';
import type { ConcealableRequest, ResponseView } from './credentials/query.ts';
import type { RequestView } from './credentials/request.ts';
import { AuthError, isAuthError } from './errors.ts';
import type { Principal } from './principal.ts';

/** Where one of the tokens comes from, and what it has to be. */
export type TokenSource =
  | Authenticator
  | { readonly from: Authenticator; readonly claims: Rules }
  | RequestTree<unknown>;

/** A tree of tokens, to be asked like an authenticator. */
export interface RequestTree<T = unknown> {
  /**
   * Authenticates a request by the whole tree. Modes of the authenticators are not asked: each token that the tree needs has to be
   * there and good.
   * @throws AuthError
   */
  authenticate(request: RequestView, overrides?: AuthenticateOverrides): Promise<T>;
  conceal(request: ConcealableRequest, response: ResponseView): void;
}

/** What a source gives. */
type Given<S> = S extends RequestTree<infer T> ? (S extends Authenticator ? Principal : T) : Principal;

/** All of these tokens have to be there, and good. @returns the principals, by name */
export function requireAll<const S extends { readonly [name: string]: TokenSource }>(
  sources: S,
): RequestTree<{ readonly [Name in keyof S]: Given<S[Name]> }> {
  const leaves = Object.entries(sources).map(([name, source]) => [name, leafOf(source)] as const);
  return treeOf(leaves, async (request, overrides) => {
    const principals: Record<string, unknown> = {};
    // One after the other: the first that is missing or bad is the answer, whatever the others are.
    for (const [name, leaf] of leaves) principals[name] = await leaf.authenticate(request, overrides);
    return Object.freeze(principals) as { readonly [Name in keyof S]: Given<S[Name]> };
  });
}

/**
 * One of these tokens has to be there and good; the first that is, counts. A bad one beside it is not looked at any further.
 * @returns that principal, by its name
 * @throws AuthError the first refusal that is not about a missing token; 503 before all others
 */
export function requireAny<const S extends { readonly [name: string]: TokenSource }>(
  sources: S,
): RequestTree<{ readonly [Name in keyof S]?: Given<S[Name]> }> {
  const leaves = Object.entries(sources).map(([name, source]) => [name, leafOf(source)] as const);
  return treeOf(leaves, async (request, overrides) => {
    const refusals: AuthError[] = [];
    for (const [name, leaf] of leaves) {
      try {
        return Object.freeze({ [name]: await leaf.authenticate(request, overrides) }) as {
          readonly [Name in keyof S]?: Given<S[Name]>;
        };
      } catch (error) {
        if (!isAuthError(error)) throw error;
        refusals.push(error);
      }
    }
    throw (
      refusals.find(({ status }) => status === 503) ??
      refusals.find(({ code }) => code !== 'credentials_missing') ??
      refusals[0] ??
      new AuthError('credentials_missing')
    );
  });
}

function treeOf<T>(
  leaves: readonly (readonly [name: string, leaf: RequestTree])[],
  authenticate: RequestTree<T>['authenticate'],
): RequestTree<T> {
  return Object.freeze({
    authenticate,
    conceal(request: ConcealableRequest, response: ResponseView) {
      for (const [, leaf] of leaves) leaf.conceal(request, response);
    },
  });
}

function leafOf(source: TokenSource): RequestTree {
  if ('from' in source) return strict(source.from, compileRules(source.claims));
  return 'verify' in source ? strict(source, undefined) : source;
}

function strict(authenticator: Authenticator, rules: CompiledRules | undefined): RequestTree {
  return {
    async authenticate(request, overrides) {
      const principal = await authenticator.authenticate(request, { ...overrides, mode: 'strict' });
      if (rules !== undefined) authorize(principal, rules, parametersOf(request));
      return principal;
    },
    conceal: authenticator.conceal,
  };
}

function parametersOf({ method, headers, params }: RequestView): RequestParameters {
  const isObject = typeof params === 'object' && params !== null;
  return { method, headers, params: (isObject ? params : {}) as RequestParameters['params'] };
}
