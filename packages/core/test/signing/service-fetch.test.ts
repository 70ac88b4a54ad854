// Service tokens: files in a real folder, and real servers on loopback that say what arrived. The
// wall clock is moved by hand, and so is the one that readings are counted by.
import { execFile } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { watch } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { inspect, promisify } from 'node:util';
import { createClock, generateSigningKey, mint, type TestClock } from '@latchkey/testing';
import { generate } from 'selfsigned';
import { Agent, Dispatcher1Wrapper, getGlobalDispatcher, ProxyAgent, setGlobalDispatcher } from 'undici';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import type { LatchkeyEvents } from '../../src/events.ts';
import {
  createServiceFetch,
  type ServiceFetch,
  type ServiceFetchOptions,
  type ServiceTokenOptions,
} from '../../src/signing/service-fetch.ts';
import { defined } from '../support/defined.ts';

/** How many watchers there are that nobody has stopped, and what the latest calls back. */
const live = vi.hoisted(() => ({ watchers: 0, tell: () => {} }));

vi.mock(import('../../src/secrets/directory.ts'), async (load) => {
  const real = await load();
  return {
    ...real,
    watchPath(path, changed, names) {
      const stop = real.watchPath(path, changed, names);
      live.tell = changed;
      let stopped = false;
      live.watchers++;
      return () => {
        if (!stopped) live.watchers--;
        stopped = true;
        stop();
      };
    },
  };
});

const START = 2_000_000_000;
const LIFE = 2 * 86_400;
const DAY = 86_400;
const FRIENDS = 'urn:friends';

let folder: string;
let clock: TestClock;
const servers: TcpServer[] = [];
const agents: Agent[] = [];
const made: ServiceFetch[] = [];
const seen: { readonly name: string | symbol; readonly event: unknown }[] = [];
const remember = (event: unknown, name: string | symbol) => seen.push({ name, event });
const CHANNELS = ['latchkey:service-token:refreshed', 'latchkey:service-token:failed'] as const;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  folder = await mkdtemp(join(tmpdir(), 'latchkey-service-'));
  clock = createClock(START * 1000);
  for (const name of CHANNELS) subscribe(name, remember);
});

afterEach(async () => {
  for (const name of CHANNELS) unsubscribe(name, remember);
  seen.length = 0;
  vi.useRealTimers();
  for (const calls of made.splice(0)) calls.close();
  await Promise.all(agents.splice(0).map((agent) => agent.destroy()));
  for (const server of servers.splice(0)) {
    if (server instanceof Server) server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await rm(folder, { recursive: true });
});

const at = (name: string) => join(folder, name);

function encode(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

/** A token that says this. Nobody verifies it here. */
function tokenOf(claims: object = {}, signature = 'signature-of-the-first'): string {
  const all = { aud: FRIENDS, sub: 'okera', exp: START + LIFE, ...claims };
  return `${encode({ alg: 'RS512' })}.${encode(all)}.${encode(signature)}`;
}

const FIRST = tokenOf();
const SECOND = tokenOf({ exp: START + 2 * LIFE }, 'signature-of-the-second');

/** Puts a file in place whole, as deployments do. */
async function put(name: string, content: string): Promise<void> {
  await writeFile(at(`${name}.tmp`), content);
  await rename(at(`${name}.tmp`), at(name));
}

interface Arrived {
  readonly host: string;
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

interface Served {
  readonly host: string;
  readonly url: string;
  readonly arrived: Arrived[];
}

type Answer = (path: string, response: ServerResponse) => void;

/** Writes down what arrives; `/to?<status>&<url>` redirects there. */
function recorder(arrived: Arrived[], answer: Answer = (_, response) => response.end('ok')): RequestListener {
  return async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { host = '', authorization, ...headers } = request.headers;
    const path = request.url ?? '';
    const body = Buffer.concat(chunks).toString('utf8');
    arrived.push({ host, method: request.method ?? '', path, authorization, headers, body });
    const [, status, location] = /^\/to\?(\d+)&(.*)$/.exec(path) ?? [];
    if (location === undefined) answer(path, response);
    else response.writeHead(Number(status), { location: decodeURIComponent(location) }).end();
  };
}

async function listen(server: TcpServer): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return String((server.address() as AddressInfo).port);
}

async function serve(answer?: Answer): Promise<Served> {
  const arrived: Arrived[] = [];
  const host = `127.0.0.1:${await listen(createServer(recorder(arrived, answer)))}`;
  return { host, url: `http://${host}`, arrived };
}

function redirecting(to: string, status: number): string {
  return `/to?${status}&${encodeURIComponent(to)}`;
}

/**
 * Takes every name to loopback, and trusts one more authority. The global fetch is of an older
 * undici than ours.
 */
function resolvingAll(ca?: string): RequestInit {
  const agent = new Agent({
    connect: {
      ...(ca === undefined ? {} : { ca }),
      lookup: (_name, options, callback) => {
        if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }]);
        else callback(null, '127.0.0.1', 4);
      },
    },
  });
  agents.push(agent);
  return { dispatcher: new Dispatcher1Wrapper(agent) as never };
}

function create(options: Partial<ServiceFetchOptions>): ServiceFetch {
  const calls = createServiceFetch({ tokens: [], clock, ...options });
  made.push(calls);
  return calls;
}

/** With one token, in `token`, for this host. */
function createFor(host: string, more: Partial<ServiceTokenOptions> = {}): ServiceFetch {
  return create({ tokens: [{ file: at('token'), audience: FRIENDS, hosts: [host], ...more }] });
}

/** What arrives of one call: `none`, or the token. */
async function sent(calls: ServiceFetch, { url, arrived }: Served): Promise<string> {
  await (await calls.fetch(url)).text();
  return arrived.at(-1)?.authorization ?? 'none';
}

/** What was published so far under this name. */
function events<Name extends (typeof CHANNELS)[number]>(name: Name): LatchkeyEvents[Name][] {
  return seen.filter((event) => event.name === name).map(({ event }) => event as LatchkeyEvents[Name]);
}

/** The warnings that this causes, as `CODE: message`. */
async function warningsOf(cause: () => Promise<unknown>): Promise<readonly string[]> {
  const warnings: string[] = [];
  const listener = (warning: Error & { readonly code?: string }) =>
    warnings.push(`${warning.name} ${warning.code}: ${warning.message}`);
  await nextTurn();
  process.on('warning', listener);
  try {
    await cause();
    await nextTurn();
  } finally {
    process.off('warning', listener);
  }
  return warnings.filter((text) => text.includes('LATCHKEY'));
}

/** Does something to a folder, and waits until its watchers have been told. */
async function told(name: string, act: () => Promise<void>, where = folder): Promise<void> {
  const watcher = watch(where);
  try {
    const heard = new Promise<void>((resolve) => {
      watcher.on('change', (_event, changed) => {
        if (changed === name) resolve();
      });
    });
    await act();
    await heard;
    await nextTurn();
  } finally {
    watcher.close();
  }
}

function refusal(call: Promise<unknown>): Promise<Error> {
  return call.then(
    () => {
      throw new Error('not refused');
    },
    (error: Error) => error,
  );
}

describe('which calls carry the token', () => {
  it('OK-2: a call to a mapped host does, as a bearer token', async () => {
    await put('token', FIRST);
    const friends = await serve();
    const calls = createFor(friends.host);
    await calls.ready();
    const response = await calls.fetch(`${friends.url}/friends`);
    expect(await response.text()).toBe('ok');
    expect(friends.arrived).toMatchObject([{ path: '/friends', authorization: `Bearer ${FIRST}` }]);
  });

  it('OK-2: without ready() too', async () => {
    await put('token', FIRST);
    const friends = await serve();
    expect(await sent(createFor(friends.host), friends)).toBe(`Bearer ${FIRST}`);
  });

  it('OK-2: the token that the host is mapped to, and no other', async () => {
    await put('friends', FIRST);
    await put('messages', tokenOf({ aud: ['urn:other', 'urn:messages'] }));
    const [friends, messages] = [await serve(), await serve()];
    const calls = create({
      tokens: [
        { file: at('friends'), audience: FRIENDS, hosts: ['elsewhere.internal', friends.host] },
        { file: at('messages'), audience: 'urn:messages', hosts: [messages.host] },
      ],
    });
    expect(await sent(calls, messages)).toBe(`Bearer ${tokenOf({ aud: ['urn:other', 'urn:messages'] })}`);
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
    const server = await serve();
    const [, port = ''] = server.host.split(':');
    const mappedPort = title === 'another port' ? '1' : port;
    const calls = create({
      tokens: [{ file: at('token'), audience: FRIENDS, hosts: [`friends.internal:${mappedPort}`] }],
      allowHttp: true,
    });
    const response = await calls.fetch(`${origin}:${port}/`, resolvingAll());
    expect(response.status).toBe(200);
    expect(server.arrived).toMatchObject([{ authorization: undefined }]);
  });

  it('OK-2: to the mapped host, however it is spelt', async () => {
    await put('token', FIRST);
    const server = await serve();
    const [, port = ''] = server.host.split(':');
    const calls = create({
      tokens: [{ file: at('token'), audience: FRIENDS, hosts: [`friends.internal:${port}`] }],
      allowHttp: true,
    });
    await calls.fetch(`HTTP://FRIENDS.Internal:0${port}/`, resolvingAll());
    expect(server.arrived).toMatchObject([
      { host: `friends.internal:${port}`, authorization: `Bearer ${FIRST}` },
    ]);
  });

  it.each(['Basic b2tlcmE6eA==', 'Bearer their.own.token', ''])(
    "OK-2: the caller's own Authorization %j is left alone",
    async (authorization) => {
      await put('token', FIRST);
      const friends = await serve();
      const calls = createFor(friends.host);
      await calls.fetch(friends.url, { headers: { AUTHORIZATION: authorization } });
      await calls.fetch(new Request(friends.url, { headers: { authorization } }));
      expect(friends.arrived.map((request) => request.authorization)).toEqual([authorization, authorization]);
    },
  );

  it('OK-2: with no token to send, a call to a host that is not mapped goes on', async () => {
    const [friends, other] = [await serve(), await serve()];
    const calls = createFor(friends.host);
    expect(await sent(calls, other)).toBe('none');
    expect(seen).toEqual([]);
  });
});

describe('plain HTTP', () => {
  const mapped = (port: string, allowHttp?: boolean) =>
    create({
      tokens: [{ file: at('token'), audience: FRIENDS, hosts: [`friends.internal:${port}`] }],
      ...defined({ allowHttp }),
    });

  it.each([undefined, false])(
    'OK-2: is refused beyond loopback where allowHttp is %s, and nothing is sent',
    async (allowHttp) => {
      await put('token', FIRST);
      const server = await serve();
      const [, port = ''] = server.host.split(':');
      const error = await refusal(
        mapped(port, allowHttp).fetch(`http://friends.internal:${port}/`, resolvingAll()),
      );
      expect(error.message).toBe('expected https for a service token (allowHttp permits http)');
      expect(server.arrived).toEqual([]);
    },
  );

  it('OK-2: is allowed anywhere with allowHttp', async () => {
    await put('token', FIRST);
    const server = await serve();
    const [, port = ''] = server.host.split(':');
    await mapped(port, true).fetch(`http://friends.internal:${port}/`, resolvingAll());
    expect(server.arrived).toMatchObject([{ authorization: `Bearer ${FIRST}` }]);
  });

  /** A proxy that answers everything itself, and remembers what it could read. */
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
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, read };
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
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        '--conditions=source',
        ...flags,
        '--input-type=module',
        '-e',
        `import { createServiceFetch } from ${JSON.stringify(new URL('../../src/signing/service-fetch.ts', import.meta.url).href)};
         const calls = createServiceFetch({
           tokens: [{ file: ${JSON.stringify(at('token'))}, audience: ${JSON.stringify(FRIENDS)}, hosts: [${JSON.stringify(server.host)}] }],
         });
         for (let round = 0; round < 2; round++) {
           console.log(await calls.fetch('${server.url}').then((answer) => 'direct ' + answer.status, (error) => error.message));
         }
         calls.close();`,
      ],
      {
        env: {
          HTTP_PROXY: reading.url,
          NO_PROXY: noProxy,
          ...(flags.length === 0 ? { NODE_USE_ENV_PROXY: '1' } : {}),
        },
      },
    );
    const line = expected === 'refused' ? BY_A_PROXY : 'direct 200';
    expect(stdout.trim().split('\n')).toEqual([line, line]);
    expect(reading.read).toEqual([]);
    expect(server.arrived).toHaveLength(expected === 'refused' ? 0 : 2);
  });

  it.each([false, true])('OK-2: not by a dispatcher with a proxy, allowHttp %s', async (allowHttp) => {
    await put('token', FIRST);
    const [server, reading] = [await serve(), await proxy()];
    const before = getGlobalDispatcher();
    const agent = new ProxyAgent(reading.url);
    setGlobalDispatcher(agent);
    try {
      const calls = create({
        tokens: [{ file: at('token'), audience: FRIENDS, hosts: [server.host, 'friends.internal'] }],
        allowHttp,
      });
      expect((await refusal(calls.fetch(server.url))).message).toBe(BY_A_PROXY);
      if (allowHttp === true)
        expect((await refusal(calls.fetch('http://friends.internal/'))).message).toBe(BY_A_PROXY);
      // Without a token, a call is the application's own.
      expect(reading.read).toEqual([]);
    } finally {
      setGlobalDispatcher(before);
      await agent.close();
    }
    expect(server.arrived).toEqual([]);
  });

  it('OK-2: not by a proxy that the call itself is given', async () => {
    await put('token', FIRST);
    const [server, reading] = [await serve(), await proxy()];
    const dispatcher = new ProxyAgent(reading.url) as never;
    try {
      const calls = create({ tokens: [{ file: at('token'), audience: FRIENDS, hosts: [server.host] }] });
      expect((await refusal(calls.fetch(server.url, { dispatcher }))).message).toBe(BY_A_PROXY);
      expect(reading.read).toEqual([]);
    } finally {
      await (dispatcher as ProxyAgent).close();
    }
    expect(server.arrived).toEqual([]);
  });

  it.each(['127.0.0.1', '127.1.2.3', 'localhost', '[::1]'])(
    'OK-2: is allowed to %s, on loopback',
    async (name) => {
      await put('token', FIRST);
      const carried: (string | null)[] = [];
      vi.stubGlobal('fetch', async (request: Request) => {
        carried.push(request.headers.get('authorization'));
        return new Response('ok');
      });
      try {
        await createFor(`${name}:8080`).fetch(`http://${name}:8080/`);
      } finally {
        vi.unstubAllGlobals();
      }
      expect(carried).toEqual([`Bearer ${FIRST}`]);
    },
  );

  it.each([
    'localhost.example',
    '127.0.0.1.example',
    'notlocalhost',
    '[::2]',
    '128.0.0.1',
    '0.0.0.0',
    '10.127.0.0',
  ])('OK-2: is refused to %s, which is not on loopback', async (name) => {
    await put('token', FIRST);
    const error = await refusal(createFor(`${name}:1`).fetch(`http://${name}:1/`));
    expect(error.message).toContain('expected https');
  });

  it('OK-2: and no other scheme carries a token', async () => {
    await put('token', FIRST);
    const calls = create({
      tokens: [{ file: at('token'), audience: FRIENDS, hosts: ['friends.internal'] }],
      allowHttp: true,
    });
    expect((await refusal(calls.fetch('ftp://friends.internal/'))).message).toContain('expected https');
    expect(await (await calls.fetch('data:,hello')).text()).toBe('hello');
  });
});

describe('redirects', () => {
  const STATUSES = [301, 302, 303, 307, 308];

  it.each(STATUSES)('OK-2: %i to another port drops the token', async (status) => {
    await put('token', FIRST);
    const [friends, other] = [await serve(), await serve()];
    const calls = createFor(friends.host);
    await calls.fetch(friends.url + redirecting(`${other.url}/there`, status), { method: 'POST', body: 'b' });
    expect(friends.arrived).toMatchObject([{ authorization: `Bearer ${FIRST}` }]);
    expect(other.arrived).toMatchObject([{ path: '/there', authorization: undefined }]);
  });

  it.each(STATUSES)('OK-2: %i to another name for the same server drops the token', async (status) => {
    await put('token', FIRST);
    const server = await serve();
    const [, port = ''] = server.host.split(':');
    const calls = create({
      tokens: [{ file: at('token'), audience: FRIENDS, hosts: [`friends.internal:${port}`] }],
      allowHttp: true,
    });
    const path = redirecting(`http://evil.internal:${port}/there`, status);
    await calls.fetch(`http://friends.internal:${port}${path}`, resolvingAll());
    expect(server.arrived).toMatchObject([
      { host: `friends.internal:${port}`, authorization: `Bearer ${FIRST}` },
      { host: `evil.internal:${port}`, path: '/there', authorization: undefined },
    ]);
  });

  it.each(STATUSES)('OK-2: %i on the same origin keeps the token', async (status) => {
    await put('token', FIRST);
    const friends = await serve();
    await createFor(friends.host).fetch(friends.url + redirecting('/there', status));
    expect(friends.arrived).toMatchObject([
      { authorization: `Bearer ${FIRST}` },
      { path: '/there', authorization: `Bearer ${FIRST}` },
    ]);
  });

  it.each(STATUSES)('OK-2: %i from elsewhere to a mapped host gets no token', async (status) => {
    await put('token', FIRST);
    const [friends, other] = [await serve(), await serve()];
    await createFor(friends.host).fetch(other.url + redirecting(friends.url, status));
    expect(other.arrived).toMatchObject([{ authorization: undefined }]);
    expect(friends.arrived).toMatchObject([{ authorization: undefined }]);
  });

  it('OK-2: between two mapped hosts neither token crosses, nor comes back', async () => {
    await put('token', FIRST);
    await put('other', tokenOf({ aud: 'urn:other' }));
    const [friends, other] = [await serve(), await serve()];
    const calls = create({
      tokens: [
        { file: at('token'), audience: FRIENDS, hosts: [friends.host] },
        { file: at('other'), audience: 'urn:other', hosts: [other.host] },
      ],
    });
    const back = other.url + redirecting(`${friends.url}/back`, 307);
    await calls.fetch(friends.url + redirecting(back, 307));
    expect(friends.arrived.map(({ authorization }) => authorization)).toEqual([`Bearer ${FIRST}`, undefined]);
    expect(other.arrived).toMatchObject([{ authorization: undefined }]);
  });

  it('OK-2: from https to http, on the same host and port, drops the token', async () => {
    await put('token', FIRST);
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
      keyType: 'ec',
      algorithm: 'sha256',
      extensions: [
        { name: 'basicConstraints', cA: true, critical: true },
        { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
      ],
    });
    const [secure, clear]: [Arrived[], Arrived[]] = [[], []];
    const overTls = createTlsServer({ cert, key }, recorder(secure));
    const overHttp = createServer(recorder(clear));
    // One port for both: a TLS connection begins with the record type of a handshake, 22.
    const port = await listen(
      createTcpServer((socket) => {
        socket.once('data', (chunk) => {
          socket.pause();
          socket.unshift(chunk);
          (chunk[0] === 22 ? overTls : overHttp).emit('connection', socket);
          process.nextTick(() => socket.resume());
        });
      }),
    );
    const calls = createFor(`localhost:${port}`);
    const trusting = resolvingAll(cert);
    const origin = `https://localhost:${port}`;
    await calls.fetch(origin + redirecting(`http://localhost:${port}/there`, 307), trusting);
    expect(secure).toMatchObject([{ authorization: `Bearer ${FIRST}` }]);
    expect(clear).toMatchObject([{ path: '/there', authorization: undefined }]);
    // And it is not that redirects lose it here.
    await calls.fetch(origin + redirecting('/there', 307), trusting);
    expect(secure.at(-1)).toMatchObject({ path: '/there', authorization: `Bearer ${FIRST}` });
    overTls.closeAllConnections();
    overHttp.closeAllConnections();
  });

  it("OK-2: redirect: 'manual' and 'error' are the caller's to ask for", async () => {
    await put('token', FIRST);
    const friends = await serve();
    const calls = createFor(friends.host);
    const path = redirecting('/there', 302);
    expect((await calls.fetch(friends.url + path, { redirect: 'manual' })).status).toBe(302);
    await expect(calls.fetch(friends.url + path, { redirect: 'error' })).rejects.toThrow(TypeError);
    expect(friends.arrived).toHaveLength(2);
  });
});

describe("the caller's request", () => {
  it('OK-2: a Request keeps its method, headers and body', async () => {
    await put('token', FIRST);
    const friends = await serve();
    const request = new Request(`${friends.url}/r`, {
      method: 'PUT',
      headers: { 'x-one': '1', 'content-type': 'text/x-own' },
      body: 'a body',
    });
    await createFor(friends.host).fetch(request);
    expect(friends.arrived).toMatchObject([
      {
        method: 'PUT',
        path: '/r',
        authorization: `Bearer ${FIRST}`,
        headers: { 'x-one': '1', 'content-type': 'text/x-own' },
        body: 'a body',
      },
    ]);
    // What belongs to the caller does not carry the token away.
    expect(request.headers.has('authorization')).toBe(false);
  });

  it('OK-2: init says otherwise than the Request', async () => {
    await put('token', FIRST);
    const friends = await serve();
    const headers = new Headers({ 'x-two': '2' });
    const request = new Request(friends.url, { method: 'PUT', headers: { 'x-one': '1' }, body: 'a body' });
    await createFor(friends.host).fetch(request, { method: 'POST', headers, body: 'another' });
    expect(friends.arrived).toMatchObject([
      { method: 'POST', authorization: `Bearer ${FIRST}`, headers: { 'x-two': '2' }, body: 'another' },
    ]);
    expect(friends.arrived[0]?.headers).not.toHaveProperty('x-one');
    expect(headers.has('authorization')).toBe(false);
  });

  it('OK-2: a URL, init and a body that streams', async () => {
    await put('token', FIRST);
    const friends = await serve();
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from('in two '));
        controller.enqueue(Buffer.from('parts'));
        controller.close();
      },
    });
    const init: RequestInit = { method: 'POST', headers: [['x-one', '1']], body, duplex: 'half' };
    await createFor(friends.host).fetch(new URL(friends.url), init);
    expect(friends.arrived).toMatchObject([
      { method: 'POST', authorization: `Bearer ${FIRST}`, headers: { 'x-one': '1' }, body: 'in two parts' },
    ]);
  });

  it('OK-2: a URL that changes after the call has no say in where the token goes', async () => {
    await put('token', FIRST);
    const [friends, other] = [await serve(), await serve()];
    const url = new URL(friends.url);
    const call = createFor(friends.host).fetch(url);
    url.href = other.url;
    await call;
    expect(friends.arrived).toMatchObject([{ authorization: `Bearer ${FIRST}` }]);
    expect(other.arrived).toEqual([]);
  });

  it.each(['of the Request', 'of init'])(
    'OK-2: the signal %s ends the call, with its reason',
    async (whose) => {
      await put('token', FIRST);
      const controller = new AbortController();
      const friends = await serve(() => controller.abort(new Error('enough')));
      const { signal } = controller;
      const calls = createFor(friends.host);
      const call =
        whose === 'of init'
          ? calls.fetch(friends.url, { signal })
          : calls.fetch(new Request(friends.url, { signal }));
      expect(await refusal(call)).toBe(signal.reason);
      expect(friends.arrived).toHaveLength(1);
      // One that was aborted before sends nothing.
      expect(await refusal(calls.fetch(friends.url, { signal }))).toBe(signal.reason);
      expect(friends.arrived).toHaveLength(1);
    },
  );

  it('OK-2: userinfo in a URL is refused, as by the global fetch', async () => {
    await put('token', FIRST);
    const friends = await serve();
    const url = `http://okera:password@${friends.host}/`;
    const theirs = await refusal(fetch(url));
    const ours = await refusal(createFor(friends.host).fetch(url));
    expect(ours).toBeInstanceOf(TypeError);
    expect(ours.message).toBe(theirs.message);
    expect(friends.arrived).toEqual([]);
  });

  it('OK-2: what fetch rejects with comes through unchanged', async () => {
    await put('token', FIRST);
    const calls = createFor('127.0.0.1:8080');
    const thrown = new TypeError('fetch failed');
    vi.stubGlobal('fetch', async () => {
      throw thrown;
    });
    try {
      expect(await refusal(calls.fetch('http://127.0.0.1:8080/'))).toBe(thrown);
    } finally {
      vi.unstubAllGlobals();
    }
    expect(await refusal(calls.fetch('not a URL'))).toBeInstanceOf(TypeError);
  });

  it('OK-2: fetch stands by itself', async () => {
    await put('token', FIRST);
    const friends = await serve();
    const { fetch } = createFor(friends.host);
    expect((await fetch(friends.url)).ok).toBe(true);
  });
});

describe('the token file', () => {
  it.each([
    ['nothing', ''],
    ['a newline', '\n'],
    ['a carriage return and a newline', '\r\n'],
  ])('OK-14: with %s after the token', async (_, end) => {
    await put('token', FIRST + end);
    const friends = await serve();
    expect(await sent(createFor(friends.host), friends)).toBe(`Bearer ${FIRST}`);
  });

  it('OK-14: a token that was signed', async () => {
    const token = await mint(await generateSigningKey('RS512', 'k'), {
      aud: [FRIENDS, 'urn:x'],
      sub: 'okera',
      groups: ['root'],
      exp: START + LIFE,
    });
    await put('token', token);
    const friends = await serve();
    expect(await sent(createFor(friends.host, { subject: 'okera' }), friends)).toBe(`Bearer ${token}`);
  });

  const secret = 'xyzzy-nothing-happens';
  const bad: readonly [title: string, content: string, message: string][] = [
    ['of nothing', '', 'expected a compact JWS: not three base64url segments'],
    ['with two newlines', `${FIRST}\n\n`, 'expected a compact JWS: not three base64url segments'],
    ['with a space before', ` ${FIRST}`, 'expected a compact JWS: not three base64url segments'],
    ['with a second line', `${FIRST}\nx: y`, 'expected a compact JWS: not three base64url segments'],
    ['with a word', secret, 'expected a compact JWS: not three base64url segments'],
    [
      'with half a token',
      FIRST.slice(0, FIRST.lastIndexOf('.')),
      'expected a compact JWS: not three base64url segments',
    ],
    [
      'with a token of no signature',
      `${FIRST.slice(0, FIRST.lastIndexOf('.'))}.`,
      'expected a compact JWS: not three base64url segments',
    ],
    [
      'with a payload that is no JSON',
      `${encode({ alg: 'RS512' })}.${encode(secret)}.c2ln`,
      'expected a compact JWS: the payload is not strict JSON: not a JSON object',
    ],
    [
      'with a token of 17 KiB',
      tokenOf({ secret: secret.repeat(640) }),
      'expected a compact JWS: the token is too long',
    ],
    ['of more than 512 KiB', FIRST.padEnd(512 * 1024 + 1), `the file is larger than ${512 * 1024} bytes`],
    ['for another audience', tokenOf({ aud: secret }), 'the token is for another audience'],
    ['for other audiences', tokenOf({ aud: [secret, `${FRIENDS}x`] }), 'the token is for another audience'],
    ['for no audience', tokenOf({ aud: undefined }), 'the token is for another audience'],
    [
      'for an audience in an object',
      tokenOf({ aud: { [FRIENDS]: FRIENDS } }),
      'the token is for another audience',
    ],
    ['of another subject', tokenOf({ sub: secret }), 'the token is of another subject'],
    ['of no subject', tokenOf({ sub: undefined }), 'the token is of another subject'],
    ['of two subjects', tokenOf({ sub: ['okera', secret] }), 'the token is of another subject'],
    ['with exp in a string', tokenOf({ exp: String(START + LIFE) }), 'exp is not a time in seconds'],
    ['with exp null', tokenOf({ exp: null }), 'exp is not a time in seconds'],
    ['with exp in milliseconds', tokenOf({ exp: START * 1000 }), 'exp is not a time in seconds'],
    ['with exp before 1970', tokenOf({ exp: -1 }), 'exp is not a time in seconds'],
    ['with nbf in a string', tokenOf({ nbf: '0' }), 'nbf is not a time in seconds'],
    ['with a token that is not valid yet', tokenOf({ nbf: START + 6 }), 'the token is not valid yet'],
  ];

  it.each(bad)(
    'OK-14, S56: a file %s is refused at boot, at a call, and says nothing of itself',
    async (_, content, why) => {
      await put('token', content);
      const friends = await serve();
      const calls = createFor(friends.host, { subject: 'okera' });
      const message = `service token tokens[0]: ${why}`;
      const errors: unknown[] = [];
      const warnings = await warningsOf(async () => {
        errors.push(await refusal(calls.ready()));
        errors.push(await refusal(calls.fetch(friends.url)));
      });
      expect(errors).toEqual([new Error(message), new Error(message)]);
      expect(friends.arrived).toEqual([]);
      expect(warnings).toEqual([]);
      expect(seen).toEqual([
        {
          name: 'latchkey:service-token:failed',
          event: { serviceToken: 'tokens[0]', audience: FRIENDS, error: new Error(why) },
        },
      ]);
      const said = inspect([errors, seen], { depth: null, maxStringLength: null });
      for (const part of [secret, ...content.split('.').map((segment) => segment.slice(0, 20))])
        if (part.length > 10) expect(said).not.toContain(part);
    },
  );

  it.each(bad)(
    'S56: a file %s, in the place of a good one, leaves that in use until it expires',
    async (_, content, why) => {
      await put('token', FIRST);
      const friends = await serve();
      const calls = createFor(friends.host, { subject: 'okera' });
      await calls.ready();
      await told('token', () => put('token', content));
      vi.advanceTimersByTime(1_000);
      expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
      expect(events('latchkey:service-token:failed')).toMatchObject([{ error: new Error(why) }]);
      clock.set((START + LIFE) * 1000);
      expect((await refusal(calls.fetch(friends.url))).message).toBe(`service token tokens[0]: ${why}`);
      expect(friends.arrived).toHaveLength(1);
    },
  );

  it('OK-14: a file that is not there, and one that is a folder', async () => {
    await mkdir(at('folder'));
    const hosts = { audience: FRIENDS } as const;
    const calls = create({
      tokens: [
        { ...hosts, file: at('gone'), hosts: ['a.internal'] },
        { ...hosts, file: at('folder'), hosts: ['b.internal'] },
        { ...hosts, file: join(at('gone'), 'token'), hosts: ['c.internal'] },
      ],
    });
    await expect(calls.ready()).rejects.toEqual(
      new Error(
        'service token tokens[0]: the file does not exist; service token tokens[1]: not a regular file; ' +
          'service token tokens[2]: the file does not exist',
      ),
    );
  });

  it('OK-14: audience null does not look at aud, and no subject not at sub', async () => {
    const token = tokenOf({ aud: undefined, sub: 4 });
    await put('token', token);
    const friends = await serve();
    expect(await sent(createFor(friends.host, { audience: null }), friends)).toBe(`Bearer ${token}`);
    expect(events('latchkey:service-token:refreshed')).toEqual([
      { serviceToken: 'tokens[0]', audience: null, expiresAt: START + LIFE },
    ]);
  });

  it('OK-14: nbf may be as far ahead as clocks disagree, and no farther', async () => {
    await put('token', tokenOf({ nbf: START + 5 }));
    const friends = await serve();
    expect(await sent(createFor(friends.host), friends)).toContain('Bearer ');
  });

  it('OK-14: one bad token does not harm another', async () => {
    await put('token', FIRST);
    const [friends, other] = [await serve(), await serve()];
    const calls = create({
      tokens: [
        { file: at('gone'), audience: FRIENDS, hosts: [other.host] },
        { file: at('token'), audience: FRIENDS, hosts: [friends.host] },
      ],
    });
    await expect(calls.ready()).rejects.toThrow('service token tokens[0]: the file does not exist');
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    expect((await refusal(calls.fetch(other.url))).message).toContain('tokens[0]');
  });
});

describe('when the file is read', () => {
  /** A link out of the folder: what it leads to changes without a word to the folder's watchers. */
  async function putElsewhere(token: string): Promise<void> {
    await mkdir(at('elsewhere'), { recursive: true });
    await put('elsewhere/token', token);
    await symlink('elsewhere/token', at('token')).catch(() => {});
  }

  it('S56: at first use, and not before', async () => {
    const friends = await serve();
    const calls = createFor(friends.host);
    await put('token', FIRST);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
  });

  it('S56: once for all calls that wait', async () => {
    await putElsewhere(FIRST);
    const friends = await serve();
    const calls = createFor(friends.host);
    await Promise.all([calls.ready(), ...Array.from({ length: 20 }, () => sent(calls, friends))]);
    expect(friends.arrived.every(({ authorization }) => authorization === `Bearer ${FIRST}`)).toBe(true);
    expect(friends.arrived).toHaveLength(20);
    expect(events('latchkey:service-token:refreshed')).toEqual([
      { serviceToken: 'tokens[0]', audience: FRIENDS, expiresAt: START + LIFE },
    ]);
  });

  it('S56: when it has changed', async () => {
    await put('token', FIRST);
    const friends = await serve();
    const calls = createFor(friends.host);
    await calls.ready();
    vi.advanceTimersByTime(1_000);
    await told('token', () => put('token', SECOND));
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
    expect(events('latchkey:service-token:refreshed').map(({ expiresAt }) => expiresAt)).toEqual([
      START + LIFE,
      START + 2 * LIFE,
    ]);
  });

  it('S56: when it is written in place', async () => {
    await put('token', FIRST);
    const friends = await serve();
    const calls = createFor(friends.host);
    await calls.ready();
    vi.advanceTimersByTime(1_000);
    await told('token', () => writeFile(at('token'), SECOND));
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
  });

  it('S56: when a whole mount is swapped, and not when another file changes', async () => {
    await putElsewhere(FIRST);
    const friends = await serve();
    const calls = createFor(friends.host);
    await calls.ready();
    vi.advanceTimersByTime(1_000);
    await put('elsewhere/token', SECOND);
    await told('neighbour', () => put('neighbour', 'x'));
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    await told('..data', () => mkdir(at('..data')));
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
    // And once for each change.
    await put('elsewhere/token', FIRST);
    vi.advanceTimersByTime(1_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
  });

  it('S56: in a folder that came later', async () => {
    const friends = await serve();
    const file = at('mount/token');
    const calls = createFor(friends.host, { file });
    const third = tokenOf({ exp: START + 3 * LIFE });
    await expect(calls.ready()).rejects.toThrow('the file does not exist');
    await mkdir(at('mount'));
    await put('mount/token', FIRST);
    vi.advanceTimersByTime(1_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    await told('token', () => put('mount/token', third), at('mount'));
    vi.advanceTimersByTime(1_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${third}`);
  });

  it('S56: once a minute, for mounts that tell nobody', async () => {
    await putElsewhere(FIRST);
    const friends = await serve();
    const calls = createFor(friends.host);
    await calls.ready();
    await put('elsewhere/token', SECOND);
    vi.advanceTimersByTime(59_999);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    vi.advanceTimersByTime(1);
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
  });

  it('S56: in the last minute of the token, at most once a second', async () => {
    await putElsewhere(FIRST);
    const friends = await serve();
    const calls = createFor(friends.host);
    await calls.ready();
    vi.advanceTimersByTime(1_000);
    clock.set((START + LIFE) * 1000 - 60_001);
    // Not near: this call reads nothing, and leaves the second to the next one.
    await sent(calls, friends);
    await put('elsewhere/token', SECOND);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    clock.advance(1);
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
    clock.set((START + 2 * LIFE) * 1000 - 1);
    await put('elsewhere/token', tokenOf({ exp: START + 3 * LIFE }));
    vi.advanceTimersByTime(999);
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
    vi.advanceTimersByTime(1);
    expect(await sent(calls, friends)).toBe(`Bearer ${tokenOf({ exp: START + 3 * LIFE })}`);
  });

  it('S56: again after a failure, at most once a second', async () => {
    const friends = await serve();
    const calls = createFor(friends.host);
    await expect(calls.fetch(friends.url)).rejects.toThrow('the file does not exist');
    await putElsewhere(FIRST);
    vi.advanceTimersByTime(999);
    await expect(calls.fetch(friends.url)).rejects.toThrow('the file does not exist');
    expect(events('latchkey:service-token:failed')).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    await told('token', () => rm(at('token')));
    vi.advanceTimersByTime(1_000);
    await sent(calls, friends);
    expect(events('latchkey:service-token:failed')).toHaveLength(2);
    await putElsewhere(SECOND);
    vi.advanceTimersByTime(1_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
    // It is over: nothing is read every second any more.
    vi.advanceTimersByTime(1_000);
    await sent(calls, friends);
    await put('elsewhere/token', FIRST);
    vi.advanceTimersByTime(1_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
  });

  it('S56: once at a time, however long it takes', async () => {
    const calls = createFor('127.0.0.1:1');
    const slow = [refusal(calls.fetch('http://127.0.0.1:1/'))];
    vi.advanceTimersByTime(60_000);
    slow.push(refusal(calls.fetch('http://127.0.0.1:1/')));
    await Promise.all(slow);
    expect(events('latchkey:service-token:failed')).toHaveLength(1);
  });

  it('S56: again after a failure that left a token in use, though nothing tells of a change', async () => {
    await putElsewhere(FIRST);
    const friends = await serve();
    const calls = createFor(friends.host);
    await calls.ready();
    await put('elsewhere/token', tokenOf({ sub: 'okera', nbf: START + 60 }, 'later'));
    vi.advanceTimersByTime(60_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    clock.advance(60_000);
    vi.advanceTimersByTime(1_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${tokenOf({ sub: 'okera', nbf: START + 60 }, 'later')}`);
  });

  it('S56: the same token read again is no news', async () => {
    await putElsewhere(FIRST);
    const friends = await serve();
    const calls = createFor(friends.host);
    for (let minute = 0; minute < 3; minute++) {
      await sent(calls, friends);
      vi.advanceTimersByTime(60_000);
    }
    expect(seen).toHaveLength(1);
  });

  it('S56: a change while it is read is not missed', async () => {
    await putElsewhere(FIRST);
    const friends = await serve();
    const calls = createFor(friends.host);
    const first = sent(calls, friends);
    live.tell();
    await first;
    await put('elsewhere/token', SECOND);
    vi.advanceTimersByTime(1_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
  });
});

describe('expiry', () => {
  it('S56: a token is sent until it expires and never after', async () => {
    await put('token', FIRST);
    const friends = await serve();
    const calls = createFor(friends.host);
    clock.set((START + LIFE) * 1000 - 1);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    clock.advance(1);
    // Within the second, so from what is at hand.
    const error = await refusal(calls.fetch(friends.url));
    expect(error.message).toBe('service token tokens[0]: the token has expired');
    expect(error.name).toBe('Error');
    vi.advanceTimersByTime(1_000);
    expect(await refusal(calls.fetch(friends.url))).toEqual(error);
    expect(friends.arrived).toHaveLength(1);
    expect(events('latchkey:service-token:failed')).toEqual([
      { serviceToken: 'tokens[0]', audience: FRIENDS, error: new Error('the token has expired') },
    ]);
    await put('token', SECOND);
    vi.advanceTimersByTime(1_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${SECOND}`);
  });

  it('S56: an expired one in the place of a good one is not taken', async () => {
    await put('token', FIRST);
    const friends = await serve();
    const calls = createFor(friends.host);
    await calls.ready();
    vi.advanceTimersByTime(1_000);
    await told('token', () => put('token', tokenOf({ exp: START })));
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    expect(events('latchkey:service-token:failed')).toHaveLength(1);
  });

  it('S56: a clock that gives no number sends nothing', async () => {
    await put('token', tokenOf({ exp: undefined }));
    const friends = await serve();
    const calls = createFor(friends.host);
    await calls.ready();
    clock.set(Number.NaN);
    await expect(calls.fetch(friends.url)).rejects.toThrow('the token has expired');
    expect(friends.arrived).toEqual([]);
  });

  it.each<[title: string, exp: number | undefined, warnings: readonly string[]]>([
    ['has expired', START, ['Warning LATCHKEY_EXPIRY: service token tokens[0]: has expired']],
    [
      'expires within 24 hours',
      START + DAY,
      ['Warning LATCHKEY_EXPIRY: service token tokens[0]: expires within 24 hours'],
    ],
    ['expires after that', START + DAY + 0.001, []],
    ['never expires', undefined, ['SecurityWarning LATCHKEY_UNSAFE: service token tokens[0]: never expires']],
  ])('S56: at boot there is a warning of a token that %s', async (_, exp, warnings) => {
    await put('token', tokenOf({ exp }));
    const calls = createFor('friends.internal');
    expect(await warningsOf(() => calls.ready())).toEqual(warnings);
  });

  it('S56: a token without exp is sent', async () => {
    await put('token', tokenOf({ exp: undefined }));
    const friends = await serve();
    const calls = createFor(friends.host);
    clock.advance(1e12);
    expect(await sent(calls, friends)).toBe(`Bearer ${tokenOf({ exp: undefined })}`);
    expect(events('latchkey:service-token:refreshed')).toEqual([
      { serviceToken: 'tokens[0]', audience: FRIENDS, expiresAt: undefined },
    ]);
  });

  it('S56: one that had expired at boot is never sent, and its successor is', async () => {
    await put('token', tokenOf({ exp: START }));
    const friends = await serve();
    const calls = createFor(friends.host);
    await calls.ready();
    await expect(calls.fetch(friends.url)).rejects.toThrow('the token has expired');
    expect(friends.arrived).toEqual([]);
    await put('token', FIRST);
    vi.advanceTimersByTime(1_000);
    expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
  });
});

describe('the end', () => {
  it('OK-14: calls to mapped hosts are refused, others are made', async () => {
    await put('token', FIRST);
    const [friends, other] = [await serve(), await serve()];
    const calls = createFor(friends.host);
    await calls.ready();
    calls.close();
    calls.close();
    vi.advanceTimersByTime(60_000);
    await expect(calls.fetch(friends.url)).rejects.toThrow('service token tokens[0]: closed');
    await expect(calls.ready()).rejects.toThrow('service token tokens[0]: closed');
    expect(await sent(calls, other)).toBe('none');
    expect(friends.arrived).toEqual([]);
  });

  it('OK-14: a reading under way when it comes gives nothing any more', async () => {
    await put('token', FIRST);
    const friends = await serve();
    const calls = createFor(friends.host);
    const call = calls.fetch(friends.url);
    calls.close();
    await expect(call).rejects.toThrow('service token tokens[0]: closed');
    expect(friends.arrived).toEqual([]);
    expect(seen).toEqual([]);
  });

  it('OK-14: nor one that has just ended', async () => {
    await put('token', tokenOf({ nbf: START }));
    let asked = 0;
    const now = () => {
      // The first time is while the options are read.
      if (asked++ > 0) calls.close();
      return START * 1000;
    };
    const tokens = [{ file: at('token'), audience: FRIENDS, hosts: ['127.0.0.1:1'] }];
    const calls = create({ tokens, clock: { now } });
    await expect(calls.fetch('http://127.0.0.1:1/')).rejects.toThrow('closed');
    expect(seen).toEqual([]);
  });

  it('OK-14: one watcher for each file, and none afterwards', async () => {
    await put('token', FIRST);
    const friends = await serve();
    const calls = createFor(friends.host);
    expect(live.watchers).toBe(0);
    for (let minute = 0; minute < 3; minute++) {
      await sent(calls, friends);
      vi.advanceTimersByTime(60_000);
      expect(live.watchers).toBe(1);
    }
    calls.close();
    expect(live.watchers).toBe(0);
    await expect(calls.fetch(friends.url)).rejects.toThrow('closed');
    expect(live.watchers).toBe(0);
  });

  it('OK-14: a process ends though nobody has closed', async () => {
    await put('token', FIRST);
    const script = `
      import { createServiceFetch } from ${JSON.stringify(new URL('../../src/signing/service-fetch.ts', import.meta.url).href)};
      const calls = createServiceFetch({ tokens: [
        { file: ${JSON.stringify(at('token'))}, audience: ${JSON.stringify(FRIENDS)}, hosts: ['friends.internal'] },
      ] });
      await calls.ready();
      console.log('ready');
    `;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        '--conditions=source',
        '--input-type=module',
        '--eval',
        script,
      ],
      { cwd: fileURLToPath(new URL('../..', import.meta.url)), timeout: 15_000 },
    );
    expect(stdout.trim()).toBe('ready');
  });
});

describe('options', () => {
  const good = { file: '/run/tokens/friends.jwt', audience: FRIENDS, hosts: ['friends.internal:8443'] };

  it.each<[title: string, path: string, options: unknown, message?: string]>([
    ['none', 'options', undefined],
    ['no tokens', 'tokens', {}],
    ['an empty list', 'tokens', { tokens: [] }],
    ['a token that is no object', 'tokens[0]', { tokens: ['/run/tokens/friends.jwt'] }],
    ['an unknown option', 'retries', { tokens: [good], retries: 3 }, 'unknown option'],
    ['a misspelled option', 'allowHTTP', { tokens: [good], allowHTTP: true }, 'did you mean allowHttp?'],
    [
      'an unknown option of a token',
      'tokens[0].host',
      { tokens: [{ ...good, host: 'x' }] },
      'unknown option',
    ],
    ['no file', 'tokens[0].file', { tokens: [{ ...good, file: undefined }] }],
    ['an empty file name', 'tokens[0].file', { tokens: [{ ...good, file: '' }] }],
    [
      'no audience',
      'tokens[1].audience',
      { tokens: [good, { file: good.file, hosts: ['b.internal'] }] },
      'is required; pass null',
    ],
    ['an empty audience', 'tokens[0].audience', { tokens: [{ ...good, audience: '' }] }],
    ['several audiences', 'tokens[0].audience', { tokens: [{ ...good, audience: [FRIENDS] }] }],
    ['no hosts', 'tokens[0].hosts', { tokens: [{ ...good, hosts: undefined }] }],
    ['an empty list of hosts', 'tokens[0].hosts', { tokens: [{ ...good, hosts: [] }] }],
    ['an empty subject', 'tokens[0].subject', { tokens: [{ ...good, subject: '' }] }],
    ['a subject that is null', 'tokens[0].subject', { tokens: [{ ...good, subject: null }] }],
    [
      'a host of two tokens',
      'tokens[1].hosts[1]',
      { tokens: [good, { ...good, hosts: ['b.internal', ...good.hosts] }] },
      'expected a host that is not mapped to another token',
    ],
    ['a host twice', 'tokens[0].hosts[1]', { tokens: [{ ...good, hosts: [...good.hosts, ...good.hosts] }] }],
    ['allowHttp in words', 'allowHttp', { tokens: [good], allowHttp: 'yes' }],
    ['no clock', 'clock', { tokens: [good], clock: {} }],
    ['a clock that is null', 'clock', { tokens: [good], clock: null }],
    ['a clock without time', 'clock', { tokens: [good], clock: { now: () => Number.NaN } }],
  ])('T-140: %s: ConfigError at %s', (_, path, options, message = '') => {
    let thrown: unknown;
    try {
      createServiceFetch(options as ServiceFetchOptions);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ConfigError);
    expect(thrown).toMatchObject({ path, message: expect.stringContaining(message) });
  });

  it.each([
    '',
    ' ',
    'Friends.internal',
    'https://friends.internal',
    'friends.internal/',
    'friends.internal/path',
    'friends.internal?x',
    'friends.internal#x',
    'okera@friends.internal',
    'friends.internal:443',
    'friends.internal:80',
    'friends.internal:08443',
    'friends.internal:',
    'friends.internal:70000',
    '*.internal',
    '*',
    'friends internal',
    ' friends.internal',
    'friends\t.internal',
    'fr%69ends.internal',
    'fründe.internal',
    '127.1',
    '::1',
    '[0:0:0:0:0:0:0:1]',
    8443,
    null,
  ])('OK-2: %j is no plain host', (host) => {
    expect(() => createServiceFetch({ tokens: [{ ...good, hosts: [host] as string[] }] })).toThrow(
      expect.objectContaining({ name: 'ConfigError', path: 'tokens[0].hosts[0]' }),
    );
  });

  it.each([
    'friends',
    'friends.internal',
    'friends.internal:8443',
    '10.0.0.1:8080',
    '[::1]:8443',
    'xn--frnde-lva.internal',
  ])('OK-2: %j is one', (host) => {
    expect(() => createServiceFetch({ tokens: [{ ...good, hosts: [host] }] })).not.toThrow();
  });

  it('OK-14: nothing is read while it is made, and the clock is that of the machine', async () => {
    await put('token', tokenOf({ exp: Math.floor(Date.now() / 1000) - 1 }));
    const calls = create({
      clock: Date,
      tokens: [{ ...good, file: at('token') }],
    });
    expect(seen).toEqual([]);
    expect(await warningsOf(() => calls.ready())).toEqual([
      'Warning LATCHKEY_EXPIRY: service token tokens[0]: has expired',
    ]);
  });

  it('OK-14: a file name that is no full path is of the folder that the process was in', async () => {
    await put('token', FIRST);
    const friends = await serve();
    const before = process.cwd();
    const calls = createFor(friends.host, { file: relative(before, at('token')) });
    // Deep enough for the same steps upwards to lead elsewhere.
    await mkdir(at('a/b/c'), { recursive: true });
    process.chdir(at('a/b/c'));
    try {
      expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    } finally {
      process.chdir(before);
    }
  });

  it('OK-14: what the application does to its options afterwards has no effect', async () => {
    await put('token', FIRST);
    const friends = await serve();
    const token = { file: at('token'), audience: FRIENDS, hosts: ['friends.internal'] };
    const calls = create({ tokens: [token] });
    token.hosts.push(friends.host);
    expect(await sent(calls, friends)).toBe('none');
  });
});
