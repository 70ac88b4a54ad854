// Recipes of the guides: what prints the routes, and clients that send an empty `Bearer`.
import { Console } from 'node:console';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { runBlock } from '@latchkey/test-kit/quick-start';
import { createIssuer } from '@latchkey/testing';
import express from 'express';
import { expect, it } from 'vitest';
import { authenticate, createAuthenticator, publicRoute, requireClaims, routes } from '../src/index.ts';

const options = {
  keySets: [{ issuer: 'https://i.example', useOidcDiscovery: true }],
  audience: 'a',
} as const;

it('console.table prints the routes, a line for each', () => {
  const app = express();
  app.get('/health', publicRoute(), () => {});
  app.use(authenticate(createAuthenticator({ ...options, loadAtStart: false })));
  app.get('/friends', requireClaims({ scope: 'friends:read' }), () => {});
  const stdout = new PassThrough({ encoding: 'utf8' });
  new Console({ stdout }).table(routes(app));
  const table: string = stdout.read();
  expect(table).toMatch(/'\/health' .*'public'/);
  expect(table).toMatch(/'\/friends' .*'token' .*\[ 'scope' \]/);
  expect(table.trim().split('\n')).toHaveLength(3 + 2 + 1);
});

it('an empty Bearer is a 400 in mode optional, and anonymous where the recipe removes it', async () => {
  const issuer = await createIssuer();
  const authenticator = createAuthenticator({ ...issuer.options, mode: 'optional' });
  const statusWith = async (removes: boolean, authorization: string) => {
    const app = express().set('env', 'test');
    if (removes)
      await runBlock(
        import.meta.url,
        'Bearer *$',
        { app, authenticate, authenticator },
        '../../../docs/guides/carriers.md',
      );
    app.use(authenticate(authenticator));
    app.get('/', (_req, res) => void res.end());
    const server = app.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { status } = await fetch(url, { headers: { authorization } });
    await new Promise((resolve) => server.close(resolve));
    return status;
  };
  expect(await statusWith(false, 'Bearer')).toBe(400);
  expect(await statusWith(true, 'Bearer')).toBe(200);
  expect(await statusWith(true, 'bearer  ')).toBe(200);
  expect(await statusWith(true, 'Bearer x')).toBe(401);
  expect(await statusWith(true, `Bearer ${await issuer.mint()}`)).toBe(200);
  await authenticator.close();
  await issuer.close();
});
