// Bound tokens at two real services that share one Redis.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAuthenticator } from '@latchkey/core';
import { authenticate } from '@latchkey/express';
import { hasRedis, startRedis } from '@latchkey/test-kit/redis';
import { createDpopKey, createIssuer, type TestIssuer } from '@latchkey/testing';
import express from 'express';
import { createClient } from 'redis';
import { afterEach, expect, it } from 'vitest';
import { createReplayStore } from '../src/index.ts';
import { createClosing } from './helpers.ts';

const API = 'https://api.example.com';
const closing = createClosing();
afterEach(() => closing.all());

/** A service with a store of its own. */
async function serve(issuer: TestIssuer, redisUrl: string): Promise<string> {
  const replayStore = closing(createReplayStore(createClient({ url: redisUrl })));
  await replayStore.ready();
  const authenticator = createAuthenticator({
    ...issuer.options,
    dpop: { mode: 'required', publicUrl: API },
    replayStore,
  });
  closing(authenticator);
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
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`;
}

it.skipIf(!hasRedis)('two services accept a proof once, and none while Redis is down', async () => {
  const redis = closing(await startRedis({ config: ['appendonly yes', 'appendfsync always'] }));
  const issuer = closing(await createIssuer());
  const services = [await serve(issuer, redis.url), await serve(issuer, redis.url)];
  const key = await createDpopKey();
  const token = await issuer.mint({ sub: 'alice', cnf: key.cnf });
  const prove = () => key.proof({ url: `${API}/orders`, token });
  const answers = async (proof: string) => {
    const headers = { authorization: `DPoP ${token}`, dpop: proof };
    const all = await Promise.all([...services, ...services].map((url) => fetch(url, { headers })));
    return (await Promise.all(all.map(async (answer) => [answer.status, await answer.text()]))).sort();
  };

  const proof = await prove();
  const once = await answers(proof);
  expect(once.map(([status]) => status)).toEqual([200, 401, 401, 401]);
  expect(once[1]?.[1]).toContain('proof_invalid');
  await redis.kill();
  const during = await answers(await prove());
  expect(during.map(([status]) => status)).toEqual([503, 503, 503, 503]);
  expect(during[0]?.[1]).toContain('replay_unavailable');
  await redis.start();
  let after: (string | number)[][];
  do after = await answers(await prove());
  while (after.some(([status]) => status === 503));
  expect(after.map(([status]) => status)).toEqual([200, 401, 401, 401]);
  expect((await answers(proof)).map(([status]) => status)).toEqual([401, 401, 401, 401]);
});
