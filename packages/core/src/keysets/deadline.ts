// A bound on anything that might never answer. Nothing here knows what is being waited for.

/**
 * Runs something that must end in time. Its signal is aborted at the deadline or with the outer signal, and then the call rejects
 * whether or not the work takes notice.
 */
export async function withDeadline<T>(
  limitMs: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  outer.throwIfAborted();
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(new Error(`no whole answer within ${limitMs} ms`)), limitMs);
  const signal = AbortSignal.any([outer, deadline.signal]);
  try {
    return await Promise.race([
      work(signal),
      new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
