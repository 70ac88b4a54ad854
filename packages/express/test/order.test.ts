// Mistakes in the order and in the arguments of middleware: each is found when it is written, or at
// the first request as a fault of the service, and never as a refusal of the client.
import type { AddressInfo } from 'node:net';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import {
  authenticate,
  createAuthenticator,
  publicRoute,
  publishKeys,
  receiveEvents,
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
  routes: { admin: { claims: { roles: ['admin'] } }, billing: { claims: { roles: ['billing'] } } },
});

/** The status and the fault of a request with a good token. */
async function answer(app: Express): Promise<{ status: number; fault: string | undefined }> {
  let fault: string | undefined;
  app.use(((error, _request, response, _next) => {
    fault = error.message;
    response.status(error.status ?? 500).end();
  }) satisfies ErrorRequestHandler);
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const headers = { authorization: `Bearer ${await issuer.mint()}` };
  const { status } = await fetch(`http://127.0.0.1:${port}/`, { headers });
  server.close();
  return { status, fault };
}

it('app.use(authenticate) without a call', async () => {
  const app = express();
  app.use(authenticate as never);
  expect(await answer(app)).toEqual({
    status: 500,
    fault:
      'authenticate: expected options, such as { keySets, audience }, got a request; call authenticate where it is registered',
  });
});

it.each<readonly [string, unknown, string]>([
  ['requireClaims', requireClaims, "rules, such as { scope: 'read' }"],
  ['publicRoute', publicRoute, 'no argument'],
  ['publishKeys', publishKeys, 'a signer'],
  ['receiveEvents', receiveEvents, 'a receiver'],
  ['signResponse', signResponse, 'options, such as { signer, keysToSign }'],
])('%s without a call', async (name, handler, expected) => {
  const app = express();
  app.use(authenticate(optionsOf()), handler as RequestHandler);
  expect(await answer(app)).toEqual({
    status: 500,
    fault: `${name}: expected ${expected}, got a request; call ${name} where it is registered`,
  });
});

it('requireClaims before authenticate', async () => {
  const app = express();
  app.use(requireClaims({}), authenticate(optionsOf()), (_request, response) => {
    response.sendStatus(204);
  });
  expect(await answer(app)).toEqual({
    status: 500,
    fault:
      'requireClaims: expected an authenticated request, got one before authenticate; register authenticate first',
  });
});

it('a misspelt route in requireClaims is found by the report at start', () => {
  const app = express();
  app.use(authenticate(optionsOf()));
  app.get('/', requireClaims(route('admn')));
  expect(() => routes(app)).toThrow(
    'GET /: expected a route of the options, got route admn; there are admin, billing; did you mean admin?',
  );
});

it('a misspelt route in requireClaims is found by the first request to any route', async () => {
  const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  onTestFinished(() => warnings.mockRestore());
  const app = express();
  app.use(authenticate(optionsOf()));
  app.get('/', (_request, response) => {
    response.sendStatus(204);
  });
  app.get('/admin', requireClaims(route('admn')));
  expect(await answer(app)).toEqual({ status: 204, fault: undefined });
  expect(warnings.mock.calls.map(([text]) => text)).toEqual([
    'GET /admin: expected a route of the options, got route admn; there are admin, billing; did you mean admin?',
  ]);
});

it('a misspelt route in requireClaims names the routes that there are', async () => {
  const app = express();
  app.use(authenticate(optionsOf()), requireClaims(route('admn')));
  expect(await answer(app)).toEqual({
    status: 500,
    fault: 'authorize: the options have no route admn; there are admin, billing; did you mean admin?',
  });
});

it.each<readonly [string, () => unknown, string]>([
  [
    'a misspelt route',
    () => authenticate(optionsOf(), { claims: route('admn') }),
    'access.claims: expected a route of the options, got route admn; there are admin, billing; did you mean admin?',
  ],
  [
    'no options',
    () => Reflect.apply(authenticate, undefined, []),
    'options: expected options, such as { keySets, audience }, got undefined',
  ],
  [
    'undefined options',
    () => authenticate(undefined as never),
    'options: expected options, such as { keySets, audience }, got undefined',
  ],
  [
    'a third argument of authenticate',
    () => Reflect.apply(authenticate, undefined, [createAuthenticator(optionsOf()), {}, {}]),
    'authenticate: expected options and access, got 3 arguments',
  ],
  [
    'two objects of rules',
    () => requireClaims({ scope: 'read' }, { roles: 'admin' } as never),
    'requireClaims: expected a handler as the second argument, got an object; put all rules into one object',
  ],
  [
    'a handler of publicRoute',
    () => Reflect.apply(publicRoute, undefined, [() => {}]),
    'publicRoute: expected no argument, got a function; register the handler behind it',
  ],
  [
    'two handlers',
    () => Reflect.apply(requireClaims, undefined, [{ scope: 'read' }, () => {}, () => {}]),
    'requireClaims: expected one handler, got 2; register the others behind it',
  ],
  [
    'rules next to access',
    () => authenticate(optionsOf(), { scope: 'read' } as never),
    "access.scope: unknown option; expected one of claims, mode, enforce, issuers, audience, resource, actors, dpop, mutualTls, senderConstrained, acr, maxAge; rules are in claims: { claims: { scope: 'read' } }",
  ],
])('%s: at start', (_name, act, message) => {
  expect(act).toThrow(expect.objectContaining({ name: 'ConfigError', message }));
});
