// What ends with its test: things that are open, and folders on the disk.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/**
 * Closes something when the test has ended, its `afterEach` included, and returns it. Call it in a
 * test or in `beforeEach`.
 */
export function closing<T extends { close(): unknown }>(open: T): T {
  onTestFinished(async () => void (await open.close()));
  return open;
}

/** Makes an empty folder, which is removed when the test has ended. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
