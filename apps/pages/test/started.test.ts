// The program of each page in docs/start and docs/migrate that has a first line with its file runs,
// its curl commands get the statuses that the page says, and its tests pass.
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startQuickStart } from '@latchkey/test-kit/quick-start';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Block, blocksOf } from './blocks.ts';
import { writeFiles } from './files.ts';
import { DOCS, HOME, pagesIn } from './pages.ts';

const run = promisify(execFile);
const cache = join(HOME, 'node_modules/.cache/started');
const started = pagesIn('start', 'migrate').map((page) => ({
  page,
  blocks: blocksOf(readFileSync(join(DOCS, page), 'utf8'), 'js', 'ts', 'sh', 'json', 'yaml'),
}));
const fileOf = ({ code }: Block) =>
  /^\/\/ (?:src\/)?([\w.-]+\.m?[jt]s)$/m.exec(code.split('\n')[0] ?? '')?.[1];
const isTest = (block: Block) => fileOf(block)?.endsWith('.test.mjs') === true;
const isServer = (block: Block) => fileOf(block) !== undefined && !isTest(block);

beforeAll(() => mkdirSync(cache, { recursive: true }));
afterAll(() => rmSync(cache, { recursive: true, force: true }));

describe.each(started.filter(({ blocks }) => blocks.some(isServer)))('$page', ({ page, blocks }) => {
  const name = page.replaceAll(/\W/g, '-');

  it('answers as it says', async () => {
    const server = blocks.find(isServer);
    if (server === undefined) throw new Error('expected a program');
    const text = `\`\`\`${server.language}\n${server.code}\`\`\``;
    const cwd = join(cache, name);
    writeFiles(cwd, blocks);
    const write = (code: string) => writeProgram(name, server.language, code);
    const { url, tokens, stop } = await startQuickStart(import.meta.url, text, write, cwd);
    try {
      const commands = blocks.filter(
        ({ language, code }) => language === 'sh' && code.includes('localhost:3000'),
      );
      const script = commands.map(({ code }) => code).join('\n');
      const expected = [...script.matchAll(/# (\d{3})$/gm)].map(([, status]) => status);
      expect(new Set(expected)).toEqual(new Set(['200', '401', '403']));
      const asked = script.replaceAll('localhost:3000', new URL(url).host);
      const curl = `curl() { "$NODE" "$CURL" "$@"; }\n`;
      const [NODE, CURL] = [process.execPath, join(HOME, 'test/curl.ts')];
      const env = { ...process.env, ...Object.fromEntries(tokens), NODE, CURL };
      const { stdout } = await run('sh', ['-euc', `${curl}${asked}`], { env });
      expect(stdout.trim().split('\n')).toEqual(expected);
    } finally {
      stop();
    }
  }, 120_000);

  const tests = blocks.filter(isTest);
  if (tests.length > 0)
    it('has tests that pass', async () => {
      for (const { code } of tests) {
        const file = writeProgram(`${name}.test`, 'js', code);
        const { stdout } = await run(process.execPath, ['--conditions=source', '--test', file]);
        expect(stdout).toMatch(/pass [1-9]/);
      }
    }, 120_000);
});

/** Writes a program where its imports resolve, and compiles TypeScript. Returns the file to run. */
function writeProgram(name: string, language: string, code: string): string {
  const file = join(cache, `${name}.${language === 'ts' ? 'mts' : 'mjs'}`);
  writeFileSync(file, code);
  if (language === 'js') return file;
  const options = [
    '--ignoreConfig',
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--experimentalDecorators',
  ];
  execFileSync('tsc', [...options, '--noCheck', '--noResolve', file], { cwd: cache });
  return join(cache, `${name}.mjs`);
}
