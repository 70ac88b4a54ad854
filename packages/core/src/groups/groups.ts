// Which groups a subject is in: the first source that is defined says all of them. Nothing is
// merged, and a source that cannot say is a 503.
import { LRUCache } from 'lru-cache';
import { claimAt } from '../claims/path.ts';
import { AuthError } from '../errors.ts';
import { type Breaker, createBreaker } from '../net/breaker.ts';
import { withDeadline } from '../net/deadline.ts';
import { MAX_CACHED_ANSWERS, MAX_CACHED_BYTES } from '../net/limits.ts';
import { foldCase } from '../values/fold.ts';
import type { JsonObject } from '../values/json.ts';
import { weigh } from '../values/weigh.ts';
import { createGroupEndpoint } from './endpoint.ts';
import { type GroupSource, type GroupsSettings, isResolver, type TrustSettings } from './options.ts';
import type { GroupResolver, GroupSubject } from './resolver.ts';

/** How a source of groups fares. */
export interface GroupSourceReport {
  readonly source: string;
  /** `open`: it has failed five times in a row, and is asked once a second. */
  readonly state: 'closed' | 'open';
  readonly failures: number;
}

/** A verified token, as far as groups go. */
export interface GroupsQuery {
  readonly claims: JsonObject;
  readonly issuer: string | undefined;
  readonly subject: string | undefined;
  /** It is from a keyset that may say everything. */
  readonly isSystem: boolean;
}

/** The sources of groups of one authenticator. */
export interface Groups {
  /**
   * Finds all groups.
   * @throws AuthError `groups_unavailable` if a source cannot say, `token_rejected` for a subject
   *   that it does not know, `token_claims_invalid` if the claim is no list of strings
   */
  of(query: GroupsQuery): Promise<readonly string[]>;
  report(): readonly GroupSourceReport[];
  close(): Promise<void>;
}

interface Place {
  readonly resolver: GroupResolver;
  readonly breaker: Breaker;
  readonly known: LRUCache<string, readonly string[]>;
  readonly asking: Map<string, Promise<readonly string[] | undefined>>;
}

/** What an entry takes whatever it holds. */
const BYTES_PER_ENTRY = 200;
/** More is not a list of groups, and every request would pay for it. */
const MAX_GROUPS = 10_000;

/**
 * Makes the sources. Resolvers that were made from options here are closed with them, and those
 * given by the application too.
 */
export function createGroups(settings: GroupsSettings): Groups {
  const { order, resolvers, onUnknown, ignoreCase, cacheForMs, timeoutMs } = settings;
  const stopping = new AbortController();
  const places = new Map<GroupSource, Place>();
  for (const [source, given] of resolvers) {
    const resolver = isResolver(given) ? given : createGroupEndpoint(given);
    const known = new LRUCache<string, readonly string[]>({
      max: MAX_CACHED_ANSWERS,
      maxSize: MAX_CACHED_BYTES,
      sizeCalculation: (groups, subject) => BYTES_PER_ENTRY + subject.length + weigh(groups),
      ttl: Math.max(1, cacheForMs),
    });
    places.set(source, { resolver, breaker: createBreaker(), known, asking: new Map() });
  }

  async function lookUp(source: GroupSource, subject: GroupSubject): Promise<readonly string[] | undefined> {
    const place = places.get(source);
    if (place === undefined) throw new AuthError('groups_unavailable', { detail: `there is no ${source}` });
    // Two issuers may have the same sub: they are not the same subject.
    const key = JSON.stringify([subject.issuer ?? null, subject.subject]);
    const known = place.known.get(key);
    if (known !== undefined) return known;
    const pending = place.asking.get(key) ?? ask(place, subject, key).finally(() => place.asking.delete(key));
    place.asking.set(key, pending);
    const groups = await pending;
    if (groups !== undefined && cacheForMs > 0) place.known.set(key, groups);
    return groups;
  }

  async function ask(
    { resolver, breaker }: Place,
    subject: GroupSubject,
    key: string,
  ): Promise<readonly string[] | undefined> {
    try {
      const groups: unknown = await breaker.run(
        () => withDeadline(timeoutMs, stopping.signal, (signal) => resolver.resolve(subject, signal)),
        key,
      );
      if (groups === undefined) return undefined;
      // A resolver is somebody else's code.
      if (!isListOfStrings(groups) || groups.length > MAX_GROUPS) throw new Error('gave no list of groups');
      return Object.freeze(fold(groups));
    } catch (cause) {
      throw new AuthError('groups_unavailable', {
        detail: `${resolver.description} cannot say`,
        cause,
        retryAfterSeconds: 1,
      });
    }
  }

  function fold(groups: readonly string[]): readonly string[] {
    return ignoreCase ? [...new Set(groups.map(foldCase))] : [...groups];
  }

  /** @returns undefined where the token says nothing of groups that would be believed */
  function claimed({ claims, issuer, isSystem }: GroupsQuery): readonly string[] | 'elsewhere' | undefined {
    const trust = trustIn(issuer, isSystem, settings);
    if (trust === 'none') return undefined;
    const value = claimAt(claims, settings.path) ?? undefined;
    if (areElsewhere(claims, settings.path, value === undefined)) return 'elsewhere';
    if (value === undefined) return undefined;
    if (!isListOfStrings(value))
      throw new AuthError('token_claims_invalid', { detail: 'the groups are no list of strings' });
    const { only: named, prefix = '' } = trust === 'all' ? AS_IT_IS : trust;
    const only = named === undefined ? undefined : fold(named);
    const granted = fold(
      fold(value)
        .filter((group) => only === undefined || only.includes(group))
        .map((group) => `${prefix}${group}`),
    );
    return isSystem ? granted : granted.filter((group) => !settings.reserved.has(group));
  }

  return {
    async of(query) {
      let elsewhere = false;
      for (const source of order) {
        if (source === 'claim') {
          const groups = claimed(query);
          if (groups === 'elsewhere') elsewhere = true;
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
      // Groups that did not fit into the token are not no groups.
      if (elsewhere) throw new AuthError('groups_unavailable', { detail: 'the groups are not in the token' });
      return [];
    },
    report: () =>
      [...places.values()].map(({ resolver, breaker }) => ({
        source: resolver.description,
        state: breaker.state,
        failures: breaker.failures,
      })),
    async close() {
      stopping.abort();
      for (const { known } of places.values()) known.clear();
      await Promise.all([...places.values()].map(({ resolver }) => resolver.close?.()));
    },
  };
}

const AS_IT_IS = { only: undefined, prefix: undefined } as const;

function trustIn(issuer: string | undefined, isSystem: boolean, { trust }: GroupsSettings): TrustSettings {
  if (trust === undefined || isSystem) return 'all';
  return (issuer === undefined ? undefined : trust.get(issuer)) ?? 'none';
}

/**
 * Where a provider has more groups than it puts into a token, it says so (OpenID Connect Core 1.0
 * §5.6.2), by the claim's own name.
 */
function areElsewhere(claims: JsonObject, path: readonly string[], isAbsent: boolean): boolean {
  const names =
    claimAt(claims, ['_claim_names', path[0] ?? '']) ?? claimAt(claims, ['_claim_names', ...path]);
  return names !== undefined || (isAbsent && claimAt(claims, ['hasgroups']) === true);
}

function isListOfStrings(value: unknown): value is readonly string[] {
  // Array.from, because every passes over holes.
  return Array.isArray(value) && Array.from(value).every((item) => typeof item === 'string');
}
