// Replaces files as a whole, private ones above all: a reader sees the old file or the new one,
// also after a crash. Who may write which file is decided elsewhere.

import { randomUUID } from 'node:crypto';
import { lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf } from '../values/system-error.ts';

/**
 * Error codes of file systems that cannot flush a directory: Windows, some others, and a directory
 * that may be written but not read.
 */
const NOT_FLUSHED: ReadonlySet<string> = new Set(['EACCES', 'EBADF', 'EINVAL', 'EISDIR', 'ENOTSUP', 'EPERM']);

/**
 * Writes a file that only its owner may read (0600), in place of an existing one. A missing
 * directory is created for its owner alone (0700); an existing directory keeps its mode. If this
 * rejects, the old file is still there, unless the message says that the new one is in place.
 *
 * A symbolic link is refused: its target belongs to a mount, such as a Kubernetes secret.
 * @throws Error that has only the error code (EACCES, EROFS, ENOSPC), neither path nor bytes; or
 *   the reason of the signal
 */
export function writePrivateFile(path: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  return writeWhole(path, bytes, signal, 0o600);
}

/**
 * Like `writePrivateFile`, but keeps the mode of the existing file; a new file gets 0644. For files
 * without secrets, such as a descriptor.
 */
export async function replaceFile(path: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  const before = await lstat(path).catch(() => undefined);
  await writeWhole(path, bytes, signal, before === undefined ? 0o644 : before.mode & 0o777);
}

async function writeWhole(path: string, bytes: Uint8Array, signal: AbortSignal, mode: number): Promise<void> {
  const directory = dirname(path);
  // The name has a dot, and no part of the target's name: that may start with another dot, which
  // watchers would take for a Kubernetes swap.
  const temporary = join(directory, `.${randomUUID()}.tmp`);
  signal.throwIfAborted();
  await refuseLink(path);
  await attempt(mkdir(directory, { recursive: true, mode: 0o700 }));
  try {
    await attempt(writeNew(temporary, bytes, mode));
    signal.throwIfAborted();
    await attempt(rename(temporary, path));
  } catch (error) {
    // The first error is the one to report.
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await flushDirectory(directory);
}

/** Refuses a symbolic link. A missing file is accepted. @throws Error with a constant text */
export async function refuseLink(path: string): Promise<void> {
  const stats = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw cannotWrite(error);
  });
  if (stats?.isSymbolicLink() === true)
    throw new Error('expected a regular file, got a symbolic link; it belongs to a mount');
}

async function writeNew(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    // Not by open(): the umask would remove bits of the old file's mode.
    if (mode !== 0o600) await file.chmod(mode);
    // Before the rename: after a crash, the name must not lead to bytes that were never on the
    // disk.
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Flushes the directory, so that the new name is still there after a crash. */
async function flushDirectory(path: string): Promise<void> {
  try {
    const directory = await open(path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } catch (error) {
    if (NOT_FLUSHED.has(codeOf(error))) return;
    throw new Error(`the file is in place, but may not outlive a crash: ${codeOf(error)}`);
  }
}

async function attempt<T>(operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    throw cannotWrite(error);
  }
}

function cannotWrite(error: unknown): Error {
  return new Error(`the file cannot be written: ${codeOf(error)}`);
}
