// A load generator: makes calls at a fixed rate in this process, and records results and durations.
// It does not know tokens.
import { isAuthError } from '@latchkey/core';

/** One kind of call that a load makes. */
export interface Stream {
  readonly call: () => Promise<unknown>;
  /** Milliseconds from the call to its answer. Undefined: not recorded. */
  readonly times?: Samples | undefined;
  /** The same, plus the time that the call waited in this process's queue. */
  readonly queuedTimes?: Samples | undefined;
  readonly outcome?: ((outcome: Outcome) => void) | undefined;
}

/** How one call ended. */
export interface Outcome {
  /** `ok`, the code of the AuthError, or `error` for any other error. */
  readonly code: string;
  /** The time of the call, by `performance.now()`. */
  readonly at: number;
  readonly ms: number;
}

/** The number of calls per outcome. */
export interface Tally {
  readonly total: number;
  readonly failed: number;
  /** For example `12 token_key_unknown`; empty if no call failed. */
  readonly failures: string;
}

/** A running load. */
export interface Load {
  /** While paused, no calls are made. They are not made later either. */
  pause(paused: boolean): void;
  /** Stops, waits for the calls in progress, and returns the result. */
  stop(): Promise<{ readonly tally: Tally; readonly perSecond: number }>;
}

/**
 * Makes each stream's call `perSecond` times a second, if the machine can. The order of the streams
 * is random.
 */
export function startLoad(streams: readonly Stream[], perSecond: number): Load {
  const codes = new Map<string, number>();
  // Late calls are made later, but at most a tenth of a second's worth. The others are dropped,
  // which lowers the reported rate.
  const most = Math.max(1, Math.ceil(perSecond / 10));
  let runningMs = 0;
  let ticked = performance.now();
  let rounds = 0;
  let made = 0;
  let pending = 0;
  let stopped = false;
  let paused = false;
  let drained = () => {};

  async function make({ call, times, queuedTimes, outcome }: Stream, queued: number): Promise<void> {
    const at = performance.now();
    let code = 'ok';
    try {
      await call();
    } catch (error) {
      code = codeOf(error);
    }
    const now = performance.now();
    times?.add(now - at);
    queuedTimes?.add(now - queued);
    codes.set(code, (codes.get(code) ?? 0) + 1);
    outcome?.({ code, at, ms: now - at });
    pending--;
    if (pending === 0) drained();
  }

  function tick(): void {
    if (stopped) return;
    const now = performance.now();
    if (!paused) runningMs += now - ticked;
    ticked = now;
    const due = Math.floor((runningMs * perSecond) / 1000);
    for (rounds = Math.max(rounds, due - most); rounds < due; rounds++) {
      for (const stream of shuffled(streams)) {
        made++;
        pending++;
        // Each call has its own turn of the event loop, as requests have.
        setImmediate(() => void make(stream, now));
      }
    }
    setTimeout(tick, 1);
  }
  tick();

  return {
    pause(value) {
      paused = value;
    },
    async stop() {
      stopped = true;
      if (pending > 0) {
        await new Promise<void>((resolve) => {
          drained = resolve;
        });
      }
      return { tally: tallyOf(codes), perSecond: (made / streams.length / Math.max(1, runningMs)) * 1000 };
    },
  };
}

/** The first call after an idle moment is the slowest, so no stream must always be first. */
function shuffled<T>(values: readonly T[]): readonly T[] {
  if (values.length < 2) return values;
  return values
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

/** The code of an AuthError, or `error` for any other error. */
export function codeOf(error: unknown): string {
  return isAuthError(error) ? error.code : 'error';
}

/** Durations. They are outside the heap, so that they do not change heap figures. */
export interface Samples {
  add(ms: number): void;
  /** Returns this quantile of the samples and removes all samples. NaN if there are no samples. */
  take(quantile: number): number;
}

/** Creates room for this many samples. More samples are ignored. */
export function createSamples(capacity: number): Samples {
  const values = new Float64Array(capacity);
  let count = 0;
  return {
    add(ms) {
      if (count < capacity) values[count++] = ms;
    },
    take(quantile) {
      const sorted = values.slice(0, count).sort();
      count = 0;
      return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] ?? Number.NaN;
    },
  };
}

/** The median. NaN for an empty list. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** `0 of 5000 failed`, with the codes if any failed. */
export function failedText({ total, failed, failures }: Tally): string {
  return `${failed} of ${total} failed${failed === 0 ? '' : ` (${failures})`}`;
}

function tallyOf(codes: ReadonlyMap<string, number>): Tally {
  const failures = [...codes].filter(([code]) => code !== 'ok');
  const failed = failures.reduce((sum, [, count]) => sum + count, 0);
  return {
    total: failed + (codes.get('ok') ?? 0),
    failed,
    failures: failures.map(([code, count]) => `${count} ${code}`).join(', '),
  };
}
