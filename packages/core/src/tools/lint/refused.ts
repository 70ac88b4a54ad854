// Collects everything that core refuses in a descriptor, not only the first fault: each part is
// read by its own reader. Makes and fetches nothing.

import { type AuthenticatorOptions, authenticatorOptions } from '../../decision/options.ts';
import { readOptions } from '../../decision/settings.ts';
import { readSigning } from '../../descriptor/load.ts';
import { ConfigError } from '../../errors.ts';
import { readGroups } from '../../groups/options.ts';
import type { GroupResolver } from '../../groups/resolver.ts';
import { createInlineKeyset } from '../../keysets/inline.ts';
import { readKeyset } from '../../keysets/options.ts';
import { readRemote } from '../../remote/options.ts';
import type { SecretStore } from '../../secrets/store.ts';
import type { Table } from '../../values/option.ts';
import { isPlainObject, readObject, type UncheckedOptions } from '../../values/readers.ts';
import { itemsOf, membersOf } from './rule.ts';

/** A store that has every entry and can watch: whether the secrets exist is checked elsewhere. */
const STORE: SecretStore = {
  description: 'lint',
  read: () => Promise.resolve(new Uint8Array()),
  watch: () => () => {},
};
const STORES = { secrets: STORE, externalSecrets: STORE };
const DIRECTORY: GroupResolver = { description: 'lint', resolve: () => Promise.resolve([]) };
const OF_CODE = ['secrets', 'externalSecrets', 'clock'] as const;

/** Reads each part of the options alone, and then, if each is valid, all of them together. */
export function refusalsOf(jwt: UncheckedOptions): readonly ConfigError[] {
  const { signing, ...options } = withWhatCodeGives(jwt);
  const { keySets = [], ...others } = options;
  const hasKeysets = itemsOf(keySets).length > 0 || others.keys !== undefined;
  const refusals = [
    ...OF_CODE.flatMap((name) =>
      Object.hasOwn(jwt, name)
        ? [new ConfigError(name, 'can only be set in code, next to the descriptor')]
        : [],
    ),
    ...(membersOf(jwt.groups).directory === undefined
      ? []
      : [new ConfigError('groups.directory', 'can only be set in code, next to the descriptor')]),
    ...itemsOf(keySets).flatMap((keyset, index) => attempt(() => tryKeyset(keyset, `keySets[${index}]`))),
    ...Object.entries(others).flatMap(([name, value]) => attempt(() => tryOption(name, value, !hasKeysets))),
    ...(signing === undefined ? [] : attempt(() => void readSigning(signing, STORES, undefined))),
  ];
  if (refusals.length > 0) return refusals;
  const unnamed = options.audience === undefined && options.resource === undefined;
  const all = { ...options, keySets, ...(unnamed ? { audience: null } : {}), ...STORES };
  // The reader finds out whether they are options.
  return attempt(() => void readOptions(all as unknown as AuthenticatorOptions));
}

/** Reads one option by its table; options with dependent parts are read with all of their parts. */
function tryOption(name: string, value: unknown, alone: boolean): void {
  const table: Table = authenticatorOptions.table;
  readObject({ [name]: value }, Object.keys(table), '');
  if (name === 'remote') readRemote(value, alone);
  else if (name === 'groups') readGroups(value, undefined);
  else table[name]?.read(value, name);
}

function tryKeyset(keyset: unknown, name: string): void {
  const settings = readKeyset(keyset, name);
  if (settings.source === 'jwks') createInlineKeyset(settings);
}

/** Adds the options that an application sets in code: stores, and a directory if one is named. */
function withWhatCodeGives(jwt: UncheckedOptions): UncheckedOptions {
  const { secrets: _secrets, externalSecrets: _externalSecrets, clock: _clock, ...rest } = jwt;
  // An empty `keySets:` means that there are no keysets.
  const options = rest.keySets === null ? { ...rest, keySets: [] } : rest;
  const { groups } = options;
  if (!isPlainObject(groups)) return options;
  const { directory: _directory, ...given } = groups;
  const endpoint = membersOf(groups.endpoint);
  const { token } = endpoint;
  return {
    ...options,
    groups: {
      ...given,
      ...(itemsOf(groups.order).includes('directory') ? { directory: DIRECTORY } : {}),
      ...(isPlainObject(token) ? { endpoint: { ...endpoint, token: { ...token, secrets: STORE } } } : {}),
    },
  };
}

function attempt(read: () => void): readonly ConfigError[] {
  try {
    read();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return [error];
    throw error;
  }
}
