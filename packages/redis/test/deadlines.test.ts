import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { hasRedis, startRedis } from '@latchkey/test-kit/redis';
import { createClient } from 'redis';
import { afterEach, expect, it, vi } from 'vitest';
import { createReplayStore, createRevocationFeed } from '../src/index.ts';
import { createClosing } from './helpers.ts';

const closing = createClosing();
afterEach(async () => {
  vi.useRealTimers();
  await closing.all();
});

it('a server that accepts connections and says nothing is tried again after five seconds', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket.on('error', () => {})));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing({
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  });
  const { port } = server.address() as AddressInfo;
  const connected = once(server, 'connection');
  const store = closing(createReplayStore(createClient({ url: `redis://127.0.0.1:${port}` })));
  const ready = store.ready().catch(String);
  await connected;
  await vi.advanceTimersByTimeAsync(4_999);
  expect(sockets).toHaveLength(1);
  const again = once(server, 'connection');
  await vi.advanceTimersByTimeAsync(1);
  expect(await ready).toBe('Error: no whole answer within 5000 ms');
  await again;
  await expect(store.use('one', Date.now())).rejects.toThrow('used proofs: Redis does not answer');
});

it.skipIf(!hasRedis)('more commands than may wait are not sent', async () => {
  const server = closing(await startRedis());
  const store = closing(createReplayStore(createClient({ url: server.url })));
  await store.ready();
  server.freeze();
  const waiting = Promise.allSettled(
    Array.from({ length: 10_000 }, (_, index) => store.use(`${index}`, Date.now())),
  );
  await expect(store.use('one more', Date.now())).rejects.toThrow('used proofs: Redis does not answer');
  await server.kill();
  expect((await waiting).filter(({ status }) => status === 'fulfilled')).toEqual([]);
});

it.skipIf(!hasRedis)('a revocation that Redis does not confirm within five seconds is refused', async () => {
  const server = closing(await startRedis());
  const feed = closing(createRevocationFeed(createClient({ url: server.url })));
  const one = { issuer: 'https://login.example.com', jti: 'one', until: Date.now() + 60_000 };
  await feed.publish(one);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  server.freeze();
  const published = feed.publish({ ...one, jti: 'two' }).catch(String);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await published).toBe('Error: no whole answer within 5000 ms');
});
