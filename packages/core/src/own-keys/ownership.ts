// Checks who may have put keys into a directory, by the owner and mode of the directory and its
// files. The content of the files is not read.
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { ConfigError } from '../errors.ts';
import { codeOf } from '../values/system-error.ts';

/** The paths in the directory. All are absolute. */
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
 * The mode of secrets that Kubernetes mounts for an unprivileged process: owned by root, and
 * readable by its group.
 */
const ALL_BUT_GROUP_READ = 0o037;

/**
 * Refuses a directory, or a file in it, that another user of this machine owns or may write, and a
 * secret that others may read: a user who can add or read a key can sign tokens for every user.
 * Missing files are accepted. Does nothing on Windows.
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
    throw new ConfigError('directory', `${basename(path)} cannot be checked: ${codeOf(error)}`);
  }
}
