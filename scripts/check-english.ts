// What comments and documents must not have: lines over 100 columns, and words that make a reader
// read twice. `pnpm english` prints each place. It does not judge sentences; readers do that.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const COLUMNS = 100;

/** The words, and what to write instead. */
export const WORDS: Readonly<Record<string, string>> = {
  aloud: 'explicitly',
  beside: 'next to, in addition to',
  'hung up': 'closed the connection',
  lie: 'is',
  lies: 'is',
  mend: 'fix',
  mended: 'fixed',
  nobody: 'no caller, no request, or what does not happen',
  'of ours': 'our',
  stand: 'is',
  stands: 'is',
  whoever: 'the caller, the application',
};

/** Files that have not been rewritten yet, by the start of their path. One that needs no entry fails. */
const PENDING: readonly string[] = [
  '.changeset/',
  'README.md',
  'apps/',
  'packages/azure-key-vault/',
  'packages/cli/',
  'packages/conformance/',
  'packages/core/',
  'packages/express/',
  'packages/fastify/',
  'packages/koa/',
  'packages/ldap/',
  'packages/nestjs/',
  'packages/test-kit/',
  'packages/testing/',
  'scripts/limits/rows.ts',
];

/** They name the words. */
const EXEMPT = ['scripts/check-english.ts', 'scripts/test/check-english.test.ts'];

/** Written by a program from what was measured. */
const GENERATED = 'apps/bench/results/';

const FORBIDDEN = new RegExp(`\\b(?:${Object.keys(WORDS).join('|')})\\b`, 'gi');

/** What is wrong with a text, a line for each place. */
export function problemsIn(file: string, text: string): readonly string[] {
  const isMarkdown = file.endsWith('.md');
  let isFenced = false;
  return text.split('\n').flatMap((line, index) => {
    if (isMarkdown && /^\s*```/.test(line)) isFenced = !isFenced;
    const at = `${file}:${index + 1}`;
    const words = [...line.matchAll(FORBIDDEN)].map(
      ([word]) => `${at} says "${word}"; write: ${WORDS[word.toLowerCase()]}`,
    );
    const isProse = isMarkdown ? !isFenced && !isUnbreakable(line) : isComment(line);
    const isWide = isProse && [...line].length > COLUMNS;
    return isWide ? [...words, `${at} is ${[...line].length} columns wide; at most ${COLUMNS}`] : words;
  });
}

/** A line of a comment that stands by itself; a comment behind code has the width of code. */
function isComment(line: string): boolean {
  return /^\s*(?:\/\/|\*|\/\*)/.test(line) && !/^\s*\/\/ (?:biome-ignore|@ts-expect-error)/.test(line);
}

/** A row of a table, an image, or a link that fills its line. */
function isUnbreakable(line: string): boolean {
  return /^\s*\|/.test(line) || /^\s*(?:[-*] )?!?\[[^\]]*\]\(\S+\)[.,]?$/.test(line);
}

if (import.meta.main) {
  const files = execFileSync('git', ['ls-files', '*.ts', '*.md'], { encoding: 'utf8' })
    .split('\n')
    .filter((file) => file !== '' && !EXEMPT.includes(file) && !file.startsWith(GENERATED));
  const found = files.map((file) => ({ file, problems: problemsIn(file, readFileSync(file, 'utf8')) }));
  const pendingFor = (file: string) => PENDING.find((start) => file.startsWith(start));
  const problems = found.flatMap(({ file, problems: those }) =>
    pendingFor(file) === undefined ? those : [],
  );
  const needed = new Set(
    found.flatMap(({ file, problems: those }) => (those.length > 0 ? (pendingFor(file) ?? []) : [])),
  );
  for (const start of PENDING)
    if (!needed.has(start)) problems.push(`pending, and no longer needed: ${start}`);
  for (const problem of problems) console.error(problem);
  console.log(problems.length === 0 ? 'the English is as agreed' : `${problems.length} places`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
