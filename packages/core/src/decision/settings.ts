// Checks the options of an authenticator with each other, and completes them. Each option alone is
// read by the tables in options.ts.
import type { DpopChallenge, ProtectionSpace } from '../challenge.ts';
import { type CompiledRules, compileRules, needsOf, unfoldedGroup } from '../claims/compile.ts';
import type { IssuerMatcher } from '../claims/issuers.ts';
import { PLAIN_SCOPES, type ScopeSettings } from '../claims/scopes.ts';
import type { TokenFinder } from '../credentials/find.ts';
import { ConfigError } from '../errors.ts';
import { completeGroups, type GroupsSettings } from '../groups/options.ts';
import type { KeysetForSettings } from '../keysets/keyset-for.ts';
import type { LegacyKeySettings } from '../keysets/legacy-options.ts';
import { type KeysetSettings, keyset, refuseOtherIssuers, type SecretStores } from '../keysets/options.ts';
import { issuersOf } from '../keysets/tenants.ts';
import {
  bindingModes,
  completePossession,
  type PossessionSettings,
  whyNotProvable,
  withDpopScheme,
} from '../possession/create.ts';
import type { DpopSettings } from '../possession/options.ts';
import type { ReplayStore } from '../possession/replay.ts';
import { checkRouteBindings } from '../possession/route.ts';
import { completeRemote, type RemoteSettings } from '../remote/options.ts';
import { type ProtectedResource, resourcesOf } from '../resource/metadata.ts';
import type { RevocationFeed } from '../revocation/feed.ts';
import { type RevocationSettings, revocation } from '../revocation/options.ts';
import type { Clock } from '../values/clock.ts';
import { foldCase } from '../values/fold.ts';
import type { AuthenticationMode, NamedRoutes } from './access.ts';
import { completeFapi2, completeFapi2Keyset, isFapi2 } from './fapi2.ts';
import { type AuthenticatorOptions, authenticatorOptions, noKeysets } from './options.ts';
import type { RefusalHook } from './refusal-hook.ts';
import { checkResources, type RouteResources, routeResources } from './route-resources.ts';
import type { CacheLimits } from './token-cache.ts';
import {
  type CommonTokenOptions,
  checkTokenOptions,
  type TokenPolicy,
  tokenPolicyOf,
} from './token-policy.ts';

/** `keysetFor`, with what the tokens of a keyset that it finds must be. */
interface FindingSettings extends KeysetForSettings {
  policyOf(found: KeysetSettings): TokenPolicy;
}

/** Options, checked and with all defaults. */
export interface AuthenticatorSettings {
  readonly keysets: readonly KeysetSettings[];
  readonly keys: readonly LegacyKeySettings[];
  readonly stores: SecretStores;
  readonly missingIssuerReachesAll: boolean;
  readonly keysetFor: FindingSettings | undefined;
  readonly remote: RemoteSettings | undefined;
  readonly groups: GroupsSettings | undefined;
  readonly systemSubject: string | undefined;
  /** What tokens of all keysets must be, except of those that are in `policies`. */
  readonly policy: TokenPolicy;
  /** By keysets that have options of their own. */
  readonly policies: ReadonlyMap<KeysetSettings, TokenPolicy>;
  readonly tokens: TokenFinder;
  /** Undefined: tokens that are bound to a key or a certificate are refused. */
  readonly possession: PossessionSettings | undefined;
  readonly replayStore: ReplayStore | undefined;
  /** Undefined: no token is ended before it expires. */
  readonly revocation: RevocationSettings | undefined;
  readonly revocationFeed: RevocationFeed | undefined;
  readonly requireSecureTransport: boolean;
  /** The rules on every token, for challenges. `policy` has them too. */
  readonly claims: CompiledRules;
  readonly scopes: ScopeSettings;
  readonly issuers: IssuerMatcher | undefined;
  readonly delimiter: string | undefined;
  readonly routes: NamedRoutes;
  readonly mode: AuthenticationMode;
  readonly maxTokenBytes: number;
  readonly cache: CacheLimits | undefined;
  readonly loadAtStart: boolean;
  readonly onRefusal: RefusalHook | undefined;
  /** That of `resource`, then those of `resources`. */
  readonly published: readonly ProtectedResource[];
  /** The resources that routes name. */
  readonly resources: RouteResources;
  /** What all challenges have in common; undefined if they have nothing. */
  readonly space: ProtectionSpace | undefined;
  readonly clock: Clock;
}

/**
 * Checks options. The result is a snapshot: later changes to the object have no effect. Creates
 * nothing that could call the network or start a timer.
 * @throws ConfigError
 */
export function readOptions(value: AuthenticatorOptions): AuthenticatorSettings {
  const inFapi2 = isFapi2(value);
  const { profile, ...read } = authenticatorOptions.read(inFapi2 ? completeFapi2(value) : value, '');
  const { keys = [], keySets: keysets, nestedClaimDelimiter: delimiter } = read;
  const alone = keysets.length + keys.length === 0 && read.keysetFor === undefined;
  if (alone && read.remote === undefined) throw new ConfigError('keySets', noKeysets([]));
  refuseOtherIssuers(keysets, keys, read.keysetFor !== undefined);
  const possession = completePossession(read);
  const dpop = possession?.dpop;
  const common: CommonTokenOptions = {
    ...read,
    // The other one has completed the options.
    profile: profile === 'fapi2' ? undefined : profile,
    audience:
      read.audience === undefined && read.resource !== undefined
        ? new Set([read.resource.url])
        : read.audience,
    claims: read.claims ?? compileRules({}, 'claims'),
    resourceUrls: new Set([...(read.resources ?? [])].map(([, { url }]) => url)),
    registered: {
      audienceMatch: read.audMatch,
      clockSkewMs: read.clockSkew,
      requireExp: read.requireExp,
      treatIatAsNbf: read.treatIatAsNbf,
      allowFutureIat: read.allowFutureIat,
      acceptSenderConstrained: read.unsafeAcceptSenderConstrained,
      whyNotProvable: possession && whyNotProvable(possession),
    },
  };
  const routes: NamedRoutes = read.routes ?? new Map();
  // First, because resources make an audience: a message about it would hide theirs.
  checkResources(read, routes);
  checkPossession(possession, read.unsafeAcceptSenderConstrained, routes);
  const others = keys.length > 0 || read.remote !== undefined;
  checkTokenOptions(common, keysets, { others, groups: read.groups !== undefined });
  if (read.groups?.groupCase === 'insensitive') refuseUnfolded(routes);
  const always = [common.claims, ...keysets.flatMap(({ tokens }) => tokens.claims ?? [])];
  const found = resourcesOf(read, (name) => ({
    issuers: keysets.flatMap(issuersOf),
    scopes: [
      ...always,
      ...[...routes.values()]
        .filter(({ requires }) => requires.resource === name)
        .map(({ claims }) => claims),
    ]
      .flatMap((rules) => needsOf(rules))
      .flatMap(({ names }) => names),
    methods: read.tokenFrom.bearerMethods,
    dpop,
    mutualTls: possession?.mutualTls !== undefined,
  }));
  const space = spaceOf({ ...read, dpop }, found.own?.metadataUrl);
  return Object.freeze<AuthenticatorSettings>({
    keysets,
    keys,
    stores: { secret: read.secrets, externalSecret: read.externalSecrets },
    missingIssuerReachesAll: read.unsafeMissingIssuer === 'all-keysets',
    keysetFor:
      read.keysetFor &&
      Object.freeze<FindingSettings>({
        find: read.keysetFor,
        read: (given, issuer, path) => {
          const written = inFapi2 ? completeFapi2Keyset(given, path) : given;
          return readFound(written, issuer, path, common, read.groups !== undefined);
        },
        policyOf: ({ tokens }) => tokenPolicyOf(common, tokens),
      }),
    remote: read.remote && completeRemote(read.remote, alone),
    groups: read.groups && completeGroups(read.groups, delimiter),
    systemSubject: read.systemSubject,
    policy: tokenPolicyOf(common),
    policies: new Map(
      keysets.flatMap((keyset) =>
        Object.values(keyset.tokens).every((own) => own === undefined) &&
        keyset.tenancy?.boundClaim === undefined
          ? []
          : [[keyset, tokenPolicyOf(common, keyset.tokens, keyset.tenancy)]],
      ),
    ),
    tokens: dpop === undefined ? read.tokenFrom : withDpopScheme(read.tokenFrom),
    possession,
    replayStore: read.replayStore,
    revocation: revocationOf(read),
    revocationFeed: read.revocationFeed,
    requireSecureTransport: read.requireSecureTransport,
    claims: common.claims,
    scopes: read.scopes ?? PLAIN_SCOPES,
    issuers: read.issuers,
    delimiter,
    routes,
    mode: read.mode,
    maxTokenBytes: read.maxTokenBytes,
    cache: read.cache,
    loadAtStart: read.loadAtStart,
    onRefusal: read.onRefusal,
    published: Object.freeze([...(found.own === undefined ? [] : [found.own]), ...found.named.values()]),
    resources: routeResources(found.named, read.audMatch, {
      realm: read.realm,
      isExposed: read.exposeChallenge,
      dpop: dpopChallenge(dpop),
    }),
    space,
    clock: read.clock,
  });
}

/**
 * Groups are in lower case: a rule on another spelling never holds, or as `noneOf` never fails.
 * @throws ConfigError
 */
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

function spaceOf(
  {
    realm,
    exposeChallenge: isExposed,
    dpop,
  }: {
    readonly realm: string | undefined;
    readonly exposeChallenge: boolean;
    readonly dpop: DpopSettings | undefined;
  },
  resourceMetadata: string | undefined,
): ProtectionSpace | undefined {
  if (realm === undefined && resourceMetadata === undefined && !isExposed && dpop === undefined)
    return undefined;
  return Object.freeze({ realm, resourceMetadata, isExposed, dpop: dpopChallenge(dpop) });
}

function dpopChallenge(dpop: DpopSettings | undefined): DpopChallenge | undefined {
  return dpop && Object.freeze({ algs: [...dpop.algorithms].join(' '), isRequired: dpop.isRequired });
}

/** Checks what the options say of bound tokens with each other. @throws ConfigError */
function checkPossession(
  possession: PossessionSettings | undefined,
  acceptsAll: boolean,
  routes: NamedRoutes,
): void {
  if (possession !== undefined && acceptsAll)
    throw new ConfigError(
      'unsafeAcceptSenderConstrained',
      `is not allowed with ${possession.dpop === undefined ? 'mutualTls' : 'dpop'}, which judges the proof of bound tokens; remove it`,
    );
  for (const [name, { requires }] of routes)
    checkRouteBindings(requires, [bindingModes(possession)], `routes.${name}`);
}

/** A feed alone means the defaults. @throws ConfigError */
function revocationOf({
  revocation: written,
  revocationFeed: feed,
}: {
  readonly revocation: RevocationSettings | undefined;
  readonly revocationFeed: RevocationFeed | undefined;
}): RevocationSettings | undefined {
  if (feed !== undefined && written?.file !== undefined)
    throw new ConfigError('revocation.file', 'is not allowed next to revocationFeed; remove one of them');
  return written ?? (feed && revocation.read({}, 'revocation'));
}

/** Checks a keyset that `keysetFor` has given for an issuer. @throws ConfigError */
function readFound(
  value: unknown,
  issuer: string,
  path: string,
  common: CommonTokenOptions,
  groups: boolean,
): KeysetSettings {
  if (value === null)
    throw new ConfigError(path, 'expected a keyset, or undefined for an issuer that has none, got null');
  const found = Object.freeze(keyset.read(value, path));
  if (found.issuer !== issuer)
    throw new ConfigError(`${path}.issuer`, 'expected the issuer that was asked for');
  if (found.isSystem)
    throw new ConfigError(`${path}.system`, 'is for keysets of the options; move the keyset to keySets');
  if (common.audience === undefined && found.tokens.audience === undefined)
    throw new ConfigError(`${path}.audience`, 'is required, because the options have no audience');
  checkTokenOptions(common, [found], { others: false, groups });
  return found;
}
