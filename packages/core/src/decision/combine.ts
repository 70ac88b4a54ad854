// Several tokens on one request: all of them are required, or any. Each source is an authenticator
// with its own places and keysets, or another combination.
import { type CompiledRules, compileRules } from '../claims/compile.ts';
import type { Rules } from '../claims/rules.ts';
import type { Concealment } from '../credentials/query.ts';
import type { RequestView } from '../credentials/request.ts';
import { AuthError, asError, ConfigError, fromSource, withDetail } from '../errors.ts';
import type { ProtectedResource } from '../resource/metadata.ts';
import type { Revocation } from '../revocation/revocation.ts';
import { checkCopy, type Marked, ofThisCopy } from '../values/copies.ts';
import { kindOf } from '../values/kind.ts';
import { isPromise } from '../values/promise.ts';
import { argument, isPlainObject, ownMembers, readObject } from '../values/readers.ts';
import { accessWith, type CompiledAccess, compileAccess, NOTHING_ASKED, type RouteAccess } from './access.ts';
import { type Authenticator, authenticateBy } from './authenticator.ts';
import type { Decision } from './decision.ts';
import { noteParts, partsOf } from './notice-parts.ts';
import type { Principal } from './principal.ts';
import type { RefusalHook } from './refusal-hook.ts';
import { checkRouteName, commonNames, namesOf, noteNames } from './route-names.ts';
import { noteSources, type Sources } from './sources.ts';

/** A source of one of the tokens, and the rules on its principal. */
export type TokenSource =
  | Authenticator
  | { readonly from: Authenticator; readonly claims: Rules | CompiledRules }
  | CombinedAuthenticator<unknown>;

/** Several authenticators that are used like one. */
export interface CombinedAuthenticator<T = unknown> extends Marked {
  readonly kind: 'combined';
  /** Always `strict`: each token that the combination needs must be present and valid. */
  readonly mode: 'strict';
  /** One of the sources looks for a token in the body: see `Authenticator`. */
  readonly readsBody: boolean;
  /** The protected resources of all sources. */
  readonly resources?: readonly ProtectedResource[] | undefined;
  /** The `onRefusal` of the first source that has one. Adapters call it. */
  readonly onRefusal?: RefusalHook | undefined;
  /**
   * Authenticates a request with the whole combination, independent of the modes of the
   * authenticators.
   * @param access what the route requires; its `mode` has no effect, and `claims` are refused: give
   *   them to the sources
   * @throws AuthError
   */
  authenticate(request: RequestView, ...access: readonly [access?: RouteAccess | CompiledAccess]): Promise<T>;
  /** See `Authenticator.decide`. */
  decide(
    request: RequestView,
    ...access: readonly [access?: RouteAccess | CompiledAccess]
  ): Decision<T> | Promise<Decision<T>>;
  /** See `Authenticator.conceal`. */
  conceal(request: RequestView): Concealment | undefined;
  /**
   * See `Authenticator.revoke`: revokes with all sources, each of which needs `revocation` in its
   * options. Rejects if one of them rejects; the others have revoked all the same.
   */
  revoke?(revocation: Revocation): Promise<void>;
  /** See `Authenticator.start`: starts all sources. */
  start?(...wait: readonly [waitMs?: number]): Promise<void>;
}

/** The result of a source. */
type Given<S> = S extends CombinedAuthenticator<infer T> ? T : Principal;

/**
 * Requires all of these tokens.
 * @returns the principals, by name
 * @throws ConfigError if there are no sources
 * @example
 * ```ts
 * const both = requireAll({ user: users, device: devices });
 * const { user, device } = await both.authenticate(request);
 * ```
 */
export function requireAll<const S extends { readonly [name: string]: TokenSource }>(
  sources: S,
): CombinedAuthenticator<{ readonly [Name in keyof S]: Given<S[Name]> }> {
  return combine(sources, 'all', (decisions) => {
    const principals: [name: string, principal: unknown][] = [];
    for (const { name, decision } of decisions) {
      // The first missing or invalid token decides the answer, whatever the other tokens are.
      if (decision.ok !== true) return { ok: false, error: fromSource(decision.error, name) };
      principals.push([name, decision.principal]);
    }
    const all = Object.freeze(Object.fromEntries(principals));
    return { ok: true, principal: all as { readonly [Name in keyof S]: Given<S[Name]> } };
  });
}

/**
 * Requires one of these tokens. The first valid one counts; invalid ones next to it are ignored.
 * @returns that principal, by its name
 * @throws AuthError if none is valid: a 503 before all others, then the first refusal that is not
 *   about a missing token
 * @throws ConfigError if there are no sources
 * @example
 * ```ts
 * const either = requireAny({ user: users, service: services });
 * const { user, service } = await either.authenticate(request);
 * ```
 */
export function requireAny<const S extends { readonly [name: string]: TokenSource }>(
  sources: S,
): CombinedAuthenticator<{ readonly [Name in keyof S]?: Given<S[Name]> }> {
  return combine(sources, 'any', (decisions) => {
    const refusals: AuthError[] = [];
    for (const { name, decision } of decisions) {
      if (decision.ok !== true) refusals.push(fromSource(decision.error, name));
      else {
        const one = Object.freeze({ [name]: decision.principal });
        return { ok: true, principal: one as { readonly [Name in keyof S]?: Given<S[Name]> } };
      }
    }
    const error =
      refusals.find(({ status }) => status === 503) ??
      refusals.find(({ code }) => code !== 'credentials_missing');
    if (error !== undefined) return { ok: false, error };
    const detail = refusals.map((refusal) => refusal.detail).join('; ');
    // The challenge is that of the first source: it says where a client gets a token.
    const [first = new AuthError('credentials_missing')] = refusals;
    return { ok: false, error: withDetail(first, detail) };
  });
}

interface NamedDecision {
  readonly name: string;
  readonly decision: Decision<unknown>;
}

function combine<T>(
  sources: { readonly [name: string]: TokenSource },
  needs: Sources['needs'],
  join: (decisions: readonly NamedDecision[]) => Decision<T>,
): CombinedAuthenticator<T> {
  if (!isPlainObject(sources))
    throw new ConfigError(
      'sources',
      `expected authenticators by name, such as { user, device }, got ${kindOf(sources)}`,
    );
  const parts = Object.entries(ownMembers(sources)).map(([name, source]) => ({
    name,
    ...partOf(source, `sources.${name}`),
  }));
  if (parts.length === 0)
    throw new ConfigError('sources', 'expected at least one source, got an empty object');

  function decide(
    request: RequestView,
    ...access: readonly [access?: RouteAccess | CompiledAccess]
  ): Decision<T> | Promise<Decision<T>> {
    let compiled: CompiledAccess;
    try {
      compiled = compileAccess(argument(access, 'access', NOTHING_ASKED));
      checkCombinedAccess(compiled);
    } catch (fault) {
      return Promise.reject(asError(fault));
    }
    // All decide before the adapter removes a token from the URL, because each has to find its own.
    const asked = parts.map(({ name, authenticator, claims }) => ({
      name,
      decision: ask(authenticator, request, accessWith(compiled, { mode: 'strict', claims })),
    }));
    return asked.every(isDecided) ? join(asked) : joinLater(asked, join);
  }

  const combined = Object.freeze<CombinedAuthenticator<T>>({
    ...ofThisCopy,
    kind: 'combined',
    mode: 'strict',
    readsBody: parts.some(({ authenticator }) => authenticator.readsBody),
    get resources() {
      return parts.flatMap(({ authenticator }) => authenticator.resources ?? []);
    },
    onRefusal: parts.find(({ authenticator }) => authenticator.onRefusal)?.authenticator.onRefusal,
    decide,
    authenticate: (request, ...access) => authenticateBy(decide, request, ...access),
    async revoke(revocation) {
      const outcomes = await Promise.allSettled(
        parts.map(async ({ name, authenticator }) => {
          if (authenticator.revoke === undefined)
            throw new ConfigError(`sources.${name}`, 'expected an authenticator with revoke');
          await authenticator.revoke(revocation);
        }),
      );
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    },
    async start(...wait) {
      await Promise.all(parts.map(({ authenticator }) => authenticator.start?.(...wait)));
    },
    conceal: (request) =>
      concealAll(
        parts.map(({ authenticator }) => authenticator),
        request,
      ),
  });
  const names = () => parts.flatMap(({ authenticator }) => namesOf(authenticator) ?? []);
  // An authenticator that an application has written may know any name.
  if (names().length > 0) noteNames(combined, () => commonNames(names()));
  noteSources(combined, { needs, parts });
  noteParts(combined, () => parts.flatMap(({ authenticator }) => partsOf(authenticator) ?? []));
  return combined;
}

/** Joins what several authenticators remove from a URL. */
export function concealAll(
  authenticators: readonly Pick<Authenticator, 'conceal'>[],
  request: RequestView,
): Concealment | undefined {
  const found = authenticators.flatMap(({ conceal }) => conceal(request) ?? []);
  const [first] = found;
  return (
    first && {
      headers: first.headers,
      names: found.flatMap(({ names }) => names),
      strip: (url) => found.reduce((stripped, { strip }) => strip(stripped), url),
    }
  );
}

/**
 * Refuses rules on a combination: it has several principals, so its sources have the rules. @throws
 * ConfigError
 */
export function checkCombinedAccess({ claims }: CompiledAccess, path = 'access'): void {
  if (claims !== undefined)
    throw new ConfigError(`${path}.claims`, 'pass the rules to the sources: { from: authenticator, claims }');
}

function partOf(
  source: unknown,
  path: string,
): {
  readonly authenticator: Authenticator | CombinedAuthenticator;
  readonly claims: CompiledRules | undefined;
} {
  if (isAuthenticator(source)) {
    checkCopy(source, path);
    return { authenticator: source, claims: undefined };
  }
  const { from, claims } = readObject(source, ['from', 'claims'], path, {
    like: 'an authenticator, or { from: authenticator, claims }',
  });
  if (!isAuthenticator(from))
    throw new ConfigError(
      `${path}.from`,
      `expected an authenticator, got ${kindOf(from)}; make one with createAuthenticator`,
    );
  checkCopy(from, `${path}.from`);
  const compiled = compileRules(claims as Rules, `${path}.claims`);
  checkRouteName(from, compiled, `${path}.claims`);
  return { authenticator: from, claims: compiled };
}

/**
 * True for an authenticator or a combination. Does not use `kind`, because options may have a
 * member of that name by mistake.
 */
export function isAuthenticator(value: unknown): value is Authenticator | CombinedAuthenticator {
  if (typeof value !== 'object' || value === null) return false;
  const isThere = isPlainObject(value) ? Object.hasOwn(value, 'decide') : 'decide' in value;
  return isThere && typeof Reflect.get(value, 'decide') === 'function';
}

/**
 * A source that throws breaks its contract. The rejections of the others are handled all the same.
 */
function ask(
  authenticator: Authenticator | CombinedAuthenticator,
  request: RequestView,
  access: CompiledAccess,
): Asked['decision'] {
  try {
    return authenticator.decide(request, access);
  } catch (fault) {
    return Promise.reject(asError(fault));
  }
}

interface Asked {
  readonly name: string;
  readonly decision: Decision<unknown> | Promise<Decision<unknown>>;
}

function isDecided(asked: Asked): asked is NamedDecision {
  return !isPromise(asked.decision);
}

/**
 * Waits for all, and joins in the order of the sources. The order also decides about a fault: an
 * earlier source may have refused the request.
 */
async function joinLater<T>(
  asked: readonly Asked[],
  join: (decisions: readonly NamedDecision[]) => Decision<T>,
): Promise<Decision<T>> {
  const settled = await Promise.allSettled(asked.map(({ decision }) => decision));
  return join(
    asked.map(({ name }, index) => ({
      name,
      get decision() {
        const outcome = settled[index];
        if (outcome?.status !== 'fulfilled') throw outcome?.reason;
        return outcome.value;
      },
    })),
  );
}
