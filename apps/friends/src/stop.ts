// Runs a graceful stop when the process gets a signal. The stop itself is in each service's
// main.ts.

/**
 * Calls `stop` once, at the first SIGTERM or SIGINT, and prints when it has ended. The process then
 * ends by itself.
 */
export function onStop(stop: () => Promise<unknown>): void {
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, async () => {
      if (stopping) return;
      stopping = true;
      await stop();
      console.log('stopped');
    });
  }
}
