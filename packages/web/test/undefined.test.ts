// A value that is undefined, by a misspelt name or a missing import, is refused when the handlers
// are made.
import { ConfigError, createAuthenticator, type RouteAccess } from '@latchkey/core';
import { generateSigningKey } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import {
  createGuard,
  healthCheck,
  publishKeys,
  publishResource,
  receiveEvents,
  recentDecisions,
  signResponse,
  withAuth,
} from '../src/index.ts';

const { publicJwk } = await generateSigningKey();
const options = { keySets: [{ issuer: 'i', jwks: { keys: [publicJwk] } }], audience: null };
const guard = createGuard(options);
const ok = () => new Response('ok');
const access = (given: object) => given as RouteAccess;
const request = new Request('http://localhost/');

describe('undefined is a ConfigError', () => {
  it.each<[title: string, build: () => unknown]>([
    ['options', () => createGuard(undefined as never)],
    ['an option', () => createGuard({ ...options, issuers: undefined } as never)],
    ['access', () => withAuth(guard, ok, undefined as never)],
    ['access of for', () => guard.for(undefined as never)],
    ['access to an authenticator', () => createGuard(createAuthenticator(options)).for(undefined as never)],
    ['claims', () => withAuth(guard, ok, access({ claims: undefined }))],
    ['issuers', () => withAuth(guard, ok, access({ issuers: undefined }))],
    ['mode', () => guard.for(access({ mode: undefined }))],
    ['a rule', () => guard.for(access({ claims: { roles: undefined } }))],
    ['a handler', () => withAuth(guard, undefined as never)],
    ['a guard', () => withAuth(undefined as never, ok)],
    ['a signer', () => publishKeys(undefined as never)],
    ['a receiver', () => receiveEvents(undefined as never)],
    ['an authenticator', () => publishResource(undefined as never)],
    ['an authenticator of a health check', () => healthCheck(undefined as never)],
    ['no authenticator of a health check', () => healthCheck()],
    ['readers of decisions', () => recentDecisions(undefined as never)],
    ['a guard of decisions', () => recentDecisions({ scope: 'a' }, undefined as never)],
    ['options of a signer', () => signResponse(undefined as never)],
  ])('%s', (_, build) => {
    expect(build).toThrow(ConfigError);
  });

  it('access of one call rejects, and lets nothing pass', async () => {
    await expect(guard(request, undefined as never)).rejects.toThrow(ConfigError);
    await expect(guard(request, access({ claims: undefined }))).rejects.toThrow(ConfigError);
  });

  it.each([[undefined], [{ url: '/x', headers: {} }], ['http://localhost/'], [null]])(
    'a guard that is called with %j, which is no Request, rejects',
    async (given) => {
      await expect(guard(given as never)).rejects.toThrow('guard: expected a web-standard Request');
    },
  );

  it('functions that are given a request are not called yet', () => {
    expect(() => createGuard(request as never)).toThrow('got a request; call createGuard');
    expect(() => signResponse(request as never)).toThrow('got a request; call signResponse');
    expect(() => publishKeys(request as never)).toThrow('got a request; call publishKeys');
  });
});
