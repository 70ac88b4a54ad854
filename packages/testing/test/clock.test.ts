// What a test's clock does to the keys of an authenticator: no sleeping, and real requests.
import { createAuthenticator, isAuthError } from '@latchkey/core';
import { expect, it } from 'vitest';
import { createClock, createIssuer } from '../src/index.ts';

async function start() {
  const clock = createClock();
  const issuer = await createIssuer({ clock });
  const authenticator = createAuthenticator(issuer.options);
  const codeOf = async (token: string) => {
    try {
      await authenticator.verify(token);
      return 'accepted';
    } catch (error) {
      return isAuthError(error) ? error.code : error;
    }
  };
  const stop = async () => {
    await authenticator.close();
    await issuer.close();
  };
  return { clock, issuer, authenticator, codeOf, stop };
}

it('advance ends the pause between two readings for an unknown kid', async () => {
  const { clock, issuer, codeOf, stop } = await start();
  expect(await codeOf(await issuer.mint())).toBe('accepted');
  await issuer.rotate();
  expect(await codeOf(await issuer.mint())).toBe('accepted');
  await issuer.rotate();
  expect(await codeOf(await issuer.mint())).toBe('token_key_unknown');
  clock.advance(10_000);
  expect(await codeOf(await issuer.mint())).toBe('accepted');
  expect(issuer.requests.jwks).toBe(3);
  await stop();
});

it('advance ends the pause after a failed reading', async () => {
  const { clock, issuer, authenticator, codeOf, stop } = await start();
  issuer.fail({ kind: 'status', status: 500 });
  expect(await codeOf(await issuer.mint())).toBe('keyset_unavailable');
  issuer.fail();
  clock.set(clock.now() + 30_000);
  expect(await codeOf(await issuer.mint())).toBe('keyset_unavailable');
  clock.advance(30_000);
  expect(await codeOf(await issuer.mint())).toBe('accepted');
  expect(authenticator.report().keysets[0]).toMatchObject({ state: 'fresh', failures: 0 });
  await stop();
});

it('ready() tries again after advance', async () => {
  const { clock, issuer, authenticator, stop } = await start();
  issuer.fail({ kind: 'status', status: 500 });
  await expect(authenticator.ready()).rejects.toThrow('tried once');
  issuer.fail();
  clock.advance(30_000);
  await authenticator.ready();
  await stop();
});

it('advance makes keys as old as it says: a key that was removed is refused', async () => {
  const { clock, issuer, codeOf, stop } = await start();
  const token = await issuer.mint({ exp: Math.floor(clock.now() / 1000) + 86_400 });
  expect(await codeOf(token)).toBe('accepted');
  await issuer.rotate({ keepOld: false });
  clock.advance(3_600_000);
  expect(await codeOf(token)).toBe('token_key_unknown');
  await stop();
});

it('monotonic time does not go back', () => {
  const clock = createClock();
  clock.advance(5_000);
  const before = clock.monotonic();
  clock.advance(-60_000);
  clock.set(0);
  expect(clock.monotonic()).toBeGreaterThanOrEqual(before);
  expect(clock.now()).toBe(0);
});

it.each([[{ now: () => 0, monotonic: 5 }], [{ now: () => 0, monotonic: () => Number.NaN }]])(
  'a clock whose monotonic is not a function that returns milliseconds is refused',
  (clock) => {
    const options = { keySets: [{ issuer: 'https://i.example', useOidcDiscovery: true }], audience: 'a' };
    expect(() => createAuthenticator({ ...options, clock } as never)).toThrow(
      'clock.monotonic: expected a function that returns milliseconds',
    );
  },
);
