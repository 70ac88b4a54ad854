// The refresh engine itself: reload(), which loads at once, and sources that report changes.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createRefreshed, type Refreshed, type RefreshSettings } from '../../src/net/refresh.ts';
import { after, fixJitter, HOUR, outage, pass, SECOND, settle } from './refreshing.ts';

/** What the engine keeps here: the number of the load. */
interface Reading {
  readonly attempt: number;
  readonly lifetimeMs: number | undefined;
}

const engines: Refreshed<Reading>[] = [];

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.close()));
});

/**
 * The engine, over a source that answers each load with `answer`. With `watchers` it reports
 * changes.
 */
function engineOf(
  answer: (attempt: number, signal: AbortSignal) => Reading | Promise<Reading>,
  settings: Partial<RefreshSettings<Reading, Reading>> = {},
  watchers?: Set<() => void>,
): { readonly engine: Refreshed<Reading>; readonly attempts: number[] } {
  const attempts: number[] = [];
  const watch = (changed: () => void) => {
    watchers?.add(changed);
    return () => watchers?.delete(changed);
  };
  const engine = createRefreshed<Reading, Reading>({
    source: {
      description: 'a test source',
      async load(signal) {
        attempts.push(performance.now());
        return answer(attempts.length, signal);
      },
      ...(watchers === undefined ? {} : { watch }),
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

describe('T-139: a source that reports a change whenever it is watched', () => {
  /** As a store does that tells of what is there already. */
  function restless() {
    const attempts: number[] = [];
    const { engine } = engineOf(reading, {
      source: {
        description: 'a restless source',
        load: async () => {
          attempts.push(performance.now());
          return reading(attempts.length);
        },
        watch(changed) {
          const timer = setTimeout(changed, 0);
          return () => clearTimeout(timer);
        },
      },
    });
    return { engine, attempts };
  }

  it('is read ten times a second at most, and the burst of a change at once', async () => {
    const { engine, attempts } = restless();
    await engine.ready();
    await pass(100);
    expect(attempts.length).toBeGreaterThanOrEqual(10);
    await pass(60 * SECOND);
    expect(attempts.length).toBeLessThanOrEqual(10 * 62);
  });

  it('R19: close() ends the pause', async () => {
    const { engine, attempts } = restless();
    await engine.ready();
    await pass(100);
    await engine.close();
    const before = attempts.length;
    expect(vi.getTimerCount()).toBe(0);
    await pass(60 * SECOND);
    expect(attempts).toHaveLength(before);
  });
});

describe('reload', () => {
  it('loads again at once, whatever the pause between refetches', async () => {
    const { engine, attempts } = engineOf(reading);
    await engine.ready();
    for (const attempt of [2, 3, 4]) expect(await engine.reload()).toEqual(reading(attempt));
    expect(engine.current()).toEqual(reading(4));
    await engine.refetch();
    expect(await engine.reload()).toEqual(reading(6));
    expect(attempts).toHaveLength(6);
  });

  it('does not count as a refetch', async () => {
    const { engine, attempts } = engineOf(reading);
    await engine.ready();
    await engine.reload();
    await engine.refetch();
    expect(attempts).toHaveLength(3);
    await engine.reload();
    await engine.refetch();
    expect(attempts).toHaveLength(4);
  });

  it('may be the first load', async () => {
    const { engine, attempts } = engineOf(reading);
    expect(await engine.reload()).toEqual(reading(1));
    expect(attempts).toHaveLength(1);
  });

  it('loads once more after a load that is under way, which may have read too early', async () => {
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

  it('many calls share one load, which begins after all of them', async () => {
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

  it('a failed one returns what is in use, and is retried after the usual pause', async () => {
    fixJitter(1);
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

  it('loads although the source has failed, and ends the outage', async () => {
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
    // One timer is left, for the next refresh; the retry has no timer.
    expect(vi.getTimerCount()).toBe(1);
    await pass(0.8 * HOUR - 1);
    expect(attempts).toHaveLength(3);
  });

  it('leaves one timer, however often it is called', async () => {
    const { engine, attempts } = engineOf(reading);
    for (let round = 0; round < 20; round++) await engine.reload();
    expect(vi.getTimerCount()).toBe(1);
    await pass(0.8 * HOUR);
    expect(attempts).toHaveLength(21);
  });

  it('together with a change that the source reports: at most one load each', async () => {
    const watchers = new Set<() => void>();
    const { engine, attempts } = engineOf(reading, {}, watchers);
    await engine.ready();
    const [tell = () => {}] = watchers;
    tell();
    const reloaded = engine.reload();
    tell();
    await settle();
    expect((await reloaded).attempt).toBeGreaterThan(1);
    expect(attempts.length).toBeGreaterThan(1);
    expect(attempts.length).toBeLessThanOrEqual(3);
    expect(engine.current()).toEqual(reading(attempts.length));
  });

  it('R19: after close() nothing is read', async () => {
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

  it('R19: close() while a change waits ends the watching', async () => {
    const watchers = new Set<() => void>();
    const slow = (attempt: number, signal: AbortSignal) => after(SECOND, () => reading(attempt), signal);
    const { engine, attempts } = engineOf(slow, {}, watchers);
    engine.ready().catch(() => {});
    await settle();
    for (const changed of watchers) changed();
    await engine.close();
    await settle();
    expect(watchers.size).toBe(0);
    expect(attempts).toHaveLength(1);
  });

  it('R19: close() ends a reload that waits', async () => {
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
