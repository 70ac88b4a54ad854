// A keyset whose JWK Set is written in the options. Its keys never change and are never fetched.
import { ConfigError } from '../errors.ts';
import { type ImportedJwks, importJwks, type JwkSet, type KeyPolicy } from '../jwk/import-jwks.ts';
import { EXPOSED } from '../jwk/import-key.ts';
import { createSnapshot, type KeySelection, type Keyset, publishChanges } from './keyset.ts';

/** The settings of an inline keyset. */
interface InlineKeysetSettings {
  readonly name: string;
  readonly issuer: string | undefined;
  readonly policy: KeyPolicy;
  readonly selection: KeySelection;
  readonly jwks: JwkSet;
}

/**
 * Makes a keyset of fixed keys. Keys that cannot be used are skipped, as in any JWK Set.
 * @throws ConfigError if no key can be used, or if a private or symmetric key is among them
 */
export function createInlineKeyset({ name, issuer, policy, selection, jwks }: InlineKeysetSettings): Keyset {
  const imported = importInline({ name, jwks, policy });
  const snapshot = createSnapshot(imported.keys, imported.skipped);
  const since = performance.now();
  publishChanges({ name, issuer }, undefined, imported);
  return Object.freeze<Keyset>({
    name,
    issuer,
    allowed: policy.allowed,
    selection,
    keys: () => snapshot,
    refetch: () => snapshot,
    ready: () => Promise.resolve(),
    isLoaded: () => true,
    report: () => ({
      keyset: name,
      issuer,
      source: 'jwks',
      state: 'fresh',
      kids: snapshot.keys.map(({ kid }) => kid),
      skipped: snapshot.skipped,
      ageMs: Math.round(performance.now() - since),
      failures: 0,
      lastError: undefined,
      nextAttemptInMs: undefined,
    }),
    close: () => Promise.resolve(),
  });
}

/** Imports the keys of an inline keyset. @throws ConfigError like `createInlineKeyset` */
export function importInline({
  name,
  jwks,
  policy,
}: Pick<InlineKeysetSettings, 'name' | 'jwks' | 'policy'>): ImportedJwks {
  const path = `${name}.jwks`;
  let imported: ImportedJwks;
  try {
    imported = importJwks(jwks, policy);
  } catch (cause) {
    throw new ConfigError(path, 'expected a JWK Set: { keys: [ … ] }', { cause });
  }
  if (imported.skipped.some(({ reason }) => reason === EXPOSED)) {
    throw new ConfigError(
      path,
      `a key ${EXPOSED}; leave only public keys here, and name secrets with "secret"`,
    );
  }
  if (imported.keys.length === 0) {
    const reasons = imported.skipped.map(({ reason }) => reason).join('; ');
    throw new ConfigError(path, `no usable key${reasons === '' ? '' : `: ${reasons}`}`);
  }
  return imported;
}
