// Sends requests by node:http and node:https. Which of them go through a proxy is decided in
// connections.ts, which loads this file with the first request.
import http, { type Agent, type IncomingMessage, type RequestOptions } from 'node:http';
import https from 'node:https';
import { bareHost } from './addresses.ts';
import { type AgentSettings, directAgent, forwardingAgent, tunnelAgent } from './agents.ts';
import { MAX_HEADER_BYTES } from './limits.ts';
import type { Received, Send, Sent } from './send.ts';
import { type ProxyAddress, proxyAddress } from './tunnel.ts';
import { ACCEPTED } from './unpack.ts';

/** Sends requests over the connections of one source. */
export interface Client {
  /** @param proxy undefined: requests go directly */
  sender(proxy: URL | undefined): Send;
  /** Ends all requests and connections. Later requests fail. */
  close(): void;
}

/** Where requests go. */
interface Way {
  readonly agent: Agent;
  /** The proxy that forwards them. */
  readonly forwarder: ProxyAddress | undefined;
}

/** Makes a client. */
export function createClient(settings: AgentSettings): Client {
  const ways = new Map<string, Way>();
  const running = new Set<(reason: Error) => void>();
  let isClosed = false;

  function wayOf(isTls: boolean, proxy: URL | undefined): Way {
    const key = `${isTls} ${proxy?.href}`;
    const way = ways.get(key) ?? makeWay(isTls, proxy && proxyAddress(proxy), settings);
    ways.set(key, way);
    return way;
  }

  /** Sends a request once. */
  function attempt(options: RequestOptions, { signal, body }: Sent) {
    const answered = Promise.withResolvers<IncomingMessage>();
    const opening = new AbortController();
    const { request: make } = options.agent instanceof https.Agent ? https : http;
    const withSignal = { ...options, opening: opening.signal };
    const request = make(withSignal);
    const stop = (reason: Error) => {
      opening.abort(reason);
      request.destroy(reason);
    };
    const abort = () => stop(signal.reason);
    signal.addEventListener('abort', abort);
    running.add(stop);
    request.on('close', () => {
      signal.removeEventListener('abort', abort);
      running.delete(stop);
    });
    request.on('response', answered.resolve);
    request.on('error', answered.reject);
    request.on('upgrade', (_, socket) => {
      socket.destroy();
      answered.reject(new Error('answered in another protocol'));
    });
    request.end(body);
    return { request, answered: answered.promise };
  }

  async function send(url: URL, proxy: URL | undefined, sent: Sent): Promise<IncomingMessage> {
    const options = optionsOf(url, sent, wayOf(url.protocol === 'https:', proxy));
    for (;;) {
      if (isClosed) throw new Error('closed');
      sent.signal.throwIfAborted();
      const { request, answered } = attempt(options, sent);
      try {
        return await answered;
      } catch (error) {
        // The server may have closed an idle connection at this moment. Each round ends one, so
        // that the last one is by a new connection. Only a GET may be sent again.
        const isStale = request.reusedSocket && options.method === 'GET';
        if (!isStale || isClosed || sent.signal.aborted) throw error;
      }
    }
  }

  return {
    sender: (proxy) => async (url, sent) => {
      try {
        return received(await send(url, proxy, sent));
      } catch (cause) {
        throw new TypeError('fetch failed', { cause });
      }
    },
    close() {
      isClosed = true;
      for (const stop of running) stop(new Error('closed'));
      for (const { agent } of ways.values()) agent.destroy();
    },
  };
}

function makeWay(isTls: boolean, proxy: ProxyAddress | undefined, settings: AgentSettings): Way {
  if (proxy === undefined) return { agent: directAgent(isTls, settings), forwarder: undefined };
  if (isTls) return { agent: tunnelAgent(proxy, settings), forwarder: undefined };
  return { agent: forwardingAgent(proxy, settings), forwarder: proxy };
}

function optionsOf(url: URL, { method = 'GET', headers }: Sent, { agent, forwarder }: Way): RequestOptions {
  const path = `${url.pathname}${url.search}`;
  const { host, port } = forwarder?.socket ?? {
    host: bareHost(url.hostname),
    port: url.port || (url.protocol === 'https:' ? 443 : 80),
  };
  return {
    agent,
    host,
    port,
    method,
    path: forwarder === undefined ? path : `${url.origin}${path}`,
    headers: {
      'user-agent': 'latchkey',
      'accept-encoding': ACCEPTED,
      ...headers,
      ...forwarder?.headers,
      host: url.host,
    },
    maxHeaderSize: MAX_HEADER_BYTES,
    insecureHTTPParser: false,
  };
}

function received(message: IncomingMessage): Received {
  // A reader gets the error from its reading. Without a reader, no one needs it.
  message.on('error', () => undefined);
  const headers = { get: (name: string) => message.headersDistinct[name]?.join(', ') ?? null };
  return {
    status: message.statusCode ?? 0,
    headers,
    packing: headers.get('content-encoding') ?? undefined,
    body: {
      async *[Symbol.asyncIterator]() {
        try {
          yield* message;
        } catch (cause) {
          throw new TypeError('terminated', { cause });
        }
      },
      async cancel() {
        // An answer that is here already leaves its connection to the next request.
        if (message.complete) message.resume();
        else message.destroy();
      },
    },
  };
}
