// The interface of every secret store, and two stores that need only this process: memory and
// environment variables. The store over files is in directory.ts.
import { ConfigError } from '../errors.ts';
import { argument, readEnvironment, readObject } from '../values/readers.ts';

/**
 * Names one entry of one secret, like in Kubernetes: the name of the secret, and a key inside it.
 */
export interface SecretReference {
  readonly name: string;
  readonly key: string;
}

/** A place that keeps secrets. Core reads it again at intervals; the store need not cache. */
export interface SecretStore {
  /** For logs and reports: `directory`, `environment`. Must not contain secrets. */
  readonly description: string;
  /**
   * Reads one entry.
   * @returns its bytes; undefined if the store can say that there is no such entry. Rejects if it
   *   cannot say: after an error with a `retryAfterMs` (milliseconds) it is asked again after that
   *   time, or after 30 seconds where that is shorter
   * @param signal aborted when no caller waits any more; the store stops then
   */
  read(reference: SecretReference, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /**
   * Says where an entry is, for messages to operators: a path, or the name of a variable. Must not
   * contain secrets. Default: messages name the secret and its key.
   */
  locate?(reference: SecretReference): string;
  /**
   * Calls back when an entry may have changed. A store without it is read at each refresh interval
   * only.
   * @returns a function that stops watching
   */
  watch?(reference: SecretReference, changed: () => void): () => void;
  /**
   * Replaces an entry as a whole: a concurrent reader gets the old or the new bytes, never a part.
   * A store without it is read-only.
   * @param signal aborted when no caller waits any more; an entry that is not in place by then must
   *   not be replaced
   */
  write?(reference: SecretReference, value: Uint8Array, signal: AbortSignal): Promise<void>;
  /**
   * Changes an entry while no other process changes it: reads it, and writes the result of
   * `change`. With it, `rotate()` and `retire()` may run in several processes at the same time. A
   * store without it is read again after each write instead, which is safe for one writer only.
   * @param change gets the entry, or undefined if it does not exist; returns the bytes to write, or
   *   undefined to keep the entry. It may be called again if the store has to retry
   * @param signal aborted when no caller waits any more; an entry that is not in place by then must
   *   not be replaced
   */
  update?(
    reference: SecretReference,
    change: (value: Uint8Array | undefined) => Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<void>;
  /** Closes connections. */
  close?(): Promise<void>;
}

/** The largest size of an entry, in bytes. */
export const MAX_SECRET_BYTES = 512 * 1024;

/** A store in memory. */
export interface MemoryStore extends SecretStore {
  /** Sets an entry, or removes it with undefined, and notifies its watchers. */
  set(reference: SecretReference, value: string | Uint8Array | undefined): void;
}

/**
 * Makes a store in memory: for tests, and for secrets that the application obtains in its own way.
 * @example
 * ```ts
 * const secrets = createMemoryStore({ partner: { 'jwks.json': JSON.stringify({ keys: [] }) } });
 * secrets.set({ name: 'partner', key: 'jwks.json' }, JSON.stringify({ keys: [jwk] }));
 * ```
 */
export function createMemoryStore(
  secrets: { readonly [name: string]: { readonly [key: string]: string | Uint8Array } } = {},
): MemoryStore {
  const entries = new Map<string, Uint8Array>();
  const watchers = new Map<string, Set<() => void>>();
  for (const [name, keys] of Object.entries(secrets)) {
    for (const [key, value] of Object.entries(keys)) entries.set(entryId({ name, key }), bytesOf(value));
  }
  const store: MemoryStore = {
    description: 'memory',
    read: async (reference) => entries.get(entryId(reference)),
    async write(reference, value, signal) {
      signal.throwIfAborted();
      // A copy: the caller may overwrite its bytes afterwards.
      store.set(reference, Uint8Array.from(value));
    },
    async update(reference, change, signal) {
      signal.throwIfAborted();
      const value = change(entries.get(entryId(reference)));
      if (value !== undefined) store.set(reference, Uint8Array.from(value));
    },
    watch(reference, changed) {
      const id = entryId(reference);
      const set = watchers.get(id) ?? new Set();
      watchers.set(id, set.add(changed));
      return () => set.delete(changed);
    },
    set(reference, value) {
      const id = entryId(reference);
      if (value === undefined) entries.delete(id);
      else entries.set(id, bytesOf(value));
      for (const changed of watchers.get(id) ?? []) changed();
    },
  };
  return store;
}

/** The options of the environment store. */
export interface EnvironmentStoreOptions {
  /** Prefix of the name of each variable. Default: none. */
  readonly prefix?: string;
  /** Default `process.env`, read at each `read()`. */
  readonly environment?: { readonly [name: string]: string | undefined };
}

/**
 * Makes a store over environment variables. The entry `{ name: 'internal-jwks', key: 'jwks.json' }`
 * is the variable `INTERNAL_JWKS_JWKS_JSON`: name and key in upper case, each character that is not
 * a letter or digit replaced by `_`.
 * @example
 * ```ts
 * const secrets = createEnvironmentStore({ prefix: 'APP_' });
 * // The variable APP_PARTNER_JWKS_JSON:
 * await secrets.read({ name: 'partner', key: 'jwks.json' }, AbortSignal.timeout(1000));
 * ```
 */
export function createEnvironmentStore(
  ...options: readonly [options?: EnvironmentStoreOptions]
): SecretStore {
  const given = readObject(argument(options, 'options', {}), ['prefix', 'environment'], '');
  const { prefix = '' } = given;
  if (typeof prefix !== 'string') throw new ConfigError('prefix', 'expected a text');
  const environment =
    given.environment === undefined ? process.env : readEnvironment(given.environment, 'environment');
  const locate = ({ name, key }: SecretReference) =>
    `${prefix}${`${name}_${key}`.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`;
  return {
    description: 'environment',
    locate,
    async read(reference) {
      const value = environment[locate(reference)];
      return value === undefined ? undefined : bytesOf(value);
    },
  };
}

/**
 * Checks the name or key of a secret: letters, digits, `.`, `_` and `-`. It must not start with two
 * dots, so that it is never a path.
 * @throws ConfigError
 */
export function checkSecretName(value: string, path: string): string {
  if (!/^[A-Za-z0-9._-]{1,253}$/.test(value) || value.startsWith('..') || value === '.') {
    throw new ConfigError(path, 'expected letters, digits, ".", "_" and "-"');
  }
  return value;
}

/** Reads a store from options. @throws ConfigError */
export function readStore(value: unknown, path: string): SecretStore {
  if (typeof value !== 'object' || value === null || !('read' in value) || typeof value.read !== 'function')
    throw new ConfigError(path, 'expected a secret store, with read()');
  return value as SecretStore;
}

function entryId({ name, key }: SecretReference): string {
  return JSON.stringify([name, key]);
}

function bytesOf(value: string | Uint8Array): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
}
