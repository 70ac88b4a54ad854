// The connections of one source: direct ones, and those through an outbound proxy. What is sent
// over them is in https.ts and json-call.ts.
import { ConfigError } from '../errors.ts';
import { isLoopback, lookupPublic } from './addresses.ts';
import { isInNoProxy } from './no-proxy.ts';
import { ownFetch } from './own-fetch.ts';
import { hasNodeHttp } from './runtime.ts';
import type { Send } from './send.ts';
import type { TlsSettings } from './tls.ts';

/**
 * The proxy of a source. `environment`: the one in `HTTPS_PROXY` or `HTTP_PROXY`, except for hosts
 * in `NO_PROXY` and for loopback.
 */
export type ProxyChoice = URL | 'environment' | 'none';

/** Settings of the connections of one source. */
export interface ConnectionSettings {
  /** Of the connection to the source, also inside the tunnel of a proxy. */
  readonly tls: TlsSettings;
  readonly proxy: ProxyChoice;
  readonly timeoutMs: number;
  /** Refuses hosts at private, loopback and link-local addresses. */
  readonly publicOnly?: boolean;
  /** False: a direct connection does not keep the process alive. Default true. */
  readonly isHeld?: boolean;
  /** The most connections to one origin. Default: no limit. */
  readonly connections?: number;
}

/** The connections of one source. */
export interface Connections {
  /** The function that sends to the origin of this URL. */
  open(url: URL): Promise<Send>;
  close(): Promise<void>;
}

/**
 * Makes connections. The HTTP client is loaded with the first fetch: many services fetch nothing.
 * @throws ConfigError for a proxy variable of the environment that is not a URL
 */
export function createConnections(settings: ConnectionSettings): Connections {
  const { tls, proxy, publicOnly = false, isHeld = true, connections = Infinity } = settings;
  const variables = proxy === 'environment' ? readProxyVariables(process.env) : undefined;
  // The runtime keeps and closes the connections.
  if (!hasNodeHttp()) return { open: async () => ownFetch, close: async () => {} };
  const load = async () => {
    // Eager: the bundle of a service is one file.
    const { createClient } = await import(/* webpackMode: "eager" */ './node-http.ts');
    const lookup = publicOnly ? lookupPublic : undefined;
    return createClient({ tls, lookup, isHeld, maxSockets: connections });
  };
  const proxyOf = (url: URL): URL | undefined => {
    if (proxy instanceof URL) return proxy;
    // Plain http to loopback is allowed because it does not leave this machine.
    if (variables === undefined || isLoopback(url.hostname)) return undefined;
    if (isInNoProxy(url, process.env.no_proxy ?? process.env.NO_PROXY ?? '')) return undefined;
    return url.protocol === 'https:' ? (variables.https ?? variables.http) : variables.http;
  };
  let loaded: ReturnType<typeof load> | undefined;
  return {
    async open(url) {
      loaded ??= load();
      const { sender } = await loaded;
      const chosen = proxyOf(url);
      // The proxy resolves the name again, but a name that leads inside is refused here.
      if (chosen !== undefined && publicOnly) await requirePublic(url.hostname);
      return sender(chosen);
    },
    async close() {
      (await loaded)?.close();
    },
  };
}

function requirePublic(hostname: string): Promise<void> {
  return new Promise((resolve, reject) => {
    lookupPublic(hostname, { all: true }, (error) => (error === null ? resolve() : reject(error)));
  });
}

/**
 * Reads a proxy URL.
 * @throws ConfigError that does not repeat it, because it may hold a password
 */
export function readProxyUrl(value: string, path: string): URL {
  if (URL.canParse(value)) {
    const url = new URL(value);
    if (['http:', 'https:'].includes(url.protocol) && url.hostname !== '' && hasReadableCredentials(url))
      return url;
  }
  throw new ConfigError(path, 'expected the URL of a proxy, like http://proxy.example.com:3128');
}

/** False for an escape that cannot be decoded, such as `%zz`. */
function hasReadableCredentials({ username, password }: URL): boolean {
  try {
    for (const part of [username, password]) decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}

/** The proxies that the environment names. */
export interface ProxyVariables {
  /** Also for https, if that has none of its own. */
  readonly http: URL | undefined;
  readonly https: URL | undefined;
}

/**
 * Reads the variables that name proxies; the ones in lower case count first, as in undici.
 * @returns undefined if the environment names none
 */
export function readProxyVariables(environment: NodeJS.ProcessEnv): ProxyVariables | undefined {
  const [http, https] = ['http_proxy', 'https_proxy'].map((lower) => {
    const name = environment[lower] === undefined ? lower.toUpperCase() : lower;
    const value = environment[name] ?? '';
    return value === '' ? undefined : readProxyUrl(value, name);
  });
  return http === undefined && https === undefined ? undefined : { http, https };
}
