// The sources of signing keys: a secret, a URL, the options, the deprecated list. Each returns the
// keys that fit the options, and their public halves. Nothing is signed here.

import { publicJwk } from '../jwk/generate.ts';
import { importJwk, KEYS_PER_TURN, membersOf } from '../jwk/import-jwks.ts';
import { holdsSecret } from '../jwk/import-key.ts';
import type { LegacyKeySettings } from '../keysets/legacy-options.ts';
import { watching } from '../keysets/secret.ts';
import { createJsonFetcher } from '../net/https.ts';
import type { Loaded, Source } from '../net/refresh.ts';
import { decodedJwk, type SecretEncoding } from '../secrets/encoding.ts';
import { privateJwkFromPem } from '../secrets/pem.ts';
import { findSecret } from '../secrets/read.ts';
import type { SecretReference, SecretStore } from '../secrets/store.ts';
import { symmetricJwk } from '../secrets/symmetric.ts';
import { findAlgorithm } from '../token/algorithms.ts';
import { deepFreeze, isJsonObject, type JsonObject, parseJsonObject } from '../values/json.ts';
import { mapInTurns } from '../values/turns.ts';
import type { SecretFormat, SignerSettings } from './options.ts';
import { importSigningKey, type RefusedKey, type SigningKey } from './signing-key.ts';

/** The result of a source: at least one key that signs. */
export interface SigningKeys extends Loaded {
  /** In the order of the source. */
  readonly keys: readonly SigningKey[];
  /**
   * The public halves of these keys, and further public keys in the set: keys that no longer sign.
   */
  readonly published: readonly JsonObject[];
  /**
   * All issuers that keys are pinned to, also by keys that do not sign here: their claims are never
   * signed with the key of another issuer.
   */
  readonly pinned: ReadonlySet<string>;
}

type Wanted = Pick<SignerSettings, 'algorithm' | 'kid' | 'typ'>;

/**
 * Makes the source that the options name. Stores belong to the application: closing the signer does
 * not close them.
 */
export function createSigningSource(settings: SignerSettings): Source<SigningKeys> {
  switch (settings.source) {
    case 'jwks': {
      const loaded = importSet(settings.jwks, settings);
      return { description: 'jwks', load: () => Promise.resolve(loaded) };
    }
    case 'secret':
    case 'externalSecret': {
      const { reference, store } = settings;
      const canRotate = settings.source === 'secret' && settings.format === 'jwks';
      const absent = canRotate ? ' yet; rotate() makes it' : '';
      return {
        description: `${settings.source === 'secret' ? 'secret' : 'external-secret'}: ${reference.name}`,
        load: async (signal) => {
          const bytes = await findSecret(store, reference, signal);
          if (bytes === undefined)
            throw new Error(`the secret ${reference.name} has no entry ${reference.key}${absent}`);
          return importSetInTurns(
            readEntry(bytes, settings, settings),
            { ...settings, nameByThumbprint: settings.format === 'pem' },
            signal,
          );
        },
        ...watching(store, [reference]),
      };
    }
    case 'jwkUrl': {
      const fetcher = createJsonFetcher(settings);
      const { url } = settings;
      return {
        // Without the query: some servers expect an API key there.
        description: `${url.origin}${url.pathname}`,
        async load(signal) {
          const { json, lifetimeMs } = await fetcher.fetch(url, signal);
          return { ...(await importSetInTurns(json, settings, signal)), lifetimeMs };
        },
        close: () => fetcher.close(),
      };
    }
    case 'keys': {
      const { keys, store } = settings;
      return {
        description: 'keys (deprecated)',
        load: (signal) => loadLegacy(keys, store, settings, signal),
        ...watching(store, keys.map(entryOf)),
      };
    }
  }
}

type WantedSet = Wanted & { readonly nameByThumbprint?: boolean };

/**
 * Imports a set.
 * @throws Error with a constant text, if no key can sign
 */
function importSet(document: unknown, wanted: WantedSet): SigningKeys {
  const { named, others } = partsOf(document, wanted);
  return loadedOf(
    named.map((jwk) => importSigningKey(jwk, wanted)),
    others.flatMap(published),
  );
}

/**
 * Like `importSet`, but a few keys per turn of the event loop. Rejects where `importSet` throws.
 */
async function importSetInTurns(
  document: unknown,
  wanted: WantedSet,
  signal: AbortSignal,
): Promise<SigningKeys> {
  const { named, others } = partsOf(document, wanted);
  const imported = await mapInTurns(named, KEYS_PER_TURN, (jwk) => importSigningKey(jwk, wanted), signal);
  const halves = await mapInTurns(others, KEYS_PER_TURN, published, signal);
  return loadedOf(imported, halves.flat());
}

function partsOf(
  document: unknown,
  { kid: wanted }: Wanted,
): { readonly named: readonly JsonObject[]; readonly others: readonly JsonObject[] } {
  const members = membersOf(document).filter(isJsonObject);
  return {
    named: wanted === undefined ? members : members.filter(({ kid }) => kid === wanted),
    // A private key of another signer in the set is not published as a key of this signer.
    others: members.filter((jwk) => !holdsSecret(jwk)),
  };
}

/**
 * Collects the keys that sign.
 * @throws Error with a constant text, if no key can sign
 */
function loadedOf(
  imported: readonly (SigningKey | RefusedKey)[],
  others: readonly JsonObject[],
  pinned: readonly (string | undefined)[] = [],
): SigningKeys {
  const keys = usable(imported);
  const own = keys.flatMap(({ publicJwk: half }) => (half === undefined ? [] : [half]));
  return {
    keys,
    published: deepFreeze([...own, ...others]),
    pinned: new Set(pinned.filter((issuer) => issuer !== undefined)),
    lifetimeMs: undefined,
  };
}

function usable(imported: readonly (SigningKey | RefusedKey)[]): readonly SigningKey[] {
  const keys = imported.filter((key): key is SigningKey => !('reason' in key));
  if (keys.length > 0) return keys;
  const reasons = imported.flatMap((key) => ('reason' in key ? [key.reason] : []));
  throw new Error(`no key can sign${reasons.length === 0 ? '' : `: ${[...new Set(reasons)].join('; ')}`}`);
}

/** The public half of a key, if verifiers would accept it. */
function published(jwk: JsonObject): readonly JsonObject[] {
  const half = publicJwk(jwk);
  return half === undefined || 'reason' in importJwk(half, { origin: 'public' }) ? [] : [half];
}

/** Reads an entry in its format as a JWK Set. */
function readEntry(
  bytes: Uint8Array,
  {
    format,
    encoding = 'utf8',
  }: { readonly format: SecretFormat; readonly encoding: SecretEncoding | undefined },
  { kid, algorithm: alg }: Wanted,
): unknown {
  if (format === 'jwks') return parseJsonObject(bytes);
  const jwk = format === 'pem' ? privateJwkFromPem(bytes) : decodedJwk(bytes, encoding);
  return { keys: [{ ...jwk, alg, ...(kid === undefined ? {} : { kid }) }] };
}

/**
 * The entry of a legacy secret to sign with: the secret itself, or a private key. A public key
 * alone is only for verifying.
 */
function entryOf({ algorithm, secretName }: LegacyKeySettings): SecretReference {
  return { name: secretName, key: findAlgorithm(algorithm)?.kty === 'oct' ? 'secret.key' : 'private.key' };
}

async function loadLegacy(
  keys: readonly LegacyKeySettings[],
  store: SecretStore,
  { algorithm, kid, typ }: Wanted,
  signal: AbortSignal,
): Promise<SigningKeys> {
  const wanted = keys.filter(
    (key) =>
      (kid === undefined || key.keyId === kid) && (algorithm === undefined || key.algorithm === algorithm),
  );
  const jwks = await Promise.all(wanted.map((key) => legacyJwk(key, store, signal)));
  const imported = wanted.flatMap(({ issuer }, index) => {
    const jwk = jwks[index];
    if (jwk === undefined) return [];
    return [isRefused(jwk) ? jwk : importSigningKey(jwk, { algorithm, typ, issuer })];
  });
  return loadedOf(
    imported,
    [],
    keys.map(({ issuer }) => issuer),
  );
}

function isRefused(jwk: JsonObject | RefusedKey): jwk is RefusedKey {
  return 'reason' in jwk;
}

/**
 * Reads the JWK of a legacy secret.
 * @returns undefined for a secret that is only for verifying
 */
async function legacyJwk(
  key: LegacyKeySettings,
  store: SecretStore,
  signal: AbortSignal,
): Promise<JsonObject | RefusedKey | undefined> {
  const entry = entryOf(key);
  const bytes = await findSecret(store, entry, signal);
  if (bytes === undefined) return undefined;
  const named = { kid: key.keyId, alg: key.algorithm };
  if (entry.key === 'secret.key') return { ...symmetricJwk(bytes), ...named };
  try {
    return { ...privateJwkFromPem(bytes), ...named };
  } catch (error) {
    // An unreadable key is skipped; the other keys are used.
    if (error instanceof TypeError) return { kid: key.keyId, reason: error.message };
    throw error;
  }
}
