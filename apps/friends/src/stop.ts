// A graceful stop: requests under way are answered, connections that only wait are let go.

/**
 * Runs once, at the first SIGTERM or SIGINT, and says when it has ended. The process ends by itself
 * when nothing is left to do.
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
