// Options of keysets, one shape for each source: their types, the checked settings, and the table
// that reads them. Each source by itself is in source-options.ts, the deprecated `keys` list in
// legacy-options.ts.
import { ConfigError } from '../errors.ts';
import type { JwkSet, KeyPolicy } from '../jwk/import-jwks.ts';
import { checkUrl, httpsUnlessAllowed, url } from '../net/options.ts';
import { type TlsOptions, type TlsSettings, tls } from '../net/tls.ts';
import type { SecretReference, SecretStore } from '../secrets/store.ts';
import type { AlgorithmName, LegacyAlgorithmName } from '../token/algorithms.ts';
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
import type { JwksHost } from './jku.ts';
import type { KeySelection } from './keyset.ts';
import type { LegacyKeySettings } from './legacy-options.ts';
import type { PublicKeySettings } from './public-keys.ts';
import { type PublicKeyOptions, reference, SOURCES, type SourceName } from './source-options.ts';

export type { PublicKeyOptions } from './source-options.ts';

/** What every keyset may say beside its source. */
interface KeysetCommon {
  /**
   * The algorithms that are accepted from this keyset. Narrows what each key says of itself; a key
   * that says nothing takes these. Default: the key's own `alg`, else those of its type without
   * RSASSA-PSS; a symmetric key has to say, here or itself.
   */
  readonly allowedAlgorithms?: readonly AlgorithmName[];
  /**
   * A token without a kid: `first` tries the first key that takes its algorithm, and only that;
   * `try-all` tries up to four; `refuse` refuses the token. Default `first`.
   */
  readonly kidless?: 'first' | 'try-all' | 'refuse';
  /**
   * A key also verifies the other hash sizes of its own algorithm, RS512 for RS256. For migrations.
   * Default: exactly its own.
   */
  readonly unsafeAlgorithmMatch?: 'family';
  /**
   * It has no `issuer`, and other keysets have one: it may then verify tokens of every issuer that
   * no other keyset names, other spellings of theirs included (`https://ISSUER.example`, a slash at
   * the end), and tokens without `iss`. Without this, such a keyset is refused. Warns. Default
   * false.
   */
  readonly unsafeOtherIssuers?: boolean;
  /**
   * Its keys are this system's own: its tokens may be of the `systemSubject`, and say reserved
   * groups. Default false.
   */
  readonly system?: boolean;
}

/** What a keyset that is read from somewhere may say. */
interface ReadKeysetCommon extends KeysetCommon {
  /**
   * Upper bound of how long keys are used before they are read again; cache headers may shorten it,
   * to 60 s at the least. Default 1h.
   */
  readonly refreshInterval?: Duration;
  /** How long keys are used when their source fails, counted from their reading. Default 24h. */
  readonly maxStale?: Duration;
  /**
   * `ready()` does not wait for this keyset. For a source that cannot be reached yet. Default
   * false.
   */
  readonly skipValidation?: boolean;
}

/** What a keyset that is fetched over HTTP may say. */
interface FetchedKeysetCommon extends ReadKeysetCommon {
  /**
   * Permits plain HTTP. For loopback and tests: anybody on the way can put in keys of his own. Says
   * nothing of TLS. Default false.
   */
  readonly allowHttp?: boolean;
  readonly tls?: TlsOptions;
}

/** What a keyset whose keys are secret may say. */
interface SecretKeysetCommon extends ReadKeysetCommon {
  /**
   * Accepts tokens signed with these broken or unregistered algorithms, by keys that name both them
   * and a kid. Needs `issuer`. Warns.
   */
  readonly unsafeLegacyAlgorithms?: readonly LegacyAlgorithmName[];
}

/** No other source beside this one. */
type Only<Source extends SourceName> = { readonly [Other in Exclude<SourceName, Source>]?: never };

/** Keys that the issuer's OpenID Connect metadata point to (OpenID Connect Discovery 1.0 §4). */
export interface DiscoveryKeysetOptions extends FetchedKeysetCommon, Only<'useOidcDiscovery'> {
  /** The issuer, exactly as it stands in its metadata and in `iss`. */
  readonly issuer: string;
  readonly useOidcDiscovery: true;
}

/** Keys behind a URL. The token's own `jku` is ignored. */
export interface JwksUrlKeysetOptions extends FetchedKeysetCommon, Only<'jwksUrl'> {
  /**
   * Without an issuer the keyset is for tokens of every issuer, and for those without one. Next to
   * keysets that have one, that needs `unsafeOtherIssuers`.
   */
  readonly issuer?: string;
  /** Must be https, unless `allowHttp`. */
  readonly jwksUrl: string;
}

/** Keys from where the token's `jku` says, on listed hosts only. */
export interface JkuKeysetOptions extends FetchedKeysetCommon, Only<'jwksHosts'> {
  readonly issuer?: string;
  /**
   * `keys.example.com`, with a port if it is not 443, and with a path if keys may only be under it:
   * `keys.example.com/tenants/`. The path is compared after decoding; a query may be anything. Few
   * new URLs are fetched at a time: 4 in ten seconds, and 4 that were asked for most before, for
   * each issuer whose tokens have verified, and as many for all others together. Beyond them a
   * token is a 503.
   */
  readonly jwksHosts: readonly string[];
  /**
   * Also asks listed hosts that are at private, loopback or link-local addresses. Default false.
   */
  readonly unsafeAllowPrivateAddresses?: boolean;
}

/** Keys in the option `secrets`' store: a JWK Set, which may hold private and symmetric keys. */
export interface SecretKeysetOptions extends SecretKeysetCommon, Only<'secret'> {
  readonly issuer?: string;
  /** `key` is the entry in the secret. Default `jwks.json`. */
  readonly secret: { readonly name: string; readonly key?: string };
}

/**
 * Keys in the option `externalSecrets`' store, such as a vault: a JWK Set, which may hold private
 * and symmetric keys.
 */
export interface ExternalSecretKeysetOptions extends SecretKeysetCommon, Only<'externalSecret'> {
  readonly issuer?: string;
  readonly externalSecret: { readonly name: string; readonly key?: string };
}

/** Public keys that stand here, as a JWK Set. */
export interface InlineKeysetOptions extends KeysetCommon, Only<'jwks'> {
  readonly issuer?: string;
  readonly jwks: JwkSet;
}

/**
 * A primary public key and its backups, PEM. Up to ten; each is tried for any token, in this order.
 */
export interface PublicKeysKeysetOptions extends ReadKeysetCommon, Only<'publicKeys'> {
  readonly issuer?: string;
  readonly publicKeys: readonly PublicKeyOptions[];
}

/** One issuer's keys: exactly one source. */
export type KeysetOptions =
  | DiscoveryKeysetOptions
  | JwksUrlKeysetOptions
  | JkuKeysetOptions
  | SecretKeysetOptions
  | ExternalSecretKeysetOptions
  | InlineKeysetOptions
  | PublicKeysKeysetOptions;

/** How a keyset that is read from somewhere is kept current. */
export interface RefreshPolicy {
  readonly refreshIntervalMs: number;
  readonly maxStaleMs: number;
}

interface CommonSettings {
  /** Where it stands in the options. */
  readonly name: string;
  readonly issuer: string | undefined;
  readonly policy: KeyPolicy;
  readonly selection: KeySelection;
  readonly refresh: RefreshPolicy;
  readonly skipValidation: boolean;
  /**
   * What its keys are read from and how, as it is written: two keysets that have the same have the
   * same keys.
   */
  readonly written: UncheckedOptions;
  /** It may speak for issuers that no other keyset names. */
  readonly speaksForOthers: boolean;
  /** Its tokens may be of the system's subject, and say every group. */
  readonly isSystem: boolean;
}

/** One keyset, checked. */
export type KeysetSettings = CommonSettings &
  (
    | { readonly source: 'jwks'; readonly jwks: JwkSet }
    | { readonly source: 'publicKeys'; readonly publicKeys: readonly PublicKeySettings[] }
    | { readonly source: 'secret' | 'externalSecret'; readonly reference: SecretReference }
    | { readonly source: 'jwksUrl'; readonly url: URL; readonly tls: TlsSettings }
    | {
        readonly source: 'useOidcDiscovery';
        readonly issuer: string;
        readonly allowHttp: boolean;
        readonly tls: TlsSettings;
      }
    | {
        readonly source: 'jwksHosts';
        readonly hosts: readonly JwksHost[];
        readonly allowHttp: boolean;
        readonly tls: TlsSettings;
        readonly publicOnly: boolean;
      }
  );

/** The secret stores of the authenticator. */
export interface SecretStores {
  readonly secret: SecretStore | undefined;
  readonly externalSecret: SecretStore | undefined;
}

/** What an authenticator's keysets are made of. */
export interface KeysetsSettings {
  readonly keysets: readonly KeysetSettings[];
  readonly keys: readonly LegacyKeySettings[];
  readonly stores: SecretStores;
  readonly missingIssuerReachesAll: boolean;
}

const OTHERS = {
  issuer: optional(
    text,
    'The iss of its tokens, letter by letter. Default: tokens whose issuer no other keyset names, and those without one.',
    () => [],
  ),
  allowedAlgorithms: optional(
    list(algorithm),
    'The algorithms that are accepted from this keyset. Default: those that its keys are for.',
    listed({ more: 'opens', given: 'closes', thing: 'algorithm' }),
  ),
  kidless: defaulted(
    choice('first', 'try-all', 'refuse'),
    'first',
    'A token without a key id: first tries the first key that fits it, try-all up to four, refuse none.',
    ranked(['refuse', 'first', 'try-all'], 'a token without a key id'),
  ),
  unsafeAlgorithmMatch: optional(
    choice('family'),
    'family: a key for RS256 verifies RS512 as well, and the like.',
    coming(
      ['opens', 'keys verify all algorithms of their family'],
      ['closes', 'keys verify their own algorithm'],
      replaced('keys verify other algorithms'),
    ),
  ),
  unsafeOtherIssuers: defaulted(
    boolean,
    false,
    'Whether a keyset without an issuer, next to others that have one, verifies tokens of all issuers that they do not name.',
    flag('opens', 'tokens of every issuer that no other keyset names'),
  ),
  system: defaulted(
    boolean,
    false,
    "Whether these are this system's own keys, which may vouch for systemSubject and for reserved groups.",
    flag('opens', 'speaks for the system'),
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
    flag('opens', 'plain http will do'),
  ),
  tls,
  unsafeLegacyAlgorithms: legacyOption(
    'Broken or unregistered algorithms that are accepted from keys that name them. Needs an issuer.',
  ),
  unsafeAllowPrivateAddresses: defaulted(
    boolean,
    false,
    'Whether hosts at private or loopback addresses are asked for keys, too.',
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
] as const;
const READ = [...COMMON, 'refreshInterval', 'maxStale', 'skipValidation'] as const;
const FETCHED = [...READ, 'allowHttp', 'tls'] as const;
const SECRET = [...READ, 'unsafeLegacyAlgorithms'] as const;

/** The options of a keyset, and which of them may be next to each source. */
export const keysetOptions = oneSourceOf(SOURCES satisfies Pick<TableOf<KeysetOptions>, SourceName>, OTHERS, {
  useOidcDiscovery: FETCHED,
  jwksUrl: FETCHED,
  jwksHosts: [...FETCHED, 'unsafeAllowPrivateAddresses'],
  secret: SECRET,
  externalSecret: SECRET,
  jwks: COMMON,
  publicKeys: READ,
});

/** One keyset. */
export const keyset: Kind<KeysetSettings> = {
  read: readKeyset,
  schema: shared('keySet', {
    ...keysetOptions.schema({
      dependentRequired: { useOidcDiscovery: ['issuer'], unsafeLegacyAlgorithms: ['issuer'] },
      dependentSchemas: {
        issuer: { properties: { unsafeOtherIssuers: { const: false } } },
        useOidcDiscovery: httpsUnlessAllowed('issuer'),
        jwksUrl: httpsUnlessAllowed('jwksUrl'),
      },
      if: { anyOf: [{ required: ['secret'] }, { required: ['externalSecret'] }] },
      else: { properties: { allowedAlgorithms: { items: publicAlgorithmSchema } } },
    }),
    description: 'The keys of one issuer, from exactly one source.',
  }),
};

/** Without what says how keys are chosen, and what they may vouch for. */
function writtenOf({
  kidless: _k,
  system: _s,
  skipValidation: _v,
  ...written
}: UncheckedOptions): UncheckedOptions {
  return written;
}

/**
 * Refuses a keyset without an issuer next to others that have one: it would speak for every issuer
 * that they do not name, other spellings of theirs included. Unless it says so.
 * @throws ConfigError
 */
export function refuseOtherIssuers(
  keysets: readonly KeysetSettings[],
  keys: readonly LegacyKeySettings[],
): void {
  if ([...keysets, ...keys].every(({ issuer }) => issuer === undefined)) return;
  const found = keysets.find(({ issuer, speaksForOthers }) => issuer === undefined && !speaksForOthers);
  if (found === undefined) return;
  throw new ConfigError(
    `${found.name}.issuer`,
    'is needed next to keysets that have one: without it, tokens of every issuer that they do not name are accepted; name the iss of its tokens, or say unsafeOtherIssuers: true',
  );
}

/** Checks one keyset. @throws ConfigError */
export function readKeyset(value: unknown, name: string): KeysetSettings {
  const { source, options } = keysetOptions.open(value, name);
  const read = readTable(OTHERS, options, name);
  const { issuer, allowHttp, tls } = read;
  const origin = source === 'secret' || source === 'externalSecret' ? 'secret' : 'public';
  if (read.unsafeOtherIssuers && issuer !== undefined)
    throw new ConfigError(
      `${name}.unsafeOtherIssuers`,
      'is for a keyset without an issuer; leave one of them out',
    );
  const legacy = checkLegacy(read.unsafeLegacyAlgorithms, issuer, name);
  const common = {
    name,
    issuer,
    policy: {
      origin,
      allowed: completeAllowed(read.allowedAlgorithms, origin, legacy, `${name}.allowedAlgorithms`),
      legacy,
      matchFamily: read.unsafeAlgorithmMatch === 'family',
    },
    selection: { kidless: read.kidless, unnamed: source === 'publicKeys' },
    speaksForOthers: read.unsafeOtherIssuers,
    isSystem: read.system,
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
    case 'externalSecret':
      return { ...common, source, reference: reference.read(given, path) };
    case 'jwksHosts': {
      const hosts = SOURCES.jwksHosts.read(given, path);
      return { ...common, source, hosts, allowHttp, tls, publicOnly: !read.unsafeAllowPrivateAddresses };
    }
    case 'jwksUrl':
      return { ...common, source, url: checkUrl(SOURCES.jwksUrl.read(given, path), allowHttp, path), tls };
    case 'useOidcDiscovery': {
      SOURCES.useOidcDiscovery.read(given, path);
      const at = `${name}.issuer`;
      if (issuer === undefined) throw new ConfigError(at, 'is needed with useOidcDiscovery');
      // OpenID Connect Core 1.0 §2: an issuer has neither query nor fragment.
      const { search, hash } = checkUrl(url.read(issuer, at), allowHttp, at);
      if (search !== '' || hash !== '') throw new ConfigError(at, 'must not have a query or a fragment');
      return { ...common, issuer, source, allowHttp, tls };
    }
  }
}
