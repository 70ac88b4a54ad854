// createAuthenticator(): from a request, or a token, to a principal, in the order of checks that never changes.

import { type CompiledRules, compileRules } from '../claims/compile.ts';
import type { Rules } from '../claims/rules.ts';
import type { ClaimsOf } from '../claims/types.ts';
import { type ConcealableRequest, concealQuery, type ResponseView } from '../credentials/query.ts';
import type { RequestView } from '../credentials/request.ts';
import { type DescribedAuthenticator, followDescriptor } from '../descriptor/follow.ts';
import type { DescriptorOptions } from '../descriptor/load.ts';
import { AuthError, isAuthError } from '../errors.ts';
import { isPlainObject } from '../values/readers.ts';
import { type AuthenticateOverrides, type CompiledOverrides, compileOverrides } from './access.ts';
import { authorize } from './authorize.ts';
import type { Explanation } from './explain/explain.ts';
import { type AuthenticationMode, type AuthenticatorOptions, readOptions } from './options.ts';
import type { Principal } from './principal.ts';
import { type AuthenticatorReport, createVerification, recalled } from './verification.ts';

/** Options brought to life. Made once, when a service starts, and used by every request. */
export interface Authenticator {
  /** What the options say. */
  readonly mode: AuthenticationMode;
  /**
   * Finds the token of a request and verifies it. Does *not* look at any route's rules: see `authorize`.
   * @returns the principal; undefined for an anonymous request, which `mode: 'strict'` never lets pass
   * @throws AuthError with every code but `scope_insufficient` and `claims_insufficient`
   */
  authenticate(
    request: RequestView,
    overrides?: AuthenticateOverrides | CompiledOverrides,
  ): Promise<Principal | undefined>;
  /**
   * Verifies a token that did not come as the bearer token of a request, and authorizes it.
   * @throws AuthError with every `token_` code, `keyset_unavailable`, and those of `authorize`
   */
  verify<const R extends Rules = Record<never, never>>(
    token: string,
    rules?: R | CompiledRules<R>,
  ): Promise<Principal<ClaimsOf<R>>>;
  /**
   * Takes a token in the query out of the URL that handlers and loggers see, and keeps the answer out of caches and referrers. For
   * adapters: call it when `authenticate` has been called, whatever comes of it.
   */
  conceal(request: ConcealableRequest, response: ResponseView, parsed?: unknown): void;
  /**
   * Every check of the decision on a token, or on a request, and what comes of it: on a route with these rules, or with those of none.
   * It is decided for this like for any request: keys may be fetched, and endpoints asked. For people who run the service: never
   * write it into a response.
   */
  explain(subject: string | RequestView, rules?: Rules | CompiledRules | undefined): Promise<Explanation>;
  /** Resolves when every keyset without `skipValidation` has keys. Rejects with the first that has none after one attempt. */
  ready(): Promise<void>;
  /** How each keyset fares, and what else is asked over the network. */
  report(): AuthenticatorReport;
  /** Stops all background work and lets go of connections. */
  close(): Promise<void>;
}

const NONE = compileOverrides();
const NO_RULES = compileRules({});

// Why a permissive authenticator let a request pass without a principal. Held as long as the request.
const refusals = new WeakMap<object, AuthError>();
let refusalsMade = false;

/**
 * Why `mode: 'permissive'` let a request with a bad token pass; undefined if it did not. For logs:
 * it grants nothing.
 * @example
 * ```ts
 * const principal = await authenticator.authenticate(request); // mode: 'permissive'
 * if (principal === undefined) console.warn(refusalOf(request)?.code);
 * ```
 */
export function refusalOf(request: object): AuthError | undefined {
  return refusals.get(request);
}

/**
 * Brings options to life: those given, or those in a file, whose changes are followed. Fetches nothing before `ready()` or the first token.
 * @throws ConfigError
 * @example
 * ```ts
 * const authenticator = createAuthenticator({
 *   keySets: [{ issuer: 'https://accounts.google.com', useOidcDiscovery: true }],
 *   audience: 'https://api.example.com',
 * });
 * const principal = await authenticator.verify(token, { roles: ['admin', 'dev'] });
 * ```
 */
export function createAuthenticator(options: DescriptorOptions): DescribedAuthenticator;
export function createAuthenticator(options: AuthenticatorOptions | DescriptorOptions): Authenticator;
export function createAuthenticator(options: AuthenticatorOptions | DescriptorOptions): Authenticator {
  return isDescribed(options) ? followDescriptor(options, create) : create(options);
}

function isDescribed(options: AuthenticatorOptions | DescriptorOptions): options is DescriptorOptions {
  return isPlainObject(options) && 'descriptor' in options;
}

function create(options: AuthenticatorOptions): Authenticator {
  const settings = readOptions(options);
  const { realm } = settings;
  const { recall, verify, ready, report, close, parts } = createVerification(settings);

  /** In the protection space of this authenticator. What is no AuthError passes on as it is. */
  function inRealm(error: unknown): unknown {
    return realm !== undefined && isAuthError(error) ? error.inRealm(realm) : error;
  }

  async function admit(token: string | undefined, mode: AuthenticationMode): Promise<Principal | undefined> {
    if (token !== undefined) return verify(token);
    if (mode === 'strict') throw new AuthError('credentials_missing');
    return undefined;
  }

  /** What becomes of a request, by its mode and by who is welcome. */
  async function decide(
    request: RequestView,
    { mode = settings.mode, welcomes }: CompiledOverrides,
    find: (mode: AuthenticationMode) => Promise<Principal | undefined>,
  ): Promise<Principal | undefined> {
    try {
      const principal = await find(mode);
      if (principal !== undefined && welcomes?.(principal.issuer) === false)
        throw new AuthError('token_issuer_untrusted');
      return principal;
    } catch (thrown) {
      const error = inRealm(thrown);
      // What cannot be decided is not for a mode to decide.
      if (mode !== 'permissive' || !isAuthError(error) || error.status === 503) throw error;
      refusalsMade = true;
      refusals.set(request, error);
      return undefined;
    }
  }

  const authenticator: Authenticator = Object.freeze<Authenticator>({
    mode: settings.mode,
    authenticate(request, overrides) {
      // Most requests carry a token that was seen before: for them nothing is awaited, and nothing made.
      if (refusalsMade) refusals.delete(request);
      let token: string | undefined;
      let asked: CompiledOverrides | undefined;
      try {
        asked = overrides === undefined ? NONE : compileOverrides(overrides);
        const seen = settings.tokens.peek(request);
        const known = seen === undefined ? undefined : recall(seen);
        if (known !== undefined && isWelcome(known, asked)) return known;
        token = settings.tokens.find(request);
        const found = token === undefined || token === seen ? undefined : recall(token);
        if (found !== undefined && isWelcome(found, asked)) return found;
      } catch (error) {
        return decide(request, asked ?? NONE, () => Promise.reject(error));
      }
      return decide(request, asked, (mode) => admit(token, mode));
    },
    async verify(token, rules) {
      const compiled = rules === undefined ? NO_RULES : compileRules(rules);
      let principal: Principal;
      try {
        if (typeof token !== 'string') throw new AuthError('token_malformed', { detail: 'not a string' });
        principal = await verify(token);
      } catch (error) {
        throw inRealm(error);
      }
      authorize(principal, compiled);
      // What the rules guarantee, they have just been seen to.
      return principal as Principal<never>;
    },
    conceal: (request, response, parsed) => {
      const { queryNames } = settings.tokens;
      if (queryNames.length > 0) concealQuery(request, response, queryNames, parsed);
    },
    async explain(subject, rules) {
      const compiled = rules === undefined ? undefined : compileRules(rules);
      const { authenticate, verify: verifyToken } = authenticator;
      // Few ever ask.
      const { explain } = await import('./explain/explain.ts');
      return explain(subject, compiled, {
        settings,
        ...parts,
        authenticate,
        verify: (token) => verifyToken(token),
      });
    },
    ready,
    report,
    close,
  });
  return authenticator;
}

function isWelcome(known: Promise<Principal>, { welcomes }: CompiledOverrides): boolean {
  return welcomes === undefined || welcomes(recalled(known)?.issuer);
}
