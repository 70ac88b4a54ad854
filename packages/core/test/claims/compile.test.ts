// Rules: every form against every shape of claim, lists, equality by type, prototype names, and
// what is no rule at all.
import { describe, expect, it } from 'vitest';
import { type ClaimCheck, compileRules, firstFailure } from '../../src/claims/compile.ts';
import { allOf, anyOf, optional, pattern, present, type Rule, type Rules } from '../../src/claims/rules.ts';
import { splitList } from '../../src/claims/scopes.ts';
import type { ConfigError } from '../../src/errors.ts';
import type { JsonObject, JsonValue } from '../../src/values/json.ts';
import { configErrorOf } from '../support/refusals.ts';

/** Does the rule on claim `c` hold for this value? Undefined: the claim is absent. */
function holds(rule: Rule, value: unknown, claim = 'c'): boolean {
  const claims = value === undefined ? {} : { [claim]: value as JsonValue };
  return firstFailure(compileRules({ [claim]: rule }), claims) === undefined;
}

function configError(rules: unknown, path?: string): ConfigError | undefined {
  return configErrorOf(() => compileRules(rules as Rules, path));
}

const FORMS: readonly (readonly [string, Rule])[] = [
  ['a literal', 'admin'],
  ['a number', 4],
  ['a boolean', true],
  ['an array', ['admin', 'dev']],
  ['an array of one', ['admin']],
  ['allOf', allOf('admin', 'dev')],
  ['anyOf', anyOf('admin', 'dev')],
  ['a RegExp', /.*/],
  ['a RegExp that matches the names of nothing', /(null|undefined|true|false|object|\[\]|)/],
  ['pattern', pattern('.*')],
  ['a pattern of a RegExp', pattern(/.*/)],
  ['present', present()],
];

describe('T-065: what is not there holds nowhere', () => {
  it.each(FORMS)('T-065: %s does not hold for an absent claim', (_, rule) => {
    expect(holds(rule, undefined)).toBe(false);
  });

  it.each(FORMS)('S26: %s does not hold for null', (_, rule) => {
    expect(holds(rule, null)).toBe(false);
  });

  it.each(FORMS.filter(([name]) => !/RegExp|pattern|present/.test(name)))(
    'T-065: %s does not hold for an empty string, an empty array or an empty object',
    (_, rule) => {
      expect([holds(rule, ''), holds(rule, []), holds(rule, {})]).toEqual([false, false, false]);
    },
  );

  it.each(FORMS.filter(([name]) => /RegExp|pattern/.test(name)))(
    'T-066: %s holds for no empty array and for nothing that is not a string',
    (_, rule) => {
      const values = [[], {}, 0, 4, true, false, null, [null], [4], [true], [['admin']], { a: 'admin' }];
      expect(values.map((value) => holds(rule, value))).toEqual(values.map(() => false));
    },
  );

  it.each(FORMS)('AM-14: optional %s holds for an absent claim, and not for null', (_, rule) => {
    expect(holds(optional(rule as never), undefined)).toBe(true);
    expect(holds(optional(rule as never), null)).toBe(false);
  });

  it.each(FORMS)('AM-14: optional %s says of what is there what the rule itself says', (_, rule) => {
    for (const value of [
      '',
      [],
      {},
      'admin',
      ['admin', 'dev'],
      4,
      '4',
      true,
      'true',
      ['x'],
      [null],
      { a: 1 },
    ]) {
      expect([value, holds(optional(rule as never), value)]).toEqual([value, holds(rule, value)]);
    }
  });
});

describe('T-014: claims named like members of every object', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'prototype'] as const;

  it.each(names.flatMap((name) => FORMS.map(([form, rule]) => [name, form, rule] as const)))(
    'T-014: an absent claim %s does not satisfy %s',
    (name, _, rule) => {
      const rules = compileRules({ [name]: rule });
      expect(firstFailure(rules, {})?.claim).toBe(name);
      expect(firstFailure(rules, JSON.parse('{"a":1}'))?.claim).toBe(name);
    },
  );

  it.each(names)('T-014: a claim %s that is there is compared', (name) => {
    const rules = compileRules({ [name]: 'admin' });
    expect(firstFailure(rules, JSON.parse(`{"${name}":"admin"}`))).toBeUndefined();
    expect(firstFailure(rules, JSON.parse(`{"${name}":"other"}`))?.claim).toBe(name);
    expect(firstFailure(rules, JSON.parse(`{"${name}":{"admin":true}}`))?.claim).toBe(name);
  });

  it('T-014: a rule that was read from JSON under __proto__ is a rule', () => {
    const rules = compileRules(JSON.parse('{"__proto__":{"present":true}}'));
    expect(firstFailure(rules, {})?.claim).toBe('__proto__');
  });

  it('T-014: an inherited claim is absent', () => {
    expect(firstFailure(compileRules({ admin: true }), Object.create({ admin: true }))?.claim).toBe('admin');
    expect(
      firstFailure(compileRules({ admin: true }), JSON.parse('{"__proto__":{"admin":true}}'))?.claim,
    ).toBe('admin');
  });

  it.each(['a.b', 'a[0]', 'metadata.auth.role', 'http://gip.net/roles'])(
    'S31: without a delimiter %s is one top-level name',
    (name) => {
      const rules = compileRules({ [name]: 'x' });
      expect(firstFailure(rules, { [name]: 'x' })).toBeUndefined();
      expect(firstFailure(rules, { a: { b: 'x' }, metadata: { auth: { role: 'x' } } })?.claim).toBe(name);
    },
  );
});

describe('AM-23: the examples', () => {
  it.each<[Rule, unknown, boolean]>([
    ['IT', 'IT', true],
    ['IT', undefined, false],
    ['IT', 'it', false],
    ['IT', 'HR', false],
  ])('AM-23: dept %j on %j: %s', (rule, value, expected) => {
    expect(holds(rule, value, 'dept')).toBe(expected);
  });

  it.each<[unknown, boolean]>([
    [['admin', 'dev'], true],
    [['dev', 'admin'], true],
    [['admin', 'dev', 'other'], true],
    [['admin'], false],
    [['dev'], false],
    [[], false],
    [['admin,dev'], false],
    [[['admin', 'dev']], false],
    ['admin', false],
    ['admin dev', false],
    ['admin,dev', false],
    [{ admin: true, dev: true }, false],
    [undefined, false],
  ])('AM-22, AM-23, S24: roles [admin, dev] on %j: %s', (value, expected) => {
    expect(holds(['admin', 'dev'], value, 'roles')).toBe(expected);
    expect(holds(allOf('admin', 'dev'), value, 'roles')).toBe(expected);
    expect(holds({ allOf: ['admin', 'dev'] }, value, 'roles')).toBe(expected);
  });

  it.each<[unknown, boolean]>([
    [true, true],
    [false, false],
    ['true', false],
    [1, false],
    [undefined, false],
  ])('AM-23: internal true on %j: %s', (value, expected) => {
    expect(holds(true, value, 'internal')).toBe(expected);
  });

  it.each<[unknown, boolean]>([
    [undefined, true],
    [4, true],
    [4.0, true],
    [5, false],
    [4.5, false],
    ['4', false],
    [null, false],
    [true, false],
  ])('AM-23, S27: bldg optional 4 on %j: %s', (value, expected) => {
    expect(holds(optional(4), value, 'bldg')).toBe(expected);
  });

  it.each<[unknown, boolean]>([
    [undefined, true],
    ['akamai', true],
    ['Akamai', false],
    ['', false],
    [null, false],
  ])('AM-16, AM-23: iss optional akamai on %j: %s', (value, expected) => {
    const rules = compileRules([{ name: 'iss', validate: true, type: 'STRING', value: 'akamai' }]);
    const claims = value === undefined ? {} : { iss: value as JsonValue };
    expect(firstFailure(rules, claims) === undefined).toBe(expected);
  });

  it('S34: a rule on iss is refused: use issuers', () => {
    expect(configError({ iss: 'akamai' })?.message).toBe(
      'claims.iss: use issuers: a rule on iss does not choose keys',
    );
  });

  it.each<[unknown, boolean]>([
    [undefined, true],
    ['alice_1', true],
    ['', true],
    ['alice 1', false],
    ['alice\n', false],
    [5, false],
    [null, false],
  ])('AM-23: sub optional ^[a-zA-Z0-9_]*$ on %j: %s', (value, expected) => {
    expect(holds(optional(/^[a-zA-Z0-9_]*$/), value, 'sub')).toBe(expected);
  });
});

describe('T-066: equality is by type and value', () => {
  it.each<[Rule, unknown, boolean]>([
    ['admin', 'admin', true],
    ['admin', ['admin'], true],
    ['admin', ['x', 'admin'], true],
    ['admin', ['administrator'], false],
    ['admin', [['admin']], false],
    ['admin', 'admin ', false],
    ['admin', 'Admin', false],
    ['admin', { 0: 'admin' }, false],
    ['4', 4, false],
    [4, '4', false],
    [4, ['4'], false],
    [4, [4], true],
    [0, false, false],
    [0, '', false],
    [0, null, false],
    [0, [], false],
    [0, -0, true],
    [1, true, false],
    [true, 1, false],
    [true, 'true', false],
    [true, [true], true],
    [false, 0, false],
    [false, '', false],
    [false, null, false],
    [false, undefined, false],
    [false, [], false],
    [false, false, true],
    ['', '', true],
    ['', [], false],
    ['', null, false],
    ['', 0, false],
    ['null', null, false],
    ['undefined', undefined, false],
    ['[object Object]', {}, false],
    ['a,b', ['a', 'b'], false],
    [anyOf('a', 1, true), 'a', true],
    [anyOf('a', 1, true), 1, true],
    [anyOf('a', 1, true), true, true],
    [anyOf('a', 1, true), '1', false],
    [anyOf('a', 1, true), 'true', false],
    [anyOf('a', 1, true), ['x', 1], true],
    [anyOf('a', 1, true), ['x', '1'], false],
    [anyOf('a', 1, true), [['a']], false],
    [allOf('a', 1), ['a', 1], true],
    [allOf('a', 1), ['a', '1'], false],
    [allOf('a'), 'a', false],
    [allOf('a'), [['a']], false],
    [allOf('a'), { 0: 'a', length: 1 }, false],
    [/a/, ['a'], true],
    [/a/, ['b', 'a'], true],
    [/a/, [['a']], false],
    [/4/, 4, false],
    [/true/, true, false],
    [/null/, null, false],
    [/undefined/, undefined, false],
    [/.*/, {}, false],
    [/a,b/, ['a', 'b'], false],
    [pattern('a\\w*'), 'abc', true],
    [pattern('a\\w*'), 'xabc', false],
  ])('T-066: %j on %j: %s', (rule, value, expected) => {
    expect(holds(rule, value)).toBe(expected);
  });

  it.each([0, '', false, [], {}, 'x', [null]])('AM-13: present holds for %j', (value) => {
    expect(holds(present(), value)).toBe(true);
  });

  it('S23: a pattern on an array claim wants one item', () => {
    expect(holds(/a\w*/, ['xa', 'ab'])).toBe(true);
    expect(holds(/a\w*/, ['xa', 4, null])).toBe(false);
  });
});

describe('T-063: lists', () => {
  const lists = ['scope', 'scp', 'permissions'] as const;
  const table: readonly (readonly [Rule, unknown, boolean])[] = [
    ['admin', 'admin', true],
    ['admin', 'read admin write', true],
    ['admin', 'read  admin', true],
    ['admin', ' admin ', true],
    ['admin', 'notadmin', false],
    ['admin', 'admin2', false],
    ['admin', 'Admin', false],
    ['admin', 'read,admin', false],
    ['admin', 'read\tadmin', false],
    ['admin', 'read\nadmin', false],
    ['admin', 'admin\n', false],
    ['admin', 'read\u00a0admin', false],
    ['admin', 'read\u3000admin', false],
    ['admin', 'read+admin', false],
    ['admin', '', false],
    ['admin', ' ', false],
    ['admin', ['read', 'admin'], true],
    ['admin', ['read admin'], false],
    ['admin', [['admin']], false],
    ['admin', { admin: true }, false],
    [allOf('read', 'write'), 'write read', true],
    [allOf('read', 'write'), 'read read', false],
    [allOf('read', 'write'), 'read\twrite', false],
    [['read', 'write'], 'read x write', true],
    [['read'], 'read', true],
    [['read'], 'reading', false],
    [anyOf('read', 'write'), 'x write', true],
    [anyOf('read', 'write'), 'x writer', false],
    [/r\w+/, 'x read', true],
    [/r\w+ x/, 'read x', false],
    [/.*/, '', false],
    [/.*/, ' ', false],
    [optional('admin'), undefined, true],
    [optional('admin'), 'read', false],
    [optional('admin'), '', false],
    [optional('admin'), 'read admin', true],
    [4, '4', false],
  ];

  it.each(
    lists.flatMap((claim) => table.map(([rule, value, expected]) => [claim, rule, value, expected] as const)),
  )('T-063: %s: %j on %j: %s', (claim, rule, value, expected) => {
    expect(holds(rule, value, claim)).toBe(expected);
  });

  it.each(['roles', 'groups', 'scopes', 'Scope', 'dept'])(
    'S28: %s is no list: a string is one value',
    (claim) => {
      expect(holds(['read'], 'read write', claim)).toBe(false);
      expect(holds('read', 'read write', claim)).toBe(false);
      expect(holds('read write', 'read write', claim)).toBe(true);
    },
  );

  it.each<[string, readonly string[]]>([
    ['', []],
    [' ', []],
    ['a', ['a']],
    ['a b', ['a', 'b']],
    ['  a   b  ', ['a', 'b']],
    ['a a', ['a', 'a']],
    ['a\tb\nc\u00a0d', ['a\tb\nc\u00a0d']],
  ])('T-063: %j has the items %j', (text, items) => {
    expect(splitList(text)).toEqual(items);
  });

  it.each(
    lists.flatMap((claim) =>
      [
        ['a literal with a space', 'read write', `claims.${claim}`],
        ['an item with a space', ['read write'], `claims.${claim}`],
        ['an empty literal', '', `claims.${claim}`],
        ['an empty item', ['read', ''], `claims.${claim}`],
        ['anyOf with a space', anyOf('read', 'a b'), `claims.${claim}`],
        ['optional with a space', optional('read write'), `claims.${claim}`],
      ].map(([what, rule, path]) => [claim, what, rule, path] as const),
    ),
  )('T-056: %s: refuses %s, which could never hold', (claim, _, rule, path) => {
    const error = configError({ [claim as string]: rule });
    expect(error?.path).toBe(path);
    expect(error?.message).toContain('can never hold');
  });

  it.each(lists)('S28: %s: refuses another delimiter, which noneOf would not see', (claim) => {
    const error = configError({ [claim]: { noneOf: ['admin'], split: ',' } });
    expect(error).toMatchObject({ path: `claims.${claim}.split` });
    expect(configError([{ path: [claim], rule: { allOf: ['a'], split: ',' } }])?.path).toBe(
      'claims[0].rule.split',
    );
    expect(holds({ noneOf: ['admin'], split: ' ' }, 'admin read', claim)).toBe(false);
  });
});

describe('what a failure says', () => {
  const failureOf = (rules: Rules, claims: JsonObject = {}) => firstFailure(compileRules(rules), claims);

  it.each<[Rules, string | undefined]>([
    [{ scope: 'a:read' }, 'a:read'],
    [{ scope: ['a:read', 'a:write'] }, 'a:read a:write'],
    [{ scope: anyOf('a', 'b') }, 'a b'],
    [{ scp: 'a' }, 'a'],
    [{ scope: optional('a') }, 'a'],
    [{ scope: /a.*/ }, undefined],
    [{ scope: present() }, undefined],
    [{ scope: ['a', 'b"', 'c\\', 'é', 'x\ny'] }, 'a'],
    [{ scope: 4 }, undefined],
  ])('RFC 6750 §3: %j names the scope %s', (rules, scope) => {
    const failure = failureOf(rules, { scope: '', scp: '' });
    // A rule on presence is satisfied by an empty list.
    const failed = failure ?? failureOf(rules, {});
    expect(failed?.isScope).toBe(true);
    expect(namesOf(failed)).toBe(scope);
  });

  it.each<[Rules]>([[{ permissions: 'a' }], [{ roles: ['a'] }], [{ dept: 'IT' }]])(
    'RFC 6750 §3: %j is no scope, and is not named',
    (rules) => {
      expect(failureOf(rules)).toMatchObject({ isScope: false, need: undefined });
    },
  );

  it('AM-1: all rules must hold, and the first that does not is told', () => {
    const rules = compileRules({ a: 1, b: 2, c: 3 });
    expect(firstFailure(rules, { a: 1, b: 2, c: 3 })).toBeUndefined();
    expect(firstFailure(rules, { a: 1, b: 0, c: 0 })?.claim).toBe('b');
    expect(firstFailure(rules, { a: 1, b: 2 })?.claim).toBe('c');
    expect(firstFailure(rules, {})?.claim).toBe('a');
  });

  it('AM-14: no rule, no effect', () => {
    expect(firstFailure(compileRules({}), { anything: [1] })).toBeUndefined();
  });

  it('T-068: says the same ten times, also with flag g', () => {
    const rules = compileRules({ c: /admin/g });
    for (let round = 0; round < 10; round++) {
      expect(firstFailure(rules, { c: 'admin' })).toBeUndefined();
      expect(firstFailure(rules, { c: 'admi' })?.claim).toBe('c');
    }
  });
});

describe('T-056: what is no rule', () => {
  const cyclic = { allOf: ['a'], anyOf: ['b'] };

  it.each<[string, unknown, string, string]>([
    ['undefined', undefined, 'claims.c', 'expected a rule'],
    ['null', null, 'claims.c', 'expected a rule'],
    ['NaN', Number.NaN, 'claims.c', 'expected a rule'],
    ['Infinity', Number.POSITIVE_INFINITY, 'claims.c', 'expected a rule'],
    ['a bigint', 4n, 'claims.c', 'expected a rule'],
    ['a symbol', Symbol('x'), 'claims.c', 'expected a rule'],
    ['a function', () => true, 'claims.c', 'expected a rule'],
    ['an empty array', [], 'claims.c', 'at least one value'],
    ['an empty object', {}, 'claims.c', 'expected one of allOf'],
    ['two forms', cyclic, 'claims.c', 'expected one of allOf'],
    ['an unknown form', { oneOf: ['a'] }, 'claims.c.oneOf', 'unknown rule'],
    ['a misspelled form', { allof: ['a'] }, 'claims.c.allof', 'unknown rule'],
    ['a form of every object', { constructor: ['a'] }, 'claims.c.constructor', 'unknown rule'],
    ['an item that is null', ['a', null], 'claims.c[1]', 'expected a string, number or boolean'],
    ['an item that is undefined', [undefined], 'claims.c[0]', 'expected a string, number or boolean'],
    ['an item that is NaN', ['a', 'b', Number.NaN], 'claims.c[2]', 'expected a string, number or boolean'],
    ['an item that is an array', [['a']], 'claims.c[0]', 'expected a string, number or boolean'],
    ['an item that is a RegExp', [/a/], 'claims.c[0]', 'expected a string, number or boolean'],
    ['allOf of nothing', allOf(), 'claims.c.allOf', 'at least one value'],
    ['allOf of a string', { allOf: 'a' }, 'claims.c.allOf', 'at least one value'],
    ['allOf of undefined', { allOf: undefined }, 'claims.c.allOf', 'at least one value'],
    ['allOf of an object', allOf({} as never), 'claims.c.allOf[0]', 'expected a string, number or boolean'],
    ['anyOf of nothing', anyOf(), 'claims.c.anyOf', 'at least one value'],
    ['anyOf of null', { anyOf: null }, 'claims.c.anyOf', 'at least one value'],
    [
      'anyOf of a rule',
      anyOf('a', present() as never),
      'claims.c.anyOf[1]',
      'expected a string, number or boolean',
    ],
    ['a pattern of nothing', { pattern: undefined }, 'claims.c.pattern', 'expected a pattern'],
    ['a pattern of a number', { pattern: 4 }, 'claims.c.pattern', 'expected a pattern'],
    ['a pattern of a list', { pattern: ['a'] }, 'claims.c.pattern', 'expected a pattern'],
    ['a pattern that is none', pattern('('), 'claims.c.pattern', 'cannot be matched in linear time'],
    ['a RegExp with flag m', /a/m, 'claims.c', 'flag m'],
    ['a RegExp with look-ahead', /(?=a)/, 'claims.c', 'cannot be matched in linear time'],
    ['present false', { present: false }, 'claims.c.present', 'expected true'],
    ['present of a string', { present: 'true' }, 'claims.c.present', 'expected true'],
    [
      'optional in optional',
      optional(optional('a') as never),
      'claims.c',
      'expected a rule that is not optional, got optional inside optional',
    ],
    ['optional of nothing', optional(undefined as never), 'claims.c', 'expected a rule'],
    ['optional of null', { optional: null }, 'claims.c', 'expected a rule'],
    ['optional and another form', { optional: 'a', present: true }, 'claims.c', 'expected one of'],
    ['optional of an unknown form', optional({ oneOf: ['a'] } as never), 'claims.c.oneOf', 'unknown rule'],
    ['an array of a hole', new Array(1), 'claims.c[0]', 'string, number or boolean'],
    ['a Map', new Map([['allOf', ['a']]]), 'claims.c', 'expected a rule'],
    ['a Set', new Set(['a']), 'claims.c', 'expected a rule'],
    ['a Date', new Date(0), 'claims.c', 'expected a rule'],
  ])('T-056: refuses %s', (_, rule, path, fragment) => {
    const error = configError({ c: rule });
    expect(error?.path).toBe(path);
    expect(error?.message).toContain(fragment);
  });

  it.each<[string, unknown]>([
    ['an array', []],
    ['undefined', undefined],
    ['null', null],
    ['a text', 'x'],
    ['a Map', new Map([['roles', 'admin']])],
    ['inherited', Object.create({ roles: 'admin' })],
  ])('T-056: rules that are %s are refused', (_, rules) => {
    expect(configError(rules)?.path).toBe('claims');
  });

  it('T-056: the path of an error is that of the caller’s option', () => {
    expect(configError({ c: undefined }, 'service.jwt.claims')?.path).toBe('service.jwt.claims.c');
  });

  it('T-056: a rule that is given as undefined is refused also among others', () => {
    expect(configError({ a: 'x', b: undefined, c: 'y' })?.path).toBe('claims.b');
  });
});

describe('compiled rules', () => {
  it('T-056: are returned as they are', () => {
    const rules = compileRules({ c: 'a' });
    expect(compileRules(rules)).toBe(rules);
    expect(Object.isFrozen(rules)).toBe(true);
  });

  it('T-056: are a snapshot', () => {
    const items = ['a', 'b'];
    const rules: Record<string, Rule> = { c: items, d: { anyOf: items } };
    const compiled = compileRules(rules);
    items.length = 0;
    rules.c = 'z';
    delete rules.d;
    expect(firstFailure(compiled, { c: ['a', 'b'], d: 'b' })).toBeUndefined();
    expect(firstFailure(compiled, { c: ['a'], d: 'b' })?.claim).toBe('c');
    expect(firstFailure(compiled, { c: ['a', 'b'], d: 'z' })?.claim).toBe('d');
  });

  it.each([
    [allOf('a'), 'allOf'],
    [anyOf('a'), 'anyOf'],
    [pattern('a'), 'pattern'],
    [present(), 'present'],
    [optional('a'), 'optional'],
  ])('AM-24: %j is plain data', (rule, form) => {
    expect(Object.keys(rule)).toEqual([form]);
    expect(Object.isFrozen(rule)).toBe(true);
    expect(JSON.parse(JSON.stringify(rule))).toEqual(rule);
  });

  it('AM-24: rules that went through JSON say the same', () => {
    const rules = {
      a: allOf('x'),
      b: anyOf('x', 1),
      c: pattern('x+'),
      d: present(),
      e: optional(4),
      f: ['x'],
      g: true,
    };
    const copy = compileRules(JSON.parse(JSON.stringify(rules)));
    const good: JsonObject = { a: ['x'], b: 1, c: 'xx', d: 0, e: 4, f: ['x'], g: true };
    expect(firstFailure(copy, good)).toBeUndefined();
    for (const name of Object.keys(rules)) {
      expect(firstFailure(copy, { ...good, [name]: 'wrong' })?.claim).toBe(name === 'd' ? undefined : name);
    }
  });
});

describe('S28: lists, however the rule is written', () => {
  const scope = { scope: 'a b' };
  it.each<[string, Rules]>([
    ['by name', { scope: ['a', 'b'] }],
    ['by path', [{ path: ['scope'], rule: ['a', 'b'] }]],
    ['as a row', [{ name: 'scope', validate: true, type: 'ARRAY', value: ['a', 'b'] }]],
  ])('S28: %s, a scope is a list, and its failure one of scope', (_, rules) => {
    const compiled = compileRules(rules);
    expect(firstFailure(compiled, scope)).toBeUndefined();
    expect(firstFailure(compiled, { scope: 'a' })?.isScope).toBe(true);
  });

  it('T-056: noneOf with a space could never fail', () => {
    expect(configError({ scope: { noneOf: ['a b'] } })?.path).toBe('claims.scope');
  });

  it('RFC 6750 §3: a scope that is excluded is not one that the challenge asks for', () => {
    const compiled = compileRules({ scope: { noneOf: ['a'] } });
    expect(firstFailure(compiled, scope)).toMatchObject({ isScope: true, need: undefined });
  });

  it('RFC 6750 §3: a scope that a row asks for is one that the challenge asks for', () => {
    const compiled = compileRules([
      { name: 'scope', required: true, validate: true, type: 'ARRAY', value: ['a', 'b'] },
    ]);
    expect(namesOf(firstFailure(compiled, { scope: 'a' }))).toBe('a b');
  });
});

function namesOf(failed: ClaimCheck | undefined): string | undefined {
  return failed?.need?.names.join(' ') || undefined;
}
