// The load generator: so many calls a second in this process, how they ended, and how long they
// took. Knows nothing of tokens.
import { isAuthError } from '@latchkey/core';

/** One kind of call that a load makes. */
export interface Stream {
  readonly call: () => Promise<unknown>;
  /** From the call to its answer, milliseconds. Undefined: not kept. */
  readonly times?: Samples | undefined;
  /** The same, and the time that the call stood in this process's queue behind others. */
  readonly queuedTimes?: Samples | undefined;
  readonly outcome?: ((outcome: Outcome) => void) | undefined;
}

/** How one call ended. */
export interface Outcome {
  /** `ok`, the code of the refusal, or `error` for anything else. */
  readonly code: string;
  /** When it was made, by `performance.now()`. */
  readonly at: number;
  readonly ms: number;
}

/** How often each outcome came about. */
export interface Tally {
  readonly total: number;
  readonly failed: number;
  /** `12 token_key_unknown`, and so on; empty if nothing failed. */
  readonly failures: string;
}

/** A load that is running. */
export interface Load {
  /** While false no calls are made, and none are made up for. */
  pause(paused: boolean): void;
  /** Stops, waits for what is under way, and tells how it went. */
  stop(): Promise<{ readonly tally: Tally; readonly perSecond: number }>;
}

/**
 * Makes each stream's call so many times a second, as far as the machine can. Streams are called in
 * any order.
 */
export function startLoad(streams: readonly Stream[], perSecond: number): Load {
  const codes = new Map<string, number>();
  // What could not be made in time is made up for within a tenth of a second's worth; the rest is
  // left out and shows in the rate.
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
        // Each call a turn of its own of the event loop, as requests are: none runs in the middle
        // of another.
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

/** After an idle moment the first call is the slowest: no stream is to be always that one. */
function shuffled<T>(values: readonly T[]): readonly T[] {
  if (values.length < 2) return values;
  return values
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

/** The code of a refusal, or `error` for what is none. */
export function codeOf(error: unknown): string {
  return isAuthError(error) ? error.code : 'error';
}

/** Times, kept outside the heap so that heap figures do not show them. */
export interface Samples {
  add(ms: number): void;
  /**
   * The value that this part of the samples is at or below; then forgets them all. NaN of no
   * samples.
   */
  take(quantile: number): number;
}

/** Makes room for samples. What is beyond it is not kept. */
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

/** The middle one. NaN of nothing. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** `0 of 5000 failed`, and with what if any did. */
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
