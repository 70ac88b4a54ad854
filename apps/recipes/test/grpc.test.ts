// docs/recipes/grpc.md, with the server and client of @grpc/grpc-js.
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { type Authenticator, createAuthenticator } from '@latchkey/core';
import { describe, expect, it } from 'vitest';
import { authenticateCalls, principalOf } from '../src/grpc.ts';
import { atEnd, authenticator, badTokens, clock, FAULTS, issuer } from './support.ts';

interface Order {
  readonly id?: string;
  readonly note?: string;
}
type Call = { readonly metadata: grpc.Metadata; readonly request: Order };

const file = fileURLToPath(new URL('../src/orders.proto', import.meta.url));
const { Orders } = grpc.loadPackageDefinition(loadSync(file)).shop as grpc.GrpcObject;
const Client = Orders as grpc.ServiceClientConstructor;

/** The messages that reached a handler. */
const received: Order[] = [];

function answerTo(call: Call): Order {
  received.push(call.request);
  return { id: principalOf(call).subject ?? '', note: call.request.note ?? '' };
}

async function start(
  by: Pick<Authenticator, 'authenticate'> = authenticator,
  interceptors = [
    authenticateCalls(by, new Map([['/shop.Orders/Remove', { claims: { scope: 'orders:remove' } }]])),
  ],
): Promise<grpc.Client> {
  received.length = 0;
  const server = new grpc.Server({ interceptors });
  const unary = (call: Call, reply: grpc.sendUnaryData<Order>) => {
    try {
      reply(null, answerTo(call));
    } catch {
      reply({ code: grpc.status.INTERNAL, details: 'internal' });
    }
  };
  const Watch = (call: grpc.ServerWritableStream<Order, Order>) => {
    // The stream stays open.
    call.write(answerTo(call));
  };
  server.addService(Client.service, { Get: unary, Remove: unary, Watch });
  const credentials = grpc.ServerCredentials.createInsecure();
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  const client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  atEnd(() => {
    client.close();
    server.forceShutdown();
  });
  return client;
}

type Refusal = Pick<grpc.ServiceError, 'code' | 'details' | 'metadata'>;

function call(client: grpc.Client, method: 'Get' | 'Remove', order: Order, tokens: readonly string[]) {
  const metadata = new grpc.Metadata();
  for (const token of tokens) metadata.add('authorization', `Bearer ${token}`);
  return new Promise<Order | Refusal>((resolve) => {
    Reflect.get(client, method).call(client, order, metadata, (error: Refusal | null, answer: Order) =>
      resolve(error ?? answer),
    );
  });
}

function watch(client: grpc.Client, token?: string) {
  const metadata = new grpc.Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  const stream: grpc.ClientReadableStream<Order> = Reflect.get(client, 'Watch').call(client, {}, metadata);
  const ended = new Promise<Refusal>((resolve) => stream.on('error', (error) => resolve(error as never)));
  return { stream, ended };
}

describe('docs/recipes/grpc.md', () => {
  it('a missing or bad token is UNAUTHENTICATED, with the challenge, also for a stream', async () => {
    const client = await start();
    const code = grpc.status.UNAUTHENTICATED;
    const missing = await call(client, 'Get', {}, []);
    expect(missing).toMatchObject({ code, details: 'credentials_missing' });
    expect((missing as Refusal).metadata.get('www-authenticate')).toEqual(['Bearer']);
    expect(await watch(client).ended).toMatchObject({ code, details: 'credentials_missing' });
    for (const [token, details] of await badTokens())
      for (const ask of [() => call(client, 'Get', {}, [token]), () => watch(client, token).ended])
        expect(await ask()).toMatchObject({ code, details });
    expect(received).toEqual([]);
  });

  it('a method has rules', async () => {
    const client = await start();
    const denied = await call(client, 'Remove', {}, [await issuer.mint()]);
    expect(denied).toMatchObject({ code: grpc.status.PERMISSION_DENIED, details: 'scope_insufficient' });
    expect(String((denied as Refusal).metadata.get('www-authenticate'))).toContain('orders:remove');
    expect(received).toEqual([]);
    const token = await issuer.mint({ sub: 'alice', scope: 'orders:remove' });
    expect(await call(client, 'Remove', {}, [token])).toMatchObject({ id: 'alice' });
  });

  it('the handler gets the principal, and the message as it was sent', async () => {
    const order = { id: '1', note: 'as sent' };
    const token = await issuer.mint({ sub: 'alice' });
    expect(await call(await start(), 'Get', order, [token])).toEqual({ id: 'alice', note: 'as sent' });
    expect(received).toEqual([order]);
  });

  it('an issuer that cannot be reached is UNAVAILABLE', async () => {
    const client = await start();
    const token = await issuer.mint();
    issuer.fail({ kind: 'status', status: 500 });
    expect(await call(client, 'Get', {}, [token])).toMatchObject({ code: grpc.status.UNAVAILABLE });
  });

  it('a stream ends when its token expires', async () => {
    const client = await start();
    const exp = Math.floor(clock.now() / 1000) + 300;
    const token = await issuer.mint({ sub: 'alice', exp });
    clock.set(exp * 1000 - 20);
    const { stream, ended } = watch(client, token);
    expect(await new Promise((resolve) => stream.once('data', resolve))).toMatchObject({ id: 'alice' });
    clock.set(exp * 1000);
    expect(await ended).toMatchObject({ code: grpc.status.UNAUTHENTICATED, details: 'token_expired' });
  });

  it('requireSecureTransport refuses every call', async () => {
    const secure = createAuthenticator({ ...issuer.options, requireSecureTransport: true });
    atEnd(() => secure.close());
    expect(await call(await start(secure), 'Get', {}, [await issuer.mint()])).toMatchObject({
      code: grpc.status.PERMISSION_DENIED,
      details: 'transport_insecure',
    });
  });

  it('a fault lets no call pass, and its text stays here', async () => {
    const token = await issuer.mint();
    for (const by of Object.values(FAULTS)) {
      const client = await start(by);
      const internal = { code: grpc.status.INTERNAL, details: 'internal' };
      expect(await call(client, 'Get', {}, [token])).toMatchObject(internal);
      expect(await watch(client, token).ended).toMatchObject(internal);
      expect(received).toEqual([]);
    }
    // Without the interceptor, there is no principal.
    expect(await call(await start(authenticator, []), 'Get', {}, [token])).toMatchObject({
      code: grpc.status.INTERNAL,
    });
  });
});
