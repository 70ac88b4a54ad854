// The refresh engine under a clock that the tests move: one load for all, ahead of time, and no
// outage of its own making. The source is an object written here: that is the engine's interface,
// and nothing is fetched.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { generateSigningKey } from '@latchkey/testing';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { isAuthError } from '../../src/errors.ts';
import type { LatchkeyEvents } from '../../src/events.ts';
import { importJwks, type KeyPolicy } from '../../src/jwk/import-jwks.ts';
import type { KeySnapshot, Keyset } from '../../src/keysets/keyset.ts';
import {
  createRefreshedKeyset,
  type KeySource,
  type LoadedKeys,
  type RefreshedKeysetSettings,
} from '../../src/keysets/refreshed-keyset.ts';
import { createRefreshed, type Refreshed, type RefreshSettings } from '../../src/net/refresh.ts';
import type { UnverifiedHeader } from '../../src/token/parse.ts';
import type { JsonObject } from '../../src/values/json.ts';

const PUBLIC: KeyPolicy = { origin: 'public' };
/** The engine does not look at it. */
const HEADER: UnverifiedHeader = { alg: 'ES256', kid: undefined, typ: undefined, jku: undefined };
const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 3_600_000;

const jwks: JsonObject[] = [];

beforeAll(async () => {
  for (const kid of ['a', 'b', 'c']) jwks.push((await generateSigningKey('ES256', kid)).publicJwk);
});

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});

const opened: Keyset[] = [];

afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(opened.splice(0).map((keyset) => keyset.close()));
  vi.useRealTimers();
});

/** What a source gives that publishes these of the keys a, b, c. */
function published(kids: string, lifetimeMs?: number): LoadedKeys {
  const keys = jwks.filter(({ kid }) => kids.includes(kid as string));
  return { ...importJwks({ keys }, PUBLIC), lifetimeMs };
}

interface TestSource extends KeySource {
  /** When each load began. */
  readonly attempts: number[];
  /** The most loads that ever ran at once. */
  readonly atOnce: number;
  readonly closed: number;
}

/** A source that answers each load as told. */
function createSource(
  answer: (attempt: number, signal: AbortSignal) => LoadedKeys | Promise<LoadedKeys>,
): TestSource {
  const attempts: number[] = [];
  let running = 0;
  let atOnce = 0;
  let closed = 0;
  return {
    description: 'a test source',
    attempts,
    get atOnce() {
      return atOnce;
    },
    get closed() {
      return closed;
    },
    async load(signal) {
      attempts.push(performance.now());
      atOnce = Math.max(atOnce, ++running);
      try {
        return await answer(attempts.length, signal);
      } finally {
        running--;
      }
    },
    async close() {
      closed++;
    },
  };
}

function open(source: KeySource, settings: Partial<RefreshedKeysetSettings> = {}): Keyset {
  const keyset = createRefreshedKeyset({
    name: 'keySets[0]',
    issuer: 'https://issuer.example',
    allowed: undefined,
    selection: { kidless: 'first' },
    source,
    refreshIntervalMs: HOUR,
    maxStaleMs: 24 * HOUR,
    ...settings,
  });
  opened.push(keyset);
  return keyset;
}

/** A load that ends after so long on the tests' clock, or when it is told to stop. */
function after<T>(delayMs: number, end: () => T, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      try {
        resolve(end());
      } catch (error) {
        reject(error);
      }
    }, delayMs);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

function outage(): never {
  throw new Error('the source is down');
}

/** Lets pass what is ready, and no time. */
function settle(): Promise<unknown> {
  return vi.advanceTimersByTimeAsync(0);
}

function pass(ms: number): Promise<unknown> {
  return vi.advanceTimersByTimeAsync(ms);
}

/** The kids in force; fails if they are not at hand at once. */
function kidsAtOnce(keyset: Keyset, look: 'keys' | 'refetch' = 'keys'): string {
  const found = keyset[look](HEADER);
  if (found instanceof Promise) throw new Error(`${look}() waits`);
  return kidsOf(found);
}

function kidsOf({ keys }: KeySnapshot): string {
  return keys.map(({ kid }) => kid).join('');
}

/** The refusal that is thrown at once: not one that has to be waited for. */
function refusal(ask: () => unknown): { readonly code: string; readonly retryAfter: string | undefined } {
  try {
    const found = ask();
    throw new Error(found instanceof Promise ? 'waits' : 'was not refused');
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return { code: error.code, retryAfter: error.headers['Retry-After'] };
  }
}

/** The kids after another look, or the code of the refusal. */
async function lookedFor(keyset: Keyset): Promise<string> {
  try {
    return kidsOf(await keyset.refetch(HEADER));
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return error.code;
  }
}

interface Told {
  readonly name: string;
  readonly event: unknown;
}

/** Runs something and returns what was published in the meantime. */
async function listening(run: () => Promise<void>): Promise<readonly Told[]> {
  const told: Told[] = [];
  const listeners = (
    ['refreshed', 'failed', 'stale', 'key-added', 'key-removed', 'key-skipped'] as const
  ).map((short) => {
    const name = `latchkey:keyset:${short}` as const satisfies keyof LatchkeyEvents;
    const listener = (event: unknown) => told.push({ name: short, event });
    subscribe(name, listener);
    return () => unsubscribe(name, listener);
  });
  try {
    await run();
  } finally {
    for (const stop of listeners) stop();
  }
  return told;
}

function named(told: readonly Told[], name: string): readonly unknown[] {
  return told.filter((one) => one.name === name).map(({ event }) => event);
}

describe('the first load', () => {
  it('reads nothing before somebody asks', async () => {
    const source = createSource(() => published('a'));
    open(source);
    await pass(2 * HOUR);
    expect(source.attempts).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('R9, T-132: 10,000 that ask at once share one load', async () => {
    const source = createSource((_, signal) => after(2 * SECOND, () => published('ab'), signal));
    const keyset = open(source);
    const asked = Array.from({ length: 10_000 }, () => keyset.keys(HEADER));
    await pass(2 * SECOND);
    const snapshots = await Promise.all(asked);
    expect(new Set(snapshots).size).toBe(1);
    expect(kidsOf(snapshots[0]!)).toBe('ab');
    expect(source.attempts).toHaveLength(1);
  });

  it('ready() and keys() share it too', async () => {
    const source = createSource((_, signal) => after(SECOND, () => published('a'), signal));
    const keyset = open(source);
    const ready = Promise.all([keyset.ready(), keyset.keys(HEADER), keyset.ready()]);
    await pass(SECOND);
    await ready;
    expect(source.attempts).toHaveLength(1);
    await keyset.ready();
    expect(source.attempts).toHaveLength(1);
  });

  it('T-133: no two loads ever run at once', async () => {
    const source = createSource((attempt, signal) =>
      after(4 * SECOND, () => (attempt % 3 === 0 ? outage() : published('a')), signal),
    );
    const keyset = open(source, { refreshIntervalMs: MINUTE });
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

  it('R9: for three hours of slow refreshes nobody waits', async () => {
    const source = createSource((_, signal) => after(5 * SECOND, () => published('a'), signal));
    const keyset = open(source, { refreshIntervalMs: 5 * MINUTE });
    const ready = keyset.ready();
    await pass(5 * SECOND);
    await ready;
    for (let elapsed = 0; elapsed < 3 * HOUR; elapsed += SECOND) {
      await pass(SECOND);
      expect(kidsAtOnce(keyset)).toBe('a');
    }
    // 240 s ahead of 300 s, and 5 s of reading.
    expect(source.attempts.length).toBe(1 + Math.floor((3 * HOUR) / (245 * SECOND)));
  });

  it('T-131: a source that says no-store is not read per request', async () => {
    const source = createSource(() => published('a', 0));
    const keyset = open(source);
    await keyset.ready();
    for (let elapsed = 0; elapsed < 10 * MINUTE; elapsed += SECOND) {
      await pass(SECOND);
      expect(kidsAtOnce(keyset)).toBe('a');
    }
    expect(source.attempts.length).toBeLessThanOrEqual(1 + 600 / 48);
  });

  it('R3, T-130: a key that left the source is gone with the next reading', async () => {
    let kids = 'ab';
    const source = createSource(() => published(kids));
    const keyset = open(source, { refreshIntervalMs: 5 * MINUTE });
    await keyset.ready();
    kids = 'b';
    await pass(5 * MINUTE);
    const snapshot = await keyset.keys(HEADER);
    expect(kidsOf(snapshot)).toBe('b');
    expect(snapshot.byKid.has('a')).toBe(false);
    expect([...snapshot.firstFor.values()].map(({ kid }) => kid)).toEqual(['b']);
  });

  it('T-123: an empty set withdraws all keys', async () => {
    let kids = 'ab';
    const source = createSource(() => published(kids));
    const keyset = open(source, { refreshIntervalMs: 5 * MINUTE });
    await keyset.ready();
    kids = '';
    await pass(5 * MINUTE);
    expect(kidsAtOnce(keyset)).toBe('');
    expect(keyset.report()).toMatchObject({ state: 'fresh', kids: [], failures: 0 });
  });
});

describe('a source that fails after it worked', () => {
  it('T-113, R4: the last good keys stay in use, told as stale once per outage', async () => {
    let down = false;
    const source = createSource(() => (down ? outage() : published('ab')));
    const keyset = open(source, { refreshIntervalMs: 5 * MINUTE });
    await keyset.ready();
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

  it('T-111: what comes instead of keys replaces nothing', async () => {
    const source = createSource((attempt) =>
      attempt === 1 ? published('ab') : { ...importJwks({ keys: 'none' }, PUBLIC), lifetimeMs: undefined },
    );
    const keyset = open(source, { refreshIntervalMs: 5 * MINUTE });
    await keyset.ready();
    await pass(HOUR);
    expect(kidsAtOnce(keyset)).toBe('ab');
  });

  it.each([
    ['widest', 0, [0.5, 1, 2, 4, 8, 28.8, 28.8, 28.8]],
    ['none', 1, [1, 2, 4, 8, 16, 30, 30, 30]],
  ])('waits 1 s, 2 s, 4 s … 30 s at most between attempts; jitter %s', async (_, random, expected) => {
    vi.spyOn(Math, 'random').mockReturnValue(random);
    const source = createSource((attempt) => (attempt === 1 ? published('a') : outage()));
    const keyset = open(source, { refreshIntervalMs: MINUTE });
    await keyset.ready();
    const told = await listening(async () => {
      await pass(5 * MINUTE);
    });
    const [, ...failed] = source.attempts;
    const pauses = failed.slice(1).map((at, index) => Math.round((at - failed[index]!) / 100) / 10);
    expect(pauses.slice(0, 8)).toEqual(expected);
    const first = named(told, 'failed')[0];
    expect(first).toMatchObject({ keyset: 'keySets[0]', issuer: 'https://issuer.example', failures: 1 });
    expect((first as LatchkeyEvents['latchkey:keyset:failed']).retryInMs).toBeCloseTo(1000 * expected[0]!, 0);
  });

  it('R4: an hour of outage is at most 130 attempts even if every pause is the shortest', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    const source = createSource((attempt) => (attempt === 1 ? published('a') : outage()));
    const keyset = open(source, { refreshIntervalMs: MINUTE });
    await keyset.ready();
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
    'R5: a source that asks for %d ms gets %d s: it may be well much sooner',
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

  it('settlement 16: an interval longer than a timer can wait is no hot loop', async () => {
    const source = createSource(() => published('a'));
    const keyset = open(source, { refreshIntervalMs: 60 * 24 * HOUR });
    await keyset.ready();
    await pass(HOUR);
    expect(source.attempts).toHaveLength(1);
  });

  it('R4: ready() does not hurry a source that fails', async () => {
    const source = createSource(outage);
    const keyset = open(source);
    await expect(keyset.ready()).rejects.toMatchObject({ code: 'keyset_unavailable' });
    for (let asked = 0; asked < 100; asked++) await expect(keyset.ready()).rejects.toThrow();
    expect(source.attempts).toHaveLength(1);
  });

  it('backs off from the start again after a success', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    const source = createSource((attempt) => ([1, 6].includes(attempt) ? published('a') : outage()));
    const keyset = open(source, { refreshIntervalMs: MINUTE });
    await keyset.ready();
    await pass(48 * SECOND + 1 * SECOND + 2 * SECOND + 4 * SECOND + 8 * SECOND);
    expect(source.attempts).toHaveLength(6);
    expect(keyset.report()).toMatchObject({ state: 'fresh', failures: 0 });
    await pass(48 * SECOND);
    expect(source.attempts).toHaveLength(7);
    await pass(SECOND);
    expect(source.attempts).toHaveLength(8);
  });

  it('R4: an hour of outage is at most 130 attempts, whatever the load, and no request fails', async () => {
    const source = createSource((attempt) => (attempt === 1 ? published('a') : outage()));
    const keyset = open(source, { refreshIntervalMs: MINUTE });
    await keyset.ready();
    await pass(47 * SECOND);
    for (let elapsed = 0; elapsed < HOUR; elapsed += 100) {
      await pass(100);
      for (let request = 0; request < 5; request++) {
        expect(kidsAtOnce(keyset)).toBe('a');
        // What it has by now cannot be known; a look that is made is shared, and counts.
        expect(await lookedFor(keyset)).toBe('keyset_unavailable');
      }
    }
    expect(source.attempts.length - 1).toBeGreaterThan(100);
    expect(source.attempts.length - 1).toBeLessThanOrEqual(130);
  });

  it('is used until maxStale has passed since its reading, then refused at once with Retry-After', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    const source = createSource((attempt) => (attempt === 1 ? published('a') : outage()));
    const keyset = open(source, { refreshIntervalMs: MINUTE, maxStaleMs: 10 * MINUTE });
    await keyset.ready();
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
    vi.spyOn(Math, 'random').mockReturnValue(1);
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
  it('T-114, R5: the first to ask wait for one attempt; after it everybody is refused at once', async () => {
    const source = createSource((_, signal) => after(5 * SECOND, outage, signal));
    const keyset = open(source);
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
      ageMs: undefined,
      failures: 1,
    });
    // Also while the next attempt is under way.
    await pass(2 * SECOND);
    expect(source.attempts).toHaveLength(2);
    expect(refusal(() => keyset.keys(HEADER)).code).toBe('keyset_unavailable');
  });

  it('says in the log what failed, and nothing of it to the client', async () => {
    const keyset = open(createSource(outage));
    const error = await keyset.ready().catch((thrown: unknown) => thrown);
    if (!isAuthError(error)) throw new Error('no AuthError');
    expect(error).toMatchObject({
      code: 'keyset_unavailable',
      status: 503,
      cause: new Error('the source is down'),
    });
    expect(error.headers).not.toHaveProperty('WWW-Authenticate');
    expect(JSON.stringify(error)).not.toMatch(/down|source|keySets/);
  });

  it('R5: recovers by itself, within the longest pause after the source is back', async () => {
    let down = true;
    const source = createSource(() => (down ? outage() : published('a')));
    const keyset = open(source);
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
    [
      'throws before it returns a promise',
      () => {
        throw new Error('at once');
      },
    ],
  ])('T-134: a source that %s is a source that failed', async (_, load) => {
    const keyset = open({ description: 'odd', load, close: async () => {} });
    const told = await listening(() =>
      expect(keyset.ready()).rejects.toMatchObject({ code: 'keyset_unavailable' }),
    );
    expect(named(told, 'failed')).toEqual([
      expect.objectContaining({ error: expect.any(Error), failures: 1 }),
    ]);
  });
});

describe('another look for an unknown kid', () => {
  it('finds a key that was published since', async () => {
    let kids = 'a';
    const source = createSource((_, signal) => after(SECOND, () => published(kids), signal));
    const keyset = open(source);
    const ready = keyset.ready();
    await pass(SECOND);
    await ready;
    kids = 'ab';
    const waiting = Array.from({ length: 100 }, () => keyset.refetch(HEADER));
    await pass(SECOND);
    for (const snapshot of await Promise.all(waiting)) expect(kidsOf(snapshot)).toBe('ab');
    expect(source.attempts).toHaveLength(2);
  });

  it('T-110, R6: one per 10 s, however often it is asked for', async () => {
    const source = createSource(() => published('a'));
    const keyset = open(source);
    await keyset.ready();
    for (let elapsed = 0; elapsed < MINUTE; elapsed++) {
      await keyset.refetch(HEADER);
      expect(kidsAtOnce(keyset)).toBe('a');
      await pass(1);
    }
    expect(source.attempts).toEqual(
      [0, 0, 10, 20, 30, 40, 50].map((at) => source.attempts[0]! + at * SECOND),
    );
  });

  it('T-110: the 10 s count from when the look began, not from when it ended', async () => {
    const source = createSource((_, signal) => after(4 * SECOND, () => published('a'), signal));
    const keyset = open(source);
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
    const source = createSource(() => published(kids));
    const keyset = open(source);
    await keyset.ready();
    for (let elapsed = 0; elapsed < MINUTE; elapsed += 10) {
      if (elapsed === 23_450) kids = 'ab';
      const seen = kidsOf(await keyset.refetch(HEADER));
      if (elapsed >= 23_450 + 10 * SECOND) expect(seen).toBe('ab');
      await pass(10);
    }
    expect(source.attempts.length).toBeLessThanOrEqual(7);
  });

  it.each([
    ['widest', 0],
    ['none', 1],
  ])('T-110, R7: no more often while the source fails; jitter %s', async (_, random) => {
    vi.spyOn(Math, 'random').mockReturnValue(random);
    const source = createSource((attempt) => (attempt === 1 ? published('a') : outage()));
    const keyset = open(source);
    await keyset.ready();
    for (let elapsed = 0; elapsed < MINUTE; elapsed++) {
      expect(await lookedFor(keyset)).toBe('keyset_unavailable');
      expect(kidsAtOnce(keyset)).toBe('a');
      await pass(1);
    }
    expect(source.attempts.length - 1).toBeGreaterThan(1);
    expect(source.attempts.length - 1).toBeLessThanOrEqual(7);
  });

  it('R7: the same bound for a source that never worked', async () => {
    const source = createSource(outage);
    const keyset = open(source);
    await expect(keyset.ready()).rejects.toThrow();
    for (let elapsed = 0; elapsed < MINUTE; elapsed++) {
      expect(refusal(() => keyset.refetch(HEADER)).code).toBe('keyset_unavailable');
      await pass(1);
    }
    expect(source.attempts.length).toBeLessThanOrEqual(7);
  });

  it('a look that starts while a load is under way loads again', async () => {
    let kids = 'a';
    const source = createSource(async (_, signal) => {
      // Read when the load begins, as a server may have done before the key was published.
      const read = published(kids);
      return after(2 * SECOND, () => read, signal);
    });
    const keyset = open(source, { refreshIntervalMs: MINUTE });
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

  it('T-111: a look that fails leaves the keys as they were', async () => {
    const source = createSource((attempt) => (attempt === 1 ? published('ab') : outage()));
    const keyset = open(source);
    await keyset.ready();
    expect(await lookedFor(keyset)).toBe('keyset_unavailable');
    expect(source.attempts).toHaveLength(2);
    expect(kidsAtOnce(keyset)).toBe('ab');
  });

  it('T-111: while the source fails, an unknown kid is unavailable; once it is well, it is unknown', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    let down = false;
    const source = createSource(() => (down ? outage() : published('a')));
    const keyset = open(source, { refreshIntervalMs: MINUTE });
    await keyset.ready();
    expect(await lookedFor(keyset)).toBe('a');
    down = true;
    await pass(48 * SECOND);
    // Within its lifetime the set is fresh, and all the same it may lack a key that was published
    // since.
    expect(keyset.report()).toMatchObject({ state: 'fresh', failures: 1 });
    expect(refusal(() => keyset.refetch(HEADER))).toEqual({ code: 'keyset_unavailable', retryAfter: '1' });
    down = false;
    await pass(SECOND);
    expect(await lookedFor(keyset)).toBe('a');
  });

  it('T-110: nobody waits for a look while the source fails, not even while it is being tried', async () => {
    const source = createSource((attempt, signal) =>
      attempt === 1 ? published('a') : after(5 * SECOND, outage, signal),
    );
    const keyset = open(source);
    await keyset.ready();
    const first = lookedFor(keyset);
    // A valid kid is never behind a look for another.
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

  it('T-110: a failed look counts too: the next is 10 s after it began, with the source back at once', async () => {
    const source = createSource((attempt) => (attempt === 2 ? outage() : published('a')));
    const keyset = open(source);
    await keyset.ready();
    await lookedFor(keyset);
    // The retry after 1 s succeeds, and reads no sooner for being asked.
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

describe('what is told', () => {
  it('key-added, key-removed and key-skipped, each once per change', async () => {
    let set: LoadedKeys = published('ab');
    const source = createSource(() => set);
    const keyset = open(source, { refreshIntervalMs: MINUTE });
    const about = { keyset: 'keySets[0]', issuer: 'https://issuer.example' };

    expect(named(await listening(() => keyset.ready()), 'key-added')).toEqual([
      { ...about, kid: 'a' },
      { ...about, kid: 'b' },
    ]);

    const same = await listening(async () => {
      await pass(48 * SECOND);
    });
    expect(same.map(({ name }) => name)).toEqual(['refreshed']);

    // b leaves, c comes, and a is a new key under its old kid.
    set = {
      ...importJwks({ keys: [{ ...jwks[1], kid: 'a' }, jwks[2], null] }, PUBLIC),
      lifetimeMs: undefined,
    };
    const changed = await listening(async () => {
      await pass(48 * SECOND);
    });
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
    const source = createSource(() => {
      attempt++;
      if (attempt === 2) return outage();
      const keys = attempt === 1 ? [rsa, leaked, ...jwks] : [];
      return { ...importJwks({ keys }, PUBLIC), lifetimeMs: 0 };
    });
    const keyset = open(source, { refreshIntervalMs: MINUTE });
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
    const source = createSource((_, signal) => {
      signal.addEventListener('abort', () => {
        stopped = true;
      });
      return after(HOUR, () => published('a'), signal);
    });
    const keyset = open(source);
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
  ])('R19: after %s nothing is read any more', async (_, answer, code) => {
    const source = createSource(answer);
    const keyset = open(source, { refreshIntervalMs: MINUTE });
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
    // A closed keyset starts nothing again.
    expect(refusal(() => keyset.keys(HEADER)).code).toBe('keyset_unavailable');
    expect(refusal(() => keyset.refetch(HEADER)).code).toBe('keyset_unavailable');
    await expect(keyset.ready()).rejects.toMatchObject({ code: 'keyset_unavailable' });
    expect(source.attempts).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('R19: a load that answers although it was told to stop changes nothing', async () => {
    const source = createSource(() => after(SECOND, () => published('a')));
    const keyset = open(source);
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
      // Node reports what nobody has handled once the microtasks have run.
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
    vi.spyOn(Math, 'random').mockReturnValue(1);
    let down = false;
    const source = createSource(() => (down ? outage() : published('a')));
    const keyset = open(source, { refreshIntervalMs: 5 * MINUTE, maxStaleMs: 20 * MINUTE });
    await keyset.ready();
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

    // In an outage: neither the next attempt nor the end of maxStale moves.
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

  it('T-141: the cooldown is monotonic too', async () => {
    const source = createSource(() => published('a'));
    const keyset = open(source);
    await keyset.ready();
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

/** What the engine holds here: which reading of the source it was. */
interface Reading {
  readonly attempt: number;
  readonly lifetimeMs: number | undefined;
}

const engines: Refreshed<Reading>[] = [];

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.close()));
});

/** The engine itself, over a source that answers each load as told. */
function engineOf(
  answer: (attempt: number, signal: AbortSignal) => Reading | Promise<Reading>,
  settings: Partial<RefreshSettings<Reading, Reading>> = {},
): { readonly engine: Refreshed<Reading>; readonly attempts: number[] } {
  const attempts: number[] = [];
  const engine = createRefreshed<Reading, Reading>({
    source: {
      description: 'a test source',
      async load(signal) {
        attempts.push(performance.now());
        return answer(attempts.length, signal);
      },
      close: async () => {},
    },
    refreshIntervalMs: HOUR,
    maxStaleMs: 24 * HOUR,
    accept: (loaded) => loaded,
    refreshed: () => {},
    failed: () => {},
    stale: () => {},
    unavailable: ({ cause }) => new Error('nothing to use', { cause }),
    ...settings,
  });
  engines.push(engine);
  return { engine, attempts };
}

const reading = (attempt: number): Reading => ({ attempt, lifetimeMs: undefined });

describe('reload', () => {
  it('looks again at once, whatever the cooldown', async () => {
    const { engine, attempts } = engineOf(reading);
    await engine.ready();
    for (const attempt of [2, 3, 4]) expect(await engine.reload()).toEqual(reading(attempt));
    expect(engine.current()).toEqual(reading(4));
    await engine.refetch();
    expect(await engine.reload()).toEqual(reading(6));
    expect(attempts).toHaveLength(6);
  });

  it('is no look for an unknown kid: the cooldown is as it was', async () => {
    const { engine, attempts } = engineOf(reading);
    await engine.ready();
    await engine.reload();
    await engine.refetch();
    expect(attempts).toHaveLength(3);
    await engine.reload();
    await engine.refetch();
    expect(attempts).toHaveLength(4);
  });

  it('is a first look too', async () => {
    const { engine, attempts } = engineOf(reading);
    expect(await engine.reload()).toEqual(reading(1));
    expect(attempts).toHaveLength(1);
  });

  it('a load that is under way may have read too early: it looks once more when that has ended', async () => {
    let content = 'before';
    const read: string[] = [];
    const { engine } = engineOf(async (attempt) => {
      read.push(content);
      await after(SECOND, () => undefined);
      return reading(attempt);
    });
    const first = engine.current();
    content = 'after';
    const reloaded = engine.reload();
    await pass(SECOND);
    expect(await first).toEqual(reading(1));
    expect(read).toEqual(['before', 'after']);
    await pass(SECOND);
    expect(await reloaded).toEqual(reading(2));
  });

  it('many at once share one look, begun after all of them asked', async () => {
    const { engine, attempts } = engineOf((attempt, signal) => after(SECOND, () => reading(attempt), signal));
    const ready = engine.ready();
    const early = Array.from({ length: 100 }, () => engine.reload());
    await pass(500);
    const late = Array.from({ length: 100 }, () => engine.reload());
    await pass(500);
    await ready;
    expect(attempts).toHaveLength(2);
    await pass(SECOND);
    expect(new Set((await Promise.all([...early, ...late])).map(({ attempt }) => attempt))).toEqual(
      new Set([2]),
    );
    expect(attempts).toHaveLength(2);
  });

  it('one that fails gives what is in force, and is retried on its own time', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    let down = false;
    const { engine, attempts } = engineOf((attempt) => (down ? outage() : reading(attempt)));
    await engine.ready();
    down = true;
    expect(await engine.reload()).toEqual(reading(1));
    expect(engine.report()).toMatchObject({ state: 'fresh', failures: 1 });
    await pass(SECOND);
    expect(attempts).toHaveLength(3);
    down = false;
    await pass(2 * SECOND);
    expect(engine.report()).toMatchObject({ value: reading(4), failures: 0 });
  });

  it('looks although the source has failed, and ends the outage', async () => {
    let down = true;
    const { engine, attempts } = engineOf((attempt) => (down ? outage() : reading(attempt)));
    await expect(engine.ready()).rejects.toThrow('nothing to use');
    expect(() => engine.current()).toThrow('nothing to use');
    await expect(engine.reload()).rejects.toThrow('nothing to use');
    expect(attempts).toHaveLength(2);
    down = false;
    expect(await engine.reload()).toEqual(reading(3));
    expect(engine.current()).toEqual(reading(3));
    expect(engine.report().failures).toBe(0);
    // One timer, for the next refresh: the retry is not made any more.
    expect(vi.getTimerCount()).toBe(1);
    await pass(0.8 * HOUR - 1);
    expect(attempts).toHaveLength(3);
  });

  it('leaves one timer, however often', async () => {
    const { engine, attempts } = engineOf(reading);
    for (let round = 0; round < 20; round++) await engine.reload();
    expect(vi.getTimerCount()).toBe(1);
    await pass(0.8 * HOUR);
    expect(attempts).toHaveLength(21);
  });

  it('together with a change that the source tells: no more than one look each', async () => {
    let tell = () => {};
    const attempts: number[] = [];
    const { engine } = engineOf(reading, {
      source: {
        description: 'a watched source',
        async load() {
          attempts.push(performance.now());
          return reading(attempts.length);
        },
        watch(changed) {
          tell = changed;
          return () => {};
        },
        close: async () => {},
      },
    });
    await engine.ready();
    tell();
    const reloaded = engine.reload();
    tell();
    await settle();
    expect((await reloaded).attempt).toBeGreaterThan(1);
    expect(attempts.length).toBeGreaterThan(1);
    expect(attempts.length).toBeLessThanOrEqual(3);
    expect(engine.current()).toEqual(reading(attempts.length));
  });

  it('R19: after close() nothing is read any more', async () => {
    const { engine, attempts } = engineOf(reading);
    await engine.ready();
    await engine.close();
    await engine.reload().catch(() => {});
    await pass(HOUR);
    expect(attempts).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
    const { engine: never, attempts: none } = engineOf(reading);
    await never.close();
    await expect(never.reload()).rejects.toThrow('nothing to use');
    expect(none).toHaveLength(0);
  });

  it('R19: close() while a change waits for its turn leaves nothing watched', async () => {
    const watched = new Set<() => void>();
    const attempts: number[] = [];
    const { engine } = engineOf(reading, {
      source: {
        description: 'a watched source',
        async load(signal) {
          attempts.push(performance.now());
          return after(SECOND, () => reading(attempts.length), signal);
        },
        watch(changed) {
          watched.add(changed);
          return () => watched.delete(changed);
        },
        close: async () => {},
      },
    });
    engine.ready().catch(() => {});
    await settle();
    for (const changed of watched) changed();
    await engine.close();
    await settle();
    expect(watched.size).toBe(0);
    expect(attempts).toHaveLength(1);
  });

  it('R19: close() while it waits ends it', async () => {
    const { engine, attempts } = engineOf((attempt, signal) => after(SECOND, () => reading(attempt), signal));
    const waiting = engine.reload().catch((error: unknown) => error);
    const second = engine.reload().catch((error: unknown) => error);
    await settle();
    await engine.close();
    expect(await waiting).toBeInstanceOf(Error);
    expect(await second).toBeInstanceOf(Error);
    expect(attempts).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
