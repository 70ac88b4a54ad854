// Gateway rows: two switches, five types, the registered claims, and what is no row. AM-10 to AM-24
// of the requirements.
import { describe, expect, it } from 'vitest';
import { compileRules, firstFailure } from '../../src/claims/compile.ts';
import type { Rules } from '../../src/claims/rules.ts';
import type { ConfigError } from '../../src/errors.ts';
import type { JsonObject, JsonValue } from '../../src/values/json.ts';
import { configErrorOf } from '../support/refusals.ts';

type Row = { readonly [member: string]: unknown };

/** Do the rows hold for these claims? */
function hold(rows: readonly Row[], claims: JsonObject): boolean {
  return firstFailure(compileRules(rows as unknown as Rules), claims) === undefined;
}

/** Does the row hold for this value of its claim? Undefined: the claim is absent. */
function holds(row: Row, value: unknown): boolean {
  return hold([row], value === undefined ? {} : { [row.name as string]: value as JsonValue });
}

function configError(rules: unknown): ConfigError | undefined {
  return configErrorOf(() => compileRules(rules as Rules));
}

/** For each type: a value, claims that have it, and claims that do not. */
const TYPES: readonly (readonly [
  type: string,
  value: unknown,
  right: readonly unknown[],
  wrong: readonly unknown[],
])[] = [
  [
    'STRING',
    'IT',
    ['IT', ['IT'], ['x', 'IT']],
    ['it', 'IT ', 'I', '', 5, true, [], {}, [['IT']], { IT: 'IT' }],
  ],
  ['STRING', '4', ['4', ['4']], [4, [4], '04', '4.0']],
  ['STRING', 'true', ['true'], [true, 'True', 1]],
  [
    'INTEGER',
    4,
    [4, 4.0, [4], [5, 4]],
    ['4', 5, 4.5, -4, true, [], {}, ['4'], [[4]], '', Number.MAX_SAFE_INTEGER],
  ],
  ['INTEGER', '4', [4, [4]], ['4', 5, true, '']],
  ['INTEGER', '-7', [-7], [7, '-7']],
  ['INTEGER', 0, [0, -0], ['', false, [], '0', {}]],
  ['BOOLEAN', true, [true, [true]], [false, 'true', 1, [], {}, '', [false]]],
  ['BOOLEAN', false, [false], [true, 'false', 0, '', [], {}]],
  ['BOOLEAN', 'true', [true], ['true', false]],
  ['BOOLEAN', 'false', [false], ['false', true, '']],
  ['REGEX', 'a+', ['a', 'aaa', ['b', 'aa']], ['ab', 'ba', 'a\n', '', [], {}, 5, true, [['a']], 'A']],
  ['REGEX', '\\d+', ['4'], [4, ['x', 4], '']],
  [
    'ARRAY',
    ['admin', 'dev'],
    [
      ['admin', 'dev'],
      ['dev', 'admin'],
      ['x', 'dev', 'admin'],
    ],
    [['admin'], ['dev'], 'admin', 'admin dev', 'admin,dev', [], {}, '', 5, true, [['admin', 'dev']]],
  ],
  ['ARRAY', 'admin', [['admin'], ['x', 'admin']], ['admin', ['x'], [['admin']], []]],
  ['ARRAY', [4, true], [[true, 4]], [['4', true], [4], [4, 'true'], 4]],
];

const cases = TYPES.flatMap(([type, value, right, wrong]) => [
  ...right.map((claim) => [type, value, claim, true] as const),
  ...wrong.map((claim) => [type, value, claim, false] as const),
]);

describe('AM-21: types', () => {
  it.each(cases)('AM-21, S27: %s %j on %j: %s', (type, value, claim, expected) => {
    expect(holds({ name: 'c', validate: true, type, value }, claim)).toBe(expected);
  });

  it.each(['string', 'String', 'STRING', undefined])('AM-21: type %s is STRING', (type) => {
    const row = { name: 'c', validate: true, value: 'IT', ...(type === undefined ? {} : { type }) };
    expect([holds(row, 'IT'), holds(row, 'IIT'), holds(row, 5)]).toEqual([true, false, false]);
  });

  it.each<[string, unknown, unknown]>([
    ['Integer', '4', 4],
    ['boolean', 'true', true],
    ['rEgEx', 'a.c', 'abc'],
    ['Array', ['a'], ['a', 'b']],
  ])('AM-21: type %s is read without case', (type, value, claim) => {
    expect(holds({ name: 'c', validate: true, type, value }, claim)).toBe(true);
  });
});

describe('AM-13, AM-14: required and validate are two switches', () => {
  const switches: readonly (readonly [boolean, boolean, Readonly<Record<string, boolean>>])[] = [
    [false, false, { absent: true, null: true, right: true, wrong: true }],
    [true, false, { absent: false, null: false, right: true, wrong: true }],
    [false, true, { absent: true, null: false, right: true, wrong: false }],
    [true, true, { absent: false, null: false, right: true, wrong: false }],
  ];
  const table = TYPES.flatMap(([type, value, right, wrong]) =>
    switches.map(
      ([required, validate, expected]) =>
        [type, value, required, validate, right[0], wrong[0], expected] as const,
    ),
  );

  it.each(table)(
    'AM-13, AM-14, S26: %s %j, required %s, validate %s',
    (type, value, required, validate, right, wrong, expected) => {
      const row = { name: 'c', required, validate, ...(validate ? { type, value } : {}) };
      expect({
        absent: holds(row, undefined),
        null: holds(row, null),
        right: holds(row, right),
        wrong: holds(row, wrong),
      }).toEqual(expected);
    },
  );

  it.each([0, '', false, [], {}, 'x', [null]])('S26: required is satisfied by %j', (value) => {
    expect(holds({ name: 'c', required: true }, value)).toBe(true);
  });

  it.each<[string, Row]>([
    ['required false', { name: 'c', required: false }],
    ['validate false', { name: 'c', validate: false }],
    ['both false', { name: 'c', required: false, validate: false }],
  ])('AM-14: a row with %s has no impact', (_, row) => {
    const values = [undefined, null, '', [], {}, 5, true, 'x', [[]]];
    expect(values.map((value) => holds(row, value))).toEqual(values.map(() => true));
  });

  it('AM-14: rows are independent, and all have to hold', () => {
    const rows = [
      { name: 'dept', required: true, validate: true, value: 'IT' },
      { name: 'bldg', validate: true, type: 'INTEGER', value: 4 },
    ];
    expect(hold(rows, { dept: 'IT' })).toBe(true);
    expect(hold(rows, { dept: 'IT', bldg: 4 })).toBe(true);
    expect(hold(rows, { dept: 'IT', bldg: 5 })).toBe(false);
    expect(hold(rows, { bldg: 4 })).toBe(false);
  });
});

describe('AM-23: the examples, as rows', () => {
  const rows: readonly Row[] = [
    { name: 'dept', required: true, validate: true, type: 'STRING', value: 'IT' },
    { name: 'roles', required: true, validate: true, type: 'ARRAY', value: ['admin', 'dev'] },
    { name: 'internal', required: true, validate: true, type: 'BOOLEAN', value: true },
    { name: 'bldg', required: false, validate: true, type: 'INTEGER', value: 4 },
    { name: 'iss', required: false, validate: true, type: 'STRING', value: 'akamai' },
    { name: 'sub', required: false, validate: true, type: 'REGEX', value: '^[a-zA-Z0-9_]*$' },
    { name: 'aud', required: false, validate: false },
    { name: 'exp', required: false },
  ];
  const good = { dept: 'IT', roles: ['admin', 'dev'], internal: true };

  it.each<[string, JsonObject, boolean]>([
    ['the required ones alone', {}, true],
    ['dept it', { dept: 'it' }, false],
    ['dept null', { dept: null }, false],
    ['dept HR', { dept: 'HR' }, false],
    ['roles admin alone', { roles: ['admin'] }, false],
    ['roles dev alone', { roles: ['dev'] }, false],
    ['roles and more (S24)', { roles: ['admin', 'dev', 'ops'] }, true],
    ['internal false', { internal: false }, false],
    ['internal as text', { internal: 'true' }, false],
    ['bldg 4', { bldg: 4 }, true],
    ['bldg 4.0', { bldg: 4.0 }, true],
    ['bldg 5', { bldg: 5 }, false],
    ['bldg as text', { bldg: '4' }, false],
    ['bldg null', { bldg: null }, false],
    ['iss akamai', { iss: 'akamai' }, true],
    ['iss Akamai (AM-16)', { iss: 'Akamai' }, false],
    ['iss null', { iss: null }, false],
    ['sub alice_1', { sub: 'alice_1' }, true],
    ['sub of nothing', { sub: '' }, true],
    ['sub alice-1', { sub: 'alice-1' }, false],
    ['sub with a newline', { sub: 'alice\n' }, false],
    ['sub 5', { sub: 5 }, false],
    ['any aud', { aud: 'anything' }, true],
    ['aud null', { aud: null }, true],
    ['any exp', { exp: 1 }, true],
  ])('AM-23: %s', (_, change, expected) => {
    expect(hold(rows, { ...good, ...change })).toBe(expected);
  });

  it.each(['dept', 'roles', 'internal'])('AM-23: %s is required', (name) => {
    expect(hold(rows, Object.fromEntries(Object.entries(good).filter(([key]) => key !== name)))).toBe(false);
  });

  it('AM-24: the same as JSON', () => {
    const read = JSON.parse(JSON.stringify(rows)) as Row[];
    expect(hold(read, good)).toBe(true);
    expect(hold(read, { ...good, roles: ['admin'] })).toBe(false);
  });

  it('AM-24: rows and rules by name are in one list', () => {
    const list = [...rows, { team: 'x' }, { path: ['a', 'b'], rule: 1 }];
    expect(hold(list, { ...good, team: 'x', a: { b: 1 } })).toBe(true);
    expect(hold(list, { ...good, team: 'y', a: { b: 1 } })).toBe(false);
    expect(hold(list, { ...good, team: 'x', a: { b: 2 } })).toBe(false);
    expect(hold(list, { ...good, team: 'x', a: { b: 1 }, dept: 'HR' })).toBe(false);
  });
});

describe('registered claims', () => {
  it.each<[unknown, boolean]>([
    ['a', true],
    ['b', true],
    [['x', 'b'], true],
    [['a', 'b'], true],
    ['A', false],
    ['ab', false],
    ['x', false],
    [['x'], false],
    [[], false],
    ['', false],
    [null, false],
    [5, false],
    [[['a']], false],
    [undefined, true],
  ])('AM-18, S25: aud any of [a, b] on %j: %s', (value, expected) => {
    expect(holds({ name: 'aud', validate: true, value: ['a', 'b'] }, value)).toBe(expected);
    expect(holds({ name: 'aud', validate: true, type: 'ARRAY', value: ['a', 'b'] }, value)).toBe(expected);
  });

  it.each<[unknown, boolean]>([
    ['a', true],
    [['x', 'a'], true],
    ['x', false],
    [undefined, false],
  ])('AM-18: a required aud with one value on %j: %s', (value, expected) => {
    expect(holds({ name: 'aud', required: true, validate: true, value: 'a' }, value)).toBe(expected);
  });

  it.each(['exp', 'nbf', 'iat'])(
    'AM-17: required %s has to be there; its time is judged elsewhere',
    (name) => {
      const row = { name, required: true };
      const values = [undefined, null, 1, 4_000_000_000];
      expect(values.map((value) => holds(row, value))).toEqual([false, false, true, true]);
      expect(values.map((value) => holds({ name, required: true, validate: true }, value))).toEqual([
        false,
        false,
        true,
        true,
      ]);
      expect(values.map((value) => holds({ name, required: false }, value))).toEqual([
        true,
        true,
        true,
        true,
      ]);
    },
  );

  it.each(['exp', 'nbf', 'iat'])(
    'AM-17, S29: validation of %s cannot be turned off or given a value',
    (name) => {
      expect(configError([{ name, validate: false }])?.path).toBe('claims[0].validate');
      expect(configError([{ name, required: true, validate: false }])?.path).toBe('claims[0].validate');
      expect(configError([{ name, validate: true, value: 5 }])?.path).toBe('claims[0].value');
      expect(configError([{ name, required: true, value: 5 }])?.path).toBe('claims[0].value');
    },
  );

  it.each(
    ['iss', 'sub'].flatMap((name) => [
      [name, 'INTEGER', 4],
      [name, 'BOOLEAN', true],
      [name, 'ARRAY', ['a']],
      [name, 'array', 'a'],
    ]),
  )('AM-15: %s is not %s', (name, type, value) => {
    expect(configError([{ name, validate: true, type, value }])?.path).toBe('claims[0].type');
  });

  it.each(
    ['iss', 'sub'].flatMap((name) => [
      [name, 'STRING', 'a+', 'a+', true],
      [name, 'STRING', 'a+', 'aa', false],
      [name, 'REGEX', 'a+', 'aa', true],
      [name, 'REGEX', 'a+', 'xaa', false],
      [name, 'REGEX', 'A+', 'aa', false],
      [name, undefined, 'a', 'A', false],
      [name, undefined, 'a', 'a', true],
      [name, 'STRING', '5', 5, false],
    ]),
  )('AM-15, AM-16: %s %s %s on %j: %s', (name, type, value, claim, expected) => {
    expect(holds({ name, validate: true, ...(type === undefined ? {} : { type }), value }, claim)).toBe(
      expected,
    );
  });
});

describe('AM-11, AM-12: names', () => {
  it.each([
    'a',
    'A9',
    'my-claim',
    'my_claim',
    '-',
    'a.b',
    'https://example.com/roles',
    'a\\.b',
    'constructor',
    '__proto__',
  ])('AM-12: %s is a name', (name) => {
    const row = { name, required: true, validate: true, value: 'x' };
    expect(hold([row], JSON.parse(`{${JSON.stringify(name)}:"x"}`))).toBe(true);
    expect(hold([row], {})).toBe(false);
  });

  it.each(['', ' ', 'a b', 'a\n', 'é', 'a"b', 'a$', 'a[0]', '*', 5, null, ['a']])(
    'AM-12: %j is no name',
    (name) => {
      expect(configError([{ name, required: true }])?.path).toBe('claims[0].name');
    },
  );

  it.each<[string, readonly Row[], string]>([
    [
      'twice the same',
      [
        { name: 'c', required: true },
        { name: 'c', required: true },
      ],
      'claims[1].name',
    ],
    [
      'once required, once validated',
      [
        { name: 'c', required: true },
        { name: 'c', validate: true, value: 'x' },
      ],
      'claims[1].name',
    ],
    [
      'iss twice',
      [
        { name: 'iss', required: true },
        { name: 'x', required: true },
        { name: 'iss', validate: true, value: 'x' },
      ],
      'claims[2].name',
    ],
    [
      'aud twice',
      [
        { name: 'aud', required: false },
        { name: 'aud', required: true },
      ],
      'claims[1].name',
    ],
  ])('AM-11, AM-12: %s is refused', (_, rows, path) => {
    expect(configError(rows)?.path).toBe(path);
  });

  it('AM-12, AM-16: names are told apart by case', () => {
    const rows = [
      { name: 'dept', required: true },
      { name: 'Dept', required: true },
    ];
    expect(hold(rows, { dept: 1 })).toBe(false);
    expect(hold(rows, { dept: 1, Dept: 1 })).toBe(true);
  });
});

describe('T-056: what is no row', () => {
  it.each<[string, Row, string]>([
    ['validate without a value', { name: 'c', validate: true }, 'claims[0].value'],
    ['a value that is undefined', { name: 'c', validate: true, value: undefined }, 'claims[0].value'],
    ['a value that is null', { name: 'c', validate: true, value: null }, 'claims[0].value'],
    ['a value and no switch', { name: 'c', value: 'x' }, 'claims[0]'],
    ['a type and no switch', { name: 'alice', type: 'admin' }, 'claims[0]'],
    ['a name and nothing else', { name: 'aud' }, 'claims[0]'],
    ['an unknown type', { name: 'c', required: true, type: 'STRNG' }, 'claims[0].type'],
    ['REGEX for aud', { name: 'aud', validate: true, type: 'REGEX', value: 'a' }, 'claims[0].type'],
    [
      'a value that is switched off',
      { name: 'c', required: true, validate: false, value: 'x' },
      'claims[0].value',
    ],
    ['an empty STRING', { name: 'c', validate: true, value: '' }, 'claims[0].value'],
    ['a number as STRING', { name: 'c', validate: true, type: 'STRING', value: 4 }, 'claims[0].value'],
    ['a list as STRING', { name: 'c', validate: true, type: 'STRING', value: ['a'] }, 'claims[0].value'],
    ['an empty REGEX', { name: 'c', validate: true, type: 'REGEX', value: '' }, 'claims[0].value'],
    ['a broken REGEX', { name: 'c', validate: true, type: 'REGEX', value: '(' }, 'claims[0].value.pattern'],
    [
      'a REGEX with look-ahead',
      { name: 'c', validate: true, type: 'REGEX', value: 'a(?=b)' },
      'claims[0].value.pattern',
    ],
    ['a fraction', { name: 'c', validate: true, type: 'INTEGER', value: 4.5 }, 'claims[0].value'],
    ['a fraction as text', { name: 'c', validate: true, type: 'INTEGER', value: '4.0' }, 'claims[0].value'],
    ['an empty INTEGER', { name: 'c', validate: true, type: 'INTEGER', value: '' }, 'claims[0].value'],
    ['a blank INTEGER', { name: 'c', validate: true, type: 'INTEGER', value: ' 4' }, 'claims[0].value'],
    ['hexadecimal', { name: 'c', validate: true, type: 'INTEGER', value: '0x4' }, 'claims[0].value'],
    ['NaN', { name: 'c', validate: true, type: 'INTEGER', value: Number.NaN }, 'claims[0].value'],
    [
      'an integer beyond a double',
      { name: 'c', validate: true, type: 'INTEGER', value: '9007199254740993' },
      'claims[0].value',
    ],
    ['true as INTEGER', { name: 'c', validate: true, type: 'INTEGER', value: true }, 'claims[0].value'],
    ['1 as BOOLEAN', { name: 'c', validate: true, type: 'BOOLEAN', value: 1 }, 'claims[0].value'],
    ['yes as BOOLEAN', { name: 'c', validate: true, type: 'BOOLEAN', value: 'yes' }, 'claims[0].value'],
    ['TRUE as BOOLEAN', { name: 'c', validate: true, type: 'BOOLEAN', value: 'TRUE' }, 'claims[0].value'],
    ['an empty ARRAY', { name: 'c', validate: true, type: 'ARRAY', value: [] }, 'claims[0].value.allOf'],
    [
      'null in an ARRAY',
      { name: 'c', validate: true, type: 'ARRAY', value: ['a', null] },
      'claims[0].value.allOf[1]',
    ],
    ['an empty list for aud', { name: 'aud', validate: true, value: [] }, 'claims[0].value.anyOf'],
    ['an unknown type', { name: 'c', validate: true, type: 'FLOAT', value: 4 }, 'claims[0].type'],
    ['a type that is null', { name: 'c', validate: true, type: null, value: 4 }, 'claims[0].type'],
    ['required as text', { name: 'c', required: 'true' }, 'claims[0].required'],
    ['required null', { name: 'c', required: null }, 'claims[0].required'],
    ['validate as text', { name: 'c', validate: 'true', value: 'x' }, 'claims[0].validate'],
    ['validate 1', { name: 'c', validate: 1, value: 'x' }, 'claims[0].validate'],
    ['a misspelled member', { name: 'c', required: true, Validate: true }, 'claims[0].Validate'],
    ['an unknown member', { name: 'c', required: true, min: 4 }, 'claims[0].min'],
  ])('T-056: %s', (_, row, path) => {
    expect(configError([row])?.path).toBe(path);
  });

  it.each<[string, unknown, string]>([
    ['no rows', [], 'claims'],
    ['null among rows', [{ name: 'c', required: true }, null], 'claims[1]'],
    ['a text among rows', ['dept'], 'claims[0]'],
    ['rows in rows', [[{ name: 'c', required: true }]], 'claims[0]'],
    ['a hole', new Array(1), 'claims[0]'],
  ])('T-056: %s', (_, rows, path) => {
    expect(configError(rows)?.path).toBe(path);
  });

  it('S31: a row on a nested claim follows the delimiter', () => {
    const rules = compileRules([
      { name: 'realm_access.roles', validate: true, required: true, type: 'ARRAY', value: ['a'] },
    ]);
    const claims = { realm_access: { roles: ['a', 'b'] } };
    expect(firstFailure(rules, claims, { delimiter: '.' })).toBeUndefined();
    expect(firstFailure(rules, claims)?.claim).toBe('realm_access.roles');
  });
});
