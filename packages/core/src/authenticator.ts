// createAuthenticator(): from a request, or a token, to a principal, in the order of checks that never changes.
import { type CompiledRules, compileRules, firstFailure } from './claims/compile.ts';
import { checkRegisteredClaims } from './claims/registered.ts';
import type { RequestParameters, Rules } from './claims/rules.ts';
import type { ClaimsOf } from './claims/types.ts';
import { type ConcealableRequest, concealQuery, type ResponseView } from './credentials/query.ts';
import type { RequestView } from './credentials/request.ts';
import { AuthError, isAuthError } from './errors.ts';
import { warn } from './events.ts';
import { createGroups, type GroupSourceReport } from './groups/groups.ts';
import { createKeysets } from './keysets/create.ts';
import type { KeysetReport } from './keysets/keyset.ts';
import { type VerifiedClaims, verifyByKeys } from './keysets/verify.ts';
import { type AuthenticationMode, type AuthenticatorOptions, readOptions, type Settings } from './options.ts';
import { type AuthenticateOverrides, type CompiledOverrides, compileOverrides } from './overrides.ts';
import { contextOf, createPrincipal, type Principal } from './principal.ts';
import { createRemoteEndpoint, type RemoteReport } from './remote/endpoint.ts';
import { validateRemotely } from './remote/validate.ts';
import type { JsonObject } from './token/json.ts';

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
  /** How each keyset fares, and what else is asked over the network. */
  report(): AuthenticatorReport;
  /** Stops all background work and lets go of connections. */
  close(): Promise<void>;
}

/** How an authenticator fares. Holds no key and no token. */
export interface AuthenticatorReport {
  readonly keysets: readonly KeysetReport[];
  readonly remote: RemoteReport | undefined;
  readonly groups: readonly GroupSourceReport[];
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
  const { keysets, index, system } = createKeysets(settings);
  const { realm, delimiter } = settings;
  const context = Object.freeze({ realm, delimiter });
  const verification = { ...settings, index };
  const remote =
    settings.remote === undefined
      ? undefined
      : createRemoteEndpoint({ ...settings.remote, ...settings, store: settings.stores.secret });
  const groups = settings.groups === undefined ? undefined : createGroups(settings.groups);
  if (settings.remote?.onReject === 'next')
    warn('LATCHKEY_UNSAFE', 'remote.onReject: a token that the endpoint refuses may still pass by its key');

  /** From a token to claims that can be believed: by the keysets, by the remote endpoint, or by the one and then the other. */
  function verifyClaims(token: string): Promise<VerifiedClaims> {
    const byKeys = (it: string) => verifyByKeys(it, verification);
    return remote === undefined || settings.remote === undefined
      ? byKeys(token)
      : validateRemotely(token, remote, { ...settings.remote, ...settings }, byKeys);
  }

  async function verifyToken(token: string): Promise<Principal> {
    const { claims, keyset } = await verifyClaims(token);
    const isSystem = keyset !== undefined && system.has(keyset);
    judgeClaims(claims, keyset === undefined, isSystem, settings);
    if (groups === undefined) return createPrincipal(claims, context);
    const { iss: issuer, sub: subject } = claims as { readonly [name in 'iss' | 'sub']?: string };
    return createPrincipal(claims, context, await groups.of({ claims, issuer, subject, isSystem }));
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
    report: () => ({
      keysets: keysets.map((keyset) => keyset.report()),
      remote: remote?.report(),
      groups: groups?.report() ?? [],
    }),
    close: async () => {
      await Promise.all([...keysets, remote, groups].map((part) => part?.close()));
    },
  });
}

/**
 * What has to hold for every token, before anybody is asked for groups.
 * @throws AuthError
 */
function judgeClaims(
  claims: JsonObject,
  isRemote: boolean,
  isSystem: boolean,
  { registered, issuers, systemSubject, claims: rules, delimiter, clock }: Settings,
): void {
  // What an endpoint answers need not have an end or an audience; what it has is judged.
  const policy = isRemote
    ? {
        ...registered,
        requireExp: false,
        audience: Object.hasOwn(claims, 'aud') ? registered.audience : null,
      }
    : registered;
  checkRegisteredClaims(claims, policy, clock.now());
  if (isRemote && Object.hasOwn(claims, 'iss')) {
    if (typeof claims.iss !== 'string' || issuers?.(claims.iss) === false)
      throw new AuthError('token_issuer_untrusted');
  }
  // Whoever is called so by another issuer is somebody else.
  if (systemSubject !== undefined && claims.sub === systemSubject && !isSystem)
    throw new AuthError('token_claims_invalid', {
      detail: 'the subject is the system, and the issuer is not',
    });
  const failed = firstFailure(rules, claims, { delimiter });
  if (failed !== undefined)
    throw new AuthError('token_claims_invalid', { detail: `the rule on ${failed.claim} does not hold` });
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
  const { realm, delimiter, judged } = context;
  const failed = firstFailure(compileRules(rules), judged, { delimiter, request });
  if (failed === undefined) return;
  throw new AuthError(failed.isScope ? 'scope_insufficient' : 'claims_insufficient', {
    detail: `the rule on ${failed.claim} does not hold`,
    realm,
    scope: failed.scope,
  });
}
