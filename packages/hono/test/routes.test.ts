// The route report: which middleware counts for which route.
import { type Authenticator, createAuthenticator } from '@latchkey/core';
import { generateSigningKey } from '@latchkey/testing';
import { type Context, Hono } from 'hono';
import { beforeAll, expect, it } from 'vitest';
import {
  authenticate,
  publicRoute,
  publishKeys,
  publishResource,
  requireClaims,
  routes,
} from '../src/index.ts';

let api: Authenticator;
beforeAll(async () => {
  const { publicJwk } = await generateSigningKey();
  const keySets = [{ issuer: 'i', jwks: { keys: [publicJwk] } }];
  api = createAuthenticator({ keySets, resource: { url: 'https://api.example.com' } });
});

const ok = (c: Context) => c.text('ok');
const report = (app: Hono) =>
  routes(app).map(({ method, path, requirement, claims }) =>
    [method, path, requirement, ...claims].join(' '),
  );

it('lists each route with its requirement', () => {
  const app = new Hono();
  app.use(publishResource(api));
  app.get('/open', ok);
  app.get('/health', publicRoute(), ok);
  app.use('/api/*', authenticate(api));
  app.get('/api', ok);
  app.get('/api/me', ok);
  app.get('/api/admin', requireClaims({ roles: ['admin'] }), ok);
  app.post('/own', authenticate(api, { mode: 'optional' }), ok);
  expect(report(app)).toEqual([
    'GET /.well-known/oauth-protected-resource public',
    'GET /open UNDECIDED',
    'GET /health public',
    'GET /api token',
    'GET /api/me token',
    'GET /api/admin token roles',
    'POST /own optional token',
  ]);
});

it.each([
  ['*', '/a/b', 'token'],
  ['/*', '/a/b', 'token'],
  ['/a', '/a', 'token'],
  ['/a', '/a/b', 'UNDECIDED'],
  ['/a/*', '/b', 'UNDECIDED'],
  ['/a/*', '/ab', 'UNDECIDED'],
  ['/a/*', '/:any/b', 'UNDECIDED'],
  ['/:any/*', '/a/b', 'token'],
  ['/:any/b', '/a/b', 'token'],
  ['/a/:id', '/a/b', 'token'],
  ['/a/:id{[0-9]+}', '/a/b', 'UNDECIDED'],
  ['/a/:id{[0-9]+}', '/a/:id{[0-9]+}', 'token'],
  ['/a/*/c', '/a/b/c', 'token'],
  ['/a/:id?', '/a/b', 'UNDECIDED'],
  ['/a/*', '/a/:id?', 'UNDECIDED'],
  ['/*', '/a/:id?', 'token'],
])('app.use(%j) and the route %j: %s', async (path, route, requirement) => {
  const app = new Hono().use(path, authenticate(api)).get(route, ok);
  expect(routes(app as unknown as Hono).map((one) => one.requirement)).toEqual([requirement]);
});

it('a middleware behind a route, and one of another method, do not count', () => {
  const app = new Hono();
  app.get('/a', ok).use(authenticate(api));
  app.post('/b', authenticate(api)).get('/c', ok);
  expect(report(app)).toEqual(['GET /a UNDECIDED', 'GET /c token']);
  const other = new Hono();
  other.post('/b', authenticate(api)).get('/b', ok);
  expect(report(other)).toEqual(['GET /b UNDECIDED']);
});

it('reads applications that app.route has added, also with their own error handler', () => {
  const inner = new Hono().get('/me', ok).get('/admin', requireClaims({ roles: ['admin'] }), ok);
  inner.onError((_, c) => c.text('failed', 500));
  const app = new Hono();
  app.use('/api/*', authenticate(api)).route('/api', inner);
  expect(report(app)).toEqual(['GET /api/me token', 'GET /api/admin token roles']);
});

it('refuses a document behind authenticate, and undecided routes if asked', () => {
  const app = new Hono();
  app.use(authenticate(api)).use(publishResource(api));
  expect(() => routes(app)).toThrow('clients without a token get no metadata');
  const open = new Hono();
  open.get('/open', ok);
  expect(() => routes(open, { failOnUndecided: true })).toThrow('undecided: GET /open');
});

it('lists published keys as public', () => {
  const app = new Hono();
  app.get('/jwks', publishKeys({ publish: async () => ({ headers: {}, body: '{}' }) } as never));
  expect(report(app)).toEqual(['GET /jwks public']);
});
