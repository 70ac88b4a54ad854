// The sidebar, computed from the folders and the titles of the pages. A new page shows up by
// itself.
import { allPages, type Page } from './pages.ts';

interface Entry {
  readonly text: string;
  readonly link: string;
}
interface Group {
  readonly text: string;
  readonly collapsed?: boolean;
  readonly items: readonly Entry[];
}

/** Pages at the top that say what there is, not how to do something. */
const REFERENCE = ['options.md', 'rules.md', 'errors.md', 'limits.md', 'runtimes.md'];
/** Pages of folders in the order of reading. A new page comes before them, by its title. */
const READING = [
  ...['express', 'fastify', 'koa', 'nestjs', 'hono', 'web', 'mcp'].map((name) => `start/${name}.md`),
  ...['decision', 'keys', 'rotation', 'issuers', 'rules', 'groups', 'operations'].map(
    (name) => `concepts/${name}.md`,
  ),
];
/** Pages at the top that are about the whole. */
const ABOUT = ['threat-model.md', 'performance.md'];

/** The groups, in their order. Each takes the pages that `has` says. */
const GROUPS: readonly {
  readonly text: string;
  readonly has: (page: Page) => boolean;
  readonly collapsed?: boolean;
}[] = [
  { text: 'Start', has: ({ folder }) => folder === 'start' },
  { text: 'Concepts', has: ({ folder, file }) => folder === 'concepts' || ABOUT.includes(file) },
  { text: 'Guides', has: (page) => isGuide(page) },
  { text: 'Providers', has: ({ folder }) => folder === 'providers', collapsed: true },
  { text: 'Recipes', has: ({ folder }) => folder === 'recipes', collapsed: true },
  { text: 'Migrate', has: ({ folder }) => folder === 'migrate', collapsed: true },
  { text: 'Reference', has: ({ file }) => REFERENCE.includes(file) },
  { text: 'API', has: ({ folder }) => folder === 'reference', collapsed: true },
];

/** The groups of the sidebar that have pages. */
export function sidebar(): readonly Group[] {
  const pages = allPages().filter(({ file }) => file !== 'index.md');
  return GROUPS.map(({ text, has, collapsed }) => ({
    text,
    ...(collapsed === true && { collapsed }),
    items: pages
      .filter(has)
      .toSorted(inOrder)
      .map(({ title, link }) => ({ text: title.replace(': five minutes', ''), link })),
  })).filter(({ items }) => items.length > 0);
}

/** The page of a folder comes first. The others are in the order of their titles. */
function inOrder(a: Page, b: Page): number {
  return rank(a) - rank(b) || a.title.localeCompare(b.title, 'en');
}

function rank({ file, link }: Page): number {
  if (link.endsWith('/')) return -1;
  const at = [...REFERENCE, ...READING, ...ABOUT].indexOf(file);
  return at === -1 ? 0 : at + 1;
}

function isGuide({ folder, file }: Page): boolean {
  return folder === 'guides' || (folder === '' && ![...REFERENCE, ...ABOUT].includes(file));
}
