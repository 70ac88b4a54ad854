// The document of @fastify/swagger: each operation says what its route requires, in every scope.
import { createRequire } from 'node:module';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { Validator } from '@seriousme/openapi-schema-validator';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { latchkey, openApiTransform, requireClaims } from '../src/index.ts';

const swagger = createRequire(import.meta.url)('@fastify/swagger');
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

async function document(version: string): Promise<void> {
  const openapi = { openapi: version, servers: [{ url: 'https://api.example.com/v1' }] };
  await app.register(swagger, { openapi, transformObject: openApiTransform(app) });
}

type Document = { readonly openapi: string; readonly paths: { readonly [path: string]: Item } };
type Item = { readonly [method: string]: { readonly security: unknown; readonly responses: object } };

async function written(): Promise<Document> {
  await app.ready();
  const given = (app as unknown as { swagger(): Document }).swagger();
  // As a client gets it.
  const sent = JSON.parse(JSON.stringify(given));
  expect((await new Validator().validate(sent)).errors).toBeUndefined();
  return sent;
}

it.each(['3.0.3', '3.1.0'])('OpenAPI %s: every operation says what its route requires', async (version) => {
  await document(version);
  await app.register(latchkey, issuer.options);
  app.get('/health', { config: { auth: false } }, async () => 'ok');
  app.get('/any', { config: { auth: { mode: 'optional' } } }, async () => 'ok');
  app.get('/v1/orders/:id(\\d+)', { config: { auth: { claims: { scope: 'orders' } } } }, async () => 'ok');
  app.route({ method: ['PUT', 'DELETE'], url: '/orders', handler: async () => 'ok' });
  await app.register(
    async (scope) => {
      scope.get('/admin', { onRequest: requireClaims({ roles: ['admin'] }) }, async () => 'ok');
    },
    { prefix: '/inner' },
  );
  const { paths } = await written();
  const [scheme] = Object.keys(Object(paths['/orders']?.put?.security)[0]);
  const security = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, one]) => [`${method} ${path}`, one.security]),
  );
  const scopes = version === '3.1.0' || scheme === 'openIdConnect' ? ['orders'] : [];
  expect(Object.fromEntries(security)).toEqual({
    'get /health': [],
    'get /any': [{}, { [String(scheme)]: [] }],
    'get /orders/{id}': [{ [String(scheme)]: scopes }],
    'put /orders': [{ [String(scheme)]: [] }],
    'delete /orders': [{ [String(scheme)]: [] }],
    'get /inner/admin': [{ [String(scheme)]: [] }],
  });
  expect(paths['/inner/admin']?.get).toMatchObject({ description: expect.stringContaining('`roles`') });
});

it('the body of a refusal is that which Fastify sends', async () => {
  await document('3.1.0');
  await app.register(latchkey, issuer.options);
  app.get('/orders', async () => 'ok');
  const made = await written();
  const { Refusal } = Object(made).components.schemas;
  const refused = await app.inject('/orders');
  expect(refused.statusCode).toBe(401);
  expect(Object.keys(refused.json()).sort()).toEqual(Object.keys(Refusal.properties).sort());
  expect(made.paths['/orders']?.get?.responses).toMatchObject({
    401: { headers: { 'WWW-Authenticate': { example: refused.headers['www-authenticate'] } } },
  });
});

it('a route outside of every registration has to say its own security', async () => {
  await document('3.1.0');
  app.get('/open', async () => 'ok');
  await app.ready();
  const { swagger: make } = app as unknown as { swagger(): unknown };
  expect(() => make()).toThrow('GET /open: is undecided');
});

it('a document of Swagger 2 is refused', async () => {
  await app.register(swagger, { swagger: {}, transformObject: openApiTransform(app) });
  await app.ready();
  const { swagger: make } = app as unknown as { swagger(): unknown };
  expect(() => make()).toThrow('openApiTransform: expected a document of OpenAPI 3, got one of Swagger 2');
});

it('wrong options are refused at once', () => {
  expect(() => openApiTransform(app, { rules: 'all' } as never)).toThrow('openapi.rules');
});
