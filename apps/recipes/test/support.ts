// An issuer and an authenticator for each test, servers that end with it, and authenticators that
// break.
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Authenticator, createAuthenticator, type Principal } from '@latchkey/core';
import { createClock, createIssuer, type TestClock, type TestIssuer } from '@latchkey/testing';
import { createGuard, type Guard } from '@latchkey/web';
import { serve } from 'srvx';
import { afterEach, beforeEach, vi } from 'vitest';

export let clock: TestClock;
export let issuer: TestIssuer;
export let authenticator: Authenticator;
const ends: (() => unknown)[] = [];

beforeEach(async () => {
  clock = createClock();
  issuer = await createIssuer({ clock });
  authenticator = createAuthenticator(issuer.options);
  // Recipes log faults.
  vi.spyOn(console, 'error').mockImplementation(() => {});
});

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
  await authenticator.close();
  await issuer.close();
  vi.restoreAllMocks();
});

/** Calls back after the test, the last one first. */
export function atEnd(end: () => unknown): void {
  ends.push(end);
}

/** Listens on a free port. Returns the URL. */
export async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Serves a handler of web-standard requests. Returns the URL. */
export async function serveFetch(fetch: (request: Request) => Response | Promise<Response>): Promise<string> {
  const server = serve({ fetch, port: 0, hostname: '127.0.0.1', silent: true });
  await server.ready();
  atEnd(() => server.close(true));
  return String(server.url).replace(/\/$/, '');
}

/** Authenticators that break their contract, or whose parts fail. */
export const FAULTS = {
  rejects: { authenticate: () => Promise.reject(new TypeError('a secret fault')) },
  throws: {
    authenticate: () => {
      throw new TypeError('a secret fault');
    },
  },
} as const;

/** Guards of authenticators that break. */
export function brokenGuards(): readonly Guard<Principal>[] {
  return Object.values(FAULTS).map(({ authenticate }) =>
    createGuard<Authenticator>({ ...authenticator, authenticate, decide: authenticate }),
  ) as readonly Guard<Principal>[];
}

/** Tokens that are refused, and the code of each. */
export async function badTokens(): Promise<readonly (readonly [token: string, code: string])[]> {
  const seconds = Math.floor(clock.now() / 1000);
  return [
    ['x', 'token_malformed'],
    [await issuer.mint({ aud: 'other' }), 'token_audience_mismatch'],
    [await issuer.mint({ exp: seconds - 60 }), 'token_expired'],
  ];
}
