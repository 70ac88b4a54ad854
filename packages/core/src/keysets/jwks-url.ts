// A JWK Set behind a URL.

import { importJwks, type KeyPolicy } from '../jwk/import-jwks.ts';
import type { JsonFetcher } from '../net/https.ts';
import type { KeySource, LoadedKeys } from './refreshed-keyset.ts';

/** What reading a JWK Set over HTTP takes. */
export interface JwksUrlSettings {
  readonly url: URL;
  readonly policy: KeyPolicy;
  readonly fetcher: JsonFetcher;
}

/** Makes a source of the JWK Set behind one URL. */
export function createJwksUrlSource(settings: JwksUrlSettings): KeySource {
  return {
    // Without the query, where some servers want a key.
    description: `${settings.url.origin}${settings.url.pathname}`,
    load: (signal) => loadJwks(settings, signal),
    close: () => settings.fetcher.close(),
  };
}

/** Fetches and imports one JWK Set. An empty set is a set: whoever publishes it has withdrawn all keys. */
export async function loadJwks(
  { url, policy, fetcher }: JwksUrlSettings,
  signal: AbortSignal,
): Promise<LoadedKeys> {
  const { json, lifetimeMs } = await fetcher.fetch(url, signal);
  return { ...importJwks(json, policy), lifetimeMs };
}
