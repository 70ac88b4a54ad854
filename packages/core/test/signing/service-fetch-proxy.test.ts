// Calls to other services through an outbound proxy. The proxy and the TLS servers are real; only
// the proxy can resolve friends.test.
import { createServer } from 'node:https';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { Agent, Dispatcher1Wrapper } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ca, certify } from '../net/tls-servers.ts';
import { closing } from '../support/closing.ts';
import { startProxy } from '../support/proxy.ts';
import { rejectionOf } from '../support/refusals.ts';
import { listen } from '../support/servers.ts';
import { at, create, FIRST, FRIENDS, put } from './service-tokens.ts';

const VARIABLES = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'];
const trusted = getCACertificates('default');

beforeAll(() => setDefaultCACertificates([...trusted, ca.cert]));
afterAll(() => setDefaultCACertificates(trusted));
beforeEach(async () => {
  for (const name of VARIABLES.flatMap((variable) => [variable, variable.toLowerCase()]))
    vi.stubEnv(name, undefined);
  await put('token', FIRST);
});
afterEach(() => vi.unstubAllEnvs());

/** Serves a host that answers with what it got; `/away` leads to another host. */
async function serve(name: string) {
  const arrived: string[] = [];
  const server = createServer(await certify({ name, by: ca }), (request, response) => {
    const { method, url = '', headers } = request;
    let body = '';
    request.on('data', (chunk) => {
      body += String(chunk);
    });
    request.on('end', () => {
      arrived.push(`${method} ${url} ${headers.authorization} ${body}`.trim());
      if (url === '/away') response.writeHead(302, { location: 'https://away.test/' });
      response.end('from the friend');
    });
  });
  return { port: await listen(server), arrived };
}

const calling = (host: string, more: object = {}) =>
  create({ tokens: [{ file: at('token'), audience: FRIENDS, hosts: [host] }], ...more });

describe('calls to other services through a proxy', () => {
  it.each(['HTTPS_PROXY', 'HTTP_PROXY'])(
    'use the one in %s, and only the friend reads the token',
    async (name) => {
      const friends = await serve('friends.test');
      const proxy = await startProxy({ 'friends.test': friends.port });
      vi.stubEnv(name, proxy.url);
      const calls = calling('friends.test');
      const response = await calls.fetch('https://friends.test/a', { method: 'POST', body: 'text' });
      expect(response).toBeInstanceOf(Response);
      expect(await response.text()).toBe('from the friend');
      expect(friends.arrived).toEqual([`POST /a Bearer ${FIRST} text`]);
      expect(proxy.asked).toEqual(['friends.test:443']);
    },
  );

  it('leave the token behind when they are redirected to another host', async () => {
    const [friends, away] = [await serve('friends.test'), await serve('away.test')];
    const proxy = await startProxy({ 'friends.test': friends.port, 'away.test': away.port });
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    await (await calling('friends.test').fetch('https://friends.test/away')).text();
    expect(friends.arrived).toEqual([`GET /away Bearer ${FIRST}`]);
    expect(away.arrived).toEqual(['GET / undefined']);
  });

  it('do not use it for hosts in NO_PROXY, for loopback, and with proxy: false', async () => {
    const here = await serve('localhost');
    const proxy = await startProxy();
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    vi.stubEnv('NO_PROXY', 'friends.test');
    const unknown = /ENOTFOUND|EAI_AGAIN/;
    const direct = await rejectionOf(calling('friends.test').fetch('https://friends.test/'));
    expect(String(direct.cause)).toMatch(unknown);
    vi.stubEnv('NO_PROXY', undefined);
    const off = await rejectionOf(calling('friends.test', { proxy: false }).fetch('https://friends.test/'));
    expect(String(off.cause)).toMatch(unknown);
    await calling(`localhost:${here.port}`)
      .fetch(`https://localhost:${here.port}/`)
      .catch(() => undefined);
    expect(proxy.asked).toEqual([]);
  });

  it('use the one in the options before that of the environment', async () => {
    const friends = await serve('friends.test');
    const proxy = await startProxy({ 'friends.test': friends.port }, 'me:secret');
    vi.stubEnv('HTTPS_PROXY', 'http://127.0.0.1:9');
    const url = proxy.url.replace('//', '//me:secret@');
    await (await calling('friends.test', { proxy: url }).fetch('https://friends.test/')).text();
    expect(friends.arrived).toEqual([`GET / Bearer ${FIRST}`]);
  });

  it('do not use it with a dispatcher of their own', async () => {
    const friends = await serve('friends.test');
    const proxy = await startProxy();
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    const connect = { ca: ca.cert, servername: 'friends.test', host: '127.0.0.1', port: friends.port };
    const lookup = (_: string, __: object, done: (error: null, found: object[]) => void) =>
      done(null, [{ address: '127.0.0.1', family: 4 }]);
    const agent = closing(new Agent({ connect: { ...connect, lookup } as never }));
    const host = `friends.test:${friends.port}`;
    const init = { dispatcher: new Dispatcher1Wrapper(agent) } as never;
    await (await calling(host).fetch(`https://${host}/`, init)).text();
    expect(friends.arrived).toEqual([`GET / Bearer ${FIRST}`]);
    expect(proxy.asked).toEqual([]);
  });

  it('continue after close, which opens no connection', async () => {
    const friends = await serve('friends.test');
    const proxy = await startProxy({ 'friends.test': friends.port });
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    const calls = calling('friends.test');
    const response = await calls.fetch('https://friends.test/');
    calls.close();
    expect(await response.text()).toBe('from the friend');
    calling('friends.test').close();
    expect(proxy.asked).toHaveLength(1);
  });

  it.each([['proxy.example.com:3128'], ['ftp://proxy.example.com'], [true]])(
    'refuse the option %j',
    (proxy) => {
      expect(() => calling('friends.test', { proxy })).toThrow(/^proxy: expected /);
    },
  );

  it('refuse a variable that is no URL, without its value', () => {
    vi.stubEnv('HTTPS_PROXY', 'socks5://me:hunter2@proxy.example.com');
    expect(() => calling('friends.test')).toThrow(
      'HTTPS_PROXY: expected the URL of a proxy, like http://proxy.example.com:3128',
    );
  });
});
