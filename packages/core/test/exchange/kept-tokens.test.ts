// Which tokens are used again, by whom and for how long. Against a token endpoint that issues a new
// token each time.

import { seeded } from '@latchkey/test-kit/random';
import { describe, expect, it } from 'vitest';
import type { ExchangeTarget } from '../../src/exchange/target.ts';
import { type Answer, clock, NOW } from '../remote/endpoints.ts';
import {
  ALICE,
  exchanging,
  formOf,
  issued,
  outcomeOf,
  REFUSED,
  refusing,
  subjectOf,
} from './token-servers.ts';

/** An exchange whose tokens are numbered. */
async function numbered(more: object = {}, options: Parameters<typeof exchanging>[1] = {}) {
  let count = 0;
  return exchanging(() => issued({ access_token: `token-${++count}`, ...more }), options);
}

describe('a token is used again', () => {
  it('for the same token of a caller and the same target', async () => {
    const { server, exchange } = await numbered();
    const first = await exchange.tokenFor(ALICE, { scope: 'a b', audience: 'x' });
    expect(await exchange.tokenFor(ALICE, { scope: ['b', 'a', 'a'], audience: ['x'] })).toBe(first);
    expect(server.asked).toHaveLength(1);
    expect(exchange.report().cached).toBe(1);
  });

  it.each<[title: string, target: ExchangeTarget]>([
    ['another audience', { audience: 'y' }],
    ['one audience more', { audience: ['x', 'y'] }],
    ['a resource of the name of the audience', { resource: 'x:y' }],
    ['fewer scopes', { scope: 'a' }],
    ['another scope', { scope: 'a b c' }],
  ])('not for %s', async (_, target) => {
    const { exchange } = await numbered({}, { audience: 'x', scope: 'a b' });
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe('token-1');
    expect(await outcomeOf(exchange.tokenFor(ALICE, target))).toBe('token-2');
  });

  it('not for another caller, nor for the next token of the same one', async () => {
    const { exchange } = await numbered();
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe('token-1');
    expect(await outcomeOf(exchange.tokenFor(subjectOf('bob')))).toBe('token-2');
    expect(await outcomeOf(exchange.tokenFor(subjectOf('alice', { exp: NOW + 3_599 })))).toBe('token-3');
  });

  it.each<[title: string, lifetime: number, used: number]>([
    ['30 s before its end', 600, 570],
    ['for nine tenths of a short life', 100, 90],
  ])('until %s', async (_, expires_in, used) => {
    const { exchange } = await numbered({ expires_in });
    await exchange.tokenFor(ALICE);
    clock.advance(used * 1_000 - 1);
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe('token-1');
    clock.advance(1);
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe('token-2');
  });

  it('its life begins when it is asked for, and not when the answer is here', async () => {
    const { exchange } = await exchanging(() => {
      clock.advance(10_000);
      return issued({ expires_in: 600 });
    });
    expect((await exchange.tokenFor(ALICE)).expiresAt).toBe(NOW + 600);
  });

  it('no longer than the token of its caller', async () => {
    const { server, exchange } = await numbered({ expires_in: 600 });
    const short = subjectOf('alice', { exp: NOW + 60 });
    expect((await exchange.tokenFor(short)).expiresAt).toBe(NOW + 60);
    clock.advance(60_000);
    expect(await outcomeOf(exchange.tokenFor(short))).toBe(REFUSED);
    expect(server.asked).toHaveLength(1);
  });

  it('never, where nothing says how long it is valid', async () => {
    const { exchange } = await numbered({ expires_in: undefined });
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe('token-1');
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe('token-2');
    expect(exchange.report().cached).toBe(0);
  });

  it('never after close', async () => {
    const { exchange } = await numbered();
    await exchange.tokenFor(ALICE);
    await exchange.close();
    expect(exchange.report().cached).toBe(0);
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe('503 exchange_unavailable');
  });
});

it('cacheEntries: the least recently used token is dropped first', async () => {
  const { server, exchange } = await numbered({}, { cacheEntries: 2 });
  const [bob, carol] = [subjectOf('bob'), subjectOf('carol')];
  for (const subject of [ALICE, bob, ALICE, carol, ALICE]) await exchange.tokenFor(subject);
  expect(server.asked).toHaveLength(3);
  expect(exchange.report().cached).toBe(2);
  expect(await outcomeOf(exchange.tokenFor(bob))).toBe('token-4');
});

describe('a refusal is kept for 5 s', () => {
  it('for the same caller and target only', async () => {
    const { server, exchange } = await exchanging(refusing('invalid_grant'));
    for (let index = 0; index < 3; index++) expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe(REFUSED);
    expect(server.asked).toHaveLength(1);
    server.says = issued();
    expect(await outcomeOf(exchange.tokenFor(subjectOf('bob')))).toBe('issued');
    expect(await outcomeOf(exchange.tokenFor(ALICE, { scope: 'a' }))).toBe('issued');
    clock.advance(4_999);
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe(REFUSED);
    clock.advance(1);
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe('issued');
  });

  it('a failure is not', async () => {
    const { server, exchange } = await exchanging({ status: 500 });
    await outcomeOf(exchange.tokenFor(ALICE));
    server.says = issued();
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe('issued');
  });
});

describe('concurrent calls', () => {
  it('for one caller and target are one request', async () => {
    const gate = Promise.withResolvers<Answer>();
    const { server, exchange } = await exchanging(() => gate.promise);
    const all = Array.from({ length: 50 }, () => exchange.tokenFor(ALICE));
    const other = exchange.tokenFor(subjectOf('bob'));
    gate.resolve(issued());
    expect(new Set(await Promise.all(all)).size).toBe(1);
    await other;
    expect(server.asked).toHaveLength(2);
  });

  it('fail together, and the next call tries again', async () => {
    const { server, exchange } = await exchanging({ status: 500 });
    const results = await Promise.allSettled([exchange.tokenFor(ALICE), exchange.tokenFor(ALICE)]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(server.asked).toHaveLength(1);
    server.says = issued();
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe('issued');
  });
});

it('no two callers ever share a token, in any order of calls', async () => {
  // The token of an answer is that of its request: subject, audience, resource and scope.
  const { server, exchange } = await exchanging(
    (asked) => {
      const { subject_token, audience, resource, scope } = formOf(asked);
      const text = JSON.stringify([subject_token, audience, resource, scope]);
      return issued({ access_token: Buffer.from(text).toString('base64url') });
    },
    { cacheEntries: 8, timeout: '30s' },
  );
  const random = seeded(8693);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const subjects = ['alice', 'bob', 'carol', 'a'].map((sub) => subjectOf(sub));
  const values = [undefined, 'a:b', ['a:b'], ['a:b', 'c:d'], ['c:d', 'a:b'], 'a:b c:d'.split(' ')];
  const scopes = [undefined, 'a', 'a b', ['b', 'a'], 'a:b c:d'];
  const call = async () => {
    const subject = pick(subjects);
    const target = Object.fromEntries(
      Object.entries({ audience: pick(values), resource: pick(values), scope: pick(scopes) }).filter(
        ([, value]) => value !== undefined,
      ),
    );
    const { token } = await exchange.tokenFor(subject, target);
    const [sub, audience, resource, scope] = JSON.parse(Buffer.from(token, 'base64url').toString());
    expect(sub).toBe(subject);
    expect([audience].flat()).toEqual([target.audience].flat().map((value) => value ?? null));
    expect([resource].flat()).toEqual([target.resource].flat().map((value) => value ?? null));
    const asked = [target.scope ?? []].flat().flatMap((one) => one.split(' '));
    expect(scope ?? '').toBe([...new Set(asked)].sort().join(' '));
    if (random() < 0.05) clock.advance(100_000);
  };
  // Fewer at a time than an exchange permits.
  for (let batch = 0; batch < 10; batch++) await Promise.all(Array.from({ length: 40 }, call));
  expect(server.asked.length).toBeLessThan(400);
});
