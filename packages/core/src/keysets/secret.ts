// A source that reads a JWK Set from a secret store. The set may hold private keys, whose public
// half verifies, and symmetric keys.

import { importJwksInTurns, type KeyPolicy } from '../jwk/import-jwks.ts';
import { readSecret, watchSecret } from '../secrets/read.ts';
import type { SecretReference, SecretStore } from '../secrets/store.ts';
import { parseJsonObject } from '../values/json.ts';
import type { KeySource } from './refreshed-keyset.ts';

/** The settings of a keyset in a secret. */
interface SecretSettings {
  /** `secret` or `external-secret`, as `jwks list` prints it. */
  readonly kind: 'secret' | 'external-secret';
  readonly store: SecretStore;
  readonly reference: SecretReference;
  readonly policy: KeyPolicy;
}

/**
 * Makes a source of one secret. The store belongs to the application: closing the keyset does not
 * close it.
 */
export function createSecretSource({ kind, store, reference, policy }: SecretSettings): KeySource {
  return {
    description: `${kind}: ${reference.name}`,
    async load(signal) {
      const document = parseJsonObject(await readSecret(store, reference, signal));
      return { ...(await importJwksInTurns(document, policy, signal)), lifetimeMs: undefined };
    },
    ...watching(store, [reference]),
  };
}

/** The `watch` of a source over entries of a store, if the store can watch. */
export function watching(
  store: SecretStore,
  references: readonly SecretReference[],
): Pick<KeySource, 'watch'> {
  if (store.watch === undefined) return {};
  return {
    watch(changed) {
      const stops = references.map((reference) => watchSecret(store, reference, changed));
      return () => {
        for (const stop of stops) stop();
      };
    },
  };
}
