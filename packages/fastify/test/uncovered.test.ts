// Rules in `config.auth` that nothing would read: the application does not start.
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import fastify from 'fastify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import latchkey from '../src/index.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

const answer = async () => 'open';
const rules = { config: { auth: { claims: { roles: ['admin'] } } } };

it('refuses rules on a route of an application without the plugin', async () => {
  const app = fastify();
  app.get('/admin', { exposeHeadRoute: false, ...rules }, answer);
  await expect(app.ready()).rejects.toThrow(
    'GET /admin config.auth.claims: no registration of @latchkey/fastify covers this route; register it in this scope or an outer one',
  );
  await app.close();
});

it.each([
  ['rules', rules],
  ['an audience', { config: { auth: { audience: 'https://other.example' } } }],
  ['issuers', { config: { auth: { issuers: ['https://issuer.example'] } } }],
])('refuses %s on a route of a sibling scope', async (_, options) => {
  const app = fastify();
  await app.register(async (scope) => {
    await scope.register(latchkey, issuer.options);
    scope.get('/covered', rules, answer);
  });
  await app.register(async (scope) => {
    scope.get('/open', options as typeof rules, answer);
  });
  await expect(app.ready()).rejects.toThrow('/open config.auth.');
  await app.close();
});

it('lets the config of another plugin be', async () => {
  const app = fastify();
  app.get('/other', { config: { auth: 'of another plugin', oauth: true } as never }, answer);
  await app.ready();
  expect((await app.inject('/other')).statusCode).toBe(200);
  await app.close();
});

it.each(['auht', 'Auth', 'uath'])('refuses config.%s on a covered route', async (name) => {
  const app = fastify();
  await app.register(latchkey, issuer.options);
  expect(() => app.get('/admin', { config: { [name]: rules.config.auth } as never }, answer)).toThrow(
    `config.${name}: unknown option; did you mean auth?`,
  );
  await app.close();
});
