import { MAX_TIMER_MS } from './limits.ts';

/**
 * Keeps the process alive while a caller waits. The reading of a source does not: a program that
 * only makes an authenticator ends, whatever its sources do.
 */
export async function held<T>(waiting: Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, MAX_TIMER_MS);
  try {
    return await waiting;
  } finally {
    clearInterval(timer);
  }
}
