// The authenticator: builds the pipeline and all its parts from checked options. The decision
// itself is in pipeline.ts.

import type { ProtectionSpace } from '../challenge.ts';
import { type CompiledRules, compileRules, warnOfNames } from '../claims/compile.ts';
import type { Rules } from '../claims/rules.ts';
import type { ClaimsOf } from '../claims/types.ts';
import { type Concealment, concealQuery } from '../credentials/query.ts';
import type { RequestView } from '../credentials/request.ts';
import { AuthError, asError, ConfigError, inSpace } from '../errors.ts';
import { warn } from '../events.ts';
import { createGroups, type GroupSourceReport } from '../groups/groups.ts';
import { acceptedOf } from '../keysets/accepted.ts';
import { createKeysets, type KeysetTaker } from '../keysets/create.ts';
import type { Keyset, KeysetReport } from '../keysets/keyset.ts';
import type { KeysetForReport } from '../keysets/keyset-for.ts';
import { bindingModes, possessionOf, warnOfPossession } from '../possession/create.ts';
import { createRemoteEndpoint, type RemoteReport } from '../remote/endpoint.ts';
import type { ProtectedResource } from '../resource/metadata.ts';
import { type RevocationTaker, revocationsOf, revokeIn, warnOfRevocation } from '../revocation/create.ts';
import type { RevocationList, RevocationReport } from '../revocation/list.ts';
import type { Revocation } from '../revocation/revocation.ts';
import { type Marked, ofThisCopy } from '../values/copies.ts';
import { isPromise } from '../values/promise.ts';
import { argument, readChoice, readObject } from '../values/readers.ts';
import {
  type AuthenticationMode,
  type CompiledAccess,
  compileAccess,
  isCompiledAccess,
  NOTHING_ASKED,
  type RouteAccess,
} from './access.ts';
import type { Decision } from './decision.ts';
import { type Explanation, explain } from './explain.ts';
import { noteParts } from './notice-parts.ts';
import type { AuthenticatorOptions } from './options.ts';
import { noteOutcome, watchRequest } from './outcome.ts';
import { createPipeline } from './pipeline.ts';
import type { Principal, RoutesInForce } from './principal.ts';
import type { RefusalHook } from './refusal-hook.ts';
import { noteNames } from './route-names.ts';
import { type AuthenticatorSettings, readOptions } from './settings.ts';
import { warnOfEnforce } from './warn-enforce.ts';

/** Decides on requests. Made once, when a service starts, and used for every request. */
export interface Authenticator extends Marked {
  readonly kind: 'authenticator';
  /** The `mode` of the options. */
  readonly mode: AuthenticationMode;
  /** `tokenFrom` names a form field: a framework has to read the body before it authenticates. */
  readonly readsBody: boolean;
  /** The protected resources of the options, whose metadata `publishResource` serves. */
  readonly resources?: readonly ProtectedResource[] | undefined;
  /** The `onRefusal` of the options, which adapters call. */
  readonly onRefusal?: RefusalHook | undefined;
  /**
   * Finds the token of a request, verifies it, and checks what the route requires.
   * @param access what the route requires; without `claims`, there are no rules of a route. It may
   *   be omitted, but not undefined, which would drop the rules of a route: a wrapper passes it on
   *   only if it has one
   * @returns the principal; undefined for an anonymous request, which `mode: 'strict'` refuses
   * @throws AuthError with every code; `scope_insufficient`, `claims_insufficient` and
   *   `authentication_insufficient` only for what `access` requires
   */
  authenticate(
    request: RequestView,
    ...access: readonly [access?: RouteAccess | CompiledAccess]
  ): Promise<Principal | undefined>;
  /**
   * The same for adapters: a refusal is a value, and the decision is synchronous if nothing has to
   * be fetched. Never throws. Rejects with an Error, and only for faults that are not refusals.
   */
  decide(
    request: RequestView,
    ...access: readonly [access?: RouteAccess | CompiledAccess]
  ): Decision | Promise<Decision>;
  /**
   * Verifies a token that did not come as the token of a request, and authorizes it. A token that
   * is bound to a key or a certificate is refused, because only a request has the proof, and so is
   * every token where the options require bound ones.
   * @throws AuthError with every `token_` code, `keyset_unavailable`, and those of `authorize`
   */
  verify<const R extends Rules = Record<never, never>>(
    token: string,
    ...rules: readonly [rules?: R | CompiledRules<R>]
  ): Promise<Principal<ClaimsOf<R>>>;
  /**
   * Tells an adapter how to remove a token in the query from the URL that handlers and loggers see.
   * Call it after `decide`, whatever the decision is.
   * @returns undefined for a request without a token in the query
   */
  conceal(request: RequestView): Concealment | undefined;
  /**
   * Explains the decision on a token or a request: every check and its outcome, on a route with
   * these rules, with this access, or with none. The decision is made as for any request: keys may
   * be fetched, and endpoints called. For operators: never write the result into a response.
   *
   * A plain object is rules, by claim name. Access with `issuers`, `audience`, `resource`,
   * `actors`, `acr` or `maxAge` goes through `compileAccess`, because these could be names of
   * claims, too. Its `mode` is for requests; a token alone is judged in strict mode.
   * @throws ConfigError for rules or access that cannot be used
   * @example
   * ```ts
   * await authenticator.explain(token, { roles: ['admin'] });
   * await authenticator.explain(token, compileAccess({ audience: 'orders', maxAge: '5m' }));
   * ```
   */
  explain(
    subject: string | RequestView,
    ...asked: readonly [asked?: Rules | CompiledRules | CompiledAccess]
  ): Promise<Explanation>;
  /**
   * Ends tokens before they expire: one token, or those of a session, a subject, a client or an
   * issuer. This process refuses them at once, also if it rejects; other processes do when the file
   * or the feed has told them. The answer to such a token is 401 `token_revoked`.
   * @throws ConfigError for a wrong revocation, and without `revocation` in the options. Error if
   *   the file or the feed does not take it, or the list is full: call it again
   * @example
   * ```ts
   * await authenticator.revoke({ issuer: 'https://login.example.com', sub: 'alice' });
   * ```
   */
  revoke(revocation: Revocation): Promise<void>;
  /**
   * Resolves when every keyset without `skipValidation` has keys. Rejects after one attempt with an
   * Error whose message is for the person who starts the service: `keySets[0]: no keys from
   * https://…: connect ECONNREFUSED … (tried once; trying again in 1 s)`. Its `code` is
   * `keyset_unavailable`. Waits for the list of revocations too, for `revocation.maxStale` at most;
   * its error has the `code` `revocation_unavailable`.
   */
  ready(): Promise<void>;
  /**
   * Loads the keys in the background, unless `loadAtStart` is false. Adapters call it when the
   * service starts. A source that fails emits a process warning and is tried again; this does not
   * keep the process alive.
   * @param waitMs how long to wait for the keys, in milliseconds. Default 0
   * @returns a promise that never rejects
   */
  start(...wait: readonly [waitMs?: number]): Promise<void>;
  /** The state of each keyset, the remote endpoint and the sources of groups. */
  report(): AuthenticatorReport;
  /**
   * Stops all background work and closes all connections. Rejects if a resolver of groups or a feed
   * of revocations does not close within a second; all others are closed all the same.
   */
  close(): Promise<void>;
}

/** The state of an authenticator. Contains no key and no token. */
export interface AuthenticatorReport {
  /**
   * True if tokens can be judged: each keyset has keys, or reads them when needed, and the list of
   * revocations is current. A keyset with `skipValidation` does not count, and neither does the
   * remote endpoint. `healthCheck` of an adapter answers with it.
   */
  readonly isReady: boolean;
  readonly keysets: readonly KeysetReport[];
  readonly remote: RemoteReport | undefined;
  readonly groups: readonly GroupSourceReport[];
  /** The keysets that `keysetFor` has found. Absent without that option. */
  readonly keysetFor?: KeysetForReport;
  /** The list of revocations. Absent without `revocation` and `revocationFeed`. */
  readonly revocation?: RevocationReport;
}

/** What a framework cannot do. */
export interface AuthenticatorLimits {
  /** `never`: the body is read after authentication, so a token cannot be in it. */
  readonly bodies?: 'never';
}

/**
 * Checks options and makes an authenticator. Fetches nothing before `ready()`, `start()` or the
 * first token.
 * @throws ConfigError
 */
export function createAuthenticator(
  options: AuthenticatorOptions,
  limits?: AuthenticatorLimits,
): Authenticator {
  return authenticatorOf(readOptions(options), limits);
}

/** How to make an authenticator that replaces or accompanies another one of the application. */
export interface AuthenticatorMaking {
  /** Provides keysets that exist already. Default: all keysets are made. */
  readonly take?: KeysetTaker;
  /** Provides a list of revocations that exists already. Default: it is made. */
  readonly takeRevocations?: RevocationTaker;
  /** Does not repeat the warnings about the same options. */
  readonly quiet?: boolean;
  /** What is in force now, where options can change: see `PrincipalContext`. */
  readonly now?: () => RoutesInForce;
  /** Aborted when no new request is decided by it: no token is kept from then on. */
  readonly resting?: AbortSignal;
}

/** Makes an authenticator from checked options. @throws ConfigError for a secret without a store */
export function authenticatorOf(
  settings: AuthenticatorSettings,
  limits: AuthenticatorLimits = {},
  making: AuthenticatorMaking = {},
): Authenticator {
  const bodies = readChoice(readObject(limits, ['bodies'], 'limits').bodies, ['never'], 'limits.bodies');
  if (bodies === 'never' && settings.tokens.readsBody)
    throw new ConfigError(
      'tokenFrom',
      'expected no body: this framework reads the body after authentication',
    );
  const { keysets, index, system, settingsOf, found } = createKeysets(settings, making);
  const store = settings.stores.secret;
  const remote =
    settings.remote === undefined
      ? undefined
      : createRemoteEndpoint({ ...settings.remote, ...settings, store });
  const groups = settings.groups === undefined ? undefined : createGroups(settings.groups, settings.clock);
  if (settings.remote?.onReject === 'next' && making.quiet !== true)
    warn('LATCHKEY_UNSAFE', 'remote.onReject: a token that the endpoint refuses may still pass by its key');
  if (settings.remote?.ignoresToken === true && making.quiet !== true)
    warn('LATCHKEY_UNSAFE', 'remote.unsafeIgnoreTokenClaims: tokens of other APIs may be accepted');
  if (settings.remote?.acceptsMissingAudience === true && making.quiet !== true)
    warn('LATCHKEY_UNSAFE', 'remote.unsafeMissingAudience: tokens without an audience are accepted');
  if (settings.possession !== undefined && making.quiet !== true) warnOfPossession(settings.possession);
  if (making.quiet !== true)
    for (const rules of new Set(
      [settings.policy, ...settings.policies.values(), ...settings.routes.values()].flatMap(
        ({ claims }) => claims,
      ),
    ))
      warnOfNames(rules, settings.delimiter);
  const { now } = making;
  const revocations = revocationsOf(settings, making.takeRevocations);
  if (revocations !== undefined && making.quiet !== true) warnOfRevocation(settings);
  if (making.quiet !== true) warnOfEnforce(settings);
  const policies = new Map(
    [...settingsOf].flatMap(([keyset, one]) => {
      const policy = settings.policies.get(one);
      return policy === undefined ? [] : [[keyset, policy] as const];
    }),
  );
  const policyOfFound =
    found &&
    ((keyset: Keyset) => {
      const one = found.settingsOf(keyset);
      return one && settings.keysetFor?.policyOf(one);
    });
  const pipeline = createPipeline(settings, {
    keysets,
    index,
    system,
    policies,
    policyOfFound,
    remote,
    groups,
    possession:
      settings.possession && possessionOf(settings.possession, settings.clock, settings.replayStore),
    revocations,
    now,
  });
  making.resting?.addEventListener('abort', pipeline.clear, { once: true });

  function decide(
    request: RequestView,
    ...access: readonly [access?: RouteAccess | CompiledAccess]
  ): Decision | Promise<Decision> {
    try {
      return pipeline.decide(request, compileAccess(argument(access, 'access', NOTHING_ASKED)));
    } catch (fault) {
      return Promise.reject(asError(fault));
    }
  }

  function isReady(): boolean {
    const acceptsStale = settings.revocation?.acceptsStale === true;
    if (!acceptsStale && revocations?.whyNotCurrent() !== undefined) return false;
    return keysets.every((keyset) => {
      const { state } = keyset.report();
      return settingsOf.get(keyset)?.skipValidation === true || (state !== 'empty' && state !== 'loading');
    });
  }

  let reading: Promise<void> | undefined;

  /** One wait for the list, shared by all calls meanwhile. */
  function readList(list: RevocationList): Promise<void> {
    reading ??= atMost(LIST_WAIT_MS, Promise.allSettled([list.ready()])).finally(() => {
      reading = undefined;
    });
    return reading;
  }

  const waited = [...keysets, ...(revocations === undefined ? [] : [revocations])];
  const authenticator = Object.freeze<Authenticator>({
    ...ofThisCopy,
    kind: 'authenticator',
    mode: settings.mode,
    readsBody: settings.tokens.readsBody,
    resources: settings.published,
    onRefusal: settings.onRefusal,
    decide,
    authenticate: (request, ...access) => authenticateBy(decide, request, ...access),
    async verify(token, ...rules) {
      const compiled = compiledOf(rules);
      if (revocations?.isUnread() === true) await readList(revocations);
      if (typeof token !== 'string') throw malformed(settings.space);
      const decision = pipeline.decideOnToken(token, compiled);
      const principal = principalOf(isPromise(decision) ? await decision : decision);
      // The claims satisfy the rules, which have just been checked.
      return principal as Principal<never>;
    },
    conceal: (request) => concealQuery(request, settings.tokens.queryNames),
    async explain(subject, ...asked) {
      // Keys are waited for, too.
      if (revocations !== undefined) await readList(revocations);
      return explain(subject, accessOf(asked), settings, pipeline);
    },
    revoke: (given) => revokeIn(revocations, given, settings),
    ready: async () => {
      await Promise.all(waited.map((part) => part.ready()));
    },
    async start(...[waitMs = 0]) {
      // Also without loadAtStart: no token is accepted before the list is there.
      revocations?.start();
      if (!settings.loadAtStart) return;
      for (const keyset of keysets) keyset.start?.();
      if (waitMs > 0) await atMost(waitMs, Promise.allSettled(waited.map((part) => part.ready())));
    },
    report: () => ({
      isReady: isReady(),
      keysets: keysets.map((keyset) => reportOf(keyset)),
      remote: remote?.report(),
      groups: groups?.report() ?? [],
      ...(found === undefined ? {} : { keysetFor: found.report() }),
      ...(revocations === undefined ? {} : { revocation: revocations.report() }),
    }),
    close: async () => {
      pipeline.clear();
      await Promise.all([...keysets, found, remote, groups, revocations].map((part) => part?.close()));
    },
  });
  const revoke = revocations && ((given: Revocation) => revokeIn(revocations, given, settings));
  const parts = [Object.freeze({ settings, keysets, index, policies, revoke })];
  noteParts(authenticator, () => parts);
  noteNames(authenticator, () => ({
    routes: [...settings.routes.keys()],
    resources: [...settings.resources.keys()],
    bindings: [bindingModes(settings.possession)],
  }));
  return authenticator;
}

function reportOf(keyset: Keyset): KeysetReport {
  const accepted = acceptedOf(keyset);
  return accepted.length === 0 ? keyset.report() : { ...keyset.report(), accepted };
}

/** How long `verify` and `explain` wait for the first list of revocations. */
const LIST_WAIT_MS = 5_000;

/** Waits for work that does not reject, but not longer than this. */
async function atMost(limitMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work, end]);
  clearTimeout(timer);
}

/** Returns the principal of a decision. @throws AuthError the refusal */
export function principalOf<T>(decision: Decision<T>): T {
  // Compared with true, so that another value from a wrong authenticator does not count as a
  // decision.
  if (decision.ok === true) return decision.principal;
  throw asError(decision.error);
}

/**
 * The `authenticate` of an authenticator, by its `decide`.
 * @throws AuthError the refusal
 */
export async function authenticateBy<T>(
  decide: (
    request: RequestView,
    ...access: readonly [access?: RouteAccess | CompiledAccess]
  ) => Decision<T> | Promise<Decision<T>>,
  request: RequestView,
  ...access: readonly [access?: RouteAccess | CompiledAccess]
): Promise<T> {
  const watched = watchRequest(request, undefined, undefined);
  const made = await decide(request, ...access);
  if (watched !== undefined) noteOutcome(watched, made);
  return principalOf(made);
}

/** Compiles the rules of a call, which may be left out. @throws ConfigError */
function compiledOf(given: readonly [rules?: Rules | CompiledRules]): CompiledRules | undefined {
  const rules = argument(given, 'claims', undefined);
  return rules === undefined ? undefined : compileRules(rules);
}

/** The access of a call, as rules or as a whole, which may be left out. @throws ConfigError */
function accessOf(given: readonly [asked?: Rules | CompiledRules | CompiledAccess]): CompiledAccess {
  const asked = argument(given, 'claims', undefined);
  if (asked === undefined) return NOTHING_ASKED;
  if (isCompiledAccess(asked)) return compileAccess(asked);
  return compileAccess({ claims: compileRules(asked) });
}

function malformed(space: ProtectionSpace | undefined): AuthError {
  return inSpace(new AuthError('token_malformed', { detail: 'not a string' }), space);
}
