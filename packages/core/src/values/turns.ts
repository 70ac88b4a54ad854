// Splits long work into slices, so that the process answers requests in between.
import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Maps a list, and yields to the event loop after each slice.
 * @param slice the number of items mapped at a time
 * @param signal when aborted, rejects with its reason before the next slice
 */
export async function mapInTurns<T, R>(
  items: readonly T[],
  slice: number,
  map: (item: T) => R,
  signal: AbortSignal,
): Promise<readonly R[]> {
  const mapped: R[] = [];
  for (let at = 0; at < items.length; at += slice) {
    if (at > 0) await nextTurn();
    signal.throwIfAborted();
    mapped.push(...items.slice(at, at + slice).map(map));
  }
  return mapped;
}
