// Slows down work that is asked for again and again, such as by a store that reports a change
// whenever it is watched. Ordinary bursts pass at once.

/** The time in which a burst passes at once, and after which the next one may. */
const BURST_MS = 1_000;
const MAX_BURST = 10;

/**
 * Makes a pace.
 * @param stopping ends the pause
 * @returns a function to call before each piece of work: undefined if it may begin, else a promise
 *   that resolves when it may. Does not keep the process alive
 */
export function createPace(monotonic: () => number, stopping: AbortSignal): () => Promise<void> | undefined {
  let burstAt = Number.NEGATIVE_INFINITY;
  let count = 0;

  return () => {
    const now = monotonic();
    if (now - burstAt >= BURST_MS) {
      burstAt = now;
      count = 0;
    }
    count++;
    if (count <= MAX_BURST || stopping.aborted) return undefined;
    // It is the first of the next burst.
    burstAt += BURST_MS;
    count = 1;
    return pause(burstAt - now, stopping);
  };
}

function pause(ms: number, stopping: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      stopping.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms).unref();
    stopping.addEventListener('abort', end);
  });
}
