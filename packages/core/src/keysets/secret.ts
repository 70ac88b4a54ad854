// A JWK Set kept in a secret store. It may hold private keys, of which the public half verifies, and symmetric ones.

import { importJwks, type KeyPolicy } from '../jwk/import-jwks.ts';
import { withDeadline } from '../net/deadline.ts';
import { DEADLINE_MS } from '../net/limits.ts';
import { MAX_SECRET_BYTES, type SecretReference, type SecretStore } from '../secrets/store.ts';
import { parseJsonObject } from '../values/json.ts';
import type { KeySource } from './refreshed-keyset.ts';

/** What a keyset in a secret is made of. */
interface SecretSettings {
  /** `secret` or `external-secret`, as `jwks list` prints it. */
  readonly kind: 'secret' | 'external-secret';
  readonly store: SecretStore;
  readonly reference: SecretReference;
  readonly policy: KeyPolicy;
}

/** Makes a source of one secret. The store belongs to the application: closing the keyset does not close it. */
export function createSecretSource({ kind, store, reference, policy }: SecretSettings): KeySource {
  return {
    description: `${kind}: ${reference.name}`,
    async load(signal) {
      const document = parseJsonObject(await readSecret(store, reference, signal));
      return { ...importJwks(document, policy), lifetimeMs: undefined };
    },
    ...watching(store, [reference]),
  };
}

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
 * Reads one entry, within five seconds whatever the store does. A store is somebody else's code: what it returns is checked like
 * configuration.
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

/** The `watch` of a source over entries of a store, where the store has one. */
export function watching(
  store: SecretStore,
  references: readonly SecretReference[],
): Pick<KeySource, 'watch'> {
  if (store.watch === undefined) return {};
  return {
    watch(changed) {
      const stops = references.map((reference) => store.watch?.(reference, changed));
      return () => {
        for (const stop of stops) stop?.();
      };
    },
  };
}
