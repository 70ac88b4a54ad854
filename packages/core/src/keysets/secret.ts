// A source that reads keys from a secret store: a JWK Set, which may hold private keys, whose
// public half verifies, and symmetric keys; or one symmetric secret as a text.

import { importJwksInTurns, type KeyPolicy } from '../jwk/import-jwks.ts';
import { decodedJwk, type SecretEncoding } from '../secrets/encoding.ts';
import { placeOf, readSecret, watchSecret } from '../secrets/read.ts';
import type { SecretReference, SecretStore } from '../secrets/store.ts';
import { type AlgorithmName, findAlgorithm } from '../token/algorithms.ts';
import { type JsonObject, parseJsonObject } from '../values/json.ts';
import type { KeySource } from './refreshed-keyset.ts';

/** The settings of a keyset in a secret. */
interface SecretSettings {
  /** `secret` or `external-secret`, as `jwks list` prints it. */
  readonly kind: 'secret' | 'external-secret';
  readonly store: SecretStore;
  readonly reference: SecretReference;
  readonly policy: KeyPolicy;
  /** The entry is a symmetric secret in this encoding. Undefined: see `readEntry`. */
  readonly encoding: SecretEncoding | undefined;
}

/**
 * Makes a source of one secret. The store belongs to the application: closing the keyset does not
 * close it.
 */
export function createSecretSource(settings: SecretSettings): KeySource {
  const { kind, store, reference, policy } = settings;
  return {
    description: `${kind}: ${reference.name}`,
    place: placeOf(store, reference),
    async load(signal) {
      const bytes = await readSecret(store, reference, signal);
      const text = readText(bytes, settings);
      const imported = await importJwksInTurns(text ?? parseJsonObject(bytes), policy, signal);
      const [unusable] = imported.skipped;
      if (text !== undefined && unusable !== undefined)
        throw new Error(`the secret ${reference.name} cannot be used: ${unusable.reason}`);
      return { ...imported, lifetimeMs: undefined };
    },
    ...watching(store, [reference]),
  };
}

/**
 * Reads an entry that is a symmetric secret itself, as a set of one key. Without an encoding, a
 * text that is not JSON is one, if the keyset allows algorithms of symmetric keys only: then it can
 * be nothing else.
 * @returns undefined for JSON
 */
export function readText(
  bytes: Uint8Array,
  { reference, policy, encoding }: Pick<SecretSettings, 'reference' | 'policy' | 'encoding'>,
): JsonObject | undefined {
  if (encoding === undefined && /^\s*[{[]/.test(Buffer.from(bytes.subarray(0, 100)).toString('latin1')))
    return undefined;
  const { name, key } = reference;
  if (encoding === undefined && !isSymmetric(policy.allowed))
    throw new Error(
      `the secret ${name} has no JWK Set in ${key}; for a text that is the secret itself, set allowedAlgorithms: ['HS256']`,
    );
  try {
    return { keys: [decodedJwk(bytes, encoding ?? 'utf8')] };
  } catch (cause) {
    throw new Error(`the secret ${name} ${cause instanceof Error ? cause.message : ''} in ${key}`, { cause });
  }
}

/** True if only algorithms of symmetric keys are allowed. */
export function isSymmetric(allowed: ReadonlySet<AlgorithmName> | undefined): boolean {
  return allowed !== undefined && [...allowed].every((name) => findAlgorithm(name)?.kty === 'oct');
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
