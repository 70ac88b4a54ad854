// What migration knows of one key of the deprecated `keys` list: its JWK, and whom it verifies.
// Reads secrets, and writes nothing.
import { ConfigError } from '../../errors.ts';
import { importJwk, type SkippedKey, type VerificationKey } from '../../jwk/import-jwks.ts';
import type { LegacyKeySettings } from '../../keysets/legacy-options.ts';
import { privateJwkFromPem, publicJwkFromPem } from '../../secrets/pem.ts';
import { findSecret } from '../../secrets/read.ts';
import type { SecretStore } from '../../secrets/store.ts';
import { symmetricJwk } from '../../secrets/symmetric.ts';
import { findAlgorithm } from '../../token/algorithms.ts';
import type { JsonObject } from '../../values/json.ts';

/** One key of the list, with what is in its secret. */
export interface LegacyKey {
  readonly settings: LegacyKeySettings;
  /** With the private half, where the secret has one: signers go on with it. */
  readonly jwk: JsonObject;
  /** What the list verifies by this key; undefined for one that only signs. */
  readonly identity: string | undefined;
}

/**
 * Reads the secret of one key.
 * @throws ConfigError for a key that the list itself could not use: nothing is to be left behind
 *   unnoticed
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
    throw new ConfigError(path, `cannot be moved: ${reason}; fix its secret, or take the key out`, {
      cause,
    });
  }
}

/**
 * One key for one name and the same algorithms, whatever it stands in. Of a symmetric key it is a
 * secret.
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
    if (bytes === undefined) throw new Error('its secret has no secret.key');
    const jwk = { ...symmetricJwk(bytes), ...head };
    return { settings, jwk, identity: identityOf(usable(importJwk(jwk, { origin: 'secret', legacy }))) };
  }
  const privateHalf = withHead(await entry('private.key'), privateJwkFromPem, head);
  const publicHalf = withHead(await entry('public.key'), publicJwkFromPem, head);
  const signing = privateHalf && usable(importJwk(privateHalf, { origin: 'secret' }));
  // A private key alone only signs: that its public half could be told makes nobody trust what it
  // has signed.
  if (publicHalf === undefined) {
    if (privateHalf === undefined) throw new Error('its secret has neither public.key nor private.key');
    return { settings, jwk: privateHalf, identity: undefined };
  }
  const verifying = usable(importJwk(publicHalf, { origin: 'public' }));
  if (signing !== undefined && signing.thumbprint !== verifying.thumbprint)
    throw new Error('its public.key does not belong to its private.key');
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
