// Service tokens: which calls carry one, over which schemes and proxies, and what stays of the
// caller's request.
import { createServer } from 'node:http';
import { getGlobalDispatcher, ProxyAgent, setGlobalDispatcher } from 'undici';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { closing } from '../support/closing.ts';
import { defined } from '../support/defined.ts';
import { runProgram, sourceModule } from '../support/program.ts';
import { rejectionOf } from '../support/refusals.ts';
import { listen } from '../support/servers.ts';
import {
  at,
  create,
  createFor,
  FIRST,
  FRIENDS,
  failed,
  LIFE,
  mapped,
  put,
  refreshed,
  resolvingAll,
  sent,
  serve,
  tokenOf,
  WITH_FIRST,
  WITHOUT_TOKEN,
} from './service-tokens.ts';

/** Replaces the global fetch until the test has ended. */
function stubFetch(fetch: (request: Request) => Promise<Response>): void {
  vi.stubGlobal('fetch', fetch);
  onTestFinished(() => void vi.unstubAllGlobals());
}

describe('which calls carry the token', () => {
  it('OK-2: a call to a mapped host does, as a bearer token', async () => {
    const { friends, calls } = await mapped(FIRST);
    await calls.ready();
    const response = await calls.fetch(`${friends.url}/friends`);
    expect(await response.text()).toBe('ok');
    expect(friends.arrived).toMatchObject([{ path: '/friends', authorization: `Bearer ${FIRST}` }]);
  });

  it('OK-2: without ready() too', async () => {
    const { friends, calls } = await mapped(FIRST);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
  });

  it('OK-2: the token that the host is mapped to, and no other', async () => {
    const MESSAGES = tokenOf({ aud: ['urn:other', 'urn:messages'] });
    await put('friends', FIRST);
    await put('messages', MESSAGES);
    const [friends, messages] = [await serve(), await serve()];
    const calls = create({
      tokens: [
        { file: at('friends'), audience: FRIENDS, hosts: ['elsewhere.internal', friends.host] },
        { file: at('messages'), audience: 'urn:messages', hosts: [messages.host] },
      ],
    });
    expect(await sent(calls, messages)).toBe(`Bearer ${MESSAGES}`);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
  });

  it.each([
    ['another host', 'http://other.internal'],
    ['another port', 'http://friends.internal'],
    ['a host below', 'http://api.friends.internal'],
    ['a host that ends alike', 'http://notfriends.internal'],
    ['a host that begins alike', 'http://friends.internal.example'],
    ['the host with a last dot', 'http://friends.internal.'],
  ])('OK-2: not to %s, which is called without it', async (title, origin) => {
    await put('token', FIRST);
    const { port, arrived } = await serve();
    const calls = createFor(`friends.internal:${title === 'another port' ? 1 : port}`, {}, true);
    const response = await calls.fetch(`${origin}:${port}/`, resolvingAll());
    expect(response.status).toBe(200);
    expect(arrived).toMatchObject([WITHOUT_TOKEN]);
  });

  it('OK-2: to the mapped host, however it is spelt', async () => {
    await put('token', FIRST);
    const { port, arrived } = await serve();
    const calls = createFor(`friends.internal:${port}`, {}, true);
    await calls.fetch(`HTTP://FRIENDS.Internal:0${port}/`, resolvingAll());
    expect(arrived).toMatchObject([{ host: `friends.internal:${port}`, ...WITH_FIRST }]);
  });

  it.each(['Basic b2tlcmE6eA==', 'Bearer their.own.token', ''])(
    "OK-2: the caller's own Authorization %j is left alone",
    async (authorization) => {
      const { friends, calls } = await mapped(FIRST);
      await calls.fetch(friends.url, { headers: { AUTHORIZATION: authorization } });
      await calls.fetch(new Request(friends.url, { headers: { authorization } }));
      expect(friends.arrived.map((request) => request.authorization)).toEqual([authorization, authorization]);
    },
  );

  it('OK-2: with no token to send, a call to a host that is not mapped goes on', async () => {
    const { calls } = await mapped();
    const other = await serve();
    expect(await sent(calls, other)).toBe('none');
    expect([...refreshed, ...failed]).toEqual([]);
  });
});

describe('plain HTTP', () => {
  it.each([undefined, false])('OK-2: is refused beyond loopback where allowHttp is %s', async (allowHttp) => {
    await put('token', FIRST);
    const { port, arrived } = await serve();
    const calls = create({
      tokens: [{ file: at('token'), audience: FRIENDS, hosts: [`friends.internal:${port}`] }],
      ...defined({ allowHttp }),
    });
    const error = await rejectionOf(calls.fetch(`http://friends.internal:${port}/`, resolvingAll()));
    expect(error.message).toBe('expected https for a service token (allowHttp permits http)');
    expect(arrived).toEqual([]);
  });

  it('OK-2: is allowed anywhere with allowHttp', async () => {
    await put('token', FIRST);
    const { port, arrived } = await serve();
    const calls = createFor(`friends.internal:${port}`, {}, true);
    await calls.fetch(`http://friends.internal:${port}/`, resolvingAll());
    expect(arrived).toMatchObject([WITH_FIRST]);
  });

  /** A proxy that answers each request itself, and records what it could read. */
  async function proxy(): Promise<{ readonly url: string; readonly read: (string | undefined)[] }> {
    const read: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      read.push(`${request.url} ${request.headers.authorization}`);
      response.end('by the proxy');
    });
    server.on('connect', (request, socket) => {
      read.push(`CONNECT ${request.url}`);
      socket.on('data', (bytes) => read.push(bytes.toString('latin1')));
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
    });
    return { url: `http://127.0.0.1:${await listen(server)}`, read };
  }

  const BY_A_PROXY =
    'expected no proxy for a service token over http; use https, or name the host in NO_PROXY';

  it.each<[title: string, arguments_: readonly string[], noProxy: string, expected: 'refused' | 'direct']>([
    ['the variables of Node', [], '', 'refused'],
    ['the flag of Node', ['--use-env-proxy'], '', 'refused'],
    ['the variables, and another host without', [], 'friends.internal', 'refused'],
    ['the variables, and a part of the host without', [], '0.0.1', 'refused'],
    ['the variables, and this host without', [], 'a.example, 127.0.0.1', 'direct'],
    ['the variables, and all hosts without', [], '*', 'direct'],
  ])('OK-2: loopback, by %s: %s', async (_, flags, noProxy, expected) => {
    await put('token', tokenOf({ exp: Math.floor(Date.now() / 1000) + LIFE }));
    const [server, reading] = [await serve(), await proxy()];
    const tokens = JSON.stringify([{ file: at('token'), audience: FRIENDS, hosts: [server.host] }]);
    const program = `
      import { createServiceFetch } from ${sourceModule('signing/service-fetch.ts')};
      const calls = createServiceFetch({ tokens: ${tokens} });
      for (let round = 0; round < 2; round++) {
        const call = calls.fetch('${server.url}');
        console.log(await call.then(({ status }) => 'direct ' + status, ({ message }) => message));
      }
      calls.close();`;
    const variables = flags.length === 0 ? { NODE_USE_ENV_PROXY: '1' } : {};
    const env = { HTTP_PROXY: reading.url, NO_PROXY: noProxy, ...variables };
    const { stdout } = await runProgram(program, { flags, env });
    const line = expected === 'refused' ? BY_A_PROXY : 'direct 200';
    expect(stdout.trim().split('\n')).toEqual([line, line]);
    expect(reading.read).toEqual([]);
    expect(server.arrived).toHaveLength(expected === 'refused' ? 0 : 2);
  });

  it.each([false, true])('OK-2: not by a dispatcher with a proxy, allowHttp %s', async (allowHttp) => {
    await put('token', FIRST);
    const [server, reading] = [await serve(), await proxy()];
    const before = getGlobalDispatcher();
    const agent = closing(new ProxyAgent(reading.url));
    onTestFinished(() => setGlobalDispatcher(before));
    setGlobalDispatcher(agent);
    const hosts = [server.host, 'friends.internal'];
    const calls = create({ tokens: [{ file: at('token'), audience: FRIENDS, hosts }], allowHttp });
    expect((await rejectionOf(calls.fetch(server.url))).message).toBe(BY_A_PROXY);
    if (allowHttp === true)
      expect((await rejectionOf(calls.fetch('http://friends.internal/'))).message).toBe(BY_A_PROXY);
    expect(reading.read).toEqual([]);
    expect(server.arrived).toEqual([]);
  });

  it('OK-2: not by a proxy in the options of the call', async () => {
    const { friends, calls } = await mapped(FIRST);
    const reading = await proxy();
    const dispatcher = closing(new ProxyAgent(reading.url)) as never;
    expect((await rejectionOf(calls.fetch(friends.url, { dispatcher }))).message).toBe(BY_A_PROXY);
    expect(reading.read).toEqual([]);
    expect(friends.arrived).toEqual([]);
  });

  it.each(['127.0.0.1', '127.1.2.3', 'localhost', '[::1]'])(
    'OK-2: is allowed to %s, on loopback',
    async (name) => {
      await put('token', FIRST);
      const carried: (string | null)[] = [];
      stubFetch(async (request) => {
        carried.push(request.headers.get('authorization'));
        return new Response('ok');
      });
      await createFor(`${name}:8080`).fetch(`http://${name}:8080/`);
      expect(carried).toEqual([`Bearer ${FIRST}`]);
    },
  );

  const BEYOND = [
    'localhost.example',
    '127.0.0.1.example',
    'notlocalhost',
    '[::2]',
    '128.0.0.1',
    '0.0.0.0',
    '10.127.0.0',
  ];
  it.each(BEYOND)('OK-2: is refused to %s, which is not on loopback', async (name) => {
    await put('token', FIRST);
    const error = await rejectionOf(createFor(`${name}:1`).fetch(`http://${name}:1/`));
    expect(error.message).toContain('expected https');
  });

  it('OK-2: only http and https carry a token', async () => {
    await put('token', FIRST);
    const calls = createFor('friends.internal', {}, true);
    expect((await rejectionOf(calls.fetch('ftp://friends.internal/'))).message).toContain('expected https');
    expect(await (await calls.fetch('data:,hello')).text()).toBe('hello');
  });
});

describe("the caller's request", () => {
  it('OK-2: a Request keeps its method, headers and body', async () => {
    const { friends, calls } = await mapped(FIRST);
    const headers = { 'x-one': '1', 'content-type': 'text/x-own' };
    const request = new Request(`${friends.url}/r`, { method: 'PUT', headers, body: 'a body' });
    await calls.fetch(request);
    expect(friends.arrived).toMatchObject([
      { method: 'PUT', path: '/r', ...WITH_FIRST, headers, body: 'a body' },
    ]);
    // The caller's Request does not get the token.
    expect(request.headers.has('authorization')).toBe(false);
  });

  it('OK-2: init overrides the Request', async () => {
    const { friends, calls } = await mapped(FIRST);
    const headers = new Headers({ 'x-two': '2' });
    const request = new Request(friends.url, { method: 'PUT', headers: { 'x-one': '1' }, body: 'a body' });
    await calls.fetch(request, { method: 'POST', headers, body: 'another' });
    expect(friends.arrived).toMatchObject([
      { method: 'POST', ...WITH_FIRST, headers: { 'x-two': '2' }, body: 'another' },
    ]);
    expect(friends.arrived[0]?.headers).not.toHaveProperty('x-one');
    expect(headers.has('authorization')).toBe(false);
  });

  it('OK-2: a URL, init and a body that streams', async () => {
    const { friends, calls } = await mapped(FIRST);
    const body = ReadableStream.from([Buffer.from('in two '), Buffer.from('parts')]);
    const init: RequestInit = { method: 'POST', headers: [['x-one', '1']], body, duplex: 'half' };
    await calls.fetch(new URL(friends.url), init);
    expect(friends.arrived).toMatchObject([
      { method: 'POST', ...WITH_FIRST, headers: { 'x-one': '1' }, body: 'in two parts' },
    ]);
  });

  it('OK-2: a URL that changes after the call does not change where the token goes', async () => {
    const { friends, calls } = await mapped(FIRST);
    const other = await serve();
    const url = new URL(friends.url);
    const call = calls.fetch(url);
    url.href = other.url;
    await call;
    expect(friends.arrived).toMatchObject([WITH_FIRST]);
    expect(other.arrived).toEqual([]);
  });

  it.each(['the Request', 'init'])('OK-2: the signal of %s ends the call, with its reason', async (whose) => {
    await put('token', FIRST);
    const controller = new AbortController();
    const { signal } = controller;
    const friends = await serve(() => controller.abort(new Error('enough')));
    const { fetch } = createFor(friends.host);
    const call =
      whose === 'init' ? fetch(friends.url, { signal }) : fetch(new Request(friends.url, { signal }));
    expect(await rejectionOf(call)).toBe(signal.reason);
    expect(friends.arrived).toHaveLength(1);
    // A call that was aborted before sends nothing.
    expect(await rejectionOf(fetch(friends.url, { signal }))).toBe(signal.reason);
    expect(friends.arrived).toHaveLength(1);
  });

  it('OK-2: userinfo in a URL is refused, as by the global fetch', async () => {
    const { friends, calls } = await mapped(FIRST);
    const url = `http://okera:password@${friends.host}/`;
    const theirs = await rejectionOf(fetch(url));
    const ours = await rejectionOf(calls.fetch(url));
    expect(ours).toBeInstanceOf(TypeError);
    expect(ours.message).toBe(theirs.message);
    expect(friends.arrived).toEqual([]);
  });

  it('OK-2: what fetch rejects with comes through unchanged', async () => {
    await put('token', FIRST);
    const calls = createFor('127.0.0.1:8080');
    const thrown = new TypeError('fetch failed');
    stubFetch(() => Promise.reject(thrown));
    expect(await rejectionOf(calls.fetch('http://127.0.0.1:8080/'))).toBe(thrown);
    expect(await rejectionOf(calls.fetch('not a URL'))).toBeInstanceOf(TypeError);
  });

  it('OK-2: fetch works without its object', async () => {
    const {
      friends,
      calls: { fetch },
    } = await mapped(FIRST);
    expect((await fetch(friends.url)).ok).toBe(true);
  });
});
