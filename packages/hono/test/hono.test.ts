// What only Hono has: its variables and their types, its errors, and what it keeps of a request.
import {
  createAuthenticator,
  createMemoryStore,
  isAuthError,
  type Principal,
  refusalOf,
} from '@latchkey/core';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { afterAll, beforeAll, expect, expectTypeOf, it } from 'vitest';
import { createSigner } from '../src/core-signing.ts';
import { authenticate, requireClaims, signResponse } from '../src/index.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

it('types the variable auth, by authenticate and then by the rules', async () => {
  const app = new Hono()
    .use(authenticate(issuer.options))
    .get('/me', (c) => {
      expectTypeOf(c.var.auth).toEqualTypeOf<Principal | undefined>();
      return c.json({ of: c.get('auth')?.subject });
    })
    .get('/admin', requireClaims({ roles: ['admin'] }), (c) => {
      expectTypeOf(c.var.auth.claims.roles).not.toBeUnknown();
      expectTypeOf(c.get('auth').subject).toEqualTypeOf<string | undefined>();
      return c.json(c.var.auth.claims.roles);
    });
  const token = await issuer.mint({ sub: 'alice', roles: ['admin'] });
  expect(await (await app.request('/me', bearer(token))).json()).toEqual({ of: 'alice' });
  expect(await (await app.request('/admin', bearer(token))).json()).toEqual(['admin']);
  expect((await app.request('/admin', bearer(await issuer.mint()))).status).toBe(403);
});

it('throws an HTTPException whose cause is the AuthError', async () => {
  const seen: unknown[] = [];
  const app = new Hono().use(authenticate(issuer.options)).get('/', (c) => c.text('handled'));
  expect((await app.request('/')).headers.get('www-authenticate')).toBe('Bearer');
  app.onError((error, c) => {
    seen.push(error instanceof HTTPException && isAuthError(error.cause) && error.cause.code);
    return c.json({ mine: true }, 401);
  });
  expect(await (await app.request('/')).json()).toEqual({ mine: true });
  expect(seen).toEqual(['credentials_missing']);
});

it('sets auth anew: a value that other middleware has set is no principal', async () => {
  const app = new Hono<{ Variables: { auth: unknown } }>();
  app.use((c, next) => {
    c.set('auth', { subject: 'mallory' });
    return next();
  });
  app.use(authenticate(createAuthenticator({ ...issuer.options, mode: 'optional' })) as never);
  app.get('/', (c) => c.json({ auth: c.var.auth ?? null }));
  expect(await (await app.request('/')).json()).toEqual({ auth: null });
});

it('keeps the refusal that a permissive authenticator ignored under c.req', async () => {
  const app = new Hono()
    .use(authenticate({ ...issuer.options, mode: 'permissive' }))
    .get('/', (c) => c.text(String(refusalOf(c.req)?.code)));
  expect(await (await app.request('/', bearer('bad'))).text()).toBe('token_malformed');
});

it('T-083: a handler reads no token in the query, and its body', async () => {
  const token = await issuer.mint();
  const app = new Hono()
    .use(authenticate({ ...issuer.options, tokenFrom: [{ query: 'access_token' }] }))
    .post('/x', async (c) => c.json([c.req.url, c.req.query(), c.req.raw.url, await c.req.text()]));
  const answer = await app.request(`/x?a=1&access_token=${token}`, { method: 'POST', body: 'a body' });
  const url = 'http://localhost/x?a=1';
  expect(await answer.json()).toEqual([url, { a: '1' }, url, 'a body']);
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
});

it('T-083: also behind a middleware that has read the body', async () => {
  const token = await issuer.mint();
  const app = new Hono();
  app.use(async (c, next) => {
    await c.req.text();
    await next();
  });
  app.use(authenticate({ ...issuer.options, tokenFrom: [{ query: 'access_token' }] }));
  app.post('/x', async (c) => c.text(await c.req.text()));
  const answer = await app.request(`/x?access_token=${token}`, { method: 'POST', body: 'a body' });
  expect(await answer.text()).toBe('a body');
});

it('sends no header of a reply that could not be signed, also with an error handler', async () => {
  const secrets = createMemoryStore();
  const signer = createSigner({ secret: { name: 'signing' }, secrets, alg: 'ES256' });
  const app = new Hono();
  app.onError((_, c) => c.text('failed', 500));
  app.get('/', signResponse({ signer, keysToSign: ['token'] }), (c) => {
    c.header('ETag', '"secret"');
    return c.json({ token: 'no claims' });
  });
  const answer = await app.request('/');
  expect([answer.status, answer.headers.get('etag'), await answer.text()]).toEqual([500, null, 'failed']);
});
