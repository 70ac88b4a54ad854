// The refresh engine through keysets: when it loads, how long it uses a set of keys, and what it
// does while the source fails. Refetches, events and close() are in refresh-again.test.ts.
import { describe, expect, it, vi } from 'vitest';
import { isAuthError } from '../../src/errors.ts';
import type { LatchkeyEvents } from '../../src/events.ts';
import { importJwks } from '../../src/jwk/import-jwks.ts';
import {
  after,
  createSource,
  fixJitter,
  HEADER,
  HOUR,
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
} from './refreshing.ts';

describe('the first load', () => {
  it('reads nothing before the first call', async () => {
    const source = createSource(() => published('a'));
    open(source);
    await pass(2 * HOUR);
    expect(source.attempts).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('R9, T-132: 10,000 calls at once share one load', async () => {
    const { source, keyset } = opened((_, signal) => after(2 * SECOND, () => published('ab'), signal));
    const asked = Array.from({ length: 10_000 }, () => keyset.keys(HEADER));
    await pass(2 * SECOND);
    const snapshots = await Promise.all(asked);
    expect(new Set(snapshots).size).toBe(1);
    expect(kidsOf(snapshots[0]!)).toBe('ab');
    expect(source.attempts).toHaveLength(1);
  });

  it('ready() and keys() share it too', async () => {
    const { source, keyset } = opened((_, signal) => after(SECOND, () => published('a'), signal));
    const ready = Promise.all([keyset.ready(), keyset.keys(HEADER), keyset.ready()]);
    await pass(SECOND);
    await ready;
    expect(source.attempts).toHaveLength(1);
    await keyset.ready();
    expect(source.attempts).toHaveLength(1);
  });

  it('T-133: two loads never run at once', async () => {
    const { source, keyset } = opened(
      (attempt, signal) => after(4 * SECOND, () => (attempt % 3 === 0 ? outage() : published('a')), signal),
      { refreshIntervalMs: MINUTE },
    );
    keyset.ready().catch(() => {});
    for (let ms = 0; ms < 10 * MINUTE; ms += 500) {
      await pass(500);
      for (const look of ['keys', 'refetch'] as const) {
        (async () => keyset[look](HEADER))().catch(() => {});
      }
    }
    expect(source.attempts.length).toBeGreaterThan(20);
    expect(source.atOnce).toBe(1);
  });
});

describe('the lifetime of a set', () => {
  it.each<[refreshIntervalMs: number, sourceMs: number | undefined, lifetimeMs: number]>([
    [HOUR, undefined, HOUR],
    [HOUR, 5 * MINUTE, 5 * MINUTE],
    [5 * MINUTE, HOUR, 5 * MINUTE],
    [5 * MINUTE, 365 * 24 * HOUR, 5 * MINUTE],
    [HOUR, Number.POSITIVE_INFINITY, HOUR],
    [HOUR, 0, MINUTE],
    [HOUR, 59_999, MINUTE],
    [HOUR, 60_001, 60_001],
    [10 * SECOND, undefined, MINUTE],
    [0, 0, MINUTE],
  ])(
    'settlement 16, T-131: refreshInterval %d and source %s give %d, read again at 80 %%',
    async (refreshIntervalMs, sourceMs, lifetimeMs) => {
      const source = createSource(() => published('a', sourceMs));
      const keyset = open(source, { refreshIntervalMs });
      const told = await listening(() => keyset.ready());
      expect(named(told, 'refreshed')).toEqual([
        { keyset: 'keySets[0]', issuer: 'https://issuer.example', keys: 1, lifetimeMs },
      ]);
      const aheadMs = Math.floor(lifetimeMs * 0.8);
      await pass(aheadMs - 1);
      expect(source.attempts).toHaveLength(1);
      await pass(2);
      expect(source.attempts).toHaveLength(2);
    },
  );

  it('R9: for three hours of slow refreshes no call waits', async () => {
    const { source, keyset } = opened((_, signal) => after(5 * SECOND, () => published('a'), signal), {
      refreshIntervalMs: 5 * MINUTE,
    });
    const ready = keyset.ready();
    await pass(5 * SECOND);
    await ready;
    for (let elapsed = 0; elapsed < 3 * HOUR; elapsed += SECOND) {
      await pass(SECOND);
      expect(kidsAtOnce(keyset)).toBe('a');
    }
    // A refresh after 240 s of 300 s, and 5 s of reading.
    expect(source.attempts.length).toBe(1 + Math.floor((3 * HOUR) / (245 * SECOND)));
  });

  it('T-131: a source that says no-store is not read per request', async () => {
    const { source, keyset } = await loaded(() => published('a', 0));
    for (let elapsed = 0; elapsed < 10 * MINUTE; elapsed += SECOND) {
      await pass(SECOND);
      expect(kidsAtOnce(keyset)).toBe('a');
    }
    expect(source.attempts.length).toBeLessThanOrEqual(1 + 600 / 48);
  });

  it('R3, T-130: a key that left the source is gone after the next load', async () => {
    let kids = 'ab';
    const { keyset } = await loaded(() => published(kids), { refreshIntervalMs: 5 * MINUTE });
    kids = 'b';
    await pass(5 * MINUTE);
    const snapshot = await keyset.keys(HEADER);
    expect(kidsOf(snapshot)).toBe('b');
    expect(snapshot.byKid.has('a')).toBe(false);
    expect([...snapshot.firstFor.values()].map(({ kid }) => kid)).toEqual(['b']);
  });

  it('T-123: an empty set withdraws all keys', async () => {
    let kids = 'ab';
    const { keyset } = await loaded(() => published(kids), { refreshIntervalMs: 5 * MINUTE });
    kids = '';
    await pass(5 * MINUTE);
    expect(kidsAtOnce(keyset)).toBe('');
    expect(keyset.report()).toMatchObject({ state: 'fresh', kids: [], failures: 0 });
  });
});

describe('a source that fails after it worked', () => {
  it('T-113, R4: the last good keys stay in use, told as stale once per outage', async () => {
    let down = false;
    const { keyset } = await loaded(() => (down ? outage() : published('ab')), {
      refreshIntervalMs: 5 * MINUTE,
    });
    expect(keyset.report()).toMatchObject({ state: 'fresh', kids: ['a', 'b'], failures: 0, ageMs: 0 });
    down = true;
    const told = await listening(async () => {
      for (let elapsed = 0; elapsed < HOUR; elapsed += SECOND) {
        await pass(SECOND);
        expect(kidsAtOnce(keyset)).toBe('ab');
      }
    });
    expect(named(told, 'stale')).toHaveLength(1);
    expect(keyset.report()).toMatchObject({ state: 'stale', kids: ['a', 'b'], ageMs: HOUR });
    expect(keyset.report().failures).toBe(named(told, 'failed').length);
    expect(named(told, 'key-removed')).toEqual([]);

    down = false;
    await pass(33 * SECOND);
    expect(keyset.report()).toMatchObject({ state: 'fresh', kids: ['a', 'b'], failures: 0 });
    down = true;
    const again = await listening(async () => {
      await pass(10 * MINUTE);
      kidsAtOnce(keyset);
      kidsAtOnce(keyset);
    });
    expect(named(again, 'stale')).toHaveLength(1);
  });

  it('T-111: an answer without keys replaces nothing', async () => {
    const { keyset } = await loaded(
      (attempt) =>
        attempt === 1 ? published('ab') : { ...importJwks({ keys: 'none' }, PUBLIC), lifetimeMs: undefined },
      { refreshIntervalMs: 5 * MINUTE },
    );
    await pass(HOUR);
    expect(kidsAtOnce(keyset)).toBe('ab');
  });

  it.each([
    ['widest', 0, [0.5, 1, 2, 4, 8, 28.8, 28.8, 28.8]],
    ['none', 1, [1, 2, 4, 8, 16, 30, 30, 30]],
  ])('waits 1 s, 2 s, 4 s … 30 s at most between attempts; jitter %s', async (_, random, expected) => {
    fixJitter(random);
    const { source } = await loaded(onceGood, { refreshIntervalMs: MINUTE });
    const told = await listening(() => pass(5 * MINUTE));
    const [, ...failed] = source.attempts;
    const pauses = failed.slice(1).map((at, index) => Math.round((at - failed[index]!) / 100) / 10);
    expect(pauses.slice(0, 8)).toEqual(expected);
    const first = named(told, 'failed')[0];
    expect(first).toMatchObject({ keyset: 'keySets[0]', issuer: 'https://issuer.example', failures: 1 });
    expect((first as LatchkeyEvents['latchkey:keyset:failed']).retryInMs).toBeCloseTo(1000 * expected[0]!, 0);
  });

  it('R4: an hour of outage is at most 130 attempts even if every pause is the shortest', async () => {
    fixJitter(0);
    const { source } = await loaded(onceGood, { refreshIntervalMs: MINUTE });
    await pass(48 * SECOND);
    await pass(HOUR);
    expect(source.attempts.length - 1).toBeLessThanOrEqual(130);
  });

  it.each([
    [20 * SECOND, 20],
    [120 * SECOND, 30],
    [HOUR, 30],
    [Number.POSITIVE_INFINITY, 30],
  ])(
    'R5: a source that asks for %d ms is asked again after %d s, at most 30 s',
    async (retryAfterMs, seconds) => {
      const source = createSource((attempt) =>
        attempt === 1 ? published('a') : Promise.reject(Object.assign(new Error('busy'), { retryAfterMs })),
      );
      const keyset = open(source, { refreshIntervalMs: MINUTE });
      await keyset.ready();
      await pass(48 * SECOND);
      expect(source.attempts).toHaveLength(2);
      await pass((seconds - 1) * SECOND);
      expect(source.attempts).toHaveLength(2);
      await pass(SECOND);
      expect(source.attempts).toHaveLength(3);
    },
  );

  it('settlement 16: an interval longer than a timer can wait does not make a hot loop', async () => {
    const { source } = await loaded(() => published('a'), { refreshIntervalMs: 60 * 24 * HOUR });
    await pass(HOUR);
    expect(source.attempts).toHaveLength(1);
  });

  it('R4: ready() does not hurry a source that fails', async () => {
    const { source, keyset } = opened(outage);
    await expect(keyset.ready()).rejects.toMatchObject({ code: 'keyset_unavailable' });
    for (let asked = 0; asked < 100; asked++) await expect(keyset.ready()).rejects.toThrow();
    expect(source.attempts).toHaveLength(1);
  });

  it('backs off from the start again after a success', async () => {
    fixJitter(1);
    const { source, keyset } = await loaded(
      (attempt) => ([1, 6].includes(attempt) ? published('a') : outage()),
      { refreshIntervalMs: MINUTE },
    );
    await pass(48 * SECOND + 1 * SECOND + 2 * SECOND + 4 * SECOND + 8 * SECOND);
    expect(source.attempts).toHaveLength(6);
    expect(keyset.report()).toMatchObject({ state: 'fresh', failures: 0 });
    await pass(48 * SECOND);
    expect(source.attempts).toHaveLength(7);
    await pass(SECOND);
    expect(source.attempts).toHaveLength(8);
  });

  // 30 s: the test makes 360 000 calls.
  it('R4: an hour of outage is at most 130 attempts, whatever the load, and no request fails', {
    timeout: 30_000,
  }, async () => {
    const { source, keyset } = await loaded(onceGood, { refreshIntervalMs: MINUTE });
    await pass(47 * SECOND);
    for (let elapsed = 0; elapsed < HOUR; elapsed += 100) {
      await pass(100);
      for (let request = 0; request < 5; request++) {
        expect(kidsAtOnce(keyset)).toBe('a');
        // The look for an unknown kid is shared and counts as an attempt.
        expect(await lookedFor(keyset)).toBe('keyset_unavailable');
      }
    }
    expect(source.attempts.length - 1).toBeGreaterThan(100);
    expect(source.attempts.length - 1).toBeLessThanOrEqual(130);
  });

  it('uses a set until maxStale has passed since its load, then refuses at once with Retry-After', async () => {
    fixJitter(1);
    const { keyset } = await loaded(onceGood, { refreshIntervalMs: MINUTE, maxStaleMs: 10 * MINUTE });
    await pass(10 * MINUTE);
    expect(kidsAtOnce(keyset)).toBe('a');
    await pass(1);
    const { code, retryAfter } = refusal(() => keyset.keys(HEADER));
    expect(code).toBe('keyset_unavailable');
    expect(Number(retryAfter)).toBeGreaterThanOrEqual(1);
    expect(Number(retryAfter)).toBeLessThanOrEqual(30);
    expect(refusal(() => keyset.refetch(HEADER)).code).toBe('keyset_unavailable');
    expect(keyset.report().state).toBe('empty');
  });

  it('Retry-After is the time until the next attempt', async () => {
    fixJitter(1);
    const keyset = open(createSource(outage));
    keyset.ready().catch(() => {});
    // Attempts at 0, 1, 3, 7, 15, 31 s.
    await pass(31 * SECOND);
    expect(refusal(() => keyset.keys(HEADER)).retryAfter).toBe('30');
    await pass(20 * SECOND);
    expect(refusal(() => keyset.keys(HEADER)).retryAfter).toBe('10');
    await pass(9_999);
    expect(refusal(() => keyset.keys(HEADER)).retryAfter).toBe('1');
  });
});

describe('a source that fails from the start', () => {
  it('T-114, R5: the first calls wait for one attempt; later calls are refused at once', async () => {
    const { source, keyset } = opened((_, signal) => after(5 * SECOND, outage, signal));
    const first = [keyset.keys(HEADER), keyset.keys(HEADER)].map((asked) =>
      Promise.resolve(asked).then(
        () => 'keys',
        (error) => (isAuthError(error) ? error.code : String(error)),
      ),
    );
    await pass(5 * SECOND);
    expect(await Promise.all(first)).toEqual(['keyset_unavailable', 'keyset_unavailable']);
    expect(source.attempts).toHaveLength(1);
    for (let ask = 0; ask < 1_000; ask++) {
      expect(refusal(() => keyset.keys(HEADER)).code).toBe('keyset_unavailable');
      expect(refusal(() => keyset.refetch(HEADER)).code).toBe('keyset_unavailable');
    }
    expect(source.attempts).toHaveLength(1);
    expect(keyset.report()).toEqual({
      keyset: 'keySets[0]',
      issuer: 'https://issuer.example',
      source: 'a test source',
      state: 'empty',
      kids: [],
      skipped: [],
      ageMs: undefined,
      failures: 1,
      lastError: 'the source is down',
      nextAttemptInMs: expect.any(Number),
    });
    // Also while the next attempt is under way.
    await pass(2 * SECOND);
    expect(source.attempts).toHaveLength(2);
    expect(refusal(() => keyset.keys(HEADER)).code).toBe('keyset_unavailable');
  });

  it('has the cause for the log, and no word of it for the client', async () => {
    const keyset = open(createSource(outage));
    const error = await Promise.resolve(keyset.keys(HEADER)).catch((thrown: unknown) => thrown);
    if (!isAuthError(error)) throw new Error('expected an AuthError');
    expect(error).toMatchObject({
      code: 'keyset_unavailable',
      status: 503,
      cause: new Error('the source is down'),
    });
    expect(error.headers).not.toHaveProperty('WWW-Authenticate');
    expect(JSON.stringify(error)).not.toMatch(/down|source|keySets/);
  });

  it('R5: recovers without a call, within the longest pause after the source is back', async () => {
    let down = true;
    const { keyset } = opened(() => (down ? outage() : published('a')));
    await expect(keyset.ready()).rejects.toMatchObject({ code: 'keyset_unavailable' });
    await pass(10 * MINUTE);
    down = false;
    await pass(32 * SECOND);
    expect(kidsAtOnce(keyset)).toBe('a');
    await keyset.ready();
    expect(keyset.report()).toMatchObject({ state: 'fresh', failures: 0 });
  });

  it.each([
    ['rejects with undefined', () => Promise.reject(undefined)],
    ['rejects with a string', () => Promise.reject('no')],
    ['throws before it returns a promise', outage],
  ])('T-134: a source that %s has failed', async (_, load) => {
    const keyset = open({ description: 'odd', load, close: async () => {} });
    const told = await listening(() =>
      expect(keyset.ready()).rejects.toMatchObject({ code: 'keyset_unavailable' }),
    );
    expect(named(told, 'failed')).toEqual([
      expect.objectContaining({ error: expect.any(Error), failures: 1 }),
    ]);
  });
});
