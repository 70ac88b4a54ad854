// `latchkey secrets list`: lists the names of secrets and of their entries. No entry is opened.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import {
  type Context,
  command,
  type FileOptions,
  type FormatOptions,
  withFile,
  withFormat,
} from '../context.ts';
import { misused } from '../failure.ts';
import { secretsDirectory } from '../files.ts';
import { formatTable } from '../output.ts';

/** `secrets list`. */
export function list(context: Context): Command {
  const made = command('list', 'The names of secrets and of their entries; no values.', [
    'latchkey secrets list',
    'latchkey secrets list --secrets /etc/my-service/secrets --output json',
  ]);
  return withFormat(withFile(made)).action(async (options: FileOptions & FormatOptions) => {
    const directory = secretsDirectory(context, options);
    const secrets: { readonly name: string; readonly entries: readonly string[] }[] = [];
    for (const name of (await namesIn(directory)) ?? []) {
      const entries = await namesIn(join(directory, name));
      if (entries !== undefined) secrets.push({ name, entries });
    }
    const rows = secrets.map(({ name, entries }) => [name, entries.join(', ')]);
    context.output.result(options.output, () => formatTable(['NAME', 'ENTRIES'], rows), secrets);
  });
}

/**
 * @returns undefined if it is not a directory. Names that begin with a dot belong to the mount or
 *   to a running write
 */
async function namesIn(path: string): Promise<readonly string[] | undefined> {
  try {
    return (await readdir(path)).filter((name) => !name.startsWith('.')).sort();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    if (code === 'ENOTDIR' || code === 'ENOENT') return undefined;
    throw misused(`the secrets cannot be read: ${code}`);
  }
}
