import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { hasRedis, type RedisServer, startRedis } from '@latchkey/test-kit/redis';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createReplayStore } from '../src/index.ts';
import { createClosing, eventually, nextWarning, startRelay } from './helpers.ts';

const closing = createClosing();
afterEach(() => closing.all());

const until = () => Date.now() + 60_000;

describe.skipIf(!hasRedis)('a store of used proofs in Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.close());

  const open = () => closing(createReplayStore(createClient({ url: server.url })));
  /** A client that looks at what is in the server. */
  async function look() {
    const client = closing(createClient({ url: server.url }));
    await client.connect();
    return client;
  }

  it('accepts each proof once, also of many stores at the same time', async () => {
    const stores = [open(), open(), open()];
    for (const store of stores) await store.ready();
    const uses = Array.from({ length: 300 }, (_, index) =>
      stores[index % 3]?.use(`same-${index % 10}`, until()),
    );
    const answers = await Promise.all(uses);
    expect(answers.filter((isNew) => isNew === true)).toHaveLength(10);
    expect(answers.filter((isNew) => isNew === false)).toHaveLength(290);
  });

  it('T-072 two processes never both accept a proof', async () => {
    const start = () =>
      fork(fileURLToPath(import.meta.resolve('./user-process.ts')), [server.url], {
        execArgv: ['--conditions=source'],
      });
    const processes = [start(), start()];
    await Promise.all(processes.map((child) => once(child, 'message')));
    const ids = Array.from({ length: 2_000 }, (_, index) => `raced-${index}`);
    const answered = processes.map((child) => once(child, 'message'));
    for (const child of processes) child.send(ids);
    const [[first], [second]] = (await Promise.all(answered)) as [[boolean[]], [boolean[]]];
    expect(ids.filter((_, index) => first[index] === second[index])).toEqual([]);
    const ended = processes.map((child) => once(child, 'exit'));
    for (const child of processes) child.disconnect();
    await Promise.all(ended);
  });

  it('remembers a proof for a span, and a minute longer, under its prefix', async () => {
    const client = await look();
    const store = open();
    await store.ready();
    // The clock of the service may be far from that of Redis: only the span counts.
    await store.use('spanned', until());
    const left = await client.pTTL('latchkey:proof:spanned');
    expect(left).toBeGreaterThan(100_000);
    expect(left).toBeLessThanOrEqual(120_000);
    // A proof that has just ended in this process may not have in another one.
    expect(await store.use('ended', Date.now() - 5_000)).toBe(true);
    expect(await client.pTTL('latchkey:proof:ended')).toBeGreaterThan(40_000);
    expect(await store.use('ended', Date.now() - 5_000)).toBe(false);
    const own = closing(
      createReplayStore(createClient({ url: server.url, keyPrefix: 'a:' }), { prefix: 'b:' }),
    );
    await own.ready();
    expect(await own.use('named', until())).toBe(true);
    expect(await client.exists('a:b:named')).toBe(1);
  });

  it('reads the answers also where the client gives other types', async () => {
    const store = closing(
      createReplayStore(
        createClient({
          url: server.url,
          RESP: 2,
          commandOptions: { typeMapping: { 36: Buffer, 43: Buffer } },
        }),
      ),
    );
    await store.ready();
    expect(await store.use('typed', until())).toBe(true);
    expect(await store.use('typed', until())).toBe(false);
  });

  it('has a connection of its own, so that the client may be closed or used for other things', async () => {
    const client = createClient({ url: server.url });
    await client.connect();
    const store = closing(createReplayStore(client));
    await store.ready();
    client.destroy();
    expect(await store.use('own', until())).toBe(true);
    await store.close();
    await expect(store.use('late', until())).rejects.toThrow('used proofs: it is closed');
    await expect(store.ready()).rejects.toThrow('it is closed');
  });

  it('rejects what Redis refuses', async () => {
    const client = await look();
    await client.sendCommand(['ACL', 'SETUSER', 'reader', 'on', '>secret', '~*', '+@all', '-set']);
    const store = closing(
      createReplayStore(createClient({ url: server.url, username: 'reader', password: 'secret' })),
    );
    await store.ready();
    await expect(store.use('refused', until())).rejects.toThrow('NOPERM');
    // It is connected all the same, and the next one is asked for.
    await client.sendCommand(['ACL', 'SETUSER', 'reader', '+set']);
    expect(await store.use('refused', until())).toBe(true);
  });

  it('rejects when the memory is full and nothing may be forgotten', async () => {
    const store = open();
    await store.ready();
    const client = await look();
    await client.configSet({ maxmemory: '1', 'maxmemory-policy': 'noeviction' });
    await expect(store.use('no room', until())).rejects.toThrow('OOM');
    await client.configSet('maxmemory', '0');
    expect(await store.use('no room', until())).toBe(true);
  });

  it('warns if Redis may forget proofs when its memory is full', async () => {
    const client = await look();
    await client.configSet({ maxmemory: '100mb', 'maxmemory-policy': 'volatile-lru' });
    const warned = nextWarning('LATCHKEY_UNSAFE');
    await open().ready();
    expect(await warned).toBe(
      'Redis forgets used proofs when its memory is full (maxmemory-policy volatile-lru), and they can be used again; set noeviction',
    );
    await client.configSet({ maxmemory: '0', 'maxmemory-policy': 'noeviction' });
  });
});

describe.skipIf(!hasRedis)('an outage', () => {
  it('rejects at once without a server, also from the start, and works when it is back', async () => {
    const server = closing(await startRedis({ config: ['appendonly yes', 'appendfsync always'] }));
    const store = closing(createReplayStore(createClient({ url: server.url })));
    await store.ready();
    expect(await store.use('before', until())).toBe(true);
    const lost = nextWarning('LATCHKEY_UNAVAILABLE');
    await server.kill();
    expect(await lost).toMatch(/^used proofs: no connection to Redis \(E[A-Z]+\); it is tried again$/);
    await expect(store.use('during', until())).rejects.toThrow('used proofs: Redis does not answer');
    const second = closing(createReplayStore(createClient({ url: server.url })));
    await expect(second.ready()).rejects.toThrow();
    await expect(second.use('during', until())).rejects.toThrow('used proofs: Redis does not answer');
    const back = nextWarning('LATCHKEY_RECOVERED');
    await server.start();
    expect(await eventually(() => store.use('before', until()))).toBe(false);
    expect(await eventually(() => second.use('during', until()))).toBe(true);
    expect(await back).toBe('used proofs: Redis answers again');
  });

  it('rejects what waits for its answer when the server is killed', async () => {
    const server = closing(await startRedis());
    const store = closing(createReplayStore(createClient({ url: server.url })));
    await store.ready();
    server.freeze();
    const waiting = Promise.allSettled([store.use('one', until()), store.use('two', until())]);
    await server.kill();
    expect(await waiting).toMatchObject([{ status: 'rejected' }, { status: 'rejected' }]);
  });

  it('sends nothing to a server that has been silent for a second, and again when it answers', async () => {
    const server = closing(await startRedis());
    const store = closing(createReplayStore(createClient({ url: server.url })));
    await store.ready();
    server.freeze();
    const waiting = store.use('frozen', until());
    const refused = async () => {
      const outcome = store.use('other', until()).catch((error: unknown) => error);
      const later = new Promise((resolve) => setImmediate(resolve, 'later'));
      if ((await Promise.race([outcome, later])) === 'later') throw new Error('it was sent');
      return outcome;
    };
    expect(await eventually(refused)).toEqual(new Error('used proofs: Redis does not answer'));
    server.thaw();
    // What was sent to it is carried out late, so that the proof is a used one.
    await waiting.catch(() => {});
    expect(await eventually(() => store.use('frozen', until()))).toBe(false);
  });

  it('replaces a connection over which nothing comes any more', async () => {
    const server = closing(await startRedis());
    const relay = closing(await startRelay(server.port));
    const store = closing(createReplayStore(createClient({ url: `redis://127.0.0.1:${relay.port}` })));
    await store.ready();
    relay.silence();
    const another = relay.connected();
    const lost = store.use('lost', until());
    lost.catch(() => {});
    await another;
    await expect(lost).rejects.toThrow();
    expect(await eventually(() => store.use('found', until()))).toBe(true);
  });

  it('looks for the new master when the server has become a replica', async () => {
    const master = closing(await startRedis());
    const server = closing(await startRedis());
    const client = closing(createClient({ url: server.url }));
    await client.connect();
    const store = closing(createReplayStore(createClient({ url: server.url })));
    await store.ready();
    await client.replicaOf('127.0.0.1', master.port);
    await expect(store.use('read only', until())).rejects.toThrow('READONLY');
    await client.sendCommand(['REPLICAOF', 'NO', 'ONE']);
    expect(await eventually(() => store.use('read only', until()))).toBe(true);
  });
});
