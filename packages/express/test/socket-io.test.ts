// Socket.IO outside Nest: the recipe of docs/guides/sockets.md, run with the real server and
// client, by polling and by upgrade.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { runBlock } from '@latchkey/test-kit/quick-start';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import express from 'express';
import { type DefaultEventsMap, Server } from 'socket.io';
import { io as connectTo, type Socket } from 'socket.io-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Authenticator,
  authorize,
  createAuthenticator,
  isAuthError,
  type Principal,
  whenExpired,
} from '../src/index.ts';

type Io = Server<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, { auth: Principal }>;

let issuer: TestIssuer;
let authenticator: Authenticator;
let io: Io;
let url: string;
const clients: Socket[] = [];

beforeEach(async () => {
  issuer = await createIssuer();
  authenticator = createAuthenticator(issuer.options);
  const server = createServer(express());
  io = new Server(server, { connectionStateRecovery: { skipMiddlewares: false } });
  await runBlock(
    import.meta.url,
    "io.on('new_namespace'",
    { io, authenticator, isAuthError, whenExpired },
    '../../../docs/guides/sockets.md',
  );
  for (const namespace of [io, io.of('/chat')])
    namespace.on('connection', (socket) => {
      socket.on('whoami', (answer) => answer(socket.data.auth.subject));
      socket.on('write', (answer) => {
        try {
          authorize(socket.data.auth, { scope: 'chat:write' });
          answer('written');
        } catch (error) {
          answer(isAuthError(error) ? error.code : 'fault');
        }
      });
    });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await io.close();
  await authenticator.close();
  await issuer.close();
});

/** Connects; resolves to the client, or to the data of its `connect_error`. */
function connect(transport: string, auth: object, namespace = ''): Promise<unknown> {
  const client = connectTo(url + namespace, {
    auth,
    transports: [transport],
    forceNew: true,
    reconnection: false,
  });
  clients.push(client);
  return new Promise((resolve) => {
    client.on('connect', () => resolve(client));
    client.on('connect_error', (error) => resolve('data' in error ? error.data : error));
  });
}

const ask = (client: unknown, event: string) => (client as Socket).timeout(5_000).emitWithAck(event);

describe.each(['polling', 'websocket'])('T-093: the recipe for Socket.IO, by %s', (transport) => {
  it.each(['', '/chat'])('refuses no token and bad tokens: namespace "%s"', async (namespace) => {
    const foreign = await issuer.mint({ aud: 'other' });
    const codes: unknown[] = [];
    for (const auth of [{}, { token: 7 }, { token: 'x' }, { token: foreign }])
      codes.push(await connect(transport, auth, namespace));
    const malformed = { code: 'token_malformed', status: 401, message: 'The token is malformed' };
    const message = 'The token is for another audience';
    const mismatch = { code: 'token_audience_mismatch', status: 401, message };
    expect(codes).toEqual([malformed, malformed, malformed, mismatch]);
  });

  it.each(['', '/chat'])('gives handlers the principal: namespace "%s"', async (namespace) => {
    const token = await issuer.mint({ sub: 'alice', scope: 'chat:write' });
    const client = await connect(transport, { token }, namespace);
    expect(await ask(client, 'whoami')).toBe('alice');
    expect(await ask(client, 'write')).toBe('written');
    const bob = await connect(transport, { token: await issuer.mint({ sub: 'bob' }) }, namespace);
    expect(await ask(bob, 'write')).toBe('scope_insufficient');
  });

  it('ends the connection when its token expires', async () => {
    const token = await issuer.mint({ exp: Math.floor(Date.now() / 1000) + 2 });
    const client = (await connect(transport, { token })) as Socket;
    expect(await new Promise((resolve) => client.on('disconnect', resolve))).toBe('io server disconnect');
  });

  it('answers an outage of the issuer with its code', async () => {
    const token = await issuer.mint();
    issuer.fail({ kind: 'status', status: 500 });
    expect(await connect(transport, { token })).toMatchObject({ code: 'keyset_unavailable', status: 503 });
  });
});
