// An HTTP proxy on loopback, as companies have one: it opens tunnels (CONNECT, RFC 9110 §9.3.6),
// forwards absolute-form requests, and alone can resolve the names of its hosts.
import { createServer, type RequestListener, request } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import { listen } from './servers.ts';

interface Proxy {
  readonly url: string;
  /** The host and port of each tunnel, and the URL of each forwarded request. */
  readonly asked: readonly string[];
}

/**
 * Starts a proxy that ends with the test.
 * @param hosts the ports on loopback, by host name. Other names go to the port that they name
 * @param credentials `user:password`, without which it answers 407
 * @param certified its certificate, for a proxy over https
 */
export async function startProxy(
  hosts: Record<string, number> = {},
  credentials?: string,
  certified?: { readonly cert: string; readonly key: string },
): Promise<Proxy> {
  const asked: string[] = [];
  const expected = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`;
  const portOf = (host: string, port: string) => hosts[host] ?? Number(port);
  const forward: RequestListener = (from, answer) => {
    const url = new URL(from.url ?? '');
    asked.push(url.href);
    const { method, headers } = from;
    if (expected !== undefined && headers['proxy-authorization'] !== expected) {
      answer.writeHead(407).end();
      return;
    }
    const port = portOf(url.hostname, url.port);
    const onward = request({ host: '127.0.0.1', port, path: url.pathname, method, headers }, (answered) => {
      answer.writeHead(answered.statusCode ?? 502, answered.headers);
      answered.pipe(answer);
    });
    from.pipe(onward);
  };
  const server = certified === undefined ? createServer(forward) : createTlsServer(certified, forward);
  server.on('connect', ({ url = '', headers }, client, head) => {
    if (expected !== undefined && headers['proxy-authorization'] !== expected) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    asked.push(url);
    const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(url) ?? [];
    const onward = connect(portOf(host, port), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      onward.write(head);
      onward.pipe(client).pipe(onward);
    });
    for (const [socket, other] of [
      [client, onward],
      [onward, client],
    ] as const)
      socket.on('error', () => other.destroy()).on('close', () => other.destroy());
  });
  const scheme = certified === undefined ? 'http' : 'https';
  return { url: `${scheme}://127.0.0.1:${await listen(server)}`, asked };
}
