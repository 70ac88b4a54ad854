// Mistakes in the order and in the arguments of hooks: each is found when it is written, or at the
// first request as a fault of the service, and never as a refusal of the client.
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import latchkey, {
  createAuthenticator,
  getAuth,
  publishKeys,
  requireClaims,
  route,
  signResponse,
} from '../src/index.ts';

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

const REGISTER =
  '@latchkey/fastify: expected to be registered, got a call; write app.register(latchkey, options)';

it.each<readonly [string, (app: FastifyInstance) => unknown, string]>([
  [
    'a plugin that was called',
    (app) => app.register(Reflect.apply(latchkey, undefined, [optionsOf()])),
    REGISTER,
  ],
  [
    'a plugin that was called with nothing',
    (app) => app.register(Reflect.apply(latchkey, undefined, [])),
    REGISTER,
  ],
  [
    'an authenticator in place of options',
    (app) => app.register(latchkey, createAuthenticator(optionsOf()) as never),
    'options: expected { authenticator }, got an authenticator; write app.register(latchkey, { authenticator })',
  ],
  [
    'an option next to authenticator',
    (app) =>
      app.register(latchkey, { authenticator: createAuthenticator(optionsOf()), audience: 'a' } as never),
    'audience: is not allowed next to authenticator; give it to createAuthenticator',
  ],
])('%s: at start', async (_name, register, message) => {
  const app = fastify();
  await expect(Promise.resolve(register(app))).rejects.toThrow(
    expect.objectContaining({ name: 'ConfigError', message }),
  );
  await app.close();
});

it('the plugin as a hook', async () => {
  const app = fastify();
  app.addHook('onRequest', latchkey as never);
  app.get('/', async () => 'ok');
  expect(await answer(app)).toEqual({ status: 500, fault: REGISTER });
});

it('a misspelt route in requireClaims: when the application starts', async () => {
  const app = fastify();
  await app.register(latchkey, optionsOf());
  app.get('/', { onRequest: requireClaims(route('admn')) }, async () => 'ok');
  await expect(app.ready()).rejects.toThrow(
    'GET /: expected a route of the options, got route admn; there are admin; did you mean admin?',
  );
  await app.close();
});

it.each<readonly [string, object, string]>([
  [
    'publishKeys',
    { config: { auth: false }, handler: publishKeys },
    'publishKeys: expected a signer, got a request; call publishKeys where it is registered',
  ],
  [
    'signResponse',
    { onSend: signResponse, handler: async () => ({}) },
    'signResponse: expected options, such as { signer, keysToSign }, got a request; call signResponse where it is registered',
  ],
])('%s without a call', async (_name, route, fault) => {
  const app = fastify();
  await app.register(latchkey, optionsOf());
  app.route({ method: 'GET', url: '/', ...route } as never);
  expect(await answer(app)).toEqual({ status: 500, fault });
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
    "GET / config.auth.scope: unknown option; expected one of claims, mode, enforce, issuers, audience, resource, actors, dpop, mutualTls, senderConstrained, acr, maxAge; rules are in claims: { claims: { scope: 'read' } }",
  ],
  [
    'a misspelt route',
    { claims: route('admn') },
    'GET / config.auth.claims: expected a route of the options, got route admn; there are admin; did you mean admin?',
  ],
  [
    'true',
    true,
    'GET / config.auth: expected access, or false, got true; a token is needed without it, so leave it out',
  ],
  [
    'a word',
    'public',
    'GET / config.auth: expected access, or false, got a string; false makes the route public',
  ],
])('config.auth with %s: when the route is added', async (_name, auth, message) => {
  const app = fastify();
  await app.register(latchkey, optionsOf());
  expect(() => app.get('/', { config: { auth: auth as never } }, async () => 'ok')).toThrow(
    expect.objectContaining({ name: 'ConfigError', message }),
  );
  await app.close();
});
