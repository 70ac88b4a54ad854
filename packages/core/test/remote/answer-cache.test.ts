// The cache of answers, and an endpoint that is down: how often it is asked.
import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { LRUCache } from 'lru-cache';
import { describe, expect, it, vi } from 'vitest';
import type { Authenticator } from '../../src/decision/authenticator.ts';
import type { JsonValue } from '../../src/values/json.ts';
import { weigh } from '../../src/values/weigh.ts';
import { collectGarbage } from '../support/garbage.ts';
import { alone, ask, clock, endpoint, holdAges, jwt, NOW, serve, UNAVAILABLE } from './endpoints.ts';

describe('row 153: the cache of answers', () => {
  it('uses an answer again for cacheFor, and not longer', async () => {
    const advance = holdAges();
    const remote = await endpoint();
    const authenticator = alone({ url: remote.url, cacheFor: '10s' });
    await authenticator.verify('t');
    for (let second = 0; second < 10; second++) {
      expect(await authenticator.verify('t')).toMatchObject({ subject: 'alice' });
      advance(1_000);
    }
    expect(remote.asked).toHaveLength(1);
    advance(2);
    remote.says = { status: 401 };
    expect(await ask(authenticator)).toBe('401 token_rejected');
    expect(remote.asked).toHaveLength(2);
  });

  it.each<[title: string, answer: object, token: string]>([
    ['the exp of the answer', { exp: NOW + 5 }, 't'],
    ['the exp of the token', {}, jwt({ sub: 'alice', exp: NOW + 5 })],
    ['the exp of the token, if first', { exp: NOW + 60 }, jwt({ sub: 'alice', exp: NOW + 5 })],
    ['the exp of the answer, if first', { exp: NOW + 5 }, jwt({ sub: 'alice', exp: NOW + 60 })],
  ])('ends with %s', async (_, more, token) => {
    const advance = holdAges();
    const remote = await endpoint({ body: { sub: 'alice', ...more } });
    const authenticator = alone({ url: remote.url, cacheFor: '1h' }, { clockSkew: '60s' });
    await authenticator.verify(token);
    advance(5_000);
    await authenticator.verify(token);
    expect(remote.asked).toHaveLength(1);
    advance(2);
    remote.says = { status: 401 };
    expect(await ask(authenticator, token)).toBe('401 token_rejected');
  });

  it('R14: a cached answer is judged again each time, by the wall clock', async () => {
    const remote = await endpoint({ body: { sub: 'alice', exp: NOW + 60 } });
    const authenticator = alone({ url: remote.url, cacheFor: '1h' });
    await authenticator.verify('t');
    clock.advance(65_000);
    expect(await ask(authenticator)).toBe('401 token_expired');
    expect(remote.asked).toHaveLength(1);
  });

  it('an answer whose exp has passed is not kept', async () => {
    const remote = await endpoint({ body: { sub: 'alice', exp: NOW - 2 } });
    const authenticator = alone({ url: remote.url, cacheFor: '1h' });
    await authenticator.verify('t');
    await authenticator.verify('t');
    expect(remote.asked).toHaveLength(2);
  });

  it('neither a refusal nor a failure is kept', async () => {
    const remote = await endpoint();
    const authenticator = alone({ url: remote.url, cacheFor: '1h' });
    for (const says of [{ status: 401 }, { status: 403 }, { status: 400 }, { status: 500 }, { body: '' }]) {
      remote.says = says;
      expect(await ask(authenticator)).not.toBe('accepted');
    }
    expect(remote.asked).toHaveLength(5);
    remote.says = { body: { sub: 'alice' } };
    expect(await ask(authenticator)).toBe('accepted');
  });

  it('compares the whole token', async () => {
    const remote = await endpoint(({ headers }) => ({ body: { sub: headers.authorization ?? '' } }));
    const authenticator = alone({ url: remote.url, cacheFor: '1h' });
    for (const token of ['t', 't=', 't==', 'T', `t${'a'.repeat(500)}`, `t${'a'.repeat(501)}`]) {
      for (let count = 0; count < 2; count++)
        expect(await authenticator.verify(token)).toMatchObject({ subject: `Bearer ${token}` });
    }
    expect(remote.asked).toHaveLength(6);
  });

  it('belongs to one authenticator', async () => {
    const remote = await endpoint();
    const options = { url: remote.url, cacheFor: '1h' };
    await alone(options).verify('t');
    remote.says = { status: 401 };
    expect(await ask(alone(options))).toBe('401 token_rejected');
  });

  it('gives claims that cannot be changed', async () => {
    const remote = await endpoint({ body: { sub: 'alice', roles: ['dev'] } });
    const authenticator = alone({ url: remote.url, cacheFor: '1h' });
    const first = await authenticator.verify('t');
    expect(() => (first.claims.roles as string[]).push('admin')).toThrow(TypeError);
    expect((await authenticator.verify('t')).claims.roles).toEqual(['dev']);
  });

  it('holds a digest, and no part of a token', async () => {
    const written = [vi.spyOn(LRUCache.prototype, 'set'), vi.spyOn(Map.prototype, 'set')];
    const remote = await endpoint();
    const token = `secret-${randomUUID()}`;
    await alone({ url: remote.url, cacheFor: '1h' }).verify(token);
    expect(written[0]?.mock.calls).toHaveLength(1);
    expect(inspect(written[0]?.mock.calls, { depth: 10 })).not.toContain(token);
    // Node lets go of its keys after the call; our keys are digests.
    const keys = written
      .flatMap(({ mock }) => mock.calls)
      .map(([key]) => key)
      .filter((key) => typeof key === 'string');
    expect(keys.filter((key) => key.includes(token))).toEqual([]);
    expect(keys).toContainEqual(expect.stringMatching(/^[\w+/]{43}=$/));
  });

  it('R13: is bounded', async () => {
    const set = vi.spyOn(LRUCache.prototype, 'set');
    const remote = await endpoint();
    await alone({ url: remote.url, cacheFor: '1h' }).verify('t');
    expect(set.mock.contexts.map((cache) => (cache as LRUCache<string, object>).max)).toEqual([10_000]);
  });

  // 30 s: the test fetches 29 MB.
  it('R13: is bounded by bytes too: 600 answers of 49 KiB do not stay', { timeout: 30_000 }, async () => {
    const remote = await endpoint();
    const text = 'x'.repeat(49 * 1024);
    let count = 0;
    remote.says = () => ({ body: { sub: 'alice', text: `${count++}${text}` } });
    const authenticator = alone({ url: remote.url, cacheFor: '1h' });
    const ask = async (index: number) => void (await authenticator.verify(`t${index}`));
    await ask(0);
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let index = 1; index < 600; index++) await ask(index);
    await nextTurn();
    collectGarbage();
    // All 600 answers would take 29 MB.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(22 * 1024 * 1024);
    // The answer that was used last is kept, the first one is not.
    await ask(599);
    expect(remote.asked).toHaveLength(600);
    await ask(0);
    expect(remote.asked).toHaveLength(601);
  });

  it('an answer of many small members weighs as much as they take', () => {
    const parts = JSON.parse(`[${'{},'.repeat(9_999)}{}]`) as JsonValue;
    expect(weigh(parts)).toBeGreaterThan(10_000 * 64);
  });

  it('asks once for the same token in many requests at once', async () => {
    const remote = await endpoint();
    const release = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    remote.says = async () => {
      asked.resolve();
      await release.promise;
      return { body: { sub: 'alice' } };
    };
    const authenticator = alone(remote.url);
    const verdicts = Array.from({ length: 1_000 }, () => authenticator.verify('t'));
    await asked.promise;
    release.resolve();
    const subjects = (await Promise.all(verdicts)).map(({ subject }) => subject);
    expect(new Set(subjects)).toEqual(new Set(['alice']));
    expect(remote.asked).toHaveLength(1);
    await authenticator.verify('t');
    expect(remote.asked).toHaveLength(2);
  });

  it('shares a failure too, and the next request asks again', async () => {
    const remote = await endpoint({ status: 500 });
    const authenticator = alone(remote.url);
    const verdicts = await Promise.all(Array.from({ length: 50 }, () => ask(authenticator)));
    expect(new Set(verdicts)).toEqual(new Set([UNAVAILABLE]));
    expect(remote.asked).toHaveLength(1);
    remote.says = { body: { sub: 'alice' } };
    expect(await ask(authenticator)).toBe('accepted');
  });

  it('is empty after close()', async () => {
    const remote = await endpoint();
    const authenticator = alone({ url: remote.url, cacheFor: '1h' });
    await authenticator.verify('t');
    await authenticator.close();
    expect(await ask(authenticator)).toBe(UNAVAILABLE);
  });
});

describe('R17: an endpoint that is down', () => {
  const askMany = (authenticator: Authenticator, length: number, name = 't') =>
    Promise.all(Array.from({ length }, (_, index) => ask(authenticator, `${name}${index}`)));

  // 30 s: the test sends ten thousand requests.
  it('ten thousand requests while it hangs: each is a 503', { timeout: 30_000 }, async () => {
    let asked = 0;
    const url = await serve(() => {
      asked++;
    });
    const authenticator = alone({ url, timeout: '200ms' });
    const verdicts = new Map<string, number>();
    for (let batch = 0; batch < 10; batch++) {
      for (const code of await askMany(authenticator, 1_000, `t${batch}-`))
        verdicts.set(code, (verdicts.get(code) ?? 0) + 1);
    }
    expect(verdicts).toEqual(new Map([[UNAVAILABLE, 10_000]]));
    expect(asked).toBeLessThanOrEqual(256 + 10);
    expect(authenticator.report().remote).toMatchObject({ state: 'open' });
  });

  it('is asked once a second, and every request passes after the first success', async () => {
    const advance = holdAges();
    const remote = await endpoint({ status: 503 });
    const authenticator = alone(remote.url);
    for (let index = 0; index < 100; index++) expect(await ask(authenticator, `t${index}`)).toBe(UNAVAILABLE);
    expect(remote.asked).toHaveLength(5);
    for (let second = 0; second < 3; second++) {
      advance(1_000);
      expect(new Set(await askMany(authenticator, 50))).toEqual(new Set([UNAVAILABLE]));
    }
    expect(remote.asked).toHaveLength(8);
    remote.says = { body: { sub: 'alice' } };
    expect(await ask(authenticator)).toBe(UNAVAILABLE);
    advance(1_000);
    expect(await ask(authenticator)).toBe('accepted');
    expect(new Set(await askMany(authenticator, 50))).toEqual(new Set(['accepted']));
    expect(authenticator.report().remote).toMatchObject({ state: 'closed', failures: 0 });
  });

  it('a denial is an answer: it closes the breaker', async () => {
    const advance = holdAges();
    const remote = await endpoint({ status: 500 });
    const authenticator = alone(remote.url);
    for (let index = 0; index < 6; index++) await ask(authenticator, `t${index}`);
    expect(authenticator.report().remote).toMatchObject({ state: 'open' });
    advance(1_000);
    remote.says = { status: 401 };
    expect(await ask(authenticator)).toBe('401 token_rejected');
    expect(authenticator.report().remote).toMatchObject({ state: 'closed', failures: 0 });
  });

  it('tokens that are too long for its server do not open the breaker', async () => {
    const remote = await endpoint();
    const authenticator = alone(remote.url, { maxTokenBytes: 65_536 });
    for (let index = 0; index < 10; index++)
      expect(await ask(authenticator, `t${index}`.padEnd(60_000, 'a'))).toBe(UNAVAILABLE);
    expect(remote.asked).toHaveLength(0);
    expect(await ask(authenticator)).toBe('accepted');
  });
});
