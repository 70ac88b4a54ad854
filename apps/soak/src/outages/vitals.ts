// Measures this process during a run: delays of the event loop, memory, and uncaught errors. It
// does not judge them.

/** The measurements since the last `take`. */
export interface Vital {
  /**
   * The longest delay of the event loop, including delays that other processes on the machine
   * cause.
   */
  readonly stillMs: number;
  /**
   * The same without the time in which this thread did not run: the delay that this process itself
   * can cause at most.
   */
  readonly heldMs: number;
  /** The largest growth of memory since the last `take`, and the largest size of buffers. */
  readonly grownMiB: number;
  readonly buffersMiB: number;
}

/** Watches this process. */
export interface Vitals {
  take(): Vital;
  /** The number of uncaught exceptions and unhandled rejections. */
  readonly uncaught: number;
  stop(): void;
}

const EVERY_MS = 5;
const MIB = 1024 * 1024;

/** Starts to measure. Until it stops, no error ends the process. */
export function startVitals(): Vitals {
  let uncaught = 0;
  let seen: Vital = NOTHING;
  let rssBefore = process.memoryUsage.rss();
  let last = { at: performance.now(), workedMs: workedMs() };
  const count = (error: unknown) => {
    uncaught++;
    console.log('uncaught:', error);
  };
  const look = () => {
    const now = { at: performance.now(), workedMs: workedMs() };
    const stillMs = Math.max(0, now.at - last.at - EVERY_MS);
    const { rss, arrayBuffers } = process.memoryUsage();
    seen = {
      stillMs: Math.max(seen.stillMs, stillMs),
      heldMs: Math.max(seen.heldMs, Math.min(stillMs, now.workedMs - last.workedMs)),
      grownMiB: Math.max(seen.grownMiB, (rss - rssBefore) / MIB),
      buffersMiB: Math.max(seen.buffersMiB, arrayBuffers / MIB),
    };
    last = now;
  };
  const timer = setInterval(look, EVERY_MS);
  for (const event of EVENTS) process.on(event, count);
  return {
    take() {
      look();
      const taken = seen;
      seen = NOTHING;
      rssBefore = process.memoryUsage.rss();
      return taken;
    },
    get uncaught() {
      return uncaught;
    },
    stop() {
      clearInterval(timer);
      for (const event of EVENTS) process.off(event, count);
    },
  };
}

/** The size of the heap after garbage collection. */
export function heapAfterGcMiB(): number {
  if (globalThis.gc === undefined) throw new Error('expected globalThis.gc; run node with --expose-gc');
  globalThis.gc();
  globalThis.gc();
  return process.memoryUsage().heapUsed / MIB;
}

const EVENTS = ['uncaughtException', 'unhandledRejection'] as const;
const NOTHING: Vital = { stillMs: 0, heldMs: 0, grownMiB: 0, buffersMiB: 0 };

function workedMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
