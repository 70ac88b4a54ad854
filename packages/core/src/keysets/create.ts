// Makes a keyset from its settings: picks the source and how it is kept current. The settings are
// checked in options.ts.
import { ConfigError } from '../errors.ts';
import { warn } from '../events.ts';
import { createJsonFetcher, type JsonFetcher } from '../net/https.ts';
import type { StateNotice } from '../net/outage.ts';
import type { SecretStore } from '../secrets/store.ts';
import { monotonicOf } from '../values/clock.ts';
import { createDiscoverySource, discoveryText } from './discovery.ts';
import { hinting } from './elsewhere.ts';
import { createHeaderValues } from './headers.ts';
import { createInlineKeyset } from './inline.ts';
import { createJkuKeyset, isListed } from './jku.ts';
import type { Keyset } from './keyset.ts';
import { createFoundKeysets, type FoundKeysets, type KeysetForSettings } from './keyset-for.ts';
import { createLegacyKeysets } from './legacy-keys.ts';
import type { LegacyKeySettings } from './legacy-options.ts';
import type { KeysetSettings, KeysetsSettings, RefreshPolicy, SecretStores } from './options.ts';
import { createPublicKeysSource } from './public-keys.ts';
import { createRefreshedKeyset, type KeySource, type KeysState, loadJwks } from './refreshed-keyset.ts';
import { createSecretSource } from './secret.ts';
import { indexKeysets, type KeysetIndex } from './select.ts';
import { withTenants } from './tenant-keys.ts';
import { createTenantKeyset } from './tenant-keysets.ts';

/** Supplies the keysets: reuses those that exist already, or calls `make`. */
export interface KeysetTaker {
  /** The keysets of one entry in `keySets`: nearly always one. */
  keyset(settings: KeysetSettings, make: () => Keyset): readonly Keyset[];
  /** The keyset of the whole deprecated list. */
  legacy(keys: readonly LegacyKeySettings[], make: () => Keyset): Keyset;
}

const MAKE: KeysetTaker = { keyset: (_, make) => [make()], legacy: (_, make) => make() };

/**
 * Makes all keysets, and warns about dangerous and deprecated options. Reads no keys yet.
 * @returns `keysets` are loaded and closed; `index` finds the keysets for a token; `system` has the
 *   keysets that may vouch for the system
 * @throws ConfigError for an inline set that cannot be used, and for a secret without a store
 */
export function createKeysets(
  settings: KeysetsSettings & { readonly keysetFor: KeysetForSettings | undefined },
  { take = MAKE, quiet = false }: { readonly take?: KeysetTaker; readonly quiet?: boolean } = {},
): {
  readonly keysets: readonly Keyset[];
  readonly index: KeysetIndex;
  readonly system: ReadonlySet<Keyset>;
  /** The settings of each keyset, except of deprecated keys. */
  readonly settingsOf: ReadonlyMap<Keyset, KeysetSettings>;
  /** The keysets that the application finds; undefined if it finds none. */
  readonly found: FoundKeysets | undefined;
} {
  const { keys, stores, missingIssuerReachesAll, keysetFor } = settings;
  const monotonic = monotonicOf(settings.clock);
  const found =
    keysetFor && createFoundKeysets(keysetFor, (one, tell) => build(one, stores, monotonic, tell), monotonic);
  if (!quiet) warnOf(settings);
  const system = new Set<Keyset>();
  const settingsOf = new Map<Keyset, KeysetSettings>();
  const keysets = settings.keysets.flatMap((keyset) => {
    const made = take
      .keyset(keyset, () => build(keyset, stores, monotonic))
      .map((one) =>
        keyset.tenancy === undefined ? ofOneIssuer(one) : withTenants(one, keyset.tenancy, monotonic),
      )
      .map((one) => (keyset.skipValidation ? unawaited(one) : one));
    for (const one of made) settingsOf.set(one, keyset);
    if (keyset.isSystem) for (const one of made) system.add(one);
    return made;
  });
  // A token without an issuer is of no tenant.
  const forMissing = keysets.filter(({ issuer, template }) =>
    missingIssuerReachesAll ? template === undefined : issuer === undefined,
  );
  const common = { system, settingsOf, found };
  if (keys.length === 0) return { ...common, keysets, index: indexKeysets(keysets, forMissing, found?.of) };
  const legacy = createLegacyKeysets(
    { keys, store: requireStore(stores, 'secret', 'keys'), monotonic, ...LEGACY_REFRESH },
    (make) => take.legacy(keys, make),
  );
  const all = ofOneIssuer(legacy.all);
  return {
    ...common,
    keysets: [...keysets, all],
    index: indexKeysets([...keysets, ...legacy.byIssuer.map(ofOneIssuer)], [...forMissing, all], found?.of),
  };
}

const LEGACY_REFRESH: RefreshPolicy = { refreshIntervalMs: 3_600_000, maxStaleMs: 86_400_000 };

function warnOf({ keysets, keys, missingIssuerReachesAll }: KeysetsSettings): void {
  if (keys.length > 0) {
    const reaches = keys.some(({ issuer }) => issuer !== undefined)
      ? ', and a token without an issuer may be verified by any of them'
      : '';
    warn('LATCHKEY_DEPRECATED', `keys: deprecated${reaches}; move them into keySets`);
  }
  if (missingIssuerReachesAll) {
    warn('LATCHKEY_UNSAFE', 'unsafeMissingIssuer: a token without an issuer may be verified by any keyset');
  }
  for (const { name, policy, speaksForOthers, tenancy } of keysets) {
    if (tenancy?.tenants.by === 'nothing')
      warn('LATCHKEY_UNSAFE', `${name}.unsafeAnyTenant: any tenant of the provider may sign in`);
    if (speaksForOthers)
      warn('LATCHKEY_UNSAFE', `${name}: tokens of every issuer that no other keyset names are accepted`);
    for (const algorithm of policy.legacy ?? [])
      warn('LATCHKEY_UNSAFE', `${name}: tokens signed with ${algorithm} are accepted`);
    if (policy.matchFamily === true)
      warn('LATCHKEY_UNSAFE', `${name}: keys verify more algorithms than their own`);
  }
  for (const { keyId, legacy } of keys) {
    for (const algorithm of legacy)
      warn('LATCHKEY_UNSAFE', `keys: ${keyId} accepts tokens signed with ${algorithm}`);
  }
}

/** With members of its own, so that neither is read from a polluted prototype. */
function ofOneIssuer(keyset: Keyset): Keyset {
  return Object.freeze({ ...keyset, template: undefined, accepts: undefined });
}

function unawaited(keyset: Keyset): Keyset {
  return Object.freeze({ ...keyset, ready: () => Promise.resolve() });
}

/** @param tell of the state of a source. Default: a process warning when it changes */
function build(
  settings: KeysetSettings,
  stores: SecretStores,
  monotonic: () => number,
  tell?: StateNotice<KeysState>,
): Keyset {
  const { policy, refresh, tenancy } = settings;
  if (settings.source === 'jwks') return createInlineKeyset({ ...settings, monotonic });
  if (
    tenancy !== undefined &&
    (settings.source === 'useDiscovery' || settings.source === 'useOidcDiscovery')
  ) {
    const fetcher = createJsonFetcher(settings);
    return createTenantKeyset({
      ...settings,
      ...refresh,
      ...tenancy,
      monotonic,
      description: discoveryText(settings.discovery),
      sourceOf: (issuer) => createSource({ ...settings, issuer }, stores, monotonic, fetcher),
      close: () => fetcher.close(),
    });
  }
  if (settings.source === 'jwksHosts') {
    const permits = (url: URL) => isListed(url, settings.hosts);
    return createJkuKeyset({
      ...settings,
      ...refresh,
      monotonic,
      fetcher: createJsonFetcher({ ...settings, permits }),
    });
  }
  const source = createSource(settings, stores, monotonic);
  return createRefreshedKeyset({
    ...settings,
    ...refresh,
    ...(tell === undefined ? {} : { tell }),
    monotonic,
    allowed: policy.allowed,
    source,
  });
}

/**
 * Makes the source of a keyset whose keys are all read from one place. Reads nothing yet.
 * @param shared the connections, if the keyset is not the only one that uses them
 * @throws ConfigError for a secret without a store
 */
export function createSource(
  settings: Exclude<KeysetSettings, { readonly source: 'jwks' } | { readonly source: 'jwksHosts' }>,
  stores: SecretStores,
  monotonic: () => number = () => performance.now(),
  shared?: JsonFetcher,
): KeySource {
  const { policy, refresh } = settings;
  switch (settings.source) {
    case 'publicKeys':
      return createPublicKeysSource(settings.publicKeys, policy);
    case 'secret':
    case 'externalSecret': {
      const kind = settings.source === 'secret' ? 'secret' : 'external-secret';
      const store = requireStore(stores, settings.source, settings.name);
      return createSecretSource({ ...settings, kind, store });
    }
    case 'jwksUrl': {
      const { url } = settings;
      const fetcher = createJsonFetcher(settings);
      const headersOf = createHeaderValues(settings.headers, stores.secret, settings.name);
      return {
        // Without the query: some servers expect an API key there.
        description: `${url.origin}${url.pathname}`,
        load: hinting(
          async (signal) => loadJwks({ url, policy, fetcher }, signal, await headersOf(signal)),
          'for the URL of an issuer, write it as issuer, and useOidcDiscovery: true in place of jwksUrl',
        ),
        close: () => fetcher.close(),
      };
    }
    case 'useOidcDiscovery':
    case 'useDiscovery': {
      const headersOf = createHeaderValues(settings.headers, stores.secret, settings.name);
      const fetcher = shared ?? createJsonFetcher(settings);
      return createDiscoverySource({ ...settings, ...refresh, monotonic, fetcher, headersOf });
    }
  }
}

/** Returns the store for secrets of this kind. @throws ConfigError if the application gave none */
function requireStore(stores: SecretStores, kind: keyof SecretStores, name: string): SecretStore {
  const store = stores[kind];
  if (store !== undefined) return store;
  const option = kind === 'secret' ? 'secrets' : 'externalSecrets';
  throw new ConfigError(name, `expected a secret store; pass one in ${option}`);
}
