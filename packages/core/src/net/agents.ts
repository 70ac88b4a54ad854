// Agents of node:http and node:https, which keep connections open for a while. What is different
// from Node's own agents is in `prepared`.
import http, { type Agent } from 'node:http';
import https from 'node:https';
import { type LookupFunction, Socket } from 'node:net';
import type { TlsSettings } from './tls.ts';
import { openTunnel, type ProxyAddress } from './tunnel.ts';

/** Time to keep an idle connection open. A server may ask for less. */
const KEEP_ALIVE_MS = 4_000;

/** Settings of the connections of one source. */
export interface AgentSettings {
  /** Of the connection to the source, also inside the tunnel of a proxy. */
  readonly tls: TlsSettings;
  /** Finds the addresses of a host that is connected to directly. */
  readonly lookup: LookupFunction | undefined;
  /** False: no connection keeps the process alive. */
  readonly isHeld: boolean;
  /** The most connections to one origin. */
  readonly maxSockets: number;
}

/** Makes an agent for direct connections. */
export function directAgent(isTls: boolean, settings: AgentSettings): Agent {
  const { tls, lookup } = settings;
  const options = { ...common(settings), ...(lookup === undefined ? {} : { lookup }) };
  return prepared(isTls ? new https.Agent({ ...options, ...tls }) : new http.Agent(options), settings);
}

/** Makes an agent for connections to a proxy, which forwards requests over plain http. */
export function forwardingAgent(proxy: ProxyAddress, settings: AgentSettings): Agent {
  const { isTls, socket } = proxy;
  const options = common(settings);
  return prepared(isTls ? new https.Agent({ ...options, ...socket }) : new http.Agent(options), settings);
}

/**
 * Makes an agent for TLS connections in tunnels of a proxy. A request may have the option
 * `opening`: the AbortSignal that ends the wait for the answer of the proxy.
 */
export function tunnelAgent(proxy: ProxyAddress, settings: AgentSettings): Agent {
  const agent = new https.Agent(common(settings));
  agent.createConnection = (options, done) => {
    const opening: unknown = Reflect.get(options, 'opening');
    const signal = opening instanceof AbortSignal ? opening : undefined;
    const { host, port } = options;
    const target = { host: String(host), port: Number(port), tls: settings.tls };
    const prepare = (socket: Socket) => (settings.isHeld ? socket : unheld(socket));
    openTunnel({ proxy, prepare, ...target }, signal).then(
      (socket) => done?.(null, socket),
      // A failed agent gets no socket, which its type does not know.
      (error) => done?.(error, undefined as never),
    );
    return undefined;
  };
  return prepared(agent, settings);
}

function common({ maxSockets }: AgentSettings): https.AgentOptions {
  return {
    keepAlive: true,
    timeout: KEEP_ALIVE_MS,
    maxSockets,
    // With a session that is resumed, Node does not check the certificate, nor its pins.
    maxCachedSessions: 0,
    // Otherwise Deno goes by NODE_USE_ENV_PROXY, and sends requests to loopback through a proxy.
    proxyEnv: {},
  };
}

/** Changes what an agent does with its sockets. */
function prepared(agent: Agent, { isHeld }: AgentSettings): Agent {
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, done) => {
    const socket = connect(options, done);
    return isHeld || !(socket instanceof Socket) ? socket : unheld(socket);
  };
  const keep = agent.keepSocketAlive.bind(agent);
  agent.keepSocketAlive = (socket) => {
    // Data that no request asked for would be taken for the answer to the next request.
    socket.once('data', destroy);
    // Node reads the result: whether the server keeps the connection long enough.
    return keep(socket);
  };
  const reuse = agent.reuseSocket.bind(agent);
  agent.reuseSocket = (socket, request) => {
    socket.removeListener('data', destroy);
    reuse(socket, request);
  };
  return agent;
}

function destroy(this: Socket): void {
  this.destroy();
}

/** Makes a socket that never keeps the process alive. */
function unheld(socket: Socket): Socket {
  socket.unref();
  // Each address of a host is tried by a new handle.
  socket.on('connectionAttempt', () => socket.unref());
  // The agent holds a socket again for its second request.
  socket.ref = () => socket;
  return socket;
}
