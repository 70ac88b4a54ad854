// A proof of possession is for the URL that was received, also where koa-mount has shortened it.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDpopKey, createIssuer } from '@latchkey/testing';
import Koa from 'koa';
import mount from 'koa-mount';
import { expect, it, onTestFinished } from 'vitest';
import { authenticate } from '../src/index.ts';

it('RFC 9449: a mounted application accepts the proof of the whole URL', async () => {
  const [issuer, key] = await Promise.all([createIssuer(), createDpopKey()]);
  const inner = new Koa();
  const publicUrl = 'https://api.example.com';
  inner.use(authenticate({ ...issuer.options, dpop: { mode: 'required', publicUrl } }));
  inner.use((ctx) => {
    ctx.body = { path: ctx.path };
  });
  const app = new Koa();
  app.use(mount('/v1', inner));
  const server = createServer(app.callback());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.close();
    await issuer.close();
  });
  const token = await issuer.mint({ sub: 'alice', cnf: key.cnf });
  const ask = async (path: string) =>
    fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/orders?page=2`, {
      headers: {
        authorization: `DPoP ${token}`,
        dpop: await key.proof({ url: `${publicUrl}${path}`, token }),
      },
    });
  const accepted = await ask('/v1/orders');
  expect([accepted.status, await accepted.json()]).toEqual([200, { path: '/orders' }]);
  expect((await ask('/orders')).status).toBe(401);
});
