// What a store is told, and its checking: once, when the store is made. Asks no vault.
import type { TokenCredential } from '@azure/core-auth';
import type { SecretClientOptions } from '@azure/keyvault-secrets';
import { ConfigError, type SecretReference } from '@latchkey/core';

/** Where a vault keeps an entry. */
export interface VaultObject {
  /** 1 to 127 ASCII letters, digits and `-`. */
  readonly secretName: string;
  /**
   * The 32 letters and digits that the vault gave a version: pinned, so a rotation is not seen, and
   * nothing is written. Default: the current version.
   */
  readonly version?: string | undefined;
}

/**
 * The way to the vault, as the SDK's own options of these names. What else the SDK has is set by
 * the store.
 */
export type AzureKeyVaultClientOptions = Readonly<
  Pick<SecretClientOptions, 'agent' | 'tlsOptions' | 'proxyOptions' | 'disableChallengeResourceVerification'>
>;

/** Which vault it is, who asks it, and which of its secrets are which entries. */
export interface AzureKeyVaultStoreOptions {
  /** `https://NAME.vault.azure.net`. Https only, and nothing after the host but a port. */
  readonly vaultUrl: string;
  /**
   * Who asks: `new DefaultAzureCredential()` of `@azure/identity`, for example. Asked for a token
   * at every read and write.
   */
  readonly credential: TokenCredential;
  /**
   * Where entries are kept: by name, then key. Default for each: the current version of the secret
   * `NAME-KEY`, with `-` for every character that the name of a vault's secret cannot have.
   */
  readonly objects?: { readonly [name: string]: { readonly [key: string]: VaultObject } } | undefined;
  /**
   * `agent` and `tlsOptions` (`ca`, for a private certificate authority), `proxyOptions` (default:
   * `HTTPS_PROXY` and `NO_PROXY` of the environment; an agent goes before a proxy, and a proxy
   * makes the SDK ignore `tlsOptions`), and `disableChallengeResourceVerification` (default false),
   * which is dangerous: whoever answers at `vaultUrl` then chooses what the token is for. Default:
   * none.
   */
  readonly clientOptions?: AzureKeyVaultClientOptions | undefined;
}

/** Options, checked. */
export interface Settings {
  readonly vaultUrl: string;
  readonly credential: TokenCredential;
  readonly clientOptions: AzureKeyVaultClientOptions;
  /** @throws ConfigError if the name that an unlisted entry would have is too long */
  readonly locate: (reference: SecretReference) => VaultObject;
}

const SECRET_NAME = /^[0-9a-zA-Z-]{1,127}$/;
const VERSION = /^[0-9a-zA-Z]{32}$/;

/**
 * Checks options. The result is a snapshot: later changes to the object have no effect.
 * @throws ConfigError
 */
export function readOptions(options: AzureKeyVaultStoreOptions): Settings {
  readObject(options, '', ['vaultUrl', 'credential', 'objects', 'clientOptions']);
  const { credential, clientOptions = {} } = options;
  if (typeof credential?.getToken !== 'function')
    throw new ConfigError('credential', 'expected a TokenCredential');
  const names = ['agent', 'tlsOptions', 'proxyOptions', 'disableChallengeResourceVerification'];
  const trusting = readObject(clientOptions, 'clientOptions', names).disableChallengeResourceVerification;
  if (trusting !== undefined && typeof trusting !== 'boolean') {
    throw new ConfigError('clientOptions.disableChallengeResourceVerification', 'expected true or false');
  }
  const objects = readObjects(options.objects ?? {});
  return {
    vaultUrl: readVaultUrl(options.vaultUrl),
    credential,
    clientOptions: { ...clientOptions },
    locate({ name, key }) {
      const path = pathOf(name, key);
      const secretName = `${name}-${key}`.replace(/[^0-9a-zA-Z-]/gu, '-');
      const object = objects.get(path) ?? { secretName };
      if (SECRET_NAME.test(object.secretName)) return object;
      throw new ConfigError(path, 'is needed: the default name would be longer than 127 characters');
    },
  };
}

function readVaultUrl(value: unknown): string {
  const url = typeof value === 'string' ? URL.parse(value) : null;
  // A URL that has credentials, a path, a query or a fragment is more than its origin.
  if (url?.protocol !== 'https:' || url.href !== `${url.origin}/`) {
    throw new ConfigError('vaultUrl', 'expected https://NAME.vault.azure.net');
  }
  return url.origin;
}

/** By path: a map, so that no name finds what every object inherits. */
function readObjects(value: unknown): ReadonlyMap<string, VaultObject> {
  const objects = new Map<string, VaultObject>();
  for (const [name, keys] of Object.entries(readObject(value, 'objects'))) {
    for (const [key, object] of Object.entries(readObject(keys, `objects[${JSON.stringify(name)}]`))) {
      const path = pathOf(name, key);
      objects.set(path, readVaultObject(object, path));
    }
  }
  return objects;
}

function readVaultObject(value: unknown, path: string): VaultObject {
  const { secretName, version } = readObject(value, path, ['secretName', 'version']);
  if (typeof secretName !== 'string' || !SECRET_NAME.test(secretName)) {
    throw new ConfigError(`${path}.secretName`, 'expected 1 to 127 letters, digits and "-"');
  }
  if (version === undefined) return { secretName };
  if (typeof version !== 'string' || !VERSION.test(version)) {
    throw new ConfigError(`${path}.version`, 'expected the 32 letters and digits of a version');
  }
  return { secretName, version };
}

function pathOf(name: string, key: string): string {
  return `objects[${JSON.stringify(name)}][${JSON.stringify(key)}]`;
}

/**
 * An object with no other members than the known ones. The empty path is the options themselves.
 */
function readObject(
  value: unknown,
  path: string,
  known?: readonly string[],
): Readonly<Record<string, unknown>> {
  if (!isObject(value)) throw new ConfigError(path || 'options', 'expected an object');
  const unknown = Object.keys(value).find((name) => known?.includes(name) === false);
  if (unknown === undefined) return value;
  const at = path === '' ? unknown : `${path}.${unknown}`;
  throw new ConfigError(at, `unknown option; expected one of ${known?.join(', ')}`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
