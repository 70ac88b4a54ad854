// Routes of other plugins: the recipe of docs/guides/routes.md, run with the real plugins.
import { createRequire } from 'node:module';
import { runBlock } from '@latchkey/test-kit/quick-start';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, it } from 'vitest';
import latchkey from '../src/index.ts';

// Not by import: its types give `config` members, and the tests of this workspace run without the
// types of ../src/augment.ts, with which `config.auth` is one too.
const require = createRequire(import.meta.url);

let issuer: TestIssuer;
let app: FastifyInstance;

beforeEach(async () => {
  issuer = await createIssuer();
  app = fastify();
});

afterEach(async () => {
  await app.close();
  await issuer.close();
});

const statusOf = async (url: string, method: 'GET' | 'HEAD' = 'GET', headers = {}) =>
  (await app.inject({ method, url, headers })).statusCode;

it('with the recipe of docs/guides/routes.md, Swagger UI is public and every other route needs a token', async () => {
  const options = { ...issuer.options, failOnUndecided: true };
  await runBlock(
    import.meta.url,
    '@fastify/swagger-ui',
    { app, latchkey, options },
    '../../../docs/guides/routes.md',
  );
  app.get('/orders', async () => []);
  await app.ready();
  const open = ['/docs', '/docs/json', '/docs/yaml', '/docs/static/swagger-ui.css'];
  expect(await Promise.all(open.map((url) => statusOf(url)))).toEqual(open.map(() => 200));
  expect(await statusOf('/docs/json', 'HEAD')).toBe(200);
  expect(await statusOf('/docs/static/none.css')).toBe(404);
  expect(await statusOf('/orders')).toBe(401);
  const authorization = `Bearer ${await issuer.mint()}`;
  expect(await statusOf('/orders', 'GET', { authorization })).toBe(200);
  const document = (await app.inject('/docs/json')).json();
  expect(document.security).toEqual([{ token: [] }]);
  expect(Object.keys(document.paths)).toEqual(['/orders']);
});

it('with the recipe, a route that has its own config.auth keeps it', async () => {
  await app.register(latchkey, issuer.options);
  await app.register(async (open) => {
    open.addHook('onRoute', (route) => {
      route.config = { auth: false, ...route.config };
    });
    open.get('/metrics', async () => 'public');
    open.get('/admin', { config: { auth: { claims: { scope: 'admin' } } } }, async () => 'not public');
  });
  expect(await statusOf('/metrics')).toBe(200);
  expect(await statusOf('/admin')).toBe(401);
  expect(await statusOf('/admin', 'HEAD')).toBe(401);
});

it('without the recipe, Swagger UI needs a token', async () => {
  await app.register(latchkey, issuer.options);
  await app.register(require('@fastify/swagger'));
  await app.register(require('@fastify/swagger-ui'), { routePrefix: '/docs' });
  await app.ready();
  expect(
    await Promise.all(['/docs', '/docs/json', '/docs/static/swagger-ui.css'].map((url) => statusOf(url))),
  ).toEqual([401, 401, 401]);
});
