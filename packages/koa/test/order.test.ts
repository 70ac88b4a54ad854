// Mistakes in the order and in the arguments of middleware: each is found when it is written, or at
// the first request as a fault of the service, and never as a refusal of the client.
import type { AddressInfo } from 'node:net';
import { Router } from '@koa/router';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import Koa from 'koa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  authenticate,
  publicRoute,
  publishKeys,
  requireClaims,
  route,
  routes,
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

/** The status and the fault of a request with a good token. */
async function answer(...middleware: readonly unknown[]) {
  const app = new Koa();
  for (const one of middleware) app.use(one as Koa.Middleware);
  let fault: string | undefined;
  app.on('error', (error: Error) => {
    fault = error.message;
  });
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const headers = { authorization: `Bearer ${await issuer.mint()}` };
  const { status } = await fetch(`http://127.0.0.1:${port}/`, { headers });
  server.close();
  return { status, fault };
}

it.each<readonly [string, () => readonly unknown[], string]>([
  [
    'authenticate without a call',
    () => [authenticate],
    'authenticate: expected options, such as { keySets, audience }, got a request; call authenticate where it is registered',
  ],
  [
    'requireClaims without a call',
    () => [authenticate(optionsOf()), requireClaims],
    "requireClaims: expected rules, such as { scope: 'read' }, got a request; call requireClaims where it is registered",
  ],
  [
    'publicRoute without a call',
    () => [publicRoute],
    'publicRoute: expected no argument, got a request; call publicRoute where it is registered',
  ],
  [
    'publishKeys without a call',
    () => [publishKeys],
    'publishKeys: expected a signer, got a request; call publishKeys where it is registered',
  ],
  [
    'signResponse without a call',
    () => [signResponse],
    'signResponse: expected options, such as { signer, keysToSign }, got a request; call signResponse where it is registered',
  ],
  ['routes as a middleware', () => [routes], 'routes: expected an application or a router of Koa'],
  [
    'requireClaims before authenticate',
    () => [requireClaims({}), authenticate(optionsOf())],
    'requireClaims: expected an authenticated request, got one before authenticate; register authenticate first',
  ],
  [
    'a misspelt route',
    () => [authenticate(optionsOf()), requireClaims(route('admn'))],
    'authorize: the options have no route admn; there are admin; did you mean admin?',
  ],
])('%s: a 500 that says why', async (_name, middleware, fault) => {
  expect(await answer(...middleware())).toEqual({ status: 500, fault });
});

it('a handler of publicRoute: at start', () => {
  expect(() => Reflect.apply(publicRoute, undefined, [() => {}])).toThrow(
    'publicRoute: expected no argument, got a function; register the handler behind it',
  );
});

it('a misspelt route in requireClaims: the report finds it at start', () => {
  const app = new Koa();
  const router = new Router();
  router.get('/', requireClaims(route('admn')));
  app.use(authenticate(optionsOf())).use(router.routes());
  expect(() => routes(app)).toThrow(
    'GET /: expected a route of the options, got route admn; there are admin; did you mean admin?',
  );
});

it('two objects of rules: at start', () => {
  expect(() => requireClaims({ scope: 'read' }, { roles: 'admin' } as never)).toThrow(
    'requireClaims: expected a handler as the second argument, got an object; put all rules into one object',
  );
});
