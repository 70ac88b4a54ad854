// withDeadline lets go of the signals of calls that have ended. Timeouts are tested where they are
// used.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { withDeadline } from '../../src/net/deadline.ts';
import { collectGarbage } from '../support/garbage.ts';

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
