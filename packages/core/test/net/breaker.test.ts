// The breaker: what has failed five times in a row is asked once a second, and what hangs is not
// waited for by everybody.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Breaker, createBreaker } from '../../src/net/breaker.ts';

let nowMs: number;
beforeEach(() => {
  nowMs = 50_000;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const DOWN = new Error('down');
const fails = () => Promise.reject(DOWN);
const works = () => Promise.resolve('said');

/** A breaker after so many failures in a row. */
async function failed(times: number): Promise<Breaker> {
  const breaker = createBreaker();
  for (let count = 0; count < times; count++) {
    if (count >= 5) nowMs += 1_000;
    await expect(breaker.run(fails)).rejects.toBe(DOWN);
  }
  return breaker;
}

/** Work that ends when it is told to. */
function held(): {
  readonly work: () => Promise<string>;
  readonly ends: PromiseWithResolvers<string>;
  asked: number;
} {
  const ends = Promise.withResolvers<string>();
  const one = {
    asked: 0,
    ends,
    work: () => {
      one.asked++;
      return ends.promise;
    },
  };
  return one;
}

describe('closed', () => {
  it('gives what the work gives', async () => {
    const breaker = createBreaker();
    await expect(breaker.run(works)).resolves.toBe('said');
    expect(breaker).toMatchObject({ state: 'closed', failures: 0 });
  });

  it.each([0, 1, 4])('stays so after %d failures', async (times) => {
    const breaker = await failed(times);
    expect(breaker).toMatchObject({ state: 'closed', failures: times });
    await expect(breaker.run(works)).resolves.toBe('said');
    expect(breaker.failures).toBe(0);
  });

  it('counts failures in a row only', async () => {
    const breaker = createBreaker();
    for (let count = 0; count < 20; count++) {
      await expect(breaker.run(fails)).rejects.toBe(DOWN);
      await expect(breaker.run(fails)).rejects.toBe(DOWN);
      await breaker.run(works);
    }
    expect(breaker).toMatchObject({ state: 'closed', failures: 0 });
  });

  it('passes on what is no Error, and what is thrown at once', async () => {
    const breaker = createBreaker();
    await expect(breaker.run(() => Promise.reject(undefined))).rejects.toBeUndefined();
    await expect(
      breaker.run(() => {
        throw DOWN;
      }),
    ).rejects.toBe(DOWN);
    expect(breaker.failures).toBe(2);
  });
});

describe('R17: open after five failures', () => {
  it('refuses every call at once, and asks no endpoint', async () => {
    const breaker = await failed(5);
    expect(breaker).toMatchObject({ state: 'open', failures: 5 });
    const work = vi.fn(works);
    for (let count = 0; count < 1_000; count++)
      await expect(breaker.run(work)).rejects.toThrow('the circuit is open; it is probed once per second');
    expect(work).not.toHaveBeenCalled();
    // Being told is no failure of the place.
    expect(breaker.failures).toBe(5);
  });

  it('probes once a second, counted from the last failure', async () => {
    const breaker = await failed(5);
    const work = vi.fn(fails);
    for (let ms = 0; ms < 10_000; ms += 10) {
      nowMs += 10;
      await expect(breaker.run(work)).rejects.toThrow();
    }
    expect(work).toHaveBeenCalledTimes(10);
    expect(breaker.state).toBe('open');
  });

  it('of those that come at the same moment, one is the probe', async () => {
    const breaker = await failed(5);
    nowMs += 1_000;
    const probe = held();
    const all = Promise.allSettled(Array.from({ length: 100 }, () => breaker.run(probe.work)));
    await nextTurn();
    expect(probe.asked).toBe(1);
    probe.ends.reject(DOWN);
    await all;
  });

  it('one probe a second while the probes hang, and later failures of theirs let in no more', async () => {
    const breaker = await failed(5);
    const probe = held();
    const all: Promise<unknown>[] = [];
    for (let ms = 0; ms < 5_000; ms += 100) {
      nowMs += 100;
      all.push(breaker.run(probe.work));
    }
    const outcomes = Promise.allSettled(all);
    expect(probe.asked).toBe(5);
    nowMs += 500;
    probe.ends.reject(DOWN);
    await outcomes;
    // A second since the last probe began, whatever came of that.
    nowMs += 400;
    await expect(breaker.run(works)).rejects.toThrow('the circuit is open; it is probed once per second');
    nowMs += 100;
    await expect(breaker.run(works)).resolves.toBe('said');
  });

  it('what was begun before it opened says nothing of the time after', async () => {
    const breaker = createBreaker();
    const [good, bad] = [held(), held()];
    const early = [breaker.run(good.work), breaker.run(bad.work)];
    for (let index = 0; index < 5; index++) await breaker.run(() => Promise.reject(DOWN)).catch(() => {});
    good.ends.resolve('said');
    await early[0];
    expect(breaker.state).toBe('open');
    nowMs += 1_000;
    await breaker.run(works);
    bad.ends.reject(DOWN);
    await early[1]?.catch(() => {});
    expect(breaker).toMatchObject({ state: 'closed', failures: 0 });
  });

  it('closes with the first success, for everybody', async () => {
    const breaker = await failed(50);
    nowMs += 1_000;
    await expect(breaker.run(works)).resolves.toBe('said');
    expect(breaker).toMatchObject({ state: 'closed', failures: 0 });
    await expect(Promise.all(Array.from({ length: 100 }, () => breaker.run(works)))).resolves.toHaveLength(
      100,
    );
  });

  it('does not mind a process that has just started', async () => {
    nowMs = 1;
    const breaker = await failed(5);
    await expect(breaker.run(works)).rejects.toThrow('the circuit is open');
    nowMs += 1_000;
    await expect(breaker.run(works)).resolves.toBe('said');
  });
});

describe('what hangs', () => {
  it('is waited for by 256, and the others are told at once', async () => {
    const breaker = createBreaker();
    const hanging = held();
    const waiting = Array.from({ length: 256 }, () => breaker.run(hanging.work));
    for (let count = 0; count < 100; count++)
      await expect(breaker.run(hanging.work)).rejects.toThrow('too many calls are running');
    expect(hanging.asked).toBe(256);
    expect(breaker.failures).toBe(0);
    hanging.ends.resolve('late');
    await expect(Promise.all(waiting)).resolves.toHaveLength(256);
    await expect(breaker.run(works)).resolves.toBe('said');
  });

  it('gives its places back when it fails', async () => {
    const breaker = createBreaker();
    for (let round = 0; round < 3; round++) {
      const hanging = held();
      const waiting = Promise.allSettled(Array.from({ length: 256 }, () => breaker.run(hanging.work)));
      hanging.ends.reject(DOWN);
      await waiting;
      nowMs += 1_000;
      await expect(breaker.run(works)).resolves.toBe('said');
    }
  });

  it('gives its places back when it throws at once', async () => {
    const breaker = createBreaker();
    for (let count = 0; count < 1_000; count++) {
      nowMs += 1_000;
      await expect(
        breaker.run(() => {
          throw DOWN;
        }),
      ).rejects.toBe(DOWN);
    }
  });
});
