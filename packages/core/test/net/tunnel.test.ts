// Proxies as they are called: over http and https, with credentials, and with faults. The proxies
// and the TLS servers are real.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import { createServer as createNetServer, type Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Connections, createConnections } from '../../src/net/connections.ts';
import { readBounded } from '../../src/net/https.ts';
import { startProxy } from '../support/proxy.ts';
import { listen } from '../support/servers.ts';
import { ca, certify, otherCa } from './tls-servers.ts';

const trusted = getCACertificates('default');
beforeAll(() => setDefaultCACertificates([...trusted, ca.cert]));
afterAll(() => setDefaultCACertificates(trusted));

const target = await certify({ name: 'issuer.test', by: ca });
const URL_OF_KEYS = new URL('https://issuer.test/keys?of=me');

const opened: Connections[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

function connect(proxy: string, tls: object = {}): Connections {
  const connections = createConnections({ tls, proxy: new URL(proxy), timeoutMs: 2_000 });
  opened.push(connections);
  return connections;
}

async function ask(connections: Connections, url = URL_OF_KEYS, signal = new AbortController().signal) {
  const send = await connections.open(url);
  const response = await send(url, { signal, headers: {} });
  return `${response.status} ${await readBounded(response, 1_000)}`;
}

/** The innermost fault. */
async function faultOf(work: Promise<unknown>): Promise<string> {
  let fault: unknown = await work.catch((error: unknown) => error);
  while (fault instanceof Error && fault.cause instanceof Error) fault = fault.cause;
  return fault instanceof Error ? `${fault.message} ${Reflect.get(fault, 'code') ?? ''}`.trim() : 'resolved';
}

/** A TLS server that is the target, and one without TLS; what they were asked. */
async function serve() {
  const requests: IncomingMessage[] = [];
  const listener = (request: IncomingMessage, response: { end(text: string): void }) => {
    requests.push(request);
    response.end('keys');
  };
  const port = await listen(createServer(target, listener));
  const plainPort = await listen(createHttpServer(listener));
  return { port, plainPort, requests };
}

describe('a proxy over https', () => {
  const nameOf = (url: string) => url.replace('127.0.0.1', 'localhost');

  it('carries https in a tunnel, and plain http by itself', async () => {
    const { port, plainPort, requests } = await serve();
    const certified = await certify({ by: ca });
    const proxy = await startProxy({ 'issuer.test': port, 'plain.test': plainPort }, 'me:a b', certified);
    const connections = connect(nameOf(proxy.url).replace('//', '//me:a%20b@'));
    expect(await ask(connections)).toBe('200 keys');
    expect(await ask(connections, new URL('http://plain.test/keys'))).toBe('200 keys');
    expect(proxy.asked).toEqual(['issuer.test:443', 'http://plain.test/keys']);
    expect(requests.map(({ url }) => url)).toEqual(['/keys?of=me', '/keys']);
    // What is in a tunnel is for the target alone.
    expect(requests[0]?.headers['proxy-authorization']).toBeUndefined();
  });

  it.each<[title: string, url: string, by: typeof ca, fault: RegExp]>([
    ['an unknown CA', 'https://issuer.test/', otherCa, /unable to|self.signed|UNABLE_TO_VERIFY/i],
    ['an unknown CA', 'http://issuer.test/', otherCa, /unable to|self.signed|UNABLE_TO_VERIFY/i],
    ['another name', 'https://issuer.test/', ca, /ALTNAME/],
    ['another name', 'http://issuer.test/', ca, /ALTNAME/],
  ])(
    'of %s is sent nothing for %s, whatever NODE_TLS_REJECT_UNAUTHORIZED says',
    async (title, url, by, fault) => {
      vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
      const certified = await certify({ name: title === 'another name' ? 'other.test' : 'localhost', by });
      const proxy = await startProxy({}, undefined, certified);
      const connections = connect(nameOf(proxy.url).replace('//', '//me:secret@'));
      expect(await faultOf(ask(connections, new URL(url)))).toMatch(fault);
      expect(proxy.asked).toEqual([]);
    },
  );
});

describe('a tunnel', () => {
  it('carries several requests', async () => {
    const { port, requests } = await serve();
    const proxy = await startProxy({ 'issuer.test': port });
    const connections = connect(proxy.url);
    expect([await ask(connections), await ask(connections)]).toEqual(['200 keys', '200 keys']);
    expect(proxy.asked).toEqual(['issuer.test:443']);
    expect(requests).toHaveLength(2);
  });

  it('does not open for a target of an unknown CA, whatever NODE_TLS_REJECT_UNAUTHORIZED says', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    const { port, requests } = await serve();
    const proxy = await startProxy({ 'issuer.test': port });
    const tls = { ca: otherCa.cert, rejectUnauthorized: true };
    expect(await faultOf(ask(connect(proxy.url, tls)))).toMatch(/unable to|self.signed|UNABLE_TO_VERIFY/i);
    expect(requests).toEqual([]);
  });

  /** A proxy that answers CONNECT by these bytes. */
  async function answering(bytes: string) {
    const arrived = Promise.withResolvers<{ readonly text: string; readonly closed: Promise<unknown> }>();
    const server = createNetServer((socket: Socket) => {
      const closed = new Promise((resolve) => socket.on('close', resolve));
      socket.on('error', () => undefined);
      socket.once('data', (data) => {
        arrived.resolve({ text: data.toString('latin1'), closed });
        if (bytes === 'reset') socket.resetAndDestroy();
        else socket.write(bytes);
      });
    });
    return { url: `http://127.0.0.1:${await listen(server)}`, arrived: arrived.promise };
  }

  it.each([
    ['HTTP/1.1 407 Proxy Authentication Required\r\n\r\n', /^the proxy answered with status 407$/],
    [
      'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy',
      /^the proxy answered with status 503$/,
    ],
    ['HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01', /^the proxy sent data before the target could$/],
    [`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(17_000)}\r\n\r\n`, /Header overflow/],
    ['nonsense\r\n\r\n', /^Parse Error/],
    ['reset', /ECONNRESET/],
  ])('is refused after %j', async (bytes, fault) => {
    const proxy = await answering(bytes);
    expect(await faultOf(ask(connect(proxy.url)))).toMatch(fault);
    await (await proxy.arrived).closed;
  });

  it.each(['by its signal', 'by close'])('that the proxy does not open is ended %s', async (way) => {
    const proxy = await answering('');
    const connections = connect(proxy.url);
    const stop = new AbortController();
    const fault = faultOf(ask(connections, URL_OF_KEYS, stop.signal));
    const { text, closed } = await proxy.arrived;
    expect(text).toMatch(/^CONNECT issuer\.test:443 HTTP\/1\.1\r\n/);
    if (way === 'by close') await connections.close();
    else stop.abort(new Error('stopped'));
    expect(await fault).toBe(way === 'by close' ? 'closed' : 'stopped');
    await closed;
  });

  it.each([
    ['https://[2001:db8::1]/', 'CONNECT [2001:db8::1]:443 HTTP/1.1'],
    ['https://10.0.0.1:8443/', 'CONNECT 10.0.0.1:8443 HTTP/1.1'],
  ])('to %s is asked for as %s', async (url, line) => {
    const proxy = await answering('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    await ask(connect(proxy.url), new URL(url)).catch(() => undefined);
    const { text } = await proxy.arrived;
    expect(text.split('\r\n')[0]).toBe(line);
    expect(text).toContain(`\r\n${line.replace(/^CONNECT (.*) HTTP.*/, 'host: $1')}\r\n`);
  });
});

it.each(['none', 'https'])('connections that are not held keep no process alive, proxy: %s', async (kind) => {
  const { port, plainPort } = await serve();
  const { url: proxy } = await startProxy({ 'issuer.test': port });
  const [setting, url] =
    kind === 'none'
      ? [`'none'`, `http://127.0.0.1:${plainPort}/`]
      : [`new URL('${proxy}')`, 'https://issuer.test/'];
  const program = `
    const { createConnections } = await import(${JSON.stringify(new URL('../../src/net/connections.ts', import.meta.url).href)});
    const connections = createConnections({
      tls: { ca: ${JSON.stringify(ca.cert)} }, proxy: ${setting}, timeoutMs: 2000, isHeld: false });
    const url = new URL('${url}');
    const held = setInterval(() => {}, 1000);
    for (let round = 0; round < 2; round++) {
      const send = await connections.open(url);
      const response = await send(url, { signal: new AbortController().signal, headers: {} });
      for await (const chunk of response.body) process.stdout.write(chunk);
    }
    clearInterval(held);
    console.log(process.getActiveResourcesInfo().filter((name) => /TCP/.test(name)));`;
  const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += String(chunk);
  });
  const [code] = await once(child, 'close');
  expect([code, text]).toEqual([0, 'keyskeys[]\n']);
});
