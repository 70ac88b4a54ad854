// A secret store over files: <directory>/<name>/<key>, the way Kubernetes mounts secrets, and how
// it swaps them.
import { constants, unwatchFile, watch, watchFile } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { readText } from '../values/readers.ts';
import { codeOf } from '../values/system-error.ts';
import { withLockFile } from './lock-file.ts';
import { checkSecretName, MAX_SECRET_BYTES, type SecretReference, type SecretStore } from './store.ts';
import { refuseLink, writePrivateFile } from './write-file.ts';

/**
 * Makes a store over a directory. Names and keys are single path segments. Symbolic links are
 * followed, because Kubernetes replaces a whole secret by one; their target must be a regular file
 * of at most 512 KiB.
 *
 * What it writes is for the owner of this process alone, files 0600 and new directories 0700. It
 * does not write through a symbolic link, and nothing that it would not read. Processes that change
 * an entry at once take turns by a lock file next to it.
 * @throws ConfigError for what is no path
 * @example
 * ```ts
 * const authenticator = createAuthenticator({
 *   keySets: [{ issuer: 'partner', secret: { name: 'partner', key: 'jwks.json' } }],
 *   secrets: createDirectoryStore('/run/secrets'), // reads /run/secrets/partner/jwks.json
 *   audience: 'https://api.example.com',
 * });
 * ```
 */
export function createDirectoryStore(directory: string): SecretStore {
  const root = resolve(readText(directory, 'directory'));
  const directoryOf = ({ name }: SecretReference) => join(root, checkSecretName(name, 'name'));
  const fileOf = (reference: SecretReference) =>
    join(directoryOf(reference), checkSecretName(reference.key, 'key'));
  /** Refuses values that could not be read again, and entries that belong to a mount. */
  async function checkWrite(reference: SecretReference, value: Uint8Array | undefined): Promise<void> {
    if (value !== undefined && value.length > MAX_SECRET_BYTES)
      throw new Error(`expected at most ${MAX_SECRET_BYTES} bytes`);
    await refuseLink(directoryOf(reference));
  }

  return {
    description: 'directory',
    locate: fileOf,
    read: async (reference, signal) => readSecretFile(fileOf(reference), signal),
    watch(reference, changed) {
      const stops = [watchPath(directoryOf(reference), changed), watchFileAt(fileOf(reference), changed)];
      return () => {
        for (const stop of stops) stop();
      };
    },
    async write(reference, value, signal) {
      const file = fileOf(reference);
      await checkWrite(reference, value);
      await writePrivateFile(file, value, signal);
    },
    async update(reference, change, signal) {
      const file = fileOf(reference);
      await checkWrite(reference, undefined);
      const lockPath = join(directoryOf(reference), `.${reference.key}.lock`);
      await withLockFile(lockPath, signal, async (lock) => {
        const value = change(await readSecretFile(file, signal));
        if (value === undefined) return;
        await checkWrite(reference, value);
        await lock.check();
        await writePrivateFile(file, value, signal);
      });
    },
  };
}

/**
 * Reads one small regular file whole.
 * @returns undefined if there is no such file
 */
export async function readSecretFile(path: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
  let file: FileHandle;
  try {
    // Without blocking: a FIFO in the place of the file must not block the process.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new Error(`the file cannot be opened: ${codeOf(error)}`);
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error('not a regular file');
    if (stats.size > MAX_SECRET_BYTES) throw new Error(`the file is larger than ${MAX_SECRET_BYTES} bytes`);
    signal.throwIfAborted();
    // One byte more than the size: a file that grows is still being written.
    const { buffer, bytesRead } = await file.read(Buffer.alloc(stats.size + 1), 0, stats.size + 1, 0);
    if (bytesRead !== stats.size) throw new Error('the file changed while it was read');
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/**
 * Reads one small regular file as text.
 * @returns undefined for a file that does not exist or cannot be read
 */
export async function readTextFile(path: string): Promise<string | undefined> {
  const bytes = await readSecretFile(path, new AbortController().signal).catch(() => undefined);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');
}

/**
 * Watches a path without keeping the process alive. If it cannot be watched, changes are found at
 * the refresh interval.
 * @param names the names in the directory that count. Kubernetes replaces a whole mount by a name
 *   that begins with two dots, which always counts
 */
export function watchPath(path: string, changed: () => void, names?: ReadonlySet<string>): () => void {
  try {
    const watcher = watch(path, { persistent: false }, (_event, name) => {
      if (names === undefined || name === null || names.has(name) || name.startsWith('..')) changed();
    });
    // The directory was removed. The next refresh finds out what replaced it.
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => {};
  }
}

/** How often a file is looked at that is watched by its path. */
const LOOK_MS = 2_000;

/**
 * Watches a file by its path, in whatever directory it is: behind a link whose target changes, or
 * in a directory that is replaced, neither of which its own directory tells of. Does not keep the
 * process alive.
 */
export function watchFileAt(path: string, changed: () => void): () => void {
  const listener: Parameters<typeof watchFile>[1] = (now, before) => {
    // Also told of once where there is no file.
    if (now.nlink > 0 || before.nlink > 0) changed();
  };
  watchFile(path, { persistent: false, interval: LOOK_MS }, listener);
  return () => unwatchFile(path, listener);
}
