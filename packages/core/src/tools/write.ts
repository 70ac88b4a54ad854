// Putting descriptors in their place: whole, and not over what another process has put there
// meanwhile.
import { lstat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { readDescriptorFile } from '../descriptor/load.ts';
import { DEADLINE_MS } from '../net/limits.ts';
import { withLockFile } from '../secrets/lock-file.ts';
import { replaceFile } from '../secrets/write-file.ts';
import { codeOf } from '../values/system-error.ts';

/**
 * Puts a descriptor in its place whole, with the mode that it had. A symbolic link is refused.
 * @throws Error with the code of what failed
 */
export function writeDescriptor(path: string, text: string): Promise<void> {
  return replaceFile(path, Buffer.from(text), new AbortController().signal);
}

/**
 * Puts a changed descriptor in the place of the one that it was made from. Of processes that do so
 * at once, each finds what the one before it wrote.
 * @param before what it was made from; undefined: there was none
 * @returns false if there is something else by now, which stays
 * @throws Error with the code of what failed
 */
export function changeDescriptor(path: string, before: string | undefined, text: string): Promise<boolean> {
  const lockPath = join(dirname(path), `.${basename(path)}.lock`);
  return withLockFile(lockPath, AbortSignal.timeout(DEADLINE_MS), async (lock) => {
    if ((await textAt(path)) !== before) return false;
    await lock.check();
    await writeDescriptor(path, text);
    return true;
  });
}

async function textAt(path: string): Promise<string | undefined> {
  // Also a link that leads nowhere is there.
  const isThere = await lstat(path).then(
    () => true,
    (error: unknown) => codeOf(error) !== 'ENOENT',
  );
  return isThere ? readDescriptorFile(path) : undefined;
}
