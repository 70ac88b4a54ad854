// Compares the latency of calls that should not differ. They are made in turn within the same
// milliseconds, so that the machine's noise affects all of them. It does not know the faults.

import type { Figure } from '@latchkey/test-kit/figures';
import { createSamples, median, type Samples, startLoad } from '@latchkey/test-kit/load';

/**
 * A scenario whose latency is compared with the baseline: an authenticator for a healthy issuer.
 */
export interface Contestant {
  readonly call: () => Promise<unknown>;
  /** Starts the fault. */
  begin(): Promise<void>;
  finish(compared: Compared): Promise<readonly Figure[]>;
}

/** The result of a contestant. */
export interface Compared {
  /** The contestant's p99 divided by the baselines' mean: the median of the rounds. */
  readonly ratio: number;
  /** One baseline's p99 divided by the other's, which shows the machine's noise. */
  readonly noise: number;
  readonly baselineMs: number;
  readonly calls: number;
  readonly failed: number;
  /** Calls per second of each contestant. */
  readonly perSecond: number;
  readonly rounds: number;
}

/** A running comparison. */
export interface Comparison {
  /** Deletes all measurements so far. */
  reset(): void;
  stop(): Promise<readonly Compared[]>;
}

const ROUND_MS = 5_000;

/**
 * Starts the calls of all contestants in turn, with the baseline twice. The results are in the
 * order of the contestants.
 */
export function startComparison(
  baseline: () => Promise<unknown>,
  contestants: readonly Contestant[],
  perSecond: number,
): Comparison {
  const lanes = [baseline, baseline, ...contestants.map(({ call }) => call)].map(createLane);
  const load = startLoad(
    lanes.map(({ call, times, count }) => ({ call, times, outcome: count })),
    perSecond,
  );
  const endRound = () => {
    for (const { times, p99s } of lanes) p99s.push(times.take(0.99));
  };
  const timer = setInterval(endRound, ROUND_MS);
  return {
    reset() {
      for (const lane of lanes) lane.reset();
      timer.refresh();
    },
    async stop() {
      clearInterval(timer);
      const { perSecond } = await load.stop();
      const [first, second, ...others] = lanes;
      if (first === undefined || second === undefined) return [];
      const mean = first.p99s.map((p99, round) => (p99 + (second.p99s[round] ?? Number.NaN)) / 2);
      const over = (lane: Lane, baseline: readonly number[]) =>
        median(lane.p99s.map((p99, round) => p99 / (baseline[round] ?? Number.NaN)));
      return others.map((lane) => ({
        ratio: over(lane, mean),
        noise: over(second, first.p99s),
        baselineMs: median(mean),
        ...lane.counts(),
        perSecond,
        rounds: lane.p99s.length,
      }));
    },
  };
}

interface Lane {
  readonly call: () => Promise<unknown>;
  readonly times: Samples;
  readonly p99s: number[];
  readonly count: (outcome: { readonly code: string }) => void;
  counts(): { readonly calls: number; readonly failed: number };
  reset(): void;
}

function createLane(call: () => Promise<unknown>): Lane {
  const times = createSamples(20_000);
  const p99s: number[] = [];
  let calls = 0;
  let failed = 0;
  return {
    call,
    times,
    p99s,
    count({ code }) {
      calls++;
      if (code !== 'ok') failed++;
    },
    counts: () => ({ calls, failed }),
    reset() {
      times.take(0.99);
      p99s.length = 0;
      calls = 0;
      failed = 0;
    },
  };
}

/** The text about latency for the table. */
export function ratioText({ ratio, noise, baselineMs, rounds }: Compared): string {
  return `p99 ${ratio.toFixed(3)} x of ${(baselineMs * 1000).toFixed(0)} us, median of ${rounds} rounds of 5 s, call by call in turn with it (noise: two baselines differ by ${noise.toFixed(3)} x)`;
}
