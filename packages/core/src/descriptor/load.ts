// From the file of a descriptor to options: replaces variables, resolves paths, and adds what only
// code can give. Does not follow changes.
import { isUtf8 } from 'node:buffer';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { type AuthenticatorOptions, authenticatorOptions } from '../decision/options.ts';
import { type AuthenticatorSettings, readOptions } from '../decision/settings.ts';
import { asError, ConfigError } from '../errors.ts';
import { warn } from '../events.ts';
import { groupsOptions } from '../groups/options.ts';
import type { GroupResolver } from '../groups/resolver.ts';
import { createDirectoryStore } from '../secrets/directory.ts';
import type { SecretStore } from '../secrets/store.ts';
import { readSignedFields, readSignerOptions, type SignerOptions } from '../signing/options.ts';
import type { SignResponseOptions } from '../signing/response.ts';
import type { Clock } from '../values/clock.ts';
import { kindOf } from '../values/kind.ts';
import {
  isPlainObject,
  ownMembers,
  readEach,
  readEnvironment,
  readObject,
  type UncheckedOptions,
} from '../values/readers.ts';
import { readSmallFile } from '../values/small-file.ts';
import { type DescriptorDocument, MAX_DESCRIPTOR_BYTES, parseDescriptor, placed } from './document.ts';
import { interpolate } from './interpolate.ts';

/** A descriptor, and the options that only code can give. */
export interface DescriptorOptions {
  /**
   * The path of a YAML or JSON file. Its `service.jwt` has the options, in the same shape as in
   * code.
   */
  readonly descriptor: string;
  /**
   * The store of the secrets that the file names. Default: the directory `secrets` next to the
   * file.
   */
  readonly secrets?: SecretStore;
  readonly externalSecrets?: SecretStore;
  /** The `directory` of its `groups`, such as `createLdapGroups` of `@latchkey/ldap`. */
  readonly directory?: GroupResolver;
  /**
   * The audience of this service, if the file has none. If neither has one, nor any keyset, `aud`
   * is not checked, with a warning.
   */
  readonly audience?: string | readonly string[] | null;
  /** The values of `${NAME}`. Default `process.env`. */
  readonly environment?: { readonly [name: string]: string | undefined };
  /** See `AuthenticatorOptions`. A changed file starts without the keysets found before. */
  readonly keysetFor?: AuthenticatorOptions['keysetFor'];
  /** See `AuthenticatorOptions`. */
  readonly onRefusal?: AuthenticatorOptions['onRefusal'];
  /** See `AuthenticatorOptions`. */
  readonly replayStore?: AuthenticatorOptions['replayStore'];
  /** See `AuthenticatorOptions`. */
  readonly revocationFeed?: AuthenticatorOptions['revocationFeed'];
  /** A clock for tests. Default: the system clock. */
  readonly clock?: Clock;
}

/** The content of a descriptor. */
export interface LoadedDescriptor {
  /** The name of the service that the descriptor describes. */
  readonly name: string | undefined;
  /** For `createAuthenticator`. */
  readonly options: AuthenticatorOptions;
  /** For `createSigner`; undefined without `signing`. */
  readonly signing: SignerOptions | undefined;
  /** For `signResponse`; undefined if `signing` has no `keysToSign`. */
  readonly signResponse: SignResponseOptions | undefined;
}

const { table } = authenticatorOptions;
/**
 * Options next to a descriptor. All are checked at start, also those that the file does not use
 * now.
 */
const READERS = {
  descriptor: readPath,
  secrets: table.secrets.read,
  externalSecrets: table.externalSecrets.read,
  directory: groupsOptions.table.directory.read,
  audience: table.audience.read,
  environment: readEnvironment,
  keysetFor: table.keysetFor.read,
  onRefusal: table.onRefusal.read,
  replayStore: table.replayStore.read,
  revocationFeed: table.revocationFeed.read,
  clock: table.clock.read,
} satisfies { readonly [Name in keyof DescriptorOptions]-?: (value: unknown, path: string) => unknown };

/** For options that are written next to a descriptor. */
const IN_FILE = new Map(
  Object.keys(table).map((name) => [name, 'expected it in the file, in service.jwt, or without descriptor']),
);

/** Options that are not data. */
const OF_CODE = [
  'secrets',
  'externalSecrets',
  'keysetFor',
  'onRefusal',
  'replayStore',
  'revocationFeed',
  'clock',
] as const;

/**
 * Reads a descriptor once. To follow its changes too, pass its path to `createAuthenticator`, as `{
 * descriptor: 'service.yaml' }`.
 * @throws ConfigError with the file, line and column, for invalid content
 * @example
 * ```ts
 * const { options, signing } = loadDescriptor('service.yaml');
 * const authenticator = createAuthenticator(options);
 * const signer = signing && createSigner(signing);
 * ```
 */
export function loadDescriptor(from: string | DescriptorOptions): LoadedDescriptor {
  const options = readDescriptorOptions(typeof from === 'string' ? { descriptor: from } : from);
  return loadText(readDescriptorFile(options.descriptor), options).loaded;
}

/** Checks the options next to a descriptor. @throws ConfigError */
export function readDescriptorOptions(value: DescriptorOptions): DescriptorOptions {
  const options = readEach(value, READERS, { hints: IN_FILE });
  readPath(options.descriptor, 'descriptor');
  // Just checked, and without a prototype.
  return options as unknown as DescriptorOptions;
}

function readPath(value: unknown, path: string): string {
  if (typeof value !== 'string' || value === '')
    throw new ConfigError(path, `expected the path of a file, got ${kindOf(value)}${insteadOf(value)}`);
  if (value.includes('\n'))
    throw new ConfigError(path, 'expected the path of a file, got its content; write it into a file');
  if (/^[a-z]{2,}:\/\//i.test(value))
    throw new ConfigError(
      path,
      'expected the path of a file, got a URL; fileURLToPath makes a path of a file: URL',
    );
  return value;
}

/** What to write in place of a value that people take for a descriptor. */
function insteadOf(value: unknown): string {
  if (value instanceof URL) return '; fileURLToPath makes a path of it';
  return isPlainObject(value) ? '; pass the members of its service.jwt as the options' : '';
}

/** A descriptor, and its options once they are checked. */
export interface CheckedDescriptor {
  readonly loaded: LoadedDescriptor;
  readonly settings: AuthenticatorSettings;
  /** How the text ends: see `DescriptorDocument`. */
  readonly end: DescriptorDocument['end'];
}

/** Reads the text of a descriptor, and checks its options. @throws ConfigError */
export function loadText(text: string, options: DescriptorOptions): CheckedDescriptor {
  const document = parseDescriptor(text, options.descriptor);
  try {
    return load(document, options);
  } catch (error) {
    throw placed(error, document);
  }
}

/**
 * Reads a small regular file synchronously, because a service starts with it. @throws ConfigError
 */
export function readDescriptorFile(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readSmallFile(path, MAX_DESCRIPTOR_BYTES);
  } catch (error) {
    const from = isAbsolute(path) ? '' : `; it is looked for in ${process.cwd()}`;
    throw new ConfigError('descriptor', `${path} ${asError(error).message}${from}`);
  }
  // Decoded all the same, an issuer would be another one.
  if (!isUtf8(bytes)) throw new ConfigError('descriptor', `${path} is not UTF-8`);
  return bytes.toString('utf8');
}

function load({ name, jwt, isBlank, end }: DescriptorDocument, coded: DescriptorOptions): CheckedDescriptor {
  for (const option of OF_CODE) {
    if (Object.hasOwn(jwt, option))
      throw new ConfigError(option, 'can only be set in code; pass it next to descriptor');
  }
  for (const at of [[], ...keysetsIn(jwt).map((_, index) => ['keySets', index] as const)])
    if (isBlank(...at, 'audience')) throw blankAudience(at);
  const { signing, ...others } = ownMembers(interpolate(jwt, coded.environment));
  const written = ownMembers(others);
  const base = dirname(resolve(coded.descriptor));
  const secrets = coded.secrets ?? createDirectoryStore(join(base, 'secrets'));
  const stores = { secrets, ...given('externalSecrets', coded.externalSecrets) };
  const audience = written.audience === undefined ? coded.audience : written.audience;
  const hasOwn = keysetsIn(written).some((keyset) => Object.hasOwn(Object(keyset), 'audience'));
  const isNamed = audience !== undefined || written.resource !== undefined;
  const options = {
    ...written,
    ...stores,
    ...given('clock', coded.clock),
    ...given('keysetFor', coded.keysetFor),
    ...given('onRefusal', coded.onRefusal),
    ...given('replayStore', coded.replayStore),
    ...given('revocationFeed', coded.revocationFeed),
    ...given('revocation', fileInBase(written.revocation, base)),
    ...given('groups', readGroupsIn(written.groups, coded.directory, secrets, base)),
    ...given('remote', withCa(written.remote, base)),
    keySets: readKeysetsIn(written.keySets, base),
    // Where some keysets have their own, readOptions refuses the others.
    ...(isNamed || hasOwn ? given('audience', audience) : { audience: null }),
    // readOptions checks them next.
  } as unknown as AuthenticatorOptions;
  const settings = readOptions(options);
  const signed = readSigning(withCa(signing, base), stores, coded.clock);
  if (!isNamed && !hasOwn)
    warn('LATCHKEY_UNSAFE', `${coded.descriptor}: no audience, so tokens for other services are accepted`);
  return { loaded: { name, options, ...signed }, settings, end };
}

function keysetsIn({ keySets }: UncheckedOptions): readonly unknown[] {
  return Array.isArray(keySets) ? keySets : [];
}

function blankAudience([, index]: readonly (string | number)[]): ConfigError {
  const path = index === undefined ? 'audience' : `keySets[${index}].audience`;
  return new ConfigError(path, 'is blank; write null to turn the audience check off');
}

/**
 * Checks `signing`, and adds its store: only the store that its source needs, as the options of a
 * signer require.
 * @throws ConfigError
 */
export function readSigning(
  signing: unknown,
  stores: { readonly secrets: SecretStore; readonly externalSecrets?: SecretStore },
  clock: Clock | undefined,
): Pick<LoadedDescriptor, 'signing' | 'signResponse'> {
  if (signing === undefined) return { signing: undefined, signResponse: undefined };
  if (!isPlainObject(signing)) throw new ConfigError('signing', 'expected the options of a signer');
  for (const option of OF_CODE) {
    if (Object.hasOwn(signing, option))
      throw new ConfigError(`signing.${option}`, 'can only be set in code; pass it next to descriptor');
  }
  const { keysToSign, full, onMissing, ...others } = ownMembers(signing);
  const source = ownMembers(others);
  const store =
    source.externalSecret !== undefined
      ? given('externalSecrets', stores.externalSecrets)
      : source.secret !== undefined || source.keys !== undefined
        ? { secrets: stores.secrets }
        : {};
  const signer = { ...source, ...store, ...given('clock', clock) };
  try {
    readSignerOptions(signer);
    if (keysToSign !== undefined) readSignedFields({ keysToSign, full, onMissing });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const path = error.path === 'signer' ? 'signing' : `signing.${error.path}`;
    throw new ConfigError(path, error.problem, { cause: error });
  }
  if (keysToSign === undefined && (full !== undefined || onMissing !== undefined))
    throw new ConfigError('signing', 'full and onMissing need keysToSign; add it, or remove them');
  const fields = {
    ...given('keysToSign', keysToSign),
    ...given('full', full),
    ...given('onMissing', onMissing),
  };
  return {
    signing: signer as unknown as SignerOptions,
    signResponse:
      keysToSign === undefined ? undefined : ({ ...signer, ...fields } as unknown as SignResponseOptions),
  };
}

/** Adds the resolver from code, and the store of the token for the endpoint. */
function readGroupsIn(
  groups: unknown,
  directory: GroupResolver | undefined,
  secrets: SecretStore,
  base: string,
): unknown {
  if (groups !== undefined && !isPlainObject(groups)) return groups;
  if (groups?.directory !== undefined)
    throw new ConfigError('groups.directory', 'can only be set in code; pass it next to descriptor');
  const endpoint = withCa(groups?.endpoint, base);
  const token: unknown = isPlainObject(endpoint) ? endpoint.token : undefined;
  const withStore =
    isPlainObject(endpoint) && isPlainObject(token)
      ? { ...endpoint, token: { ...readObject(token, ['name', 'key'], 'groups.endpoint.token'), secrets } }
      : endpoint;
  const made = { ...groups, ...given('endpoint', withStore), ...given('directory', directory) };
  return Object.keys(made).length === 0 && groups === undefined ? undefined : made;
}

/**
 * Resolves the files that keysets name from the directory of the descriptor, not from that of the
 * process.
 */
function readKeysetsIn(keySets: unknown, base: string): unknown {
  // A descriptor with only `keys` or `remote` needs no keysets.
  if (keySets === undefined || keySets === null) return [];
  if (!Array.isArray(keySets)) return keySets;
  return keySets.map((keyset: unknown) => {
    const made = withCa(keyset, base);
    if (!isPlainObject(made)) return made;
    const { publicKeys, headers } = made;
    return {
      ...made,
      ...given(
        'publicKeys',
        Array.isArray(publicKeys) ? publicKeys.map((key) => inBase(key, base)) : publicKeys,
      ),
      ...given('headers', isPlainObject(headers) ? eachInBase(headers, base) : headers),
    };
  });
}

function withCa(options: unknown, base: string): unknown {
  if (!isPlainObject(options) || !isPlainObject(options.tls)) return options;
  return { ...options, tls: { ...options.tls, ...given('ca', inBase(options.tls.ca, base)) } };
}

function eachInBase(headers: UncheckedOptions, base: string): UncheckedOptions {
  return Object.fromEntries(Object.entries(headers).map(([name, one]) => [name, inBase(one, base)]));
}

function inBase(named: unknown, base: string): unknown {
  return isPlainObject(named) && typeof named.file === 'string'
    ? { ...named, file: resolve(base, named.file) }
    : named;
}

function fileInBase(options: unknown, base: string): unknown {
  return isPlainObject(options) && typeof options.file === 'string'
    ? { ...options, file: resolve(base, options.file) }
    : options;
}

function given(name: string, value: unknown): UncheckedOptions {
  return value === undefined ? {} : { [name]: value };
}
