// docs/recipes/socket-io.md, with the real server and client.
import { createServer } from 'node:http';
import type { Authenticator } from '@latchkey/core';
import { Server } from 'socket.io';
import { io as connectTo, type Socket } from 'socket.io-client';
import { describe, expect, it } from 'vitest';
import { type AuthServer, authenticate, onEvent, requireClaims } from '../src/socket-io.ts';
import { atEnd, authenticator, badTokens, clock, FAULTS, issuer, listen } from './support.ts';

/** The messages that reached a handler. */
const received: unknown[] = [];

async function start(by: Pick<Authenticator, 'authenticate'> = authenticator): Promise<string> {
  received.length = 0;
  const server = createServer();
  const io: AuthServer = new Server(server);
  authenticate(io, by);
  io.of('/admin').use(requireClaims({ roles: ['admin'] }));
  io.of(/^\/room-\d+$/);
  io.on('new_namespace', (namespace) => namespace.on('connection', serve));
  io.of('/admin').on('connection', serve);
  io.on('connection', serve);
  atEnd(() => io.close());
  return listen(server);
}

function serve(socket: Parameters<typeof onEvent>[0]): void {
  onEvent(socket, 'whoami', {}, ({ subject }) => subject);
  onEvent(socket, 'write', { scope: 'chat:write' }, (_auth, message) => received.push(message));
  onEvent(socket, 'break', {}, () => {
    throw new TypeError('a secret fault');
  });
}

/** Resolves to the client, or to the data of its `connect_error`. */
function connect(url: string, options: object): Promise<unknown> {
  const client = connectTo(url, { forceNew: true, reconnection: false, ...options });
  atEnd(() => client.disconnect());
  return new Promise((resolve) => {
    client.on('connect', () => resolve(client));
    client.on('connect_error', (error) => resolve(Reflect.get(error, 'data') ?? error));
  });
}

const ask = (client: unknown, event: string, message: unknown = null) =>
  (client as Socket).timeout(5_000).emitWithAck(event, message);

describe.each(['polling', 'websocket'])('docs/recipes/socket-io.md, by %s', (transport) => {
  const over = { transports: [transport] };

  it('a missing or bad token is a connect_error with its code, in all namespaces', async () => {
    const url = await start();
    for (const namespace of ['', '/admin', '/room-1']) {
      expect(await connect(url + namespace, over)).toEqual({ code: 'credentials_missing', status: 401 });
      for (const [token, code] of await badTokens())
        expect(await connect(url + namespace, { ...over, auth: { token } })).toEqual({ code, status: 401 });
    }
    for (const token of [7, { toString: 1 }, ''])
      expect(await connect(url, { ...over, auth: { token } })).toEqual({
        code: 'credentials_malformed',
        status: 400,
      });
  });

  it('the token is in auth or in the header, and never in both or in a cookie', async () => {
    const url = await start();
    const token = await issuer.mint({ sub: 'alice' });
    const extraHeaders = { authorization: `Bearer ${token}` };
    for (const sent of [{ auth: { token } }, { extraHeaders }])
      expect(await ask(await connect(url, { ...over, ...sent }), 'whoami')).toEqual({ value: 'alice' });
    expect(await connect(url, { ...over, auth: { token }, extraHeaders })).toMatchObject({
      code: 'credentials_ambiguous',
    });
    expect(await connect(url, { ...over, extraHeaders: { cookie: `token=${token}` } })).toMatchObject({
      code: 'credentials_missing',
    });
  });

  it('a namespace and an event have rules', async () => {
    const url = await start();
    const [user, writer, admin] = await Promise.all([
      issuer.mint(),
      issuer.mint({ scope: 'chat:write' }),
      issuer.mint({ roles: ['admin'] }),
    ]);
    const refused = { code: 'claims_insufficient', status: 403 };
    expect(await connect(`${url}/admin`, { ...over, auth: { token: user } })).toEqual(refused);
    await ask(await connect(`${url}/admin`, { ...over, auth: { token: admin } }), 'whoami');
    const message = { text: 'hello', authorization: 'Bearer x' };
    const answer = await ask(await connect(url, { ...over, auth: { token: user } }), 'write', message);
    expect(answer).toEqual({ error: { code: 'scope_insufficient', status: 403 } });
    expect(received).toEqual([]);
    await ask(await connect(url, { ...over, auth: { token: writer } }), 'write', message);
    expect(received).toEqual([message]);
  });

  it('the client is disconnected when its token expires', async () => {
    const url = await start();
    const exp = Math.floor(clock.now() / 1000) + 300;
    const token = await issuer.mint({ exp });
    clock.set(exp * 1000 - 20);
    const client = (await connect(url, { ...over, auth: { token } })) as Socket;
    expect(await ask(client, 'whoami')).toHaveProperty('value');
    const reason = new Promise((resolve) => client.on('disconnect', resolve));
    clock.set(exp * 1000);
    expect(await reason).toBe('io server disconnect');
  });

  it('a fault lets no client in, and no event through, and its text stays here', async () => {
    const token = await issuer.mint({ scope: 'chat:write' });
    const data = { code: 'internal', status: 500 };
    for (const fault of Object.values(FAULTS))
      expect(await connect(await start(fault), { ...over, auth: { token } })).toEqual(data);
    const url = await start();
    expect(await ask(await connect(url, { ...over, auth: { token } }), 'break')).toEqual({ error: data });
    issuer.fail({ kind: 'status', status: 500 });
    const unknown = await issuer.rotate().then(() => issuer.mint());
    clock.advance(20_000);
    expect(await connect(url, { ...over, auth: { token: unknown } })).toMatchObject({ status: 503 });
  });
});
