// docs/recipes/connect.md: real servers over HTTP/1.1 and HTTP/2, and clients of the protocols
// Connect, gRPC and gRPC-Web.
import { createServer as createHttp1 } from 'node:http';
import { createServer as createHttp2, connect as openHttp2 } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import {
  connectNodeAdapter,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import type { Authenticator } from '@latchkey/core';
import { describe, expect, it } from 'vitest';
import { authenticateCalls, contextValues, principalOf } from '../src/connect.ts';
import { type Order, OrderSchema, Orders } from '../src/gen/orders_pb.ts';
import { atEnd, authenticator, badTokens, FAULTS, issuer, listen } from './support.ts';

/** The messages that reached a handler. */
const received: Order[] = [];

function handlerFor(by: Pick<Authenticator, 'authenticate'>, hasValues = true) {
  received.length = 0;
  const answer = (order: Order, context: Parameters<typeof principalOf>[0]) => {
    received.push(order);
    return create(OrderSchema, { id: principalOf(context).subject ?? '', note: order.note });
  };
  const access = new Map([[Orders.method.remove, { claims: { scope: 'orders:remove' } }]]);
  return connectNodeAdapter({
    routes: (router) => {
      router.service(Orders, {
        get: answer,
        remove: answer,
        async *watch(order, context) {
          yield answer(order, context);
          yield answer(order, context);
        },
      });
    },
    interceptors: [authenticateCalls(by, access)],
    ...(hasValues ? { contextValues } : {}),
  });
}

async function startHttp2(handler: ReturnType<typeof handlerFor>): Promise<string> {
  const server = createHttp2(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const PROTOCOLS = {
  'Connect over HTTP/1.1': {
    start: (handler: ReturnType<typeof handlerFor>) => listen(createHttp1(handler)),
    transport: (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: '1.1' }),
  },
  'gRPC-Web over HTTP/1.1': {
    start: (handler: ReturnType<typeof handlerFor>) => listen(createHttp1(handler)),
    transport: (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1' }),
  },
  'gRPC over HTTP/2': {
    start: startHttp2,
    transport: (baseUrl: string) => createGrpcTransport({ baseUrl, nodeOptions: {} }),
  },
} as const;

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const refused = (call: Promise<unknown>) =>
  call.then(
    () => 'passed',
    (error: unknown) => ConnectError.from(error),
  );
async function all(stream: AsyncIterable<Order>): Promise<readonly Order[]> {
  const found: Order[] = [];
  for await (const order of stream) found.push(order);
  return found;
}

describe.each(Object.entries(PROTOCOLS))('docs/recipes/connect.md, %s', (_, { start, transport }) => {
  async function clientOf(handler = handlerFor(authenticator)) {
    return createClient(Orders, transport(await start(handler)));
  }

  it('a missing or bad token is unauthenticated, with the challenge, also for a stream', async () => {
    const client = await clientOf();
    const missing = await refused(client.get({ id: '1' }));
    expect(missing).toMatchObject({ code: Code.Unauthenticated, rawMessage: 'credentials_missing' });
    expect((missing as ConnectError).metadata.get('www-authenticate')).toBe('Bearer');
    for (const [token, code] of await badTokens())
      for (const call of [() => client.get({}, bearer(token)), () => all(client.watch({}, bearer(token)))])
        expect(await refused(call())).toMatchObject({ code: Code.Unauthenticated, rawMessage: code });
    expect(received).toEqual([]);
  });

  it('a method has rules', async () => {
    const client = await clientOf();
    const denied = await refused(client.remove({ id: '1' }, bearer(await issuer.mint())));
    expect(denied).toMatchObject({ code: Code.PermissionDenied, rawMessage: 'scope_insufficient' });
    expect((denied as ConnectError).metadata.get('www-authenticate')).toContain('scope="orders:remove"');
    expect(received).toEqual([]);
    const token = await issuer.mint({ sub: 'alice', scope: 'orders:remove' });
    expect(await client.remove({ id: '1' }, bearer(token))).toMatchObject({ id: 'alice' });
  });

  it('the handler gets the principal, and the message as it was sent', async () => {
    const client = await clientOf();
    const call = bearer(await issuer.mint({ sub: 'alice' }));
    expect(await client.get({ id: '1', note: 'as sent' }, call)).toMatchObject({ id: 'alice' });
    expect(received).toMatchObject([{ id: '1', note: 'as sent' }]);
    expect(await all(client.watch({ note: 'n' }, call))).toMatchObject([
      { id: 'alice', note: 'n' },
      { id: 'alice', note: 'n' },
    ]);
  });

  it('an issuer that cannot be reached is unavailable', async () => {
    const client = await clientOf();
    const token = await issuer.mint();
    issuer.fail({ kind: 'status', status: 500 });
    expect(await refused(client.get({}, bearer(token)))).toMatchObject({ code: Code.Unavailable });
  });

  it('a fault lets no call pass, and its text stays here', async () => {
    const call = bearer(await issuer.mint());
    const handlers = [...Object.values(FAULTS).map((by) => handlerFor(by)), handlerFor(authenticator, false)];
    for (const handler of handlers) {
      const client = await clientOf(handler);
      for (const failed of [await refused(client.get({}, call)), await refused(all(client.watch({}, call)))])
        expect(failed).toMatchObject({ code: Code.Internal, rawMessage: 'internal error' });
    }
    expect(received).toEqual([]);
  });
});

it('docs/recipes/connect.md: Connect answers like HTTP', async () => {
  const url = await listen(createHttp1(handlerFor(authenticator)));
  const ask = (headers: HeadersInit) =>
    fetch(`${url}/shop.Orders/Get`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...Object(headers) },
      body: '{}',
    });
  const missing = await ask({});
  expect([missing.status, missing.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
  const { status } = await ask({ authorization: `Bearer ${await issuer.mint()}` });
  expect(status).toBe(200);
});

it('docs/recipes/connect.md: a header that is sent twice is refused, over HTTP/2 too', async () => {
  const url = await startHttp2(handlerFor(authenticator));
  const session = openHttp2(url, { strictSingleValueFields: false } as object);
  atEnd(() => session.close());
  const token = await issuer.mint();
  const head = [
    [':method', 'POST'],
    [':path', '/shop.Orders/Get'],
    ['content-type', 'application/json'],
    ['authorization', `Bearer ${token}`],
    ['authorization', 'Bearer x'],
  ];
  const stream = session.request(head.flat() as never);
  stream.end('{}');
  const [headers] = await new Promise<[Record<string, unknown>]>((resolve) =>
    stream.on('response', (given) => resolve([given])),
  );
  stream.resume();
  expect(headers[':status']).toBe(401);
});
