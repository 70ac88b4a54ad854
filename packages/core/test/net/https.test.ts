// Fetching JSON from real servers on loopback that misbehave: every fault ends as a rejection, soon
// and with bounded memory.
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { Fault } from '@latchkey/testing';
import { EnvHttpProxyAgent, getGlobalDispatcher, setGlobalDispatcher } from 'undici';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createJsonFetcher, type JsonFetcher } from '../../src/net/https.ts';
import { createJsonCaller } from '../../src/net/json-call.ts';
import { startIssuer } from '../support/authenticators.ts';
import { listen } from '../support/servers.ts';

const LIMIT = 512 * 1024;
const TOO_MUCH = `answered with more than ${LIMIT} bytes`;

let fetcher: JsonFetcher;

beforeEach(() => {
  fetcher = createJsonFetcher({ tls: {}, proxy: 'none' });
});

afterEach(async () => {
  vi.useRealTimers();
  await fetcher.close();
});

/** Starts a server on loopback; returns a URL of it. */
async function serve(listener: RequestListener, connected = () => {}): Promise<URL> {
  const server = createServer(listener).on('connection', connected);
  return new URL(`http://127.0.0.1:${await listen(server)}/keys`);
}

function get(url: URL, signal = new AbortController().signal): ReturnType<JsonFetcher['fetch']> {
  return fetcher.fetch(url, signal);
}

function answer(
  response: ServerResponse,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): void {
  response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(body);
}

/** Starts a server that gives this answer to every request. */
const serving = (...given: Tail<Parameters<typeof answer>>) =>
  serve((_, response) => answer(response, ...given));
type Tail<T extends readonly unknown[]> = T extends readonly [unknown, ...infer Rest] ? Rest : never;

/**
 * A server that does not answer: its URL, the arrival of a request, and the end of its connection.
 */
async function silent(start: (response: ServerResponse) => void = () => {}) {
  const [asked, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const url = await serve((_, response) => {
    start(response);
    response.on('close', closed.resolve);
    asked.resolve();
  });
  return { url, asked: asked.promise, closed: closed.promise };
}

describe('a whole answer', () => {
  it('is its JSON and its lifetime', async () => {
    const url = await serving('{"keys":[]}', { 'cache-control': 'max-age=300' });
    expect(await get(url)).toEqual({ json: { keys: [] }, lifetimeMs: 300_000 });
  });

  it('is requested as a JWK Set, without credentials', async () => {
    const url = await serve((request, response) => answer(response, JSON.stringify(request.headers)));
    const { json } = await get(url);
    expect(json.accept).toBe('application/jwk-set+json, application/json');
    expect(json).not.toHaveProperty('authorization');
    expect(json).not.toHaveProperty('cookie');
  });

  it.each([
    'application/jwk-set+json',
    'application/json; charset=utf-8',
    'text/plain',
    'application/octet-stream',
  ])('T-121: may be of type %s', async (contentType) => {
    const url = await serving('{"keys":[]}', { 'content-type': contentType });
    expect((await get(url)).json).toEqual({ keys: [] });
  });

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ])('may be packed with %s', async (encoding, pack) => {
    const url = await serving(pack('{"keys":[]}'), { 'content-encoding': encoding });
    expect((await get(url)).json).toEqual({ keys: [] });
  });

  it('T-117: may be of 512 KiB', async () => {
    const url = await serving('{"keys":[]}'.padEnd(LIMIT));
    expect((await get(url)).json).toEqual({ keys: [] });
  });
});

describe('a proxy', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('is not used, neither by a global dispatcher nor by the variables', async () => {
    let asked = 0;
    const proxy = createServer((_, response) => {
      asked++;
      response.end();
    }).on('connect', (_, socket) => {
      asked++;
      socket.destroy();
    });
    const proxyUrl = `http://127.0.0.1:${await listen(proxy)}`;
    vi.stubEnv('HTTP_PROXY', proxyUrl);
    vi.stubEnv('HTTPS_PROXY', proxyUrl);
    vi.stubEnv('NODE_USE_ENV_PROXY', '1');
    const before = getGlobalDispatcher();
    const agent = new EnvHttpProxyAgent();
    setGlobalDispatcher(agent);
    const caller = createJsonCaller({ tls: {}, proxy: 'none', timeoutMs: 2_000 });
    try {
      const url = await serving('{"keys":[]}');
      expect((await get(url)).json).toEqual({ keys: [] });
      const call = { method: 'POST', headers: { authorization: 'Bearer t' } } as const;
      expect(await caller.call(url, call, new AbortController().signal)).toMatchObject({ status: 200 });
      // A request through the global dispatcher does use it.
      await fetch(url).catch(() => {});
      expect(asked).toBe(1);
    } finally {
      setGlobalDispatcher(before);
      await Promise.all([caller.close(), agent.destroy()]);
    }
  });
});

describe('an issuer that misbehaves', () => {
  it.each<[title: string, fault: Fault, message: RegExp]>([
    ['T-113: 500', { kind: 'status', status: 500 }, /^answered with status 500$/],
    ['T-113: 502', { kind: 'status', status: 502 }, /^answered with status 502$/],
    ['T-113: 503', { kind: 'status', status: 503 }, /^answered with status 503$/],
    ['T-121: 404', { kind: 'status', status: 404 }, /^answered with status 404$/],
    ['T-121: 200 with a page', { kind: 'status', status: 200 }, /^answered with HTML, not with JSON$/],
    ['T-121: 204', { kind: 'status', status: 204 }, /^answered with status 204$/],
    ['T-113: a reset', { kind: 'reset' }, /^fetch failed$/],
    ['T-117: a body without end', { kind: 'endless' }, new RegExp(`^${TOO_MUCH}$`)],
    [
      'T-117: a gzip bomb of 64 MiB',
      { kind: 'gzip-bomb', bytes: 64 * 1024 * 1024 },
      new RegExp(`^${TOO_MUCH}$`),
    ],
    [
      'T-118: a redirect to another host',
      { kind: 'redirect', location: 'http://localhost:1/' },
      /^redirects to another origin$/,
    ],
    ['T-118: a redirect to itself', { kind: 'redirect', location: '/jwks.json' }, /^redirects too often$/],
    ['T-121: invalid JSON', { kind: 'body', body: '{"keys":[' }, /^not JSON$/],
    ['T-122: duplicate members', { kind: 'body', body: '{"keys":[],"keys":[]}' }, /^a member is repeated$/],
  ])('%s', async (_, fault, message) => {
    const issuer = await startIssuer();
    issuer.fail(fault);
    await expect(get(new URL(issuer.jwksUrl))).rejects.toThrow(message);
    // The next request works, and does not use the connection of the broken answer.
    issuer.fail();
    expect((await get(new URL(issuer.jwksUrl))).json).toEqual(issuer.jwks);
  });

  it('T-113: no server listens', async () => {
    const issuer = await startIssuer();
    await issuer.close();
    await expect(get(new URL(issuer.jwksUrl))).rejects.toThrow('fetch failed');
  });
});

describe('a status that is not 200', () => {
  it('a longer Retry-After counts as an hour', async () => {
    const url = await serve((_, response) => response.writeHead(503, { 'retry-after': '3601' }).end());
    await expect(get(url)).rejects.toMatchObject({ retryAfterMs: 3_600_000 });
  });

  it.each([201, 202, 203, 204, 205, 206, 300, 301, 304, 400, 401, 403, 404, 410, 429, 500, 503])(
    'T-121: %d is a failure, whatever the body',
    async (status) => {
      const url = await serve((_, response) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end([204, 205, 304].includes(status) ? undefined : '{"keys":[]}');
      });
      await expect(get(url)).rejects.toMatchObject({ message: `answered with status ${status}` });
    },
  );
});

describe('a body that is not a strict JSON object', () => {
  it.each<[title: string, body: string | Uint8Array, message: string]>([
    ['nothing', '', 'not JSON'],
    ['white space', ' \n', 'not JSON'],
    ['null', 'null', 'not a JSON object'],
    ['an array', '[]', 'not a JSON object'],
    ['a string', '"keys"', 'not a JSON object'],
    ['a number', '5', 'not a JSON object'],
    ['junk after it', '{"keys":[]} x', 'not JSON'],
    ['two of them', '{"keys":[]}{"keys":[]}', 'not JSON'],
    ['a byte order mark', '\ufeff{"keys":[]}', 'not JSON'],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'not UTF-8'],
    ['a member twice', '{"keys":[{"kid":"a","kid":"b"}]}', 'a member is repeated'],
    ['a member twice, once escaped', '{"keys":[],"k\\u0065ys":[]}', 'a member is repeated'],
    ['33 levels', `{"keys":${'['.repeat(32)}${']'.repeat(32)}}`, 'nested too deep'],
  ])('T-121: %s', async (_, body, message) => {
    const url = await serving(body);
    await expect(get(url)).rejects.toThrow(new SyntaxError(message));
  });

  it('T-121: a body shorter than its length', async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"keys":[]}', () => response.destroy());
    });
    await expect(get(url)).rejects.toThrow(TypeError);
  });

  it('T-121: a body not in its encoding', async () => {
    const url = await serving('{"keys":[]}', { 'content-encoding': 'gzip' });
    await expect(get(url)).rejects.toThrow(TypeError);
  });
});

describe('too large a body', () => {
  it('T-117: one byte more than 512 KiB', async () => {
    const url = await serving('{"keys":[]}'.padEnd(LIMIT + 1));
    await expect(get(url)).rejects.toThrow(new Error(TOO_MUCH));
  });

  it('T-117, R11: without end: the connection is closed', async () => {
    const closed = Promise.withResolvers<void>();
    let sent = 0;
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const chunk = Buffer.alloc(16 * 1024, 0x20);
      const pump = () => {
        while (!response.destroyed) {
          sent += chunk.length;
          if (!response.write(chunk)) return;
        }
      };
      response.on('drain', pump);
      response.on('close', closed.resolve);
      pump();
    });
    await expect(get(url)).rejects.toThrow(new Error(TOO_MUCH));
    await closed.promise;
    // Beyond the limit, only the buffers of the sockets are filled.
    expect(sent).toBeGreaterThan(LIMIT);
    expect(sent).toBeLessThan(64 * LIMIT);
  });

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ])('T-117, R11: a %s bomb counts as what it unpacks to', async (encoding, pack) => {
    const bomb = pack(Buffer.alloc(64 * 1024 * 1024, 0x20));
    expect(bomb.length).toBeLessThan(LIMIT);
    const url = await serving(bomb, { 'content-encoding': encoding });
    await expect(get(url)).rejects.toThrow(new Error(TOO_MUCH));
  });
});

describe('a redirect', () => {
  it.each([301, 302, 303, 307, 308])('T-118: %d on the same origin is followed', async (status) => {
    const url = await serve((request, response) => {
      if (request.url === '/moved') answer(response, '{"keys":[]}');
      else response.writeHead(status, { location: '/moved' }).end();
    });
    expect((await get(url)).json).toEqual({ keys: [] });
  });

  it('T-118: three are followed, a fourth is not', async () => {
    const asked: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      asked.push(request.url);
      const left = Number(request.url?.slice(1));
      if (left === 0) answer(response, '{"keys":[]}');
      else response.writeHead(302, { location: `/${left - 1}` }).end();
    });
    expect((await get(new URL('/3', url))).json).toEqual({ keys: [] });
    asked.length = 0;
    await expect(get(new URL('/4', url))).rejects.toThrow(new Error('redirects too often'));
    expect(asked).toEqual(['/4', '/3', '/2', '/1']);
  });

  it.each<[title: string, location: (here: URL, there: URL) => string]>([
    ['another port', (_, there) => there.href],
    ['another port, without a scheme', (_, there) => `//${there.host}/keys`],
    ['another name of the same host', (here) => `http://localhost:${here.port}/keys`],
    ['https instead of http', (here) => `https://${here.host}/keys`],
    ['data:', () => 'data:application/json,{"keys":[]}'],
    ['file:', () => 'file:///etc/hostname'],
    ['credentials on the same origin', (here) => `http://user:secret@${here.host}/moved`],
  ])('T-118: to %s is refused', async (_, location) => {
    let connections = 0;
    const there = await serve(
      (_request, response) => answer(response, '{"keys":[]}'),
      () => connections++,
    );
    const here = await serve((request, response) => {
      if (request.url === '/moved') answer(response, '{"keys":[]}');
      else response.writeHead(302, { location: location(here, there) }).end();
    });
    await expect(get(here)).rejects.toThrow(new Error('redirects to another origin'));
    expect(connections).toBe(0);
  });

  it('T-118: to another origin is refused at the second step too', async () => {
    const there = await serving('{"keys":[]}');
    const here = await serve((request, response) => {
      response.writeHead(302, { location: request.url === '/second' ? there.href : '/second' }).end();
    });
    await expect(get(here)).rejects.toThrow(new Error('redirects to another origin'));
  });

  it.each([
    ['no location', 302, undefined],
    ['several choices', 300, '/moved'],
    ['use proxy', 305, '/moved'],
  ])('T-118: %s is a failure', async (_, status, location) => {
    const url = await serve((request, response) => {
      if (request.url === '/moved') answer(response, '{"keys":[]}');
      else response.writeHead(status, location === undefined ? {} : { location }).end();
    });
    await expect(get(url)).rejects.toMatchObject({ message: `answered with status ${status}` });
  });

  it('T-118: to an invalid URL is a failure', async () => {
    const url = await serve((_, response) => void response.writeHead(302, { location: 'http://[' }).end());
    await expect(get(url)).rejects.toThrow(TypeError);
  });
});

describe('an answer that does not end', () => {
  const DEADLINE = 'no whole answer within 5000 ms';

  /** Fakes only the timers of the deadline, because sockets need the others. */
  function holdTime(): void {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  }

  /** Watches a promise without waiting for it. */
  function watch(promise: Promise<unknown>): { readonly promise: Promise<unknown>; settled: boolean } {
    const watched = { promise, settled: false };
    const settle = () => {
      watched.settled = true;
    };
    promise.then(settle, settle);
    return watched;
  }

  it('T-116, R10: a drip is ended by the deadline, although it never pauses', async () => {
    holdTime();
    const dripping = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    let drops = 0;
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).write('{');
      const timer = setInterval(() => {
        response.write(' ');
        if (++drops === 20) dripping.resolve();
      }, 1);
      response.on('close', () => {
        clearInterval(timer);
        closed.resolve();
      });
    });
    const fetched = watch(get(url));
    await dripping.promise;
    vi.advanceTimersByTime(4_999);
    await nextTurn();
    expect(fetched.settled).toBe(false);
    vi.advanceTimersByTime(1);
    await expect(fetched.promise).rejects.toThrow(new Error(DEADLINE));
    await closed.promise;
  });

  it.each<[title: string, start: (response: ServerResponse) => void]>([
    ['nothing', () => {}],
    ['the headers only', (response) => void response.writeHead(200).flushHeaders()],
    [
      'all but the last byte',
      (response) => void response.writeHead(200, { 'content-length': '12' }).write('{"keys":[]}'),
    ],
  ])('T-116: %s is ended by the deadline', async (_, start) => {
    holdTime();
    const { url, asked, closed } = await silent(start);
    const fetched = watch(get(url));
    await asked;
    vi.advanceTimersByTime(4_999);
    await nextTurn();
    expect(fetched.settled).toBe(false);
    vi.advanceTimersByTime(1);
    await expect(fetched.promise).rejects.toThrow(new Error(DEADLINE));
    await closed;
  });

  it('T-116: redirects share one deadline', async () => {
    holdTime();
    const first = Promise.withResolvers<void>();
    const second = Promise.withResolvers<void>();
    let release = () => {};
    const url = await serve((request, response) => {
      if (request.url === '/moved') return second.resolve();
      release = () => void response.writeHead(302, { location: '/moved' }).end();
      first.resolve();
    });
    const fetched = watch(get(url));
    await first.promise;
    vi.advanceTimersByTime(4_000);
    release();
    await second.promise;
    vi.advanceTimersByTime(999);
    await nextTurn();
    expect(fetched.settled).toBe(false);
    vi.advanceTimersByTime(1);
    await expect(fetched.promise).rejects.toThrow(new Error(DEADLINE));
  });

  it('ends when the signal of the caller aborts', async () => {
    const { url, asked, closed } = await silent();
    const stopping = new AbortController();
    const fetched = get(url, stopping.signal);
    fetched.catch(() => {});
    await asked;
    stopping.abort(new Error('enough'));
    await expect(fetched).rejects.toThrow(new Error('enough'));
    await closed;
  });

  it('R19: ends when the fetcher is closed, with its connections', async () => {
    const { url, asked, closed } = await silent();
    const fetched = get(url);
    fetched.catch(() => {});
    await asked;
    await fetcher.close();
    await expect(fetched).rejects.toThrow(TypeError);
    await closed;
    await expect(get(url)).rejects.toThrow(TypeError);
  });
});
