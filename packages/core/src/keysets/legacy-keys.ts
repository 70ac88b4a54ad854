// The deprecated `keys` list: raw keys in secrets, found first by issuer and then by key id. It is
// here only for compatibility.

import { importJwk, type SkippedKey, separate, type VerificationKey } from '../jwk/import-jwks.ts';
import { findSecret, readSecret } from '../secrets/read.ts';
import type { SecretReference, SecretStore } from '../secrets/store.ts';
import { symmetricJwk } from '../secrets/symmetric.ts';
import { findAlgorithm } from '../token/algorithms.ts';
import { isPromise } from '../values/promise.ts';
import { createSnapshot, type KeySnapshot, type Keyset } from './keyset.ts';
import type { LegacyKeySettings } from './legacy-options.ts';
import { importPem } from './public-keys.ts';
import { createRefreshedKeyset, type KeySource } from './refreshed-keyset.ts';
import { watching } from './secret.ts';

/** The settings of the list. */
interface LegacyKeysSettings {
  readonly keys: readonly LegacyKeySettings[];
  readonly store: SecretStore;
  readonly monotonic: () => number;
  readonly refreshIntervalMs: number;
  readonly maxStaleMs: number;
}

/** The list, as keysets. */
interface LegacyKeysets {
  /**
   * The whole list: for tokens without an issuer. Only this keyset is loaded and closed; the others
   * read its keys.
   */
  readonly all: Keyset;
  /** One keyset for each issuer in the list, and one for the keys without an issuer. */
  readonly byIssuer: readonly Keyset[];
}

/**
 * Makes the keysets of the list, in its order: a token without a kid gets the first key that fits.
 */
export function createLegacyKeysets(
  settings: LegacyKeysSettings,
  take: (make: () => Keyset) => Keyset,
): LegacyKeysets {
  const all = take(() => createAll(settings));
  const issuers = new Set(settings.keys.map(({ issuer }) => issuer));
  return { all, byIssuer: [...issuers].map((issuer) => viewOf(all, issuer, settings.keys)) };
}

function createAll(settings: LegacyKeysSettings): Keyset {
  return createRefreshedKeyset({
    name: 'keys',
    issuer: undefined,
    allowed: undefined,
    selection: { kidless: 'first' },
    source: createSource(settings),
    monotonic: settings.monotonic,
    refreshIntervalMs: settings.refreshIntervalMs,
    maxStaleMs: settings.maxStaleMs,
  });
}

/**
 * The entry of a legacy secret to verify with: the symmetric key or the public key. A private key
 * alone is only for signing.
 */
function entryOf({ algorithm, secretName }: LegacyKeySettings): SecretReference {
  return { name: secretName, key: findAlgorithm(algorithm)?.kty === 'oct' ? 'secret.key' : 'public.key' };
}

function createSource({ keys, store }: LegacyKeysSettings): KeySource {
  return {
    description: 'keys (deprecated)',
    async load(signal) {
      const imported = await Promise.all(
        keys.map(async (key) => importLegacy(key, await readEntry(key, store, signal))),
      );
      return { ...separate(imported), lifetimeMs: undefined };
    },
    ...watching(store, keys.map(entryOf)),
  };
}

/**
 * Reads the entry.
 * @returns undefined for a secret that is only for signing: it has a private key, and no public one
 */
async function readEntry(
  key: LegacyKeySettings,
  store: SecretStore,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const entry = entryOf(key);
  if (entry.key === 'secret.key') return readSecret(store, entry, signal);
  const found = await findSecret(store, entry, signal);
  if (found !== undefined) return found;
  const signing = await findSecret(store, { ...entry, key: 'private.key' }, signal);
  // Neither entry exists: read it for the error, which the refresh engine handles.
  return signing === undefined ? readSecret(store, entry, signal) : undefined;
}

function importLegacy(
  { keyId, algorithm, legacy }: LegacyKeySettings,
  bytes: Uint8Array | undefined,
): VerificationKey | SkippedKey {
  // A key that is only for signing is skipped; the other keys are used.
  if (bytes === undefined) return { kid: keyId, reason: 'the secret has no key to verify with' };
  if (findAlgorithm(algorithm)?.kty === 'oct') {
    return importJwk({ ...symmetricJwk(bytes), kid: keyId, alg: algorithm }, { origin: 'secret', legacy });
  }
  const imported = importPem(bytes, algorithm, { origin: 'public' });
  return { ...imported, kid: keyId };
}

/** Makes a keyset of the keys in the list that belong to one issuer. */
function viewOf(all: Keyset, issuer: string | undefined, keys: readonly LegacyKeySettings[]): Keyset {
  const kids = new Set(keys.filter((key) => key.issuer === issuer).map(({ keyId }) => keyId));
  const views = new WeakMap<KeySnapshot, KeySnapshot>();
  const view = (snapshot: KeySnapshot): KeySnapshot => {
    const known = views.get(snapshot);
    if (known !== undefined) return known;
    const made = createSnapshot(snapshot.keys.filter(({ kid }) => kid !== undefined && kids.has(kid)));
    views.set(snapshot, made);
    return made;
  };
  const through = (found: KeySnapshot | Promise<KeySnapshot>) =>
    isPromise(found) ? found.then(view) : view(found);
  return Object.freeze<Keyset>({
    ...all,
    issuer,
    keys: (header) => through(all.keys(header)),
    refetch: (header) => through(all.refetch(header)),
  });
}
