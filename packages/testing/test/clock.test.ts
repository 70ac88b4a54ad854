// What a test's clock does to the keys of an authenticator: no sleeping, and real requests.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthenticator, createMemoryStore, type GroupResolver, isAuthError } from '@latchkey/core';
import { createServiceFetch, createSigner } from '@latchkey/core/signing';
import { expect, it } from 'vitest';
import { createClock, createIssuer, generateSigningKey } from '../src/index.ts';

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

it('advance ends the pause of remote after failures', async () => {
  let status = 500;
  let requests = 0;
  const server = createServer((_request, response) => {
    requests++;
    response.writeHead(status, { 'Content-Type': 'application/json' }).end('{"sub":"alice"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const clock = createClock();
  const authenticator = createAuthenticator({
    keySets: [],
    audience: null,
    remote: { url: `http://127.0.0.1:${port}/`, cacheFor: '5m' },
    clock,
  });
  const codeOf = (token: string) =>
    authenticator.verify(token).then(
      () => 'accepted',
      (error) => error.code,
    );
  // Each failure counts once for its token.
  for (const token of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) await codeOf(token);
  expect(requests).toBe(5);
  status = 200;
  expect(await codeOf('h')).toBe('remote_unavailable');
  clock.advance(1_000);
  expect(await codeOf('h')).toBe('accepted');
  await authenticator.close();
  await new Promise((resolve) => server.close(resolve));
});

it('advance ends the pause of groups after failures', async () => {
  const clock = createClock();
  const issuer = await createIssuer({ clock });
  let isDown = true;
  let asked = 0;
  const directory: GroupResolver = {
    description: 'directory',
    async resolve() {
      asked++;
      if (isDown) throw new Error('down');
      return ['dev'];
    },
  };
  const authenticator = createAuthenticator({ ...issuer.options, groups: { directory, cacheFor: '5m' } });
  const token = await issuer.mint({ exp: Math.floor(clock.now() / 1000) + 86_400 });
  const groupsOf = () =>
    authenticator.verify(token).then(
      ({ groups }) => groups,
      (error) => error.code,
    );
  for (let failure = 0; failure < 7; failure++) await groupsOf();
  expect(asked).toBe(5);
  isDown = false;
  expect(await groupsOf()).toBe('groups_unavailable');
  clock.advance(1_000);
  expect(await groupsOf()).toEqual(['dev']);
  await authenticator.close();
  await issuer.close();
});

it('advance ends the pause of a signer after a failed reading', async () => {
  const clock = createClock();
  const secrets = createMemoryStore();
  // A store that does not tell of changes.
  const store = { description: 'test', read: secrets.read };
  const signer = createSigner({ secret: { name: 's' }, secrets: store, expiresIn: '1m', clock });
  await expect(signer.sign({})).rejects.toThrow('no usable keys');
  const { privateKey, kid } = await generateSigningKey('ES256', 'one');
  const jwk = { ...privateKey.export({ format: 'jwk' }), kid };
  secrets.set({ name: 's', key: 'jwks.json' }, JSON.stringify({ keys: [jwk] }));
  await expect(signer.sign({})).rejects.toThrow('no usable keys');
  clock.advance(30_000);
  expect(await signer.sign({})).toMatch(/^eyJ/);
  await signer.close();
});

it('advance ends the pause of a service token after a failed reading', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-clock-'));
  const clock = createClock();
  const issuer = await createIssuer({ clock });
  const file = join(folder, 'token');
  const calls = createServiceFetch({
    tokens: [{ file, audience: issuer.audience, hosts: ['friends.internal'] }],
    clock,
  });
  await expect(calls.ready()).rejects.toThrow('the file does not exist');
  await writeFile(file, await issuer.mint());
  await expect(calls.ready()).rejects.toThrow('the file does not exist');
  clock.advance(1_000);
  await calls.ready();
  calls.close();
  await issuer.close();
  await rm(folder, { recursive: true });
});
