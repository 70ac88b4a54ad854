// Files, private ones above all, put in place whole: for whoever reads, the old one or the new one,
// also after a crash. Who may write what is not settled here.

import { randomUUID } from 'node:crypto';
import { lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf } from '../values/system-error.ts';

/**
 * From Windows, some file systems, and a directory that may be written but not read: there it
 * cannot be asked for.
 */
const NOT_FLUSHED: ReadonlySet<string> = new Set(['EACCES', 'EBADF', 'EINVAL', 'EISDIR', 'ENOTSUP', 'EPERM']);

/**
 * Writes a file that its owner alone may read (0600), in place of the one that stands there. A
 * directory that is missing is made for its owner alone (0700); one that is there keeps its mode.
 * When this rejects, the old file is still there, unless the message says that the new one is in
 * place.
 *
 * A symbolic link is refused: what it leads to belongs to whoever mounted it, as Kubernetes does
 * secrets.
 * @throws Error with no more of the path and the bytes than the code of what failed (EACCES, EROFS,
 *   ENOSPC); the reason of the signal
 */
export function writePrivateFile(path: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  return writeWhole(path, bytes, signal, 0o600);
}

/**
 * The same with the mode that the file in its place has; 0644 where there is none. For what is
 * nobody's secret, such as a descriptor.
 */
export async function replaceFile(path: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  const before = await lstat(path).catch(() => undefined);
  await writeWhole(path, bytes, signal, before === undefined ? 0o644 : before.mode & 0o777);
}

async function writeWhole(path: string, bytes: Uint8Array, signal: AbortSignal, mode: number): Promise<void> {
  const directory = dirname(path);
  // A dot, and nothing of the target's name: that may start with another, which would make it a
  // swap to whoever watches.
  const temporary = join(directory, `.${randomUUID()}.tmp`);
  signal.throwIfAborted();
  await refuseLink(path);
  await attempt(mkdir(directory, { recursive: true, mode: 0o700 }));
  try {
    await attempt(writeNew(temporary, bytes, mode));
    signal.throwIfAborted();
    await attempt(rename(temporary, path));
  } catch (error) {
    // What failed first is what there is to say.
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await flushDirectory(directory);
}

/** Refuses a symbolic link. What is not there is none. @throws Error with a constant text */
export async function refuseLink(path: string): Promise<void> {
  const stats = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw cannotWrite(error);
  });
  if (stats?.isSymbolicLink() === true)
    throw new Error('a symbolic link is not written: it belongs to a mount');
}

async function writeNew(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    // Not by open: a umask would take bits away that the file before had.
    if (mode !== 0o600) await file.chmod(mode);
    // Before the rename: after a crash, a name must not lead to bytes that never came to the disk.
    await file.sync();
  } finally {
    await file.close();
  }
}

/** So that the new name outlives a crash. */
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
