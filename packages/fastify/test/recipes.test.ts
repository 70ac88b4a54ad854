// Recipes of the guides: what prints the routes, and clients that send an empty `Bearer`.
import { Console } from 'node:console';
import { PassThrough } from 'node:stream';
import { createIssuer } from '@latchkey/testing';
import fastify from 'fastify';
import { expect, it } from 'vitest';
import latchkey, { routes } from '../src/index.ts';

it('console.table prints the routes, a line for each', async () => {
  const issuer = await createIssuer();
  const app = fastify();
  await app.register(latchkey, issuer.options);
  app.get('/health', { config: { auth: false } }, async () => 'ok');
  app.get('/friends', { config: { auth: { claims: { scope: 'friends:read' } } } }, async () => []);
  await app.ready();
  const stdout = new PassThrough({ encoding: 'utf8' });
  new Console({ stdout }).table(routes(app));
  const table: string = stdout.read();
  expect(table).toMatch(/'\/health' .*'public'/);
  expect(table).toMatch(/'\/friends' .*'token' .*\[ 'scope' \]/);
  await app.close();
  await issuer.close();
});

it('an empty Bearer is a 400 in mode optional, and anonymous where it is removed before', async () => {
  const issuer = await createIssuer();
  const statusWith = async (removes: boolean, authorization: string) => {
    const app = fastify();
    if (removes)
      app.addHook('onRequest', async ({ raw }) => {
        if (/^Bearer *$/i.test(raw.headers.authorization ?? '')) delete raw.headers.authorization;
      });
    await app.register(latchkey, { ...issuer.options, mode: 'optional' });
    app.get('/', async () => 'ok');
    const { statusCode } = await app.inject({ url: '/', headers: { authorization } });
    await app.close();
    return statusCode;
  };
  expect(await statusWith(false, 'Bearer')).toBe(400);
  expect(await statusWith(true, 'Bearer')).toBe(200);
  expect(await statusWith(true, 'Bearer x')).toBe(401);
  await issuer.close();
});
