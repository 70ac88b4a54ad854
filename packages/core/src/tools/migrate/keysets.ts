// Plans the keysets for the deprecated `keys` list: which keys belong together, their names, and
// the content of their secrets. Writes nothing.

import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { DescriptorDocument } from '../../descriptor/document.ts';
import { interpolate } from '../../descriptor/interpolate.ts';
import { ConfigError } from '../../errors.ts';
import { importJwks, MAX_KEYS } from '../../jwk/import-jwks.ts';
import { readLegacyKeys } from '../../keysets/legacy-options.ts';
import { readKeyset } from '../../keysets/options.ts';
import {
  checkSecretName,
  MAX_SECRET_BYTES,
  type SecretReference,
  type SecretStore,
} from '../../secrets/store.ts';
import { type JsonObject, own } from '../../values/json.ts';
import { isPlainObject } from '../../values/readers.ts';
import { identityOf, type LegacyKey, readLegacyKey } from './keys.ts';

/** The store of the secrets, and the names of new ones. */
export interface MigrationOptions {
  readonly store: SecretStore;
  /** The prefix of the names of new secrets: the name of the service. */
  readonly prefix: string;
  /** The values of `${NAME}` in a descriptor. Default `process.env`. */
  readonly environment?: { readonly [name: string]: string | undefined } | undefined;
}

/** The keys of one issuer, as a keyset. */
export interface MigratedKeyset {
  /** Undefined: the keys without an issuer. */
  readonly issuer: string | undefined;
  readonly secretName: string;
  /** In the order of the list. */
  readonly keyIds: readonly string[];
  /**
   * The keys that only sign. They are in a separate entry, so that they verify nothing, as before.
   */
  readonly signingKeyIds: readonly string[];
}

/** A keyset as it is written in the descriptor, and the entries of its secret. */
export interface PlannedKeyset {
  readonly migrated: MigratedKeyset;
  readonly keyset: ReturnType<typeof keysetOf>;
  /** False for keys that only sign, unless their issuer needs a keyset that refuses its tokens. */
  readonly isWritten: boolean;
  readonly entries: readonly PlannedEntry[];
  /** What the list verifies by these keys. */
  readonly identities: readonly string[];
}

/** An entry of a secret. */
export interface PlannedEntry {
  readonly reference: SecretReference;
  readonly jwks: { readonly keys: readonly JsonObject[] };
}

/** The entry of the keys that only sign. */
export const SIGNING_ENTRY = 'signing.json';

const JWKS_ENTRY = 'jwks.json';
const MAX_SLUG_LENGTH = 60;
/** In names of secrets, for keys without an issuer. */
const NO_ISSUER = 'any-issuer';

/**
 * Plans the keysets, in the order of their issuers in the list, and checks that they have exactly
 * the keys of the list.
 * @throws ConfigError for a key that cannot be moved unchanged
 */
export async function planKeysets(
  { jwt }: DescriptorDocument,
  { store, prefix, environment }: MigrationOptions,
): Promise<readonly PlannedKeyset[]> {
  const settings = readLegacyKeys(interpolate({ keys: jwt.keys }, environment).keys);
  const { signal } = new AbortController();
  const keys: LegacyKey[] = [];
  // One after the other: of several faults, the first is reported.
  for (const [index, key] of settings.entries())
    keys.push(await readLegacyKey(key, `keys[${index}]`, store, signal));
  const groups = Map.groupBy(keys, (key) => key.settings.issuer);
  const isAlone = [...groups.keys(), ...issuersIn(jwt.keySets)].every((issuer) => issuer === undefined);
  const needsEmpty = needsEmptyKeysets(groups, issuersIn(jwt.keySets));
  const plan = [...groups].map(([issuer, group]) => {
    const index = keys.findIndex((key) => key.settings.issuer === issuer);
    const written = issuerAsWritten(jwt.keys, index) ?? issuer;
    const keyset = keysetOf(written, nameOf(prefix, written), group, isAlone);
    const isWritten = group.some(verifies) || (needsEmpty && issuer !== undefined);
    return planKeyset(group, issuer, { keyset, isWritten }, environment);
  });
  const names = plan.map(({ migrated }) => migrated.secretName);
  if (new Set(names).size < names.length)
    throw new ConfigError('keys', 'two issuers are too similar for separate secrets; migrate by hand');
  return plan;
}

function verifies({ identity }: LegacyKey): boolean {
  return identity !== undefined;
}

/**
 * A keyset without keys refuses the tokens of its issuer. It is needed if a keyset without an
 * issuer could verify them instead, and if there is no other keyset: a service needs one to start.
 */
function needsEmptyKeysets(
  groups: ReadonlyMap<string | undefined, readonly LegacyKey[]>,
  issuers: readonly unknown[],
): boolean {
  const verifying = [...groups].filter(([, group]) => group.some(verifies)).map(([issuer]) => issuer);
  const others = [...verifying, ...issuers];
  return others.length === 0 || others.includes(undefined);
}

/** The set as JSON, for comparing and for writing. */
export function bytesOf(jwks: PlannedEntry['jwks']): Uint8Array {
  return Buffer.from(`${JSON.stringify(jwks, null, 2)}\n`);
}

function planKeyset(
  group: readonly LegacyKey[],
  issuer: string | undefined,
  { keyset, isWritten }: Pick<PlannedKeyset, 'keyset' | 'isWritten'>,
  environment: MigrationOptions['environment'],
): PlannedKeyset {
  const { name } = keyset.secret;
  const verifying = group.filter(verifies);
  const signing = group.filter((key) => !verifies(key));
  const sets = [entryOf(name, JWKS_ENTRY, verifying), entryOf(name, SIGNING_ENTRY, signing)];
  const entries = sets.filter(
    ({ reference, jwks }) => (reference.key === JWKS_ENTRY && isWritten) || jwks.keys.length > 0,
  );
  const identities = verifying.flatMap(({ identity }) => identity ?? []);
  if (entries.some(({ jwks }) => jwks.keys.length > MAX_KEYS || bytesOf(jwks).length > MAX_SECRET_BYTES))
    throw new ConfigError('keys', 'one issuer has more keys than a secret can hold');
  const { policy } = readKeyset(interpolate(keyset, environment), 'keys');
  if (
    !isDeepStrictEqual(
      importJwks({ keys: verifying.map(({ jwk }) => jwk) }, policy).keys.map(identityOf),
      identities,
    )
  )
    throw new ConfigError('keys', `the keyset of ${name} would not verify the same tokens; migrate by hand`);
  const idsOf = (keys: readonly LegacyKey[]) => keys.map(({ settings }) => settings.keyId);
  return {
    migrated: { issuer, secretName: name, keyIds: idsOf(group), signingKeyIds: idsOf(signing) },
    keyset,
    isWritten,
    entries,
    identities,
  };
}

function keysetOf(issuer: string | undefined, name: string, group: readonly LegacyKey[], isAlone: boolean) {
  const algorithms = new Set(group.map(({ settings }) => settings.algorithm));
  const legacy = new Set(group.flatMap(({ settings }) => [...settings.legacy]));
  return {
    ...(issuer === undefined ? {} : { issuer }),
    secret: { name, key: JWKS_ENTRY },
    allowedAlgorithms: [...algorithms],
    ...(legacy.size === 0 ? {} : { unsafeLegacyAlgorithms: [...legacy] }),
    // Like the list.
    ...(issuer === undefined && !isAlone ? { unsafeOtherIssuers: true } : {}),
  };
}

function entryOf(name: string, key: string, keys: readonly LegacyKey[]): PlannedEntry {
  return { reference: { name, key }, jwks: { keys: keys.map(({ jwk }) => jwk) } };
}

/** The issuers of existing keysets. */
function issuersIn(keySets: unknown): readonly unknown[] {
  const keysets: readonly unknown[] = Array.isArray(keySets) ? keySets : [];
  return keysets.map((keyset) => (isPlainObject(keyset) ? own(keyset, 'issuer') : undefined));
}

/** A variable stays a variable. */
function issuerAsWritten(keys: unknown, index: number): string | undefined {
  const key: unknown = Array.isArray(keys) ? keys[index] : undefined;
  return isPlainObject(key) && typeof key.issuer === 'string' ? key.issuer : undefined;
}

/**
 * Makes the same name for the same issuer at every run, regardless of other issuers. A hash
 * replaces the characters of the issuer that a name cannot have.
 */
function nameOf(prefix: string, issuer: string | undefined): string {
  if (issuer === undefined) return checkSecretName(`${prefix}-${NO_ISSUER}`, 'keys');
  const slug = issuer
    .toLowerCase()
    .replace(/^https?:\/\//, '')
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, MAX_SLUG_LENGTH)
    .replace(/^-|-$/g, '');
  const isWhole = slug === issuer && slug !== NO_ISSUER && !/-[0-9a-f]{8}$/.test(slug);
  const hash = createHash('sha256').update(issuer).digest('hex').slice(0, 8);
  const parts = [prefix, ...(slug === '' ? [] : [slug]), ...(isWhole ? [] : [hash])];
  return checkSecretName(parts.join('-'), 'keys');
}
