import { spawnSync } from 'node:child_process';
import { createAuthority } from '@latchkey/test-kit/certificate';
import { hasRedis, startRedis } from '@latchkey/test-kit/redis';
import { createClient, createCluster, createSentinel } from 'redis';
import { afterEach, describe, expect, it } from 'vitest';
import { createReplayStore, createRevocationFeed, type RedisClient } from '../src/index.ts';
import { createClosing, eventually } from './helpers.ts';
import { createRecorder } from './recorder.ts';

const closing = createClosing();
afterEach(() => closing.all());

const until = () => Date.now() + 60_000;
const revoked = (jti: string) => ({ issuer: 'https://login.example.com', jti, until: until() });

/** Publishes so much that old entries are looked at, and waits for all of it. */
async function delivers(client: RedisClient): Promise<void> {
  const feed = closing(createRevocationFeed(client));
  const recorder = createRecorder(4_000);
  closing(feed.follow(recorder.sink));
  await feed.publish({ ...revoked('ended'), until: Date.now() - 24 * 3_600_000 });
  for (const jti of ['one', 'two', 'three']) await feed.publish(revoked(jti));
  await recorder.until(() => recorder.entries().some(({ jti }) => jti === 'three'));
  const another = createRecorder(4_000);
  closing(feed.follow(another.sink));
  await another.until(() => another.currentAt() > 0);
  expect(another.entries().map(({ jti }) => jti)).toEqual(['one', 'two', 'three']);
}

// Each starts several servers.
describe.skipIf(!hasRedis)('with a real Redis', { timeout: 90_000 }, () => {
  it('a cluster keeps proofs in all of its nodes, and those of a lost node are not accepted', async () => {
    const config = ['cluster-enabled yes', 'cluster-require-full-coverage no', 'cluster-node-timeout 60000'];
    const nodes = [await startRedis({ config }), await startRedis({ config }), await startRedis({ config })];
    for (const node of nodes) closing(node);
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
    const made = spawnSync('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes']);
    expect(made.status).toBe(0);
    // A node takes commands a moment after it has joined.
    const infoOf = (port: number) =>
      spawnSync('redis-cli', ['-p', `${port}`, 'CLUSTER', 'INFO'], { encoding: 'utf8' }).stdout;
    for (const { port } of nodes) while (!infoOf(port).includes('cluster_state:ok'));
    const cluster = createCluster({ rootNodes: nodes.map(({ url }) => ({ url })) });
    const store = closing(createReplayStore(cluster));
    await store.ready();
    const ids = Array.from({ length: 60 }, (_, index) => `id-${index}`);
    const use = () => Promise.all(ids.map((id) => store.use(id, until())));
    expect(new Set(await use())).toEqual(new Set([true]));
    expect(new Set(await use())).toEqual(new Set([false]));
    const sizes = nodes.map(({ port }) =>
      spawnSync('redis-cli', ['-p', `${port}`, 'DBSIZE'], { encoding: 'utf8' }),
    );
    for (const { stdout } of sizes) expect(Number(stdout)).toBeGreaterThan(0);
    await delivers(cluster);
    await nodes[0]?.kill();
    const outcomes = await Promise.allSettled(ids.map((id) => store.use(id, until())));
    expect(outcomes.filter((outcome) => outcome.status === 'rejected')).not.toEqual([]);
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled' && outcome.value)).toEqual([]);
  });

  it('sentinels lead to the new master after a failover, which knows what was replicated', async () => {
    const master = closing(await startRedis({ config: ['repl-diskless-sync-delay 0'] }));
    const replica = closing(await startRedis({ config: [`replicaof 127.0.0.1 ${master.port}`] }));
    const ask = (port: number, ...words: string[]) =>
      spawnSync('redis-cli', ['-p', `${port}`, ...words], { encoding: 'utf8' }).stdout.trim();
    // Sentinels look for replicas when they start, and then every ten seconds.
    expect(ask(master.port, 'WAIT', '1', '15000')).toBe('1');
    const sentinel = closing(
      await startRedis({
        program: 'redis-sentinel',
        config: [
          `sentinel monitor main 127.0.0.1 ${master.port} 1`,
          'sentinel down-after-milliseconds main 60000',
        ],
      }),
    );
    const client = createSentinel({
      name: 'main',
      sentinelRootNodes: [{ host: '127.0.0.1', port: sentinel.port }],
    });
    const store = closing(createReplayStore(client));
    await eventually(() => store.ready());
    expect(await store.use('replicated', until())).toBe(true);
    const feed = closing(createRevocationFeed(client));
    const recorder = createRecorder(4_000);
    closing(feed.follow(recorder.sink));
    await feed.publish(revoked('replicated'));
    await recorder.until(() => recorder.entries().length === 1);
    const keys = ['latchkey:proof:replicated', 'latchkey:revocations'];
    await eventually(async () => expect(ask(replica.port, 'EXISTS', ...keys)).toBe('2'));
    await master.kill();
    const during = Promise.allSettled([store.use('during', until())]);
    const switched = sentinel.logged('+switch-master');
    await eventually(async () => expect(ask(sentinel.port, 'SENTINEL', 'FAILOVER', 'main')).toBe('OK'));
    await switched;
    expect(await eventually(() => store.use('new', until()))).toBe(true);
    expect(await store.use('replicated', until())).toBe(false);
    // It was sent to the old master, and perhaps to the new one.
    await during;
    expect(ask(replica.port, 'EXISTS', 'latchkey:proof:new')).toBe('1');
    const switchedAt = recorder.sink.now();
    await eventually(() => feed.publish(revoked('new')));
    await recorder.until(() => recorder.currentAt() > switchedAt);
    expect(recorder.entries().map(({ jti }) => jti)).toEqual(['replicated', 'new']);
  });

  it('TLS, and a user that may do nothing but what is needed', async () => {
    const authority = createAuthority('redis');
    const { cert, key } = authority.issue('localhost');
    const server = closing(
      await startRedis({
        isTls: true,
        files: { 'cert.pem': cert, 'key.pem': key, 'ca.pem': authority.cert },
        config: [
          'tls-cert-file cert.pem',
          'tls-key-file key.pem',
          'tls-ca-cert-file ca.pem',
          'tls-auth-clients no',
          'user default off',
          // The line of the README.
          'user latchkey on >secret ~latchkey:* -@all +set +info +xadd +xread +xrange +xdel +xinfo|stream',
        ],
      }),
    );
    const url = `rediss://latchkey:secret@localhost:${server.port}`;
    const store = closing(
      createReplayStore(createClient({ url, socket: { tls: true, ca: authority.cert } })),
    );
    await store.ready();
    expect(await store.use('secured', until())).toBe(true);
    expect(await store.use('secured', until())).toBe(false);
    await delivers(createClient({ url, socket: { tls: true, ca: authority.cert } }));
    const unknown = closing(createReplayStore(createClient({ url })));
    await expect(unknown.ready()).rejects.toThrow('self-signed certificate');
    const wrong = url.replace('secret', 'wrong');
    const refused = closing(
      createReplayStore(createClient({ url: wrong, socket: { tls: true, ca: authority.cert } })),
    );
    await expect(refused.ready()).rejects.toThrow('WRONGPASS');
  });
});
