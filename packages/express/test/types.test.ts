// Handlers behind requireClaims are typed by its rules, without augmentation. tsc checks the types,
// and each test also runs.
import { ConfigError, createAuthenticator, type Principal, type Rules } from '@latchkey/core';
import { createClock, generateSigningKey, mint } from '@latchkey/testing';
import express, { type RequestHandler } from 'express';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { allOf, authenticate, optional, requireClaims } from '../src/index.ts';

const NOW = 1_700_000_000;

/** Sends a request with a token of these claims to the handler, and returns the status. */
async function run(handler: RequestHandler): Promise<number> {
  const key = await generateSigningKey();
  const authenticator = createAuthenticator({
    keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
    audience: null,
    clock: createClock(NOW * 1000),
  });
  const token = await mint(key, { iss: 'i', exp: NOW + 300, sub: 'alice', roles: ['admin'], dept: 'IT' });
  const app = express();
  app.set('env', 'test');
  app.use(authenticate(authenticator));
  app.get('/', handler);
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  try {
    const { port } = server.address() as { port: number };
    const answer = await fetch(`http://127.0.0.1:${port}/`, {
      headers: { authorization: `Bearer ${token}` },
    });
    await answer.text();
    return answer.status;
  } finally {
    server.close();
  }
}

describe('AK-42: types of handlers', () => {
  it('AK-42: claims are typed by the rules', async () => {
    const seen: unknown[] = [];
    const handler = requireClaims({ roles: allOf('admin'), bldg: optional(4) }, (request, response) => {
      expectTypeOf(request.auth.claims.roles).toEqualTypeOf<readonly string[]>();
      expectTypeOf(request.auth.claims.bldg).toEqualTypeOf<4 | undefined>();
      expectTypeOf(request.auth.claims.other).toEqualTypeOf<unknown>();
      expectTypeOf(request.auth.subject).toEqualTypeOf<string | undefined>();
      expectTypeOf(request.params).not.toBeNever();
      seen.push(request.auth.claims.roles.join(), request.auth.claims.bldg);
      response.sendStatus(204);
    });
    expectTypeOf(handler).toEqualTypeOf<RequestHandler>();
    expect(await run(handler)).toBe(204);
    expect(seen).toEqual(['admin', undefined]);
  });

  it('AK-42: requireClaims without a handler returns a handler', async () => {
    const handler = requireClaims({ dept: 'HR' });
    expectTypeOf(handler).toEqualTypeOf<RequestHandler>();
    expect(await run(handler)).toBe(403);
  });

  it('AK-42: the types of Express are not augmented', async () => {
    const handler: RequestHandler = (request, response) => {
      // @ts-expect-error Express's own request has no auth
      const auth: Principal = request.auth;
      response.sendStatus(auth.subject === 'alice' ? 204 : 500);
    };
    expect(await run(handler)).toBe(204);
  });

  it('AK-42: wrong use does not compile', async () => {
    const handler = requireClaims({ dept: 'IT', roles: allOf('admin') }, (request, response) => {
      // @ts-expect-error a list is not a text
      const text: string = request.auth.claims.roles;
      // @ts-expect-error nothing is known of it
      const other: string = request.auth.claims.other;
      const { auth } = request;
      response.status(text.length === 1 && other === undefined && auth !== undefined ? 204 : 500).end();
    });
    expect(await run(handler)).toBe(204);
  });

  it('AK-42: the principal cannot be replaced', async () => {
    const handler = requireClaims({ dept: 'IT' }, (request, response) => {
      // @ts-expect-error claims are read-only
      const write = () => (request.auth.claims.dept = 'HR');
      response.sendStatus(typeof write === 'function' ? 204 : 500);
    });
    expect(await run(handler)).toBe(204);
  });

  it('T-056: wrong rules do not compile, and are refused at once', () => {
    // @ts-expect-error no such form
    expect(() => requireClaims({ dept: { oneOf: ['IT'] } })).toThrow(ConfigError);
    // @ts-expect-error undefined is no rule
    expect(() => requireClaims({ dept: undefined })).toThrow(ConfigError);
    expect(() => requireClaims([] as Rules)).toThrow(ConfigError);
    // @ts-expect-error options need an audience
    expect(() => authenticate({ keySets: [{ jwksUrl: 'https://a.example/jwks.json' }] })).toThrow(
      ConfigError,
    );
  });
});
