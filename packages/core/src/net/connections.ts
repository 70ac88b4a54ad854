// The connections of one source: direct ones, and those through an outbound proxy. What is sent
// over them is in https.ts and json-call.ts.
import { Socket } from 'node:net';
import type { buildConnector, Dispatcher } from 'undici';
import { ConfigError } from '../errors.ts';
import { isLoopback, lookupPublic } from './addresses.ts';
import { loadUndici } from './library.ts';
import { ownFetch } from './own-fetch.ts';
import { hasUndici } from './runtime.ts';
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

/** Time to keep an idle connection open. */
const KEEP_ALIVE_MS = 4_000;

/**
 * Makes connections. The library is loaded with the first fetch: loading it takes longer than all
 * other code here, and many services fetch nothing.
 * @throws ConfigError for a proxy variable of the environment that is not a URL
 */
export function createConnections(settings: ConnectionSettings): Connections {
  const { tls, proxy, timeoutMs, publicOnly = false, isHeld = true, connections = null } = settings;
  const variables = proxy === 'environment' ? readProxyVariables(process.env) : undefined;
  // The runtime keeps and closes the connections.
  if (!hasUndici()) return { open: async () => ownFetch, close: async () => {} };
  const load = async () => {
    const { Agent, buildConnector, EnvHttpProxyAgent, fetch, ProxyAgent } = await loadUndici();
    const common = { connections, keepAliveTimeout: KEEP_ALIVE_MS, connectTimeout: timeoutMs };
    const connect = { ...tls, timeout: timeoutMs, ...(publicOnly ? { lookup: lookupPublic } : {}) };
    const tunnel = {
      ...common,
      requestTls: { ...tls, timeout: timeoutMs },
      // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED=0 has no effect on a proxy over https.
      proxyTls: { rejectUnauthorized: true, minVersion: 'TLSv1.2', timeout: timeoutMs } as const,
    };
    const direct = new Agent({ ...common, connect: isHeld ? connect : unheld(buildConnector(connect)) });
    const proxied =
      proxy instanceof URL
        ? new ProxyAgent({ ...tunnel, uri: proxy.href })
        : variables && new EnvHttpProxyAgent({ ...tunnel, ...variables, connect });
    const over =
      (dispatcher: Dispatcher): Send =>
      (url, request) =>
        fetch(url, { ...request, dispatcher, redirect: 'manual' });
    return { direct, proxied, sendDirectly: over(direct), sendByProxy: proxied && over(proxied) };
  };
  let loaded: ReturnType<typeof load> | undefined;
  return {
    async open({ hostname }) {
      loaded ??= load();
      const { sendDirectly, sendByProxy } = await loaded;
      // Plain http to loopback is allowed because it does not leave this machine.
      if (sendByProxy === undefined || (proxy === 'environment' && isLoopback(hostname))) return sendDirectly;
      // The proxy resolves the name again, but a name that leads inside is refused here.
      if (publicOnly) await requirePublic(hostname);
      return sendByProxy;
    },
    async close() {
      const { direct, proxied } = (await loaded) ?? {};
      await Promise.all([direct?.destroy(), proxied?.destroy()]);
    },
  };
}

/** Connects by sockets that never keep the process alive. */
function unheld(connect: buildConnector.connector): buildConnector.connector {
  return (target, done) => {
    const socket: unknown = connect(target, done);
    if (!(socket instanceof Socket)) return;
    socket.unref();
    // Each address of a host is tried by a new handle.
    socket.on('connectionAttempt', () => socket.unref());
    // The library holds a socket again for its second request.
    socket.ref = () => socket;
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
    if (['http:', 'https:'].includes(url.protocol) && url.hostname !== '') return url;
  }
  throw new ConfigError(path, 'expected the URL of a proxy, like http://proxy.example.com:3128');
}

/**
 * Reads the variables that name proxies; the ones in lower case count first, as in undici.
 * @returns undefined if the environment names none
 */
export function readProxyVariables(
  environment: NodeJS.ProcessEnv,
): { readonly httpProxy: string; readonly httpsProxy: string } | undefined {
  const [httpProxy, httpsProxy] = ['http_proxy', 'https_proxy'].map((lower) => {
    const name = environment[lower] === undefined ? lower.toUpperCase() : lower;
    const value = environment[name] ?? '';
    return value === '' ? '' : readProxyUrl(value, name).href;
  });
  if (!httpProxy && !httpsProxy) return undefined;
  return { httpProxy: httpProxy ?? '', httpsProxy: httpsProxy ?? '' };
}
