// whenExpired(): no connection outlives its token, and no timer keeps the process alive.
import { once } from 'node:events';
import { generateSigningKey, mint } from '@latchkey/testing';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { createPrincipal, type Principal } from '../../src/decision/principal.ts';
import { whenExpired } from '../../src/decision/upgrade.ts';
import { runProgram, sourceModule } from '../support/program.ts';
import { CONTEXT, create, issuer, serve } from './upgrades.ts';

describe('T-093: whenExpired()', () => {
  const NOW = 1_800_000_000;
  const DAY = 86_400;
  const principal = (exp?: number): Principal => createPrincipal(exp === undefined ? {} : { exp }, CONTEXT);

  const CLAIMS = { iss: 'i', aud: 'me', sub: 'alice' };

  /** The principal of a token with these claims. */
  async function verified(
    claims: Parameters<typeof mint>[1],
    options: Partial<AuthenticatorOptions>,
  ): Promise<Principal> {
    const key = await generateSigningKey('ES256', 'one');
    const keySets = [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }];
    return create({ keySets, audience: 'me', ...options }).verify(await mint(key, claims));
  }

  beforeEach(() => {
    vi.useFakeTimers({ now: NOW * 1000 });
  });

  it.each<[what: string, left: number]>([
    ['a second', 1],
    ['part of a second', 0.25],
    ['five minutes', 300],
    ['as long as a timer can be set', (2 ** 31 - 1) / 1000],
    ['a millisecond longer than that', 2 ** 31 / 1000],
    ['100 days', 100 * DAY],
    ['ten years', 3650 * DAY],
  ])('T-093: %s left: calls back once, and not a millisecond early', (_, left) => {
    const expiresAt = (NOW + left) * 1000;
    const at: number[] = [];
    whenExpired(principal(NOW + left), () => at.push(Date.now()));
    vi.advanceTimersByTime(expiresAt - Date.now() - 1);
    expect(at).toEqual([]);
    vi.advanceTimersByTime(2);
    expect(at).toHaveLength(1);
    expect(at[0]).toBeGreaterThanOrEqual(expiresAt);
    vi.advanceTimersByTime(400 * DAY * 1000);
    expect(at).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ['now', NOW],
    ['a second ago', NOW - 1],
    ['long ago', 1],
    ['before the epoch', -NOW],
  ])('T-093: expired %s: calls back at once, but after it has returned', (_, exp) => {
    const callback = vi.fn();
    const forget = whenExpired(principal(exp), callback);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(callback).toHaveBeenCalledTimes(1);
    expect(forget).not.toThrow();
    vi.advanceTimersByTime(DAY * 1000);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it.each<[what: string, left: number, forgetAfter: number]>([
    ['at once', 300, 0],
    ['just before', 300, 299.999],
    ['for an expired one', -300, 0],
    ['after the timer has been set again', 100 * DAY, 60 * DAY],
  ])('T-093: forgotten %s: never calls back, and leaves no timer', (_, left, forgetAfter) => {
    const callback = vi.fn();
    const forget = whenExpired(principal(NOW + left), callback);
    expect(vi.getTimerCount()).toBe(1);
    if (forgetAfter > 0) vi.advanceTimersByTime(forgetAfter * 1000);
    forget();
    forget();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(400 * DAY * 1000);
    expect(callback).not.toHaveBeenCalled();
  });

  // Seconds after iat: exp, maxTokenAge, and the first of them.
  it.each<[what: string, exp: number | undefined, maxTokenAge: string | undefined, ends: number | undefined]>(
    [
      ['maxTokenAge before exp', 3600, '5m', 300],
      ['exp before maxTokenAge', 60, '5m', 60],
      ['maxTokenAge alone', undefined, '5m', 300],
      ['exp alone', 60, undefined, 60],
      ['neither', undefined, undefined, undefined],
    ],
  )('T-093: %s: calls back at the first end of the token', async (_, exp, maxTokenAge, ends) => {
    const claims = { ...CLAIMS, iat: NOW, ...(exp && { exp: NOW + exp }) };
    const options = { requireExp: false, ...(maxTokenAge === undefined ? {} : { maxTokenAge }) };
    const callback = vi.fn();
    const forget = whenExpired(await verified(claims, options), callback);
    vi.advanceTimersByTime((ends ?? 400 * DAY) * 1000 - 1);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2);
    expect(callback).toHaveBeenCalledTimes(ends === undefined ? 0 : 1);
    forget();
  });

  it('T-093: the clock of the authenticator decides', async () => {
    const clock = { now: () => Date.now() + 600_000 };
    const callback = vi.fn();
    whenExpired(await verified({ ...CLAIMS, exp: NOW + 900 }, { clock }), callback);
    vi.advanceTimersByTime(299_999);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it('T-093: without exp: never', () => {
    const callback = vi.fn();
    const forget = whenExpired(principal(), callback);
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(400 * DAY * 1000);
    expect(callback).not.toHaveBeenCalled();
    expect(forget).not.toThrow();
  });

  it('T-093: a clock that is set back does not make it early', () => {
    const callback = vi.fn();
    whenExpired(principal(NOW + 300), callback);
    vi.advanceTimersByTime(200_000);
    vi.setSystemTime(NOW * 1000);
    vi.advanceTimersByTime(299_999);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it('T-093: forgetting one callback keeps another of the same principal', () => {
    const [one, two] = [vi.fn(), vi.fn()];
    const shared = principal(NOW + 300);
    whenExpired(shared, one)();
    whenExpired(shared, two);
    vi.advanceTimersByTime(300_001);
    expect([one.mock.calls.length, two.mock.calls.length]).toEqual([0, 1]);
  });
});

describe('T-093: a connection and its token', () => {
  // 20 s: the test starts a process.
  it('T-093: the timer does not keep the process alive', { timeout: 20_000 }, async () => {
    const script = `
      import { whenExpired } from ${sourceModule('decision/upgrade.ts')};
      const left = (seconds) => ({ claims: { exp: Date.now() / 1000 + seconds } });
      for (const seconds of [3600, 100 * 86400]) whenExpired(left(seconds), () => console.log('expired'));
      console.log('ends');
    `;
    const { stdout } = await runProgram(script);
    expect(stdout.trim()).toBe('ends');
  });

  it('T-093: ends within a second after exp, with 1008, and not before', async () => {
    const { port, seen } = await serve(create(), {
      connected: (ws, auth) => {
        if (auth === undefined) expect.fail('anonymous');
        const forget = whenExpired(auth, () => ws.close(1008, 'token expired'));
        ws.on('close', forget);
      },
    });
    const exp = Math.floor(Date.now() / 1000) + 2;
    const token = await issuer.mint({ exp });
    const client = new WebSocket(`ws://127.0.0.1:${port}/chat`, {
      headers: { authorization: `Bearer ${token}` },
    });
    onTestFinished(() => client.terminate());
    const [code, reason] = await once(client, 'close');
    const lateMs = Date.now() - exp * 1000;
    expect([code, String(reason)]).toEqual([1008, 'token expired']);
    expect(lateMs).toBeGreaterThanOrEqual(0);
    expect(lateMs).toBeLessThan(1_000);
    expect(seen).toHaveLength(1);
  });
});
