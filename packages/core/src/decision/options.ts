// Options of an authenticator: their type, the checked settings, and the table that reads them.
import { isHeaderText } from '../challenge.ts';
import {
  type CompiledRules,
  claimNames,
  compileRules,
  needsRequest,
  unfoldedGroup,
} from '../claims/compile.ts';
import type { IssuerMatcher, IssuerRule } from '../claims/issuers.ts';
import type { RegisteredClaimsPolicy } from '../claims/registered.ts';
import type { Rules } from '../claims/rules.ts';
import { readTokenFrom, type TokenFinder } from '../credentials/find.ts';
import { type Carrier, carrierOptions } from '../credentials/options.ts';
import { ConfigError } from '../errors.ts';
import { completeGroups, type GroupsOptions, type GroupsSettings, groupsOptions } from '../groups/options.ts';
import { type LegacyKeyOptions, type LegacyKeySettings, legacyKeys } from '../keysets/legacy-options.ts';
import {
  type KeysetOptions,
  type KeysetSettings,
  keyset,
  refuseOtherIssuers,
  type SecretStores,
} from '../keysets/options.ts';
import { completeRemote, type RemoteOptions, type RemoteSettings, remoteOptions } from '../remote/options.ts';
import { store } from '../secrets/options.ts';
import type { SecretStore } from '../secrets/store.ts';
import { normalizeType } from '../token/parse.ts';
import { type Clock, readClock } from '../values/clock.ts';
import type { Duration } from '../values/duration.ts';
import { foldCase } from '../values/fold.ts';
import { coming, flag, lasting, other, ranked, replaced } from '../values/judge.ts';
import {
  boolean,
  choice,
  defaulted,
  duration,
  durationFrom,
  fromCode,
  type Kind,
  maxTokenBytes,
  needed,
  object,
  oneOrMany,
  optional,
  orNull,
  refined,
  shared,
  type TableOf,
  text,
  whole,
} from '../values/option.ts';
import {
  type AuthenticationMode,
  issuers,
  issuersJudge,
  mode,
  type NamedRoute,
  type NamedRoutes,
  routes,
} from './access.ts';
import type { CacheLimits } from './token-cache.ts';

/** Whom a service trusts, and what a token must be. */
export interface AuthenticatorOptions {
  /**
   * Several may be of one issuer; they are asked in this order. At least one, unless there are
   * `keys` or `remote` decides alone.
   */
  readonly keySets: readonly KeysetOptions[];
  /**
   * Raw keys in secrets, found by issuer and then by key id; a token without an issuer may be
   * verified by any of them.
   * @deprecated Put them into keysets: this list is for descriptors that still have it, and warns.
   */
  readonly keys?: readonly LegacyKeyOptions[];
  /** Where keysets with `secret`, and `keys`, find their secrets. */
  readonly secrets?: SecretStore;
  /** Where keysets with `externalSecret` find theirs. */
  readonly externalSecrets?: SecretStore;
  /**
   * Lets a token without `iss` be verified by every keyset, and not only by those without an
   * issuer. Warns. Default: not.
   */
  readonly unsafeMissingIssuer?: 'all-keysets';
  /** An endpoint that validates tokens: alone, or before the keysets. */
  readonly remote?: RemoteOptions;
  /** Where the groups of a principal come from. Default: the `groups` claim. */
  readonly groups?: GroupsOptions;
  /**
   * The subject of this system's own tokens, which services call each other with: `okera`, say. A
   * token of this subject is good only from a keyset that says `system: true`; whoever is called so
   * by another issuer is refused. Default: no subject is special.
   */
  readonly systemSubject?: string;
  /** The audience of this service, or several. Null says aloud that `aud` is not checked. */
  readonly audience: string | readonly string[] | null;
  /** `all`: the token has to name each of the audiences. Default `any`. */
  readonly audMatch?: 'any' | 'all';
  /**
   * The issuers that are welcome, beside having keys here: for keysets without an issuer, by name
   * or by pattern. Default: all.
   */
  readonly issuers?: readonly IssuerRule[];
  /** Where a token may stand. Default: `Authorization: Bearer …` only. */
  readonly tokenFrom?: readonly Carrier[];
  /** For every token. What does not hold makes the token invalid: 401. */
  readonly claims?: Rules;
  /**
   * What routes ask, by name, for `requireClaims(route('admin'))`: so that a file says it, and code
   * only where. Default: none.
   */
  readonly routes?: { readonly [name: string]: NamedRoute };
  /** Leeway for `exp`, `nbf` and `iat`, 0s to 60s. Default 5s. */
  readonly clockSkew?: Duration;
  /**
   * What splits a claim name of a rule into a path: with `.`, the rule on `realm_access.roles` is
   * on `roles` in `realm_access`. A backslash takes it literally. Default: a name is one name,
   * whatever is in it.
   */
  readonly nestedClaimDelimiter?: string;
  /**
   * `optional`: a request without a token is anonymous; a bad token is refused all the same.
   * `permissive`: so is a request with a bad one, and `refusalOf(request)` says why; what cannot be
   * decided is a 503 all the same. Default `strict`.
   */
  readonly mode?: AuthenticationMode;
  /**
   * The `typ` values that are accepted (RFC 8725 §3.11), and then one must be there. Default: none,
   * `JWT` or `at+jwt`. Compared without case and without `application/`.
   */
  readonly typ?: string | readonly string[];
  /** A token without `exp` is refused. Default true. */
  readonly requireExp?: boolean;
  /**
   * `iat` has to be there, and no token is accepted before it, whether or not it has `nbf`. Default
   * false.
   */
  readonly treatIatAsNbf?: boolean;
  /**
   * How long after `iat`, which then has to be there, a token is accepted. Default: as long as
   * `exp` says.
   */
  readonly maxTokenAge?: Duration;
  /**
   * `at+jwt`: access tokens as RFC 9068 has them: `typ` is `at+jwt`, and `iss`, `exp`, `aud`,
   * `sub`, `client_id`, `iat` and `jti` are there. Not together with `typ`.
   */
  readonly profile?: 'at+jwt';
  /**
   * Accepts tokens bound to a key (`cnf`: DPoP, mutual TLS) from whoever presents them. Default:
   * they are refused.
   */
  readonly unsafeAcceptSenderConstrained?: boolean;
  /**
   * Tokens that verified twice are kept, and not verified again while their times and their key are
   * good; rules are judged each time. By number, default 10000, and by bytes, default 16777216 (16
   * MiB). False keeps none.
   */
  readonly cache?: { readonly tokens?: number; readonly bytes?: number } | false | undefined;
  /** Longer tokens are refused unread. Bytes, 256 to 65536. Default 8192. */
  readonly maxTokenBytes?: number;
  /** The protection space that challenges name. Printable ASCII. Default: challenges name none. */
  readonly realm?: string;
  /**
   * For tests. Ages of fetched keys do not follow it; they are monotonic. Default: the system's.
   */
  readonly clock?: Clock;
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

// RFC 9068 §2.2.
const AT_JWT_CLAIMS = ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'] as const;

const audience: Kind<ReadonlySet<string> | null> = {
  ...orNull(oneOrMany(text)),
  read(value, path) {
    if (value === null) return null;
    if (value === undefined)
      throw new ConfigError(path, 'is needed; null says aloud that aud is not checked');
    return new Set([oneOrMany(text).read(value, path)].flat());
  },
};

/** Rules for every token. */
const claims: Kind<CompiledRules> = {
  read(value, path) {
    // What is not a rule is refused by compileRules.
    const compiled = compileRules(value as Rules, path);
    if (compiled.route !== undefined) throw new ConfigError(path, 'a named route is for routes');
    if (needsRequest(compiled)) throw new ConfigError(path, 'fromRequest is for the rules of a route');
    return compiled;
  },
  schema: { $ref: '#/$defs/rules' },
};

const limit = (fallback: number, doc: string) =>
  defaulted(
    whole(1, 2 ** 32 - 1, 'expected a whole number under 2^32; cache: false keeps nothing'),
    fallback,
    doc,
  );

/** The options of `cache`. */
export const cacheOptions = object({
  tokens: limit(10_000, 'The largest number of tokens.'),
  bytes: limit(16 * 1024 * 1024, 'The largest sum of their sizes, in bytes.'),
});

/** The options of an authenticator, `signing` of a descriptor apart. */
export const authenticatorOptions = object(
  {
    keySets: needed(
      {
        // May be empty: whether it may depends on the others.
        read(value, path): readonly KeysetSettings[] {
          if (!Array.isArray(value)) throw new ConfigError(path, 'expected at least one keyset');
          const read = (one: unknown, index: number) => Object.freeze(keyset.read(one, `${path}[${index}]`));
          return Object.freeze(Array.from(value, read));
        },
        schema: { type: ['array', 'null'], items: keyset.schema, default: [] },
      },
      'Whose tokens are accepted: one keyset for each source of keys. They are asked in this order.',
    ),
    keys: optional(
      { ...legacyKeys, schema: { ...legacyKeys.schema, deprecated: true } },
      'Single keys in secrets, found by issuer and key id. latchkey jwks migrate makes keysets of them.',
    ),
    secrets: optional(store, 'Where keysets with secret, and keys, find their secrets.'),
    externalSecrets: optional(store, 'Where keysets with externalSecret find theirs.'),
    unsafeMissingIssuer: optional(
      choice('all-keysets'),
      'all-keysets: a token that names no issuer may be verified by the keys of any keyset.',
      coming(
        ['opens', 'a token without iss may be verified by any keyset'],
        ['closes', 'a token without iss is verified by keysets without an issuer only'],
        replaced('a token without iss may be verified by any keyset'),
      ),
    ),
    remote: optional(
      { ...remoteOptions, schema: shared('remote', remoteOptions.schema ?? {}) },
      'An endpoint that validates tokens: on its own, or before the keysets.',
    ),
    groups: optional(
      { ...groupsOptions, schema: shared('groups', groupsOptions.schema ?? {}) },
      'Where the groups of a subject come from. Default: the groups claim.',
    ),
    systemSubject: optional(
      text,
      'The sub of the tokens with which services of this system call each other. Only keysets with system: true may vouch for it.',
      coming(
        ['closes', 'only keysets of the system vouch for its subject'],
        ['opens', 'every keyset vouches for the subject of the system'],
        replaced('the subject of the system is another one'),
      ),
    ),
    audience: needed(
      audience,
      'What this service is called in aud, or several names of it. null: aud is deliberately not checked.',
    ),
    audMatch: defaulted(
      choice('any', 'all'),
      'any',
      'any: one of the audiences is enough. all: a token has to name each of them.',
      ranked(['all', 'any'], 'how many of the audiences a token has to name'),
    ),
    issuers: optional(
      issuers,
      'The only issuers that are welcome, by name or by pattern, besides having keys here. Default: all.',
      issuersJudge,
    ),
    tokenFrom: defaulted(
      {
        read: readTokenFrom,
        schema: {
          type: 'array',
          minItems: 1,
          items: shared('carrier', { ...carrierOptions.schema, description: 'One place of a token.' }),
        },
      },
      [{ header: 'Authorization' }],
      'The places where a request may carry its token.',
    ),
    claims: optional(claims, 'What every token has to say. A token that does not is answered with 401.'),
    routes: optional(
      routes,
      'What single routes ask of a token, by a name that the application uses, such as admin or GET /admin.',
    ),
    nestedClaimDelimiter: optional(
      refined(
        text,
        (delimiter, path) => {
          if (!delimiter.includes('\\')) return delimiter;
          throw new ConfigError(path, 'must not have a backslash, which escapes it');
        },
        { type: 'string', pattern: '^[^\\\\]*\\S[^\\\\]*$' },
      ),
      'Makes a path of a claim name: with ".", a rule on realm_access.roles is about roles inside realm_access.',
      replaced('names in rules are read otherwise'),
    ),
    clockSkew: defaulted(
      durationFrom('0s', '60s'),
      '5s',
      'How far the clocks of issuers may differ from the clock of this service. At most 60s.',
      lasting('opens', 'clocks may differ by'),
    ),
    mode: defaulted(
      mode,
      'strict',
      'strict: a good token is needed. optional: a request without a token is anonymous. permissive: so is one with a bad token.',
      ranked(['strict', 'optional', 'permissive'], 'mode'),
    ),
    typ: optional(
      refined(
        oneOrMany(text),
        (types): ReadonlySet<string | undefined> => new Set([types].flat().map(normalizeType)),
      ),
      'The typ values of accepted tokens; one of them has to be there. Default: no typ, JWT or at+jwt.',
    ),
    requireExp: defaulted(
      boolean,
      true,
      'Whether a token has to have an expiry.',
      flag('closes', 'a token has to have an end'),
    ),
    treatIatAsNbf: defaulted(
      boolean,
      false,
      'Whether iat has to be there, and no token is accepted before it.',
      flag('closes', 'iat has to be there, and counts as nbf'),
    ),
    maxTokenAge: optional(
      duration,
      'How old a token may be, by its iat, which it then needs.',
      lasting('opens', 'tokens may be as old as'),
    ),
    profile: optional(
      choice('at+jwt'),
      'at+jwt: tokens are OAuth access tokens by RFC 9068, with all claims that it asks for.',
      coming(
        ['closes', 'tokens have to be at+jwt'],
        ['opens', 'tokens need not be of a profile any more'],
        replaced('tokens have to be of another profile'),
      ),
    ),
    unsafeAcceptSenderConstrained: defaulted(
      boolean,
      false,
      'Whether tokens that are bound to a key of their sender are accepted from any sender.',
      flag('opens', 'tokens of a key are accepted from anybody'),
    ),
    cache: {
      ...optional(
        { read: readCache, schema: { anyOf: [{ const: false }, cacheOptions.schema] } },
        'How many verified tokens are remembered, by number and by bytes. false: none.',
        other('verified tokens are remembered otherwise'),
      ),
      read: readCache,
    },
    maxTokenBytes: maxTokenBytes('A longer token is refused before it is read. In bytes.'),
    realm: optional(
      refined(text, (realm, path) => {
        if (!isHeaderText(realm)) throw new ConfigError(path, 'expected printable ASCII');
        return realm;
      }),
      'The realm that refusals name to clients. Printable ASCII.',
      other('refusals name another realm'),
    ),
    clock: needed(fromCode<Clock>(readClock), 'A clock for tests. Default: that of the system.'),
  } satisfies TableOf<AuthenticatorOptions>,
  {
    anyOf: [
      { required: ['keySets'], properties: { keySets: { type: 'array', minItems: 1 } } },
      { required: ['keys'] },
      { required: ['remote'] },
    ],
    dependentSchemas: { profile: { properties: { typ: false } } },
  },
);

/**
 * Checks options. The result is a snapshot: later changes to the object have no effect. Makes
 * nothing that could call the network or start a timer.
 * @throws ConfigError
 */
export function readOptions(value: AuthenticatorOptions): AuthenticatorSettings {
  const read = authenticatorOptions.read(value, '');
  const { keys = [], keySets: keysets, nestedClaimDelimiter: delimiter, profile } = read;
  const alone = keysets.length + keys.length === 0;
  if (alone && read.remote === undefined) throw new ConfigError('keySets', 'expected at least one keyset');
  refuseOtherIssuers(keysets, keys);
  const rules = read.claims ?? compileRules({}, 'claims');
  if (read.groups !== undefined && claimNames(rules).includes('groups'))
    throw new ConfigError('claims.groups', 'groups are found after this; put the rule on routes');
  if (read.groups?.groupCase === 'insensitive') refuseUnfolded(read.routes ?? new Map());
  if (profile !== undefined && read.typ !== undefined)
    throw new ConfigError('typ', 'is what profile says; leave it out');
  return Object.freeze<AuthenticatorSettings>({
    keysets,
    keys,
    stores: { secret: read.secrets, externalSecret: read.externalSecrets },
    missingIssuerReachesAll: read.unsafeMissingIssuer === 'all-keysets',
    remote: read.remote && completeRemote(read.remote, alone),
    groups: read.groups && completeGroups(read.groups, delimiter),
    systemSubject: read.systemSubject,
    registered: Object.freeze({
      audience: read.audience,
      audienceMatch: read.audMatch,
      clockSkewMs: read.clockSkew,
      requireExp: read.requireExp,
      treatIatAsNbf: read.treatIatAsNbf,
      maxTokenAgeMs: read.maxTokenAge,
      required: profile === undefined ? [] : AT_JWT_CLAIMS,
      acceptSenderConstrained: read.unsafeAcceptSenderConstrained,
    }),
    tokens: read.tokenFrom,
    claims: rules,
    issuers: read.issuers,
    delimiter,
    routes: read.routes ?? new Map(),
    mode: read.mode,
    types: profile === undefined ? (read.typ ?? new Set([undefined, 'jwt', 'at+jwt'])) : new Set([profile]),
    maxTokenBytes: read.maxTokenBytes,
    cache: read.cache,
    realm: read.realm,
    clock: read.clock,
  });
}

/** Groups are in lower case: a rule on another spelling never holds, or as `noneOf` never fails. @throws ConfigError */
function refuseUnfolded(routes: NamedRoutes): void {
  for (const [name, { claims }] of routes) {
    const unfolded = unfoldedGroup(claims);
    if (unfolded !== undefined)
      throw new ConfigError(
        `routes.${name}.claims.groups`,
        `expected groups in lower case, as groupCase makes them; write '${foldCase(unfolded)}'`,
      );
  }
}

/** `cache`; undefined where no tokens are kept. */
function readCache(value: unknown, path: string): CacheLimits | undefined {
  return value === false ? undefined : cacheOptions.read(value === undefined ? {} : value, path);
}
