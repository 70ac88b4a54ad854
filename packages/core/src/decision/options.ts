// AuthenticatorOptions: checked once, defaulted, frozen. What is wrong is a ConfigError that names the path and the mend.

import { type CompiledRules, claimNames } from '../claims/compile.ts';
import { compileIssuers, type IssuerMatcher, type IssuerRule } from '../claims/issuers.ts';
import type { RegisteredClaimsPolicy } from '../claims/registered.ts';
import type { Rules } from '../claims/rules.ts';
import { type Carrier, readTokenFrom, type TokenFinder } from '../credentials/find.ts';
import { ConfigError } from '../errors.ts';
import { type GroupsOptions, type GroupsSettings, readGroups } from '../groups/options.ts';
import type { KeysetSettings, SecretStores } from '../keysets/create.ts';
import type { LegacyKeySettings } from '../keysets/legacy-keys.ts';
import type { KeysetOptions, LegacyKeyOptions } from '../keysets/options.ts';
import { readLegacyKeys } from '../keysets/read-legacy-keys.ts';
import { type RemoteOptions, type RemoteSettings, readRemote } from '../remote/options.ts';
import { readStore, type SecretStore } from '../secrets/store.ts';
import { type Clock, readClock } from '../values/clock.ts';
import { type Duration, parseDuration } from '../values/duration.ts';
import { readBoolean, readChoice, readMaxTokenBytes, readObject, readText } from '../values/readers.ts';
import {
  type AuthenticationMode,
  type NamedRoute,
  type NamedRoutes,
  readMode,
  readRoutes,
} from './access.ts';
import {
  readAudience,
  readCache,
  readClaims,
  readDelimiter,
  readKeysets,
  readRealm,
  readTypes,
} from './read-options.ts';
import type { CacheLimits } from './token-cache.ts';

/** Whom a service trusts, and what a token must be. */
export interface AuthenticatorOptions {
  /** Several may be of one issuer; they are asked in this order. At least one, unless there are `keys` or `remote` decides alone. */
  readonly keySets: readonly KeysetOptions[];
  /**
   * Raw keys in secrets, found by issuer and then by key id; a token without an issuer may be verified by any of them.
   * @deprecated Put them into keysets: this list is for descriptors that still have it, and warns.
   */
  readonly keys?: readonly LegacyKeyOptions[] | undefined;
  /** Where keysets with `secret`, and `keys`, find their secrets. */
  readonly secrets?: SecretStore | undefined;
  /** Where keysets with `externalSecret` find theirs. */
  readonly externalSecrets?: SecretStore | undefined;
  /** Lets a token without `iss` be verified by every keyset, and not only by those without an issuer. Warns. Default: not. */
  readonly unsafeMissingIssuer?: 'all-keysets' | undefined;
  /** An endpoint that validates tokens: alone, or before the keysets. */
  readonly remote?: RemoteOptions | undefined;
  /** Where the groups of a principal come from. Default: the `groups` claim. */
  readonly groups?: GroupsOptions | undefined;
  /**
   * The subject of this system's own tokens, which services call each other with: `okera`, say. A token of this subject is good only from
   * a keyset that says `system: true`; whoever is called so by another issuer is refused. Default: no subject is special.
   */
  readonly systemSubject?: string | undefined;
  /** The audience of this service, or several. Null says aloud that `aud` is not checked. */
  readonly audience: string | readonly string[] | null;
  /** `all`: the token has to name each of the audiences. Default `any`. */
  readonly audMatch?: 'any' | 'all' | undefined;
  /** The issuers that are welcome, beside having keys here: for keysets without an issuer, by name or by pattern. Default: all. */
  readonly issuers?: readonly IssuerRule[] | undefined;
  /** Where a token may stand. Default: `Authorization: Bearer …` only. */
  readonly tokenFrom?: readonly Carrier[] | undefined;
  /** For every token. What does not hold makes the token invalid: 401. */
  readonly claims?: Rules | undefined;
  /** What routes ask, by name, for `requireClaims(route('admin'))`: so that a file says it, and code only where. Default: none. */
  readonly routes?: { readonly [name: string]: NamedRoute } | undefined;
  /** Leeway for `exp`, `nbf` and `iat`, 0s to 60s. Default 5s. */
  readonly clockSkew?: Duration | undefined;
  /**
   * What splits a claim name of a rule into a path: with `.`, the rule on `realm_access.roles` is on `roles` in `realm_access`. A
   * backslash takes it literally. Default: a name is one name, whatever is in it.
   */
  readonly nestedClaimDelimiter?: string | undefined;
  /**
   * `optional`: a request without a token is anonymous; a bad token is refused all the same. `permissive`: so is a request with a bad
   * one, and `refusalOf(request)` says why; what cannot be decided is a 503 all the same. Default `strict`.
   */
  readonly mode?: AuthenticationMode | undefined;
  /**
   * The `typ` values that are accepted (RFC 8725 §3.11), and then one must be there. Default: none, `JWT` or `at+jwt`. Compared
   * without case and without `application/`.
   */
  readonly typ?: string | readonly string[] | undefined;
  /** A token without `exp` is refused. Default true. */
  readonly requireExp?: boolean | undefined;
  /** `iat` has to be there, and no token is accepted before it, whether or not it has `nbf`. Default false. */
  readonly treatIatAsNbf?: boolean | undefined;
  /** How long after `iat`, which then has to be there, a token is accepted. Default: as long as `exp` says. */
  readonly maxTokenAge?: Duration | undefined;
  /**
   * `at+jwt`: access tokens as RFC 9068 has them: `typ` is `at+jwt`, and `iss`, `exp`, `aud`, `sub`, `client_id`, `iat` and `jti` are
   * there. Not together with `typ`.
   */
  readonly profile?: 'at+jwt' | undefined;
  /** Accepts tokens bound to a key (`cnf`: DPoP, mutual TLS) from whoever presents them. Default: they are refused. */
  readonly unsafeAcceptSenderConstrained?: boolean | undefined;
  /**
   * Tokens that verified twice are kept, and not verified again while their times and their key are good; rules are judged each time. By
   * number, default 10000, and by bytes, default 16777216 (16 MiB). False keeps none.
   */
  readonly cache?:
    | { readonly tokens?: number | undefined; readonly bytes?: number | undefined }
    | false
    | undefined;
  /** Longer tokens are refused unread. Bytes, 256 to 65536. Default 8192. */
  readonly maxTokenBytes?: number | undefined;
  /** The protection space that challenges name. Printable ASCII. Default: challenges name none. */
  readonly realm?: string | undefined;
  /** For tests. Ages of fetched keys do not follow it; they are monotonic. Default: the system's. */
  readonly clock?: Clock | undefined;
}

/** Options, checked and complete. */
export interface AuthenticatorSettings {
  readonly keysets: readonly KeysetSettings[];
  readonly keys: readonly LegacyKeySettings[];
  readonly stores: SecretStores;
  readonly missingIssuerReachesAll: boolean;
  readonly remote: RemoteSettings | undefined;
  readonly groups: GroupsSettings | undefined;
  readonly systemSubject: string | undefined;
  readonly registered: RegisteredClaimsPolicy;
  readonly tokens: TokenFinder;
  readonly claims: CompiledRules;
  readonly issuers: IssuerMatcher | undefined;
  readonly delimiter: string | undefined;
  readonly routes: NamedRoutes;
  readonly mode: AuthenticationMode;
  /** Lower case, without `application/`. Undefined in the set: no typ at all. */
  readonly types: ReadonlySet<string | undefined>;
  readonly maxTokenBytes: number;
  readonly cache: CacheLimits | undefined;
  readonly realm: string | undefined;
  readonly clock: Clock;
}

const OPTION_NAMES = [
  'keySets',
  'keys',
  'secrets',
  'externalSecrets',
  'unsafeMissingIssuer',
  'remote',
  'groups',
  'systemSubject',
  'audience',
  'audMatch',
  'issuers',
  'tokenFrom',
  'claims',
  'routes',
  'nestedClaimDelimiter',
  'clockSkew',
  'mode',
  'typ',
  'requireExp',
  'treatIatAsNbf',
  'maxTokenAge',
  'profile',
  'unsafeAcceptSenderConstrained',
  'maxTokenBytes',
  'cache',
  'realm',
  'clock',
] as const satisfies readonly (keyof AuthenticatorOptions)[];

// RFC 9068 §2.2.
const AT_JWT_CLAIMS = ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'] as const;

const MAX_CLOCK_SKEW_MS = 60_000;

/**
 * Checks options. The result is a snapshot: later changes to the object have no effect.
 * @throws ConfigError
 */
export function readOptions(value: AuthenticatorOptions): AuthenticatorSettings {
  const options = readObject(value, OPTION_NAMES, '');
  const keys = options.keys === undefined ? [] : readLegacyKeys(options.keys);
  const keysets = readKeysets(options.keySets);
  const alone = keysets.length + keys.length === 0;
  if (alone && options.remote === undefined) throw new ConfigError('keySets', 'expected at least one keyset');
  const delimiter =
    options.nestedClaimDelimiter === undefined ? undefined : readDelimiter(options.nestedClaimDelimiter);
  const groups = readGroups(options.groups, delimiter);
  const claims = readClaims(options.claims);
  if (groups !== undefined && claimNames(claims).includes('groups'))
    throw new ConfigError('claims.groups', 'groups are found after this; put the rule on routes');
  const profile = readChoice(options.profile, ['at+jwt'], 'profile');
  if (profile !== undefined && options.typ !== undefined)
    throw new ConfigError('typ', 'is what profile says; leave it out');
  const clockSkewMs = options.clockSkew === undefined ? 5_000 : parseDuration(options.clockSkew, 'clockSkew');
  if (clockSkewMs > MAX_CLOCK_SKEW_MS) throw new ConfigError('clockSkew', 'expected 0s to 60s');
  return Object.freeze({
    keysets,
    keys,
    stores: {
      secret: options.secrets === undefined ? undefined : readStore(options.secrets, 'secrets'),
      externalSecret:
        options.externalSecrets === undefined
          ? undefined
          : readStore(options.externalSecrets, 'externalSecrets'),
    },
    missingIssuerReachesAll:
      readChoice(options.unsafeMissingIssuer, ['all-keysets'], 'unsafeMissingIssuer') === 'all-keysets',
    remote: readRemote(options.remote, alone),
    groups,
    systemSubject:
      options.systemSubject === undefined ? undefined : readText(options.systemSubject, 'systemSubject'),
    registered: Object.freeze({
      audience: readAudience(options.audience),
      audienceMatch: readChoice(options.audMatch, ['any', 'all'], 'audMatch') ?? 'any',
      clockSkewMs,
      requireExp: readBoolean(options.requireExp, true, 'requireExp'),
      treatIatAsNbf: readBoolean(options.treatIatAsNbf, false, 'treatIatAsNbf'),
      maxTokenAgeMs:
        options.maxTokenAge === undefined ? undefined : parseDuration(options.maxTokenAge, 'maxTokenAge'),
      required: profile === undefined ? [] : AT_JWT_CLAIMS,
      acceptSenderConstrained: readBoolean(
        options.unsafeAcceptSenderConstrained,
        false,
        'unsafeAcceptSenderConstrained',
      ),
    }),
    tokens: readTokenFrom(options.tokenFrom),
    claims,
    issuers: compileIssuers(options.issuers, 'issuers'),
    delimiter,
    routes: readRoutes(options.routes),
    mode: readMode(options.mode, 'mode') ?? 'strict',
    types: profile === undefined ? readTypes(options.typ) : new Set([profile]),
    maxTokenBytes: readMaxTokenBytes(options.maxTokenBytes),
    cache: readCache(options.cache),
    realm: readRealm(options.realm),
    clock: readClock(options.clock),
  });
}
