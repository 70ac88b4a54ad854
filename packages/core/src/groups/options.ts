// Options of groups: their types, the checked settings, and the tables that read them. Sources are
// made in groups.ts, not here.
import { splitPath } from '../claims/path.ts';
import { ConfigError } from '../errors.ts';
import type { ProxyChoice } from '../net/connections.ts';
import { allowHttp, checkEndpointUrl, proxy, timeout } from '../net/options.ts';
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

/** A source of groups, in the order of the look-ups. */
export type GroupSource = 'claim' | 'directory' | 'endpoint';

/** The groups that a token may claim: all, none, or those of a list; and the prefix of each. */
export type GroupTrust = 'all' | 'none' | { readonly only?: readonly string[]; readonly prefix?: string };

/**
 * Where the groups of a principal come from. The first source that knows the subject gives all of
 * them; groups of several sources are never merged.
 */
export interface GroupsOptions {
  /** The claim with the groups; with `nestedClaimDelimiter` it may be a path. Default `groups`. */
  readonly claim?: string;
  /** Default: `claim`, `directory`, `endpoint`, without the sources that are not configured. */
  readonly order?: readonly GroupSource[];
  /**
   * Trusted group claims, by issuer. The claim goes before a directory, so a signer of tokens could
   * claim any group. Default: the claims of all issuers are trusted. If given, the claim of an
   * issuer that is not listed is ignored.
   */
  readonly trust?: { readonly [issuer: string]: GroupTrust };
  /**
   * Groups that a claim cannot grant, unless its keyset is `system`. They are removed from the
   * claim; a directory may grant them.
   */
  readonly reserved?: readonly string[];
  /** For example `createLdapGroups` of `@latchkey/ldap`. */
  readonly directory?: GroupResolver;
  readonly endpoint?: GroupEndpointOptions | GroupResolver;
  /**
   * What happens to a subject that a source does not know. `deny`: it is refused. `next`: the next
   * source is called; after the last source, the subject has no groups. `none`: the subject has no
   * groups. Default `deny`.
   */
  readonly onUnknown?: 'deny' | 'next' | 'none';
  /** How long the result of a look-up is cached. Default 60s. */
  readonly cacheFor?: Duration;
  /** Limit for one look-up in one source. Default 2s. */
  readonly timeout?: Duration;
  /**
   * `insensitive`: the groups of all sources are converted to lower case; write rules in lower
   * case. Characters are converted one by one: `ß` does not become `SS`, and a character that only
   * looks like another stays as it is. Default `sensitive`.
   */
  readonly groupCase?: 'sensitive' | 'insensitive';
}

/** An HTTP endpoint that returns the groups of a subject. */
export interface GroupEndpointOptions {
  /**
   * Https, or http to loopback, with `{sub}` once in its path or query:
   * `https://people.internal/users/{sub}/groups`. Any subject is escaped to one segment or one
   * value. A 200 with `{ "groups": ["…"] }` has all groups; a 404 means that the subject is
   * unknown.
   */
  readonly url: string;
  /** A bearer token for the endpoint: an entry of a store. Default: no token. */
  readonly token?: { readonly name: string; readonly key: string; readonly secrets: SecretStore };
  /** Limit for one whole call. Default 2s. */
  readonly timeout?: Duration;
  /** Permits plain HTTP to other machines. Default false. */
  readonly allowHttp?: boolean;
  readonly tls?: TlsOptions;
  /**
   * The outbound proxy, such as `http://proxy.example.com:3128`; false for none. Default: the one
   * in `HTTPS_PROXY` or `HTTP_PROXY`, except for hosts in `NO_PROXY` and for loopback.
   */
  readonly proxy?: string | false;
}

/** The groups that an issuer may claim, checked. */
export type TrustSettings =
  | 'all'
  | 'none'
  | { readonly only: readonly string[] | undefined; readonly prefix: string | undefined };

/** The options of groups, checked. */
export interface GroupsSettings {
  readonly path: readonly string[];
  readonly order: readonly GroupSource[];
  /**
   * The sources that look groups up. `createGroups` makes a resolver from the settings of an
   * endpoint.
   */
  readonly resolvers: ReadonlyMap<GroupSource, GroupResolver | GroupEndpointSettings>;
  readonly trust: ReadonlyMap<string, TrustSettings> | undefined;
  readonly reserved: ReadonlySet<string>;
  readonly onUnknown: 'deny' | 'next' | 'none';
  readonly cacheForMs: number;
  readonly timeoutMs: number;
  readonly ignoreCase: boolean;
}

/** The options of an endpoint of groups, checked. */
export interface GroupEndpointSettings {
  /** The URL with `{sub}` in it. */
  readonly template: string;
  readonly token: { readonly reference: SecretReference; readonly store: SecretStore } | undefined;
  readonly timeoutMs: number;
  readonly tls: TlsSettings;
  readonly proxy: ProxyChoice;
}

/** Replaced by the subject in the URL of an endpoint. */
export const SUBJECT_HERE = '{sub}';

/** The options of `groups.endpoint`. */
export const endpointOptions = object({
  url: needed(
    refined(
      text,
      (template, path) => {
        if (template.split(SUBJECT_HERE).length === 2) return template;
        throw new ConfigError(path, `expected ${SUBJECT_HERE} once, in place of the subject`);
      },
      patternSchema('^[^{]*(?:\\$\\{[^}]*\\}[^{]*)*\\{sub\\}'),
    ),
    'Contains {sub} once, in the path or in the query. Https, or http to this machine.',
    replacedBy('groups come from elsewhere'),
  ),
  token: optional(
    object({ name, key, secrets: needed(store, 'The store of the secret.') }),
    'The secret with a bearer token for the endpoint.',
    replaced('the endpoint gets another token'),
  ),
  timeout: timeout('Limit for one whole call.', 'calls of the endpoint have another time limit'),
  allowHttp,
  tls,
  proxy,
} satisfies TableOf<GroupEndpointOptions>);

const trustOptions = object(
  {
    only: optional(
      list(text),
      'The trusted groups; others are dropped.',
      listed({ more: 'opens', thing: 'trusted group' }),
    ),
    prefix: optional(text, 'The prefix for each group.'),
  } satisfies TableOf<Exclude<GroupTrust, string>>,
  { minProperties: 1 },
);

const wholeTrust = choice('all', 'none');
const trust: Kind<TrustSettings> = {
  read(value, path) {
    if (typeof value === 'string') return wholeTrust.read(value, path);
    const read = trustOptions.read(value, path);
    if (read.only === undefined && read.prefix === undefined)
      throw new ConfigError(path, "expected 'all', 'none', or an object with only or prefix");
    return read;
  },
  schema: shared('groupTrust', {
    description: 'all, none, or the trusted groups and their prefix.',
    anyOf: [...wordSchemas('all', 'none'), trustOptions.schema],
  }),
};

const SOURCES = ['claim', 'directory', 'endpoint'] as const satisfies readonly GroupSource[];

/** The options of `groups`. */
export const groupsOptions = object({
  claim: defaulted(text, 'groups', 'The claim that lists groups.', replacedBy('groups are in another claim')),
  order: optional(
    list(choice(...SOURCES), { uniqueItems: true }),
    'The order of the sources. The first source that knows the subject gives all of its groups. Default: claim, directory, endpoint.',
    replaced('sources of groups have another order'),
  ),
  trust: optional(
    byName(trust, 'expected an object with issuers as keys'),
    'Trusted group claims, by issuer. The claim of an issuer that is missing here is ignored. Default: the claims of all issuers are trusted.',
  ),
  reserved: optional(
    list(text),
    'Groups that a claim cannot grant, unless its keyset is system.',
    listed({ more: 'closes', thing: 'reserved group' }),
  ),
  directory: optional(fromCode(readResolver), 'A resolver, such as createLdapGroups of @latchkey/ldap.'),
  endpoint: optional(
    { read: readEndpoint, schema: endpointOptions.schema },
    'An HTTP endpoint that returns the groups of a subject.',
    coming(
      ['opens', 'an endpoint gives groups'],
      ['closes', 'the endpoint of groups is removed'],
      endpointOptions.judge,
    ),
  ),
  onUnknown: defaulted(
    choice('deny', 'next', 'none'),
    'deny',
    'A subject that a source does not know: deny refuses it, next asks the next source, none leaves it without groups.',
    // The next source may give groups to a subject that has none otherwise.
    ranked(['deny', 'none', 'next'], 'a subject that no source knows'),
  ),
  cacheFor: defaulted(
    duration,
    '60s',
    'How long the result of a look-up is cached.',
    lasting('opens', 'groups are cached for'),
  ),
  timeout: timeout('Limit for one look-up.', 'look-ups have another time limit'),
  groupCase: defaulted(
    choice('sensitive', 'insensitive'),
    'sensitive',
    'insensitive: all groups are converted to lower case.',
    replaced('groups are compared in another way'),
  ),
} satisfies TableOf<GroupsOptions>);

/** Checks group options. @throws ConfigError */
export function readGroups(value: unknown, delimiter: string | undefined): GroupsSettings | undefined {
  return value === undefined ? undefined : completeGroups(groupsOptions.read(value, 'groups'), delimiter);
}

/** Checks that options which were read one by one fit together. @throws ConfigError */
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
  if (new Set(order).size !== order.length)
    throw new ConfigError('groups.order', 'expected each source at most once');
  for (const [index, source] of order.entries()) {
    if (!there.includes(source))
      throw new ConfigError(`groups.order[${index}]`, `expected a configured source, got ${source}`);
  }
  // A source that is configured and never called is a mistake: it may be the one that should
  // decide.
  const left = there.find((source) => source !== 'claim' && !order.includes(source));
  if (left !== undefined)
    throw new ConfigError(
      'groups.order',
      `expected all configured sources; ${left} is missing: add it, or remove its option`,
    );
  return order;
}

/** Checks the options of an endpoint. @throws ConfigError */
export function readGroupEndpoint(value: unknown, path: string): GroupEndpointSettings {
  const { url: template, token, ...read } = endpointOptions.read(value, path);
  const at = (subject: string) => {
    const text = template.replace(SUBJECT_HERE, subject);
    if (!URL.canParse(text)) throw new ConfigError(`${path}.url`, 'expected a URL');
    return checkEndpointUrl(new URL(text), read, `${path}.url`);
  };
  const [one, another] = [at('a'), at('b')];
  if (
    one.origin !== another.origin ||
    `${one.pathname}${one.search}` === `${another.pathname}${another.search}`
  )
    throw new ConfigError(`${path}.url`, `expected ${SUBJECT_HERE} in the path or the query only`);
  return Object.freeze<GroupEndpointSettings>({
    template,
    token: token && { reference: { name: token.name, key: token.key }, store: token.secrets },
    timeoutMs: read.timeout,
    tls: read.tls,
    proxy: read.proxy,
  });
}

function readEndpoint(value: unknown, path: string): GroupResolver | GroupEndpointSettings {
  return isResolver(value) ? value : readGroupEndpoint(value, path);
}

function readResolver(value: unknown, path: string): GroupResolver {
  if (!isResolver(value)) throw new ConfigError(path, 'expected a group resolver, with resolve()');
  return value;
}

/** True for a resolver, which an application may pass instead of the options of an endpoint. */
export function isResolver(value: unknown): value is GroupResolver {
  return (
    typeof value === 'object' && value !== null && 'resolve' in value && typeof value.resolve === 'function'
  );
}
