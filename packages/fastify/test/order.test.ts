// Mistakes in the order and in the arguments of hooks: each is found when it is written, or at the
// first request as a fault of the service, and never as a refusal of the client.
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import latchkey, { getAuth, requireClaims, route } from '../src/index.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

const optionsOf = () => ({
  keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
  audience: issuer.audience,
  routes: { admin: { claims: { roles: ['admin'] } } },
});

const MISPLACED =
  'getAuth: expected an authenticated request, got one before the plugin; register @latchkey/fastify around this route, before its hooks';

async function answer(app: FastifyInstance) {
  const headers = { authorization: `Bearer ${await issuer.mint()}` };
  const { statusCode, payload } = await app.inject({ url: '/', headers });
  await app.close();
  return { status: statusCode, fault: JSON.parse(payload).message };
}

it('requireClaims where no plugin is registered', async () => {
  const app = fastify();
  app.get('/', { onRequest: requireClaims({}) }, async () => 'ok');
  expect(await answer(app)).toEqual({ status: 500, fault: MISPLACED });
});

it('getAuth where no plugin is registered', async () => {
  const app = fastify();
  app.get('/', async (request) => getAuth(request).subject);
  expect(await answer(app)).toEqual({ status: 500, fault: MISPLACED });
});

it('a hook of requireClaims before the plugin', async () => {
  const app = fastify();
  app.addHook('onRequest', requireClaims({}));
  await app.register(latchkey, optionsOf());
  app.get('/', async () => 'ok');
  expect(await answer(app)).toEqual({ status: 500, fault: MISPLACED });
});

it('requireClaims without a call', async () => {
  const app = fastify();
  await app.register(latchkey, optionsOf());
  app.get('/', { onRequest: requireClaims as never }, async () => 'ok');
  expect(await answer(app)).toEqual({
    status: 500,
    fault:
      "requireClaims: expected rules, such as { scope: 'read' }, got a request; call requireClaims where it is registered",
  });
});

it('two objects of rules', () => {
  expect(() => Reflect.apply(requireClaims, undefined, [{ scope: 'read' }, { roles: 'admin' }])).toThrow(
    'requireClaims: expected one argument, got 2; put all rules into one object',
  );
});

it.each<readonly [string, unknown, string]>([
  [
    'rules straight in config.auth',
    { scope: 'openid' },
    "GET / config.auth.scope: unknown option; expected one of claims, issuers, mode; rules are in claims: { claims: { scope: 'read' } }",
  ],
  [
    'a misspelt route',
    { claims: route('admn') },
    'GET / config.auth.claims: expected a route of the options, got route admn; there are admin; did you mean admin?',
  ],
  ['true', true, 'GET / config.auth: expected access, such as { claims, issuers, mode }, got a boolean'],
])('config.auth with %s: when the route is added', async (_name, auth, message) => {
  const app = fastify();
  await app.register(latchkey, optionsOf());
  expect(() => app.get('/', { config: { auth: auth as never } }, async () => 'ok')).toThrow(
    expect.objectContaining({ name: 'ConfigError', message }),
  );
  await app.close();
});
