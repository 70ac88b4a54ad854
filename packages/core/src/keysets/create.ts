// From a keyset's settings to a keyset: which source, and whether it is kept current.
import type { AlgorithmName } from '../token/algorithms.ts';
import { createDiscoverySource } from './discovery.ts';
import { createJsonFetcher } from './https.ts';
import { createInlineKeyset } from './inline.ts';
import type { JwkSet } from './jwk.ts';
import { createJwksUrlSource } from './jwks-url.ts';
import type { Keyset } from './keyset.ts';
import { createRefreshedKeyset } from './refresh.ts';

/** The source of one keyset, checked. */
export type KeysetSettings = {
  readonly name: string;
  readonly allowed: ReadonlySet<AlgorithmName> | undefined;
} & (
  | { readonly source: 'jwks'; readonly issuer: string | undefined; readonly jwks: JwkSet }
  | ({ readonly source: 'jwksUrl'; readonly issuer: string | undefined; readonly url: URL } & FetchSettings)
  | ({ readonly source: 'useOidcDiscovery'; readonly issuer: string } & FetchSettings)
);

/** How a keyset that is fetched is kept current. */
export interface FetchSettings {
  readonly refreshIntervalMs: number;
  readonly maxStaleMs: number;
  readonly allowHttp: boolean;
  readonly skipValidation: boolean;
}

/**
 * Makes the keyset that the settings describe. Fetches nothing yet.
 * @throws ConfigError for an inline set that cannot be used
 */
export function createKeyset(settings: KeysetSettings): Keyset {
  switch (settings.source) {
    case 'jwks':
      return createInlineKeyset(settings);
    case 'jwksUrl':
      return createRefreshedKeyset({
        ...settings,
        source: createJwksUrlSource({ ...settings, fetcher: createJsonFetcher() }),
      });
    case 'useOidcDiscovery':
      return createRefreshedKeyset({
        ...settings,
        source: createDiscoverySource({ ...settings, fetcher: createJsonFetcher() }),
      });
  }
}
