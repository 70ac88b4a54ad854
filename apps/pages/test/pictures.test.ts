// The pictures of the pages: each is shown by a page with a text in its place, has colours for
// light and for dark, and its text is large enough at the width of a page.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DOCS, PAGES } from './pages.ts';

/** The width of the text of a page, on GitHub and on the site, at the least. */
const PAGE_WIDTH = 625;
const SMALLEST_TEXT = 12;
const folder = join(DOCS, 'pictures');
const pages = PAGES.map(({ text }) => text);

describe.each(readdirSync(folder).filter((name) => name.endsWith('.svg')))('%s', (name) => {
  const text = readFileSync(join(folder, name), 'utf8');

  it('is shown by a page, with a text that says what it shows', () => {
    const shown = new RegExp(`!\\[([^\\]]{60,})\\]\\((?:\\.\\./)?pictures/${name.replaceAll('.', '\\.')}\\)`);
    expect(pages.some((page) => shown.test(page))).toBe(true);
    expect(text).toMatch(/ role="img" aria-label="[^"]{60,}"/);
  });

  it('has colours for light and for dark', () => {
    expect(text).toContain('@media (prefers-color-scheme: dark)');
    // A colour outside the style would be the same in both.
    expect(text.slice(text.indexOf('</style>'))).not.toMatch(/#[0-9a-f]{3,6}\b/i);
  });

  it('can be read at the width of a page', () => {
    const width = Number(/viewBox="0 0 (\d+) /.exec(text)?.[1]);
    const sizes = [...text.matchAll(/(?:font: |font-size: )([\d.]+)px/g)].map(([, size]) => Number(size));
    expect(sizes.length).toBeGreaterThan(0);
    expect(Math.min(...sizes) * Math.min(1, PAGE_WIDTH / width)).toBeGreaterThanOrEqual(SMALLEST_TEXT);
  });
});
