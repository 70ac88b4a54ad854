// Upgrades whose check fails, and clients that leave meanwhile: no client can end the process.
import { errorMonitor, once } from 'node:events';
import { Duplex } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { createPrincipal, type Principal } from '../../src/decision/principal.ts';
import { authenticateUpgrade } from '../../src/decision/upgrade.ts';
import { AuthError } from '../../src/errors.ts';
import { startIssuer } from '../support/authenticators.ts';
import { answerTo, bearer, CONTEXT, create, fatal, good, send, serve, thrower } from './upgrades.ts';

describe('T-093: errors that are not refusals', () => {
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
    ['throws', thrower],
  ] as const;

  it.each(WAYS.flatMap(([how, act]) => THROWN.map(([what, thrown]) => [how, what, act, thrown] as const)))(
    'T-093: an authenticator that %s %s: 500, and the caller gets the error',
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

  it('T-093: invalid overrides are a 500', async () => {
    const { port, next } = await serve(create(), { overrides: { mode: 'none' } as never });
    const decided = next();
    expect((await answerTo(port, [bearer(good)])).status).toBe(500);
    expect((await decided).result).toMatchObject({ status: 'rejected', reason: { path: 'access.mode' } });
  });
});

async function trustingOneThatHangs() {
  const hanging = await startIssuer();
  hanging.fail({ kind: 'hang' });
  const { issuer, jwksUrl } = hanging;
  return { hanging, authenticator: create({ keySets: [{ issuer, jwksUrl, allowHttp: true }] }) };
}

describe('T-093: a client that leaves while its token is checked', () => {
  it.each<[what: string, decide: () => Promise<Principal>, result: object]>([
    [
      'and it would have been accepted',
      async () => createPrincipal({ sub: 'alice' }, CONTEXT),
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
  ])('T-093: resets the connection, %s: no error is unhandled', async (_, decide, result) => {
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
    // A monitor is not a listener: without a listener, the error would be thrown.
    socket.on(errorMonitor, (error) => errors.push(error));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    client.resetAndDestroy();
    await closed;
    expect(errors.map(({ code }) => code)).toEqual(['ECONNRESET']);
    open();
    expect((await decided).result).toMatchObject(result);
    expect(connections).toBe(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(fatal).toEqual([]);
  });

  it.each([
    ['a refusal', new AuthError('token_expired')],
    ['a fault', new TypeError('x')],
  ])('T-093: resets the connection while %s is written: no error is unhandled', async (_, thrown) => {
    const written: string[] = [];
    // The peer reads nothing: the answer is still being written when the connection breaks.
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

  it('T-093: resets the connection while the issuer hangs: no error is unhandled', async () => {
    const { hanging, authenticator } = await trustingOneThatHangs();
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

  it('T-093: a client that waits while the issuer hangs gets a 503', async () => {
    const { hanging, authenticator } = await trustingOneThatHangs();
    const { port } = await serve(authenticator);
    const answer = answerTo(port, [bearer(await hanging.mint())]);
    await vi.waitFor(() => expect(hanging.requests.jwks).toBe(1));
    await authenticator.close();
    expect((await answer).status).toBe(503);
  });
});
