// Hosts of the internet for tests: TLS servers on loopback with certificates for their names, of an
// authority that is trusted during the test. Connections to these names are redirected to them;
// connections to any other name are refused.
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import tls, { createSecureContext, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { createAuthority } from '@latchkey/test-kit/certificate';
import { vi } from 'vitest';

/** The answers of each host, by path: JSON, with status 200. Any other path is a 404. */
export type Hosts = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Running hosts. */
export interface RunningHosts {
  /** The requested URLs, in order. */
  readonly requests: readonly string[];
  /** The authority that has made the certificates, PEM. */
  readonly ca: string;
  /** Closes the servers, and restores names and certificates. */
  close(): Promise<void>;
}

/**
 * Starts hosts.
 * @param accepts false for a request that is answered 401
 */
export async function startHosts(
  hosts: Hosts,
  accepts: (request: IncomingMessage) => boolean = () => true,
): Promise<RunningHosts> {
  const authority = createAuthority('Latchkey test authority');
  const contexts = new Map(
    Object.keys(hosts).map((host) => [host, createSecureContext(authority.issue(host))]),
  );
  const requests: string[] = [];
  const server = createServer(
    { SNICallback: (name, answer) => answer(null, contexts.get(name)) },
    (request, response) => {
      const host = request.headers.host ?? '';
      requests.push(`https://${host}${request.url}`);
      const isAccepted = accepts(request);
      const body = isAccepted ? hosts[host]?.[request.url ?? ''] : undefined;
      const status = body === undefined ? 404 : 200;
      response.writeHead(isAccepted ? status : 401, { 'content-type': 'application/json' });
      response.end(body === undefined ? '' : JSON.stringify(body));
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const trusted = getCACertificates('default');
  setDefaultCACertificates([...trusted, authority.cert]);
  const connect = tls.connect.bind(tls) as (options: tls.ConnectionOptions) => tls.TLSSocket;
  const leading = vi.spyOn(tls, 'connect').mockImplementation(((options: tls.ConnectionOptions) => {
    if (!contexts.has(options.host ?? '')) throw new Error(`${options.host} is no host of this test`);
    return connect({ ...options, host: '127.0.0.1', port });
  }) as typeof tls.connect);
  return {
    requests,
    ca: authority.cert,
    async close() {
      leading.mockRestore();
      setDefaultCACertificates(trusted);
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}
