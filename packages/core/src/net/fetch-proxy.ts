// The outbound proxy for calls by the global fetch, which by itself uses none. The proxies of own
// calls are in connections.ts.
import type { Dispatcher } from 'undici';
import { isLoopback } from './addresses.ts';
import { type ProxyChoice, readProxyVariables } from './connections.ts';
import { loadUndici } from './library.ts';
import { hasGlobalProxy } from './proxy.ts';
import { otherRuntime } from './runtime.ts';

/** A proxy for https calls of the global fetch. */
export interface FetchProxy {
  /**
   * What `fetch` needs as its second argument; undefined for a call that goes directly.
   * @param init the options of the call: its own `dispatcher` counts before the proxy
   */
  optionsFor(url: URL, init: object | undefined): Promise<RequestInit | undefined>;
  /** Closes the connections as soon as the running calls end. */
  close(): void;
}

/**
 * Makes a proxy. The library is loaded with the first call that needs it.
 * @throws ConfigError for a proxy variable of the environment that is not a URL
 */
export function createFetchProxy(choice: ProxyChoice): FetchProxy {
  // Bun and Deno bring the proxy of the environment with their own fetch.
  const isElsewhere = choice === 'environment' && otherRuntime() !== undefined;
  const variables = choice === 'environment' && !isElsewhere ? readProxyVariables(process.env) : undefined;
  let made: Promise<{ readonly agent: Dispatcher; readonly wrapped: Dispatcher }> | undefined;
  const make = async () => {
    const { Dispatcher1Wrapper, EnvHttpProxyAgent, ProxyAgent } = await loadUndici();
    // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED=0 has no effect on a proxy over https.
    const common = { proxyTls: { rejectUnauthorized: true, minVersion: 'TLSv1.2' } as const };
    const agent =
      choice instanceof URL
        ? new ProxyAgent({ ...common, uri: choice.href })
        : new EnvHttpProxyAgent({
            ...common,
            httpProxy: variables?.http?.href ?? '',
            httpsProxy: variables?.https?.href ?? '',
          });
    // The fetch of Node is that of an older version of the library.
    return { agent, wrapped: new Dispatcher1Wrapper(agent) };
  };
  return {
    async optionsFor({ protocol, hostname }, init) {
      if (variables === undefined && !(choice instanceof URL)) return undefined;
      if (protocol !== 'https:' || (choice === 'environment' && isLoopback(hostname))) return undefined;
      const isChosen = init !== undefined && Reflect.get(init, 'dispatcher') !== undefined;
      if (isChosen || (choice === 'environment' && hasGlobalProxy())) return undefined;
      made ??= make();
      // The types of Node are those of its older library, whose handlers the wrapper translates.
      return { dispatcher: (await made).wrapped } as object;
    },
    close() {
      void made?.then(
        ({ agent }) => agent.close(),
        () => undefined,
      );
    },
  };
}
