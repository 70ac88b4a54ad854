// Finds out whether another process is still writing a file, as far as that is visible. The content
// is not read.
import { statSync } from 'node:fs';

/** How long a text must stay unchanged if it may be the beginning of a longer one. */
const WHOLE_AFTER_MS = 2_000;

/**
 * Waits, and returns true if the file was neither written nor replaced meanwhile. Rejects at once
 * if the signal is aborted.
 */
export async function staysStill(path: string, signal: AbortSignal): Promise<boolean> {
  const before = signOf(path);
  await pause(WHOLE_AFTER_MS, signal);
  return signOf(path) === before;
}

/** A fingerprint that changes when the file is written or replaced. */
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
