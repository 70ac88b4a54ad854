// Each program of docs/concepts, and of other pages that show what a program prints, runs, and
// prints what the page says: the block of text after it. Tests of a page run in started.test.ts.
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { programsOf } from './blocks.ts';
import { DOCS, HOME, pagesIn } from './pages.ts';
import { writeProgram } from './service.ts';

const run = promisify(execFile);
const cache = join(HOME, 'node_modules/.cache/printed');
const programs = [...pagesIn('concepts'), 'guides/attack.md'].flatMap((page) =>
  programsOf(readFileSync(join(DOCS, page), 'utf8'))
    .filter(({ file }) => !file.endsWith('.test.mjs'))
    .map(({ file, code, language, following }) => ({
      name: `${page} ${file}`,
      code,
      language,
      printed: following.find((block) => block.language === 'text')?.code,
    })),
);

beforeAll(() => mkdirSync(cache, { recursive: true }));
afterAll(() => rmSync(cache, { recursive: true, force: true }));

it.each(programs)(
  '$name prints what the page says',
  async ({ name, code, language, printed }) => {
    const file = writeProgram(cache, name.replaceAll(/\W/g, '-'), language, code);
    const { stdout } = await run(process.execPath, ['--conditions=source', file]);
    expect(stdout).toBe(printed);
  },
  120_000,
);
