// Recipes of the guides: what prints the routes, and clients that send an empty `Bearer`.
import { Console } from 'node:console';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import Router from '@koa/router';
import { createIssuer } from '@latchkey/testing';
import Koa from 'koa';
import { expect, it } from 'vitest';
import { authenticate, createAuthenticator, requireClaims, routes } from '../src/index.ts';

it('console.table prints the routes, a line for each', async () => {
  const issuer = await createIssuer();
  const authenticator = createAuthenticator(issuer.options);
  const router = new Router();
  router.get('/friends', requireClaims({ scope: 'friends:read' }), () => {});
  const app = new Koa().use(authenticate(authenticator)).use(router.routes());
  const stdout = new PassThrough({ encoding: 'utf8' });
  new Console({ stdout }).table(routes(app));
  const table: string = stdout.read();
  expect(table).toMatch(/'\/friends' .*'token' .*\[ 'scope' \]/);
  await authenticator.close();
  await issuer.close();
});

it('an empty Bearer is a 400 in mode optional, and anonymous where it is removed before', async () => {
  const issuer = await createIssuer();
  const authenticator = createAuthenticator({ ...issuer.options, mode: 'optional' });
  const statusWith = async (removes: boolean, authorization: string) => {
    const app = new Koa();
    app.silent = true;
    if (removes)
      app.use(({ req }, next) => {
        if (/^Bearer *$/i.test(req.headers.authorization ?? '')) delete req.headers.authorization;
        return next();
      });
    app.use(authenticate(authenticator)).use((ctx) => {
      ctx.body = 'ok';
    });
    const server = app.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { status } = await fetch(url, { headers: { authorization } });
    await new Promise((resolve) => server.close(resolve));
    return status;
  };
  expect(await statusWith(false, 'Bearer')).toBe(400);
  expect(await statusWith(true, 'Bearer')).toBe(200);
  expect(await statusWith(true, 'Bearer x')).toBe(401);
  await authenticator.close();
  await issuer.close();
});
