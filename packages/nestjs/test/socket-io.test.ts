// Socket.IO over real connections: handshakes by polling and by upgrade, messages, and the expiry
// of a token.
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import type { INestApplication } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Auth, LatchkeyModule, type Principal, RequireClaims, type RouteAccess } from '../src/index.ts';
import { authenticateWebSockets } from '../src/websockets.ts';
import { create, listen, onMethod } from './application.ts';

let issuer: TestIssuer;
let app: INestApplication | undefined;
const clients: Socket[] = [];

beforeEach(async () => {
  issuer = await createIssuer();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await app?.close();
  app = undefined;
  await issuer.close();
});

async function start(namespace = '', access: RouteAccess = {}): Promise<string> {
  class Gateway {
    whoami(auth: Principal | undefined) {
      return { subject: auth?.subject ?? null };
    }
    admin() {
      return 'admin';
    }
  }
  Auth()(Gateway.prototype, 'whoami', 0);
  onMethod(Gateway, 'whoami', SubscribeMessage('whoami'));
  onMethod(Gateway, 'admin', SubscribeMessage('admin'), RequireClaims({ roles: ['admin'] }));
  WebSocketGateway(namespace === '' ? {} : { namespace })(Gateway);
  const options = {
    keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
    audience: issuer.audience,
    tokenFrom: [{ header: 'Authorization' }, { cookie: 'token' }],
  } as const;
  app = await create({ imports: [LatchkeyModule.forRoot(options)], providers: [Gateway] });
  app.useWebSocketAdapter(authenticateWebSockets(app, new IoAdapter(app), access));
  return `${await listen(app)}/${namespace}`;
}

/** Returns the client once it is connected, or the data of its refusal. */
function connect(url: string, options: Partial<ManagerOptions & SocketOptions>): Promise<unknown> {
  const client = io(url, { forceNew: true, reconnection: false, ...options });
  clients.push(client);
  return new Promise((resolve) => {
    client.on('connect', () => resolve(client));
    client.on('connect_error', (error) => resolve(Reflect.get(error, 'data')));
  });
}

const ask = (client: unknown, event: string) => (client as Socket).timeout(5_000).emitWithAck(event, {});
const answerTo = (client: unknown, event: string) =>
  new Promise((resolve) => {
    (client as Socket).once('exception', resolve);
    (client as Socket).emit(event, {});
  });

describe.each(['polling', 'websocket'])('T-093: handshakes of Socket.IO by %s', (transport) => {
  const over = { transports: [transport] };

  it.each(['', 'chat'])('no token, or a bad one, is a connect_error: namespace "%s"', async (namespace) => {
    const url = await start(namespace);
    expect(await connect(url, over)).toEqual({ code: 'credentials_missing', status: 401 });
    const token = await issuer.mint({ aud: 'other' });
    expect(await connect(url, { ...over, auth: { token } })).toEqual({
      code: 'token_audience_mismatch',
      status: 401,
    });
  });

  it('a token in auth or in a header, and handlers get the principal', async () => {
    const url = await start();
    const token = await issuer.mint({ sub: 'alice' });
    for (const sent of [{ auth: { token } }, { extraHeaders: { authorization: `Bearer ${token}` } }])
      expect(await ask(await connect(url, { ...over, ...sent }), 'whoami')).toEqual({ subject: 'alice' });
  });

  it('two tokens are refused', async () => {
    const token = await issuer.mint({ sub: 'alice' });
    const other = await issuer.mint({ sub: 'bob' });
    const sent = { auth: { token }, extraHeaders: { authorization: `Bearer ${other}` } };
    expect(await connect(await start(), { ...over, ...sent })).toEqual({
      code: 'credentials_ambiguous',
      status: 400,
    });
  });

  it('T-081: a cookie from another origin is refused', async () => {
    const url = await start();
    const cookie = `token=${await issuer.mint({ sub: 'alice' })}`;
    const from = (origin: string) => connect(url, { ...over, extraHeaders: { cookie, origin } });
    expect(await from('https://evil.example')).toEqual({ code: 'origin_refused', status: 403 });
    expect(await ask(await from(new URL(url).origin), 'whoami')).toEqual({ subject: 'alice' });
  });
});

describe('T-093: messages of Socket.IO', () => {
  it('rules of a handler judge the principal of the handshake', async () => {
    const url = await start();
    const token = await issuer.mint({ sub: 'alice' });
    expect(await answerTo(await connect(url, { auth: { token } }), 'admin')).toMatchObject({
      code: 'claims_insufficient',
    });
    const admin = await issuer.mint({ sub: 'bob', roles: ['admin'] });
    expect(await ask(await connect(url, { auth: { token: admin } }), 'admin')).toBe('admin');
  });

  it('an anonymous handshake, in a mode that allows it', async () => {
    const client = await connect(await start('', { mode: 'optional' }), {});
    expect(await ask(client, 'whoami')).toEqual({ subject: null });
    expect(await answerTo(client, 'admin')).toMatchObject({ code: 'credentials_missing' });
  });

  it('the client is disconnected when its token expires', async () => {
    const exp = Math.floor(Date.now() / 1000) + 2;
    const client = (await connect(await start(), { auth: { token: await issuer.mint({ exp }) } })) as Socket;
    await new Promise((resolve) => client.on('disconnect', resolve));
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
    expect(Date.now()).toBeLessThan(exp * 1000 + 1000);
  });
});
