// Replies that a signing route sends unsigned: compares the table in docs/guides/signing.md with
// the tests of its rows.
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const packages = fileURLToPath(new URL('../..', import.meta.url));

it('S42: every row of the table has its test, and every such test its row', () => {
  const page = readFileSync(`${packages}/../docs/guides/signing.md`, 'utf8');
  const table = /<!-- leaves unsigned -->(.*)<!-- \/leaves unsigned -->/s.exec(page)?.[1] ?? '';
  const rows = table
    .trim()
    .split('\n')
    .slice(2)
    .map((row) => /`([^`]+)`\s*\|$/.exec(row)?.[1]);
  const sources = globSync(['*/test/**/*.test.ts', 'conformance/src/cases/*.ts'], { cwd: packages });
  const tests = sources.flatMap((file) =>
    [...readFileSync(`${packages}/${file}`, 'utf8').matchAll(/'S42, leaves unsigned: (\w[^']+)'/g)].map(
      ([, name]) => name,
    ),
  );
  expect(rows.length).toBeGreaterThan(0);
  expect(tests.toSorted()).toEqual(rows.toSorted());
});
