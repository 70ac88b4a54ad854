// Where the pages are: everything in docs, and every README. A new page is one of them by itself.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Block, blocksIn } from './blocks.ts';

export const HOME = fileURLToPath(new URL('..', import.meta.url));
export const ROOT = join(HOME, '../..');
export const DOCS = join(ROOT, 'docs');

export interface Page {
  /** The path in the repository. */
  readonly path: string;
  readonly text: string;
  readonly blocks: readonly Block[];
}

export const PAGES: readonly Page[] = globSync(
  ['*.md', 'docs/**/*.md', 'packages/*/README.md', 'apps/*/README.md'],
  { cwd: ROOT, exclude: ['**/node_modules/**', '**/.vitepress/**'] },
)
  .toSorted()
  .map((path) => {
    const text = readFileSync(join(ROOT, path), 'utf8');
    return { path, text, blocks: blocksIn(text) };
  });

/** The blocks of all pages in these languages, with the place of each. */
export function allBlocks(...languages: readonly string[]): readonly (Block & { readonly at: string })[] {
  return PAGES.flatMap(({ path, blocks }) =>
    blocks
      .filter(({ language }) => languages.includes(language))
      .map((block) => ({ ...block, at: `${path}:${block.line}` })),
  );
}

/** The pages in these folders of docs, by their path in docs. */
export function pagesIn(...folders: readonly string[]): readonly string[] {
  return PAGES.map(({ path }) => path)
    .filter((path) => folders.some((folder) => path.startsWith(`docs/${folder}/`)))
    .filter((path) => !path.endsWith('/README.md'))
    .map((path) => path.slice('docs/'.length));
}
