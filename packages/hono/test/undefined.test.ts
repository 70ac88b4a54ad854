// A value that is undefined, by a misspelt name or a missing import, is refused when the
// application is made; and so is a function that is registered without a call.
import { ConfigError, createAuthenticator, type RouteAccess } from '@latchkey/core';
import { generateSigningKey } from '@latchkey/testing';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { describe, expect, it } from 'vitest';
import {
  authenticate,
  healthCheck,
  publicRoute,
  publishKeys,
  publishResource,
  receiveEvents,
  recentDecisions,
  requireClaims,
  routes,
  signResponse,
} from '../src/index.ts';

const { publicJwk } = await generateSigningKey();
const options = { keySets: [{ issuer: 'i', jwks: { keys: [publicJwk] } }], audience: null };
const access = (given: object) => given as RouteAccess;

describe('undefined is a ConfigError', () => {
  it.each<[title: string, build: () => unknown]>([
    ['options', () => authenticate(undefined as never)],
    ['an option', () => authenticate({ ...options, issuers: undefined } as never)],
    ['access', () => authenticate(options, undefined as never)],
    ['access to an authenticator', () => authenticate(createAuthenticator(options), undefined as never)],
    ['claims', () => authenticate(options, access({ claims: undefined }))],
    ['mode', () => authenticate(options, access({ mode: undefined }))],
    ['rules', () => requireClaims(undefined as never)],
    ['a handler next to rules', () => requireClaims({ scope: 'a' }, undefined as never)],
    ['a rule', () => requireClaims({ roles: undefined } as never)],
    ['a signer', () => publishKeys(undefined as never)],
    ['a receiver', () => receiveEvents(undefined as never)],
    ['an authenticator', () => publishResource(undefined as never)],
    ['an authenticator of a health check', () => healthCheck(undefined as never)],
    ['no authenticator of a health check', () => healthCheck()],
    ['readers of decisions', () => recentDecisions(undefined as never)],
    ['options of a signer', () => signResponse(undefined as never)],
    ['an application', () => routes(undefined as never)],
    ['options of the route report', () => routes(new Hono(), undefined as never)],
  ])('%s', (_, build) => {
    expect(build).toThrow(ConfigError);
  });
});

it.each([
  authenticate,
  requireClaims,
  signResponse,
  publishKeys,
  publicRoute,
  publishResource,
  receiveEvents,
])('%o, registered without a call, lets no request pass', async (factory) => {
  const faults: unknown[] = [];
  const app = new Hono();
  app.onError((error, c) => {
    faults.push(error);
    return c.text('failed', 500);
  });
  app.use(factory as unknown as MiddlewareHandler);
  app.get('/', (c: Context) => c.text('handled'));
  expect((await app.request('/')).status).toBe(500);
  expect(faults).toEqual([expect.any(ConfigError)]);
  if (factory !== publishResource) expect(String(faults[0])).toContain(`got a request; call ${factory.name}`);
});

it('requireClaims before authenticate is a fault of the service', async () => {
  const faults: Error[] = [];
  const app = new Hono();
  app.onError((error, c) => {
    faults.push(error);
    return c.text('failed', 500);
  });
  app.get('/', requireClaims({ scope: 'a' }), (c) => c.text('handled'));
  expect((await app.request('/')).status).toBe(500);
  expect(faults.map(({ message }) => message)).toEqual([
    'requireClaims: expected an authenticated request, got one before authenticate; register authenticate first',
  ]);
});
