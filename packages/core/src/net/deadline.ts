// A time limit for any asynchronous work. Nothing here knows what the work is.
import { asError } from '../errors.ts';

/**
 * Runs work with a time limit. Its signal is aborted at the deadline or with the outer signal; then
 * the call rejects, even if the work ignores the signal. At the deadline, it rejects with the error
 * of `late`.
 * @param isHeld false: the deadline does not keep the process alive
 */
export async function withDeadline<T>(
  limitMs: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  late = () => new Error(`no whole answer within ${limitMs} ms`),
  isHeld = true,
): Promise<T> {
  outer.throwIfAborted();
  // Not `AbortSignal.any`: with a listener, its signal is kept alive as long as its sources (leak).
  const inner = new AbortController();
  const stop = () => inner.abort(outer.reason);
  const timer = setTimeout(() => inner.abort(late()), limitMs);
  if (!isHeld) timer.unref();
  outer.addEventListener('abort', stop);
  try {
    return await Promise.race([
      work(inner.signal),
      new Promise<never>((_, reject) => {
        inner.signal.addEventListener('abort', () => reject(inner.signal.reason), { once: true });
      }),
    ]);
  } catch (error) {
    // The work may be code of the application, and reject with anything.
    throw asError(error);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener('abort', stop);
  }
}

/** How long something of the application may take to close. */
const CLOSE_MS = 1_000;

/**
 * Closes something that the application gave, within a second.
 * @param what it is, for the error
 * @throws what `close` throws, as an Error; Error if it takes longer
 */
export async function closeForeign(close: () => unknown, what: string): Promise<void> {
  const late = () => new Error(`${what}: close() has not ended within ${CLOSE_MS} ms`);
  await withDeadline(CLOSE_MS, new AbortController().signal, async () => close(), late);
}
