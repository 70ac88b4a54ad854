// A list that several processes share: when it is current, what happens while it is not, and what
// an operator is told.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RevocationFeed } from '../../src/index.ts';
import { eventsOf, warningsOf } from '../support/observed.ts';
import { bench, controlledFeed, ISSUER } from './bench.ts';

const revocationOf = (clock: { now(): number }, jti = 'j1') => ({
  issuer: ISSUER,
  jti,
  until: clock.now() + 3_600_000,
});

describe('the age of the list', () => {
  it('before the feed has confirmed it, every token is a 503', async () => {
    const revocationFeed = controlledFeed();
    const { ask, tokenOf, authenticator } = bench(undefined, { revocationFeed });
    expect(await ask(await tokenOf())).toBe('revocation_unavailable');
    expect(authenticator.report().revocation).toMatchObject({ state: 'stale', ageMs: undefined });
    revocationFeed.deliver();
    expect(await ask(await tokenOf())).toBe('accepted');
    expect(authenticator.report().revocation).toMatchObject({ state: 'current', source: 'feed of the test' });
  });

  it('a cached token is refused within maxStale, whatever the feed does', async () => {
    const revocationFeed = controlledFeed();
    const { ask, tokenOf, clock, authenticator } = bench({ maxStale: '10s' }, { revocationFeed });
    await authenticator.start();
    revocationFeed.deliver();
    const token = await tokenOf({ jti: 'j1' });
    for (let time = 0; time < 4; time++) expect(await ask(token)).toBe('accepted');
    clock.advance(9_000);
    expect(await ask(token)).toBe('accepted');
    clock.advance(1_001);
    expect(await ask(token)).toBe('revocation_unavailable');
    revocationFeed.deliver(revocationOf(clock));
    expect(await ask(token)).toBe('token_revoked');
    expect(await ask(await tokenOf({ jti: 'j2' }))).toBe('accepted');
  });

  it('what is known is refused also while the list is old', async () => {
    const revocationFeed = controlledFeed();
    const { ask, tokenOf, clock, authenticator } = bench({ maxStale: '10s' }, { revocationFeed });
    await authenticator.start();
    revocationFeed.deliver(revocationOf(clock));
    clock.advance(60_000);
    expect(await ask(await tokenOf({ jti: 'j1' }))).toBe('token_revoked');
    expect(await ask(await tokenOf({ jti: 'j2' }))).toBe('revocation_unavailable');
  });

  it('a clock that is set back does not make an old list current', async () => {
    const revocationFeed = controlledFeed();
    const { ask, tokenOf, clock, authenticator } = bench({ maxStale: '10s' }, { revocationFeed });
    await authenticator.start();
    revocationFeed.deliver();
    clock.advance(11_000);
    const token = await tokenOf();
    clock.set(clock.now() - 11_000);
    expect(await ask(token)).toBe('revocation_unavailable');
  });

  it('a time in the future, and one that is not a number, count for no longer than now', async () => {
    const revocationFeed = controlledFeed();
    const { ask, tokenOf, clock, authenticator } = bench({ maxStale: '10s' }, { revocationFeed });
    await authenticator.start();
    const [sink] = revocationFeed.sinks;
    sink?.current(Number.NaN);
    sink?.current(Number.POSITIVE_INFINITY);
    expect(await ask(await tokenOf())).toBe('revocation_unavailable');
    sink?.current(sink.now() + 1e9);
    expect(await ask(await tokenOf())).toBe('accepted');
    clock.advance(10_001);
    expect(await ask(await tokenOf())).toBe('revocation_unavailable');
  });

  it('unsafeStale accepts by the last list, with a warning', async () => {
    const revocationFeed = controlledFeed();
    const made: ReturnType<typeof bench>[] = [];
    const warnings = await warningsOf(() => {
      made.push(bench({ unsafeStale: 'accept' }, { revocationFeed }));
    });
    expect(warnings).toEqual([expect.stringContaining('LATCHKEY_UNSAFE: revocation.unsafeStale')]);
    const [{ ask, tokenOf, clock, authenticator }] = made as [ReturnType<typeof bench>];
    await authenticator.start();
    expect(await ask(await tokenOf({ jti: 'j1' }))).toBe('accepted');
    revocationFeed.deliver(revocationOf(clock));
    clock.advance(600_000);
    expect(await ask(await tokenOf({ jti: 'j1' }))).toBe('token_revoked');
    expect(await ask(await tokenOf({ jti: 'j2' }))).toBe('accepted');
  });
});

describe('an outage', () => {
  it('is one warning, and another one when it ends', async () => {
    const failures = eventsOf('latchkey:revocation:failed');
    const stale = eventsOf('latchkey:revocation:stale');
    const revocationFeed = controlledFeed();
    const { ask, tokenOf, clock, authenticator } = bench({ maxStale: '10s' }, { revocationFeed });
    await authenticator.start();
    const [sink] = revocationFeed.sinks;
    revocationFeed.deliver();
    const during = await warningsOf(async () => {
      for (let time = 0; time < 3; time++) sink?.failed(new Error('connect ECONNREFUSED'));
      clock.advance(11_000);
      for (let time = 0; time < 3; time++) await ask(await tokenOf());
    });
    expect(during).toEqual([
      'Warning LATCHKEY_UNAVAILABLE: revocation: feed of the test fails: connect ECONNREFUSED; when the list is older than 10s (revocation.maxStale), all tokens are answered with 503',
    ]);
    expect(failures).toHaveLength(3);
    expect(stale).toEqual([{ source: 'feed of the test', ageMs: expect.any(Number) }]);
    expect(authenticator.report().revocation).toMatchObject({ lastError: 'connect ECONNREFUSED' });
    const after = await warningsOf(() => revocationFeed.deliver());
    expect(after).toEqual(['Warning LATCHKEY_RECOVERED: revocation: feed of the test works again']);
    expect(authenticator.report().revocation).toMatchObject({ lastError: undefined, state: 'current' });
  });

  it('of a feed that says nothing is a warning with the first token', async () => {
    const revocationFeed = controlledFeed();
    const { ask, tokenOf, clock, authenticator } = bench({ maxStale: '10s' }, { revocationFeed });
    await authenticator.start();
    clock.advance(11_000);
    const warnings = await warningsOf(async () => {
      for (let time = 0; time < 3; time++) await ask(await tokenOf());
    });
    expect(warnings).toEqual([
      expect.stringContaining('feed of the test fails: feed of the test has not been read'),
    ]);
  });

  it('a wrong entry takes none of its call, and the former list stays', async () => {
    const revocationFeed = controlledFeed();
    const { ask, tokenOf, clock, authenticator } = bench({}, { revocationFeed });
    await authenticator.start();
    const [sink] = revocationFeed.sinks;
    revocationFeed.deliver(revocationOf(clock));
    const wrong = [revocationOf(clock, 'j2'), { ...revocationOf(clock, 'j3'), jti: '' }];
    expect(() => sink?.add(wrong)).toThrow('revocations[1].jti: expected a string');
    expect(() => sink?.replace(wrong)).toThrow('revocations[1].jti: expected a string');
    expect(await ask(await tokenOf({ jti: 'j1' }))).toBe('token_revoked');
    expect(await ask(await tokenOf({ jti: 'j2' }))).toBe('accepted');
  });

  it.each<[what: string, given: unknown]>([
    ['an object', {}],
    ['what a store has answered', { error: 'overloaded', length: 0 }],
    ['a number', 7],
    ['a text', ''],
    ['nothing', undefined],
    ['a Set', new Set()],
  ])('T-139: %s is no list: it ends no revocation', async (_, given) => {
    const revocationFeed = controlledFeed();
    const { ask, tokenOf, clock, authenticator } = bench({}, { revocationFeed });
    await authenticator.start();
    const [sink] = revocationFeed.sinks;
    revocationFeed.deliver(revocationOf(clock));
    for (const way of ['replace', 'add'] as const)
      expect(() => sink?.[way](given as [])).toThrow('revocations: expected a list of revocations, got');
    expect(await ask(await tokenOf({ jti: 'j1' }))).toBe('token_revoked');
  });

  it.each([
    ['a promise that rejects', () => Promise.reject(new Error('later'))],
    ['a promise', async () => ({ close: async () => {} })],
    ['nothing', () => undefined],
  ])('a feed that gives %s when it is followed is an outage', async (_, follow) => {
    const feed = { ...controlledFeed(), follow } as unknown as RevocationFeed;
    const { authenticator } = bench({}, { revocationFeed: feed });
    const warnings = await warningsOf(async () => {
      await expect(authenticator.ready()).rejects.toThrow('expected an object with close from follow');
    });
    expect(warnings).toHaveLength(1);
    await authenticator.close();
  });

  it('a feed that throws when it is followed is an outage', async () => {
    const revocationFeed = {
      ...controlledFeed(),
      follow: () => {
        throw new Error('no client');
      },
    };
    const { ask, tokenOf, authenticator } = bench({}, { revocationFeed });
    await warningsOf(async () => {
      await expect(authenticator.ready()).rejects.toThrow(
        'revocation: no list from feed of the test: no client',
      );
    });
    expect(await ask(await tokenOf())).toBe('revocation_unavailable');
  });
});

describe('T-139: a feed that fails in ways that a feed must not', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  it('is followed again if it has thrown', async () => {
    const controlled = controlledFeed();
    let isDown = true;
    const follow = vi.fn<RevocationFeed['follow']>((sink) => {
      if (isDown) throw new Error('no client');
      return controlled.follow(sink);
    });
    const { ask, tokenOf } = bench({}, { revocationFeed: { ...controlled, follow } });
    expect(await ask(await tokenOf())).toBe('revocation_unavailable');
    await vi.advanceTimersByTimeAsync(5_000);
    expect(follow).toHaveBeenCalledTimes(2);
    isDown = false;
    await vi.advanceTimersByTimeAsync(5_000);
    controlled.deliver();
    expect(await ask(await tokenOf())).toBe('accepted');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(follow).toHaveBeenCalledTimes(3);
  });

  it('is not followed again after close', async () => {
    const follow = vi.fn<RevocationFeed['follow']>(() => {
      throw new Error('no client');
    });
    const { authenticator } = bench({}, { revocationFeed: { ...controlledFeed(), follow } });
    await authenticator.start();
    await authenticator.close();
    expect(vi.getTimerCount()).toBe(0);
    expect(follow).toHaveBeenCalledTimes(1);
  });

  it('ready rejects after maxStale if it says nothing', async () => {
    const { authenticator } = bench({ maxStale: '10s' }, { revocationFeed: controlledFeed() });
    const ready = expect(authenticator.ready()).rejects.toMatchObject({ code: 'revocation_unavailable' });
    await vi.advanceTimersByTimeAsync(10_000);
    await ready;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('many calls of verify wait for it by one timer, and for five seconds', async () => {
    const { authenticator, tokenOf } = bench({}, { revocationFeed: controlledFeed() });
    const token = await tokenOf();
    const calls = Array.from({ length: 100 }, () => authenticator.verify(token));
    const all = Promise.allSettled(calls);
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBeLessThanOrEqual(2);
    await vi.advanceTimersByTimeAsync(5_000);
    for (const one of await all) expect(one).toMatchObject({ reason: { code: 'revocation_unavailable' } });
  });

  it('revoke rejects if it does not say that it has stored the revocation, and counts here', async () => {
    const controlled = controlledFeed(() => new Promise(() => {}));
    const { authenticator, ask, tokenOf } = bench({}, { revocationFeed: controlled });
    await authenticator.start();
    controlled.deliver();
    const revoked = expect(authenticator.revoke({ issuer: ISSUER, jti: 'a' })).rejects.toThrow(
      'feed of the test: it has not said within 10000 ms that the revocation is stored',
    );
    await vi.advanceTimersByTimeAsync(10_000);
    await revoked;
    expect(await ask(await tokenOf({ jti: 'a' }))).toBe('token_revoked');
  });

  it('close ends within a second if it does not close, and says so', async () => {
    const follow = () => ({ close: () => new Promise<void>(() => {}) });
    const { authenticator } = bench({}, { revocationFeed: { ...controlledFeed(), follow } });
    await authenticator.start();
    const closed = expect(authenticator.close()).rejects.toThrow('feed of the test: close() has not ended');
    await vi.advanceTimersByTimeAsync(1_000);
    await closed;
  });

  it('is closed if it closes the authenticator while it is followed', async () => {
    const close = vi.fn(async () => {});
    const follow = () => {
      void authenticator.close();
      return { close };
    };
    const { authenticator } = bench({}, { revocationFeed: { ...controlledFeed(), follow } });
    await authenticator.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(close).toHaveBeenCalledTimes(1);
  });
});

describe('revoke', () => {
  it('counts here at once, and is published', async () => {
    const pending = Promise.withResolvers<void>();
    const revocationFeed = controlledFeed(() => pending.promise);
    const { ask, tokenOf, clock, authenticator } = bench({}, { revocationFeed });
    await authenticator.start();
    revocationFeed.deliver();
    const token = await tokenOf({ jti: 'j1' });
    let isDone = false;
    const revoking = authenticator.revoke({ issuer: ISSUER, jti: 'j1' }).then(() => {
      isDone = true;
    });
    expect(await ask(token)).toBe('token_revoked');
    expect(isDone).toBe(false);
    pending.resolve();
    await revoking;
    expect(revocationFeed.published).toEqual([
      { issuer: ISSUER, jti: 'j1', until: clock.now() + 86_400_000 },
    ]);
  });

  it('stays until the feed has delivered it, and no longer', async () => {
    const revocationFeed = controlledFeed();
    const { ask, tokenOf, authenticator } = bench({}, { revocationFeed });
    await authenticator.start();
    const [sink] = revocationFeed.sinks;
    const before = sink?.now() ?? 0;
    await authenticator.revoke({ issuer: ISSUER, jti: 'j1' });
    const token = await tokenOf({ jti: 'j1' });
    // Read before the revocation was published.
    sink?.replace([]);
    sink?.current(before);
    expect(await ask(token)).toBe('token_revoked');
    sink?.replace([...revocationFeed.published]);
    sink?.current(sink.now());
    expect(await ask(token)).toBe('token_revoked');
    // Somebody has removed it.
    sink?.replace([]);
    sink?.current(sink.now());
    expect(await ask(token)).toBe('accepted');
  });

  it('rejects if the feed does not take it, and counts here all the same', async () => {
    const revocationFeed = controlledFeed(() => Promise.reject(new Error('READONLY')));
    const { ask, tokenOf, authenticator } = bench({}, { revocationFeed });
    await authenticator.start();
    const [sink] = revocationFeed.sinks;
    await expect(authenticator.revoke({ issuer: ISSUER, jti: 'j1' })).rejects.toThrow('READONLY');
    sink?.replace([]);
    sink?.current(sink.now());
    expect(await ask(await tokenOf({ jti: 'j1' }))).toBe('token_revoked');
  });
});

describe('start, ready and close', () => {
  it('ready waits for the list', async () => {
    const revocationFeed = controlledFeed();
    const { authenticator } = bench({}, { revocationFeed });
    let isReady = false;
    const ready = authenticator.ready().then(() => {
      isReady = true;
    });
    await new Promise(setImmediate);
    expect(isReady).toBe(false);
    revocationFeed.deliver();
    await ready;
    await authenticator.ready();
  });

  it('ready rejects with the error of the feed', async () => {
    const revocationFeed = controlledFeed();
    const { authenticator } = bench({}, { revocationFeed });
    const ready = expect(authenticator.ready()).rejects.toMatchObject({
      message: 'revocation: no list from feed of the test: connect ECONNREFUSED',
      code: 'revocation_unavailable',
    });
    await warningsOf(() => revocationFeed.sinks[0]?.failed(new Error('connect ECONNREFUSED')));
    await ready;
    await expect(authenticator.ready()).rejects.toThrow('ECONNREFUSED');
  });

  it('start follows once, also with loadAtStart: false; close ends it', async () => {
    const revocationFeed = controlledFeed();
    const { authenticator } = bench({}, { revocationFeed, loadAtStart: false });
    await authenticator.start();
    await authenticator.start();
    await authenticator.revoke({ issuer: ISSUER, jti: 'a' });
    expect(revocationFeed.sinks).toHaveLength(1);
    await authenticator.close();
    expect(revocationFeed.closed).toBe(1);
    const [sink] = revocationFeed.sinks;
    sink?.current(sink.now());
    sink?.failed(new Error('late'));
    expect(authenticator.report().revocation).toMatchObject({ state: 'stale', lastError: undefined });
  });
});

describe('the options', () => {
  it.each([
    [
      'a feed without follow',
      { revocationFeed: { description: 'a', publish() {} } },
      'revocationFeed.follow',
    ],
    [
      'a feed without publish',
      { revocationFeed: { description: 'a', follow() {} } },
      'revocationFeed.publish',
    ],
    [
      'a feed without a name',
      { revocationFeed: { publish() {}, follow() {} } },
      'revocationFeed.description',
    ],
    ['a feed that is a URL', { revocationFeed: 'redis://a' }, 'revocationFeed: expected a feed'],
    [
      'a file next to a feed',
      { revocationFeed: controlledFeed(), revocation: { file: 'a' } },
      'revocation.file: is not allowed next to revocationFeed',
    ],
    ['maxStale 999ms', { revocation: { maxStale: '999ms' } }, 'revocation.maxStale: expected 1s to 10m'],
    ['maxStale 11m', { revocation: { maxStale: '11m' } }, 'revocation.maxStale: expected 1s to 10m'],
    ['remember 59s', { revocation: { remember: '59s' } }, 'revocation.remember: expected 1m to 3650d'],
    ['no entries', { revocation: { entries: 0 } }, 'revocation.entries: expected a whole number'],
    [
      '10000001 entries',
      { revocation: { entries: 10_000_001 } },
      'revocation.entries: expected a whole number',
    ],
    [
      'the content of a file',
      { revocation: { file: '-----BEGIN' } },
      'revocation.file: expected the path of a file',
    ],
    ['unsafeStale: true', { revocation: { unsafeStale: true } }, "revocation.unsafeStale: expected 'accept'"],
    ['revocation: true', { revocation: true }, 'revocation: expected options of revocation'],
  ])('%s is refused', (_name, options, problem) => {
    expect(() => bench(undefined, options as never)).toThrow(problem);
  });
});
