// Servers for the probes, on loopback and on Node: JWK Sets and answers over TLS, directories that
// only take what they are sent, and an outbound proxy. They record what arrives.
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import { type AddressInfo, connect, type Server } from 'node:net';
import { createServer as createRawTlsServer } from 'node:tls';
import { createAuthority } from '@latchkey/test-kit/certificate';
import { generateSigningKey, mint } from '@latchkey/testing';

export const ISSUER = 'https://issuer.example';
export const AUDIENCE = 'https://api.example.com';
/** A name that only the proxy finds. */
const BEHIND_PROXY = 'keys.latchkey-test.example';
const DAY = 86_400_000;

export const authority = createAuthority('Latchkey runtimes');
export const otherAuthority = createAuthority('Another authority');
const signing = await generateSigningKey('ES256', 'k');
const CLAIMS = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: 4_000_000_000 };
/** A good token. @param jku where it says that its keys are */
export const tokenFor = (jku?: string) => mint(signing, CLAIMS, jku === undefined ? {} : { jku });

const good = authority.issue('localhost');
const old = { ...good, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
const CERTIFICATES = {
  good,
  'of an unknown CA': otherAuthority.issue('localhost'),
  'of another host': authority.issue('other.example'),
  expired: authority.issue('localhost', Date.now() - 3 * DAY),
  'with TLS 1.1': old,
  'with one cipher suite': { ...good, minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256' },
} as const satisfies Readonly<Record<string, ServerOptions>>;
export type CertificateName = keyof typeof CERTIFICATES;
export const BAD_CERTIFICATES = [
  'of an unknown CA',
  'of another host',
  'expired',
  'with TLS 1.1',
] as const satisfies readonly CertificateName[];

/** All servers. */
export interface Servers {
  /** https, by the certificate: `localhost:PORT`. */
  readonly tls: Readonly<Record<CertificateName, string>>;
  /** ldaps, by the certificate. */
  readonly directories: Readonly<Record<CertificateName, string>>;
  /** Plain http: `127.0.0.1:PORT`. */
  readonly plain: string;
  readonly behindProxy: string;
  readonly proxy: string;
  /** What the servers with TLS and the plain one got: `GET /path`. */
  readonly requests: string[];
  /** What the proxy read: `CONNECT host:port`, or a request with its Authorization header. */
  readonly proxied: string[];
  /** The bytes that directories got, as text. */
  readonly binds: string[];
  close(): Promise<void>;
}

/** Starts all servers. */
export async function startServers(): Promise<Servers> {
  const requests: string[] = [];
  const proxied: string[] = [];
  const binds: string[] = [];
  const closers: (() => Promise<unknown>)[] = [];
  const listen = async (server: Server & { closeAllConnections?(): void }, host = '127.0.0.1') => {
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    closers.push(async () => {
      server.closeAllConnections?.();
      await new Promise((resolve) => server.close(resolve));
    });
    return (server.address() as AddressInfo).port;
  };
  const answer: RequestListener = (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (request.url === '/silent') return;
    if (request.url === '/elsewhere') {
      response.statusCode = 302;
      response.setHeader('location', `http://127.0.0.1:${plainPort}/jwks`);
    }
    const claims = { sub: 'alice', iss: ISSUER, aud: AUDIENCE };
    const body = request.url === '/validate' ? claims : { keys: [jwkFor(request.url)] };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  };
  const byCertificate = async (start: (options: ServerOptions) => Server) => {
    const found: [string, string][] = [];
    for (const [name, options] of Object.entries(CERTIFICATES))
      found.push([name, `localhost:${await listen(start(options), 'localhost')}`]);
    return Object.fromEntries(found) as Record<CertificateName, string>;
  };
  const plainPort = await listen(createHttpServer(answer));
  const behind = await listen(createTlsServer(authority.issue(BEHIND_PROXY), answer));
  const proxy = createHttpServer((request, response) => {
    proxied.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    response.end('from the proxy');
  });
  proxy.on('connect', ({ url = '' }, socket) => {
    proxied.push(`CONNECT ${url}`);
    const [host, port] = url.split(':');
    const target = connect(Number(port), host === BEHIND_PROXY ? '127.0.0.1' : host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      target.pipe(socket).pipe(target);
    });
    target.on('error', () => socket.destroy());
    socket.on('error', () => target.destroy());
  });
  return {
    tls: await byCertificate((options) => createTlsServer(options, answer)),
    directories: await byCertificate((options) =>
      createRawTlsServer(options, (socket) => {
        socket.on('error', () => {});
        socket.on('data', (bytes) => {
          binds.push(bytes.toString('latin1'));
          socket.destroy();
        });
      }),
    ),
    plain: `127.0.0.1:${plainPort}`,
    behindProxy: `${BEHIND_PROXY}:${behind}`,
    proxy: `http://127.0.0.1:${await listen(proxy)}`,
    requests,
    proxied,
    binds,
    close: async () => void (await Promise.all(closers.map((close) => close()))),
  };
}

function jwkFor(path: string | undefined) {
  return path === '/signing'
    ? { ...signing.privateKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256' }
    : signing.publicJwk;
}
