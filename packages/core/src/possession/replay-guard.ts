// Asks the store of used proofs, within a deadline. What the store does not say is a 503, and never
// an accepted proof.
import { AuthError, asError } from '../errors.ts';
import { withDeadline } from '../net/deadline.ts';
import type { Clock } from '../values/clock.ts';
import { sharedState } from '../values/copies.ts';
import { isPromise } from '../values/promise.ts';
import { invalid } from './proof.ts';
import { createReplayMemory, type ReplayMemory, type ReplayStore } from './replay.ts';

type Refusal = AuthError | undefined;

/**
 * Uses up a proof.
 * @param key the framework's own request object: several decisions on one request use one proof
 * @returns why it is refused; undefined if the proof is new
 */
export type ReplayGuard = (id: string, untilMs: number, key: object) => Refusal | Promise<Refusal>;

/** The proof of one request, and what the store said of it. */
interface Use {
  readonly id: string;
  readonly outcome: Refusal | Promise<Refusal>;
}

/** How long a store may take. */
export const REPLAY_DEADLINE_MS = 250;

// Two authenticators of one process, and one that replaces another, remember the same proofs.
const memories = sharedState('replay memory', () => new WeakMap<object, ReplayMemory>());
const usedBy = sharedState('used proofs', () => new WeakMap<ReplayStore, WeakMap<object, Use>>());

/** The store of this process, for one clock. Its size is the greatest that was asked for. */
export function replayMemory(entries: number, clock: Clock): ReplayStore {
  const memory = memories.get(clock) ?? createReplayMemory(entries, clock);
  memory.resize(entries);
  memories.set(clock, memory);
  return memory;
}

/**
 * Makes the guard of a store.
 * @param acceptsFailure a proof is accepted although the store does not say whether it is new
 */
export function createReplayGuard(store: ReplayStore, acceptsFailure: boolean): ReplayGuard {
  const used = usedBy.get(store) ?? new WeakMap<object, Use>();
  usedBy.set(store, used);
  const never = new AbortController().signal;

  const failed = (cause: unknown): Refusal =>
    acceptsFailure
      ? undefined
      : new AuthError('replay_unavailable', {
          detail: 'the store of used proofs did not say whether the proof is new',
          cause: asError(cause),
        });

  const conclude = (isNew: unknown): Refusal => {
    if (isNew === true) return undefined;
    return isNew === false
      ? invalid('the proof was used before')
      : failed(new TypeError('expected true or false from use of the replayStore'));
  };

  const ask = (id: string, untilMs: number): Refusal | Promise<Refusal> => {
    try {
      const answer: unknown = store.use(id, untilMs);
      if (!isPromise(answer)) return conclude(answer);
      return withDeadline(REPLAY_DEADLINE_MS, never, () => answer).then(conclude, failed);
    } catch (error) {
      return failed(error);
    }
  };

  return (id, untilMs, key) => {
    const before = used.get(key);
    if (before?.id === id) return before.outcome;
    const outcome = ask(id, untilMs);
    used.set(key, { id, outcome });
    return outcome;
  };
}
