// A lock between processes over one directory: a file that only one process at a time can create.
// This code does not know what is locked.
import { randomUUID } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { codeOf } from '../values/system-error.ts';

/** A lock is held for seconds at most. An older one belongs to a process that has stopped. */
const ABANDONED_MS = 60_000;
const RETRY_MS = 15;
/** The error codes of file systems without hard links. */
const NO_LINKS: ReadonlySet<string> = new Set(['ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EPERM']);

/** A lock that is held. */
interface HeldLock {
  /**
   * Call it before each write.
   * @throws Error if another process has taken over the lock
   */
  check(): Promise<void>;
}

/**
 * The holder of a lock. Process ids are comparable only in the same process namespace of the same
 * machine.
 */
interface Owner {
  readonly space: string;
  readonly pid: number;
  /** The same for all locks of one process, also of one whose id was given again. */
  readonly run: string;
  readonly id: string;
}

const SPACE = `${hostname()} ${processNamespace()}`;
/** Made when it is needed: Workers have no random bytes while a module loads. */
let run: string | undefined;
const runNow = () => {
  run ??= randomUUID();
  return run;
};

/**
 * Runs `work` while no other process, and no other call in this one, holds the lock. Waits for a
 * held lock. Takes over the lock of a process that has ended, and a lock that is older than a
 * minute.
 * @param path of the lock file. Its directory is created if it is missing
 * @throws Error that has only the error code (EACCES, EROFS), not the path; or the reason of the
 *   signal
 */
export async function withLockFile<T>(
  path: string,
  signal: AbortSignal,
  work: (lock: HeldLock) => Promise<T>,
): Promise<T> {
  const text = JSON.stringify({
    space: SPACE,
    pid: process.pid,
    run: runNow(),
    id: randomUUID(),
  } satisfies Owner);
  const isHeld = async () => (await textOf(path)) === text;
  try {
    await acquire(path, text, signal);
    return await work({
      async check() {
        if (!(await isHeld())) throw new Error('another process has taken over the lock; try again');
      },
    });
  } finally {
    if (await isHeld()) await rm(path, { force: true }).catch(() => {});
  }
}

async function acquire(path: string, text: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const draft = join(dirname(path), `.${randomUUID()}.tmp`);
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(draft, text, { flag: 'wx', mode: 0o600 });
    // By the clock of the file system, which may be the clock of another machine.
    const startedAt = (await stat(draft)).mtimeMs - performance.now();
    while (!(await put(draft, path, text))) {
      if (await removeAbandoned(path, startedAt + performance.now())) continue;
      await pause(RETRY_MS * (1 + Math.random()), undefined, { signal });
    }
  } catch (error) {
    signal.throwIfAborted();
    throw new Error(`the entry cannot be locked: ${codeOf(error)}`);
  } finally {
    await rm(draft, { force: true }).catch(() => {});
  }
}

/** Creates the lock file with all of its text. @returns false if the lock exists already */
async function put(draft: string, path: string, text: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    if (!NO_LINKS.has(codeOf(error))) throw error;
  }
  try {
    await writeFile(path, text, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Removes an abandoned lock.
 * @returns true if the lock may be free now
 */
async function removeAbandoned(path: string, nowMs: number): Promise<boolean> {
  const text = await textOf(path);
  const stats = await stat(path).catch(() => undefined);
  if (text === undefined || stats === undefined) return true;
  // One that is from the future is from before a clock was put right.
  if (!hasEnded(text) && Math.abs(nowMs - stats.mtimeMs) < ABANDONED_MS) return false;
  const aside = join(dirname(path), `.${randomUUID()}.tmp`);
  try {
    await rename(path, aside);
    // Another process may have been faster, so that this is its lock: put it back.
    if ((await textOf(aside)) !== text) await link(aside, path).catch(() => {});
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  } finally {
    await rm(aside, { force: true }).catch(() => {});
  }
  return true;
}

/** True for the lock of a process that has certainly ended. */
function hasEnded(text: string): boolean {
  const { space, pid, run: its } = ownerIn(text);
  if (space !== SPACE || typeof pid !== 'number') return false;
  // An earlier process may have had the same id.
  if (pid === process.pid) return its !== runNow();
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return codeOf(error) === 'ESRCH';
  }
}

function ownerIn(text: string): Partial<Owner> {
  try {
    const owner: unknown = JSON.parse(text);
    return typeof owner === 'object' && owner !== null ? owner : {};
  } catch {
    return {};
  }
}

/**
 * Reads a file.
 * @returns undefined if it does not exist
 */
async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    // On systems without /proc, containers with separate process ids are rare.
    return '';
  }
}
