// docs/limits.md and the code: neither can change without the other, and no bound is left out.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { limitsPage } from '../limits/page.ts';
import { amountOf, evaluate, numericConstants } from '../limits/read.ts';
import { LIMITS, NO_BOUNDS } from '../limits/rows.ts';

const ROOT = join(import.meta.dirname, '../..');
const text = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const rows = LIMITS.flatMap((table) => table.rows);
const constants = numericConstants(ROOT);
const split = (at: string) => [at.slice(0, at.indexOf(':')), at.slice(at.indexOf(':') + 1)] as const;

describe('docs/limits.md', () => {
  it('is what the code says', () => {
    expect(text('docs/limits.md')).toBe(limitsPage(ROOT));
  });

  it('has every numeric constant of the code that bounds something', () => {
    const known = new Set([...rows.map(({ at }) => at), ...Object.keys(NO_BOUNDS)]);
    const missing = constants.map(({ file, name }) => `${file}#${name}`).filter((at) => !known.has(at));
    // A new one: add a row to scripts/limits/rows.ts with the test that goes over it, or say there
    // that it bounds nothing.
    expect(missing).toEqual([]);
  });

  it('names nothing that is not there any more', () => {
    const there = new Set(constants.map(({ file, name }) => `${file}#${name}`));
    const gone = [...rows.map(({ at }) => at).filter((at) => at.includes('#')), ...Object.keys(NO_BOUNDS)];
    expect(gone.filter((at) => !there.has(at))).toEqual([]);
  });

  it.each(rows.filter(({ at }) => !at.includes('#')).map(({ what, at }) => [what, at] as const))(
    'is of a line of the code: %s',
    (_, at) => {
      const [file, line] = split(at);
      for (const part of line.split(' … ')) expect(text(file)).toContain(part);
    },
  );

  it.each(rows.map(({ what, test }) => [what, test] as const))(
    'has a test that goes over it: %s',
    (_, test) => {
      const [file, title] = split(test);
      expect(text(file)).toContain(title);
    },
  );
});

describe('amounts', () => {
  it.each([
    ['5_000', 5_000],
    ['512 * 1024', 524_288],
    ['16 * 1024 * 1024', 16_777_216],
    ['2 ** 31 - 1', 2_147_483_647],
    ['2 ** 20', 1_048_576],
    ['1e9', 1_000_000_000],
    ['0.8', 0.8],
  ])('%s is %d', (written, value) => expect(evaluate(written)).toBe(value));

  it.each([
    [5_000, 'ms', '5 s'],
    [86_400_000, 'ms', '1 day'],
    [180_000, 'ms', '3 min'],
    [2 ** 31 - 1, 'ms', '2,147,483,647 ms'],
    [512 * 1024, 'bytes', '512 KiB'],
    [4 * 1024 * 1024, 'bytes', '4 MiB'],
    [8_192, 'bits', '8,192 bits'],
    [1_000, 'bytes', '1,000 bytes'],
  ] as const)('%d %s are %s', (value, unit, expected) => expect(amountOf(value, unit)).toBe(expected));
});
