// Checks comments and documents for lines over 100 columns and for words that are hard to read.
// `pnpm english` prints each place. It does not judge sentences; readers do that.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path/posix';

const COLUMNS = 100;

/** The words, and what to write instead. */
export const WORDS: Readonly<Record<string, string>> = {
  aloud: 'explicitly',
  beside: 'next to, in addition to',
  'hung up': 'closed the connection',
  'is no function': 'is not a function',
  'is no json': 'is not JSON',
  'is no number': 'is not a number',
  'is no text': 'is not a text',
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

/**
 * Files that are not rewritten yet, by the start of their path, or that have a word as a name or a
 * value in code. An entry that is not needed fails.
 */
const PENDING: readonly string[] = [
  'packages/cli/test/explain.test.ts',
  'packages/cli/test/import/agentgateway.test.ts',
  'packages/cli/test/import/okera.test.ts',
  'packages/cli/test/jwks.test.ts',
  'packages/cli/test/tokens-verify.test.ts',
  'packages/cli/test/tokens.test.ts',
  'packages/express/test/express.test.ts',
  'packages/fastify/test/fastify.test.ts',
  'packages/fastify/test/signing.test.ts',
  'packages/koa/test/descriptor.test.ts',
  'packages/ldap/test/groups.test.ts',
  'packages/ldap/test/transport.test.ts',
  'packages/nestjs/test/ways-past-http.test.ts',
];

/** These files contain the words as data. */
const EXEMPT = ['scripts/check-english.ts', 'scripts/test/check-english.test.ts'];

/** The bench writes these files, and `changeset version` from the changesets. */
const GENERATED = /^apps\/bench\/results\/|(?:^|\/)CHANGELOG\.md$/;

/** Folders that are not part of the repository. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'node_modules',
  'dist',
  'gathered',
  'reports',
  '.git',
  '.turbo',
  '.written',
]);

const FORBIDDEN = new RegExp(`\\b(?:${Object.keys(WORDS).join('|')})\\b`, 'gi');

/** Finds the problems of a text; returns one line for each. */
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

/** True for a line that is only a comment. A comment after code may have the width of code. */
function isComment(line: string): boolean {
  return /^\s*(?:\/\/|\*|\/\*)/.test(line) && !/^\s*\/\/ (?:biome-ignore|@ts-expect-error)/.test(line);
}

/** True for a row of a table, an image, or a link that fills its line. */
function isUnbreakable(line: string): boolean {
  return /^\s*\|/.test(line) || /^\s*(?:[-*] )?!?\[[^\]]*\]\(\S+\)[.,]?$/.test(line);
}

/** All TypeScript and Markdown files, without those that a command installs or writes. */
function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return LEFT_OUT.has(entry.name) ? [] : filesIn(path);
    return /\.(?:ts|md)$/.test(entry.name) ? [path] : [];
  });
}

if (import.meta.main) {
  const files = filesIn('.').filter((file) => !EXEMPT.includes(file) && !GENERATED.test(file));
  const found = files.map((file) => ({ file, problems: problemsIn(file, readFileSync(file, 'utf8')) }));
  const pendingFor = (file: string) => PENDING.find((start) => file.startsWith(start));
  const problems = found.flatMap(({ file, problems: those }) =>
    pendingFor(file) === undefined ? those : [],
  );
  const needed = new Set(
    found.flatMap(({ file, problems: those }) => (those.length > 0 ? (pendingFor(file) ?? []) : [])),
  );
  for (const start of PENDING)
    if (!needed.has(start))
      problems.push(`expected a path with problems in PENDING, got ${start}; remove it`);
  for (const problem of problems) console.error(problem);
  console.log(
    problems.length === 0 ? 'no problems in the English' : `${problems.length} problems in the English`,
  );
  process.exitCode = problems.length === 0 ? 0 : 1;
}
