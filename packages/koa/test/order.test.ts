// Mistakes in the order and in the arguments of middleware: each is found when it is written, or at
// the first request as a fault of the service, and never as a refusal of the client.
import type { AddressInfo } from 'node:net';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import Koa from 'koa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { authenticate, requireClaims, route } from '../src/index.ts';

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

it('two objects of rules: at start', () => {
  expect(() => requireClaims({ scope: 'read' }, { roles: 'admin' } as never)).toThrow(
    'requireClaims: expected a handler as the second argument, got an object; put all rules into one object',
  );
});
