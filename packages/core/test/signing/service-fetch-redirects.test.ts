// Service tokens and redirects: a token does not leave the origin that it is for.
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { generate } from 'selfsigned';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen } from '../support/servers.ts';
import {
  type Arrived,
  at,
  create,
  createFor,
  FIRST,
  FRIENDS,
  mapped,
  put,
  recorder,
  redirecting,
  resolvingAll,
  serve,
  tokenOf,
  WITH_FIRST,
  WITHOUT_TOKEN,
} from './service-tokens.ts';

describe('redirects', () => {
  const STATUSES = [301, 302, 303, 307, 308];

  it.each(STATUSES)('OK-2: %i to another port drops the token', async (status) => {
    const { friends, calls } = await mapped(FIRST);
    const other = await serve();
    await calls.fetch(friends.url + redirecting(`${other.url}/there`, status), { method: 'POST', body: 'b' });
    expect(friends.arrived).toMatchObject([WITH_FIRST]);
    expect(other.arrived).toMatchObject([{ path: '/there', authorization: undefined }]);
  });

  it.each(STATUSES)('OK-2: %i to another name for the same server drops the token', async (status) => {
    await put('token', FIRST);
    const { port, ...server } = await serve();
    const calls = createFor(`friends.internal:${port}`, {}, true);
    const path = redirecting(`http://evil.internal:${port}/there`, status);
    await calls.fetch(`http://friends.internal:${port}${path}`, resolvingAll());
    expect(server.arrived).toMatchObject([
      { host: `friends.internal:${port}`, authorization: `Bearer ${FIRST}` },
      { host: `evil.internal:${port}`, path: '/there', authorization: undefined },
    ]);
  });

  it.each(STATUSES)('OK-2: %i on the same origin keeps the token', async (status) => {
    const { friends, calls } = await mapped(FIRST);
    await calls.fetch(friends.url + redirecting('/there', status));
    expect(friends.arrived).toMatchObject([WITH_FIRST, { path: '/there', authorization: `Bearer ${FIRST}` }]);
  });

  it.each(STATUSES)('OK-2: %i from elsewhere to a mapped host gets no token', async (status) => {
    const { friends, calls } = await mapped(FIRST);
    const other = await serve();
    await calls.fetch(other.url + redirecting(friends.url, status));
    expect(other.arrived).toMatchObject([WITHOUT_TOKEN]);
    expect(friends.arrived).toMatchObject([WITHOUT_TOKEN]);
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
    expect(other.arrived).toMatchObject([WITHOUT_TOKEN]);
  });

  it('OK-2: from https to http, on the same host and port, drops the token', async () => {
    await put('token', FIRST);
    const extensions = [
      { name: 'basicConstraints' as const, cA: true, critical: true },
      { name: 'subjectAltName' as const, altNames: [{ type: 2 as const, value: 'localhost' }] },
    ];
    const subject = [{ name: 'commonName', value: 'localhost' }];
    const { cert, private: key } = await generate(subject, {
      keyType: 'ec',
      algorithm: 'sha256',
      extensions,
    });
    const [secure, clear]: [Arrived[], Arrived[]] = [[], []];
    const overTls = createTlsServer({ cert, key }, recorder(secure));
    const overHttp = createServer(recorder(clear));
    onTestFinished(() => {
      for (const server of [overTls, overHttp]) server.closeAllConnections();
    });
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
    expect(secure).toMatchObject([WITH_FIRST]);
    expect(clear).toMatchObject([{ path: '/there', authorization: undefined }]);
    // A redirect on the same origin keeps it.
    await calls.fetch(origin + redirecting('/there', 307), trusting);
    expect(secure.at(-1)).toMatchObject({ path: '/there', authorization: `Bearer ${FIRST}` });
  });

  it("OK-2: the caller may ask for redirect: 'manual' and 'error'", async () => {
    const { friends, calls } = await mapped(FIRST);
    const path = redirecting('/there', 302);
    expect((await calls.fetch(friends.url + path, { redirect: 'manual' })).status).toBe(302);
    await expect(calls.fetch(friends.url + path, { redirect: 'error' })).rejects.toThrow(TypeError);
    expect(friends.arrived).toHaveLength(2);
  });
});
