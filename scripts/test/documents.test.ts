// Checks that links, file paths and pnpm commands in the documents of the repository exist. It does
// not read the prose.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const documents = globSync(['*.md', 'docs/**/*.md', 'packages/*/README.md'], { cwd: root }).toSorted();
const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Record<string, string> };

describe.each(documents)('%s', (document) => {
  const text = read(document);

  it('links only to files and headings that exist', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link = '']) => link);
    expect(links.filter((link) => !leads(document, link))).toEqual([]);
    const absolute = [
      ...text.matchAll(/\]\(https:\/\/github\.com\/latchkey\/latchkey\/blob\/main\/([^)\s]+)\)/g),
    ];
    expect(absolute.map(([, link = '']) => link).filter((link) => !leads('README.md', link))).toEqual([]);
  });

  it.runIf(document.startsWith('packages/'))(
    'has no relative link: npm shows it without the repository',
    () => {
      expect(text.match(/\]\(\.{1,2}\/[^)]*\)/g)).toBeNull();
    },
  );

  it('names only pnpm commands that exist', () => {
    const commands = [...text.matchAll(/`(?:npx )?pnpm(?:@12)? (?:run )?([a-z]+(?::[a-z]+)*)/g)].map(
      ([, name = '']) => name,
    );
    expect(commands.filter((name) => name !== 'install' && scripts[name] === undefined)).toEqual([]);
  });
});

it.each(['CONTRIBUTING.md', 'SECURITY.md'])('%s names only files that exist', (document) => {
  const named = [...read(document).matchAll(/`([\w.@-]+(?:\/[\w.@-]+)+)`/g)].map(([, path = '']) => path);
  const isThere = (path: string) =>
    [path, `packages/core/src/${path}`].some((at) => existsSync(join(root, at)));
  expect(named.filter((path) => !path.startsWith('@latchkey/') && !isThere(path))).toEqual([]);
});

/** True if the link's file or folder exists, and its heading if it names one. */
function leads(document: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? document : join(dirname(document), path);
  if (!existsSync(join(root, target))) return false;
  return anchor === undefined || headingsOf(read(target)).includes(anchor);
}

/** The anchors that GitHub makes from headings. */
function headingsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}
