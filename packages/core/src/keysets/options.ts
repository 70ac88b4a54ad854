// Options of keysets, one shape for each source: their types, the checked settings, and the table
// that reads them. The sources alone are in source-options.ts, the deprecated `keys` list in
// legacy-options.ts.
import { ConfigError } from '../errors.ts';
import type { JwkSet, KeyPolicy } from '../jwk/import-jwks.ts';
import { isLoopback } from '../net/addresses.ts';
import type { ProxyChoice } from '../net/connections.ts';
import { checkUrl, httpsUnlessAllowed, proxy } from '../net/options.ts';
import { requireNode } from '../net/runtime.ts';
import { type TlsOptions, type TlsSettings, tls } from '../net/tls.ts';
import type { SecretEncoding } from '../secrets/encoding.ts';
import type { SecretReference, SecretStore } from '../secrets/store.ts';
import type { AlgorithmName, LegacyAlgorithmName } from '../token/algorithms.ts';
import type { Clock } from '../values/clock.ts';
import type { Duration } from '../values/duration.ts';
import { coming, flag, lasting, listed, other, ranked, replaced } from '../values/judge.ts';
import {
  boolean,
  choice,
  defaulted,
  duration,
  type Kind,
  list,
  oneSourceOf,
  optional,
  readTable,
  shared,
  type TableOf,
  text,
} from '../values/option.ts';
import type { UncheckedOptions } from '../values/readers.ts';
import {
  algorithm,
  checkLegacy,
  completeAllowed,
  legacyOption,
  publicAlgorithmSchema,
} from './algorithm-options.ts';
import type { Discovery } from './discovery.ts';
import { headers, type SourceHeader, type SourceHeaders } from './headers.ts';
import { issuerName, issuerUrl, refuseMetadata } from './issuer-name.ts';
import { hasBraces } from './issuer-template.ts';
import type { JwksHost } from './jku.ts';
import type { KeySelection } from './keyset.ts';
import type { LegacyKeySettings } from './legacy-options.ts';
import { keysetHints } from './other-packages.ts';
import type { PublicKeySettings } from './public-keys.ts';
import { isSymmetric } from './secret.ts';
import { type PublicKeyOptions, reference, SOURCES, type SourceName } from './source-options.ts';
import {
  readTenancy,
  TENANT_OPTIONS,
  type TenancySettings,
  type TenantOptions,
  tenantOptions,
  tenantSchemas,
} from './tenants.ts';
import {
  KEYSET_TOKEN_OPTIONS,
  type KeysetTokenOptions,
  type KeysetTokenSettings,
  keysetTokenOptions,
} from './token-options.ts';

export type { PublicKeyOptions } from './source-options.ts';

/** Options that every keyset may have next to its source. */
interface KeysetCommon extends KeysetTokenOptions {
  /**
   * The algorithms that are accepted from this keyset. It narrows the `alg` of each key; a key
   * without `alg` gets these algorithms. Default: the key's own `alg`, else the algorithms of its
   * type except RSASSA-PSS. For a symmetric key, this option or the key's `alg` is required.
   */
  readonly allowedAlgorithms?: readonly AlgorithmName[];
  /**
   * A token without a kid: `first` tries only the first key that has its algorithm; `try-all` tries
   * up to four such keys; `refuse` refuses the token. A token with `x5t` or `x5t#S256` instead
   * (RFC 7515 §4.1.7, as AD FS writes it) gets the key with that certificate, whatever is said
   * here, unless no key of the set has one. Default `first`.
   */
  readonly kidless?: 'first' | 'try-all' | 'refuse';
  /**
   * A key also verifies the other hash sizes of its algorithm: a key for RS256 verifies RS512. For
   * migrations. Default: exactly its own algorithm.
   */
  readonly unsafeAlgorithmMatch?: 'family';
  /**
   * Permits a keyset without `issuer` next to keysets with one. Such a keyset verifies tokens
   * without `iss`, and tokens of every issuer that no other keyset names: also other spellings of
   * their issuers (`https://ISSUER.example`, a final slash). Without this option it is refused.
   * Warns. Default false.
   */
  readonly unsafeOtherIssuers?: boolean;
  /**
   * The keys are this system's own: its tokens may have the `systemSubject` and reserved groups.
   * Default false.
   */
  readonly system?: boolean;
}

/** Options of a keyset whose keys are in a JWK Set. */
interface JwkSetCommon {
  /**
   * The `use` that a key must have: `jwt-svid` for a trust bundle of SPIFFE. Default: `sig`, or no
   * `use` at all (RFC 7517 §4.2).
   */
  readonly keyUse?: string;
}

/** Options of a keyset whose keys are read from somewhere. */
interface ReadKeysetCommon extends KeysetCommon {
  /**
   * The longest time until the keys are read again. Cache headers may shorten it, to 60 s at the
   * least. Default 1h.
   */
  readonly refreshInterval?: Duration;
  /**
   * How long keys are used while their source fails, counted from their last reading. Default 24h.
   */
  readonly maxStale?: Duration;
  /**
   * `ready()` does not wait for this keyset. For a source that is not reachable yet. Default false.
   */
  readonly skipValidation?: boolean;
}

/** Options of a keyset that is fetched over HTTP. */
interface FetchedKeysetCommon extends ReadKeysetCommon, JwkSetCommon {
  /**
   * Permits plain HTTP. For loopback and tests: any host on the network path can then insert its
   * own keys. Does not change TLS. Default false.
   */
  readonly allowHttp?: boolean;
  readonly tls?: TlsOptions;
  /**
   * The outbound proxy, such as `http://proxy.example.com:3128`; false for none. Default: the one
   * in `HTTPS_PROXY` or `HTTP_PROXY`, except for hosts in `NO_PROXY` and for loopback.
   */
  readonly proxy?: string | false;
}

/** Options of a keyset that is fetched from a URL of the options, and not from one of a token. */
interface NamedKeysetCommon extends FetchedKeysetCommon, TenantOptions {
  /**
   * Headers of the requests for keys, by name, such as the token of a Kubernetes service account:
   * `{ authorization: { prefix: 'Bearer ', file: '/var/run/secrets/…/token' } }`. A value is in a
   * file, or in a secret of `secrets`; it is read at each request. It is sent to the origin of the
   * URL or the issuer only, over https or to loopback, and never after a redirect. Default: none.
   */
  readonly headers?: { readonly [name: string]: SourceHeader };
}

/** Options of a keyset whose keys are secret. */
interface SecretKeysetCommon extends ReadKeysetCommon, JwkSetCommon, TenantOptions {
  /**
   * Accepts tokens signed with these broken or unregistered algorithms, by keys that have a kid and
   * name the algorithm. Needs `issuer`. Warns.
   */
  readonly unsafeLegacyAlgorithms?: readonly LegacyAlgorithmName[];
}

/** Forbids a second source next to this one. */
type Only<Source extends SourceName> = { readonly [Other in Exclude<SourceName, Source>]?: never };

/**
 * Keys that tokens choose are for one issuer: else one tenant could sign tokens in the name of
 * another.
 */
type NoTenants = { readonly [Name in keyof TenantOptions]?: never };

/** Keys that the issuer's OpenID Connect metadata point to (OpenID Connect Discovery 1.0 §4). */
export interface DiscoveryKeysetOptions extends NamedKeysetCommon, Only<'useOidcDiscovery'> {
  /**
   * The issuer, exactly as its metadata and `iss` spell it. With a placeholder, as in
   * `https://id.example.com/realms/{realm}`, the issuers of many tenants: see `tenants`.
   */
  readonly issuer: string;
  readonly useOidcDiscovery: true;
}

/** Keys that the metadata of the issuer point to, in the form that the option names. */
export interface MetadataKeysetOptions extends NamedKeysetCommon, Only<'useDiscovery'> {
  /**
   * The issuer, exactly as its metadata and `iss` spell it. With a placeholder, as in
   * `https://id.example.com/realms/{realm}`, the issuers of many tenants: see `tenants`.
   */
  readonly issuer: string;
  /**
   * Where the metadata are. `oauth`: of an OAuth 2.0 authorization server (RFC 8414 §3.1), at
   * `https://host/.well-known/oauth-authorization-server/tenant` for the issuer
   * `https://host/tenant`. `oidc`: as with `useOidcDiscovery: true`. `any`: the first of these that
   * exist, in the order of the Model Context Protocol: `oauth`, then
   * `https://host/.well-known/openid-configuration/tenant`, then `oidc`. Only a 404 or 410 leads to
   * the next one: any other failure, and metadata that name another issuer, are a failure of the
   * keyset.
   * @example { issuer: 'https://auth.example.com/tenant', useDiscovery: 'oauth' }
   */
  readonly useDiscovery: 'oauth' | 'oidc' | 'any';
}

/** Keys at a URL. The token's own `jku` is ignored. */
export interface JwksUrlKeysetOptions extends NamedKeysetCommon, Only<'jwksUrl'> {
  /**
   * A keyset without an issuer is for tokens of every issuer, and for tokens without `iss`. Next to
   * keysets with an issuer, it needs `unsafeOtherIssuers`.
   */
  readonly issuer?: string;
  /** Must be https, unless `allowHttp` is true. */
  readonly jwksUrl: string;
}

/** Keys from the URL in the token's `jku`, on listed hosts only. */
export interface JkuKeysetOptions extends FetchedKeysetCommon, Only<'jwksHosts'>, NoTenants {
  readonly issuer?: string;
  /**
   * `keys.example.com`, with a port if it is not 443, and with a path if keys may only be under it:
   * `keys.example.com/tenants/`. The path is compared after decoding; the query is not compared. In
   * ten seconds, at most 4 new URLs are fetched, plus the 4 that were requested most often before.
   * This limit applies to each issuer with a verified token, and to all other issuers together. A
   * token beyond the limit is a 503.
   */
  readonly jwksHosts: readonly string[];
  /** Also fetches from listed hosts at private, loopback or link-local addresses. Default false. */
  readonly unsafeAllowPrivateAddresses?: boolean;
}

/**
 * Keys in the store of the option `secrets`: a JWK Set, which may hold private and symmetric keys.
 */
export interface SecretKeysetOptions extends SecretKeysetCommon, Only<'secret'> {
  readonly issuer?: string;
  /**
   * `key` is the entry in the secret, default `jwks.json`. `encoding`: the entry is the symmetric
   * secret itself, and verifies tokens with any kid. Without it, a text that is not JSON is such a
   * secret in UTF-8, if `allowedAlgorithms` has HS algorithms only.
   * @example { secret: { name: 'jwt', key: 'secret.key' }, allowedAlgorithms: ['HS256'] }
   */
  readonly secret: { readonly name: string; readonly key?: string; readonly encoding?: SecretEncoding };
}

/**
 * Keys in the store of the option `externalSecrets`, such as a vault: a JWK Set, which may hold
 * private and symmetric keys.
 */
export interface ExternalSecretKeysetOptions extends SecretKeysetCommon, Only<'externalSecret'> {
  readonly issuer?: string;
  readonly externalSecret: {
    readonly name: string;
    readonly key?: string;
    readonly encoding?: SecretEncoding;
  };
}

/** Public keys in the options, as a JWK Set. */
export interface InlineKeysetOptions extends KeysetCommon, JwkSetCommon, TenantOptions, Only<'jwks'> {
  readonly issuer?: string;
  readonly jwks: JwkSet;
}

/**
 * A primary public key and its backups, PEM, ten at most. Each is tried for any token, in this
 * order.
 */
export interface PublicKeysKeysetOptions extends ReadKeysetCommon, TenantOptions, Only<'publicKeys'> {
  readonly issuer?: string;
  readonly publicKeys: readonly PublicKeyOptions[];
}

/** The keys of one issuer, from exactly one source. */
export type KeysetOptions =
  | DiscoveryKeysetOptions
  | MetadataKeysetOptions
  | JwksUrlKeysetOptions
  | JkuKeysetOptions
  | SecretKeysetOptions
  | ExternalSecretKeysetOptions
  | InlineKeysetOptions
  | PublicKeysKeysetOptions;

/** How long the keys of a keyset are used. */
export interface RefreshPolicy {
  readonly refreshIntervalMs: number;
  readonly maxStaleMs: number;
}

interface CommonSettings {
  /** Its path in the options. */
  readonly name: string;
  readonly issuer: string | undefined;
  /** Of a keyset whose issuer is a template; undefined for every other one. */
  readonly tenancy: TenancySettings | undefined;
  readonly policy: KeyPolicy;
  readonly selection: KeySelection;
  readonly refresh: RefreshPolicy;
  readonly skipValidation: boolean;
  /**
   * The options that decide which keys are read and how, as written: two keysets with the same ones
   * have the same keys.
   */
  readonly written: UncheckedOptions;
  /** It may verify tokens of issuers that no other keyset names. */
  readonly speaksForOthers: boolean;
  /** Its tokens may have the `systemSubject` and every group. */
  readonly isSystem: boolean;
  /** What its tokens must be, where this differs from what the options say. */
  readonly tokens: KeysetTokenSettings;
}

/** One keyset, checked. */
export type KeysetSettings = CommonSettings &
  (
    | { readonly source: 'jwks'; readonly jwks: JwkSet }
    | { readonly source: 'publicKeys'; readonly publicKeys: readonly PublicKeySettings[] }
    | {
        readonly source: 'secret' | 'externalSecret';
        readonly reference: SecretReference;
        readonly encoding: SecretEncoding | undefined;
      }
    | {
        readonly source: 'jwksUrl';
        readonly url: URL;
        readonly tls: TlsSettings;
        readonly proxy: ProxyChoice;
        readonly headers: SourceHeaders | undefined;
      }
    | {
        readonly source: 'useOidcDiscovery' | 'useDiscovery';
        readonly issuer: string;
        readonly discovery: Discovery;
        readonly allowHttp: boolean;
        readonly tls: TlsSettings;
        readonly proxy: ProxyChoice;
        readonly headers: SourceHeaders | undefined;
      }
    | {
        readonly source: 'jwksHosts';
        readonly hosts: readonly JwksHost[];
        readonly allowHttp: boolean;
        readonly tls: TlsSettings;
        readonly proxy: ProxyChoice;
        readonly publicOnly: boolean;
      }
  );

/** The secret stores of the authenticator. */
export interface SecretStores {
  readonly secret: SecretStore | undefined;
  readonly externalSecret: SecretStore | undefined;
}

/** The settings of all keysets of an authenticator. */
export interface KeysetsSettings {
  readonly keysets: readonly KeysetSettings[];
  readonly keys: readonly LegacyKeySettings[];
  readonly stores: SecretStores;
  readonly missingIssuerReachesAll: boolean;
  readonly clock: Clock;
}

const OTHERS = {
  issuer: optional(
    issuerName,
    'The exact iss of its tokens, or with a placeholder those of many tenants: https://id.example.com/realms/{realm}. Default: tokens whose issuer no other keyset names, and tokens without iss.',
    () => [],
  ),
  allowedAlgorithms: optional(
    list(algorithm),
    'The algorithms that are accepted from this keyset. Default: the algorithms of its keys.',
    listed({ more: 'opens', given: 'closes', thing: 'algorithm' }),
  ),
  kidless: defaulted(
    choice('first', 'try-all', 'refuse'),
    'first',
    'A token without a key id (kid, or x5t of a certificate in the set): first tries the first key that fits, try-all tries up to four, refuse refuses it.',
    ranked(['refuse', 'first', 'try-all'], 'a token without a key id'),
  ),
  unsafeAlgorithmMatch: optional(
    choice('family'),
    'family: a key also verifies the other hash sizes of its algorithm, a key for RS256 also RS512.',
    coming(
      ['opens', 'keys verify all algorithms of their family'],
      ['closes', 'keys verify their own algorithm'],
      replaced('keys verify other algorithms'),
    ),
  ),
  unsafeOtherIssuers: defaulted(
    boolean,
    false,
    'Whether a keyset without an issuer, next to keysets with one, verifies tokens of all issuers that those do not name.',
    flag('opens', 'tokens of every issuer that no other keyset names'),
  ),
  system: defaulted(
    boolean,
    false,
    "Whether these are this system's own keys: their tokens may have the systemSubject and reserved groups.",
    flag('opens', 'speaks for the system'),
  ),
  ...tenantOptions,
  ...keysetTokenOptions,
  keyUse: optional(
    text,
    'The use that a key must have, such as jwt-svid for SPIFFE. Default: sig, or no use at all.',
    replaced('keys of another use verify tokens'),
  ),
  refreshInterval: defaulted(
    duration,
    '1h',
    'The longest time between two readings of the keys. The source may ask for a shorter one.',
    lasting('opens', 'keys are read again after'),
  ),
  maxStale: defaulted(
    duration,
    '24h',
    'How long keys are used while their source cannot be read.',
    lasting('opens', 'keys are used without their source for'),
  ),
  skipValidation: defaulted(
    boolean,
    false,
    'Whether the service starts without having read these keys once.',
    other('the start of the service waits for these keys, or does not'),
  ),
  allowHttp: defaulted(
    boolean,
    false,
    'Whether plain http is allowed. Anyone on the network path can then put in keys.',
    flag('opens', 'plain http is allowed'),
  ),
  tls,
  proxy,
  headers,
  unsafeLegacyAlgorithms: legacyOption(
    'Broken or unregistered algorithms that are accepted from keys that name them. Needs an issuer.',
  ),
  unsafeAllowPrivateAddresses: defaulted(
    boolean,
    false,
    'Whether keys are also fetched from hosts at private or loopback addresses.',
    flag('opens', 'hosts at private addresses are asked'),
  ),
} satisfies Omit<TableOf<KeysetOptions>, SourceName>;

const COMMON = [
  'issuer',
  'allowedAlgorithms',
  'kidless',
  'unsafeAlgorithmMatch',
  'unsafeOtherIssuers',
  'system',
  ...KEYSET_TOKEN_OPTIONS,
] as const;
const READ = [...COMMON, 'refreshInterval', 'maxStale', 'skipValidation'] as const;
const FETCHED = [...READ, 'keyUse', 'allowHttp', 'tls', 'proxy'] as const;
const NAMED = [...FETCHED, ...TENANT_OPTIONS, 'headers'] as const;
const SECRET = [...READ, ...TENANT_OPTIONS, 'keyUse', 'unsafeLegacyAlgorithms'] as const;

/** The options of a keyset, and which of them may be next to each source. */
export const keysetOptions = oneSourceOf(
  SOURCES satisfies Pick<TableOf<KeysetOptions>, SourceName>,
  OTHERS,
  {
    useOidcDiscovery: NAMED,
    useDiscovery: NAMED,
    jwksUrl: NAMED,
    jwksHosts: [...FETCHED, 'unsafeAllowPrivateAddresses'],
    secret: SECRET,
    externalSecret: SECRET,
    jwks: [...COMMON, ...TENANT_OPTIONS, 'keyUse'],
    publicKeys: [...READ, ...TENANT_OPTIONS],
  },
  { like: "a keyset, such as { issuer: 'https://…', useOidcDiscovery: true }", hints: keysetHints },
);

/** One keyset. */
export const keyset: Kind<KeysetSettings> = {
  read: readKeyset,
  schema: shared('keySet', {
    ...keysetOptions.schema({
      dependentRequired: {
        useOidcDiscovery: ['issuer'],
        useDiscovery: ['issuer'],
        unsafeLegacyAlgorithms: ['issuer'],
      },
      dependentSchemas: {
        issuer: { properties: { unsafeOtherIssuers: { const: false } } },
        profile: { properties: { typ: false } },
        useOidcDiscovery: httpsUnlessAllowed('issuer'),
        useDiscovery: httpsUnlessAllowed('issuer'),
        jwksUrl: httpsUnlessAllowed('jwksUrl'),
        ...tenantSchemas.dependent,
      },
      allOf: tenantSchemas.all,
      if: { anyOf: [{ required: ['secret'] }, { required: ['externalSecret'] }] },
      else: { properties: { allowedAlgorithms: { items: publicAlgorithmSchema } } },
    }),
    description: 'The keys of one issuer, from exactly one source.',
  }),
};

/**
 * The options without those that only say how keys are chosen, what they may vouch for, and what
 * tokens must be.
 */
function writtenOf(options: UncheckedOptions): UncheckedOptions {
  const others: readonly string[] = [
    'kidless',
    'system',
    'skipValidation',
    'tenants',
    'unsafeAnyTenant',
    'bind',
    ...KEYSET_TOKEN_OPTIONS,
  ];
  return Object.fromEntries(Object.entries(options).filter(([name]) => !others.includes(name)));
}

/**
 * Refuses a keyset without an issuer next to keysets with one, unless `unsafeOtherIssuers` is true:
 * it would verify tokens of every issuer that the others do not name, other spellings of their
 * issuers included.
 * @param findsOthers `keysetFor` finds keysets that have an issuer
 * @throws ConfigError
 */
export function refuseOtherIssuers(
  keysets: readonly KeysetSettings[],
  keys: readonly LegacyKeySettings[],
  findsOthers: boolean,
): void {
  if (!findsOthers && [...keysets, ...keys].every(({ issuer }) => issuer === undefined)) return;
  const found = keysets.find(({ issuer, speaksForOthers }) => issuer === undefined && !speaksForOthers);
  if (found === undefined) return;
  throw new ConfigError(
    `${found.name}.issuer`,
    'is required next to keysets that have one: without it, tokens of every issuer that they do not name are accepted; name the iss of its tokens, or set unsafeOtherIssuers: true',
  );
}

/** What a keyset says of its tokens. @throws ConfigError */
function tokensOf(read: KeysetTokenSettings, name: string): KeysetTokenSettings {
  const { audience, claims, typ, maxTokenAge, maxLifetime, numericSub, profile } = read;
  if (profile !== undefined && typ !== undefined)
    throw new ConfigError(`${name}.typ`, 'is set by profile; remove typ');
  return Object.freeze({ audience, claims, typ, maxTokenAge, maxLifetime, numericSub, profile });
}

/** Refuses headers that would cross the network unencrypted. @throws ConfigError */
function checkHeaders(
  headers: SourceHeaders | undefined,
  { protocol, hostname }: URL,
  name: string,
): SourceHeaders | undefined {
  if (headers === undefined || protocol === 'https:' || isLoopback(hostname)) return headers;
  throw new ConfigError(`${name}.headers`, 'expected https: a header may hold a credential');
}

/**
 * Identifies the source of a keyset's keys, and how it is read. A CA is identified by the content
 * of its file.
 */
export function identityOf(settings: KeysetSettings): string {
  const written = Object.entries(settings.written).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([written, 'tls' in settings ? settings.tls.ca : undefined]);
}

/** True for a source that is read only when a token needs it: the token says where its keys are. */
export function readsForTokens({ source, tenancy }: KeysetSettings): boolean {
  const isDiscovery = source === 'useDiscovery' || source === 'useOidcDiscovery';
  return source === 'jwksHosts' || (isDiscovery && tenancy !== undefined);
}

/** Checks one keyset. @throws ConfigError */
export function readKeyset(value: unknown, name: string): KeysetSettings {
  const { source, options } = keysetOptions.open(value, name);
  const read = readTable(OTHERS, options, name);
  const { issuer, allowHttp, tls, proxy } = read;
  const origin = source === 'secret' || source === 'externalSecret' ? 'secret' : 'public';
  if (issuer !== undefined) refuseMetadata(issuer, `${name}.issuer`);
  if (source === 'jwksHosts' && issuer !== undefined && hasBraces(issuer))
    throw new ConfigError(
      `${name}.issuer`,
      'expected one issuer next to jwksHosts: a tenant could sign tokens of another one',
    );
  const tenancy = readTenancy(issuer, read, options, { allowHttp, name });
  if (read.unsafeOtherIssuers && issuer !== undefined)
    throw new ConfigError(
      `${name}.unsafeOtherIssuers`,
      'is for a keyset without an issuer; leave one of them out',
    );
  const legacy = checkLegacy(read.unsafeLegacyAlgorithms, issuer, name);
  const common = {
    name,
    issuer,
    tenancy,
    policy: {
      origin,
      allowed: completeAllowed(read.allowedAlgorithms, origin, legacy, `${name}.allowedAlgorithms`),
      legacy,
      matchFamily: read.unsafeAlgorithmMatch === 'family',
      use: read.keyUse,
    },
    selection: { kidless: read.kidless, unnamed: source === 'publicKeys' },
    speaksForOthers: read.unsafeOtherIssuers,
    isSystem: read.system,
    tokens: tokensOf(read, name),
    refresh: { refreshIntervalMs: read.refreshInterval, maxStaleMs: read.maxStale },
    skipValidation: read.skipValidation,
    written: writtenOf(options),
  } as const;
  const given = options[source];
  const path = `${name}.${source}`;
  switch (source) {
    case 'jwks':
      return { ...common, source, jwks: SOURCES.jwks.read(given, path) };
    case 'publicKeys':
      return { ...common, source, publicKeys: SOURCES.publicKeys.read(given, path) };
    case 'secret':
    case 'externalSecret': {
      const { encoding, ...read } = reference.read(given, path);
      if (encoding === undefined) return { ...common, source, reference: read, encoding };
      if (!isSymmetric(common.policy.allowed))
        throw new ConfigError(
          `${name}.allowedAlgorithms`,
          `expected algorithms of a symmetric secret, like ['HS256'], next to ${source}.encoding`,
        );
      // The one key verifies tokens with any kid.
      return { ...common, source, reference: read, encoding, selection: { kidless: 'first', unnamed: true } };
    }
    case 'jwksHosts': {
      const hosts = SOURCES.jwksHosts.read(given, path);
      // The addresses of these hosts are checked when connecting.
      if (!read.unsafeAllowPrivateAddresses) requireNode(path);
      return {
        ...common,
        source,
        hosts,
        allowHttp,
        tls,
        proxy,
        publicOnly: !read.unsafeAllowPrivateAddresses,
      };
    }
    case 'jwksUrl': {
      const checked = checkUrl(SOURCES.jwksUrl.read(given, path), allowHttp, path);
      if (hasBraces(String(given)))
        throw new ConfigError(
          path,
          'expected one URL, got a placeholder; useDiscovery finds the keys of each tenant by its issuer',
        );
      return {
        ...common,
        source,
        url: checked,
        tls,
        proxy,
        headers: checkHeaders(read.headers, checked, name),
      };
    }
    case 'useOidcDiscovery':
    case 'useDiscovery': {
      if (source === 'useOidcDiscovery') SOURCES.useOidcDiscovery.read(given, path);
      const discovery = source === 'useDiscovery' ? SOURCES.useDiscovery.read(given, path) : 'oidc';
      const at = `${name}.issuer`;
      if (issuer === undefined)
        throw new ConfigError(
          at,
          `is required with ${source}; write the iss of its tokens, like 'https://tenant.auth0.com/'`,
        );
      // OpenID Connect Core 1.0 §2: an issuer has neither query nor fragment.
      const checked = checkUrl(issuerUrl(tenancy?.template.issuerOf('a') ?? issuer, at), allowHttp, at);
      if (checked.search !== '' || checked.hash !== '')
        throw new ConfigError(at, 'expected an issuer without query and fragment');
      const headers = checkHeaders(read.headers, checked, name);
      if (headers !== undefined && tenancy?.template.isInHost === true)
        throw new ConfigError(
          `${name}.headers`,
          'is not allowed for tenants with servers of their own: each could read them',
        );
      return { ...common, issuer, source, discovery, allowHttp, tls, proxy, headers };
    }
  }
}
