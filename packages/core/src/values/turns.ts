// Long work in slices, so that requests are answered in between.
import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Maps a list, and gives way to other work after every few items.
 * @param slice how many are done at a time
 * @param signal rejects with its reason between two slices
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
