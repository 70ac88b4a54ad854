// Upgrades over real sockets, with the real ws: nobody gets a 101 whom a request would not have let
// in, no client can take the process with it, and no connection outlives its token.
import { execFile } from 'node:child_process';
import { errorMonitor, once } from 'node:events';
import { createServer, IncomingMessage } from 'node:http';
import { type AddressInfo, connect, Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createIssuer, generateSigningKey, mint, type TestIssuer } from '@latchkey/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { compileAccess, type RouteAccess } from '../../src/decision/access.ts';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import { requireAll } from '../../src/decision/combine.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { refusalOf } from '../../src/decision/pipeline.ts';
import { createPrincipal, isPrincipal, type Principal } from '../../src/decision/principal.ts';
import { authenticateUpgrade, type UpgradeAuthenticator, whenExpired } from '../../src/decision/upgrade.ts';
import { AuthError } from '../../src/errors.ts';
import { defined, given } from '../support/defined.ts';

let issuer: TestIssuer;
/** Its keys cannot be had. */
let down: TestIssuer;
let good: string;
const bad: Record<string, string> = {};

const cleanups: (() => unknown)[] = [];
// What would have ended the process.
const fatal: unknown[] = [];
const note = (error: unknown) => void fatal.push(error);

beforeAll(async () => {
  issuer = await createIssuer();
  down = await createIssuer();
  down.fail({ kind: 'status', status: 500 });
  good = await issuer.mint();
  bad.expired = await issuer.mint({ iat: 1_000, exp: 2_000 });
  bad.forged = await mint(await generateSigningKey('ES256', issuer.key.kid), {
    iss: issuer.issuer,
    aud: issuer.audience,
    sub: 'mallory',
    exp: 4_000_000_000,
  });
  bad.malformed = 'a.b.c';
  bad['of another audience'] = await issuer.mint({ aud: 'https://other.example.com' });
  bad['of a stranger'] = await issuer.mint({ iss: 'https://stranger.example' });
});

afterAll(async () => {
  await issuer.close();
  await down.close();
});

beforeEach(() => {
  process.on('uncaughtExceptionMonitor', note);
  process.on('unhandledRejection', note);
});

afterEach(async () => {
  vi.useRealTimers();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  process.off('uncaughtExceptionMonitor', note);
  process.off('unhandledRejection', note);
  expect(fatal.splice(0)).toEqual([]);
});

function create(options: Partial<AuthenticatorOptions> = {}): Authenticator {
  const authenticator = createAuthenticator({
    keySets: [issuer, down].map(({ issuer, jwksUrl }) => ({ issuer, jwksUrl, allowHttp: true })),
    audience: issuer.audience,
    ...options,
  });
  cleanups.push(() => authenticator.close());
  return authenticator;
}

/** One upgrade, as the server saw it. */
interface Seen<T> {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** The URL when `authenticateUpgrade` had been called, and nothing awaited. */
  readonly urlAtOnce: string | undefined;
  /** The error listeners before and after. */
  readonly listeners: readonly [before: number, after: number];
  readonly result: PromiseSettledResult<{ readonly auth: T } | undefined>;
}

interface Served<T> {
  readonly port: number;
  /** Every upgrade that has been decided. */
  readonly seen: readonly Seen<T>[];
  /** The sockets of upgrades that have arrived. */
  readonly sockets: readonly Duplex[];
  /** Resolves with the next upgrade that has been decided. */
  next(): Promise<Seen<T>>;
}

/** A server that does as the documentation says, and takes notes. */
async function serve<T>(
  authenticator: UpgradeAuthenticator<T>,
  {
    overrides,
    connected = (ws, auth) => ws.send(isPrincipal(auth) ? String(auth.subject) : typeof auth),
  }: {
    readonly overrides?: Parameters<typeof authenticateUpgrade>[3];
    readonly connected?: (ws: WebSocket, auth: T) => void;
  } = {},
): Promise<Served<T>> {
  const server = createServer((_, response) => void response.writeHead(404).end());
  const wss = new WebSocketServer({ noServer: true });
  const seen: Seen<T>[] = [];
  const sockets: Duplex[] = [];
  let wake = () => {};
  server.on('upgrade', async (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    sockets.push(socket);
    const before = socket.listenerCount('error');
    const deciding = authenticateUpgrade(authenticator, request, socket, ...given(overrides));
    const urlAtOnce = request.url;
    const [result] = await Promise.allSettled([deciding]);
    seen.push({ request, socket, urlAtOnce, listeners: [before, socket.listenerCount('error')], result });
    if (result.status === 'fulfilled' && result.value !== undefined) {
      const { auth } = result.value;
      wss.handleUpgrade(request, socket, head, (ws) => connected(ws, auth));
    }
    wake();
  });
  const next = () =>
    new Promise<Seen<T>>((resolve) => {
      wake = () => {
        const last = seen.at(-1);
        if (last !== undefined) resolve(last);
      };
    });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(async () => {
    for (const client of wss.clients) client.terminate();
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, seen, sockets, next };
}

/**
 * Sends an upgrade, as ws does, with these headers beside. The client does not close by itself,
 * however long the server takes.
 */
function send(port: number, headers: readonly string[] = [], path = '/chat'): Socket {
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  cleanups.push(() => client.destroy());
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  ];
  client.write(`${lines.join('\r\n')}\r\n\r\n`);
  return client;
}

interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Everything that was sent. */
  readonly text: string;
}

/** The answer to an upgrade: all that is sent until the server ends, or the head of a 101. */
async function answerTo(port: number, headers: readonly string[] = [], path?: string): Promise<Answer> {
  const client = send(port, headers, path);
  let text = '';
  for await (const chunk of client) {
    text += String(chunk);
    if (text.startsWith('HTTP/1.1 101 ') && text.includes('\r\n\r\n')) break;
  }
  const [first = '', ...lines] = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n');
  const [, status, reason = ''] = /^HTTP\/1\.1 (\d{3}) (.*)$/.exec(first) ?? [];
  return {
    status: Number(status),
    reason,
    headers: Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(': ');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 2)];
      }),
    ),
    text,
  };
}

/** The first message, or the status of the refusal, as a client with ws has it. */
function dial(port: number, headers: Record<string, string> = {}, path = '/chat'): Promise<string | number> {
  const client = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
  cleanups.push(() => client.terminate());
  return new Promise((resolve, reject) => {
    client.on('message', (data) => resolve(String(data)));
    client.on('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
    client.on('error', reject);
  });
}

const bearer = (token: string | undefined) => `Authorization: Bearer ${token}`;

describe('T-093: an upgrade without a good token is answered and closed', () => {
  const REFUSALS: readonly (readonly [
    what: string,
    headers: () => readonly string[],
    status: number,
    reason: string,
    challenge: RegExp,
  ])[] = [
    ['without a token', () => [], 401, 'Unauthorized', /^Bearer realm="chat"$/],
    [
      'with another scheme',
      () => ['Authorization: Basic YTpi'],
      401,
      'Unauthorized',
      /^Bearer realm="chat"$/,
    ],
    ...['expired', 'forged', 'malformed', 'of another audience', 'of a stranger'].map(
      (name) =>
        [
          `with a token that is ${name}`,
          () => [bearer(bad[name])],
          401,
          'Unauthorized',
          /^Bearer realm="chat", error="invalid_token"/,
        ] as const,
    ),
    ['with half a header', () => ['Authorization: Bearer'], 400, 'Bad Request', /error="invalid_request"/],
    [
      'with two headers, the first good',
      () => [bearer(good), bearer(bad.forged)],
      400,
      'Bad Request',
      /error="invalid_request"/,
    ],
  ];

  it.each(REFUSALS)('T-093: %s', async (_, headers, status, reason, challenge) => {
    const { port, seen, next } = await serve(create({ realm: 'chat' }));
    const decided = next();
    const answer = await answerTo(port, headers());
    expect(answer).toMatchObject({
      status,
      reason,
      headers: {
        'www-authenticate': expect.stringMatching(challenge),
        'cache-control': 'no-store',
        connection: 'close',
        'content-length': '0',
      },
    });
    expect(answer.text).not.toContain('101');
    expect(answer.text.endsWith('\r\n\r\n')).toBe(true);
    const { socket, result } = await decided;
    expect(result).toEqual({ status: 'fulfilled', value: undefined });
    // The client keeps its half open; the server lets go all the same.
    if (!socket.closed) await once(socket, 'close');
    expect(seen).toHaveLength(1);
  });

  it('T-093: keys that cannot be had: 503 with Retry-After, and no challenge', async () => {
    const { port, next } = await serve(create());
    const decided = next();
    const answer = await answerTo(port, [bearer(await issuer.mint({ iss: down.issuer }))]);
    expect(answer).toMatchObject({
      status: 503,
      reason: 'Service Unavailable',
      headers: { connection: 'close' },
    });
    expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    expect(answer.headers).not.toHaveProperty('www-authenticate');
    expect((await decided).result).toEqual({ status: 'fulfilled', value: undefined });
  });

  it('T-093: ws as the client sees the status, and no connection', async () => {
    const { port } = await serve(create());
    expect(await dial(port)).toBe(401);
    expect(await dial(port, { authorization: `Bearer ${bad.forged}` })).toBe(401);
  });
});

describe('T-093: an upgrade with a good token', () => {
  it('T-093: connects, and the principal is there', async () => {
    const { port, seen } = await serve(create());
    expect(await dial(port, { authorization: `Bearer ${good}` })).toBe('alice');
    const [
      {
        result,
        listeners: [before, after],
      } = expect.fail('not seen'),
    ] = seen;
    if (result.status === 'rejected' || result.value === undefined) expect.fail('not accepted');
    expect(Object.isFrozen(result.value)).toBe(true);
    expect(Object.keys(result.value)).toEqual(['auth']);
    expect(isPrincipal(result.value.auth)).toBe(true);
    // The socket is handed on as it came.
    expect(after).toBe(before);
  });

  it.each<
    [
      what: string,
      mode: AuthenticatorOptions['mode'],
      overrides: RouteAccess | undefined,
      token: () => string | undefined,
      expected: string | number,
    ]
  >([
    ['mode optional, anonymous', 'optional', undefined, () => undefined, 'undefined'],
    ['mode optional, good', 'optional', undefined, () => good, 'alice'],
    ['mode optional, bad', 'optional', undefined, () => bad.forged, 401],
    ['mode permissive, bad', 'permissive', undefined, () => bad.forged, 'undefined'],
    ['mode strict, anonymous', 'strict', undefined, () => undefined, 401],
    [
      'mode strict, overridden by optional, anonymous',
      'strict',
      { mode: 'optional' },
      () => undefined,
      'undefined',
    ],
    ['mode optional, overridden by strict, anonymous', 'optional', { mode: 'strict' }, () => undefined, 401],
    ['an issuer that is not welcome here', 'strict', { issuers: ['https://x.example'] }, () => good, 401],
  ])('T-093: %s', async (_, mode, overrides, token, expected) => {
    const authenticator = create(defined({ mode }));
    const presented = token();
    const headers = presented === undefined ? {} : { authorization: `Bearer ${presented}` };
    for (const access of [overrides, overrides && compileAccess(overrides)]) {
      const { port } = await serve(authenticator, defined({ overrides: access }));
      expect(await dial(port, headers)).toBe(expected);
    }
  });

  it.each<[what: string, headers: () => Record<string, string>, expected: string | number]>([
    ['both', () => ({ authorization: `Bearer ${good}`, 'x-device': good }), 'alice and alice'],
    ['one only', () => ({ authorization: `Bearer ${good}` }), 401],
    ['the other only', () => ({ 'x-device': good }), 401],
    ['one good, one bad', () => ({ authorization: `Bearer ${good}`, 'x-device': bad.forged ?? '' }), 401],
    ['none', () => ({}), 401],
  ])('T-093: a tree of two tokens: %s', async (_, headers, expected) => {
    // Neither the leaves' mode nor an override lets anybody through a tree.
    const tree = requireAll({
      user: create({ mode: 'permissive' }),
      device: create({ tokenFrom: [{ header: 'x-device' }], mode: 'optional' }),
    });
    const { port } = await serve(tree, {
      overrides: { mode: 'optional' },
      connected: (ws, { user, device }) => ws.send(`${user.subject} and ${device.subject}`),
    });
    expect(await dial(port, headers())).toBe(expected);
  });
});

describe('T-093: a cookie that a page of another origin brings along', () => {
  const cookie = () => `Cookie: token=${good}`;

  it.each<[what: string, headers: (host: string) => readonly string[], status: 101 | 403]>([
    ['Origin of another host', () => ['Origin: https://evil.example'], 403],
    ['Origin of another port', () => ['Origin: http://127.0.0.1:1'], 403],
    ['Origin null', () => ['Origin: null'], 403],
    ['Origin with the own host as user', (host) => [`Origin: http://${host}@evil.example`], 403],
    ['Origin of the own host, in no scheme of the web', (host) => [`Origin: ftp://${host}`], 403],
    ['neither Origin nor Sec-Fetch-Site', () => [], 403],
    ['Sec-Fetch-Site cross-site', () => ['Sec-Fetch-Site: cross-site'], 403],
    ['Sec-Fetch-Site same-site', () => ['Sec-Fetch-Site: same-site'], 403],
    [
      'Sec-Fetch-Site cross-site, Origin of the own host',
      (host) => [`Origin: http://${host}`, 'Sec-Fetch-Site: cross-site'],
      403,
    ],
    [
      'Sec-Fetch-Site none, with an Origin',
      () => ['Origin: https://evil.example', 'Sec-Fetch-Site: none'],
      403,
    ],
    ['Origin of the own host', (host) => [`Origin: http://${host}`], 101],
    ['Origin of the own host, TLS ended before', (host) => [`Origin: https://${host}`], 101],
    ['Sec-Fetch-Site same-origin', (host) => [`Origin: http://${host}`, 'Sec-Fetch-Site: same-origin'], 101],
    [
      'an origin that is allowed',
      () => ['Origin: https://app.example.com', 'Sec-Fetch-Site: cross-site'],
      101,
    ],
  ])('T-093, T-081: %s', async (_, headers, status) => {
    const authenticator = create({
      tokenFrom: [{ cookie: 'token', allowedOrigins: ['https://app.example.com'] }],
    });
    const { port, next } = await serve(authenticator);
    const decided = next();
    const answer = await answerTo(port, [cookie(), ...headers(`127.0.0.1:${port}`)]);
    expect(answer.status).toBe(status);
    expect(answer.headers).not.toHaveProperty('www-authenticate');
    const { result, request } = await decided;
    expect(result).toMatchObject({
      status: 'fulfilled',
      value: status === 403 ? undefined : { auth: { subject: 'alice' } },
    });
    // The same upgrade is known by its headers, where a framework sends it through its routes.
    expect(request.method).toBe('GET');
    const { rawHeaders } = request;
    const { upgrade, ...headersOfGet } = request.headers;
    const routed = authenticator.authenticate({
      method: 'GET',
      headers: { ...headersOfGet, upgrade },
      rawHeaders,
    });
    if (status === 403) await expect(routed).rejects.toMatchObject({ code: 'origin_refused' });
    else expect(await routed).toMatchObject({ subject: 'alice' });
    // A request by this method may come from anywhere.
    expect(
      await authenticator.authenticate({ method: 'GET', headers: headersOfGet, rawHeaders }),
    ).toMatchObject({ subject: 'alice' });
  });

  it('T-093: a token in a header is brought by nobody unasked: its origin does not matter', async () => {
    const { port } = await serve(create({ tokenFrom: [{ header: 'Authorization' }, { cookie: 'token' }] }));
    const foreign = ['Origin: https://evil.example', 'Sec-Fetch-Site: cross-site'];
    expect((await answerTo(port, [bearer(good), ...foreign])).status).toBe(101);
    expect((await answerTo(port, [cookie(), ...foreign])).status).toBe(403);
  });

  it('T-093: mode permissive does not make a principal of it', async () => {
    const { port, next } = await serve(create({ tokenFrom: [{ cookie: 'token' }], mode: 'permissive' }));
    const decided = next();
    await answerTo(port, [cookie(), 'Origin: https://evil.example']);
    expect((await decided).result).toEqual({ status: 'fulfilled', value: { auth: undefined } });
  });
});

describe('T-093: a token in the query', () => {
  it.each<[what: string, token: () => string | undefined, status: number]>([
    ['good', () => good, 101],
    ['forged', () => bad.forged, 401],
    ['malformed', () => bad.malformed, 401],
  ])('T-093: a %s one is read, and gone from the URL at once', async (_, token, status) => {
    const { port, next } = await serve(create({ tokenFrom: [{ query: 'access_token' }] }));
    const decided = next();
    const answer = await answerTo(port, [], `/chat?room=1&access_token=${token()}&x=%2f`);
    expect(answer.status).toBe(status);
    expect(answer.text).not.toContain(token());
    const { urlAtOnce, request, result } = await decided;
    expect([urlAtOnce, request.url]).toEqual(['/chat?room=1&x=%2f', '/chat?room=1&x=%2f']);
    expect(result).toMatchObject({
      status: 'fulfilled',
      value: status === 101 ? { auth: { subject: 'alice' } } : undefined,
    });
  });

  it('T-083: is gone from the URL that a framework keeps, also where the other was rewritten', async () => {
    for (const url of [`/chat?access_token=${good}`, '/rewritten']) {
      const request = Object.assign(new IncomingMessage(new Socket()), {
        method: 'GET',
        url,
        originalUrl: `/ws/chat?room=1&access_token=${good}`,
      });
      const mode = url === '/rewritten' ? 'optional' : 'strict';
      const authenticator = create({ mode, tokenFrom: [{ query: 'access_token' }] });
      expect(await authenticateUpgrade(authenticator, request, new Socket())).toBeDefined();
      expect(request.originalUrl).toBe('/ws/chat?room=1');
      expect(request.url).not.toContain(good);
    }
  });

  it('T-093: each of the tokens of a tree is read before one is taken out', async () => {
    const tree = requireAll({
      user: create({ tokenFrom: [{ query: 'user' }] }),
      device: create({ tokenFrom: [{ query: 'device' }] }),
    });
    const { port, next } = await serve(tree);
    const decided = next();
    expect((await answerTo(port, [], `/chat?user=${good}&device=${good}`)).status).toBe(101);
    expect((await decided).urlAtOnce).toBe('/chat');
  });

  it('T-093: is no token where tokenFrom does not have it', async () => {
    const { port, next } = await serve(create());
    const decided = next();
    const path = `/chat?access_token=${good}`;
    expect((await answerTo(port, [], path)).status).toBe(401);
    expect((await decided).request.url).toBe(path);
  });
});

describe('T-093: the request stays the same one', () => {
  it('D9: why a permissive authenticator let an upgrade pass is known by its request', async () => {
    const { port, next } = await serve(create({ mode: 'permissive' }));
    const decided = next();
    await answerTo(port, [bearer('a.b.c')]);
    const { result, request } = await decided;
    expect(result).toMatchObject({ status: 'fulfilled', value: { auth: undefined } });
    expect(refusalOf(request)?.code).toBe('token_malformed');
  });

  it('T-082: a token in the query is found again, though it has been taken out', async () => {
    const authenticator = create({ tokenFrom: [{ query: 'access_token' }] });
    const { port, next } = await serve(authenticator);
    const decided = next();
    await answerTo(port, [], `/chat?access_token=${good}`);
    const { request } = await decided;
    expect(request.url).toBe('/chat');
    await expect(authenticator.authenticate(request)).resolves.toMatchObject({ subject: 'alice' });
  });
});

describe('T-093: what is no refusal', () => {
  const THROWN: readonly (readonly [what: string, thrown: unknown])[] = [
    ['an Error', new Error('boom, with a secret')],
    [
      'an Error with status and headers',
      Object.assign(new Error('boom'), { status: 200, headers: { 'X-A': 'b' } }),
    ],
    ['a text', 'boom'],
    ['undefined', undefined],
    ['null', null],
    ['false', false],
    ['0', 0],
    ['an empty text', ''],
  ];
  const WAYS = [
    ['rejects with', (thrown: unknown) => Promise.reject(thrown)],
    [
      'throws',
      (thrown: unknown): Promise<never> => {
        throw thrown;
      },
    ],
  ] as const;

  it.each(WAYS.flatMap(([how, act]) => THROWN.map(([what, thrown]) => [how, what, act, thrown] as const)))(
    'T-093: an authenticator that %s %s: 500, and it passes on',
    async (_, __, act, thrown) => {
      const { port, next } = await serve({ decide: () => act(thrown), conceal: () => undefined });
      const decided = next();
      const { text } = await answerTo(port, [bearer(good)]);
      expect(text).toBe(
        'HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
      );
      const { result, socket } = await decided;
      expect(result).toEqual({ status: 'rejected', reason: thrown });
      if (!socket.closed) await once(socket, 'close');
    },
  );

  it('T-093: overrides that are none let nobody in', async () => {
    const { port, next } = await serve(create(), { overrides: { mode: 'none' } as never });
    const decided = next();
    expect((await answerTo(port, [bearer(good)])).status).toBe(500);
    expect((await decided).result).toMatchObject({ status: 'rejected', reason: { path: 'access.mode' } });
  });
});

describe('T-093: a client that goes away while its token is looked at', () => {
  it.each<[what: string, decide: () => Promise<Principal>, result: object]>([
    [
      'and it would have been accepted',
      async () =>
        createPrincipal({ sub: 'alice' }, { realm: undefined, delimiter: undefined, routes: new Map() }),
      { status: 'fulfilled', value: { auth: { subject: 'alice' } } },
    ],
    [
      'and it would have been refused',
      () => Promise.reject(new AuthError('token_expired')),
      { status: 'fulfilled', value: undefined },
    ],
    [
      'and it fails',
      () => Promise.reject(new TypeError('x')),
      { status: 'rejected', reason: { name: 'TypeError' } },
    ],
  ])('T-093: resets the connection, %s: no error is left over', async (_, decide, result) => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let connections = 0;
    const { port, sockets, next } = await serve<Principal>(
      {
        decide: async () => {
          ask();
          await gate;
          return { ok: true, principal: await decide() };
        },
        conceal: () => undefined,
      },
      { connected: () => connections++ },
    );
    const decided = next();
    const client = send(port);
    await asked;
    const [socket = expect.fail('no upgrade')] = sockets;
    const errors: NodeJS.ErrnoException[] = [];
    // A monitor does not count as a listener: without one, the error would be thrown.
    socket.on(errorMonitor, (error) => errors.push(error));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    client.resetAndDestroy();
    await closed;
    expect(errors.map(({ code }) => code)).toEqual(['ECONNRESET']);
    open();
    expect((await decided).result).toMatchObject(result);
    expect(connections).toBe(0);
    // What is left over would come by now.
    await new Promise((resolve) => setImmediate(resolve));
    expect(fatal).toEqual([]);
  });

  it.each([
    ['a refusal', new AuthError('token_expired')],
    ['a fault', new TypeError('x')],
  ])('T-093: resets the connection while %s is written: no error is left over', async (_, thrown) => {
    const written: string[] = [];
    // A peer that takes nothing: the answer is still on its way when the connection breaks.
    const socket = new Duplex({
      read: () => {},
      write: (chunk) => void written.push(String(chunk).slice(0, 9)),
    });
    const failed = new Promise((resolve) => socket.once(errorMonitor, resolve));
    const authenticator = { decide: () => Promise.reject(thrown), conceal: () => undefined };
    await Promise.allSettled([authenticateUpgrade(authenticator, { headers: {}, rawHeaders: [] }, socket)]);
    socket.destroy(new Error('ECONNRESET'));
    expect(await failed).toMatchObject({ message: 'ECONNRESET' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(written).toEqual(['HTTP/1.1 ']);
    expect(fatal).toEqual([]);
  });

  it('T-093: resets the connection while the issuer hangs: no error is left over', async () => {
    const hanging = await createIssuer();
    cleanups.push(() => hanging.close());
    hanging.fail({ kind: 'hang' });
    const authenticator = create({
      keySets: [{ issuer: hanging.issuer, jwksUrl: hanging.jwksUrl, allowHttp: true }],
    });
    const { port, sockets, next } = await serve(authenticator);
    const decided = next();
    const client = send(port, [bearer(await hanging.mint())]);
    await vi.waitFor(() => expect(hanging.requests.jwks).toBe(1));
    const [socket = expect.fail('no upgrade')] = sockets;
    const closed = new Promise((resolve) => socket.once('close', resolve));
    client.resetAndDestroy();
    await closed;
    await authenticator.close();
    expect((await decided).result).toEqual({ status: 'fulfilled', value: undefined });
    await new Promise((resolve) => setImmediate(resolve));
    expect(fatal).toEqual([]);
  });

  it('T-093: a client that waits while the issuer hangs is told 503 in the end', async () => {
    const hanging = await createIssuer();
    cleanups.push(() => hanging.close());
    hanging.fail({ kind: 'hang' });
    const authenticator = create({
      keySets: [{ issuer: hanging.issuer, jwksUrl: hanging.jwksUrl, allowHttp: true }],
    });
    const { port } = await serve(authenticator);
    const answer = answerTo(port, [bearer(await hanging.mint())]);
    await vi.waitFor(() => expect(hanging.requests.jwks).toBe(1));
    await authenticator.close();
    expect((await answer).status).toBe(503);
  });
});

describe('T-093: whenExpired()', () => {
  const NOW = 1_800_000_000;
  const DAY = 86_400;
  const principal = (exp?: number): Principal =>
    createPrincipal(exp === undefined ? {} : { exp }, {
      realm: undefined,
      delimiter: undefined,
      routes: new Map(),
    });

  beforeEach(() => {
    vi.useFakeTimers({ now: NOW * 1000 });
  });

  it.each<[what: string, left: number]>([
    ['a second', 1],
    ['part of a second', 0.25],
    ['five minutes', 300],
    ['as long as a timer can be set', (2 ** 31 - 1) / 1000],
    ['a millisecond longer than that', 2 ** 31 / 1000],
    ['100 days', 100 * DAY],
    ['ten years', 3650 * DAY],
  ])('T-093: %s left: calls back then, not a millisecond before, and once', (_, left) => {
    const expiresAt = (NOW + left) * 1000;
    const at: number[] = [];
    whenExpired(principal(NOW + left), () => at.push(Date.now()));
    vi.advanceTimersByTime(expiresAt - Date.now() - 1);
    expect(at).toEqual([]);
    vi.advanceTimersByTime(2);
    expect(at).toHaveLength(1);
    expect(at[0]).toBeGreaterThanOrEqual(expiresAt);
    vi.advanceTimersByTime(400 * DAY * 1000);
    expect(at).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ['now', NOW],
    ['a second ago', NOW - 1],
    ['long ago', 1],
    ['before the epoch', -NOW],
  ])('T-093: expired %s: calls back at once, but not before it has returned', (_, exp) => {
    const callback = vi.fn();
    const forget = whenExpired(principal(exp), callback);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(callback).toHaveBeenCalledTimes(1);
    expect(forget).not.toThrow();
    vi.advanceTimersByTime(DAY * 1000);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it.each<[what: string, left: number, forgetAfter: number]>([
    ['at once', 300, 0],
    ['just before', 300, 299.999],
    ['of one that has expired', -300, 0],
    ['after the timer has been set anew', 100 * DAY, 60 * DAY],
  ])('T-093: forgotten %s: never calls back, and leaves no timer', (_, left, forgetAfter) => {
    const callback = vi.fn();
    const forget = whenExpired(principal(NOW + left), callback);
    expect(vi.getTimerCount()).toBe(1);
    if (forgetAfter > 0) vi.advanceTimersByTime(forgetAfter * 1000);
    forget();
    forget();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(400 * DAY * 1000);
    expect(callback).not.toHaveBeenCalled();
  });

  // Seconds after iat: where exp is, how old a token may be, and when the first of them comes.
  it.each<[what: string, exp: number | undefined, maxTokenAge: string | undefined, ends: number | undefined]>(
    [
      ['maxTokenAge before exp', 3600, '5m', 300],
      ['exp before maxTokenAge', 60, '5m', 60],
      ['maxTokenAge alone', undefined, '5m', 300],
      ['exp alone', 60, undefined, 60],
      ['neither', undefined, undefined, undefined],
    ],
  )('T-093: %s: calls back at the first end that the token has', async (_, exp, maxTokenAge, ends) => {
    const key = await generateSigningKey('ES256', 'one');
    const authenticator = createAuthenticator({
      keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
      audience: 'me',
      requireExp: false,
      ...(maxTokenAge === undefined ? {} : { maxTokenAge }),
    });
    const claims = { iss: 'i', aud: 'me', sub: 'alice', iat: NOW, ...(exp && { exp: NOW + exp }) };
    const callback = vi.fn();
    const forget = whenExpired(await authenticator.verify(await mint(key, claims)), callback);
    vi.advanceTimersByTime((ends ?? 400 * DAY) * 1000 - 1);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2);
    expect(callback).toHaveBeenCalledTimes(ends === undefined ? 0 : 1);
    forget();
    await authenticator.close();
  });

  it("T-093: the authenticator's clock says when", async () => {
    const key = await generateSigningKey('ES256', 'one');
    // Ten minutes ahead of the machine's.
    const authenticator = createAuthenticator({
      keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
      audience: 'me',
      clock: { now: () => Date.now() + 600_000 },
    });
    const token = await mint(key, { iss: 'i', aud: 'me', sub: 'alice', exp: NOW + 900 });
    const callback = vi.fn();
    whenExpired(await authenticator.verify(token), callback);
    vi.advanceTimersByTime(299_999);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2);
    expect(callback).toHaveBeenCalledTimes(1);
    await authenticator.close();
  });

  it('T-093: without exp: never', () => {
    const callback = vi.fn();
    const forget = whenExpired(principal(), callback);
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(400 * DAY * 1000);
    expect(callback).not.toHaveBeenCalled();
    expect(forget).not.toThrow();
  });

  it('T-093: a clock that is set back meanwhile does not end it early', () => {
    const callback = vi.fn();
    whenExpired(principal(NOW + 300), callback);
    vi.advanceTimersByTime(200_000);
    vi.setSystemTime(NOW * 1000);
    vi.advanceTimersByTime(299_999);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it('T-093: forgetting one does not forget another of the same principal', () => {
    const [one, two] = [vi.fn(), vi.fn()];
    const shared = principal(NOW + 300);
    whenExpired(shared, one)();
    whenExpired(shared, two);
    vi.advanceTimersByTime(300_001);
    expect([one.mock.calls.length, two.mock.calls.length]).toEqual([0, 1]);
  });
});

describe('T-093: a connection and its token', () => {
  it('T-093: the timer does not keep the process alive', async () => {
    const script = `
      import { whenExpired } from ${JSON.stringify(new URL('../../src/decision/upgrade.ts', import.meta.url).href)};
      const left = (seconds) => ({ claims: { exp: Date.now() / 1000 + seconds } });
      for (const seconds of [3600, 100 * 86400]) whenExpired(left(seconds), () => console.log('expired'));
      console.log('ends');
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
      { cwd: fileURLToPath(new URL('..', import.meta.url)), timeout: 15_000 },
    );
    expect(stdout.trim()).toBe('ends');
  });

  it('T-093: ends within a second after exp, with 1008, and not before', async () => {
    const { port, seen } = await serve(create(), {
      connected: (ws, auth) => {
        if (auth === undefined) expect.fail('anonymous');
        const forget = whenExpired(auth, () => ws.close(1008, 'token expired'));
        ws.on('close', forget);
      },
    });
    const exp = Math.floor(Date.now() / 1000) + 2;
    const token = await issuer.mint({ exp });
    const client = new WebSocket(`ws://127.0.0.1:${port}/chat`, {
      headers: { authorization: `Bearer ${token}` },
    });
    cleanups.push(() => client.terminate());
    const [code, reason] = await once(client, 'close');
    const lateMs = Date.now() - exp * 1000;
    expect([code, String(reason)]).toEqual([1008, 'token expired']);
    expect(lateMs).toBeGreaterThanOrEqual(0);
    expect(lateMs).toBeLessThan(1_000);
    expect(seen).toHaveLength(1);
  });
});
