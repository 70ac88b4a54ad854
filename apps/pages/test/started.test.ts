// The programs of each page, and of each README, that have a first line with their file run, the
// curl commands after them get the statuses that the page says, they print what it says, and the
// tests of the page pass.
import { execFile } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sendRequests } from '@latchkey/test-kit/requests';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { blocksOf, type Program, programsOf } from './blocks.ts';
import { writeFiles } from './files.ts';
import { HOME, PAGES } from './pages.ts';
import { startService, writeProgram } from './service.ts';

const run = promisify(execFile);
const cache = join(HOME, 'node_modules/.cache/started');
/**
 * Pages whose programs run in another test. Those of packages run there as users get the packages:
 * `pnpm packages quick-starts`.
 */
const RUN_ELSEWHERE = ['docs/adapters.md', 'docs/concepts/', 'packages/'];
const all = PAGES.filter(({ path }) => !RUN_ELSEWHERE.some((start) => path.startsWith(start))).map(
  ({ path, text }) => ({
    page: path,
    programs: programsOf(text),
    files: blocksOf(text, 'json', 'yaml'),
  }),
);
const isTest = ({ file }: Program) => file.endsWith('.test.mjs');
const isRequests = (code: string) => code.includes('localhost:3000');
/**
 * The programs with the other package alone are run by differences.test.ts, and those that only
 * print by printed.test.ts.
 */
const isServer = (program: Program) =>
  !isTest(program) && !program.file.startsWith('before.') && program.file !== 'hole.mjs';
/** Pages with the same programs and the same requests run once. */
const started = [
  ...Map.groupBy(all, ({ programs }) =>
    JSON.stringify(
      programs.map(({ code, following }) => [code, following.map((block) => block.code).filter(isRequests)]),
    ),
  ).values(),
].map((pages) => ({
  page: pages.map(({ page }) => page).join(', '),
  programs: pages[0]?.programs ?? [],
  files: pages[0]?.files ?? [],
}));
const isComparison = ({ file }: Program) => file.startsWith('compare.');

beforeAll(() => {
  mkdirSync(cache, { recursive: true });
  // Many processes load the same sources.
  vi.stubEnv('NODE_COMPILE_CACHE', join(HOME, 'node_modules/.cache/compiled'));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true, force: true });
});

describe.each(started.filter(({ programs }) => programs.some((one) => isServer(one) || isTest(one))))(
  '$page',
  ({ page, programs, files }) => {
    const name = page.replaceAll(/,.*|\W/g, '-');

    it.each(programs.filter(isServer))(
      '$file answers as the page says',
      async (program) => {
        const { file, language, code, following } = program;
        const cwd = join(cache, name);
        writeFiles(cwd, files);
        const written = writeProgram(cache, `${name}-${file.split('.')[0]}`, language, code);
        const { url, tokens, lines, stop } = await startService(
          written,
          (code.match(/export \w+=/g) ?? []).length,
          cwd,
        );
        try {
          const script = following
            .filter((block) => block.language === 'sh' && isRequests(block.code))
            .map((block) => block.code)
            .join('\n');
          const { expected, got } = await sendRequests(script, { url, tokens });
          const statuses = isComparison(program) ? ['200', '401'] : ['200', '401', '403'];
          expect([...new Set(expected)].sort()).toEqual(statuses);
          expect(got).toEqual(expected);
          if (!isComparison(program)) return;
          const said =
            following
              .find((block) => block.language === 'text')
              ?.code.trimEnd()
              .split('\n') ?? [];
          expect(said.length).toBeGreaterThan(0);
          const printed = await lines(said.length);
          expect([...printed].sort()).toEqual([...said].sort());
          for (const token of tokens.values()) expect(printed.join('\n')).not.toContain(token.split('.')[2]);
        } finally {
          stop();
        }
      },
      120_000,
    );

    const tests = programs.filter(isTest);
    if (tests.length > 0)
      it('has tests that pass', async () => {
        for (const { code } of tests) {
          const file = writeProgram(cache, `${name}.test`, 'js', code);
          const { stdout } = await run(process.execPath, ['--conditions=source', '--test', file]);
          expect(stdout).toMatch(/pass [1-9]/);
        }
      }, 120_000);
  },
);
