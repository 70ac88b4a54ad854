// Whether a file is being written, as far as that can be seen from outside. What is in it is not
// read.
import { statSync } from 'node:fs';

/** How long a text has to stay as it is that might be the beginning of another. */
const WHOLE_AFTER_MS = 2_000;

/**
 * Waits, and tells whether the file was neither written nor replaced meanwhile. Rejects at once
 * with the signal.
 */
export async function staysStill(path: string, signal: AbortSignal): Promise<boolean> {
  const before = signOf(path);
  await pause(WHOLE_AFTER_MS, signal);
  return signOf(path) === before;
}

/** What changes when a file is written or put in place. */
function signOf(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stats === undefined ? '' : `${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal.addEventListener('abort', stop, { once: true });
  });
}
