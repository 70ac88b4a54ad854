// OpenID Connect Discovery 1.0 §4: from an issuer to its JWK Set. The metadata's other members are
// not used, above all not its lists of algorithms, which may never widen what is accepted.

import type { KeyPolicy } from '../jwk/import-jwks.ts';
import { type JsonFetcher, refuseUrl } from '../net/https.ts';
import { type KeySource, loadJwks } from './refreshed-keyset.ts';

/** What discovery takes. */
interface DiscoverySettings {
  readonly issuer: string;
  readonly allowHttp: boolean;
  readonly policy: KeyPolicy;
  readonly fetcher: JsonFetcher;
  /** How long a `jwks_uri` is trusted before the metadata are read again. */
  readonly refreshIntervalMs: number;
}

/** With keys read again within 0.8 of the interval, metadata older than this might outlive it. */
const METADATA_SHARE = 0.2;

/**
 * Makes a source of the keys that an OpenID provider publishes. The metadata are read again at
 * least each refresh interval.
 */
export function createDiscoverySource(settings: DiscoverySettings): KeySource {
  const { issuer, allowHttp, policy, fetcher } = settings;
  let discovered: { readonly url: URL; readonly at: number } | undefined;

  async function discover(signal: AbortSignal): Promise<URL> {
    const { json: metadata } = await fetcher.fetch(metadataUrl(issuer), signal);
    // §4.3: exactly the issuer that was asked for, to the last slash.
    if (metadata.issuer !== issuer) throw new Error('the metadata are of another issuer');
    const jwksUri = metadata.jwks_uri;
    if (typeof jwksUri !== 'string' || !URL.canParse(jwksUri)) {
      throw new Error('the metadata have no jwks_uri');
    }
    const url = new URL(jwksUri);
    const refusal = refuseUrl(url, allowHttp);
    if (refusal !== undefined) throw new Error(`jwks_uri ${refusal}`);
    return url;
  }

  return {
    description: 'oidc-discovery',
    async load(signal) {
      const now = performance.now();
      if (discovered === undefined || now - discovered.at >= settings.refreshIntervalMs * METADATA_SHARE) {
        discovered = { url: await discover(signal), at: now };
      }
      try {
        return await loadJwks({ url: discovered.url, policy, fetcher }, signal);
      } catch (error) {
        // The keys may have moved: ask where they are next time.
        discovered = undefined;
        throw error;
      }
    },
    close: () => fetcher.close(),
  };
}

/** Where an issuer's metadata are, §4.1: one trailing slash gives way to the well-known path. */
export function metadataUrl(issuer: string): URL {
  return new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
}
