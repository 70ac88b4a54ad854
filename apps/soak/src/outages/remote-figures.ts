// What the outages of a remote endpoint came to: the figures of R17. Measures nothing.
import { duration, type Figure } from '@latchkey/test-kit/figures';
import type { Verdicts } from './judge.ts';
import type { Fault } from './misbehave.ts';
import type { Vital } from './vitals.ts';

/** How one outage went for one authenticator. */
export interface Course {
  readonly fault: Fault;
  readonly name: string;
  /** The slowest refusal. */
  readonly slowestMs: number;
  /** Whether the breaker was seen open. */
  readonly opened: boolean;
  /**
   * How often it was closed while nobody could say: an answer that was under way from before does
   * that.
   */
  readonly closings: number;
  /** From then, or from the beginning of the outage if it was not, to its end. */
  readonly lastedMs: number;
  /** When calls reached the endpoint that were begun in that time. */
  readonly begun: readonly number[];
  /** How many reached it that were under way already. */
  readonly late: number;
  /** From the end of the outage to the first principal. */
  readonly recoveredMs: number;
  /** Of the process, in which both authenticators are. */
  readonly vital: Vital;
}

/** All that was measured. */
export interface RemoteRun {
  readonly courses: readonly Course[];
  readonly verdicts: readonly Verdicts[];
  /** By the endpoints' own count. */
  readonly accepted: number;
  readonly astray: number;
  /** After garbage collection, the end less the beginning. */
  readonly heapMiB: number;
  readonly uncaught: number;
}

const TIMEOUT_MS = 2_000;
/** What a 503 may take beside waiting: about as much as in R10. */
const MAX_REFUSAL_MS = 100;
const PROBE_MS = 1_000;
const MAX_RECOVERY_MS = 2_000;
const MAX_HELD_MS = 50;
const MAX_HEAP_MIB = 5;
/** By what is merely odd, the breaker is not to be opened: it may be about one token only. */
const ODD: readonly Fault[] = ['lie', 'redirect'];

/** Tells figures of a run. */
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
    figure: '0 fail-open in 10^5 requests; 0 tokens elsewhere',
    measured: `${open} fail-open in ${requests} requests, half of them with tokens that the endpoint accepts when it can, half with forged and revoked ones; ${principals} principals, each by proof of its own token, for ${accepted} acceptances by the endpoints' count (who brings the same token at the same time shares one); ${astray} requests followed a redirect; ${faults.join(', ')}, with remote alone and before a keyset that would accept the revoked ones`,
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
    figure: 'while it cannot say: 503 <= 2 s (+ 0.1 s), and nothing else',
    measured: `${odd.length === 0 ? '0' : oddText} other answers beside ${unavailable} 503; slowest ${byFault(courses, (some) => duration(Math.max(...some.map((course) => course.slowestMs))))}`,
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
    return `${((begun / lastedMs) * 1000).toFixed(2)}/s (${begun} in ${duration(lastedMs)}, ${duration(least)} apart at least, and ${late} more that were under way already)`;
  };
  const asked = others.map((course) => (course.begun.length / course.lastedMs) * 1000);
  const closings = counted.reduce((total, course) => total + course.closings, 0);
  return {
    id: 'R17',
    goal: 'remote endpoint: breaker',
    figure: 'after 5 failures <= 1 call/s',
    measured: `${byFault(counted, text)}; closed ${closings} times meanwhile by answers from before; what is merely odd (${ODD.join(', ')}) is no failure: ${others.filter(({ opened }) => opened).length} of ${others.length} opened it, ${Math.min(...asked).toFixed(0)} calls/s went on`,
    met: counted.every(
      (course) =>
        course.opened &&
        course.begun.length <= course.lastedMs / PROBE_MS &&
        // A timer's millisecond.
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
    measured: `held by its own work ${byFault(courses, (some) => duration(most((vital) => vital.heldMs, some)))} at most; with the waits for this machine's processors ${duration(most(({ stillMs }) => stillMs))}; heap after GC ${heapMiB < 0 ? '' : '+'}${heapMiB.toFixed(1)} MB; RSS by outage ${byFault(courses, (some) => `+${most(({ grownMiB }) => grownMiB, some).toFixed(0)}`)} MB at most, the garbage of the load included, of it buffers ${byFault(courses, (some) => most(({ buffersMiB }) => buffersMiB, some).toFixed(0))} MB; ${uncaught} uncaught`,
    met: heldMs <= MAX_HELD_MS && heapMiB <= MAX_HEAP_MIB && uncaught === 0,
  };
}

/** From one call to the next. */
function gaps({ begun }: Course): readonly number[] {
  return begun.slice(1).map((at, index) => at - (begun[index] ?? 0));
}

function byFault(courses: readonly Course[], text: (some: readonly Course[]) => string): string {
  const faults = [...new Set(courses.map(({ fault }) => fault))];
  return faults
    .map((fault) => `${fault} ${text(courses.filter((course) => course.fault === fault))}`)
    .join(', ');
}
