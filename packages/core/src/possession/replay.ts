// The store of proofs that were used, and the one that needs only this process: a time wheel in
// memory. How a store is asked is in replay-guard.ts.
import { ConfigError } from '../errors.ts';
import { type Clock, monotonicOf } from '../values/clock.ts';
import { kindOf } from '../values/kind.ts';

/**
 * Remembers which proofs were used, so that each is accepted once. One store is for all kinds of
 * proofs, and several processes of one service need one that they share.
 * @example
 * ```ts
 * declare const redis: {
 *   set(key: string, value: string, ...options: (string | number)[]): Promise<string | null>;
 * };
 * const replayStore: ReplayStore = {
 *   use: async (id, untilMs) =>
 *     (await redis.set(`proof:${id}`, '1', 'NX', 'PXAT', untilMs)) === 'OK',
 * };
 * ```
 */
export interface ReplayStore {
  /**
   * Notes that a proof is used, in one step that no other process can come between.
   * @param id 43 characters of base64url, which have nothing of a token or a proof in them
   * @param untilMs how long to remember it, in milliseconds since the epoch: the proof is too old
   *   from then on
   * @returns true if the id is new, false if it was used before. Throws or rejects if it cannot
   *   say: the answer to the request is then 503, as it is for any other result, and after 250 ms
   */
  use(id: string, untilMs: number): boolean | Promise<boolean>;
}

/** Checks a store. @throws ConfigError */
export function readReplayStore(value: unknown, path: string): ReplayStore {
  if (typeof value === 'object' && value !== null && 'use' in value && typeof value.use === 'function')
    return value as ReplayStore;
  throw new ConfigError(path, `expected a store with use(id, untilMs), got ${kindOf(value)}`);
}

/** A store in memory. */
export interface ReplayMemory extends ReplayStore {
  /** Raises the greatest number of proofs. It is never lowered. */
  resize(entries: number): void;
}

/**
 * Makes a store in memory.
 * @param entries the greatest number of proofs. It throws at one more, and forgets none of them.
 *   `resize` raises it
 * @param what it remembers, for messages
 */
export function createReplayMemory(entries: number, clock: Clock, what = 'used proofs'): ReplayMemory {
  const monotonic = monotonicOf(clock);
  let most = entries;
  const used = new Set<string>();
  // By the second of monotonic time from which on they are too old: a clock that is set ahead and
  // back must not end any.
  const wheel = new Map<number, string[]>();
  let sweptAt = Number.NEGATIVE_INFINITY;

  function sweep(): void {
    const second = Math.floor(monotonic() / 1000);
    if (second === sweptAt) return;
    sweptAt = second;
    for (const [end, ids] of wheel) {
      if (end > second) continue;
      for (const id of ids) used.delete(id);
      wheel.delete(end);
    }
  }

  return {
    use(id, untilMs) {
      sweep();
      if (used.has(id)) return false;
      if (used.size >= most) throw new Error(`the memory of ${what} is full: ${most} entries`);
      // One second later, because a proof is still accepted in the second that has begun.
      const end = Math.ceil((monotonic() + untilMs - clock.now()) / 1000) + 1;
      if (!Number.isFinite(end)) throw new Error('the clock gives no time');
      const ids = wheel.get(end);
      if (ids === undefined) wheel.set(end, [id]);
      else ids.push(id);
      used.add(id);
      return true;
    },
    resize(next) {
      most = Math.max(most, next);
    },
  };
}
