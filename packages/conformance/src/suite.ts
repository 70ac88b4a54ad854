// Runs every case against one adapter, over real HTTP, and fails a case that leaves anything behind.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  AuthError,
  type Authenticator,
  type AuthenticatorOptions,
  createAuthenticator,
} from '@latchkey/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cases, type Variant } from './cases.ts';
import { type Exchange, exchange, headerValues } from './exchange.ts';
import { type Route, routes } from './routes.ts';
import { canary, createWorld, type TokenName, tokens, type World } from './tokens.ts';

/** What an adapter is asked to serve. */
export interface Harness {
  readonly authenticator: Authenticator;
  /** Public routes come first: an adapter that authenticates what follows can serve them in this order. */
  readonly routes: readonly Route[];
}

/** Builds an application of one framework that serves the harness, and gives its Node request listener. */
export type BuildListener = (harness: Harness) => RequestListener | Promise<RequestListener>;

const REALM = 'friends "and" messages';

/** Declares the conformance suite for one adapter. Call it from a test file of the adapter's package. */
export function describeAdapter(name: string, build: BuildListener): void {
  describe(`conformance: ${name}`, () => {
    let world: World;
    const faults: unknown[] = [];
    const handled: string[] = [];
    const served = new Map<Variant, { readonly port: number; readonly openRequests: () => Promise<void> }>();
    const closers: (() => Promise<void>)[] = [];
    const noteFault = (fault: unknown) => faults.push(fault);

    beforeAll(async () => {
      process.on('unhandledRejection', noteFault);
      world = await createWorld();
      for (const variant of Object.keys(VARIANTS) as Variant[]) {
        const authenticator = authenticatorFor(world, variant);
        const observed = routes.map((route) => ({
          ...route,
          handle: (...args: Parameters<Route['handle']>) => {
            handled.push(route.path);
            return route.handle(...args);
          },
        }));
        const server = await listen(await build({ authenticator, routes: observed }));
        served.set(variant, server);
        closers.push(server.close, () => authenticator.close());
      }
    });

    afterAll(async () => {
      for (const close of closers) await close();
      await world.close();
      process.off('unhandledRejection', noteFault);
    });

    beforeEach(() => {
      faults.length = 0;
      handled.length = 0;
    });

    it.each(cases)(
      '$name',
      async ({ authenticator = 'strict', method = 'GET', path, headers = [], expect: expected }) => {
        const server = served.get(authenticator);
        if (server === undefined) throw new Error(`no server for ${authenticator}`);
        const used = new Map<string, string>();
        const written: [string, string][] = [];
        for (const [header, value] of headers) written.push([header, await fill(value, world, used)]);
        const answer = await exchange({
          port: server.port,
          method,
          path: await fill(path, world, used),
          headers: written,
        });
        await server.openRequests();

        if ('code' in expected) {
          const realm = authenticator === 'realm' ? REALM : undefined;
          expectRefusal(answer, new AuthError(expected.code, { realm, scope: expected.scope }));
          expect(handled, 'handlers that ran').toEqual([]);
          expectNoTokenData(answer, [...used.values()]);
        } else {
          expect(answer.status).toBe(expected.status);
          expect(handled.length, 'handlers that ran').toBe((expected.handled ?? true) ? 1 : 0);
          for (const [header, value] of Object.entries(expected.headers ?? {})) {
            expect(headerValues(answer, header), header).toEqual([value]);
          }
          if (expected.body !== undefined) expect(JSON.parse(answer.body)).toMatchObject(expected.body);
        }
        expect(faults, 'unhandled rejections').toEqual([]);
      },
    );

    it('T-102: principals of concurrent requests do not cross', async () => {
      const port = served.get('strict')?.port ?? 0;
      const subjects = await Promise.all(
        Array.from({ length: 200 }, async (_, index) => {
          const token = await world.trusted.mint({ sub: `user-${index}` });
          const headers = [['Authorization', `Bearer ${token}`]] as const;
          return JSON.parse((await exchange({ port, method: 'GET', path: '/token', headers })).body).subject;
        }),
      );
      expect(subjects).toEqual(Array.from({ length: 200 }, (_, index) => `user-${index}`));
    });
  });
}

const VARIANTS: { readonly [Name in Variant]: Partial<AuthenticatorOptions> } = {
  strict: {},
  optional: { mode: 'optional' },
  permissive: { mode: 'permissive' },
  realm: { realm: REALM },
  carriers: {
    tokenFrom: [
      { header: 'Authorization' },
      { header: 'X-Token' },
      { header: 'X-Scheme', scheme: 'Token' },
      { cookie: 'token', allowedOrigins: ['https://app.example.com'] },
      { query: 'access_token' },
    ],
  },
  nested: { nestedClaimDelimiter: '.' },
  profile: { profile: 'at+jwt' },
};

function authenticatorFor({ trusted, down }: World, variant: Variant): Authenticator {
  return createAuthenticator({
    keySets: [
      { issuer: trusted.issuer, useOidcDiscovery: true, allowHttp: true },
      { issuer: down.issuer, jwksUrl: down.jwksUrl, allowHttp: true },
    ],
    audience: trusted.audience,
    ...VARIANTS[variant],
  });
}

/** Puts tokens in the place of their names: the same one for the same name within a request. */
async function fill(value: string, world: World, used: Map<string, string>): Promise<string> {
  let filled = value;
  for (const [placeholder, name = ''] of value.matchAll(/\{([^}]+)\}/g)) {
    const token = used.get(name) ?? (await tokens[name as TokenName](world));
    used.set(name, token);
    filled = filled.replace(placeholder, token);
  }
  return filled;
}

/** The status and every header that the error says; how the body is worded is the framework's. */
function expectRefusal(answer: Exchange, error: AuthError): void {
  expect({ status: answer.status, challenge: headerValues(answer, 'WWW-Authenticate') }).toEqual({
    status: error.status,
    challenge: 'WWW-Authenticate' in error.headers ? [error.headers['WWW-Authenticate']] : [],
  });
  expect(headerValues(answer, 'Cache-Control')).toEqual(['no-store']);
  if (error.status === 503) expect(Number(headerValues(answer, 'Retry-After')[0])).toBeGreaterThan(0);
}

/** T-087: nothing of a token comes back, neither a segment of it nor a claim in clear. */
function expectNoTokenData(answer: Exchange, used: readonly string[]): void {
  expect(answer.raw).not.toContain(canary);
  for (const segment of used.flatMap((token) => token.split('.')).filter(({ length }) => length > 8)) {
    expect(answer.raw).not.toContain(segment);
  }
}

async function listen(listener: RequestListener) {
  const open = new Set<Promise<void>>();
  const server: Server = createServer((request, response) => {
    const closed = new Promise<void>((resolve) => {
      response.on('close', resolve);
    });
    open.add(closed);
    closed.then(() => open.delete(closed));
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    /** Resolves when no request is open. A case that leaves one open runs into the test's timeout. */
    openRequests: async () => {
      await Promise.all(open);
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
