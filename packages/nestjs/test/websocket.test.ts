// WebSockets over real sockets: the handshake, the message handlers behind it, and the expiry of a
// token.
import type { IncomingMessage } from 'node:http';
import { createClock, createIssuer, type TestIssuer } from '@latchkey/testing';
import { type INestApplication, UseFilters } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import {
  Auth,
  AuthError,
  Authenticate,
  ConfigError,
  createAuthenticator,
  LatchkeyModule,
  type LatchkeyOptions,
  type Principal,
  Public,
  RequireClaims,
  type RouteAccess,
  requireAll,
} from '../src/index.ts';
import { authenticateWebSockets, WebSocketRefusalFilter } from '../src/websockets.ts';
import { create, listen, onMethod, platforms } from './application.ts';

/** Messages that reached `admin`. */
let admitted = 0;

class Gateway {
  anyone() {
    return { event: 'answer', data: 'anyone' };
  }
  whoami(auth: Principal | undefined) {
    return { event: 'answer', data: auth?.subject ?? null };
  }
  admin() {
    admitted++;
    return { event: 'answer', data: 'admin' };
  }
  elsewhere() {
    return { event: 'answer', data: 'elsewhere' };
  }
  forOthers() {
    return { event: 'answer', data: 'forOthers' };
  }
  recent() {
    return { event: 'answer', data: 'recent' };
  }
  strict() {
    return { event: 'answer', data: 'strict' };
  }
  refuses() {
    throw new AuthError('token_expired');
  }
}
Auth()(Gateway.prototype, 'whoami', 0);
onMethod(Gateway, 'anyone', SubscribeMessage('anyone'), Public());
onMethod(Gateway, 'whoami', SubscribeMessage('whoami'), Authenticate());
onMethod(Gateway, 'admin', SubscribeMessage('admin'), RequireClaims({ roles: ['admin'] }));
onMethod(
  Gateway,
  'elsewhere',
  SubscribeMessage('elsewhere'),
  Authenticate({ issuers: ['https://issuer.example'] }),
);
onMethod(
  Gateway,
  'forOthers',
  SubscribeMessage('forOthers'),
  Authenticate({ audience: 'https://other.example' }),
);
onMethod(Gateway, 'recent', SubscribeMessage('recent'), Authenticate({ maxAge: '5m' }));
onMethod(Gateway, 'strict', SubscribeMessage('strict'), Authenticate({ mode: 'strict' }));
onMethod(Gateway, 'refuses', SubscribeMessage('refuses'));
UseFilters(new WebSocketRefusalFilter())(Gateway);
WebSocketGateway()(Gateway);

/** For several authenticators: rules are for their sources. */
class PlainGateway {}
WebSocketGateway()(PlainGateway);

let issuer: TestIssuer;
let app: INestApplication | undefined;

beforeEach(async () => {
  issuer = await createIssuer();
});

afterEach(async () => {
  await app?.close();
  app = undefined;
  await issuer.close();
});

const optionsFor = ({ issuer: name, jwksUrl, audience }: TestIssuer) =>
  ({
    keySets: [{ issuer: name, jwksUrl, allowHttp: true }],
    audience,
    tokenFrom: [{ header: 'Authorization' }, { cookie: 'token' }],
  }) as const;

async function start(
  platform: (typeof platforms)[number] = 'express',
  options: LatchkeyOptions = optionsFor(issuer),
  ...access: readonly [access?: RouteAccess]
): Promise<string> {
  const isCombined = 'kind' in options && options.kind === 'combined';
  const providers = [isCombined ? PlainGateway : Gateway];
  app = await create({ imports: [LatchkeyModule.forRoot(options)], providers }, platform);
  app.useWebSocketAdapter(authenticateWebSockets(app, new WsAdapter(app), ...access));
  return (await listen(app)).replace('http', 'ws');
}

/** Returns the client when it is open, or the answer to its handshake. */
function connect(url: string, headers: Record<string, string> = {}): Promise<WebSocket | IncomingMessage> {
  return new Promise((resolve, reject) => {
    const client = new WebSocket(url, { headers });
    client.on('open', () => resolve(client));
    client.on('unexpected-response', (_request, response) => {
      resolve(response);
      client.on('error', () => {});
      client.terminate();
    });
    client.on('error', reject);
  });
}

async function connected(url: string, headers?: Record<string, string>): Promise<WebSocket> {
  const client = await connect(url, headers);
  if (!(client instanceof WebSocket)) throw new Error(`refused: ${client.statusCode}`);
  return client;
}

async function refused(url: string, headers?: Record<string, string>): Promise<IncomingMessage> {
  const answer = await connect(url, headers);
  if (answer instanceof WebSocket) throw new Error('connected');
  return answer;
}

const bearer = async (claims: Parameters<TestIssuer['mint']>[0] = {}) => ({
  authorization: `Bearer ${await issuer.mint({ sub: 'alice', ...claims })}`,
});

/** Sends a message, and returns the answer. */
function ask(client: WebSocket, event: string): Promise<{ event: string; data: unknown }> {
  return new Promise((resolve) => {
    client.once('message', (data) => resolve(JSON.parse(String(data))));
    client.send(JSON.stringify({ event, data: {} }));
  });
}

describe.each(platforms)('T-093: handshakes on %s', (platform) => {
  it('no token: 401 with the challenge, and no 101', async () => {
    const answer = await refused(await start(platform));
    expect(answer.statusCode).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  });

  it('a bad token: 401', async () => {
    const { statusCode } = await refused(await start(platform), await bearer({ aud: 'other' }));
    expect(statusCode).toBe(401);
  });

  it('a good token: connected, and handlers get the principal', async () => {
    const client = await connected(await start(platform), await bearer());
    expect(await ask(client, 'whoami')).toEqual({ event: 'answer', data: 'alice' });
  });

  it("a cookie from another origin: 403; from the service's own: connected", async () => {
    const url = await start(platform);
    const cookie = `token=${await issuer.mint()}`;
    const origin = url.replace('ws', 'http');
    expect((await refused(url, { cookie, origin: 'https://evil.example' })).statusCode).toBe(403);
    expect((await refused(url, { cookie })).statusCode).toBe(403);
    await connected(url, { cookie, origin });
  });
});

describe('T-093: handshakes', () => {
  it('an issuer that cannot be reached: 503', async () => {
    issuer.fail({ kind: 'status', status: 500 });
    const url = await start();
    const answer = await refused(url, await bearer());
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, expect.any(String)]);
  });

  it('an error that is not a refusal: 500, and the process continues', async () => {
    const fault = new TypeError('a fault');
    const reject = () => Promise.reject(fault);
    const conceal = () => undefined;
    const tree = {
      kind: 'combined',
      mode: 'strict',
      readsBody: false,
      authenticate: reject,
      decide: reject,
      conceal,
    } as const;
    expect((await refused(await start('express', tree))).statusCode).toBe(500);
  });

  it('an anonymous handshake, in a mode that allows it', async () => {
    const client = await connected(await start('express', optionsFor(issuer), { mode: 'optional' }));
    expect(await ask(client, 'whoami')).toEqual({ event: 'answer', data: null });
    for (const event of ['admin', 'strict']) {
      expect(await ask(client, event)).toMatchObject({ data: { code: 'credentials_missing' } });
    }
  });

  it('another adapter, and one with its own verifyClient, do not start', async () => {
    app = await create({ imports: [LatchkeyModule.forRoot(optionsFor(issuer))] });
    const other = { create: () => new WebSocketServer({ noServer: true }) };
    const adapter = authenticateWebSockets(app, Object.assign(new WsAdapter(app), other));
    expect(() => adapter.create(0)).toThrow(ConfigError);
    const own = authenticateWebSockets(app, new WsAdapter(app));
    expect(() => own.create(0, { verifyClient: () => true })).toThrow(ConfigError);
  });
});

describe('T-093: messages', () => {
  it('rules of a handler judge the principal of the handshake', async () => {
    const url = await start();
    const user = await connected(url, await bearer());
    expect(await ask(user, 'admin')).toEqual({
      event: 'exception',
      data: {
        status: 'error',
        code: 'claims_insufficient',
        message: 'The token lacks a claim that this request needs',
      },
    });
    const admin = await connected(url, await bearer({ roles: ['admin'] }));
    expect(await ask(admin, 'admin')).toEqual({ event: 'answer', data: 'admin' });
  });

  it('a refusal that a handler throws is sent to the client', async () => {
    const client = await connected(await start(), await bearer());
    const data = { status: 'error', code: 'token_expired', message: 'The token has expired' };
    expect(await ask(client, 'refuses')).toEqual({ event: 'exception', data });
  });

  it('an issuer that a handler does not accept', async () => {
    const client = await connected(await start(), await bearer());
    expect(await ask(client, 'elsewhere')).toMatchObject({ data: { code: 'token_issuer_untrusted' } });
    expect(await ask(client, 'anyone')).toEqual({ event: 'answer', data: 'anyone' });
  });

  it('T-054: an audience that a handler requires, next to that of the handshake', async () => {
    const client = await connected(await start(), await bearer());
    expect(await ask(client, 'forOthers')).toMatchObject({ data: { code: 'token_audience_mismatch' } });
    const aud = [issuer.audience, 'https://other.example'];
    const other = await connected(await start(), await bearer({ aud }));
    expect(await ask(other, 'forOthers')).toEqual({ event: 'answer', data: 'forOthers' });
  });

  it('RFC 9470: a message is judged when it comes, and not when the connection was opened', async () => {
    const clock = createClock();
    const url = await start('express', { ...optionsFor(issuer), clock });
    const at = Math.floor(clock.now() / 1000);
    const client = await connected(url, await bearer({ auth_time: at, exp: at + 86_400 }));
    expect(await ask(client, 'recent')).toMatchObject({ data: 'recent' });
    clock.advance(306_000);
    expect(await ask(client, 'recent')).toMatchObject({ data: { code: 'authentication_insufficient' } });
    client.close();
    const plain = await connected(url, await bearer({ exp: at + 86_400 }));
    expect(await ask(plain, 'recent')).toMatchObject({ data: { code: 'authentication_insufficient' } });
    plain.close();
  });
});

describe('T-093: the expiry of a token', () => {
  const inTwoSeconds = () => Math.floor(Date.now() / 1000) + 2;
  const closed = (client: WebSocket) =>
    new Promise<number>((resolve) => {
      client.on('close', (code) => resolve(code));
    });

  it('closes the connection within a second', async () => {
    const exp = inTwoSeconds();
    const client = await connected(await start(), await bearer({ exp }));
    expect(await closed(client)).toBe(1008);
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
    expect(Date.now()).toBeLessThan(exp * 1000 + 1000);
  });

  it('closes it when the token is too old, although it has not expired', async () => {
    const end = inTwoSeconds();
    const client = await connected(
      await start('express', { ...optionsFor(issuer), maxTokenAge: '1m' }),
      await bearer({ iat: end - 60, exp: end + 3600 }),
    );
    expect(await closed(client)).toBe(1008);
    expect(Date.now()).toBeGreaterThanOrEqual(end * 1000);
    expect(Date.now()).toBeLessThan(end * 1000 + 1000);
  });

  it('closes it also if the peer does not answer, and handles no more messages', async () => {
    const exp = inTwoSeconds();
    const client = await connected(await start(), await bearer({ exp, roles: ['admin'] }));
    const raw = (client as unknown as { _socket: { pause(): void; on: WebSocket['on'] } })._socket;
    const connections = app?.getHttpServer();
    raw.pause();
    await new Promise((resolve) => setTimeout(resolve, exp * 1000 + 900 - Date.now()));
    expect(
      await new Promise((resolve) => connections.getConnections((_: unknown, n: number) => resolve(n))),
    ).toBe(0);
    client.terminate();
  });

  it('ends its messages: one that arrives during the closing reaches no handler', async () => {
    const exp = inTwoSeconds();
    const client = await connected(await start(), await bearer({ exp, roles: ['admin'] }));
    await ask(client, 'admin');
    admitted = 0;
    const raw = (client as unknown as { _socket: { pause(): void; resume(): void } })._socket;
    // The client does not read the close frame, and continues to send.
    raw.pause();
    await new Promise((resolve) => setTimeout(resolve, exp * 1000 + 250 - Date.now()));
    const answered = new Promise<void>((resolve) => {
      client.on('message', () => resolve());
      client.on('close', () => resolve());
    });
    await new Promise((resolve) => client.send(JSON.stringify({ event: 'admin', data: {} }), resolve));
    // The server closes the socket half a second later, which the client sees when it reads again.
    const connections = app?.getHttpServer();
    await vi.waitUntil(
      () => new Promise((resolve) => connections.getConnections((_: unknown, n: number) => resolve(n === 0))),
      { timeout: 10_000, interval: 20 },
    );
    raw.resume();
    await answered;
    expect(admitted).toBe(0);
  });

  it('closes the connection when the first of several tokens expires', async () => {
    const exp = inTwoSeconds();
    const one = createAuthenticator({ ...optionsFor(issuer), tokenFrom: [{ header: 'Authorization' }] });
    const two = createAuthenticator({ ...optionsFor(issuer), tokenFrom: [{ header: 'X-Device' }] });
    const url = await start('express', requireAll({ user: one, device: two }));
    const client = await connected(url, { ...(await bearer()), 'x-device': await issuer.mint({ exp }) });
    expect(await closed(client)).toBe(1008);
    await Promise.all([one.close(), two.close()]);
  });
});
