// Options of groups: their types, the checked settings, and the tables that read them. Nothing is
// made here that could ask for groups.
import { splitPath } from '../claims/path.ts';
import { ConfigError } from '../errors.ts';
import { allowHttp, checkEndpointUrl, timeout } from '../net/options.ts';
import { type TlsOptions, type TlsSettings, tls } from '../net/tls.ts';
import { key, name, store } from '../secrets/options.ts';
import type { SecretReference, SecretStore } from '../secrets/store.ts';
import type { Duration } from '../values/duration.ts';
import { foldCase } from '../values/fold.ts';
import { coming, lasting, listed, ranked, replaced, replacedBy } from '../values/judge.ts';
import {
  byName,
  choice,
  defaulted,
  duration,
  fromCode,
  type Kind,
  list,
  needed,
  object,
  optional,
  patternSchema,
  type ReadBy,
  refined,
  shared,
  type TableOf,
  text,
  wordSchemas,
} from '../values/option.ts';
import type { GroupResolver } from './resolver.ts';

/** A source of groups, in the order in which they are asked. */
export type GroupSource = 'claim' | 'directory' | 'endpoint';

/** Whose groups a token may say: all, none, or those of a list; and what is put before each. */
export type GroupTrust = 'all' | 'none' | { readonly only?: readonly string[]; readonly prefix?: string };

/**
 * Where a principal's groups come from. The first source that is defined for a subject says all of
 * them; nothing is merged.
 */
export interface GroupsOptions {
  /** The claim that lists them; with `nestedClaimDelimiter` it may be a path. Default `groups`. */
  readonly claim?: string;
  /** Default `claim`, `directory`, `endpoint`, of those that are there. */
  readonly order?: readonly GroupSource[];
  /**
   * Whose claim is believed, by issuer: a claim goes before a directory, so whoever signs tokens
   * could say anything. Default: everybody's. Given, an issuer that is not named has none. The
   * claim of an issuer without trust is not looked at.
   */
  readonly trust?: { readonly [issuer: string]: GroupTrust };
  /**
   * Groups that no claim grants, but for a keyset that is `system`. Taken out of the claim; a
   * directory may grant them.
   */
  readonly reserved?: readonly string[];
  /** Such as `createLdapGroups` of `@latchkey/ldap`. */
  readonly directory?: GroupResolver;
  readonly endpoint?: GroupEndpointOptions | GroupResolver;
  /**
   * What a subject is that a source does not know: `deny`, refused; `next`, the next source is
   * asked, and if there is none it has no groups; `none`, without groups. Default `deny`.
   */
  readonly onUnknown?: 'deny' | 'next' | 'none';
  /** How long looked-up groups are used again. Default 60s. */
  readonly cacheFor?: Duration;
  /** For one look-up in one source. Default 2s. */
  readonly timeout?: Duration;
  /**
   * `insensitive`: groups are in lower case here, whatever their source; write rules so. A letter
   * and its other case are one, character for character: `ß` is not `SS`, and a sign that only
   * looks like a letter stays what it is. Default `sensitive`.
   */
  readonly groupCase?: 'sensitive' | 'insensitive';
}

/** An endpoint that knows groups. */
export interface GroupEndpointOptions {
  /**
   * Https, or http to loopback, with `{sub}` once in its path or query:
   * `https://people.internal/users/{sub}/groups`. A subject is escaped to be one segment or one
   * value, whatever it holds. A 200 with `{ "groups": ["…"] }` has all groups; a 404 does not know
   * the subject.
   */
  readonly url: string;
  /** A bearer token for the endpoint: an entry of a store. Default: none. */
  readonly token?: { readonly name: string; readonly key: string; readonly secrets: SecretStore };
  /** For a whole call. Default 2s. */
  readonly timeout?: Duration;
  /** Permits plain HTTP to other machines. Default false. */
  readonly allowHttp?: boolean;
  readonly tls?: TlsOptions;
}

/** Whose groups count, checked. */
export type TrustSettings =
  | 'all'
  | 'none'
  | { readonly only: readonly string[] | undefined; readonly prefix: string | undefined };

/** Groups, checked. */
export interface GroupsSettings {
  readonly path: readonly string[];
  readonly order: readonly GroupSource[];
  /** Those that look groups up. An endpoint is made into a resolver by `createGroups`. */
  readonly resolvers: ReadonlyMap<GroupSource, GroupResolver | GroupEndpointSettings>;
  readonly trust: ReadonlyMap<string, TrustSettings> | undefined;
  readonly reserved: ReadonlySet<string>;
  readonly onUnknown: 'deny' | 'next' | 'none';
  readonly cacheForMs: number;
  readonly timeoutMs: number;
  readonly ignoreCase: boolean;
}

/** An endpoint of groups, checked. */
export interface GroupEndpointSettings {
  /** The URL with `{sub}` in it. */
  readonly template: string;
  readonly token: { readonly reference: SecretReference; readonly store: SecretStore } | undefined;
  readonly timeoutMs: number;
  readonly tls: TlsSettings;
}

/** What is replaced by the subject in the URL of an endpoint. */
export const SUBJECT_HERE = '{sub}';

/** The options of `groups.endpoint`. */
export const endpointOptions = object({
  url: needed(
    refined(
      text,
      (template, path) => {
        if (template.split(SUBJECT_HERE).length === 2) return template;
        throw new ConfigError(path, `expected ${SUBJECT_HERE} once, where the subject stands`);
      },
      patternSchema('^[^{]*(?:\\$\\{[^}]*\\}[^{]*)*\\{sub\\}'),
    ),
    'With {sub} once, in the path or in the query. Https, or http to this machine.',
    replacedBy('groups come from elsewhere'),
  ),
  token: optional(
    object({ name, key, secrets: needed(store, 'The store of the secret.') }),
    'The secret with a bearer token for the endpoint.',
    replaced('the endpoint is asked with another token'),
  ),
  timeout: timeout('For one whole call.', 'the endpoint has another time to answer'),
  allowHttp,
  tls,
} satisfies TableOf<GroupEndpointOptions>);

const trustOptions = object(
  {
    only: optional(
      list(text),
      'The groups that count; others are dropped.',
      listed({ more: 'opens', thing: 'group that counts' }),
    ),
    prefix: optional(text, 'What is put before the name of each group.'),
  } satisfies TableOf<Exclude<GroupTrust, string>>,
  { minProperties: 1 },
);

const wholeTrust = choice('all', 'none');
const trust: Kind<TrustSettings> = {
  read(value, path) {
    if (typeof value === 'string') return wholeTrust.read(value, path);
    const read = trustOptions.read(value, path);
    if (read.only === undefined && read.prefix === undefined)
      throw new ConfigError(path, "expected only or prefix; or 'all', or 'none'");
    return read;
  },
  schema: shared('groupTrust', {
    description: 'all, none, or which groups, and what is put before each.',
    anyOf: [...wordSchemas('all', 'none'), trustOptions.schema],
  }),
};

const SOURCES = ['claim', 'directory', 'endpoint'] as const satisfies readonly GroupSource[];

/** The options of `groups`. */
export const groupsOptions = object({
  claim: defaulted(text, 'groups', 'The claim that lists groups.', replacedBy('groups are in another claim')),
  order: optional(
    list(choice(...SOURCES), { uniqueItems: true }),
    'Which source is asked first. The first that knows the subject gives all of its groups. Default: claim, directory, endpoint.',
    replaced('sources of groups are asked in another order'),
  ),
  trust: optional(
    byName(trust, 'expected an object, by issuer'),
    'Whose claim of groups counts, by issuer. An issuer that is missing here has none. Default: the claims of all count.',
  ),
  reserved: optional(
    list(text),
    'Groups that no claim can give, unless its keyset is system.',
    listed({ more: 'closes', thing: 'reserved group' }),
  ),
  directory: optional(fromCode(readResolver), 'A resolver, such as createLdapGroups of @latchkey/ldap.'),
  endpoint: optional(
    { read: readEndpoint, schema: endpointOptions.schema },
    'An endpoint that knows groups.',
    coming(
      ['opens', 'an endpoint gives groups'],
      ['closes', 'an endpoint gives no groups any more'],
      endpointOptions.judge,
    ),
  ),
  onUnknown: defaulted(
    choice('deny', 'next', 'none'),
    'deny',
    'A subject that a source does not know: deny refuses it, next asks the next source, none leaves it without groups.',
    // The next source may give groups to a subject that has none otherwise.
    ranked(['deny', 'none', 'next'], 'a subject that nobody knows'),
  ),
  cacheFor: defaulted(
    duration,
    '60s',
    'How long groups that were looked up are used again.',
    lasting('opens', 'groups count for'),
  ),
  timeout: timeout('For one look-up.', 'look-ups have another time'),
  groupCase: defaulted(
    choice('sensitive', 'insensitive'),
    'sensitive',
    'insensitive: all groups are in lower case here.',
    replaced('groups are compared otherwise'),
  ),
} satisfies TableOf<GroupsOptions>);

/** Checks group options. @throws ConfigError */
export function readGroups(value: unknown, delimiter: string | undefined): GroupsSettings | undefined {
  return value === undefined ? undefined : completeGroups(groupsOptions.read(value, 'groups'), delimiter);
}

/** Checks how options belong together that have been read one by one. @throws ConfigError */
export function completeGroups(
  read: ReadBy<typeof groupsOptions.table>,
  delimiter: string | undefined,
): GroupsSettings {
  const resolvers = new Map<GroupSource, GroupResolver | GroupEndpointSettings>();
  if (read.directory !== undefined) resolvers.set('directory', read.directory);
  if (read.endpoint !== undefined) resolvers.set('endpoint', read.endpoint);
  const ignoreCase = read.groupCase === 'insensitive';
  const reserved = read.reserved ?? [];
  return Object.freeze<GroupsSettings>({
    path: splitPath(read.claim, delimiter),
    order: orderOf(read.order, resolvers),
    resolvers,
    trust: read.trust,
    reserved: new Set(ignoreCase ? reserved.map(foldCase) : reserved),
    onUnknown: read.onUnknown,
    cacheForMs: read.cacheFor,
    timeoutMs: read.timeout,
    ignoreCase,
  });
}

function orderOf(
  order: readonly GroupSource[] | undefined,
  resolvers: GroupsSettings['resolvers'],
): readonly GroupSource[] {
  const there = SOURCES.filter((source) => source === 'claim' || resolvers.has(source));
  if (order === undefined) return there;
  if (new Set(order).size !== order.length) throw new ConfigError('groups.order', 'names a source twice');
  for (const [index, source] of order.entries()) {
    if (!there.includes(source)) throw new ConfigError(`groups.order[${index}]`, `there is no ${source}`);
  }
  // A source that is given and never asked is a mistake, and may be the one that was meant to
  // decide.
  const left = there.find((source) => source !== 'claim' && !order.includes(source));
  if (left !== undefined)
    throw new ConfigError('groups.order', `leaves ${left} out; take it away, or name it`);
  return order;
}

/** Checks the options of an endpoint. @throws ConfigError */
export function readGroupEndpoint(value: unknown, path: string): GroupEndpointSettings {
  const { url: template, token, ...read } = endpointOptions.read(value, path);
  const at = (subject: string) => {
    const text = template.replace(SUBJECT_HERE, subject);
    if (!URL.canParse(text)) throw new ConfigError(`${path}.url`, 'expected a URL');
    return checkEndpointUrl(new URL(text), read.allowHttp, `${path}.url`);
  };
  const [one, another] = [at('a'), at('b')];
  if (
    one.origin !== another.origin ||
    `${one.pathname}${one.search}` === `${another.pathname}${another.search}`
  )
    throw new ConfigError(`${path}.url`, `${SUBJECT_HERE} stands in the path or the query, and nowhere else`);
  return Object.freeze<GroupEndpointSettings>({
    template,
    token: token && { reference: { name: token.name, key: token.key }, store: token.secrets },
    timeoutMs: read.timeout,
    tls: read.tls,
  });
}

function readEndpoint(value: unknown, path: string): GroupResolver | GroupEndpointSettings {
  return isResolver(value) ? value : readGroupEndpoint(value, path);
}

function readResolver(value: unknown, path: string): GroupResolver {
  if (!isResolver(value)) throw new ConfigError(path, 'expected a group resolver, with resolve()');
  return value;
}

/** True for a resolver, which an application may give instead of the options of an endpoint. */
export function isResolver(value: unknown): value is GroupResolver {
  return (
    typeof value === 'object' && value !== null && 'resolve' in value && typeof value.resolve === 'function'
  );
}
