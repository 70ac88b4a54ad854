// Options of an authenticator: their type, and the table that reads each of them. What they mean
// together is checked in settings.ts.
import { isHeaderText } from '../challenge.ts';
import { type AudienceMatch, audiencesOrNull } from '../claims/audience.ts';
import { type IssuerRule, issuers, issuersJudge } from '../claims/issuers.ts';
import type { Rules } from '../claims/rules.ts';
import { type ScopesOptions, scopes } from '../claims/scopes.ts';
import { tokenRules } from '../claims/token-rules.ts';
import { readTokenFrom } from '../credentials/find.ts';
import { type Carrier, carrierOptions } from '../credentials/options.ts';
import { ConfigError } from '../errors.ts';
import { type GroupsOptions, groupsOptions } from '../groups/options.ts';
import type { KeysetFor } from '../keysets/keyset-for.ts';
import { type LegacyKeyOptions, legacyKeys } from '../keysets/legacy-options.ts';
import { type KeysetOptions, type KeysetSettings, keyset } from '../keysets/options.ts';
import { authenticatorHints } from '../keysets/other-packages.ts';
import {
  acceptedTypes,
  type KeysetTokenOptions,
  maxLifetime,
  maxTokenAge,
  numericSub,
  profile,
} from '../keysets/token-options.ts';
import { type MutualTlsOptions, mutualTls } from '../possession/mutual-tls-options.ts';
import { type DpopOptions, dpop } from '../possession/options.ts';
import { type ReplayStore, readReplayStore } from '../possession/replay.ts';
import { type RemoteOptions, remoteOptions } from '../remote/options.ts';
import { type ResourceOptions, resource, resources } from '../resource/options.ts';
import { type RevocationFeed, readRevocationFeed } from '../revocation/feed.ts';
import { type RevocationOptions, revocation, revocationOptions } from '../revocation/options.ts';
import { store } from '../secrets/options.ts';
import type { SecretStore } from '../secrets/store.ts';
import { type Clock, readClock } from '../values/clock.ts';
import type { Duration } from '../values/duration.ts';
import { coming, flag, type Judge, lasting, other, ranked, replaced } from '../values/judge.ts';
import { kindOf } from '../values/kind.ts';
import {
  boolean,
  choice,
  defaulted,
  durationFrom,
  fromCode,
  maxTokenBytes,
  needed,
  object,
  optional,
  refined,
  shared,
  type TableOf,
  text,
  whole,
} from '../values/option.ts';
import { isPlainObject } from '../values/readers.ts';
import { type AuthenticationMode, mode, type NamedRoute, routes } from './access.ts';
import type { RefusalHook } from './refusal-hook.ts';
import type { CacheLimits } from './token-cache.ts';

/** The options of an authenticator, except its audience. */
interface CommonOptions {
  /**
   * The keysets, asked in this order; several may be for one issuer. At least one is required,
   * unless there are `keys` or `remote` decides alone.
   */
  readonly keySets: readonly KeysetOptions[];
  /**
   * Finds the keyset of an issuer that no keyset names, for tenants in a database. It is asked
   * about https issuers of at most 512 characters only, and what it gives is checked like an entry
   * of `keySets`, whose `issuer` must be the one that was asked. An answer is used for a minute: a
   * token of an issuer that has none any more, also one in the cache, is accepted for that long at
   * most. A no counts for ten seconds. If it throws, rejects, takes longer than five seconds or
   * gives a wrong keyset, the answer to the request is 503. At most 1,000 keysets of issuers whose
   * tokens have verified are kept. Only code can give it. Default: none. Example:
   * `async (issuer) => (await tenants.find({ issuer }))?.keyset`.
   */
  readonly keysetFor?: KeysetFor;
  /**
   * Raw keys in secrets, found by issuer and then by key id. Any of them may verify a token without
   * an issuer.
   * @deprecated Use keysets: this list is for descriptors that still have it, and causes a warning.
   */
  readonly keys?: readonly LegacyKeyOptions[];
  /** The store of the secrets of `keys`, and of keysets with `secret`. */
  readonly secrets?: SecretStore;
  /** The store of the secrets of keysets with `externalSecret`. */
  readonly externalSecrets?: SecretStore;
  /**
   * Lets every keyset verify a token without `iss`, and not only keysets without an issuer. Causes
   * a warning. Default: off.
   */
  readonly unsafeMissingIssuer?: 'all-keysets';
  /**
   * The protected resource that the service is (RFC 9728): challenges name the URL of its metadata,
   * which `publishResource` serves. Its `url` is the default of `audience`. Default: none.
   */
  readonly resource?: ResourceOptions;
  /**
   * Other resources of the same service, by the names that routes give (`resource: 'files'`). A
   * token is accepted on the routes of a resource only if its `aud` has the URL of this resource,
   * and on all other routes only if its `aud` has one of `audience` that is not the URL of a
   * resource in this list. A keyset with its own `audience` makes tokens for a resource only if the
   * URL of the resource is in that audience. Needs `resource`; not with `audMatch: 'all'`. Default:
   * none.
   */
  readonly resources?: { readonly [name: string]: ResourceOptions };
  /** An endpoint that validates tokens: alone, or before the keysets. */
  readonly remote?: RemoteOptions;
  /** The source of the groups of a principal. Default: the `groups` claim. */
  readonly groups?: GroupsOptions;
  /**
   * The subject of the tokens with which services of this system call each other, such as `okera`.
   * A token with this subject is valid only if a keyset with `system: true` verifies it; from other
   * keysets it is refused. Default: no special subject.
   */
  readonly systemSubject?: string;
  /**
   * `all`: the token must name all of the audiences. `only`: it must name one of them, and no
   * others, so a token that is also for another service is refused. Applies to the audiences of
   * keysets too. Default `any`.
   */
  readonly audMatch?: AudienceMatch;
  /**
   * The only accepted issuers, by name or by pattern. They also need keys here; useful for keysets
   * without an issuer. Default: all.
   */
  readonly issuers?: readonly IssuerRule[];
  /** The places where a token may be. Default: `Authorization: Bearer …` only. */
  readonly tokenFrom?: readonly Carrier[];
  /**
   * Refuses requests that did not come by https, before a token is read and in every mode: 403
   * `transport_insecure`. The framework says how a request came; behind a proxy that ends TLS, set
   * its option that trusts the proxy (`trust proxy` of Express, `proxy` of Koa, `trustProxy` of
   * Fastify). Where nothing says it, the request is refused. For an upgrade, it is `protocol` of
   * the request, or else the socket. Does not apply to public routes, nor to `verify`, which gets a
   * token alone. Default false.
   */
  readonly requireSecureTransport?: boolean;
  /** Rules on every token. If one does not hold, the token is invalid: 401. */
  readonly claims?: Rules;
  /**
   * How the scopes of a token are read. `scope` and `scp`, each a space-delimited string or a list,
   * are one set; rules on either are judged by it. Default: no implied scopes.
   */
  readonly scopes?: ScopesOptions;
  /**
   * Adds `Access-Control-Expose-Headers: WWW-Authenticate` to refusals, so that a script of another
   * origin can read the challenge. Does *not* allow that origin: the service does, by its CORS
   * settings. Replaces the list that these have set on a refusal. Default false.
   */
  readonly exposeChallenge?: boolean;
  /**
   * What routes require, by name, for `requireClaims(route('admin'))`: the file has the rules, and
   * the code only names them. Default: none.
   */
  readonly routes?: { readonly [name: string]: NamedRoute };
  /** Leeway for `exp`, `nbf` and `iat`, 0s to 60s. Default 5s. */
  readonly clockSkew?: Duration;
  /**
   * The delimiter that splits a claim name of a rule into a path: with `.`, a rule on
   * `realm_access.roles` is on `roles` in `realm_access`. A backslash makes a delimiter literal.
   * Default: names are not split. Types do not see this option: declare it in the global interface
   * `LatchkeyTypeSettings`, and such rules type the claims inside the others.
   */
  readonly nestedClaimDelimiter?: string;
  /**
   * `optional`: a request without a token is anonymous; an invalid token is refused. `permissive`:
   * a request with an invalid token is anonymous too, and `refusalOf(request)` returns the reason;
   * a token that cannot be checked is still answered with 503. Default `strict`.
   */
  readonly mode?: AuthenticationMode;
  /**
   * The accepted `typ` values (RFC 8725 §3.11); one of them is then required. Default: no `typ`,
   * `JWT` or `at+jwt`. Compared without case and without `application/`.
   */
  readonly typ?: string | readonly string[];
  /** Refuses a token without `exp`. Default true. */
  readonly requireExp?: boolean;
  /**
   * Requires `iat`, and refuses a token before that time, whether or not it has `nbf`. Default
   * false.
   */
  readonly treatIatAsNbf?: boolean;
  /**
   * Accepts a token with `iat` in the future, where `iat` only informs (RFC 7519 §4.1.6). Such a
   * token comes from a wrong clock, so prefer `clockSkew`. `iat` must still be a time, and not
   * after `exp`. Not together with `treatIatAsNbf`, `maxTokenAge` or `maxLifetime`, which judge by
   * `iat`. Default false.
   */
  readonly allowFutureIat?: boolean;
  /**
   * How long after `iat` a token is accepted; `iat` is then required. Default: no limit other than
   * `exp`.
   */
  readonly maxTokenAge?: Duration;
  /**
   * The longest time from `iat` to `exp`, 1s to 3650d: a token that was made for longer is refused,
   * however young it is. Both claims are then required, so not together with `requireExp: false` or
   * `allowFutureIat`. Default: any.
   */
  readonly maxLifetime?: Duration;
  /**
   * Accepts a `sub` that is a whole number from -(2^53 - 1) to 2^53 - 1, although RFC 7519 §4.1.2
   * says a string, and makes it the decimal text: the subject of `42` is `'42'`, in
   * `principal.claims` and for rules too. So `42` and `'42'` are one subject: set it only if the
   * issuer means the same account by both, or never writes one of them. Other numbers are refused.
   * Default false: a number is refused with `token_claims_invalid`.
   */
  readonly numericSub?: boolean;
  /**
   * `at+jwt`: access tokens as RFC 9068 defines them. `typ` must be `at+jwt`, and `iss`, `exp`,
   * `aud`, `sub`, `client_id`, `iat` and `jti` are required. `auth_time`, `acr`, `amr` and `scope`
   * must have their types if they are there: a time, a string, a list of strings, and a string. Not
   * together with `typ`.
   *
   * `fapi2`: what the FAPI 2.0 Security Profile requires of resource servers. Tokens must be bound
   * to a key or a certificate, come in the header Authorization, and be signed with PS256, ES256 or
   * EdDSA. Options that contradict it are refused, above all each `unsafe…`. `typ` and the profile
   * of a keyset say which kind of token is accepted.
   */
  readonly profile?: 'at+jwt' | 'fapi2';
  /**
   * Accepts tokens that are bound to a key (`cnf`: DPoP, mutual TLS) from any sender, without proof
   * of the key. Not together with `dpop` and `mutualTls`, which judge the proof. Default: they are
   * refused.
   */
  readonly unsafeAcceptSenderConstrained?: boolean;
  /**
   * How tokens that are bound to a key by DPoP (RFC 9449) are accepted: with a proof of the key,
   * which is judged for each request. Default: they are refused. Example: `{ mode: 'allowed',
   * publicUrl: 'https://api.example.com' }`.
   */
  readonly dpop?: DpopOptions;
  /**
   * How tokens that are bound to a certificate of the client (RFC 8705) are accepted: over a
   * connection of a client that has this certificate, or from a proxy that names it. It is judged
   * for each request. Default: they are refused. Example: `{ mode: 'allowed' }`.
   */
  readonly mutualTls?: MutualTlsOptions;
  /**
   * `required`: a token must be bound to a key or to a certificate, each as `dpop` and `mutualTls`
   * say; one of them is needed. `dpop.mode: 'required'` and `mutualTls.mode: 'required'` require
   * their own binding each, and together both. Default `allowed`: as `dpop` and `mutualTls` say.
   */
  readonly senderConstrained?: 'required' | 'allowed';
  /**
   * Remembers which proofs were used, for all processes of the service: see `ReplayStore`. Only
   * code can give it. Default: each process remembers the proofs that it has accepted.
   */
  readonly replayStore?: ReplayStore;
  /**
   * Ends tokens before they expire: `revoke` of the authenticator does, and a file or a feed that
   * several processes share. Judged for each request, also for tokens in the cache and those that a
   * remote endpoint accepts. Default: a token is accepted until it expires. Example: `{ file:
   * 'revocations.jsonl' }`; `{}` is a list in the memory of this process.
   */
  readonly revocation?: RevocationOptions;
  /**
   * The list of revocations that all processes of the service share, instead of a file: see
   * `RevocationFeed`. Alone, it means `revocation: {}`. Only code can give it. Default: none.
   */
  readonly revocationFeed?: RevocationFeed;
  /**
   * The cache of verified tokens. A token that has verified twice is cached, and not verified again
   * while its times and its key are valid; rules are checked each time. `tokens` limits the number,
   * default 10000, and `bytes` the memory, default 25165824 (24 MiB). When the cache is full, the
   * tokens that are used most stay. False turns the cache off.
   */
  readonly cache?: { readonly tokens?: number; readonly bytes?: number } | false | undefined;
  /**
   * Is called for each refused request, with the refusal and the framework's request object: for
   * logs, `onRefusal: (refusal, { method, url }) => console.warn(method, url, refusal)` writes one
   * line. Adapters and `authenticateUpgrade` call it, also for the rules of a route; the methods of
   * an authenticator throw the refusal instead. It cannot change the decision: what it throws is a
   * process warning. Default: refused requests are not reported.
   */
  readonly onRefusal?: RefusalHook;
  /**
   * Loads the keys when the service starts, in the background, so that a source that fails warns at
   * the start and not at the first request. Adapters do this; without one, call `ready()`. False:
   * keys are loaded with the first token that needs them. Default true.
   */
  readonly loadAtStart?: boolean;
  /**
   * A longer token is refused before it is parsed. Bytes, 256 to 65536. Default 16384: all that
   * Node lets in, whose servers answer 431 to longer headers (`maxHeaderSize`).
   */
  readonly maxTokenBytes?: number;
  /** The realm in challenges. Printable ASCII. Default: none. */
  readonly realm?: string;
  /**
   * A clock for tests. Its `now()` does not affect the ages of fetched keys and the pauses between
   * readings: they are measured by its `monotonic()`. Default: the system clock.
   */
  readonly clock?: Clock;
}

/** The options of a service that says its audience once. */
interface ServiceAudienceOptions extends CommonOptions {
  /**
   * The audience of this service, or several. Null turns the check of `aud` off. Each of several
   * keysets can make tokens for all of these audiences: `audience` of a keyset prevents that. May
   * be left out only if every keyset has its own, and there are neither `keys` nor `remote`.
   */
  readonly audience: string | readonly string[] | null;
}

/** The options of a service that is a protected resource. */
interface ResourceAudienceOptions extends CommonOptions {
  readonly resource: ResourceOptions;
  /** The audience of this service, or several. Default: `resource.url`, exactly as written. */
  readonly audience?: string | readonly string[] | null;
}

/** The options of a service whose keysets each say their audience. */
interface KeysetAudienceOptions extends CommonOptions {
  readonly keySets: readonly (KeysetOptions & Required<Pick<KeysetTokenOptions, 'audience'>>)[];
  readonly audience?: never;
  readonly keys?: never;
  readonly remote?: never;
}

/** Which tokens a service trusts, and what they must contain. */
export type AuthenticatorOptions = ServiceAudienceOptions | ResourceAudienceOptions | KeysetAudienceOptions;

/** Leaves room in a challenge for the scopes. */
const MAX_REALM = 256;
const STRICT: readonly unknown[] = ['all', 'only'];

/** Both `all` and `only` are stricter than `any`, and neither is stricter than the other. */
const audMatchJudge: Judge = (before, after) => {
  const says = 'how audiences are compared';
  if (STRICT.includes(before) && STRICT.includes(after)) return replaced(says)(before, after);
  const strict = [before, after].includes('only') ? 'only' : 'all';
  return ranked([strict, 'any'], says)(before, after, 'any');
};

const limit = (fallback: number, doc: string) =>
  defaulted(
    whole(1, 2 ** 32 - 1, 'expected a whole number under 2^32; cache: false keeps nothing'),
    fallback,
    doc,
  );

/** The options of `cache`. */
export const cacheOptions = object({
  tokens: limit(10_000, 'The greatest number of tokens.'),
  bytes: limit(24 * 1024 * 1024, 'The greatest sum of their sizes, in bytes.'),
});

/** The options of an authenticator, without `signing` of a descriptor. */
export const authenticatorOptions = object(
  {
    keySets: needed(
      {
        // May be empty: readOptions checks whether other options allow that.
        read(value, path): readonly KeysetSettings[] {
          if (!Array.isArray(value)) throw new ConfigError(path, noKeysets(value));
          const read = (one: unknown, index: number) => Object.freeze(keyset.read(one, `${path}[${index}]`));
          return Object.freeze(Array.from(value, read));
        },
        schema: { type: ['array', 'null'], items: keyset.schema, default: [] },
      },
      'The keysets that verify tokens: one for each source of keys. They are asked in this order.',
    ),
    keysetFor: optional(
      fromCode(readFinder),
      'A function that finds the keyset of an issuer that no keyset names, such as one of a tenant in a database.',
    ),
    keys: optional(
      { ...legacyKeys, schema: { ...legacyKeys.schema, deprecated: true } },
      'Single keys in secrets, found by issuer and key id. latchkey jwks migrate turns them into keysets.',
    ),
    secrets: optional(store, 'The store of the secrets of keys, and of keysets with secret.'),
    externalSecrets: optional(store, 'The store of the secrets of keysets with externalSecret.'),
    unsafeMissingIssuer: optional(
      choice('all-keysets'),
      'all-keysets: any keyset may verify a token without iss.',
      coming(
        ['opens', 'a token without iss may be verified by any keyset'],
        ['closes', 'only keysets without an issuer verify a token without iss'],
        replaced('a token without iss may be verified by any keyset'),
      ),
    ),
    remote: optional(
      { ...remoteOptions, schema: shared('remote', remoteOptions.schema ?? {}) },
      'An endpoint that validates tokens: on its own, or before the keysets.',
    ),
    groups: optional(
      { ...groupsOptions, schema: shared('groups', groupsOptions.schema ?? {}) },
      'The source of the groups of a subject. Default: the groups claim.',
    ),
    systemSubject: optional(
      text,
      'The sub of the tokens with which services of this system call each other. Only keysets with system: true may verify them.',
      coming(
        ['closes', 'only keysets of the system verify tokens of its subject'],
        ['opens', 'every keyset verifies tokens of the system subject'],
        replaced('the system subject has changed'),
      ),
    ),
    audience: optional(
      audiencesOrNull,
      'The name of this service in aud, or several names. null turns the check of aud off. Required, unless every keyset has its own. Default, with resource: its url.',
    ),
    resource: optional(
      { ...resource, schema: shared('resource', resource.schema ?? {}) },
      'The protected resource that the service is, RFC 9728: its challenges name the URL of its metadata.',
    ),
    resources: optional(
      { ...resources, schema: { type: 'object', additionalProperties: { $ref: '#/$defs/resource' } } },
      'Other resources of the service, by the names that routes give. A token is accepted there only if it is for that resource.',
    ),
    audMatch: defaulted(
      choice('any', 'all', 'only'),
      'any',
      'any: a token must name one of the audiences. all: it must name all of them. only: it must name no others.',
      audMatchJudge,
    ),
    issuers: optional(
      issuers,
      'The only accepted issuers, by name or by pattern. They also need keys here. Default: all.',
      issuersJudge,
    ),
    tokenFrom: defaulted(
      {
        read: readTokenFrom,
        schema: {
          type: 'array',
          minItems: 1,
          items: shared('carrier', {
            ...carrierOptions.schema,
            description: 'One place where a token may be.',
          }),
        },
      },
      [{ header: 'Authorization' }],
      'The places where a request may have its token.',
    ),
    requireSecureTransport: defaulted(
      boolean,
      false,
      'Whether requests that did not come by https are refused, before a token is read. Behind a proxy, the framework must be set to trust the proxy.',
      flag('closes', 'requests must come by https'),
    ),
    claims: optional(tokenRules, 'Rules on every token. If one does not hold, the answer is 401.'),
    scopes: optional(
      scopes,
      'How the scopes of a token are read: which claims have them, and which imply others.',
    ),
    exposeChallenge: defaulted(
      boolean,
      false,
      'Whether scripts of other origins may read the challenge of a refusal (Access-Control-Expose-Headers).',
      other('scripts of other origins may read challenges, or may not'),
    ),
    routes: optional(
      routes,
      'What single routes require of a token, by a name that the application uses, such as admin or GET /admin.',
    ),
    nestedClaimDelimiter: optional(
      refined(
        text,
        (delimiter, path) => {
          if (!delimiter.includes('\\')) return delimiter;
          throw new ConfigError(path, 'must not contain a backslash, which escapes it');
        },
        { type: 'string', pattern: '^[^\\\\]*\\S[^\\\\]*$' },
      ),
      'Splits claim names into paths: with ".", a rule on realm_access.roles is about roles inside realm_access.',
      replaced('claim names in rules are split differently'),
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
      'strict: a valid token is required. optional: a request without a token is anonymous. permissive: a request with an invalid token is anonymous too.',
      ranked(['strict', 'optional', 'permissive'], 'mode'),
    ),
    typ: optional(
      acceptedTypes,
      'The accepted typ values; one of them is then required. Default: no typ, JWT or at+jwt.',
    ),
    requireExp: defaulted(boolean, true, 'Whether exp is required.', flag('closes', 'a token must have exp')),
    treatIatAsNbf: defaulted(
      boolean,
      false,
      'Whether iat is required, and a token is refused before that time.',
      flag('closes', 'iat is required, and counts as nbf'),
    ),
    allowFutureIat: defaulted(
      boolean,
      false,
      'Whether iat may be in the future. Not together with treatIatAsNbf, maxTokenAge or maxLifetime.',
      flag('opens', 'iat may be in the future'),
    ),
    maxTokenAge: optional(maxTokenAge, 'How long after iat a token is accepted; iat is then required.'),
    maxLifetime: optional(
      maxLifetime,
      'The longest time from iat to exp; both are then required. 1s to 3650d.',
    ),
    numericSub: optional(
      numericSub,
      'Whether sub may be a whole number, which becomes a text: 42 and "42" are one subject.',
    ),
    profile: optional(
      { ...choice('at+jwt', 'fapi2'), judge: profile.judge },
      'at+jwt: tokens must be OAuth access tokens by RFC 9068, with all claims that it requires. fapi2: the service must do what the FAPI 2.0 Security Profile requires.',
    ),
    unsafeAcceptSenderConstrained: defaulted(
      boolean,
      false,
      'Whether tokens that are bound to a key are accepted without proof of the key.',
      flag('opens', 'key-bound tokens are accepted from any sender'),
    ),
    dpop: optional(
      { ...dpop, schema: shared('dpop', dpop.schema ?? {}) },
      'How tokens that are bound to a key are accepted with its proof, RFC 9449. Default: they are refused.',
    ),
    mutualTls: optional(
      { ...mutualTls, schema: shared('mutualTls', mutualTls.schema ?? {}) },
      'How tokens that are bound to a certificate of the client are accepted, RFC 8705. Default: they are refused.',
    ),
    senderConstrained: defaulted(
      choice('required', 'allowed'),
      'allowed',
      'required: a token must be bound to a key or to a certificate. allowed: as dpop and mutualTls say.',
      ranked(['required', 'allowed'], 'tokens that are bound in no way'),
    ),
    replayStore: optional(
      fromCode(readReplayStore),
      'The store of used proofs, for several processes. Default: the memory of each process.',
    ),
    revocation: optional(
      { ...revocation, schema: shared('revocation', revocation.schema ?? {}) },
      'How tokens are ended before they expire: by a file, or in the memory of each process. Default: a token is accepted until it expires.',
      coming(
        ['closes', 'revoked tokens are refused'],
        ['opens', 'revocations are not judged any more'],
        revocationOptions.judge,
      ),
    ),
    revocationFeed: optional(
      fromCode(readRevocationFeed),
      'The list of revocations that several processes share. Default: a file, or the memory of each process.',
    ),
    cache: {
      ...optional(
        { read: readCache, schema: { anyOf: [{ const: false }, cacheOptions.schema] } },
        'How many verified tokens are cached, by number and by bytes. false: none. Default: as below.',
        other('the limits of the token cache have changed'),
      ),
      read: readCache,
    },
    onRefusal: optional(
      fromCode(readHook),
      'A function that is called for each refused request. It cannot change the decision.',
    ),
    loadAtStart: defaulted(
      boolean,
      true,
      'Whether keys are loaded when the service starts. false: with the first token that needs them.',
      other('keys are loaded at another time'),
    ),
    maxTokenBytes: maxTokenBytes(16_384, 'A longer token is refused before it is parsed. In bytes.'),
    realm: optional(
      refined(text, (realm, path) => {
        if (!isHeaderText(realm))
          throw new ConfigError(path, 'expected printable ASCII, got other characters');
        if (realm.length > MAX_REALM)
          throw new ConfigError(path, `expected at most ${MAX_REALM} characters, got ${realm.length}`);
        return realm;
      }),
      'The realm in challenges to clients. Printable ASCII.',
      other('the realm in challenges has changed'),
    ),
    clock: needed(fromCode<Clock>(readClock), 'A clock for tests. Default: the system clock.'),
  } satisfies TableOf<AuthenticatorOptions>,
  {
    anyOf: [
      { required: ['keySets'], properties: { keySets: { type: 'array', minItems: 1 } } },
      { required: ['keys'] },
      { required: ['remote'] },
    ],
    dependentSchemas: {
      profile: {
        anyOf: [{ properties: { profile: { const: 'fapi2' } } }, { properties: { typ: false } }],
      },
      maxLifetime: { properties: { requireExp: { const: true } } },
      resources: { required: ['resource'], properties: { audMatch: { not: { const: 'all' } } } },
    },
    not: {
      required: ['allowFutureIat'],
      properties: { allowFutureIat: { const: true } },
      anyOf: [
        { required: ['maxTokenAge'] },
        { required: ['maxLifetime'] },
        { required: ['treatIatAsNbf'], properties: { treatIatAsNbf: { const: true } } },
      ],
    },
  },
  { like: 'options, such as { keySets, audience }', hints: authenticatorHints },
);

/** What is wrong with `keySets`. */
export function noKeysets(value: unknown): string {
  if (value === undefined)
    return "is required: a list of keysets, like [{ issuer: 'https://…', useOidcDiscovery: true }]";
  if (Array.isArray(value)) return 'expected at least one keyset, got an empty list';
  const fix = isPlainObject(value) ? '; put the keyset into [ ]' : '';
  return `expected a list of keysets, got ${kindOf(value)}${fix}`;
}

function readFinder(value: unknown, path: string): KeysetFor {
  if (typeof value === 'function') return value as KeysetFor;
  throw new ConfigError(path, 'expected a function; it gets an issuer, and returns a keyset or undefined');
}

function readHook(value: unknown, path: string): RefusalHook {
  if (typeof value === 'function') return value as RefusalHook;
  throw new ConfigError(path, 'expected a function; it gets the refusal and the request');
}

/** `cache`; undefined where no tokens are kept. */
function readCache(value: unknown, path: string): CacheLimits | undefined {
  return value === false ? undefined : cacheOptions.read(value === undefined ? {} : value, path);
}
