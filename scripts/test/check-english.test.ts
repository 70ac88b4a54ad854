// Tests of the English check: what it reports and what it ignores.
import { expect, it } from 'vitest';
import { problemsIn } from '../check-english.ts';

const WIDE = 'word '.repeat(21).trim();

it.each([
  ['a.ts', '// The token stands in a header.', ['a.ts:1 says "stands"; write: is']],
  [
    'a.ts',
    "throw new Error('Nobody asks');",
    ['a.ts:1 says "Nobody"; write: no caller, no request, or what does not happen'],
  ],
  ['a.md', 'One line.\n\nAn option of ours.', ['a.md:3 says "of ours"; write: our']],
  ['a.ts', `  // ${WIDE}`, ['a.ts:1 is 109 columns wide; at most 100']],
  ['a.ts', `/**\n * ${WIDE}\n */`, ['a.ts:2 is 107 columns wide; at most 100']],
  ['a.md', WIDE, ['a.md:1 is 104 columns wide; at most 100']],
])('%s: %j', (file, text, problems) => {
  expect(problemsIn(file, text)).toEqual(problems);
});

it.each([
  ['a.ts', `const text = '${WIDE}';`],
  ['a.ts', `// biome-ignore lint/x/y: ${WIDE}`],
  ['a.ts', 'const understands = belies;'],
  ['a.md', `| ${WIDE} | cell |`],
  ['a.md', ['```sh', WIDE, '```'].join('\n')],
  ['a.md', `[a link](${'x'.repeat(100)})`],
])('%s: %j has no problem', (file, text) => {
  expect(problemsIn(file, text)).toEqual([]);
});
