// The commands of the pages in docs/migrate: each `latchkey` line runs in a folder with the files
// that the page shows before it. A file or a text after commands is exactly what the last one
// prints.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { run } from '@latchkey/cli';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { blocksOf } from './blocks.ts';
import { nameOf } from './files.ts';
import { DOCS, pagesIn, ROOT } from './pages.ts';

/** The working directory of the pages. */
const HERE = '/srv/friends';
const COMMAND = /^npx latchkey (.+)$/gm;
const pages = pagesIn('migrate')
  .map((page) => ({
    page,
    blocks: blocksOf(readFileSync(join(DOCS, page), 'utf8'), 'sh', 'json', 'yaml', 'text'),
  }))
  .filter(({ blocks }) => blocks.some(({ language, code }) => language === 'sh' && code.match(COMMAND)));

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'latchkey-pages-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

describe.each(pages)('$page', ({ blocks }) => {
  it('has commands that print what it says', async () => {
    let printed: string | undefined;
    for (const block of blocks) {
      if (block.language === 'sh') {
        for (const [, words = ''] of block.code.matchAll(COMMAND)) printed = await latchkey(words);
        continue;
      }
      if (printed !== undefined) expect(unwrapped(block.code)).toBe(unwrapped(printed.replaceAll(cwd, HERE)));
      printed = undefined;
      const name = nameOf(block);
      if (name !== undefined) writeFileSync(join(cwd, name), block.code.replaceAll(HERE, cwd));
    }
  });
});

describe('the tables', () => {
  const importers = join(ROOT, 'packages/cli/src/import');
  const formats = ['agentgateway', 'akamai', 'krakend', 'okera'].filter((format) =>
    pages.some(({ page }) => page === `migrate/${format}.md`),
  );

  it.each(formats)('of %s have every key that the import reads', (format) => {
    const text = readFileSync(join(DOCS, `migrate/${format}.md`), 'utf8');
    const code = readdirSync(importers)
      .filter((file) => file.startsWith(format))
      .map((file) => readFileSync(join(importers, file), 'utf8'))
      .join('\n');
    const keys = [...code.matchAll(/\b(?:member|oneOf|field|need)\(([^()]*)\)|^const [A-Z_]+\b.*?;$/gms)]
      .flatMap(([all, given]) => [...(given ?? all).matchAll(/'([A-Za-z_][\w./-]*)'/g)])
      .map(([, key = '']) => key);
    expect(keys.length).toBeGreaterThan(6);
    const isNamed = (key: string) => new RegExp(`(?<![\\w-])${key}(?![\\w-])`).test(text);
    expect([...new Set(keys)].filter((key) => !isNamed(key))).toEqual([]);
  });
});

/** Joins the lines of each comment: where they break depends on the length of HERE. */
function unwrapped(text: string): string {
  return text.replaceAll(/\n *# (?!safer:|no equivalent:|check:|A comment)/g, ' ');
}

/** Runs a command, and returns what it prints. */
async function latchkey(words: string): Promise<string> {
  const printed = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof printed) => ({
    isTTY: false,
    write(text: string) {
      printed[name] += text;
      return true;
    },
  });
  const code = await run(words.split(/\s+/), {
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    stdin: Object.assign(Readable.from([]), { isTTY: false }),
    env: {},
    cwd: () => cwd,
  });
  expect({ code, stderr: printed.stderr }).toMatchObject({ code: 0 });
  return printed.stdout;
}
