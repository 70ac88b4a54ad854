// OpenID Connect Discovery 1.0 §4: finds the JWK Set of an issuer by its metadata. Other members of
// the metadata are not used. Its lists of algorithms, above all, must never widen what is accepted.

import type { KeyPolicy } from '../jwk/import-jwks.ts';
import { type JsonFetcher, refuseUrl } from '../net/https.ts';
import type { HeaderValues } from './headers.ts';
import { type KeySource, loadJwks } from './refreshed-keyset.ts';

/** The settings of a discovery source. */
interface DiscoverySettings {
  readonly issuer: string;
  readonly allowHttp: boolean;
  readonly policy: KeyPolicy;
  readonly fetcher: JsonFetcher;
  readonly headersOf: HeaderValues;
  /** How long a `jwks_uri` is trusted before the metadata are read again. */
  readonly refreshIntervalMs: number;
}

/**
 * Keys are read again after 0.8 of the interval. Metadata older than the remaining 0.2 could then
 * be older than the whole interval at the next reading.
 */
const METADATA_SHARE = 0.2;

/**
 * Makes a source of the keys that an OpenID provider publishes. The metadata is read again at least
 * once per refresh interval.
 */
export function createDiscoverySource(settings: DiscoverySettings): KeySource {
  const { issuer, allowHttp, policy, fetcher, headersOf } = settings;
  const { origin } = metadataUrl(issuer);
  let discovered: { readonly url: URL; readonly at: number } | undefined;

  async function discover(signal: AbortSignal): Promise<URL> {
    const { json: metadata } = await fetcher.fetch(metadataUrl(issuer), signal, await headersOf(signal));
    // §4.3: the issuer in the metadata must equal the requested one exactly, including a final
    // slash.
    if (metadata.issuer !== issuer) throw new Error('the metadata is of another issuer');
    const jwksUri = metadata.jwks_uri;
    if (typeof jwksUri !== 'string' || !URL.canParse(jwksUri)) {
      throw new Error('the metadata has no jwks_uri');
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
        const { url } = discovered;
        // The metadata may name any host; the headers are for the issuer.
        const headers = url.origin === origin ? await headersOf(signal) : undefined;
        return await loadJwks({ url, policy, fetcher }, signal, headers);
      } catch (error) {
        // The keys may have moved: read the metadata again next time.
        discovered = undefined;
        throw error;
      }
    },
    close: () => fetcher.close(),
  };
}

/** The URL of an issuer's metadata, §4.1: the well-known path replaces one trailing slash. */
export function metadataUrl(issuer: string): URL {
  return new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
}
