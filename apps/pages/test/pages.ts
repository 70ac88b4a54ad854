// Where the pages are.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const HOME = fileURLToPath(new URL('..', import.meta.url));
export const ROOT = join(HOME, '../..');
export const DOCS = join(ROOT, 'docs');

/** The pages in these folders of docs, by their path in docs. */
export function pagesIn(...folders: readonly string[]): readonly string[] {
  return folders
    .filter((folder) => existsSync(join(DOCS, folder)))
    .flatMap((folder) =>
      readdirSync(join(DOCS, folder))
        .filter((name) => name.endsWith('.md') && name !== 'README.md')
        .map((name) => `${folder}/${name}`),
    );
}
