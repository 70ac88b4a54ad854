// OpenID Connect Discovery 1.0 §4: finds the JWK Set of an issuer by its metadata. Other members of
// the metadata are not used. Its lists of algorithms, above all, must never widen what is accepted.

import type { KeyPolicy } from '../jwk/import-jwks.ts';
import { type JsonFetcher, refuseUrl } from '../net/https.ts';
import type { HeaderValues } from './headers.ts';
import { type KeySource, loadJwks } from './refreshed-keyset.ts';

/** The settings of a discovery source. */
interface DiscoverySettings {
  /** The place of the keyset in the options. */
  readonly name: string;
  readonly issuer: string;
  readonly allowHttp: boolean;
  readonly policy: KeyPolicy;
  readonly fetcher: JsonFetcher;
  readonly headersOf: HeaderValues;
  /** How long a `jwks_uri` is trusted before the metadata are read again. */
  readonly refreshIntervalMs: number;
  /** The monotonic time, in milliseconds. Default: `performance.now()`. */
  readonly monotonic?: () => number;
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
  const {
    name,
    issuer,
    allowHttp,
    policy,
    fetcher,
    headersOf,
    monotonic = () => performance.now(),
  } = settings;
  const { origin } = metadataUrl(issuer);
  let discovered: { readonly url: URL; readonly at: number } | undefined;

  function otherIssuer(found: unknown): string {
    const said = typeof found === 'string' ? `'${found}'` : 'no issuer';
    const isSlash = found === `${issuer}/` || issuer === `${String(found)}/`;
    const hint = isSlash ? '; they differ by the last slash' : '';
    return `${name}.issuer is '${issuer}', and the metadata says ${said}${hint}`;
  }

  async function discover(signal: AbortSignal): Promise<URL> {
    const { json: metadata } = await fetcher.fetch(metadataUrl(issuer), signal, await headersOf(signal));
    // §4.3: the issuer in the metadata must equal the requested one exactly, including a final
    // slash.
    if (metadata.issuer !== issuer) throw new Error(otherIssuer(metadata.issuer));
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
    place: metadataUrl(issuer).href,
    async load(signal) {
      const now = monotonic();
      if (discovered === undefined || now - discovered.at >= settings.refreshIntervalMs * METADATA_SHARE) {
        discovered = { url: await discover(signal), at: now };
      }
      const { url } = discovered;
      try {
        // The metadata may name any host; the headers are for the issuer.
        const headers = url.origin === origin ? await headersOf(signal) : undefined;
        return await loadJwks({ url, policy, fetcher }, signal, headers);
      } catch (error) {
        // The keys may have moved: read the metadata again next time.
        discovered = undefined;
        throw atJwksUri(url, error);
      }
    },
    close: () => fetcher.close(),
  };
}

/** Names the second URL: the source is named by the first. */
function atJwksUri({ origin, pathname }: URL, error: unknown): Error {
  const { retryAfterMs } = Object(error) as { readonly retryAfterMs?: unknown };
  const named = new Error(`its jwks_uri ${origin}${pathname}`, { cause: error });
  return retryAfterMs === undefined ? named : Object.assign(named, { retryAfterMs });
}

/** The URL of an issuer's metadata, §4.1: the well-known path replaces one trailing slash. */
export function metadataUrl(issuer: string): URL {
  return new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
}
