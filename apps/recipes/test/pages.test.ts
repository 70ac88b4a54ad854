// Each page of docs/recipes has the programs that its test runs, and the index names the page.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const docs = new URL('../../../docs/recipes/', import.meta.url);
const sources = new URL('../src/', import.meta.url);
const pages = readdirSync(docs).filter((name) => name !== 'README.md');
const read = (url: URL) => readFileSync(url, 'utf8');

/** The programs of a page, by the file that their first line names. */
function programsOf(page: string): readonly (readonly [file: string, code: string])[] {
  const blocks = [...read(new URL(page, docs)).matchAll(/^```ts\n([\s\S]*?)^```$/gm)];
  return blocks.map(([, code = '']) => [/^\/\/ ([\w-]+\.ts): /.exec(code)?.[1] ?? '', code]);
}

describe.each(pages)('docs/recipes/%s', (page) => {
  it('has programs that are the files of apps/recipes/src', () => {
    const programs = programsOf(page);
    expect(programs.length).toBeGreaterThan(0);
    for (const [file, code] of programs) expect(code, file).toBe(read(new URL(file, sources)));
  });

  it('is in the index', () => {
    expect(read(new URL('README.md', docs))).toContain(`](${page})`);
  });
});

it('each file of apps/recipes/src is on one page', () => {
  const files = readdirSync(sources).filter((name) => name.endsWith('.ts'));
  expect(pages.flatMap((page) => programsOf(page).map(([file]) => file)).toSorted()).toEqual(
    files.toSorted(),
  );
});
