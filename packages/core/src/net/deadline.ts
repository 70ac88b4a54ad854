// A bound on anything that might never answer. Nothing here knows what is being waited for.

/**
 * Runs something that must end in time. Its signal is aborted at the deadline or with the outer
 * signal, and then the call rejects whether or not the work takes notice. At the deadline, it
 * rejects with what `late` gives.
 */
export async function withDeadline<T>(
  limitMs: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  late = () => new Error(`no whole answer within ${limitMs} ms`),
): Promise<T> {
  outer.throwIfAborted();
  // One that nothing is bound to: what AbortSignal.any makes lives as long as its sources, if
  // anybody listens to it.
  const inner = new AbortController();
  const stop = () => inner.abort(outer.reason);
  const timer = setTimeout(() => inner.abort(late()), limitMs);
  outer.addEventListener('abort', stop);
  try {
    return await Promise.race([
      work(inner.signal),
      new Promise<never>((_, reject) => {
        inner.signal.addEventListener('abort', () => reject(inner.signal.reason), { once: true });
      }),
    ]);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener('abort', stop);
  }
}
