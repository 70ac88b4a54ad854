// The pages as the site serves them: which there are, their titles, and where links lead.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** The pages that people write. */
export const DOCS = join(ROOT, 'docs');
/** The folder with all pages of the site, which gather.ts writes. */
export const PAGES = join(ROOT, 'apps/docs/gathered');
/** The folder of the built site. */
export const SITE = join(ROOT, 'apps/docs/dist');
/** Where a link leads that names a file outside of the site. */
export const REPOSITORY = 'https://github.com/latchkey/latchkey';

/** Folders of docs/ that are for maintainers, and are no part of the site. */
export const NOT_ON_SITE = ['spec'];

export interface Page {
  /** The path below the folder of the pages, such as `providers/README.md`. */
  readonly file: string;
  /** The path on the site, such as `/providers/`. */
  readonly link: string;
  /** The folder, such as `providers`; empty for a page at the top. */
  readonly folder: string;
  readonly title: string;
}

/** All pages of the site, in the order of their paths. */
export function allPages(): readonly Page[] {
  return globSync('**/*.md', { cwd: PAGES })
    .filter((file) => !NOT_ON_SITE.includes(file.split('/')[0] ?? ''))
    .toSorted()
    .map((file) => ({
      file,
      link: linkTo(file),
      folder: dirname(file) === '.' ? '' : dirname(file),
      title: titleOf(file),
    }));
}

/** The path on the site of a page. A README is the page of its folder. */
function linkTo(file: string): string {
  return `/${file.replace(/(?:^|(?<=\/))(?:README|index)\.md$/, '').replace(/\.md$/, '')}`;
}

/**
 * The address on the site that a link of a page leads to. Links are written as GitHub reads them,
 * relative to the file. What is not on the site is shown by GitHub.
 */
export function resolveLink(from: string, link: string): string {
  if (/^[a-z][a-z+.-]*:|^\/|^#/i.test(link)) return link;
  const [path = '', anchor] = link.split('#');
  const target = normalize(join('docs', dirname(from), path));
  const hash = anchor === undefined ? '' : `#${anchor}`;
  const below = target.startsWith('docs/') ? target.slice('docs/'.length) : undefined;
  const isPage = below?.endsWith('.md') === true && !NOT_ON_SITE.includes(below.split('/')[0] ?? '');
  if (isPage) return `${linkTo(below)}${hash}`;
  return `${REPOSITORY}/${/\.\w+$/.test(target) ? 'blob' : 'tree'}/main/${target}${hash}`;
}

function titleOf(file: string): string {
  const text = readFileSync(join(PAGES, file), 'utf8');
  const heading = /^# (.+)$/m.exec(text)?.[1] ?? /^title: (.+)$/m.exec(text)?.[1] ?? file;
  return heading.replaceAll(/[`*]/g, '');
}
