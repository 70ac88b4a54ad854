// Options of groups, and their reading: which sources there are, which is asked first, and whose word counts.

import { splitPath } from '../claims/path.ts';
import { ConfigError } from '../errors.ts';
import { readTimeout } from '../remote/options.ts';
import { type Duration, parseDuration } from '../values/duration.ts';
import { isPlainObject, readChoice, readList, readObject, readText } from '../values/readers.ts';
import { type GroupEndpointOptions, type GroupEndpointSettings, readGroupEndpoint } from './endpoint.ts';
import type { GroupResolver } from './resolver.ts';

/** A source of groups, in the order in which they are asked. */
export type GroupSource = 'claim' | 'directory' | 'endpoint';

/** Whose groups a token may say: all, none, or those of a list; and what is put before each. */
export type GroupTrust =
  | 'all'
  | 'none'
  | { readonly only?: readonly string[] | undefined; readonly prefix?: string | undefined };

/** Where a principal's groups come from. The first source that is defined for a subject says all of them; nothing is merged. */
export interface GroupsOptions {
  /** The claim that lists them; with `nestedClaimDelimiter` it may be a path. Default `groups`. */
  readonly claim?: string | undefined;
  /** Default `claim`, `directory`, `endpoint`, of those that are there. */
  readonly order?: readonly GroupSource[] | undefined;
  /**
   * Whose claim is believed, by issuer: a claim goes before a directory, so whoever signs tokens could say anything. Default: everybody's.
   * Given, an issuer that is not named has none. The claim of an issuer without trust is not looked at.
   */
  readonly trust?: { readonly [issuer: string]: GroupTrust } | undefined;
  /** Groups that no claim grants, but for a keyset that is `system`. Taken out of the claim; a directory may grant them. */
  readonly reserved?: readonly string[] | undefined;
  /** Such as `createLdapGroups` of `@latchkey/ldap`. */
  readonly directory?: GroupResolver | undefined;
  readonly endpoint?: GroupEndpointOptions | GroupResolver | undefined;
  /**
   * What a subject is that a source does not know: `deny`, refused; `next`, the next source is asked, and if there is none it has no
   * groups; `none`, without groups. Default `deny`.
   */
  readonly onUnknown?: 'deny' | 'next' | 'none' | undefined;
  /** How long looked-up groups are used again. Default 60s. */
  readonly cacheFor?: Duration | undefined;
  /** For one look-up in one source. Default 2s. */
  readonly timeout?: Duration | undefined;
  /** `insensitive`: groups are in lower case here, whatever their source; write rules so. Default `sensitive`. */
  readonly groupCase?: 'sensitive' | 'insensitive' | undefined;
}

/** Groups, checked. */
export interface GroupsSettings {
  readonly path: readonly string[];
  readonly order: readonly GroupSource[];
  /** What the application gave, or an endpoint that `createGroups` brings to life. */
  readonly resolvers: ReadonlyMap<GroupSource, GroupResolver | GroupEndpointSettings>;
  readonly trust: ReadonlyMap<string, GroupTrust> | undefined;
  readonly reserved: ReadonlySet<string>;
  readonly onUnknown: 'deny' | 'next' | 'none';
  readonly cacheForMs: number;
  readonly timeoutMs: number;
  readonly ignoreCase: boolean;
}

const SOURCES = ['claim', 'directory', 'endpoint'] as const satisfies readonly GroupSource[];
const NAMES = [
  'claim',
  'order',
  'trust',
  'reserved',
  'directory',
  'endpoint',
  'onUnknown',
  'cacheFor',
  'timeout',
  'groupCase',
] as const;

/** Checks group options. @throws ConfigError */
export function readGroups(value: unknown, delimiter: string | undefined): GroupsSettings | undefined {
  if (value === undefined) return undefined;
  const options = readObject(value, NAMES, 'groups');
  const resolvers = new Map<GroupSource, GroupResolver | GroupEndpointSettings>();
  if (options.directory !== undefined)
    resolvers.set('directory', readResolver(options.directory, 'groups.directory'));
  if (options.endpoint !== undefined) resolvers.set('endpoint', readEndpoint(options.endpoint));
  const ignoreCase =
    readChoice(options.groupCase, ['sensitive', 'insensitive'], 'groups.groupCase') === 'insensitive';
  const reserved =
    options.reserved === undefined ? [] : readList(options.reserved, readText, 'groups.reserved');
  return Object.freeze<GroupsSettings>({
    path: splitPath(
      readText(options.claim === undefined ? 'groups' : options.claim, 'groups.claim'),
      delimiter,
    ),
    order: readOrder(options.order, resolvers),
    resolvers,
    trust: options.trust === undefined ? undefined : readTrust(options.trust),
    reserved: new Set(ignoreCase ? reserved.map((group) => group.toLowerCase()) : reserved),
    onUnknown: readChoice(options.onUnknown, ['deny', 'next', 'none'], 'groups.onUnknown') ?? 'deny',
    cacheForMs: parseDuration(options.cacheFor === undefined ? '60s' : options.cacheFor, 'groups.cacheFor'),
    timeoutMs: readTimeout(options.timeout, 'groups.timeout'),
    ignoreCase,
  });
}

function readOrder(value: unknown, resolvers: ReadonlyMap<GroupSource, unknown>): readonly GroupSource[] {
  const there = SOURCES.filter((source) => source === 'claim' || resolvers.has(source));
  if (value === undefined) return there;
  const order = readList(
    value,
    (item, path) => readChoice(item, SOURCES, path) ?? missing(path),
    'groups.order',
  );
  if (new Set(order).size !== order.length) throw new ConfigError('groups.order', 'names a source twice');
  for (const [index, source] of order.entries()) {
    if (!there.includes(source)) throw new ConfigError(`groups.order[${index}]`, `there is no ${source}`);
  }
  // A source that is given and never asked is a mistake, and may be the one that was meant to decide.
  const left = there.find((source) => source !== 'claim' && !order.includes(source));
  if (left !== undefined)
    throw new ConfigError('groups.order', `leaves ${left} out; take it away, or name it`);
  return order;
}

function missing(path: string): never {
  throw new ConfigError(path, `expected ${SOURCES.join(' or ')}`);
}

function readTrust(value: unknown): ReadonlyMap<string, GroupTrust> {
  if (!isPlainObject(value)) throw new ConfigError('groups.trust', 'expected an object, by issuer');
  return new Map(
    Object.entries(value).map(([issuer, trust]) => [issuer, readTrustIn(trust, `groups.trust.${issuer}`)]),
  );
}

function readTrustIn(value: unknown, path: string): GroupTrust {
  if (typeof value === 'string') return readChoice(value, ['all', 'none'], path) ?? 'none';
  const { only, prefix } = readObject(value, ['only', 'prefix'], path);
  if (only === undefined && prefix === undefined)
    throw new ConfigError(path, "expected only or prefix; or 'all', or 'none'");
  return {
    only: only === undefined ? undefined : readList(only, readText, `${path}.only`),
    prefix: prefix === undefined ? undefined : readText(prefix, `${path}.prefix`),
  };
}

function readEndpoint(value: unknown): GroupResolver | GroupEndpointSettings {
  return isResolver(value) ? value : readGroupEndpoint(value);
}

function readResolver(value: unknown, path: string): GroupResolver {
  if (!isResolver(value)) throw new ConfigError(path, 'expected a group resolver, with resolve()');
  return value;
}

function isResolver(value: unknown): value is GroupResolver {
  return (
    typeof value === 'object' && value !== null && 'resolve' in value && typeof value.resolve === 'function'
  );
}
