// All programs of the pages compile, in one run of the compiler. A block uses what earlier blocks
// of its page declare. docs/recipes has the files of apps/recipes, which are checked there.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { blocksOf, type Module, moduleOf } from './blocks.ts';
import { DOCS, HOME, pagesIn, ROOT } from './pages.ts';

const cache = join(HOME, 'node_modules/.cache/pages');
const pages = pagesIn('start', 'migrate', 'concepts');
const modules = new Map<string, Module>();
/** The blocks that are not compiled, because their package is not installed here. */
const NOT_COMPILED: readonly string[] = [];

beforeAll(() => {
  mkdirSync(cache, { recursive: true });
  for (const page of pages) {
    const blocks = blocksOf(readFileSync(join(DOCS, page), 'utf8'), 'js', 'ts');
    const checked = blocks.filter(({ title }) => title !== 'no-check');
    if (checked.length > 0) modules.set(page.replaceAll(/\W/g, '-'), moduleOf(checked));
  }
  mkdirSync(join(cache, 'apart'), { recursive: true });
  for (const [name, { text }] of modules) writeFileSync(join(folderOf(name), `${name}.mts`), text);
  const compilerOptions = {
    noEmit: true,
    declaration: false,
    lib: ['es2024', 'dom', 'dom.iterable'],
    skipLibCheck: true,
    noUnusedLocals: false,
    noUnusedParameters: false,
    experimentalDecorators: true,
    customConditions: ['source'],
  };
  const settings = { extends: join(ROOT, 'tsconfig.base.json'), compilerOptions, include: ['*.mts'] };
  for (const folder of [cache, join(cache, 'apart')])
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings));
});

afterAll(() => rmSync(cache, { recursive: true, force: true }));

it('all programs compile', () => {
  expect(modules.size).toBeGreaterThan(6);
  const all = [cache, join(cache, 'apart')].flatMap((folder) => messages(folder));
  expect(all.filter((message) => !isUntyped(message))).toEqual([]);
}, 120_000);

it('the marks no-check are those that are listed here', () => {
  const marked = pages.filter((page) => readFileSync(join(DOCS, page), 'utf8').includes('no-check\n'));
  expect(marked).toEqual(NOT_COMPILED);
});

/** Both express-oauth2-jwt-bearer and @latchkey/express/augment declare the type of req.auth. */
function folderOf(name: string): string {
  return name.includes('oauth2-jwt-bearer') ? join(cache, 'apart') : cache;
}

function messages(folder: string): readonly string[] {
  try {
    execFileSync('tsc', ['-p', folder, '--pretty', 'false'], { cwd: ROOT, encoding: 'utf8' });
    return [];
  } catch (error) {
    const { stdout } = error as { readonly stdout: unknown };
    return String(stdout)
      .split('\n')
      .filter((line) => line !== '');
  }
}

/** JavaScript has no types of parameters. */
function isUntyped(message: string): boolean {
  const [, name = '', line = ''] = /([\w-]+)\.mts\((\d+),\d+\): error TS70(?:06|31):/.exec(message) ?? [];
  const scripts = modules.get(name)?.scripts ?? [];
  return scripts.some(([first, last]) => Number(line) >= first && Number(line) <= last);
}
