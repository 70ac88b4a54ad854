// Reads a small file at once, for options that name one: a service starts with it. What is in the
// file is judged by the caller.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { codeOf } from './system-error.ts';

/**
 * Reads one regular file whole. It does *not* wait: a FIFO, a device or an endless file in its
 * place is refused.
 * @param maxBytes a larger file is refused unread
 * @throws Error with a constant text: the caller names the file
 */
export function readSmallFile(path: string, maxBytes: number): Buffer {
  const file = open(path);
  try {
    const stats = fstatSync(file);
    if (!stats.isFile() || stats.size > maxBytes)
      throw new Error(`is not a regular file of at most ${maxBytes} bytes`);
    // One byte more than it said: a file that grows meanwhile is being written.
    const bytes = Buffer.alloc(stats.size + 1);
    const read = readSync(file, bytes, 0, bytes.length, 0);
    if (read !== stats.size) throw new Error('is being written');
    return bytes.subarray(0, read);
  } finally {
    closeSync(file);
  }
}

function open(path: string): number {
  try {
    // Without blocking, which the opening of a FIFO does until another process writes to it.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw new Error(`cannot be read: ${codeOf(error)}`);
  }
}
