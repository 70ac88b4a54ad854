// Gathers what the site is built from in one folder: the files of docs/, and the API reference.
import { cpSync, rmSync, watch } from 'node:fs';
import { join, relative } from 'node:path';
import { DOCS, NOT_ON_SITE, PAGES } from './pages.ts';
import { writeReference } from './reference.ts';

/** Writes the folder anew. */
export async function gather(): Promise<void> {
  rmSync(PAGES, { recursive: true, force: true });
  copy();
  await writeReference(join(PAGES, 'reference'));
}

/** Copies the files of docs/ again when one of them changes. */
export function follow(): void {
  watch(DOCS, { recursive: true }, copy);
}

function copy(): void {
  const isOnSite = (source: string) => !NOT_ON_SITE.includes(relative(DOCS, source).split('/')[0] ?? '');
  cpSync(DOCS, PAGES, { recursive: true, filter: isOnSite });
}
