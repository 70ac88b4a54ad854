// Reads one key of the deprecated `keys` list for a migration: its JWK, and the tokens that it
// verifies. Writes nothing.
import { ConfigError } from '../../errors.ts';
import { importJwk, type SkippedKey, type VerificationKey } from '../../jwk/import-jwks.ts';
import type { LegacyKeySettings } from '../../keysets/legacy-options.ts';
import { privateJwkFromPem, publicJwkFromPem } from '../../secrets/pem.ts';
import { findSecret } from '../../secrets/read.ts';
import type { SecretStore } from '../../secrets/store.ts';
import { symmetricJwk } from '../../secrets/symmetric.ts';
import { findAlgorithm } from '../../token/algorithms.ts';
import type { JsonObject } from '../../values/json.ts';

/** One key of the list, with the content of its secret. */
export interface LegacyKey {
  readonly settings: LegacyKeySettings;
  /** With the private half, if the secret has one: signers continue to use it. */
  readonly jwk: JsonObject;
  /** Identifies what the list verifies by this key; undefined for a key that only signs. */
  readonly identity: string | undefined;
}

/**
 * Reads the secret of one key.
 * @throws ConfigError for a key that the list itself could not use: a migration must not silently
 *   drop a key
 */
export async function readLegacyKey(
  settings: LegacyKeySettings,
  path: string,
  store: SecretStore,
  signal: AbortSignal,
): Promise<LegacyKey> {
  try {
    return await read(settings, store, signal);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'it cannot be read';
    throw new ConfigError(path, `cannot be moved: ${reason}; fix its secret, or remove the key`, {
      cause,
    });
  }
}

/**
 * Equal for the same key with the same kid and algorithms, in any place. For a symmetric key it is
 * a secret.
 */
export function identityOf({ kid, thumbprint, verifiers }: VerificationKey): string {
  return JSON.stringify([kid ?? null, thumbprint, [...verifiers.keys()].sort()]);
}

async function read(
  settings: LegacyKeySettings,
  store: SecretStore,
  signal: AbortSignal,
): Promise<LegacyKey> {
  const { keyId, algorithm, secretName, legacy } = settings;
  const head = { kid: keyId, alg: algorithm, use: 'sig' };
  const entry = (key: string) => findSecret(store, { name: secretName, key }, signal);
  if (findAlgorithm(algorithm)?.kty === 'oct') {
    const bytes = await entry('secret.key');
    if (bytes === undefined) throw new Error(`there is no entry secret.key in the secret ${secretName}`);
    const jwk = { ...symmetricJwk(bytes), ...head };
    return { settings, jwk, identity: identityOf(usable(importJwk(jwk, { origin: 'secret', legacy }))) };
  }
  const privateHalf = withHead(await entry('private.key'), privateJwkFromPem, head);
  const publicHalf = withHead(await entry('public.key'), publicJwkFromPem, head);
  const signing = privateHalf && usable(importJwk(privateHalf, { origin: 'secret' }));
  // A private key alone only signs: its public half could be computed, but the list does not verify
  // by it.
  if (publicHalf === undefined) {
    if (privateHalf === undefined)
      throw new Error(`there is no entry public.key or private.key in the secret ${secretName}`);
    return { settings, jwk: privateHalf, identity: undefined };
  }
  const verifying = usable(importJwk(publicHalf, { origin: 'public' }));
  if (signing !== undefined && signing.thumbprint !== verifying.thumbprint)
    throw new Error('its public.key does not match its private.key');
  return { settings, jwk: privateHalf ?? publicHalf, identity: identityOf(verifying) };
}

function withHead(
  bytes: Uint8Array | undefined,
  readPem: (pem: Uint8Array) => JsonObject,
  head: JsonObject,
): JsonObject | undefined {
  return bytes === undefined ? undefined : { ...readPem(bytes), ...head };
}

function usable(key: VerificationKey | SkippedKey): VerificationKey {
  if ('reason' in key) throw new Error(key.reason);
  return key;
}
