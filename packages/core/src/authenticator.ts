// createAuthenticator(): from a request, or a token, to a principal, in the order of checks that never changes.
import { type CompiledRules, compileRules, firstFailure } from './claims/compile.ts';
import { checkRegisteredClaims } from './claims/registered.ts';
import type { RequestParameters, Rules } from './claims/rules.ts';
import type { ClaimsOf } from './claims/types.ts';
import { type ConcealableRequest, concealQuery, type ResponseView } from './credentials/query.ts';
import type { RequestView } from './credentials/request.ts';
import { AuthError, isAuthError } from './errors.ts';
import { createKeysets } from './keysets/create.ts';
import type { KeySnapshot, Keyset, KeysetReport } from './keysets/keyset.ts';
import { selectKeys } from './keysets/select.ts';
import { type AuthenticationMode, type AuthenticatorOptions, normalizeType, readOptions } from './options.ts';
import { type AuthenticateOverrides, type CompiledOverrides, compileOverrides } from './overrides.ts';
import { contextOf, createPrincipal, type Principal } from './principal.ts';
import { type AlgorithmName, findAlgorithm } from './token/algorithms.ts';
import type { JsonObject } from './token/json.ts';
import { parseToken, type UnverifiedToken } from './token/parse.ts';

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
  /** Resolves when every keyset without `skipValidation` has keys. Rejects with the first that has none after one attempt. */
  ready(): Promise<void>;
  /** How each keyset fares. */
  report(): { readonly keysets: readonly KeysetReport[] };
  /** Stops all background work and lets go of connections. */
  close(): Promise<void>;
}

const NONE = compileOverrides();

// Why a permissive authenticator let a request pass without a principal. Held as long as the request.
const refusals = new WeakMap<object, AuthError>();

/** Why a request with a bad token was let pass by `mode: 'permissive'`; undefined if it was not. For logs: it grants nothing. */
export function refusalOf(request: object): AuthError | undefined {
  return refusals.get(request);
}

/**
 * Brings options to life. Fetches nothing before `ready()` or the first token.
 * @throws ConfigError
 */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const settings = readOptions(options);
  const { keysets, index } = createKeysets(settings);
  const { realm, delimiter } = settings;
  const context = Object.freeze({ realm, delimiter });

  async function verifyToken(token: string): Promise<Principal> {
    const unverified = parseToken(token, settings.maxTokenBytes);
    const { alg, typ } = unverified.header;
    if (!settings.types.has(typ === undefined ? undefined : normalizeType(typ))) {
      throw new AuthError('token_type_refused');
    }
    const algorithm = findAlgorithm(alg);
    if (algorithm === undefined) throw new AuthError('token_algorithm_refused');
    const claims = await verifySignature(
      unverified,
      algorithm.name,
      candidates(unverified.claims, algorithm.name),
    );
    checkRegisteredClaims(claims, settings.registered, settings.clock.now());
    const failed = firstFailure(settings.claims, claims, { delimiter });
    if (failed !== undefined) {
      throw new AuthError('token_claims_invalid', { detail: `the rule on ${failed.claim} does not hold` });
    }
    return createPrincipal(claims, context);
  }

  /** The keysets that may speak for this issuer. The claim is unverified: it only narrows. */
  function candidates(unverifiedClaims: JsonObject, algorithm: AlgorithmName): readonly Keyset[] {
    const issuer = Object.hasOwn(unverifiedClaims, 'iss') ? unverifiedClaims.iss : undefined;
    if (issuer !== undefined && (typeof issuer !== 'string' || issuer === '')) {
      throw new AuthError('token_issuer_untrusted', { detail: 'iss is not a string' });
    }
    const found = index.forIssuer(issuer);
    if (found.length === 0 || settings.issuers?.(issuer) === false)
      throw new AuthError('token_issuer_untrusted');
    const allowing = found.filter(({ allowed }) => allowed === undefined || allowed.has(algorithm));
    if (allowing.length === 0) throw new AuthError('token_algorithm_refused');
    return allowing;
  }

  /** Answers in the protection space of this authenticator. What is no AuthError passes on as it is. */
  async function answer<T>(decision: () => Promise<T>): Promise<T> {
    try {
      return await decision();
    } catch (error) {
      throw realm !== undefined && isAuthError(error) ? error.inRealm(realm) : error;
    }
  }

  return Object.freeze<Authenticator>({
    mode: settings.mode,
    authenticate: (request, overrides) =>
      answer(async () => {
        const { mode = settings.mode, welcomes } =
          overrides === undefined ? NONE : compileOverrides(overrides);
        refusals.delete(request);
        try {
          const token = settings.tokens.find(request);
          if (token === undefined) {
            if (mode === 'strict') throw new AuthError('credentials_missing');
            return undefined;
          }
          const principal = await verifyToken(token);
          if (welcomes !== undefined && !welcomes(principal.issuer))
            throw new AuthError('token_issuer_untrusted');
          return principal;
        } catch (error) {
          // What cannot be decided is not for a mode to decide.
          if (mode !== 'permissive' || !isAuthError(error) || error.status === 503) throw error;
          refusals.set(request, error);
          return undefined;
        }
      }),
    verify: async (token, rules) => {
      const compiled = compileRules(rules ?? {});
      const principal = await answer(async () => {
        if (typeof token !== 'string') throw new AuthError('token_malformed', { detail: 'not a string' });
        return verifyToken(token);
      });
      authorize(principal, compiled);
      // What the rules guarantee, they have just been seen to.
      return principal as Principal<never>;
    },
    conceal: (request, response, parsed) => {
      const { queryNames } = settings.tokens;
      if (queryNames.length > 0) concealQuery(request, response, queryNames, parsed);
    },
    ready: async () => {
      await Promise.all(keysets.map((keyset) => keyset.ready()));
    },
    report: () => ({ keysets: keysets.map((keyset) => keyset.report()) }),
    close: async () => {
      await Promise.all(keysets.map((keyset) => keyset.close()));
    },
  });
}

/**
 * Judges a principal by a route's rules. Verifies nothing: the principal must come from an authenticator.
 * @param principal undefined for an anonymous request
 * @param request for `fromRequest` rules
 * @throws AuthError `credentials_missing` for an anonymous request, `scope_insufficient`, `claims_insufficient`
 * @throws TypeError for anything that only looks like a principal
 */
export function authorize<const R extends Rules>(
  principal: Principal | undefined,
  rules: R | CompiledRules<R>,
  request?: RequestParameters,
): asserts principal is Principal<ClaimsOf<R>> {
  if (principal === undefined) throw new AuthError('credentials_missing');
  const context = contextOf(principal);
  if (context === undefined) throw new TypeError('authorize: not a principal that an authenticator made');
  const { realm, delimiter } = context;
  const failed = firstFailure(compileRules(rules), principal.claims as JsonObject, { delimiter, request });
  if (failed === undefined) return;
  throw new AuthError(failed.isScope ? 'scope_insufficient' : 'claims_insufficient', {
    detail: `the rule on ${failed.claim} does not hold`,
    realm,
    scope: failed.scope,
  });
}

/**
 * Finds a key that signed the token: first among the keys at hand, then, if no candidate knows the kid, after one more look at
 * the sources.
 * @returns the claims, verified from here on
 */
async function verifySignature(
  { header, claims, signingInput, signature }: UnverifiedToken,
  algorithm: AlgorithmName,
  keysets: readonly Keyset[],
): Promise<JsonObject> {
  let unavailable: unknown;
  let known = false;
  let tried = false;
  for (const look of ['keys', 'refetch'] as const) {
    for (const keyset of keysets) {
      let snapshot: KeySnapshot;
      try {
        const found = keyset[look](header);
        // Not awaited unless it has to be: most requests find their key at hand.
        snapshot = found instanceof Promise ? await found : found;
      } catch (error) {
        if (!isAuthError(error)) throw error;
        unavailable = error;
        continue;
      }
      const selected = selectKeys(snapshot, keyset.selection, algorithm, header.kid);
      known ||= selected.known;
      for (const key of selected.candidates) {
        tried = true;
        if (key.verifiers.get(algorithm)?.(signingInput, signature) === true) return claims;
      }
      if (selected.final) throw new AuthError('token_signature_invalid');
    }
    if (known) break;
  }
  // While one of the candidates cannot be asked, nobody can say that the token is bad.
  if (unavailable !== undefined) throw unavailable;
  if (tried) throw new AuthError('token_signature_invalid');
  throw new AuthError(known ? 'token_algorithm_refused' : 'token_key_unknown');
}
