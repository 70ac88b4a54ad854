// Calls an HTTP proxy, and opens tunnels through it (CONNECT, RFC 9110 §9.3.6). The TLS of the
// target is made inside the tunnel, with the settings of a direct connection.
import http from 'node:http';
import { connect, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { bareHost } from './addresses.ts';
import { MAX_HEADER_BYTES } from './limits.ts';

/** How to connect to a proxy, and what it is told with each request. */
export interface ProxyAddress {
  readonly isTls: boolean;
  readonly socket: ConnectionOptions & { readonly host: string; readonly port: number };
  readonly headers: Readonly<Record<string, string>>;
}

/** Reads the URL of a proxy. Its credentials are sent to it, and never to the target. */
export function proxyAddress({ protocol, hostname, port, username, password }: URL): ProxyAddress {
  const host = bareHost(hostname);
  const isTls = protocol === 'https:';
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  return {
    isTls,
    socket: {
      host,
      port: Number(port) || (isTls ? 443 : 80),
      // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED=0 has no effect on a proxy over https.
      ...(isTls ? { rejectUnauthorized: true, minVersion: 'TLSv1.2', ...nameOf(host) } : {}),
    },
    headers: username === '' ? {} : { 'proxy-authorization': `Basic ${credentials.toString('base64')}` },
  };
}

/** The server name that a client asks for: an IP address is none (RFC 6066 §3). */
function nameOf(host: string): Pick<ConnectionOptions, 'servername' | 'ALPNProtocols'> {
  return { servername: isIP(host) === 0 ? host : '', ALPNProtocols: ['http/1.1'] };
}

/** A tunnel. */
export interface TunnelSettings {
  readonly proxy: ProxyAddress;
  readonly host: string;
  readonly port: number;
  /** TLS of the connection to the target. */
  readonly tls: ConnectionOptions;
  /** Prepares each socket. */
  readonly prepare: (socket: Socket) => Socket;
}

/**
 * Opens a tunnel, and starts TLS inside it.
 * @param signal destroys the connection while the proxy has not answered
 */
export function openTunnel(settings: TunnelSettings, signal: AbortSignal | undefined): Promise<Socket> {
  const { proxy, host, port, tls, prepare } = settings;
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const agent = new http.Agent({ proxyEnv: {} });
    agent.createConnection = () => prepare(proxy.isTls ? connectTls(proxy.socket) : connect(proxy.socket));
    const request = http.request({
      method: 'CONNECT',
      path: authority,
      headers: { ...proxy.headers, host: authority },
      agent,
      maxHeaderSize: MAX_HEADER_BYTES,
      insecureHTTPParser: false,
    });
    const stop = () => request.destroy(signal?.reason);
    signal?.addEventListener('abort', stop, { once: true });
    const settled = () => signal?.removeEventListener('abort', stop);
    request.once('connect', ({ statusCode }, socket: Socket, head) => {
      settled();
      if (statusCode === 200 && head.length === 0) {
        resolve(prepare(connectTls({ ...tls, ...nameOf(host), host, socket })));
        return;
      }
      socket.destroy();
      const fault =
        statusCode === 200 ? 'sent data before the target could' : `answered with status ${statusCode}`;
      reject(new Error(`the proxy ${fault}`));
    });
    request.on('error', (error) => {
      settled();
      reject(error);
    });
    request.end();
  });
}
