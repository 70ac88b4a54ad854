// The command is `latchkey`, and its package is @latchkey/cli. The name `latchkey` on npm is not
// ours: without an installed @latchkey/cli, `npx latchkey` would run the program of a stranger. So
// a page says `npx latchkey` only after it has installed @latchkey/cli, and else `npx
// @latchkey/cli`.
// Messages of programs, which know no page, name the command alone: `latchkey lint`.
import { globSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const OPTION = String.raw`(?:\s+-{1,2}[\w-]+)*`;
/** A call that fetches a package of the name `latchkey`, if none is installed. */
const CALL = new RegExp(
  String.raw`\b(?:npx|bunx|pnpx|(?:npm|pnpm|bun|yarn)\s+(?:exec|dlx|x))${OPTION}(?:\s+--)?\s+latchkey(?![\w/-])|\bnpm:latchkey(?![\w/-])`,
  'g',
);
/** An installation of that name. No page may have one. */
const WRONG_INSTALL =
  /\b(?:npm|pnpm|yarn|bun)\s+(?:global\s+)?(?:install|i|add)\b[^\n`#]*\slatchkey(?![\w/-])/;
const INSTALL =
  /\b(?:npm|pnpm|yarn|bun)\s+(?:global\s+)?(?:install|i|add)\b[^\n`#]*\s@latchkey\/cli(?![\w-])/;

/** The calls of a text that could run another package; in a page, those before its installation. */
function strangers(text: string, isPage: boolean): readonly string[] {
  const installed = isPage ? text.search(INSTALL) : -1;
  const calls = [...text.matchAll(CALL)].filter(({ index }) => installed < 0 || index < installed);
  const [install] = WRONG_INSTALL.exec(text) ?? [];
  return [...calls.map(([call]) => call), ...(install === undefined ? [] : [install])];
}

const pages = globSync(['*.md', '.changeset/*.md', '.github/**/*.{md,yml}', 'docs/**/*.md'])
  .concat(globSync(['packages/*/*.md', 'apps/*/*.md', 'apps/docs/**/*.{vue,ts,md}']))
  .filter((file) => !file.includes('node_modules'))
  .toSorted();
const programs = globSync(['packages/*/src/**/*.ts', 'packages/*/bin/*', 'scripts/*.ts']).toSorted();

it('finds the files', () => {
  for (const file of ['README.md', 'packages/cli/README.md', 'docs/troubleshooting.md'])
    expect(pages).toContain(file);
  expect(programs).toContain('packages/cli/src/program.ts');
});

it.each(pages)('%s calls the command only where its package is installed', (file) => {
  expect(strangers(readFileSync(file, 'utf8'), true)).toEqual([]);
});

it('has no program with a message that could run another package', () => {
  const found = programs.flatMap((file) =>
    strangers(readFileSync(file, 'utf8'), false).map((call) => `${file}: ${call}`),
  );
  expect(found).toEqual([]);
});

it.each([
  'npx latchkey lint',
  'npx --yes latchkey lint',
  'Run `npx\nlatchkey lint`',
  'npx latchkey@latest',
  'pnpm dlx latchkey lint',
  'yarn dlx latchkey lint',
  'bunx latchkey lint',
  'npm exec -- latchkey lint',
  'npx -p latchkey latchkey lint',
  'deno run npm:latchkey',
  'npm install -g latchkey',
  'npx latchkey lint\nnpm install -D @latchkey/cli',
  'npm install @latchkey/cli-other\nnpx latchkey lint',
])('finds %j', (text) => {
  expect(strangers(text, true)).toHaveLength(1);
});

it.each([
  'npx @latchkey/cli lint',
  'latchkey lint',
  'pnpm dlx @latchkey/cli lint',
  'npm install -D @latchkey/cli\nnpx latchkey lint',
  'pnpm add --save-dev express @latchkey/cli\npnpm exec latchkey lint',
  'npm install @latchkey/express # not latchkey',
])('accepts %j', (text) => {
  expect(strangers(text, true)).toEqual([]);
});
