// Writes a secret: all its entries at once, readable only by the owner. It replaces an existing
// secret only when forced.

import { randomUUID } from 'node:crypto';
import { lstat, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDirectoryStore } from '@latchkey/core';
import { codeOf } from '@latchkey/core/tools';
import { misused } from './failure.ts';

/** The entries of a secret that holds a raw key. */
const RAW_KEYS: readonly string[] = ['secret.key', 'private.key', 'public.key'];
/** The error codes for a rename onto a directory with content, a file, or a link. */
const OCCUPIED: ReadonlySet<string> = new Set(['ENOTEMPTY', 'EEXIST', 'ENOTDIR']);

type Entries = Readonly<Record<string, Uint8Array>>;

/**
 * Makes a secret.
 * @param isForced replaces an existing secret: all entries of raw keys are removed, other entries
 *   stay
 * @returns a function that removes the secret again, if it is new
 * @throws Failure if the secret exists and it is not forced, or if it cannot be written
 */
export async function makeSecret(
  directory: string,
  name: string,
  entries: Entries,
  isForced: boolean,
): Promise<() => Promise<void>> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/.test(name))
    throw misused(
      'expected a secret name of letters, digits, ".", "_" and "-", starting with a letter or digit',
    );
  const path = join(directory, name);
  try {
    await makeDirectory(directory);
    if (await putNew(directory, name, entries)) return () => rm(path, { recursive: true, force: true });
    if (!isForced) throw misused(`the secret ${name} exists already; --force replaces it`);
    if ((await lstat(path)).isSymbolicLink())
      throw misused(`the secret ${name} is a symbolic link: it belongs to a mount`);
    // Before the first of them is written: a pair must not be left as half of the old one and half
    // of the new.
    for (const key of new Set([...Object.keys(entries), ...RAW_KEYS])) await refuseIrregular(path, key);
    await write(directory, name, entries);
    // Half of an old pair must not remain next to half of a new one.
    if (RAW_KEYS.some((key) => Object.hasOwn(entries, key)))
      for (const key of RAW_KEYS.filter((raw) => !Object.hasOwn(entries, raw)))
        await rm(join(path, key), { force: true });
    return async () => {};
  } catch (error) {
    const code = codeOf(error);
    throw code === 'unknown' ? error : misused(`the secret cannot be written: ${code}`);
  }
}

/** Refuses an entry that cannot be replaced. @throws Failure */
async function refuseIrregular(path: string, key: string): Promise<void> {
  const stats = await lstat(join(path, key)).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (stats?.isFile() === false)
    throw misused(
      `the entry ${key} is not a regular file, so nothing was written; remove it, or name another secret`,
    );
}

/**
 * A secret as a whole, where there is none.
 * @returns false where there is one: of several at once, one puts its own
 */
async function putNew(directory: string, name: string, entries: Entries): Promise<boolean> {
  const draft = `.${randomUUID()}.tmp`;
  try {
    await write(directory, draft, entries);
    await rename(join(directory, draft), join(directory, name));
    return true;
  } catch (error) {
    if (OCCUPIED.has(codeOf(error))) return false;
    throw error;
  } finally {
    await rm(join(directory, draft), { recursive: true, force: true });
  }
}

async function write(directory: string, name: string, entries: Entries): Promise<void> {
  const store = createDirectoryStore(directory);
  for (const [key, bytes] of Object.entries(entries))
    await store.write?.({ name, key }, bytes, new AbortController().signal);
}

/** Adds a .gitignore to a new directory, so that secrets are not committed. */
async function makeDirectory(directory: string): Promise<void> {
  if ((await mkdir(directory, { recursive: true, mode: 0o700 })) === undefined) return;
  await writeFile(join(directory, '.gitignore'), '*\n', { mode: 0o600, flag: 'wx' });
}
