// Reads and watches one entry of a secret store, with a limit on time and on bytes, and whatever
// the store does. Does not know what the bytes are for.

import { warn } from '../events.ts';
import { withDeadline } from '../net/deadline.ts';
import { DEADLINE_MS } from '../net/limits.ts';
import { isPromise } from '../values/promise.ts';
import { MAX_SECRET_BYTES, type SecretReference, type SecretStore } from './store.ts';

/** Reads one entry that has to be there: see `findSecret`. */
export async function readSecret(
  store: SecretStore,
  reference: SecretReference,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const bytes = await findSecret(store, reference, signal);
  if (bytes === undefined) throw new Error(`the secret ${reference.name} has no entry ${reference.key}`);
  return bytes;
}

/**
 * Reads one entry, within five seconds whatever the store does. The application may bring its own
 * store, so what the store returns is checked.
 * @returns undefined if the store says that there is no such entry
 */
export async function findSecret(
  store: SecretStore,
  reference: SecretReference,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  return checkSecret(
    await withDeadline(DEADLINE_MS, signal, (inner) => store.read(reference, inner)),
    reference,
  );
}

/**
 * Checks what a store gives as an entry.
 * @returns undefined if it says that there is no such entry
 */
export function checkSecret(bytes: unknown, reference: SecretReference): Uint8Array | undefined {
  if (bytes === undefined) return undefined;
  const what = `the secret ${reference.name} has`;
  if (!(bytes instanceof Uint8Array))
    throw new Error(`${what} something else than bytes in ${reference.key}`);
  if (bytes.length === 0) throw new Error(`${what} nothing in ${reference.key}`);
  if (bytes.length > MAX_SECRET_BYTES)
    throw new Error(`${what} more than ${MAX_SECRET_BYTES} bytes in ${reference.key}`);
  return bytes;
}

const unwatched = new WeakSet<SecretStore>();

/**
 * Watches one entry where the store can. A store that throws, or gives something else than a
 * function, is one that cannot: its entries are read at every refresh interval, and that warns once
 * for each store.
 * @returns ends the watching. Never throws
 */
export function watchSecret(store: SecretStore, reference: SecretReference, changed: () => void): () => void {
  try {
    const stop: unknown = store.watch?.(reference, changed);
    if (isFunction(stop)) return () => attempt(store, stop);
    // One that promises may reject, which nothing else would handle.
    if (isPromise(stop)) Promise.resolve(stop).catch(() => {});
    if (stop !== undefined) tellUnwatched(store);
  } catch {
    tellUnwatched(store);
  }
  return () => {};
}

function isFunction(value: unknown): value is () => unknown {
  return typeof value === 'function';
}

function attempt(store: SecretStore, stop: () => unknown): void {
  try {
    const stopped = stop();
    if (isPromise(stopped)) Promise.resolve(stopped).catch(() => {});
  } catch {
    tellUnwatched(store);
  }
}

/** Without the error: its text is the store's own, and may hold a path. */
function tellUnwatched(store: SecretStore): void {
  if (unwatched.has(store)) return;
  unwatched.add(store);
  warn('LATCHKEY_UNAVAILABLE', 'secrets: the store cannot watch; changes are seen at each refresh only');
}
