// Finds links of the built site that lead nowhere: to a page or file that is not there, or to an
// anchor that the page does not have.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

const ATTRIBUTE = /<(?:a|img|source|link|script)\s[^>]*?(?:href|src|srcset)="([^"]*)"/g;

/**
 * The dead links of a built site, as `page: link`.
 * @param site the folder of the built site
 * @param root the root of the repository, for links to its files
 */
export function deadLinks(site: string, root: string): readonly string[] {
  const pages = globSync('**/*.html', { cwd: site }).toSorted();
  if (pages.length === 0) return [`${site} has no page`];
  const text = (page: string) => readFileSync(join(site, page), 'utf8');
  const anchors = new Map(pages.map((page) => [page, anchorsOf(text(page))]));
  const isAlive = (page: string, link: string): boolean => {
    const inRepository = /^https:\/\/github\.com\/latchkey\/latchkey\/(?:blob|tree)\/main\/([^#]*)/.exec(
      link,
    );
    if (inRepository !== null) return existsSync(join(root, decodeURI(inRepository[1] ?? '')));
    if (/^[a-z][a-z+.-]*:/i.test(link)) return true;
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? page : fileOf(site, posix.join('/', posix.dirname(page), path), path);
    if (target === undefined) return false;
    return (
      anchor === undefined || anchor === '' || anchors.get(target)?.has(decodeURIComponent(anchor)) === true
    );
  };
  return pages.flatMap((page) =>
    [...text(page).matchAll(ATTRIBUTE)]
      .map(([, link = '']) => link.replaceAll('&amp;', '&'))
      .filter((link) => !isAlive(page, link))
      .map((link) => `${page}: ${link} leads nowhere`),
  );
}

/** The file that a server gives for a path; undefined if there is none. */
function fileOf(site: string, relative: string, path: string): string | undefined {
  const file = (path.startsWith('/') ? path : relative).slice(1);
  const names = file === '' || file.endsWith('/') ? [`${file}index.html`] : [`${file}.html`, file];
  return names.find((name) => existsSync(join(site, name)));
}

function anchorsOf(html: string): ReadonlySet<string> {
  return new Set([...html.matchAll(/\sid="([^"]*)"/g)].map(([, id = '']) => id));
}
