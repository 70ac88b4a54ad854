// Reads a small file synchronously, for options that name one and are read at start. The caller
// judges the content.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { codeOf } from './system-error.ts';

/**
 * Reads one regular file whole. It never blocks: a FIFO, a device or an endless file is refused.
 * @param maxBytes a larger file is refused and not read
 * @throws Error with a constant text, to which the caller adds the name of the file
 */
export function readSmallFile(path: string, maxBytes: number): Buffer {
  const file = open(path);
  try {
    const stats = fstatSync(file);
    if (!stats.isFile() || stats.size > maxBytes)
      throw new Error(`is not a regular file of at most ${maxBytes} bytes`);
    // One byte more than the size, to notice a file that grows because it is being written.
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
    // O_NONBLOCK, because opening a FIFO blocks until another process writes to it.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw new Error(`cannot be read: ${codeOf(error)}`);
  }
}
