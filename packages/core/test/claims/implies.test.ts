// Which rule implies which: what `plan` judges changes by. Every answer is held against a world of
// claims. And the words of each form.
import { describe, expect, it } from 'vitest';
import type { NormalRule } from '../../src/claims/form.ts';
import { checkOfRule, implies, normalizeRule, ruleText } from '../../src/claims/normalize.ts';
import type { JsonValue } from '../../src/values/json.ts';

const LITERALS = ['x', 'y', 1, true] as const;
const ITEMS: readonly JsonValue[] = ['x', 'y', 'z', 'xy', 1, 2, true, false, null];
const LISTS = ITEMS.flatMap((one) =>
  ITEMS.flatMap((two) => [[one], [one, two], ...ITEMS.map((three) => [one, two, three])]),
);
const WORLD: readonly (JsonValue | undefined)[] = [
  undefined,
  ...ITEMS,
  {},
  [],
  [[]],
  ...LISTS,
  [...LITERALS],
  [...LITERALS, 'z'],
];

const subsets = Array.from({ length: 15 }, (_, bits) =>
  LITERALS.filter((_, index) => ((bits + 1) >> index) & 1),
);
const PLAIN: readonly (readonly [string, unknown])[] = [
  ...['anyOf', 'allOf', 'noneOf', 'exactly'].flatMap((form) =>
    subsets.map((items) => [`${form} ${JSON.stringify(items)}`, { [form]: items }] as const),
  ),
  ['present', { present: true }],
];

interface Known {
  readonly name: string;
  readonly rule: NormalRule;
  /** By index of the world. */
  readonly holds: readonly boolean[];
}

function know([name, written]: readonly [string, unknown]): Known {
  const rule = normalizeRule(written, 'c');
  const holds = checkOfRule(rule);
  return { name, rule, holds: WORLD.map((claim) => holds(claim, undefined)) };
}

/** Every claim of the world that satisfies the one satisfies the other. */
const isSubset = (a: Known, b: Known) => a.holds.every((holds, index) => !holds || b.holds[index]);

describe('implies()', () => {
  it('is what the world says, for each pair of rules by literals', () => {
    const known = PLAIN.map(know);
    const wrong = known.flatMap((a) =>
      known
        .filter((b) => implies(a.rule, b.rule) !== isSubset(a, b))
        .map((b) => `${a.name} ${implies(a.rule, b.rule) ? 'implies' : 'does not imply'} ${b.name}`),
    );
    // What is exactly one thing is not another: it is not told, and `plan` then says that the rule
    // has changed.
    expect(wrong.filter((line) => !/^exactly .* does not imply noneOf/.test(line))).toEqual([]);
  });

  it('never says more than the world, with split, optional and patterns', () => {
    const written: (readonly [string, unknown])[] = [
      { pattern: 'x' },
      { pattern: 'x', match: 'search' },
      { pattern: 'x|y' },
      /x/,
      { anyOf: ['x'], split: ' ' },
      { anyOf: ['x'], split: 'y' },
      { allOf: ['x', 'y'], split: ' ' },
      { allOf: ['x'] },
      { optional: { anyOf: ['x'] } },
      { optional: { anyOf: ['x', 'y'] } },
      { optional: { present: true } },
      { present: true },
      { exactly: ['x'] },
      { noneOf: ['y'] },
      { values: ['x'] },
      { values: ['x', 'y'] },
    ].map((rule) => [String(rule instanceof RegExp ? rule : JSON.stringify(rule)), rule] as const);
    const known = written.map(know);
    for (const a of known)
      for (const b of known)
        if (implies(a.rule, b.rule)) expect(isSubset(a, b), `${a.name} implies ${b.name}`).toBe(true);
  });

  it.each<[unknown, unknown, boolean]>([
    [{ pattern: 'x' }, { pattern: 'x' }, true],
    [{ pattern: 'x' }, { pattern: 'x', match: 'search' }, true],
    [{ pattern: 'x', match: 'search' }, { pattern: 'x' }, false],
    [{ pattern: 'x' }, { pattern: 'y', match: 'search' }, false],
    [{ pattern: 'x' }, { pattern: 'y' }, false],
    [{ pattern: 'x' }, { anyOf: ['x'] }, false],
    [{ anyOf: ['x'], split: ' ' }, { anyOf: ['x', 'y'], split: ' ' }, true],
    [{ anyOf: ['x'], split: ' ' }, { anyOf: ['x'], split: ',' }, false],
    [{ anyOf: ['x'], split: ' ' }, { anyOf: ['x'] }, false],
    [{ anyOf: ['x'] }, { optional: { anyOf: ['x'] } }, true],
    [{ optional: { anyOf: ['x'] } }, { anyOf: ['x'] }, false],
    [{ optional: { anyOf: ['x'] } }, { optional: { anyOf: ['x', 'y'] } }, true],
    [{ fromRequest: 'params.c' }, { fromRequest: 'params.c' }, true],
    [{ fromRequest: 'params.c' }, { fromRequest: 'params.d' }, false],
    [{ fromRequest: 'params.c' }, { present: true }, true],
  ])('%j, then %j: %s', (a, b, expected) => {
    expect(implies(normalizeRule(a, 'c'), normalizeRule(b, 'c'))).toBe(expected);
  });

  it('a schema implies itself, and no other', () => {
    const schema = () => ({
      '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) },
    });
    const [one, two] = [schema(), schema()];
    expect(implies(normalizeRule(one, 'c'), normalizeRule(one, 'c'))).toBe(true);
    expect(implies(normalizeRule(one, 'c'), normalizeRule(two, 'c'))).toBe(false);
    expect(implies(normalizeRule(one, 'c'), normalizeRule({ present: true }, 'c'))).toBe(false);
  });
});

describe('ruleText()', () => {
  it.each<[unknown, string]>([
    ['x', '"x"'],
    [['x', 'y'], 'has all of ["x","y"]'],
    [{ anyOf: ['x'] }, '"x"'],
    [{ anyOf: ['x', 1] }, 'is or has one of ["x",1]'],
    [{ noneOf: ['x'] }, 'is present, and neither is nor has one of ["x"]'],
    [{ exactly: ['x'] }, 'has ["x"] and no others'],
    [{ pattern: 'x' }, 'matches "x"'],
    [{ pattern: 'x', match: 'search' }, 'matches "x", in any part of it'],
    [/x+/, 'matches /x+/'],
    [{ present: true }, 'is present'],
    [{ fromRequest: 'params.c' }, 'is params.c of the request'],
    [{ fromRequest: () => 'x' }, 'is what a function returns of the request'],
    [{ anyOf: ['x'], split: ' ' }, '"x", split at " "'],
    [{ optional: 'x' }, 'is absent, or "x"'],
  ])('%s: %s', (rule, text) => {
    expect(ruleText(normalizeRule(rule, 'c'))).toBe(text);
  });
});

it('a number that is none is not cleared by noneOf', () => {
  const holds = checkOfRule(normalizeRule({ noneOf: [1] }, 'c'));
  for (const claim of [Number.NaN, Number.POSITIVE_INFINITY, [Number.NaN], [2, Number.POSITIVE_INFINITY]])
    expect(holds(claim, undefined)).toBe(false);
  expect(holds(2, undefined)).toBe(true);
});
