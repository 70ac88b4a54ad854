import type { StoredRevocation } from '@latchkey/core';
import { hasRedis, type RedisServer, startRedis } from '@latchkey/test-kit/redis';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRevocationFeed } from '../src/index.ts';
import { createClosing, startRelay } from './helpers.ts';
import { createRecorder } from './recorder.ts';

const closing = createClosing();
afterEach(() => closing.all());

const KEY = 'latchkey:revocations';
const revoked = (jti: string, until = Date.now() + 3_600_000): StoredRevocation => ({
  issuer: 'https://login.example.com',
  jti,
  until,
});

describe.skipIf(!hasRedis)('a list of revocations in Redis', () => {
  let server: RedisServer;
  let client: ReturnType<typeof createClient>;
  beforeAll(async () => {
    server = await startRedis({ config: ['appendonly yes', 'appendfsync always'] });
    client = createClient({ url: server.url });
    client.on('error', () => {});
    await client.connect();
  });
  afterAll(async () => {
    client.destroy();
    await server.close();
  });
  beforeEach(async () => void (await client.flushAll()));

  const open = (url = server.url) => closing(createRevocationFeed(createClient({ url })));
  /** Follows the list with a feed of its own. */
  function follow({ url = server.url, maxStaleMs = 4_000 } = {}) {
    const recorder = createRecorder(maxStaleMs);
    closing(open(url).follow(recorder.sink));
    return recorder;
  }

  it('delivers what is there, then says that it is current, and delivers what comes', async () => {
    const feed = open();
    const [first, second] = [revoked('first'), { ...revoked('b'), issuedBefore: 1_800_000_000_000 }];
    await feed.publish(first);
    const recorder = follow();
    await recorder.until(() => recorder.currentAt() > 0);
    expect(recorder.entries()).toEqual([first]);
    const publishedAt = recorder.sink.now();
    await feed.publish(second);
    await recorder.until(() => recorder.currentAt() >= publishedAt);
    expect(recorder.entries()).toEqual([first, second]);
    expect(recorder.failures).toEqual([]);
  });

  it('says that it is current again and again, also of a list that does not exist', async () => {
    const recorder = follow({ maxStaleMs: 1_000 });
    await recorder.until(() => recorder.calls.length >= 4);
    expect(recorder.calls.map(([name]) => name)).toEqual(['current', 'current', 'current', 'current']);
    const [first = 0, , , last = 0] = recorder.calls.map(([, at]) => Number(at));
    // Redis waits a quarter of maxStale before it says that there is nothing.
    expect(last - first).toBeGreaterThan(300);
    expect(await client.exists(KEY)).toBe(0);
  });

  it('reads a long list in pages, and is not current before its end', async () => {
    const all = Array.from({ length: 2_500 }, (_, index) => revoked(`many-${index}`));
    await Promise.all(all.map((one) => client.xAdd(KEY, '*', { revocation: JSON.stringify(one) })));
    const recorder = follow();
    await recorder.until(() => recorder.currentAt() > 0);
    expect(recorder.calls.map(([name]) => name).slice(0, 4)).toEqual(['add', 'add', 'add', 'current']);
    expect(recorder.entries()).toEqual(all);
  });

  it('keeps what it knows when Redis loses the list, and delivers new entries with smaller ids', async () => {
    const recorder = follow({ maxStaleMs: 1_000 });
    await open().publish(revoked('lost'));
    await recorder.until(() => recorder.entries().length === 1);
    await client.flushAll();
    await client.xAdd(KEY, '5-1', { revocation: JSON.stringify(revoked('new')) });
    await recorder.until(() => recorder.entries().length === 2);
    expect(recorder.calls.some(([name]) => name === 'replace')).toBe(false);
    const publishedAt = recorder.sink.now();
    await client.xAdd(KEY, '5-2', { revocation: JSON.stringify(revoked('newer')) });
    await recorder.until(() => recorder.currentAt() >= publishedAt);
    expect(recorder.entries().map(({ jti }) => jti)).toEqual(['lost', 'new', 'newer']);
  });

  it('is not current while Redis is down, and goes on when it is back', async () => {
    const recorder = follow({ maxStaleMs: 1_000 });
    await recorder.until(() => recorder.currentAt() > 0);
    await open().publish(revoked('before'));
    await server.kill();
    await recorder.until(() => recorder.failures.length > 0);
    const downAt = recorder.sink.now();
    await expect(open().publish(revoked('during'))).rejects.toThrow();
    expect(recorder.currentAt()).toBeLessThan(downAt);
    await server.start();
    await open().publish(revoked('after'));
    await recorder.until(() => recorder.currentAt() > downAt && recorder.entries().length > 1);
    expect(recorder.entries().map(({ jti }) => jti)).toEqual(['before', 'after']);
  });

  it('notices a connection over which nothing comes, and what a new master has under old ids', async () => {
    const relay = closing(await startRelay(server.port));
    const recorder = follow({ url: `redis://127.0.0.1:${relay.port}`, maxStaleMs: 1_000 });
    await open().publish(revoked('seen'));
    await recorder.until(() => recorder.entries().length === 1);
    const [seen] = (await client.xRange(KEY, '-', '+')) ?? [];
    relay.silence();
    // As after a failover: the new master never got that entry, and its clock is behind.
    const ms = Number(seen?.id.split('-')[0]);
    await client.del(KEY);
    await client.xAdd(KEY, `${ms - 1_000}-0`, { revocation: JSON.stringify(revoked('behind')) });
    await client.xAdd(KEY, `${ms + 1_000}-0`, { revocation: JSON.stringify(revoked('ahead')) });
    await recorder.until(() => recorder.entries().length === 3);
    expect(recorder.entries().map(({ jti }) => jti)).toEqual(['seen', 'behind', 'ahead']);
  });

  it.each([
    ['no JSON', { revocation: 'no {canary}' }, 'has no JSON in the field revocation; remove it by XDEL'],
    [
      'no revocation',
      { revocation: '{"issuer":"canary"}' },
      'is wrong: is required in a list of revocations; remove it by XDEL',
    ],
  ])('is not current while an entry has %s, and delivers the others', async (_, fields, problem) => {
    const feed = open();
    await feed.publish(revoked('before'));
    const id = await client.xAdd(KEY, '*', fields);
    await feed.publish(revoked('after'));
    const recorder = follow();
    await recorder.until(() => recorder.failures.length > 0);
    expect(recorder.failures[0]?.message).toBe(`its entry ${id} ${problem}`);
    expect(recorder.entries().map(({ jti }) => jti)).toEqual(['before', 'after']);
    expect(recorder.currentAt()).toBe(0);
    await client.xDel(KEY, id);
    await recorder.until(() => recorder.currentAt() > 0);
  });

  it('removes entries that have ended, and no other', async () => {
    const feed = open();
    const longAgo = Date.now() - 2 * 3_600_000;
    await feed.publish(revoked('in force'));
    for (const jti of ['ended', 'ended too']) await feed.publish(revoked(jti, longAgo));
    await feed.publish(revoked('just ended', Date.now() - 60_000));
    const names = async () =>
      ((await client.xRange(KEY, '-', '+')) ?? []).map(
        ({ message }) => JSON.parse(message.revocation ?? '').jti,
      );
    // Each call removes what has ended by then, and the calls are in order on one connection.
    for (let at = 0; at < 3; at++) await feed.publish(revoked(`later ${at}`));
    expect((await names()).slice(0, 2)).toEqual(['in force', 'just ended']);
  });

  it('rejects when it is closed, and what Redis refuses', async () => {
    const feed = open();
    await client.set(KEY, 'not a stream');
    await expect(feed.publish(revoked('one'))).rejects.toThrow('WRONGTYPE');
    await feed.close();
    await expect(feed.publish(revoked('two'))).rejects.toThrow('revocations: it is closed');
    const recorder = follow();
    await recorder.until(() => recorder.failures.length > 0);
    expect(recorder.failures[0]?.message).toContain('WRONGTYPE');
  });

  it('calls nothing after it was closed', async () => {
    const recorder = createRecorder(1_000);
    const followed = open().follow(recorder.sink);
    await recorder.until(() => recorder.currentAt() > 0);
    await followed.close();
    const { length } = recorder.calls;
    await client.xAdd(KEY, '*', { revocation: JSON.stringify(revoked('late')) });
    const another = follow();
    await another.until(() => another.entries().length === 1);
    expect(recorder.calls).toHaveLength(length);
  });

  it('warns if Redis may forget the list', async () => {
    const forgetful = closing(
      await startRedis({ config: ['maxmemory 100mb', 'maxmemory-policy allkeys-lru'] }),
    );
    const messages: string[] = [];
    const both = Promise.withResolvers<void>();
    const hear = (warning: Error & { readonly code?: string }) => {
      if (warning.code === 'LATCHKEY_UNSAFE' && messages.push(warning.message) === 2) both.resolve();
    };
    process.on('warning', hear);
    follow({ url: forgetful.url });
    await both.promise;
    process.off('warning', hear);
    expect(messages.sort()).toEqual([
      'Redis forgets revocations when it restarts (appendonly no), and processes that start afterwards accept the tokens again; set appendonly yes',
      'Redis forgets revocations when its memory is full (maxmemory-policy allkeys-lru), and processes that start afterwards accept the tokens again; set noeviction',
    ]);
  });
});
