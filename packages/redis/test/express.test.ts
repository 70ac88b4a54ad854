// Bound tokens and revoked ones at two real services that share one Redis.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAuthenticator } from '@latchkey/core';
import { authenticate } from '@latchkey/express';
import { hasRedis, startRedis } from '@latchkey/test-kit/redis';
import { createDpopKey, createIssuer, type TestIssuer } from '@latchkey/testing';
import express from 'express';
import { createClient } from 'redis';
import { afterEach, expect, it } from 'vitest';
import { createReplayStore, createRevocationFeed } from '../src/index.ts';
import { createClosing } from './helpers.ts';

const API = 'https://api.example.com';
const closing = createClosing();
afterEach(() => closing.all());

/** A service with a store of its own. */
async function serve(issuer: TestIssuer, redisUrl: string) {
  const client = createClient({ url: redisUrl });
  const replayStore = closing(createReplayStore(client));
  await replayStore.ready();
  const authenticator = createAuthenticator({
    ...issuer.options,
    dpop: { mode: 'allowed', publicUrl: API },
    replayStore,
    revocation: { maxStale: '2s' },
    revocationFeed: closing(createRevocationFeed(client)),
  });
  closing(authenticator);
  await authenticator.ready();
  const app = express();
  app.get('/orders', authenticate(authenticator), (_, response) => void response.json({ ok: true }));
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing({
    close() {
      server.close();
      server.closeAllConnections();
    },
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`;
  return { url, authenticator };
}

it.skipIf(!hasRedis)('R24: two services accept a proof once, and none while Redis is down', async () => {
  const redis = closing(await startRedis({ config: ['appendonly yes', 'appendfsync always'] }));
  const issuer = closing(await createIssuer());
  const services = [await serve(issuer, redis.url), await serve(issuer, redis.url)];
  const key = await createDpopKey();
  const token = await issuer.mint({ sub: 'alice', cnf: key.cnf });
  const prove = () => key.proof({ url: `${API}/orders`, token });
  const answers = async (proof: string) => {
    const headers = { authorization: `DPoP ${token}`, dpop: proof };
    const all = await Promise.all([...services, ...services].map(({ url }) => fetch(url, { headers })));
    return (await Promise.all(all.map(async (answer) => [answer.status, await answer.text()]))).sort();
  };

  // On a busy machine, Redis may answer later than its deadline.
  const decided = async () => {
    for (;;) {
      const proof = await prove();
      const all = await answers(proof);
      if (!all.some(([status]) => status === 503)) return { proof, all };
    }
  };

  const { proof, all: once } = await decided();
  expect(once.map(([status]) => status)).toEqual([200, 401, 401, 401]);
  expect(once[1]?.[1]).toContain('proof_invalid');
  await redis.kill();
  const during = await answers(await prove());
  expect(during.map(([status]) => status)).toEqual([503, 503, 503, 503]);
  expect(during[0]?.[1]).toContain('replay_unavailable');
  await redis.start();
  const { all: after } = await decided();
  expect(after.map(([status]) => status)).toEqual([200, 401, 401, 401]);
  expect((await answers(proof)).map(([status]) => status)).not.toContain(200);
});

it.skipIf(!hasRedis)(
  'R24: a token that one service revokes is refused by both, also after an outage',
  async () => {
    const redis = closing(await startRedis({ config: ['appendonly yes', 'appendfsync always'] }));
    const issuer = closing(await createIssuer());
    const [first, second] = [await serve(issuer, redis.url), await serve(issuer, redis.url)];
    const good = await issuer.mint({ sub: 'alice', jti: 'good' });
    const bad = await issuer.mint({ sub: 'alice', jti: 'bad' });
    const ask = async ({ url }: typeof first, token: string) => {
      const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
      return `${answer.status} ${(await answer.text()).match(/token_revoked|revocation_unavailable/)?.[0] ?? ''}`;
    };
    /** Asks until the answer is this one. */
    const comesTo = async (service: typeof first, token: string, expected: string) => {
      while ((await ask(service, token)) !== expected);
    };
    expect([await ask(first, bad), await ask(second, bad)]).toEqual(['200 ', '200 ']);
    await first.authenticator.revoke({ issuer: issuer.issuer, jti: 'bad' });
    expect(await ask(first, bad)).toBe('401 token_revoked');
    await comesTo(second, bad, '401 token_revoked');
    expect([await ask(first, good), await ask(second, good)]).toEqual(['200 ', '200 ']);
    await redis.kill();
    await comesTo(second, good, '503 revocation_unavailable');
    expect(await ask(second, bad)).toMatch(/^(?:401|503) /);
    await redis.start();
    await comesTo(second, good, '200 ');
    expect(await ask(second, bad)).toBe('401 token_revoked');
  },
);
