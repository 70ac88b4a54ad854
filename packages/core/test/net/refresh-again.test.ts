// The refresh engine through keysets: refetches for unknown kids, the events, close(), and a wall
// clock that jumps.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { generateSigningKey } from '@latchkey/testing';
import { describe, expect, it, vi } from 'vitest';
import { importJwks } from '../../src/jwk/import-jwks.ts';
import type { LoadedKeys } from '../../src/keysets/refreshed-keyset.ts';
import {
  after,
  createSource,
  fixJitter,
  HEADER,
  HOUR,
  jwks,
  kidsAtOnce,
  kidsOf,
  listening,
  loaded,
  lookedFor,
  MINUTE,
  named,
  onceGood,
  open,
  opened,
  outage,
  PUBLIC,
  pass,
  published,
  refusal,
  SECOND,
  settle,
} from './refreshing.ts';

describe('a refetch for an unknown kid', () => {
  it('finds a key that was published since', async () => {
    let kids = 'a';
    const { source, keyset } = opened((_, signal) => after(SECOND, () => published(kids), signal));
    const ready = keyset.ready();
    await pass(SECOND);
    await ready;
    kids = 'ab';
    const waiting = Array.from({ length: 100 }, () => keyset.refetch(HEADER));
    await pass(SECOND);
    for (const snapshot of await Promise.all(waiting)) expect(kidsOf(snapshot)).toBe('ab');
    expect(source.attempts).toHaveLength(2);
  });

  // 20 s: the test makes 120 000 calls.
  it('T-110, R6: one per 10 s, however often it is asked for', { timeout: 20_000 }, async () => {
    const { source, keyset } = await loaded(() => published('a'));
    for (let elapsed = 0; elapsed < MINUTE; elapsed++) {
      await keyset.refetch(HEADER);
      expect(kidsAtOnce(keyset)).toBe('a');
      await pass(1);
    }
    expect(source.attempts).toEqual(
      [0, 0, 10, 20, 30, 40, 50].map((at) => source.attempts[0]! + at * SECOND),
    );
  });

  it('T-110: the 10 s count from the begin of a refetch, not from its end', async () => {
    const { source, keyset } = opened((_, signal) => after(4 * SECOND, () => published('a'), signal));
    const ready = keyset.ready();
    await pass(4 * SECOND);
    await ready;
    const began = performance.now();
    for (let elapsed = 0; elapsed < 30 * SECOND; elapsed += 100) {
      void keyset.refetch(HEADER);
      await pass(100);
    }
    expect(source.attempts.slice(1).map((at) => at - began)).toEqual([0, 10 * SECOND, 20 * SECOND]);
  });

  it('T-112, R8: a key published during a flood is there within 10 s', async () => {
    let kids = 'a';
    const { source, keyset } = await loaded(() => published(kids));
    for (let elapsed = 0; elapsed < MINUTE; elapsed += 10) {
      if (elapsed === 23_450) kids = 'ab';
      const seen = kidsOf(await keyset.refetch(HEADER));
      if (elapsed >= 23_450 + 10 * SECOND) expect(seen).toBe('ab');
      await pass(10);
    }
    expect(source.attempts.length).toBeLessThanOrEqual(7);
  });

  // 20 s: the test makes 120 000 calls.
  it.each([
    ['widest', 0],
    ['none', 1],
  ])('T-110, R7: no more often while the source fails; jitter %s', { timeout: 20_000 }, async (_, random) => {
    fixJitter(random);
    const { source, keyset } = await loaded(onceGood);
    for (let elapsed = 0; elapsed < MINUTE; elapsed++) {
      expect(await lookedFor(keyset)).toBe('keyset_unavailable');
      expect(kidsAtOnce(keyset)).toBe('a');
      await pass(1);
    }
    expect(source.attempts.length - 1).toBeGreaterThan(1);
    expect(source.attempts.length - 1).toBeLessThanOrEqual(7);
  });

  // 20 s: the test makes 60 000 calls.
  it('R7: no more often for a source that never worked', { timeout: 20_000 }, async () => {
    const { source, keyset } = opened(outage);
    await expect(keyset.ready()).rejects.toThrow();
    for (let elapsed = 0; elapsed < MINUTE; elapsed++) {
      expect(refusal(() => keyset.refetch(HEADER)).code).toBe('keyset_unavailable');
      await pass(1);
    }
    expect(source.attempts.length).toBeLessThanOrEqual(7);
  });

  it('a refetch during a load loads again', async () => {
    let kids = 'a';
    const { source, keyset } = opened(
      async (_, signal) => {
        // A server may have read its keys before the new key was published.
        const read = published(kids);
        return after(2 * SECOND, () => read, signal);
      },
      { refreshIntervalMs: MINUTE },
    );
    const ready = keyset.ready();
    await pass(2 * SECOND);
    await ready;
    await pass(49 * SECOND);
    expect(source.attempts).toHaveLength(2);
    kids = 'ab';
    const look = Promise.resolve(keyset.refetch(HEADER));
    await pass(4 * SECOND);
    expect(kidsOf(await look)).toBe('ab');
    expect(source.attempts).toHaveLength(3);
    expect(source.atOnce).toBe(1);
  });

  it('T-111: a refetch that fails changes no key', async () => {
    const { source, keyset } = await loaded((attempt) => (attempt === 1 ? published('ab') : outage()));
    expect(await lookedFor(keyset)).toBe('keyset_unavailable');
    expect(source.attempts).toHaveLength(2);
    expect(kidsAtOnce(keyset)).toBe('ab');
  });

  it('T-111: an unknown kid is unavailable while the source fails, and unknown when it works', async () => {
    fixJitter(1);
    let down = false;
    const { keyset } = await loaded(() => (down ? outage() : published('a')), { refreshIntervalMs: MINUTE });
    expect(await lookedFor(keyset)).toBe('a');
    down = true;
    await pass(48 * SECOND);
    // The set is fresh within its lifetime, but a key may have been published since.
    expect(keyset.report()).toMatchObject({ state: 'fresh', failures: 1 });
    expect(refusal(() => keyset.refetch(HEADER))).toEqual({ code: 'keyset_unavailable', retryAfter: '1' });
    down = false;
    await pass(SECOND);
    expect(await lookedFor(keyset)).toBe('a');
  });

  it('T-110: no call waits for a refetch while the source fails, also during an attempt', async () => {
    const { source, keyset } = await loaded((attempt, signal) =>
      attempt === 1 ? published('a') : after(5 * SECOND, outage, signal),
    );
    const first = lookedFor(keyset);
    // A known kid does not wait for the refetch.
    expect(kidsAtOnce(keyset)).toBe('a');
    await pass(5 * SECOND);
    expect(await first).toBe('keyset_unavailable');
    for (let elapsed = 0; elapsed < 2 * MINUTE; elapsed += 100) {
      await pass(100);
      expect(refusal(() => keyset.refetch(HEADER)).code).toBe('keyset_unavailable');
      expect(kidsAtOnce(keyset)).toBe('a');
    }
    expect(source.attempts.length).toBeGreaterThan(3);
  });

  it('T-110: a failed refetch counts too: the next begins 10 s later, also if the source is back', async () => {
    const { source, keyset } = await loaded((attempt) => (attempt === 2 ? outage() : published('a')));
    await lookedFor(keyset);
    // The retry after 1 s succeeds, and calls do not make it sooner.
    await pass(2 * SECOND);
    expect(source.attempts).toHaveLength(3);
    for (let elapsed = 2 * SECOND; elapsed < 10 * SECOND; elapsed += 10) {
      expect(kidsAtOnce(keyset, 'refetch')).toBe('a');
      await pass(10);
    }
    expect(source.attempts).toHaveLength(3);
    await keyset.refetch(HEADER);
    expect(source.attempts).toHaveLength(4);
  });
});

describe('events', () => {
  it('key-added, key-removed and key-skipped, each once per change', async () => {
    let set: LoadedKeys = published('ab');
    const { keyset } = opened(() => set, { refreshIntervalMs: MINUTE });
    const about = { keyset: 'keySets[0]', issuer: 'https://issuer.example' };

    expect(named(await listening(() => keyset.ready()), 'key-added')).toEqual([
      { ...about, kid: 'a' },
      { ...about, kid: 'b' },
    ]);

    const same = await listening(() => pass(48 * SECOND));
    expect(same.map(({ name }) => name)).toEqual(['refreshed']);

    // b leaves, c comes, and a is a new key under its old kid.
    set = {
      ...importJwks({ keys: [{ ...jwks[1], kid: 'a' }, jwks[2], null] }, PUBLIC),
      lifetimeMs: undefined,
    };
    const changed = await listening(() => pass(48 * SECOND));
    expect(named(changed, 'key-added')).toEqual([
      { ...about, kid: 'a' },
      { ...about, kid: 'c' },
    ]);
    expect(named(changed, 'key-removed')).toEqual([
      { ...about, kid: 'a' },
      { ...about, kid: 'b' },
    ]);
    expect(named(changed, 'key-skipped')).toEqual([
      { ...about, kid: undefined, reason: 'not a JSON object' },
    ]);
  });

  it('no event holds key material', async () => {
    const rsa = (await generateSigningKey('RS256', 'rsa')).publicJwk;
    const leaked = { ...jwks[0], kid: 'leaked', d: 'c2VjcmV0LXNjYWxhcg' };
    let attempt = 0;
    const { keyset } = opened(
      () => {
        attempt++;
        if (attempt === 2) return outage();
        const keys = attempt === 1 ? [rsa, leaked, ...jwks] : [];
        return { ...importJwks({ keys }, PUBLIC), lifetimeMs: 0 };
      },
      { refreshIntervalMs: MINUTE },
    );
    const told = await listening(async () => {
      await keyset.ready();
      await pass(5 * MINUTE);
    });
    expect(new Set(told.map(({ name }) => name))).toEqual(
      new Set(['refreshed', 'failed', 'key-added', 'key-removed', 'key-skipped']),
    );
    const text = JSON.stringify(told, (_, value) =>
      value instanceof Error ? `${value.stack} ${JSON.stringify(value.cause)}` : value,
    );
    for (const material of [rsa.n, leaked.d, ...jwks.flatMap(({ x, y }) => [x, y])]) {
      expect(material).toEqual(expect.any(String));
      expect(text).not.toContain(material);
    }
    expect(JSON.stringify(keyset.report())).not.toContain(jwks[0]!.x);
  });
});

describe('close()', () => {
  it('R19: stops the load that is under way, and leaves no timer', async () => {
    let stopped = false;
    const { source, keyset } = opened((_, signal) => {
      signal.addEventListener('abort', () => {
        stopped = true;
      });
      return after(HOUR, () => published('a'), signal);
    });
    const waiting = Promise.resolve(keyset.keys(HEADER)).catch((error: unknown) => error);
    await settle();
    await keyset.close();
    expect(stopped).toBe(true);
    expect(source.closed).toBe(1);
    expect(await waiting).toMatchObject({ code: 'keyset_unavailable' });
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ['a success', () => published('a'), undefined],
    ['a failure', outage, 'keyset_unavailable'],
  ])('R19: after %s and close() nothing is read', async (_, answer, code) => {
    const { source, keyset } = opened(answer, { refreshIntervalMs: MINUTE });
    const outcome = await keyset.ready().catch((error) => error.code);
    expect(outcome).toBe(code);
    expect(vi.getTimerCount()).toBe(1);
    const told = await listening(async () => {
      await keyset.close();
      expect(vi.getTimerCount()).toBe(0);
      await pass(HOUR);
    });
    expect(source.attempts).toHaveLength(1);
    expect(told).toEqual([]);
    expect(refusal(() => keyset.keys(HEADER)).code).toBe('keyset_unavailable');
    expect(refusal(() => keyset.refetch(HEADER)).code).toBe('keyset_unavailable');
    await expect(keyset.ready()).rejects.toMatchObject({ code: 'keyset_unavailable' });
    expect(source.attempts).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('R19: a load that ignores the stop and answers changes nothing', async () => {
    const { keyset } = opened(() => after(SECOND, () => published('a')));
    const waiting = Promise.resolve(keyset.keys(HEADER)).catch((error: unknown) => error);
    const told = await listening(async () => {
      const closing = keyset.close();
      await pass(SECOND);
      await closing;
    });
    expect(told).toEqual([]);
    expect(await waiting).toMatchObject({ code: 'keyset_unavailable' });
    expect(keyset.report().state).toBe('empty');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('may be called twice', async () => {
    const keyset = open(createSource(() => published('a')));
    await keyset.ready();
    await Promise.all([keyset.close(), keyset.close()]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('hygiene', () => {
  it('T-134, R19: 1,000 failed refreshes leave no rejection unhandled', async () => {
    const unhandled: unknown[] = [];
    const listener = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', listener);
    try {
      const source = createSource((attempt, signal) =>
        attempt % 2 === 0 ? outage() : after(10, outage, signal),
      );
      const keyset = open(source);
      void Promise.resolve(keyset.keys(HEADER)).catch(() => {});
      while (source.attempts.length < 1_000) await pass(HOUR);
      expect(keyset.report().failures).toBeGreaterThanOrEqual(999);
      // Node reports unhandled rejections after the microtasks.
      await nextTurn();
      await nextTurn();
      expect(unhandled).toEqual([]);
    } finally {
      process.off('unhandledRejection', listener);
    }
  });

  it.each([
    ['an hour forward', HOUR],
    ['an hour back', -HOUR],
  ])('T-141, R22: the wall clock jumps %s, and the schedule stays', async (_, jumpMs) => {
    fixJitter(1);
    let down = false;
    const { source, keyset } = await loaded(() => (down ? outage() : published('a')), {
      refreshIntervalMs: 5 * MINUTE,
      maxStaleMs: 20 * MINUTE,
    });
    const began = source.attempts[0]!;
    await pass(MINUTE);

    const wall = Date.now();
    vi.setSystemTime(wall + jumpMs);
    expect(Date.now()).toBe(wall + jumpMs);
    expect(keyset.report()).toMatchObject({ state: 'fresh', ageMs: MINUTE });
    expect(kidsAtOnce(keyset)).toBe('a');
    await settle();
    expect(source.attempts).toHaveLength(1);

    await pass(3 * MINUTE);
    expect(source.attempts.map((at) => at - began)).toEqual([0, 4 * MINUTE]);

    // In an outage neither the next attempt nor the end of maxStale moves.
    down = true;
    await pass(4 * MINUTE);
    vi.setSystemTime(Date.now() - jumpMs);
    await pass(SECOND);
    expect(source.attempts.map((at) => at - began)).toEqual([0, 4 * MINUTE, 8 * MINUTE, 8 * MINUTE + SECOND]);
    vi.setSystemTime(Date.now() + jumpMs);
    await pass(16 * MINUTE - SECOND);
    expect(keyset.report()).toMatchObject({ state: 'stale', ageMs: 20 * MINUTE });
    expect(kidsAtOnce(keyset)).toBe('a');
    await pass(1);
    expect(refusal(() => keyset.keys(HEADER)).code).toBe('keyset_unavailable');
  });

  it('T-141: the pause between refetches is monotonic too', async () => {
    const { source, keyset } = await loaded(() => published('a'));
    await keyset.refetch(HEADER);
    vi.setSystemTime(Date.now() + HOUR);
    await keyset.refetch(HEADER);
    expect(source.attempts).toHaveLength(2);
    vi.setSystemTime(Date.now() - 2 * HOUR);
    await pass(10 * SECOND);
    await keyset.refetch(HEADER);
    expect(source.attempts).toHaveLength(3);
  });
});
