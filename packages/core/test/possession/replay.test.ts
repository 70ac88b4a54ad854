// The store of used proofs: what it remembers, and what happens when it fails.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createReplayMemory, type ReplayStore } from '../../src/possession/replay.ts';
import { REPLAY_DEADLINE_MS } from '../../src/possession/replay-guard.ts';
import { bench, outcomeOf, PUBLIC, refusalOf } from './bench.ts';

describe('in memory', () => {
  it('each id is new once, until it is too old', () => {
    let nowMs = 1_000_000;
    const memory = createReplayMemory(10, { now: () => nowMs, monotonic: () => nowMs });
    expect(memory.use('a', nowMs + 60_000)).toBe(true);
    expect(memory.use('a', nowMs + 60_000)).toBe(false);
    nowMs += 60_000;
    expect(memory.use('a', nowMs + 60_000)).toBe(false);
    nowMs += 2_000;
    expect(memory.use('a', nowMs + 60_000)).toBe(true);
  });

  it('a clock that jumps forward or back loses nothing that still counts', () => {
    let nowMs = 1_000_000;
    const memory = createReplayMemory(10, { now: () => nowMs, monotonic: () => 0 });
    expect(memory.use('a', nowMs + 3_600_000)).toBe(true);
    nowMs += 7_200_000;
    expect(memory.use('b', nowMs + 60_000)).toBe(true);
    nowMs -= 7_200_000;
    expect(memory.use('a', nowMs + 60_000)).toBe(false);
    expect(memory.use('b', nowMs + 60_000)).toBe(false);
  });

  it('it refuses when it is full, and has room again when proofs are too old', () => {
    let nowMs = 1_000_000;
    const memory = createReplayMemory(2, { now: () => nowMs, monotonic: () => nowMs });
    expect(memory.use('a', nowMs + 1_000)).toBe(true);
    expect(memory.use('b', nowMs + 9_000)).toBe(true);
    expect(() => memory.use('c', nowMs + 9_000)).toThrow('full: 2');
    expect(memory.use('b', nowMs + 9_000)).toBe(false);
    nowMs += 3_000;
    expect(memory.use('c', nowMs + 9_000)).toBe(true);
  });
});

describe('of an authenticator', () => {
  afterEach(() => vi.useRealTimers());
  const withStore = (use: ReplayStore['use'], more = {}) =>
    bench({ replayStore: { use }, dpop: { mode: 'allowed', publicUrl: PUBLIC, ...more } });

  it('gets an id that has nothing of the proof, and how long to remember it', async () => {
    const seen: [string, number][] = [];
    const { ask, clock, key, token } = await withStore((...args) => {
      seen.push(args);
      return Promise.resolve(true);
    });
    const iat = Math.floor(clock.now() / 1000);
    expect(await ask(token, { claims: { jti: 'mine', iat } })).toBe('accepted');
    expect(seen).toEqual([[expect.stringMatching(/^[\w-]{43}$/), iat * 1000 + 65_000]]);
    expect(JSON.stringify(seen)).not.toMatch(new RegExp(`mine|${key.jkt}`));
  });

  it('is not asked about a proof that is refused for something else', async () => {
    const use = vi.fn(() => true);
    const { ask, token } = await withStore(use);
    expect(await ask(token, { claims: { htm: 'PUT' } })).toBe('proof_invalid');
    expect(use).not.toHaveBeenCalled();
  });

  it('two decisions on one request ask it once, also at the same time', async () => {
    const use = vi.fn(() => Promise.resolve(use.mock.calls.length === 1));
    const { authenticator, request, token } = await withStore(use);
    const one = await request(token);
    const both = await Promise.all([outcomeOf(authenticator, one), outcomeOf(authenticator, one)]);
    expect(both).toEqual(['accepted', 'accepted']);
    expect(use).toHaveBeenCalledTimes(1);
    expect(await outcomeOf(authenticator, { ...one })).toBe('proof_invalid');
  });

  it.each<readonly [title: string, use: ReplayStore['use']]>([
    [
      'throws',
      () => {
        throw new Error('down');
      },
    ],
    ['rejects', () => Promise.reject(new Error('down'))],
    ['rejects with nothing', () => Promise.reject(undefined)],
    ['says nothing', () => undefined as never],
    ['says OK', () => Promise.resolve('OK' as never)],
    ['says 1', () => 1 as never],
  ])('a store that %s is a 503, and accepted only by the unsafe option', async (_, use) => {
    const { authenticator, request, token } = await withStore(use);
    expect(await refusalOf(authenticator, await request(token))).toMatchObject({
      code: 'replay_unavailable',
      status: 503,
      headers: { 'Retry-After': '5' },
    });
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const unsafe = await withStore(use, { unsafeReplayFailure: 'accept' });
    expect(warned).toHaveBeenCalledWith(
      expect.stringContaining('dpop.unsafeReplayFailure'),
      expect.objectContaining({ code: 'LATCHKEY_UNSAFE' }),
    );
    warned.mockRestore();
    expect(await unsafe.ask(unsafe.token)).toBe('accepted');
    expect(await unsafe.ask(unsafe.token, { claims: { htm: 'PUT' } })).toBe('proof_invalid');
  });

  it('a store that is late is a 503', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { authenticator, request, token } = await withStore(() => new Promise(() => {}));
    const refusal = refusalOf(authenticator, await request(token));
    await vi.advanceTimersByTimeAsync(REPLAY_DEADLINE_MS);
    expect(await refusal).toMatchObject({ code: 'replay_unavailable' });
  });

  it('a store that says no refuses also with the unsafe option', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { ask, token } = await withStore(() => false, { unsafeReplayFailure: 'accept' });
    warned.mockRestore();
    expect(await ask(token)).toBe('proof_invalid');
  });

  it('replayEntries bounds the memory: one more is a 503', async () => {
    const { ask, clock, token } = await bench({
      dpop: { mode: 'allowed', publicUrl: PUBLIC, replayEntries: 2 },
    });
    expect([await ask(token), await ask(token), await ask(token)]).toEqual([
      'accepted',
      'accepted',
      'replay_unavailable',
    ]);
    clock.advance(70_000);
    expect(await ask(token)).toBe('accepted');
  });
});
