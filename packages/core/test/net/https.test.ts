// Fetching JSON from real servers on loopback that misbehave: every fault ends as a rejection, soon
// and in bounded space.
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { createIssuer, type Fault } from '@latchkey/testing';
import { EnvHttpProxyAgent, getGlobalDispatcher, setGlobalDispatcher } from 'undici';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cacheLifetimeMs, createJsonFetcher, type JsonFetcher, refuseUrl } from '../../src/net/https.ts';
import { createJsonCaller } from '../../src/net/json-call.ts';
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

/** Starts a server on loopback, and returns where. */
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

/** Something that a test waits for, told from elsewhere. */
function signalled(): { readonly seen: Promise<void>; tell(): void } {
  let tell = () => {};
  const seen = new Promise<void>((resolve) => {
    tell = resolve;
  });
  return { seen, tell: () => tell() };
}

describe('a whole answer', () => {
  it('is its JSON and its lifetime', async () => {
    const url = await serve((_, response) =>
      answer(response, '{"keys":[]}', { 'cache-control': 'max-age=300' }),
    );
    expect(await get(url)).toEqual({ json: { keys: [] }, lifetimeMs: 300_000 });
  });

  it('is asked for as a JWK Set, with nothing of ours', async () => {
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
    const url = await serve((_, response) =>
      answer(response, '{"keys":[]}', { 'content-type': contentType }),
    );
    expect((await get(url)).json).toEqual({ keys: [] });
  });

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ])('may be packed with %s', async (encoding, pack) => {
    const url = await serve((_, response) =>
      answer(response, pack('{"keys":[]}'), { 'content-encoding': encoding }),
    );
    expect((await get(url)).json).toEqual({ keys: [] });
  });

  it('T-117: may be of 512 KiB', async () => {
    const url = await serve((_, response) => answer(response, '{"keys":[]}'.padEnd(LIMIT)));
    expect((await get(url)).json).toEqual({ keys: [] });
  });
});

describe('a proxy', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('is never asked: not by a global dispatcher, and not by the variables', async () => {
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
      const url = await serve((_, response) => answer(response, '{"keys":[]}'));
      expect((await get(url)).json).toEqual({ keys: [] });
      const call = { method: 'POST', headers: { authorization: 'Bearer t' } } as const;
      expect(await caller.call(url, call, new AbortController().signal)).toMatchObject({ status: 200 });
      // By the dispatcher, it would have been.
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
    ['T-121: 200 with a page', { kind: 'status', status: 200 }, /^not JSON$/],
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
    const issuer = await createIssuer();
    try {
      issuer.fail(fault);
      await expect(get(new URL(issuer.jwksUrl))).rejects.toThrow(message);
      // One fault is not for ever, and the connection of a broken answer is not used for the next.
      issuer.fail();
      expect((await get(new URL(issuer.jwksUrl))).json).toEqual(issuer.jwks);
    } finally {
      await issuer.close();
    }
  });

  it('T-113: nobody listens', async () => {
    const issuer = await createIssuer();
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

describe('a body that is no strict JSON object', () => {
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
    const url = await serve((_request, response) => answer(response, body));
    await expect(get(url)).rejects.toThrow(new SyntaxError(message));
  });

  it('T-121: less than was promised', async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"keys":[]}', () => response.destroy());
    });
    await expect(get(url)).rejects.toThrow(TypeError);
  });

  it('T-121: encoded otherwise than it says', async () => {
    const url = await serve((_, response) => answer(response, '{"keys":[]}', { 'content-encoding': 'gzip' }));
    await expect(get(url)).rejects.toThrow(TypeError);
  });
});

describe('too large a body', () => {
  it('T-117: one byte more than 512 KiB', async () => {
    const url = await serve((_, response) => answer(response, '{"keys":[]}'.padEnd(LIMIT + 1)));
    await expect(get(url)).rejects.toThrow(new Error(TOO_MUCH));
  });

  it('T-117, R11: without end: the connection is let go', async () => {
    const closed = signalled();
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
      response.on('close', closed.tell);
      pump();
    });
    await expect(get(url)).rejects.toThrow(new Error(TOO_MUCH));
    await closed.seen;
    // What was taken beyond the limit is what the sockets between us hold.
    expect(sent).toBeGreaterThan(LIMIT);
    expect(sent).toBeLessThan(64 * LIMIT);
  });

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ])('T-117, R11: a %s bomb counts as what it unpacks to', async (encoding, pack) => {
    const bomb = pack(Buffer.alloc(64 * 1024 * 1024, 0x20));
    expect(bomb.length).toBeLessThan(LIMIT);
    const url = await serve((_, response) => answer(response, bomb, { 'content-encoding': encoding }));
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
    const there = await serve((_, response) => answer(response, '{"keys":[]}'));
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

  it('T-118: to what is no URL is a failure', async () => {
    const url = await serve((_, response) => void response.writeHead(302, { location: 'http://[' }).end());
    await expect(get(url)).rejects.toThrow(TypeError);
  });
});

describe('an answer that does not come whole', () => {
  const DEADLINE = 'no whole answer within 5000 ms';

  /** Only what the deadline is made of: sockets need the rest. */
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

  it('T-116, R10: a drip is ended by the deadline, though it never pauses', async () => {
    holdTime();
    const dripping = signalled();
    const closed = signalled();
    let drops = 0;
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).write('{');
      const timer = setInterval(() => {
        response.write(' ');
        if (++drops === 20) dripping.tell();
      }, 1);
      response.on('close', () => {
        clearInterval(timer);
        closed.tell();
      });
    });
    const fetched = watch(get(url));
    await dripping.seen;
    vi.advanceTimersByTime(4_999);
    await nextTurn();
    expect(fetched.settled).toBe(false);
    vi.advanceTimersByTime(1);
    await expect(fetched.promise).rejects.toThrow(new Error(DEADLINE));
    await closed.seen;
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
    const asked = signalled();
    const closed = signalled();
    const url = await serve((_request, response) => {
      start(response);
      response.on('close', closed.tell);
      asked.tell();
    });
    const fetched = watch(get(url));
    await asked.seen;
    vi.advanceTimersByTime(4_999);
    await nextTurn();
    expect(fetched.settled).toBe(false);
    vi.advanceTimersByTime(1);
    await expect(fetched.promise).rejects.toThrow(new Error(DEADLINE));
    await closed.seen;
  });

  it('T-116: redirects share one deadline', async () => {
    holdTime();
    const first = signalled();
    const second = signalled();
    let release = () => {};
    const url = await serve((request, response) => {
      if (request.url === '/moved') return second.tell();
      release = () => void response.writeHead(302, { location: '/moved' }).end();
      first.tell();
    });
    const fetched = watch(get(url));
    await first.seen;
    vi.advanceTimersByTime(4_000);
    release();
    await second.seen;
    vi.advanceTimersByTime(999);
    await nextTurn();
    expect(fetched.settled).toBe(false);
    vi.advanceTimersByTime(1);
    await expect(fetched.promise).rejects.toThrow(new Error(DEADLINE));
  });

  it('ends when the caller says so', async () => {
    const asked = signalled();
    const closed = signalled();
    const url = await serve((_, response) => {
      response.on('close', closed.tell);
      asked.tell();
    });
    const stopping = new AbortController();
    const fetched = get(url, stopping.signal);
    fetched.catch(() => {});
    await asked.seen;
    stopping.abort(new Error('enough'));
    await expect(fetched).rejects.toThrow(new Error('enough'));
    await closed.seen;
  });

  it('R19: ends when the fetcher is closed, and its connections with it', async () => {
    const asked = signalled();
    const closed = signalled();
    const url = await serve((_, response) => {
      response.on('close', closed.tell);
      asked.tell();
    });
    const fetched = get(url);
    fetched.catch(() => {});
    await asked.seen;
    await fetcher.close();
    await expect(fetched).rejects.toThrow(TypeError);
    await closed.seen;
    await expect(get(url)).rejects.toThrow(TypeError);
  });
});

describe('refuseUrl', () => {
  const HTTPS = 'must be https';
  const PLAIN = 'must be https (allowHttp permits http)';
  const CREDENTIALS = 'must not contain credentials';

  it.each<[url: string, strict: string | undefined, permitted: string | undefined]>([
    ['https://example.com/jwks.json', undefined, undefined],
    ['https://example.com:8443/a?b=c', undefined, undefined],
    ['HTTPS://EXAMPLE.COM', undefined, undefined],
    ['http://example.com/jwks.json', PLAIN, undefined],
    ['http://127.0.0.1:8080/', PLAIN, undefined],
    ['http://[::1]/', PLAIN, undefined],
    ['file:///etc/passwd', HTTPS, HTTPS],
    ['data:application/json,{"keys":[]}', HTTPS, HTTPS],
    ['ftp://example.com/jwks.json', HTTPS, HTTPS],
    ['ws://example.com/', HTTPS, HTTPS],
    ['blob:https://example.com/0', HTTPS, HTTPS],
    ['javascript:alert(1)', HTTPS, HTTPS],
    ['httpsx://example.com/', HTTPS, HTTPS],
    ['https://user@example.com/', CREDENTIALS, CREDENTIALS],
    ['https://:secret@example.com/', CREDENTIALS, CREDENTIALS],
    ['https://user:secret@example.com/', CREDENTIALS, CREDENTIALS],
    ['https://example.com@evil.example/', CREDENTIALS, CREDENTIALS],
    ['http://user:secret@127.0.0.1/', PLAIN, CREDENTIALS],
  ])('T-119: %s: %s; with allowHttp: %s', (url, strict, permitted) => {
    expect(refuseUrl(new URL(url), false)).toBe(strict);
    expect(refuseUrl(new URL(url), true)).toBe(permitted);
  });
});

describe('cacheLifetimeMs', () => {
  const NOW = Date.parse('Tue, 20 Oct 2026 10:00:00 GMT');
  const DATE = 'Tue, 20 Oct 2026 09:00:00 GMT';
  const CC = 'cache-control';

  it.each<[headers: [name: string, value: string][], lifetimeMs: number | undefined]>([
    [[], undefined],
    [[[CC, 'public']], undefined],
    [[[CC, 'public, must-revalidate']], undefined],
    [[['age', '10']], undefined],
    [[[CC, 'max-age=300']], 300_000],
    [[[CC, 'public, max-age=300, must-revalidate']], 300_000],
    [[[CC, 'public,max-age=300']], 300_000],
    [[[CC, 'MAX-AGE=300']], 300_000],
    [[[CC, 'max-age="300"']], 300_000],
    [[[CC, 'max-age=31536000']], 31_536_000_000],
    [[[CC, 'max-age=0']], 0],
    [[[CC, 'max-age=-1']], 0],
    [[[CC, 'max-age=1e309']], 0],
    [[[CC, 'max-age=1.5']], 0],
    [[[CC, 'max-age=']], 0],
    [[[CC, 'max-age=soon']], 0],
    [[[CC, `max-age=${'9'.repeat(40)}`]], 2 ** 31 * 1000],
    [
      [
        [CC, `max-age=${'9'.repeat(400)}`],
        ['age', '9'.repeat(400)],
      ],
      0,
    ],
    // Twice: the shortest holds.
    [[[CC, 'max-age=300, max-age=60']], 60_000],
    [
      [
        [CC, 'max-age=60'],
        [CC, 'max-age=300'],
      ],
      60_000,
    ],
    [[[CC, 'max-age=300, max-age=junk']], 0],
    // Less what it has spent in caches on the way.
    [
      [
        [CC, 'max-age=300'],
        ['age', '100'],
      ],
      200_000,
    ],
    [
      [
        [CC, 'max-age=300'],
        ['age', '300'],
      ],
      0,
    ],
    [
      [
        [CC, 'max-age=300'],
        ['age', '301'],
      ],
      0,
    ],
    [
      [
        [CC, 'max-age=300'],
        ['age', `${'9'.repeat(400)}`],
      ],
      0,
    ],
    [
      [
        [CC, 'max-age=300'],
        ['age', 'old'],
      ],
      300_000,
    ],
    [
      [
        [CC, 'max-age=300'],
        ['age', '-5'],
      ],
      300_000,
    ],
    // Not to be stored, or not without asking: the engine's floor applies.
    [[[CC, 'no-store']], 0],
    [[[CC, 'no-cache']], 0],
    [[[CC, 'No-Store, max-age=300']], 0],
    [[[CC, 'max-age=300, no-cache']], 0],
    [[[CC, 'max-age=300,no-store,public']], 0],
    [[[CC, 'no-cache="set-cookie"']], 0],
    // Names that only end like ours.
    [[[CC, 's-maxage=10']], undefined],
    [[[CC, 'x-max-age=10']], undefined],
    [[[CC, 's-maxage=10, max-age=300']], 300_000],
    // Expires, where there is no max-age.
    [
      [
        ['date', DATE],
        ['expires', 'Tue, 20 Oct 2026 09:10:00 GMT'],
      ],
      600_000,
    ],
    [[['expires', 'Tue, 20 Oct 2026 10:10:00 GMT']], 600_000],
    [
      [
        ['date', 'junk'],
        ['expires', 'Tue, 20 Oct 2026 10:10:00 GMT'],
      ],
      600_000,
    ],
    [
      [
        ['date', DATE],
        ['expires', DATE],
      ],
      0,
    ],
    [
      [
        ['date', DATE],
        ['expires', 'Tue, 20 Oct 2026 08:00:00 GMT'],
      ],
      0,
    ],
    [[['expires', '0']], 0],
    [[['expires', '-1']], 0],
    [[['expires', 'soon']], 0],
    [
      [
        [CC, 'max-age=300'],
        ['expires', 'Thu, 01 Jan 1970 00:00:00 GMT'],
      ],
      300_000,
    ],
    [
      [
        [CC, 'public'],
        ['date', DATE],
        ['expires', 'Tue, 20 Oct 2026 09:10:00 GMT'],
      ],
      600_000,
    ],
  ])('settlement 16, T-131: %j: %s', (headers, lifetimeMs) => {
    expect(cacheLifetimeMs(new Headers(headers), NOW)).toBe(lifetimeMs);
  });
});
