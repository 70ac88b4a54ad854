// withDeadline lets go of the signals of calls that have ended, and gives Errors only. Timeouts are
// tested where they are used.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { closeForeign, withDeadline } from '../../src/net/deadline.ts';
import { collectGarbage } from '../support/garbage.ts';
import { rejectionOf } from '../support/refusals.ts';

describe('R13: what a call leaves behind', () => {
  /** How many of 500 signals that were handed out are still in memory. */
  async function leftOver(
    call: (handedOut: (signal: AbortSignal) => void) => Promise<void>,
  ): Promise<number> {
    const signals: WeakRef<AbortSignal>[] = [];
    for (let index = 0; index < 500; index++) await call((signal) => void signals.push(new WeakRef(signal)));
    for (let turn = 0; turn < 3; turn++) {
      await nextTurn();
      collectGarbage();
    }
    expect(signals).toHaveLength(500);
    return signals.filter((signal) => signal.deref() !== undefined).length;
  }

  it('nothing, without a listener', async () => {
    const stopping = new AbortController();
    const left = await leftOver(async (handedOut) => {
      handedOut(AbortSignal.any([stopping.signal, new AbortController().signal]));
    });
    expect(stopping.signal.aborted).toBe(false);
    expect(left).toBeLessThan(50);
  });

  it('nothing, when a call has ended in time', async () => {
    const stopping = new AbortController();
    const left = await leftOver((handedOut) =>
      withDeadline(60_000, stopping.signal, async (signal) => handedOut(signal)),
    );
    expect(stopping.signal.aborted).toBe(false);
    expect(left).toBeLessThan(50);
  });
});

describe('T-139: work that fails with something that is not an Error', () => {
  const never = new AbortController().signal;

  it.each([undefined, null, 'a text', 0, { status: 200 }])('rejects with an Error: %s', async (thrown) => {
    for (const work of [
      () => Promise.reject(thrown),
      () => {
        throw thrown;
      },
    ]) {
      const error = await rejectionOf(withDeadline(1_000, never, work));
      expect(error.cause).toBe(thrown);
    }
  });

  it('an Error stays as it is', async () => {
    const error = new TypeError('gone');
    expect(await rejectionOf(withDeadline(1_000, never, () => Promise.reject(error)))).toBe(error);
  });
});

describe('closeForeign', () => {
  it('waits for what closes, and gives nothing', async () => {
    const close = async () => 'closed';
    expect(await closeForeign(close, 'a store')).toBeUndefined();
  });

  it.each([
    ['throws', () => expect.fail('gone')],
    ['rejects', () => Promise.reject(new Error('gone'))],
  ])('rejects if it %s', async (_, close) => {
    expect((await rejectionOf(closeForeign(close, 'a store'))).message).toBe('gone');
  });

  it('rejects after a second', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const closed = rejectionOf(closeForeign(() => new Promise(() => {}), 'a store'));
      vi.advanceTimersByTime(1_000);
      expect((await closed).message).toBe('a store: close() has not ended within 1000 ms');
    } finally {
      vi.useRealTimers();
    }
  });
});
