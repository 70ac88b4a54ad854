import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { slugify } from '../src/anchors.ts';
import { deadLinks } from '../src/links.ts';
import { resolveLink } from '../src/pages.ts';

const site = mkdtempSync(join(tmpdir(), 'latchkey-site-'));
afterAll(() => rmSync(site, { recursive: true, force: true }));

function put(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(site, name)), { recursive: true });
    writeFileSync(join(site, name), text);
  }
}

it('finds links and anchors that lead nowhere, and no others', () => {
  put({
    'index.html':
      '<a href="/start/koa#try-it">a</a> <a href="/start/koa#gone">b</a> <a class="c" href="/gone">c</a>',
    'start/koa.html': '<h2 id="try-it">Try it</h2> <img src="/mark.svg"> <img src="/gone.svg">',
    'start/index.html':
      '<a href="#top">d</a> <p id="here"></p> <a href="#here">e</a> <a href="./koa">f</a> <a href="/">g</a>',
    'mark.svg': '<svg/>',
    'code.html': '<code>&lt;a href="/gone"&gt;</code> <a href="https://example.com/gone">h</a>',
    'repository.html':
      '<a href="https://github.com/latchkey/latchkey/blob/main/mark.svg#L1">i</a> <a href="https://github.com/latchkey/latchkey/tree/main/gone">j</a>',
  });
  expect(deadLinks(site, site)).toEqual([
    'index.html: /start/koa#gone leads nowhere',
    'index.html: /gone leads nowhere',
    'repository.html: https://github.com/latchkey/latchkey/tree/main/gone leads nowhere',
    'start/index.html: #top leads nowhere',
    'start/koa.html: /gone.svg leads nowhere',
  ]);
});

it('does not take an empty folder for a site', () => {
  expect(deadLinks(join(site, 'none'), site)).toHaveLength(1);
});

it.each([
  ['start/koa.md', '../options.md#keysets', '/options#keysets'],
  ['start/koa.md', '../providers/README.md', '/providers/'],
  ['options.md', 'errors.md', '/errors'],
  ['options.md', '#audience', '#audience'],
  ['options.md', 'https://example.com/a.md', 'https://example.com/a.md'],
  [
    'options.md',
    'spec/threats.md#t-041',
    'https://github.com/latchkey/latchkey/blob/main/docs/spec/threats.md#t-041',
  ],
  ['start/koa.md', '../../packages/koa', 'https://github.com/latchkey/latchkey/tree/main/packages/koa'],
])('leads from %s by %s to %s', (from, link, address) => {
  expect(resolveLink(from, link)).toBe(address);
});

it('makes the anchors of GitHub', () => {
  expect(slugify('What `keySets[0].jwksUrl` takes, and more')).toBe('what-keysets0jwksurl-takes-and-more');
});
