// What tokens must be once their key is known: by the options, or by their keyset where that has
// options of its own. The checks run in pipeline.ts and vouch.ts.
import { ACCESS_TOKEN_CLAIMS, accessTokenChecks } from '../claims/access-token.ts';
import type { AudiencePolicy } from '../claims/audience.ts';
import { type CompiledRules, claimNames } from '../claims/compile.ts';
import type { RegisteredClaimsPolicy } from '../claims/registered.ts';
import { ConfigError } from '../errors.ts';
import type { Keyset } from '../keysets/keyset.ts';
import type { KeysetSettings } from '../keysets/options.ts';
import { bindingChecks } from '../keysets/tenant-checks.ts';
import type { TenancySettings } from '../keysets/tenants.ts';
import { DEFAULT_TYPES, type KeysetTokenSettings } from '../keysets/token-options.ts';

/** What the tokens of one keyset must be, or those of all keysets without options of their own. */
export interface TokenPolicy {
  /** In lower case, without `application/`. Undefined in the set: a token without `typ`. */
  readonly types: ReadonlySet<string | undefined>;
  readonly registered: RegisteredClaimsPolicy;
  /** The audiences of routes that name no resource. Undefined: those in `registered`. */
  readonly unnamed: AudiencePolicy | undefined;
  /** The rules on every token. All of them must hold. */
  readonly claims: readonly CompiledRules[];
}

/** The options for all keysets. */
export interface CommonTokenOptions extends Omit<KeysetTokenSettings, 'claims'> {
  readonly claims: CompiledRules;
  /** The URLs of the resources that routes name. */
  readonly resourceUrls: ReadonlySet<string>;
  /** The checks that no keyset changes. */
  readonly registered: Omit<
    RegisteredClaimsPolicy,
    'audience' | 'maxTokenAgeMs' | 'maxLifetimeMs' | 'numericSub' | 'required' | 'profile'
  >;
}

/** Each member is there, so that none is read from a polluted Object.prototype. */
const NOTHING_OWN: KeysetTokenSettings = Object.freeze({
  audience: undefined,
  claims: undefined,
  typ: undefined,
  maxTokenAge: undefined,
  maxLifetime: undefined,
  numericSub: undefined,
  profile: undefined,
});

/** No token names one of no audiences. */
const NO_AUDIENCE: ReadonlySet<string> = new Set();

/**
 * Joins the options for all keysets and those of one. Where both have one, that of the keyset
 * applies; of rules, both must hold.
 * @param tenancy of a keyset for many tenants: a claim may have to name the tenant
 */
export function tokenPolicyOf(
  common: CommonTokenOptions,
  own: KeysetTokenSettings = NOTHING_OWN,
  tenancy?: TenancySettings,
): TokenPolicy {
  const typ = own.typ ?? (own.profile === undefined ? common.typ : undefined);
  const profile = own.profile ?? (own.typ === undefined ? common.profile : undefined);
  const { audience: said = common.audience ?? (common.audience === null ? null : NO_AUDIENCE) } = own;
  const { resourceUrls: urls } = common;
  // A keyset that has its own audiences makes tokens for no others.
  const audience = own.audience === undefined && said !== null ? new Set([...said, ...urls]) : said;
  return Object.freeze<TokenPolicy>({
    types: profile === undefined ? (typ ?? DEFAULT_TYPES) : new Set([profile]),
    claims: own.claims === undefined ? [common.claims] : [common.claims, own.claims],
    unnamed:
      urls.size === 0
        ? undefined
        : {
            audience: said && new Set([...said].filter((one) => !urls.has(one))),
            except: urls,
            audienceMatch: common.registered.audienceMatch,
            owner: 'of routes that name no resource',
          },
    registered: Object.freeze<RegisteredClaimsPolicy>({
      ...common.registered,
      audience,
      maxTokenAgeMs: own.maxTokenAge ?? common.maxTokenAge,
      maxLifetimeMs: own.maxLifetime ?? common.maxLifetime,
      numericSub: (own.numericSub ?? common.numericSub) === true,
      required: profile === undefined ? [] : ACCESS_TOKEN_CLAIMS,
      profile: [...(profile === undefined ? [] : accessTokenChecks), ...bindingChecks(tenancy)],
    }),
  });
}

/**
 * Refuses options of keysets that contradict those for all keysets, and options that say nothing of
 * the audience of a keyset.
 * @param others what also verifies tokens, and has no audience of its own: `keys`, `remote`
 * @throws ConfigError
 */
export function checkTokenOptions(
  common: CommonTokenOptions,
  keysets: readonly KeysetSettings[],
  { others, groups }: { readonly others: boolean; readonly groups: boolean },
): void {
  const without = keysets.find(({ tokens }) => tokens.audience === undefined);
  if (common.audience === undefined && (without !== undefined || others)) {
    const isMixed = keysets.some(({ tokens }) => tokens.audience !== undefined);
    const why = isMixed ? `, because ${without?.name ?? 'keys or remote'} has none of its own` : '';
    throw new ConfigError(
      'audience',
      `is required${why}; write the aud of your tokens, like 'https://api.example.com', or null to accept any`,
    );
  }
  if (common.profile !== undefined && common.typ !== undefined)
    throw new ConfigError('typ', 'is set by profile; remove typ');
  if (common.maxLifetime !== undefined && !common.registered.requireExp)
    throw new ConfigError(
      'requireExp',
      'is not allowed to be false with maxLifetime, which needs exp; remove one',
    );
  checkTimes(common, common, '');
  checkResourceAudience(common);
  if (groups && claimNames(common.claims).includes('groups'))
    throw new ConfigError('claims.groups', GROUPS_TEXT);
  for (const { name, tokens } of keysets) {
    if (tokens.typ !== undefined && common.profile !== undefined)
      throw new ConfigError(
        `${name}.typ`,
        'is set by the profile of the options; move profile to the keysets whose tokens have it',
      );
    checkTimes(common, tokens, `${name}.`);
    if (groups && tokens.claims !== undefined && claimNames(tokens.claims).includes('groups'))
      throw new ConfigError(`${name}.claims.groups`, GROUPS_TEXT);
  }
}

/** Refuses audiences with which no token would be accepted, or that no token can have. */
function checkResourceAudience({ audience, resourceUrls, registered }: CommonTokenOptions): void {
  if (resourceUrls.size === 0) return;
  if (registered.audienceMatch === 'all')
    throw new ConfigError(
      'audMatch',
      'is not possible with resources: a token would have to be for all of them; remove it',
    );
  if (audience !== null && audience !== undefined && [...audience].every((one) => resourceUrls.has(one)))
    throw new ConfigError(
      'audience',
      'names only URLs of resources, so routes that name no resource accept no token; remove audience, or add that of resource',
    );
}

const GROUPS_TEXT = 'groups are found after this; put the rule on routes';

/** Refuses limits that `iat` decides where it may be in the future. @throws ConfigError */
function checkTimes(
  { registered: { allowFutureIat, treatIatAsNbf } }: CommonTokenOptions,
  { maxTokenAge, maxLifetime }: Partial<KeysetTokenSettings>,
  at: string,
): void {
  if (allowFutureIat !== true) return;
  const found = Object.entries({ treatIatAsNbf: treatIatAsNbf || undefined, maxTokenAge, maxLifetime }).find(
    ([, value]) => value !== undefined,
  );
  if (found === undefined) return;
  const [name] = found;
  const path = name === 'treatIatAsNbf' ? name : `${at}${name}`;
  throw new ConfigError('allowFutureIat', `is not allowed with ${path}, which judges by iat; remove one`);
}

/** Finds what the tokens of a keyset must be. */
export interface TokenPolicies<P extends TokenPolicy = TokenPolicy> {
  /** For a token that no keyset has verified, the options for all keysets. */
  of(keyset: Keyset | undefined): P;
  /** The types that any keyset accepts. Undefined: some keysets are not known yet. */
  readonly types: ReadonlySet<string | undefined> | undefined;
}

/**
 * Prepares the policies of an authenticator.
 * @param found returns the policy of a keyset that was not known at the start, if it has one
 */
export function tokenPolicies<P extends TokenPolicy>(
  common: TokenPolicy,
  own: ReadonlyMap<Keyset, TokenPolicy>,
  prepare: (policy: TokenPolicy) => P,
  found?: (keyset: Keyset) => TokenPolicy | undefined,
): TokenPolicies<P> {
  const prepared = prepare(common);
  const later = new WeakMap<Keyset, P>();
  const byKeyset = new Map([...own].map(([keyset, policy]) => [keyset, prepare(policy)]));
  const types = new Set([common, ...own.values()].flatMap((policy) => [...policy.types]));
  const known = own.size === 0 ? common.types : types;
  return {
    of(keyset) {
      if (keyset === undefined) return prepared;
      const one = byKeyset.get(keyset) ?? later.get(keyset);
      if (one !== undefined) return one;
      const policy = found?.(keyset);
      if (policy === undefined) return prepared;
      const made = prepare(policy);
      later.set(keyset, made);
      return made;
    },
    types: found === undefined ? known : undefined,
  };
}
