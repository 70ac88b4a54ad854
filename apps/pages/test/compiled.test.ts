// All programs of all pages compile under `strict`, JavaScript too. A block uses what earlier
// blocks of its page declare.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Block, type Module, modulesOf } from './blocks.ts';
import { givensOf } from './given.ts';
import { allBlocks, HOME, PAGES, ROOT } from './pages.ts';

const cache = join(HOME, 'node_modules/.cache/pages');
/** A run of the compiler for each package that declares `req.auth` of Express with its own type. */
const RUNS: Readonly<Record<string, RegExp>> = {
  mcp: /'@modelcontextprotocol\/(?:express|sdk)/,
  oauth2: /'express-oauth2-jwt-bearer'/,
  others: /^/,
};
const modules = new Map<string, Module & { readonly page: string }>();
/** The pages with blocks that are marked no-check, each with the reason. */
const NOT_COMPILED: Readonly<Record<string, string>> = {};
const AZURE = `declare module '@azure/identity' {
  export class DefaultAzureCredential {
    getToken(scopes: string | string[]): Promise<{ token: string; expiresOnTimestamp: number }>;
  }
}
`;
/** Pages whose programs run as they are in another test. */
const RUN_ELSEWHERE = ['docs/adapters.md', 'packages/conformance/README.md'];

beforeAll(async () => {
  mkdirSync(cache, { recursive: true });
  for (const page of PAGES.filter(({ path }) => !RUN_ELSEWHERE.includes(path))) {
    const blocks = page.blocks.filter(({ language }) => ['js', 'mjs', 'ts'].includes(language));
    const checked = blocks.filter((block) => block.title !== 'no-check' && !isRecipe(block));
    if (checked.length === 0) continue;
    for (const [index, module] of modulesOf(checked, await givensOf(page)).entries())
      modules.set(`${page.path.replaceAll(/\W/g, '-')}-${index}`, { ...module, page: page.path });
  }
  for (const name of Object.keys(RUNS)) mkdirSync(join(cache, name), { recursive: true });
  for (const [name, { text }] of modules) {
    const run = Object.keys(RUNS).find((each) => RUNS[each]?.test(text)) ?? 'others';
    writeFileSync(join(cache, run, `${name}.mts`), text);
  }
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
  const settings = { extends: join(ROOT, 'tsconfig.base.json'), compilerOptions, include: ['*'] };
  for (const name of Object.keys(RUNS))
    writeFileSync(join(cache, name, 'tsconfig.json'), JSON.stringify(settings));
  // It is a large package, and no program here runs with it.
  writeFileSync(join(cache, 'others/azure.d.ts'), AZURE);
}, 300_000);

afterAll(() => rmSync(cache, { recursive: true, force: true }));

it('all programs compile', async () => {
  expect(modules.size).toBeGreaterThan(40);
  expect((await Promise.all(Object.keys(RUNS).map(messages))).flat()).toEqual([]);
}, 300_000);

it('the marks no-check are on the pages that are listed here', () => {
  const marked = allBlocks('js', 'mjs', 'ts').filter(({ title }) => title === 'no-check');
  expect(new Set(marked.map(({ at }) => at.split(':')[0]))).toEqual(new Set(Object.keys(NOT_COMPILED)));
});

/** True for a program of docs/recipes that is a file of apps/recipes, where it is compiled. */
function isRecipe({ code }: Block): boolean {
  const file = join(ROOT, 'apps/recipes/src', /^\/\/ ([\w-]+\.ts): /.exec(code)?.[1] ?? '-');
  return existsSync(file) && readFileSync(file, 'utf8') === code;
}

/** What the compiler says, with the places in the pages. */
async function messages(name: string): Promise<readonly string[]> {
  const args = ['-p', join(cache, name), '--pretty', 'false'];
  const said = await promisify(execFile)('tsc', args, { cwd: ROOT }).catch((error: unknown) => error);
  const { stdout } = said as { readonly stdout: unknown };
  return String(stdout)
    .split('\n')
    .filter((message) => message !== '')
    .flatMap((message) => placed(message) ?? []);
}

function placed(message: string): string | undefined {
  const [, name = '', line = '', said = ''] = /([\w-]+)\.mts\((\d+),\d+\): (.*)$/.exec(message) ?? [];
  const module = modules.get(name);
  const place = module?.lines.get(Number(line));
  if (module === undefined || place === undefined) return message;
  // JavaScript has no types of parameters.
  if (place.isScript && /TS70(?:06|31):/.test(said)) return undefined;
  return `${module.page}:${place.line}: ${said}`;
}
