// Reads one entry of a secret store, with a limit on time and on bytes.
// Does not know what the bytes are for.

import { withDeadline } from '../net/deadline.ts';
import { DEADLINE_MS } from '../net/limits.ts';
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
  const bytes: unknown = await withDeadline(DEADLINE_MS, signal, (inner) => store.read(reference, inner));
  if (bytes === undefined) return undefined;
  const what = `the secret ${reference.name} has`;
  if (!(bytes instanceof Uint8Array))
    throw new Error(`${what} something else than bytes in ${reference.key}`);
  if (bytes.length === 0) throw new Error(`${what} nothing in ${reference.key}`);
  if (bytes.length > MAX_SECRET_BYTES)
    throw new Error(`${what} more than ${MAX_SECRET_BYTES} bytes in ${reference.key}`);
  return bytes;
}
