// Who may have put keys into a directory: its owner and mode, and those of its files. What is in
// the files is not read.
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { ConfigError } from '../errors.ts';
import { codeOf } from '../values/system-error.ts';

/** What is in the directory. All paths are absolute. */
interface OwnedPaths {
  readonly directory: string;
  /** Files that only their owner may read. */
  readonly secret: readonly string[];
  /** Files that anyone may read. */
  readonly open: readonly string[];
}

const OTHERS_READ_OR_WRITE = 0o077;
const OTHERS_WRITE = 0o022;
/**
 * Kubernetes mounts the secrets of a process without privileges like this: of root, and to be read
 * by its group.
 */
const ALL_BUT_GROUP_READ = 0o037;

/**
 * Refuses a directory, or a file in it, that another user of this machine owns or may write, and a
 * secret that others may read: whoever can put a key there, or read one, signs tokens for every
 * user. What is not there is fine. Does nothing on Windows.
 * @throws ConfigError with the name, the reason and what to do
 */
export async function refuseForeign({ directory, secret, open }: OwnedPaths): Promise<void> {
  const user = process.geteuid?.();
  if (user === undefined) return;
  await check(directory, user, OTHERS_WRITE, 'chmod go-w');
  for (const path of open) await check(path, user, OTHERS_WRITE, 'chmod go-w');
  for (const path of secret) await check(path, user, OTHERS_READ_OR_WRITE, 'chmod 600');
}

async function check(path: string, user: number, forbidden: number, fix: string): Promise<void> {
  const stats = await statOf(path);
  if (stats === undefined) return;
  const name = basename(path);
  if (stats.uid !== user && stats.uid !== 0)
    throw new ConfigError(
      'directory',
      `expected ${name} to belong to the user of this process (${user}) or to root, got user ${stats.uid}; ` +
        `remove it, or chown it if its keys are yours`,
    );
  const tooOpen = forbidden === OTHERS_READ_OR_WRITE && stats.uid !== user ? ALL_BUT_GROUP_READ : forbidden;
  if ((stats.mode & tooOpen) !== 0)
    throw new ConfigError(
      'directory',
      `expected ${name} to be closed to other users, got mode ${(stats.mode & 0o777).toString(8)}; ` +
        `${fix} it, and make new keys if another user may have been there`,
    );
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new ConfigError('directory', `${basename(path)} cannot be looked at: ${codeOf(error)}`);
  }
}
