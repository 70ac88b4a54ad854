// Checks that docs/spec and the tests agree: each id in a test has one line in docs/spec, and the
// line is right about whether a test names the id. It does not check that the test fits the line.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { namedIds, specLines } from '../spec/ids.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const find = (...patterns: string[]) =>
  globSync(patterns, { cwd: root, exclude: (path) => path.includes('node_modules') }).toSorted();

const documents = find('docs/spec/*.md');
const lines = documents.flatMap((document) => specLines(read(document)));
const ids = lines.map(({ id }) => id);
/** The first file that names each id. */
const named = new Map<string, string>();
const cased = new Set(find('packages/conformance/src/**/*.ts').flatMap((file) => [...namedIds(read(file))]));
for (const file of find('packages/*/test/**/*.ts', 'apps/*/test/**/*.ts', 'packages/conformance/src/**/*.ts'))
  for (const id of namedIds(read(file))) if (!named.has(id)) named.set(id, file);

describe('docs/spec', () => {
  it('defines every id that a test or a conformance case names', () => {
    expect([...named].filter(([id]) => !ids.includes(id))).toEqual([]);
  });

  it('defines each id once', () => {
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
  });

  it('says "no test" at each id that no test names', () => {
    expect(lines.filter(({ id, isTested }) => isTested && !named.has(id))).toEqual([]);
  });

  it('does not say "no test" at an id that a test names', () => {
    const wrong = lines.filter(({ id, isTested }) => !isTested && named.has(id));
    expect(wrong.map(({ id }) => [id, named.get(id)])).toEqual([]);
  });

  it('says of each threat without a conformance case why it has none', () => {
    const [, listed = ''] = read('docs/spec/threats.md').split('## Lines without a conformance case');
    const withCase = ids.filter((id) => id.startsWith('T-') && cased.has(id));
    expect([...namedIds(listed), ...withCase].toSorted()).toEqual([...namedIds('T-001 to T-170')]);
  });

  it('has no gap between the first and the last id of a kind', () => {
    const whole = ['AK-1 to AK-42', 'AG-1 to AG-11', 'KD-1 to KD-18', 'AM-1 to AM-24', 'OK-1 to OK-19'];
    const short = ['S1 to S56', 'D1 to D25', 'R1 to R24', 'T-001 to T-170'];
    const expected = [...whole, ...short].flatMap((range) => [...namedIds(range)]);
    expect(expected.filter((id) => !ids.includes(id))).toEqual([]);
    expect(lines.length).toBe(expected.length + 6); // A0 to A5
  });

  it('mentions in its texts only ids that it defines', () => {
    const mentioned = documents.flatMap((document) => [...namedIds(read(document))]);
    expect(mentioned.filter((id) => !ids.includes(id))).toEqual([]);
  });
});

describe('ids', () => {
  it.each<[text: string, ids: readonly string[]]>([
    ["it('AK-8, T-019: refuses', () => {", ['AK-8', 'T-019']],
    ["it('S10 wants an index, and S11 both', () => {", ['S10', 'S11']],
    ["describe('T-042 to T-045: parameters', () => {", ['T-042', 'T-043', 'T-044', 'T-045']],
    ["['KD-6 to KD-8', lines],", ['KD-6', 'KD-7', 'KD-8']],
    ["describe('row 95 row 156 R18 a subject', () => {", ['T-095', 'T-156', 'R18']],
    ["it('settlement 8, T-020: a key', () => {", ['S8', 'T-020']],
    ["carried('A0: no credentials', [], missing),", ['A0']],
    ["['用户', '%E7%94%A8%E6%88%B7'], 'A9', RS256, S256, P-256, UTF-8", []],
  ])('in %s', (text, expected) => {
    expect([...namedIds(text)]).toEqual(expected);
  });

  it('are read from the lines of a table, which also say whether a test exists', () => {
    const text = '| id | |\n| --- | --- |\n| T-001 | a | |\n| R21 | b | `x` | no test |\nT-002';
    expect(specLines(text)).toEqual([
      { id: 'T-001', isTested: true },
      { id: 'R21', isTested: false },
    ]);
  });
});
