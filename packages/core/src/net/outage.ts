// What an operator is told of sources: one process warning when the state of a source changes, and
// none while it does not. Whether a source fails is decided elsewhere.
import { warn } from '../events.ts';
import { causeText } from '../plain-text.ts';

/** Warns if the state is another one than at the last call. */
export type StateNotice<S extends string> = (state: S | 'well', text: () => string) => void;

/** Makes a notice of a source that works, until it is told otherwise. */
export function createStateNotice<S extends string>(): StateNotice<S> {
  let told: S | 'well' = 'well';
  return (state, text) => {
    if (state === told) return;
    told = state;
    warn(state === 'well' ? 'LATCHKEY_RECOVERED' : 'LATCHKEY_UNAVAILABLE', text());
  };
}

/** "in 2 s": the next attempt, for people. */
export function inSeconds(delayMs: number): string {
  return `in ${Math.max(1, Math.round(delayMs / 1000))} s`;
}

/** Watches calls of a service that is called for each request. */
export interface CallNotice {
  /** Makes a call, and warns if it changes the state of the service. */
  watch<T>(call: () => Promise<T>): Promise<T>;
  /** Why the last call failed, without secrets. Undefined if it did not. */
  lastError(): string | undefined;
}

/**
 * A service that failed counts as well with its first success after this time without a failure.
 * Otherwise one that fails now and then would fill the log.
 */
const QUIET_MS = 10_000;

/**
 * Makes a notice of a service.
 * @param name the option and the service: `remote: https://login.internal/validate`
 * @param meanwhile what happens to requests while it fails
 * @param stopping aborted when calls end because the service is not needed any more
 * @param monotonic the monotonic time, in milliseconds
 */
export function createCallNotice(
  name: string,
  meanwhile: string,
  stopping: AbortSignal,
  monotonic: () => number,
): CallNotice {
  const tell = createStateNotice<'failing'>();
  let failedAt = Number.NEGATIVE_INFINITY;
  let lastError: string | undefined;
  return {
    async watch(call) {
      try {
        const result = await call();
        lastError = undefined;
        if (monotonic() - failedAt >= QUIET_MS) tell('well', () => `${name} works again`);
        return result;
      } catch (error) {
        if (!stopping.aborted) {
          failedAt = monotonic();
          const cause = causeText(error);
          lastError = cause;
          tell('failing', () => `${name} failed: ${cause}; ${meanwhile}`);
        }
        throw error;
      }
    },
    lastError: () => lastError,
  };
}
