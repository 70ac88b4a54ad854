// Plans the migration from the deprecated `keys` list to keysets, and checks that the written
// result is equivalent. Writes nothing itself.
import { isDeepStrictEqual } from 'node:util';
import { type DescriptorDocument, parseDescriptor, placed } from '../descriptor/document.ts';
import { interpolate } from '../descriptor/interpolate.ts';
import { ConfigError } from '../errors.ts';
import { importJwks } from '../jwk/import-jwks.ts';
import { readKeyset } from '../keysets/options.ts';
import { findSecret } from '../secrets/read.ts';
import type { SecretReference, SecretStore } from '../secrets/store.ts';
import { parseJsonObject } from '../values/json.ts';
import { isPlainObject } from '../values/readers.ts';
import { addKeyset, removeKeys } from './edit.ts';
import { identityOf } from './migrate/keys.ts';
import {
  bytesOf,
  type MigratedKeyset,
  type MigrationOptions,
  type PlannedEntry,
  type PlannedKeyset,
  planKeysets,
  SIGNING_ENTRY,
} from './migrate/keysets.ts';

export type { MigratedKeyset, MigrationOptions } from './migrate/keysets.ts';

/** What to write, in this order. What an interrupted run has already written is left out. */
export interface Migration {
  readonly keySets: readonly MigratedKeyset[];
  readonly secrets: readonly { readonly reference: SecretReference; readonly bytes: Uint8Array }[];
  /** The descriptor with the keysets, still with `keys`. */
  readonly text: string;
  /** What changes for tokens, and what remains to do. */
  readonly notes: readonly string[];
}

/**
 * Plans a migration. Keys of one issuer become one keyset with one secret, in their order; keys
 * without an issuer become a keyset without one. Private halves are kept for signers.
 * @returns undefined for a descriptor without `keys`
 * @throws ConfigError for a key that cannot be moved unchanged, and for names that are in use
 */
export async function planMigration(
  document: DescriptorDocument,
  options: MigrationOptions,
): Promise<Migration | undefined> {
  if (document.jwt.keys === undefined) return undefined;
  return at(document, async () => {
    const plan = await planKeysets(document, options);
    const entries = plan.flatMap((planned) => planned.entries);
    const isThere = await Promise.all(entries.map((entry) => isInPlace(entry, options.store)));
    const withKeysets = plan.reduce(withKeyset, document);
    // Fail before writing anything, if the layout of the text does not permit removing `keys`.
    removeKeys(withKeysets);
    return {
      keySets: plan.filter(({ isWritten }) => isWritten).map(({ migrated }) => migrated),
      secrets: entries
        .filter((_, index) => isThere[index] === false)
        .map(({ reference, jwks }) => ({ reference, bytes: bytesOf(jwks) })),
      text: withKeysets.text,
      notes: notesOf(plan, document),
    };
  });
}

/**
 * Compares the current descriptor and store with the list, key by key.
 * @param document read again, after everything in the plan was written
 * @returns the text of the descriptor without `keys`
 * @throws ConfigError if anything differs from the plan
 */
export async function finishMigration(
  document: DescriptorDocument,
  { store, environment, prefix }: MigrationOptions,
): Promise<string> {
  return at(document, async () => {
    const plan = await planKeysets(document, { store, environment, prefix });
    const { signal } = new AbortController();
    for (const { keyset, isWritten, identities, entries } of plan) {
      const isThere = await Promise.all(entries.map((entry) => isInPlace(entry, store)));
      if (!isWritten && !isThere.includes(false)) continue;
      const found = findKeyset(document, keyset);
      const bytes = await findSecret(store, keyset.secret, signal);
      if (found === undefined || bytes === undefined || isThere.includes(false))
        throw new ConfigError('keys', `are not in ${keyset.secret.name} yet; nothing was removed`);
      const { policy } = readKeyset(interpolate(found, environment), 'keySets');
      if (!isDeepStrictEqual(importJwks(parseJsonObject(bytes), policy).keys.map(identityOf), identities))
        throw new ConfigError('keys', `differ from those in ${keyset.secret.name}; nothing was removed`);
    }
    return removeKeys(document);
  });
}

function withKeyset(document: DescriptorDocument, { keyset, isWritten }: PlannedKeyset): DescriptorDocument {
  if (!isWritten || findKeyset(document, keyset) !== undefined) return document;
  return parseDescriptor(addKeyset(document, keyset), document.file);
}

/**
 * Finds the keyset that an earlier run has added.
 * @throws ConfigError for another keyset of the same secret
 */
function findKeyset({ jwt }: DescriptorDocument, { secret, ...rest }: PlannedKeyset['keyset']): unknown {
  const keySets: readonly unknown[] = Array.isArray(jwt.keySets) ? jwt.keySets : [];
  const index = keySets.findIndex(
    (other) => isPlainObject(other) && isPlainObject(other.secret) && other.secret.name === secret.name,
  );
  const found = keySets[index];
  if (found === undefined || isDeepStrictEqual(found, { secret, ...rest })) return found;
  const path = `keySets[${index}].secret`;
  throw new ConfigError(
    path,
    `${secret.name} is in use already; --secret-prefix gives new secrets other names`,
  );
}

/**
 * Checks whether an entry is written already.
 * @returns false if the entry does not exist
 * @throws ConfigError if it has another content
 */
async function isInPlace({ reference, jwks }: PlannedEntry, store: SecretStore): Promise<boolean> {
  const bytes = await findSecret(store, reference, new AbortController().signal);
  if (bytes === undefined) return false;
  if (isSame(bytes, jwks)) return true;
  throw new ConfigError(
    'keys',
    `the secret ${reference.name} has another ${reference.key}; --secret-prefix gives new secrets other names`,
  );
}

function isSame(bytes: Uint8Array, jwks: PlannedEntry['jwks']): boolean {
  try {
    return isDeepStrictEqual(parseJsonObject(bytes), parseJsonObject(bytesOf(jwks)));
  } catch {
    return false;
  }
}

function notesOf(plan: readonly PlannedKeyset[], { jwt }: DescriptorDocument): readonly string[] {
  const pinned = plan.filter(({ migrated }) => migrated.issuer !== undefined);
  const others = pinned.length < plan.length ? 'the new keysets without an issuer' : 'no new keyset';
  const noIssuer =
    jwt.unsafeMissingIssuer === undefined
      ? [`a token without an issuer was verified by any of the keys; now it is verified by ${others}`]
      : ['a token without an issuer is still verified by all; without a key id, by the first of each keyset'];
  return [
    ...(pinned.length === 0 ? [] : noIssuer),
    ...plan.flatMap(({ migrated: { secretName, signingKeyIds } }) =>
      signingKeyIds.map(
        (keyId) => `${keyId} only signs: it is in ${SIGNING_ENTRY} of ${secretName}, which no keyset reads`,
      ),
    ),
    ...plan
      .filter(({ isWritten, identities }) => isWritten && identities.length === 0)
      .map(
        ({ migrated: { issuer, secretName } }) =>
          `the keyset of ${secretName} has no key: as before, every token of ${issuer} is refused`,
      ),
    'the secrets of the old keys are still there; remove them when no signer uses them any more',
  ];
}

/** Adds the place in the file to errors. */
async function at<T>(document: DescriptorDocument, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw placed(error, document);
  }
}
