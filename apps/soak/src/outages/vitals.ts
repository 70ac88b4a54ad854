// What a run does to its own process: how long the event loop stood still, memory, and errors that
// nobody caught.

/** What was seen since this was last asked. */
export interface Vital {
  /**
   * The longest that the event loop stood still. Where others want the machine too, this is theirs
   * as well.
   */
  readonly stillMs: number;
  /**
   * The same, less the time for which this thread was not at work: no more than that is its own
   * doing.
   */
  readonly heldMs: number;
  /**
   * How much more memory there was at most than at its beginning, and how much of it was buffers at
   * most.
   */
  readonly grownMiB: number;
  readonly buffersMiB: number;
}

/** Watches this process. */
export interface Vitals {
  take(): Vital;
  /** What would have ended the process, and rejections that nobody handled. */
  readonly uncaught: number;
  stop(): void;
}

const EVERY_MS = 5;
const MIB = 1024 * 1024;

/** Begins to watch. While it does, no error ends the process. */
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

/** Of the heap, when all that nobody holds is gone. */
export function heapAfterGcMiB(): number {
  if (globalThis.gc === undefined) throw new Error('needs node --expose-gc');
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
