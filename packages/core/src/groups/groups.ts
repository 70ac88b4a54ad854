// Finds the groups of a subject: the first source that knows the subject gives all of them. Groups
// of several sources are never merged. If a source fails, the request is answered with 503. Options
// are in options.ts.
import { LRUCache } from 'lru-cache';
import { areGroupsElsewhere, ELSEWHERE, readGroups } from '../claims/groups.ts';
import { claimAt } from '../claims/path.ts';
import { AuthError } from '../errors.ts';
import { type Breaker, createBreaker, inconclusive } from '../net/breaker.ts';
import { closeForeign, withDeadline } from '../net/deadline.ts';
import { MAX_CACHED_ANSWERS, MAX_CACHED_BYTES } from '../net/limits.ts';
import { type CallNotice, createCallNotice } from '../net/outage.ts';
import { type Clock, monotonicOf } from '../values/clock.ts';
import { foldCase } from '../values/fold.ts';
import { isTexts, type JsonObject } from '../values/json.ts';
import { weigh } from '../values/weigh.ts';
import { createGroupEndpoint } from './endpoint.ts';
import {
  type GroupEndpointSettings,
  type GroupSource,
  type GroupsSettings,
  isResolver,
  type TrustSettings,
} from './options.ts';
import type { GroupResolver, GroupSubject } from './resolver.ts';

/** The state of a source of groups. */
export interface GroupSourceReport {
  readonly source: string;
  /** `open`: the source has failed five times in a row, and is called once per second. */
  readonly state: 'closed' | 'open';
  readonly failures: number;
  /** Why the last look-up failed, without secrets. Undefined if it did not fail. */
  readonly lastError: string | undefined;
}

/** The parts of a verified token that groups depend on. */
export interface GroupsQuery {
  readonly claims: JsonObject;
  readonly issuer: string | undefined;
  readonly subject: string | undefined;
  /** The token is from a keyset or endpoint with `system: true`. */
  readonly isSystem: boolean;
}

/** The sources of groups of one authenticator. */
export interface Groups {
  /**
   * Finds all groups.
   * @returns null if the claim that decides cannot be read: no groups, and no rule on groups holds
   * @throws AuthError `groups_unavailable` if a source fails, `token_rejected` for a subject that
   *   the source does not know
   */
  of(query: GroupsQuery): Promise<readonly string[] | null>;
  report(): readonly GroupSourceReport[];
  close(): Promise<void>;
}

/** A resolver and its state. The maps are by issuer and subject. */
interface ResolverState {
  readonly resolver: GroupResolver;
  readonly breaker: Breaker;
  readonly notice: CallNotice;
  readonly cached: LRUCache<string, readonly string[]>;
  /** Running look-ups: concurrent requests of one subject share one. */
  readonly running: Map<string, Promise<readonly string[] | undefined>>;
}

/** The estimated size of an entry without its groups. */
const BYTES_PER_ENTRY = 200;
/** A longer list is an error: it would slow down each request of the subject. */
const MAX_GROUPS = 10_000;

/**
 * Makes the sources. Asks none of them. `close()` closes all resolvers, those made from options and
 * those given by the application.
 */
export function createGroups(settings: GroupsSettings, clock: Clock): Groups {
  const { order, resolvers, onUnknown, ignoreCase, cacheForMs, timeoutMs } = settings;
  const monotonic = monotonicOf(clock);
  const stopping = new AbortController();
  const states = new Map<GroupSource, ResolverState>();
  for (const [source, given] of resolvers) {
    const resolver = isResolver(given) ? given : createGroupEndpoint(given);
    const cached = new LRUCache<string, readonly string[]>({
      max: MAX_CACHED_ANSWERS,
      maxSize: MAX_CACHED_BYTES,
      sizeCalculation: (groups, subject) => BYTES_PER_ENTRY + subject.length + weigh(groups),
      ttl: Math.max(1, cacheForMs),
    });
    const name = `groups.${source}: ${isResolver(given) ? resolver.description : originOf(given)}`;
    const meanwhile = 'requests that need it are answered with 503';
    const notice = createCallNotice(name, meanwhile, stopping.signal, monotonic);
    const breaker = createBreaker(monotonic);
    states.set(source, { resolver, breaker, notice, cached, running: new Map() });
  }

  async function lookUp(source: GroupSource, subject: GroupSubject): Promise<readonly string[] | undefined> {
    const state = states.get(source);
    if (state === undefined)
      throw new AuthError('groups_unavailable', { detail: `the source ${source} does not exist` });
    // The issuer is a part of the key: two issuers may use the same sub for different subjects.
    const key = JSON.stringify([subject.issuer ?? null, subject.subject]);
    const { cached, running } = state;
    const known = cached.get(key);
    if (known !== undefined) return known;
    const pending = running.get(key) ?? ask(state, subject, key).finally(() => running.delete(key));
    running.set(key, pending);
    const groups = await pending;
    if (groups !== undefined && cacheForMs > 0) cached.set(key, groups);
    return groups;
  }

  async function ask(
    { resolver, breaker, notice }: ResolverState,
    subject: GroupSubject,
    key: string,
  ): Promise<readonly string[] | undefined> {
    try {
      const groups = await breaker.run(
        () =>
          notice.watch(async () =>
            listed(
              await withDeadline(timeoutMs, stopping.signal, (signal) => resolver.resolve(subject, signal)),
            ),
          ),
        key,
      );
      return groups && Object.freeze(fold(groups));
    } catch (cause) {
      throw new AuthError('groups_unavailable', {
        detail: `${resolver.description} failed`,
        cause,
        retryAfterSeconds: 1,
      });
    }
  }

  /** With `groupCase: 'insensitive'`, returns the groups in lower case, each once. */
  function fold(groups: readonly string[]): readonly string[] {
    return ignoreCase ? [...new Set(groups.map(foldCase))] : [...groups];
  }

  /**
   * Returns the groups in the claim of the token, as far as the issuer of the token is trusted with
   * them.
   * @returns undefined if the claim is absent or the issuer is not trusted with any; null if it is
   *   neither a list of texts nor a text; `elsewhere` if the token says that its groups are not
   *   in it
   */
  function groupsInClaim({
    claims,
    issuer,
    isSystem,
  }: GroupsQuery): readonly string[] | 'elsewhere' | null | undefined {
    const trust = trustIn(issuer, isSystem, settings);
    if (trust === 'none') return undefined;
    const value = readGroups(claimAt(claims, settings.path));
    if (areGroupsElsewhere(claims, settings.path, value === undefined)) return 'elsewhere';
    if (value === undefined || value === null) return value;
    const { only, prefix = '' } = trust === 'all' ? NO_RESTRICTION : trust;
    const allowed = only === undefined ? undefined : fold(only);
    // Folded before they are compared, and again with the prefix, which may have capital letters.
    const granted = fold(
      fold(value)
        .filter((group) => allowed === undefined || allowed.includes(group))
        .map((group) => `${prefix}${group}`),
    );
    return isSystem ? granted : granted.filter((group) => !settings.reserved.has(group));
  }

  return {
    async of(query) {
      let areInAnotherPlace = false;
      for (const source of order) {
        if (source === 'claim') {
          const groups = groupsInClaim(query);
          if (groups === 'elsewhere') areInAnotherPlace = true;
          else if (groups !== undefined) return groups;
          continue;
        }
        const { subject, issuer } = query;
        const groups = subject === undefined ? undefined : await lookUp(source, { subject, issuer });
        if (groups !== undefined) return groups;
        if (onUnknown === 'deny')
          throw new AuthError('token_rejected', { detail: `${source} does not know the subject` });
        if (onUnknown === 'none') break;
      }
      // The subject may have groups that did not fit into the token, and no other source has them.
      if (areInAnotherPlace) throw new AuthError('groups_unavailable', { detail: ELSEWHERE });
      return [];
    },
    report: () =>
      [...states.values()].map(({ resolver, breaker, notice }) => ({
        source: resolver.description,
        state: breaker.state,
        failures: breaker.failures,
        lastError: notice.lastError(),
      })),
    async close() {
      stopping.abort();
      for (const { cached } of states.values()) cached.clear();
      await Promise.all(
        [...states].map(([source, { resolver }]) =>
          closeForeign(() => resolver.close?.(), `groups.${source}`),
        ),
      );
    },
  };
}

/**
 * Checks the result of a resolver, which may be code of the application. A wrong one may concern
 * this subject only.
 */
function listed(groups: unknown): readonly string[] | undefined {
  if (groups === undefined || (isTexts(groups) && groups.length <= MAX_GROUPS)) return groups;
  throw inconclusive('expected a list of groups from the resolver');
}

/** The part of the URL that can be shown: it has no subject and no key. */
function originOf({ template }: GroupEndpointSettings): string {
  return new URL(template).origin;
}

const NO_RESTRICTION = { only: undefined, prefix: undefined } as const;

/** Which groups an issuer may name. Without the option, and for the system, all of them. */
function trustIn(issuer: string | undefined, isSystem: boolean, { trust }: GroupsSettings): TrustSettings {
  if (trust === undefined || isSystem) return 'all';
  return (issuer === undefined ? undefined : trust.get(issuer)) ?? 'none';
}
