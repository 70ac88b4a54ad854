// Reads keys of the user from a file or standard input. Keys are not checked here.

import { createReadStream } from 'node:fs';
import { codeOf, MAX_SECRET_BYTES } from '@latchkey/core/tools';
import type { Context } from '../context.ts';
import { misused } from '../failure.ts';
import { plain } from '../output.ts';

/** Reads a key from a file or, for `-`, from standard input. @throws Failure */
export async function readKeyInput(context: Context, path: string): Promise<Uint8Array> {
  const bytes = path === '-' ? await readStdin(context) : await readKeyFile(context.pathOf(path), path);
  if (bytes.length === 0) throw misused(`${inputName(path)} is empty`);
  if (bytes.length > MAX_SECRET_BYTES) throw misused(`${inputName(path)} is larger than any key`);
  return bytes;
}

/** The name of an input in messages. */
export function inputName(path: string): string {
  return path === '-' ? 'standard input' : plain(path);
}

/** Reads standard input, up to the maximum of any input here. */
export async function readStdin({ terminal, output }: Context): Promise<Uint8Array> {
  if (terminal.stdin.isTTY === true) output.note('Reading standard input; end it with Ctrl-D.');
  return collect(terminal.stdin);
}

/** Reads at most one byte more than the limit, because a pipe has no size. */
async function collect(chunks: AsyncIterable<Uint8Array | string>): Promise<Uint8Array> {
  const collected: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    collected.push(bytes);
    length += bytes.length;
    if (length > MAX_SECRET_BYTES) break;
  }
  return Buffer.concat(collected);
}

async function readKeyFile(path: string, name: string): Promise<Uint8Array> {
  try {
    return await collect(createReadStream(path));
  } catch (error) {
    throw misused(`${plain(name)} cannot be read: ${codeOf(error)}`);
  }
}
