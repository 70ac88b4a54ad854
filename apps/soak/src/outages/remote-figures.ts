// Computes the figures of R17 from the outages of a remote endpoint. Nothing is measured here.
import { duration, type Figure } from '@latchkey/test-kit/figures';
import type { Verdicts } from './judge.ts';
import type { Fault } from './misbehave.ts';
import type { Vital } from './vitals.ts';

/** The result of one outage for one authenticator. */
export interface Course {
  readonly fault: Fault;
  readonly name: string;
  /** The slowest refusal. */
  readonly slowestMs: number;
  /** True if the breaker was open at some time. */
  readonly opened: boolean;
  /**
   * How often the breaker closed during the outage. The answer to an earlier request can close it.
   */
  readonly closings: number;
  /**
   * Milliseconds from the opening of the breaker, or from the beginning of the outage if it never
   * opened, to the end of the outage.
   */
  readonly lastedMs: number;
  /** The times at which calls that started in that time reached the endpoint. */
  readonly begun: readonly number[];
  /** The number of earlier calls that reached the endpoint in that time. */
  readonly late: number;
  /** Milliseconds from the end of the outage to the first principal. */
  readonly recoveredMs: number;
  /** The vitals of the process, which has both authenticators. */
  readonly vital: Vital;
}

/** All measurements. */
export interface RemoteRun {
  readonly courses: readonly Course[];
  readonly verdicts: readonly Verdicts[];
  /** The number of acceptances, as the endpoints counted them. */
  readonly accepted: number;
  readonly astray: number;
  /** The growth of the heap from the beginning to the end, after garbage collection. */
  readonly heapMiB: number;
  readonly uncaught: number;
}

const TIMEOUT_MS = 2_000;
/** The time that a 503 may take in addition to the wait: about as in R10. */
const MAX_REFUSAL_MS = 100;
const PROBE_MS = 1_000;
const MAX_RECOVERY_MS = 2_000;
const MAX_HELD_MS = 50;
const MAX_HEAP_MIB = 5;
/** Faults that must not open the breaker, because such an answer may concern only one token. */
const ODD: readonly Fault[] = ['invalid', 'redirect'];

/** Computes the figures of a run. */
export function remoteFigures(run: RemoteRun): readonly Figure[] {
  return [failOpen(run), refusals(run), breaker(run), recovery(run), process(run)];
}

function failOpen({ courses, verdicts, accepted, astray }: RemoteRun): Figure {
  const sum = (of: (verdict: Verdicts) => number) =>
    verdicts.reduce((total, verdict) => total + of(verdict), 0);
  const [requests, principals, open] = [
    sum((it) => it.requests),
    sum((it) => it.principals),
    sum((it) => it.failOpen),
  ];
  const faults = [...new Set(courses.map(({ fault }) => fault))];
  return {
    id: 'R17',
    goal: 'remote endpoint: fail-open',
    figure: '0 fail-open in 10^5 requests; 0 tokens sent to another host',
    measured: `${open} fail-open in ${requests} requests, half of them with tokens that the endpoint accepts when it can, half with forged and revoked ones; ${principals} principals, each with the proof of its own token, for ${accepted} acceptances counted by the endpoints (concurrent requests with the same token share one); ${astray} requests followed a redirect; ${faults.join(', ')}, with remote alone and before a keyset that would accept the revoked ones`,
    met: open === 0 && requests >= 100_000 && principals > 0 && astray === 0,
  };
}

function refusals({ courses, verdicts }: RemoteRun): Figure {
  const odd = verdicts.flatMap((verdict) => [...verdict.odd]);
  const unavailable = verdicts.reduce((total, verdict) => total + verdict.unavailable, 0);
  const slowestMs = Math.max(...courses.map((course) => course.slowestMs));
  const oddText = odd.map(([text, count]) => `${count} ${text}`).join(', ');
  return {
    id: 'R17',
    goal: 'remote endpoint: refusals',
    figure: 'while the endpoint cannot answer: 503 <= 2 s (+ 0.1 s), and no other answer',
    measured: `${odd.length === 0 ? '0' : oddText} other answers in addition to ${unavailable} 503; slowest ${byFault(courses, (some) => duration(Math.max(...some.map((course) => course.slowestMs))))}`,
    met: odd.length === 0 && slowestMs <= TIMEOUT_MS + MAX_REFUSAL_MS,
  };
}

function breaker({ courses }: RemoteRun): Figure {
  const counted = courses.filter(({ fault }) => !ODD.includes(fault));
  const others = courses.filter(({ fault }) => ODD.includes(fault));
  const text = (some: readonly Course[]) => {
    const begun = some.reduce((total, course) => total + course.begun.length, 0);
    const late = some.reduce((total, course) => total + course.late, 0);
    const lastedMs = some.reduce((total, course) => total + course.lastedMs, 0);
    const least = Math.min(...some.flatMap(gaps));
    return `${((begun / lastedMs) * 1000).toFixed(2)}/s (${begun} in ${duration(lastedMs)}, ${duration(least)} apart at least, and ${late} more that had started earlier)`;
  };
  const asked = others.map((course) => (course.begun.length / course.lastedMs) * 1000);
  const closings = counted.reduce((total, course) => total + course.closings, 0);
  return {
    id: 'R17',
    goal: 'remote endpoint: breaker',
    figure: 'after 5 failures <= 1 call/s',
    measured: `${byFault(counted, text)}; closed ${closings} times meanwhile by answers to earlier calls; odd answers (${ODD.join(', ')}) are not failures: ${others.filter(({ opened }) => opened).length} of ${others.length} opened it, ${Math.min(...asked).toFixed(0)} calls/s went on`,
    met: counted.every(
      (course) =>
        course.opened &&
        course.begun.length <= course.lastedMs / PROBE_MS &&
        // Allows for the precision of timers.
        gaps(course).every((gap) => gap >= PROBE_MS - 2),
    ),
  };
}

function recovery({ courses }: RemoteRun): Figure {
  return {
    id: 'R17',
    goal: 'remote endpoint: recovery',
    figure: 'first principal <= 2 s after it is back (as R18)',
    measured: byFault(courses, (some) => some.map(({ recoveredMs }) => duration(recoveredMs)).join(' ')),
    met: courses.every(({ recoveredMs }) => recoveredMs <= MAX_RECOVERY_MS),
  };
}

function process({ courses, heapMiB, uncaught }: RemoteRun): Figure {
  const most = (of: (vital: Vital) => number, some = courses) =>
    Math.max(...some.map(({ vital }) => of(vital)));
  const heldMs = most(({ heldMs }) => heldMs);
  return {
    id: 'R17',
    goal: 'remote endpoint: the process',
    figure: 'event loop held <= 50 ms (as R15), heap after GC <= +5 MB (as R6), 0 uncaught',
    measured: `event loop held by the process's own work ${byFault(courses, (some) => duration(most((vital) => vital.heldMs, some)))} at most; including waits for a processor ${duration(most(({ stillMs }) => stillMs))}; heap after GC ${heapMiB < 0 ? '' : '+'}${heapMiB.toFixed(1)} MB; RSS by outage ${byFault(courses, (some) => `+${most(({ grownMiB }) => grownMiB, some).toFixed(0)}`)} MB at most, including the garbage of the load; buffers in it ${byFault(courses, (some) => most(({ buffersMiB }) => buffersMiB, some).toFixed(0))} MB; ${uncaught} uncaught`,
    met: heldMs <= MAX_HELD_MS && heapMiB <= MAX_HEAP_MIB && uncaught === 0,
  };
}

/** The times between successive calls. */
function gaps({ begun }: Course): readonly number[] {
  return begun.slice(1).map((at, index) => at - (begun[index] ?? 0));
}

function byFault(courses: readonly Course[], text: (some: readonly Course[]) => string): string {
  const faults = [...new Set(courses.map(({ fault }) => fault))];
  return faults
    .map((fault) => `${fault} ${text(courses.filter((course) => course.fault === fault))}`)
    .join(', ');
}
