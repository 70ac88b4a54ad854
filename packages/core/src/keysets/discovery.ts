// Finds the JWK Set of an issuer by its metadata: OpenID Connect Discovery 1.0 §4, RFC 8414 §3.
// Other members of the metadata are not used. Its lists of algorithms, above all, must never widen
// what is accepted.

import type { KeyPolicy } from '../jwk/import-jwks.ts';
import { type JsonFetcher, refuseUrl } from '../net/https.ts';
import { hinting } from './elsewhere.ts';
import type { HeaderValues } from './headers.ts';
import { type KeySource, loadJwks } from './refreshed-keyset.ts';

/** Which metadata of an issuer are read. `any`: the first that exist. */
export type Discovery = 'oauth' | 'oidc' | 'any';

/** The settings of a discovery source. */
interface DiscoverySettings {
  /** The place of the keyset in the options. */
  readonly name: string;
  readonly issuer: string;
  readonly discovery: Discovery;
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

/** The metadata are of another server, which may write anything. */
const MAX_ISSUER_CHARS = 200;

/** The statuses that say that a document does not exist. A 401 or a 5xx does not say that. */
const NOT_THERE: ReadonlySet<unknown> = new Set([404, 410]);

/**
 * Makes a source of the keys that an issuer names in its metadata. The metadata is read again at
 * least once per refresh interval.
 */
export function createDiscoverySource(settings: DiscoverySettings): KeySource {
  const {
    name,
    issuer,
    discovery,
    allowHttp,
    policy,
    fetcher,
    headersOf,
    monotonic = () => performance.now(),
  } = settings;
  const [first, ...others] = metadataUrls(issuer, discovery);
  const { origin } = first;
  let discovered: { readonly url: URL; readonly at: number } | undefined;

  function otherIssuer(found: unknown): string {
    const said = typeof found === 'string' ? `'${found.slice(0, MAX_ISSUER_CHARS)}'` : 'no issuer';
    const isSlash = found === `${issuer}/` || issuer === `${String(found)}/`;
    const hint = isSlash ? '; they differ by the last slash' : '';
    return `${name}.issuer is '${issuer}', and the metadata says ${said}${hint}`;
  }

  const fetchMetadata = hinting(
    (...asked: Parameters<typeof fetcher.fetch>) => fetcher.fetch(...asked),
    'if the issuer publishes no metadata, write jwksUrl in place of useOidcDiscovery',
  );

  /** Reads the metadata at the first URL where they exist. Any other failure ends the search. */
  async function discover(signal: AbortSignal): Promise<URL> {
    const headers = await headersOf(signal);
    try {
      return await readMetadata(first, signal, headers);
    } catch (error) {
      if (others.length === 0 || !isNotThere(error)) throw error;
    }
    for (const url of others) {
      try {
        return await readMetadata(url, signal, headers);
      } catch (error) {
        if (!isNotThere(error)) throw at(url.href, error);
      }
    }
    throw new Error(`there are no metadata, nor at ${others.map(({ href }) => href).join(', nor at ')}`);
  }

  async function readMetadata(
    place: URL,
    signal: AbortSignal,
    headers: Awaited<ReturnType<HeaderValues>>,
  ): Promise<URL> {
    const { json: metadata } = await fetchMetadata(place, signal, headers);
    // OpenID Connect Discovery §4.3, RFC 8414 §3.3: the issuer in the metadata must equal the
    // requested one exactly, including a final slash. A server that gives the metadata of another
    // issuer could otherwise mix them up.
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
    description: discoveryText(discovery),
    place: first.href,
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
        throw at(`its jwks_uri ${url.origin}${url.pathname}`, error);
      }
    },
    close: () => fetcher.close(),
  };
}

/** Names the URL that failed: the source is named by its first one. */
function at(place: string, error: unknown): Error {
  const { retryAfterMs } = Object(error) as { readonly retryAfterMs?: unknown };
  const named = new Error(place, { cause: error });
  return retryAfterMs === undefined ? named : Object.assign(named, { retryAfterMs });
}

function isNotThere(error: unknown): boolean {
  return NOT_THERE.has(Reflect.get(Object(error), 'status'));
}

/** The kind of such a source, for reports. */
export function discoveryText(discovery: Discovery): string {
  return discovery === 'any' ? 'discovery' : `${discovery}-discovery`;
}

/**
 * The URLs of an issuer's metadata, in the order in which they are tried. The order of `any` is
 * that of the Model Context Protocol (Authorization, Authorization Server Metadata Discovery).
 */
export function metadataUrls(issuer: string, discovery: Discovery): readonly [URL, ...URL[]] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  // RFC 8414 §3.1: the well-known path is put between the host and the path of the issuer.
  const inserted = (name: string) => new URL(`${origin}/.well-known/${name}${path}`);
  // OpenID Connect Discovery §4.1: it is appended, in the place of one trailing slash.
  const appended = new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  if (discovery === 'oidc') return [appended];
  const oauth = inserted('oauth-authorization-server');
  if (discovery === 'oauth') return [oauth];
  return path === '' ? [oauth, appended] : [oauth, inserted('openid-configuration'), appended];
}
