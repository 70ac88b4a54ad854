// The files that a page shows: blocks with a file name after the language.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Block } from './blocks.ts';

/** The file that a block is, such as `service.yaml`; undefined for other blocks. */
export function nameOf({ title }: Block): string | undefined {
  return /^[\w-]+\.(?:json|ya?ml)$/.test(title) ? title : undefined;
}

/** Writes the files of a page into a folder. */
export function writeFiles(folder: string, blocks: readonly Block[]): void {
  mkdirSync(folder, { recursive: true });
  for (const block of blocks) {
    const name = nameOf(block);
    if (name !== undefined) writeFileSync(join(folder, name), block.code);
  }
}
