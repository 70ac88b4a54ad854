// Reads and watches one entry of any secret store, with limits on time and bytes. A faulty store
// cannot break the caller. This code does not know what the bytes are for.

import { warn } from '../events.ts';
import { withDeadline } from '../net/deadline.ts';
import { DEADLINE_MS } from '../net/limits.ts';
import { isPromise } from '../values/promise.ts';
import { MAX_SECRET_BYTES, type SecretReference, type SecretStore } from './store.ts';

/** Like `findSecret`, for an entry that must exist. */
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
 * Reads one entry, within five seconds for any store. The store may come from the application, so
 * its result is checked.
 * @returns undefined if the store says that the entry does not exist
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
 * Checks the result of a store.
 * @returns undefined if the store says that the entry does not exist
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

/** Where an entry is, for messages: by the store if it can say. Never throws. */
export function placeOf(store: SecretStore, { name, key }: SecretReference): string {
  const entry = `the entry ${key} of the secret ${name}`;
  try {
    const place: unknown = store.locate?.({ name, key });
    return typeof place === 'string' ? `${entry} (${place})` : entry;
  } catch {
    return entry;
  }
}

const unwatched = new WeakSet<SecretStore>();

/**
 * Watches one entry, if the store can watch. A store that throws, or does not return a function, is
 * treated as one that cannot: its entries are read at each refresh interval, and a warning is
 * emitted once per store.
 * @returns a function that stops watching. Never throws
 */
export function watchSecret(store: SecretStore, reference: SecretReference, changed: () => void): () => void {
  try {
    const stop: unknown = store.watch?.(reference, changed);
    if (isFunction(stop)) return () => attempt(store, stop);
    // A promise may reject, and no other code would handle that.
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

/** Warns without the error: its text comes from the store and may contain a path. */
function tellUnwatched(store: SecretStore): void {
  if (unwatched.has(store)) return;
  unwatched.add(store);
  warn('LATCHKEY_UNAVAILABLE', 'secrets: the store cannot watch; changes are found at the next refresh only');
}
