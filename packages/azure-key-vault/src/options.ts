// The options of a store, and the check of them when the store is created. No request is made here.
import type { TokenCredential } from '@azure/core-auth';
import type { SecretClientOptions } from '@azure/keyvault-secrets';
import { ConfigError, type SecretReference } from '@latchkey/core';
import { readObject } from '@latchkey/core/adapter';

/** The secret of the vault that holds an entry. */
export interface VaultObject {
  /** 1 to 127 ASCII letters, digits and `-`. */
  readonly secretName: string;
  /**
   * The id of a version: 32 letters and digits. It pins the entry: reads do not see a rotation, and
   * writes are refused. Default: the current version.
   */
  readonly version?: string;
}

/**
 * The connection to the vault: four options of the SDK, under the SDK's names. The store sets the
 * SDK's other options itself.
 */
export type AzureKeyVaultClientOptions = Readonly<
  Pick<SecretClientOptions, 'agent' | 'tlsOptions' | 'proxyOptions' | 'disableChallengeResourceVerification'>
>;

/** The vault, the credential that reads it, and the secrets that hold the entries. */
export interface AzureKeyVaultStoreOptions {
  /** `https://NAME.vault.azure.net`. Only https; after the host, only a port is allowed. */
  readonly vaultUrl: string;
  /**
   * For example `new DefaultAzureCredential()` of `@azure/identity`. Every read and write asks it
   * for a token.
   */
  readonly credential: TokenCredential;
  /**
   * The secret that holds each entry, by name, then key. Default for each entry: the current
   * version of the secret `NAME-KEY`, where `-` replaces every character that Azure does not allow
   * in a secret name.
   */
  readonly objects?: { readonly [name: string]: { readonly [key: string]: VaultObject } };
  /**
   * `agent` and `tlsOptions` (`ca`, for a private certificate authority), `proxyOptions` (default:
   * `HTTPS_PROXY` and `NO_PROXY` of the environment; the SDK prefers an agent to a proxy, and
   * ignores `tlsOptions` with a proxy), and `disableChallengeResourceVerification` (default false),
   * which is dangerous: the server at `vaultUrl` then chooses for which resource the credential
   * issues a token. Default: none of them.
   */
  readonly clientOptions?: AzureKeyVaultClientOptions;
}

/** The options after the check. */
export interface Settings {
  readonly vaultUrl: string;
  readonly credential: TokenCredential;
  readonly clientOptions: AzureKeyVaultClientOptions;
  /** @throws ConfigError if the default name of an unlisted entry is too long */
  readonly locate: (reference: SecretReference) => VaultObject;
}

const SECRET_NAME = /^[0-9a-zA-Z-]{1,127}$/;
const OPTIONS = ['vaultUrl', 'credential', 'objects', 'clientOptions'];
const VERSION = /^[0-9a-zA-Z]{32}$/;

/**
 * Checks options. The result is a snapshot: later changes to the object have no effect.
 * @throws ConfigError for the first option that is wrong
 */
export function readOptions(given: AzureKeyVaultStoreOptions): Settings {
  // Its own members only. What each of them is, is checked next.
  const options = readObject(given, OPTIONS, '') as unknown as AzureKeyVaultStoreOptions;
  const { credential, clientOptions = {} } = options;
  if (typeof credential?.getToken !== 'function')
    throw new ConfigError('credential', 'expected a TokenCredential');
  const names = ['agent', 'tlsOptions', 'proxyOptions', 'disableChallengeResourceVerification'];
  const trusting = readObject(clientOptions, names, 'clientOptions').disableChallengeResourceVerification;
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
      throw new ConfigError(
        path,
        'expected an entry, because the default secret name has more than 127 characters',
      );
    },
  };
}

function readVaultUrl(value: unknown): string {
  const url = typeof value === 'string' ? URL.parse(value) : null;
  // `href` is longer than the origin if the URL has credentials, a path, a query or a fragment.
  if (url?.protocol !== 'https:' || url.href !== `${url.origin}/`) {
    throw new ConfigError('vaultUrl', 'expected https://NAME.vault.azure.net');
  }
  return url.origin;
}

/**
 * The secrets by path. A Map, because a plain object would find inherited names like `toString`.
 */
function readObjects(value: unknown): ReadonlyMap<string, VaultObject> {
  const objects = new Map<string, VaultObject>();
  for (const [name, keys] of Object.entries(readNamed(value, 'objects'))) {
    for (const [key, object] of Object.entries(readNamed(keys, `objects[${JSON.stringify(name)}]`))) {
      const path = pathOf(name, key);
      objects.set(path, readVaultObject(object, path));
    }
  }
  return objects;
}

function readVaultObject(value: unknown, path: string): VaultObject {
  const { secretName, version } = readObject(value, ['secretName', 'version'], path);
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

/** An object whose members may have any name. */
function readNamed(value: unknown, path: string): Readonly<Record<string, unknown>> {
  return readObject(value, Object.keys(Object(value)), path);
}
