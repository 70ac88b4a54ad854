// Options in a file, and routes by name, in an Express application. The cases for all adapters are
// in the conformance suite.
import type { AddressInfo } from 'node:net';
import { describeDescriptor } from '@latchkey/conformance';
import { type Authenticator, createAuthenticator } from '@latchkey/core';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import express, { type Express, type Request, Router } from 'express';
import { afterAll, afterEach, beforeAll, expect, expectTypeOf, it } from 'vitest';
import { authenticate, type Principal, requireClaims, route, routes } from '../src/index.ts';

describeDescriptor('authenticate(), and requireClaims() before a handler', async (options) => {
  const app = express();
  app.set('env', 'test');
  app.use(authenticate(options));
  app.get('/me', (request, response) => {
    response.json({ subject: (request as Request & { auth?: Principal }).auth?.subject });
  });
  app.get('/admin', requireClaims(route('admin')), (_request, response) => {
    response.sendStatus(200);
  });
  return { listener: app, close: undefined };
});

describeDescriptor('authenticate() on a router, and requireClaims() with a handler', async (options) => {
  const app = express();
  app.set('env', 'test');
  const router = Router();
  router.use(authenticate(options));
  router.get(
    '/me',
    requireClaims({}, ({ auth }, response) => response.json({ subject: auth.subject })),
  );
  router.get(
    '/admin',
    requireClaims(route('admin'), ({ auth }, response) => response.json({ subject: auth.subject })),
  );
  app.use(router);
  return { listener: app, close: undefined };
});

let key: SigningKey;
let authenticator: Authenticator;
const closers: (() => void)[] = [];

beforeAll(async () => {
  key = await generateSigningKey();
  authenticator = createAuthenticator({
    keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
    audience: null,
    routes: { admin: { claims: { roles: ['admin'] } } },
  });
});
afterEach(() => {
  for (const close of closers.splice(0)) close();
});
afterAll(() => authenticator.close());

async function ask(app: Express, path: string): Promise<number> {
  app.set('env', 'test');
  const server = app.listen(0, '127.0.0.1');
  closers.push(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const exp = Math.floor(Date.now() / 1000) + 60;
  const token = await mint(key, { iss: 'i', exp, sub: 'alice', roles: ['admin'] });
  const { port } = server.address() as AddressInfo;
  return (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization: `Bearer ${token}` } }))
    .status;
}

it('AK-42: a named route does not type the claims, and sets the principal', async () => {
  const app = express();
  app.use(authenticate(authenticator));
  app.get(
    '/admin',
    requireClaims(route('admin'), (request, response) => {
      expectTypeOf(request.auth.subject).toEqualTypeOf<string | undefined>();
      expectTypeOf(request.auth.claims.roles).toEqualTypeOf<unknown>();
      // @ts-expect-error the rules of the file are unknown at compile time
      const roles: readonly string[] = request.auth.claims.roles;
      response.sendStatus(roles.includes('admin') ? 204 : 500);
    }),
  );
  expect(await ask(app, '/admin')).toBe(204);
});

it('a descriptor takes the settings next to it, and refuses options', () => {
  // @ts-expect-error the audience of the file, or of this: a number is neither
  expect(() => authenticate({ descriptor: 'service.yaml', audience: 5 })).toThrow();
  // The options are in the file.
  expect(() => authenticate({ descriptor: 'service.yaml', keySets: [] })).toThrow('keySets');
});

it('AK-42: the route report shows the names of routes', () => {
  const app = express();
  app.use(authenticate(authenticator));
  app.get('/admin', requireClaims(route('admin')), (_request, response) => {
    response.sendStatus(204);
  });
  expect(routes(app)).toMatchObject([{ method: 'GET', path: '/admin', claims: ['route admin'] }]);
});
