// Every form of a rule against every shape of a claim, the modifiers split and match, and what
// fromRequest compares with.
import { describe, expect, it } from 'vitest';
import { compileRules, firstFailure } from '../../src/claims/compile.ts';
import {
  allOf,
  anyOf,
  exactly,
  fromRequest,
  noneOf,
  optional,
  pattern,
  present,
  type RequestParameters,
  type RequiredRule,
  type Rule,
  type Rules,
} from '../../src/claims/rules.ts';
import type { ConfigError } from '../../src/errors.ts';
import type { JsonObject } from '../../src/values/json.ts';
import { configErrorOf } from '../support/refusals.ts';

const REQUEST: RequestParameters = { method: 'GET', headers: {}, params: { c: 'a' } };

/** Does the rule on claim `c` hold for this value? Undefined: the claim is absent. */
function holds(
  rule: unknown,
  value: unknown,
  claim = 'c',
  request: RequestParameters | undefined = REQUEST,
): boolean {
  // As from JSON: `__proto__` is a member like any other.
  const claims: JsonObject =
    value === undefined ? {} : JSON.parse(`{${JSON.stringify(claim)}:${JSON.stringify(value)}}`);
  const named = Object.defineProperty({}, claim, { value: rule, enumerable: true }) as Rules;
  return firstFailure(compileRules(named), claims, { request }) === undefined;
}

function configError(rules: unknown): ConfigError | undefined {
  return configErrorOf(() => compileRules(rules as Rules));
}

/** Shapes of a claim, by what they are called in the tables. */
const SHAPES: Readonly<Record<string, unknown>> = {
  absent: undefined,
  null: null,
  '""': '',
  '[]': [],
  '{}': {},
  '5': 5,
  true: true,
  false: false,
  '[["a"]]': [['a']],
  '{a:"a"}': { a: 'a' },
  '[null]': [null],
  a: 'a',
  b: 'b',
  ab: 'ab',
  '[a]': ['a'],
  '[a,b]': ['a', 'b'],
  '[b,a,a]': ['b', 'a', 'a'],
  '[a,x]': ['a', 'x'],
  '[a,null]': ['a', null],
  '[a,5]': ['a', 5],
  '[x]': ['x'],
};
const withA = ['a', '[a]', '[a,b]', '[b,a,a]', '[a,x]', '[a,null]', '[a,5]'];
const withBoth = ['[a,b]', '[b,a,a]'];

/** A rule, and the shapes that satisfy it. No other does. */
const FORMS: readonly (readonly [string, RequiredRule, readonly string[]])[] = [
  ['a literal', 'a', withA],
  ['a list', ['a', 'b'], withBoth],
  ['allOf', allOf('a', 'b'), withBoth],
  ['anyOf', anyOf('a', 'b'), ['b', ...withA]],
  ['noneOf', noneOf('a'), ['""', '[]', 'b', 'ab', '[x]']],
  ['exactly', exactly('a', 'b'), withBoth],
  ['exactly one', exactly('a'), ['[a]']],
  ['values of one', { values: ['a'] }, withA],
  ['values of two', { values: ['a', 'b'] }, withBoth],
  ['pattern', pattern('a'), withA],
  ['a RegExp', /^a$/, withA],
  ['pattern, search', { pattern: 'a', match: 'search' }, ['ab', ...withA]],
  ['present', present(), Object.keys(SHAPES).filter((shape) => shape !== 'absent' && shape !== 'null')],
  ['fromRequest', fromRequest(() => 'a'), withA],
  ['fromRequest as data', fromRequest('params.c'), withA],
];

const table = FORMS.flatMap(([form, rule, satisfying]) =>
  Object.keys(SHAPES).map((shape) => [form, shape, rule, satisfying.includes(shape)] as const),
);

describe('T-065, T-066: every operator on every shape', () => {
  it.each(table)('T-065, T-066: %s on %s', (_form, shape, rule, expected) => {
    expect(holds(rule, SHAPES[shape])).toBe(expected);
  });

  it.each(table)('AM-14: optional %s on %s', (_form, shape, rule, expected) => {
    expect(holds(optional(rule), SHAPES[shape])).toBe(shape === 'absent' || expected);
  });

  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
  it.each(names.flatMap((name) => FORMS.map(([form, rule, ok]) => [name, form, rule, ok] as const)))(
    'T-064, T-065: the claim %s under %s',
    (name, _form, rule, satisfying) => {
      for (const [shape, value] of Object.entries(SHAPES)) {
        expect([shape, holds(rule, value, name)]).toEqual([shape, satisfying.includes(shape)]);
      }
    },
  );
});

describe('noneOf', () => {
  it.each<[Rule, unknown, boolean]>([
    [noneOf('a', 5), 'b', true],
    [noneOf('a', 5), 4, true],
    [noneOf('a', 5), ['b', 4], true],
    [noneOf('a', 5), ['b', 5], false],
    [noneOf('a', 5), true, false],
    [noneOf('a', 5), ['b', true], false],
    [noneOf('a', 5), ['b', null], false],
    [noneOf('a', 5), ['b', ['c']], false],
    [noneOf('a', 5), [{ b: 'b' }], false],
    [noneOf('a'), 4, false],
    [noneOf(5), '4', false],
    [noneOf(5), '5', false],
    [noneOf(true), false, true],
    [noneOf(true), true, false],
    [noneOf(true), 'true', false],
    [noneOf(false), null, false],
    [noneOf('banned'), 'Banned', true],
    [noneOf('banned'), ['staff', 'banned'], false],
    [noneOf('banned'), [['banned']], false],
    [optional(noneOf('banned')), undefined, true],
    [optional(noneOf('banned')), null, false],
    [optional(noneOf('banned')), 'banned', false],
  ])('T-065: %j on %j: %s', (rule, value, expected) => {
    expect(holds(rule, value)).toBe(expected);
  });

  it.each<[string, unknown, boolean]>([
    ['scope', 'read write', true],
    ['scope', 'read banned', false],
    ['scope', 'banned', false],
    ['scope', ['read', 'banned'], false],
    ['scope', undefined, false],
    ['scope', null, false],
    ['scope', 5, false],
    ['scp', 'x banned y', false],
    ['permissions', 'x  banned', false],
    ['permissions', 'x unbanned', true],
    ['groups', 'x banned', true],
  ])('T-063, T-065: noneOf(banned) on %s %j: %s', (claim, value, expected) => {
    expect(holds(noneOf('banned'), value, claim)).toBe(expected);
  });
});

describe('exactly and values', () => {
  it.each<[Rule, unknown, boolean]>([
    [exactly('a', 'b'), ['b', 'a'], true],
    [exactly('a', 'b'), ['a', 'b', 'c'], false],
    [exactly('a', 'b'), ['a', 'b', null], false],
    [exactly('a', 'b'), ['a', 'b', 5], false],
    [exactly('a', 'b'), ['a'], false],
    [exactly('a'), 'a', false],
    [exactly('a', 5), ['a', '5'], false],
    [exactly('a', 5), [5, 'a', 5], true],
    [exactly(true), ['true'], false],
    [allOf('a', 'b'), ['a', 'b', 'c'], true],
  ])('S24: %j on %j: %s', (rule, value, expected) => {
    expect(holds(rule, value)).toBe(expected);
  });

  it.each<[Rule, unknown, boolean]>([
    [{ values: ['a', 'b'] }, ['b', 'x', 'a'], true],
    [{ values: ['a', 'b'] }, ['a'], false],
    [{ values: ['a', 'b'] }, 'a', false],
    [{ values: ['a'] }, 'a', true],
    [{ values: [4] }, '4', false],
    [{ values: [4] }, ['4', 4], true],
    [{ values: ['a', 'a'] }, 'a', true],
  ])('S23: %j on %j: %s', (rule, value, expected) => {
    expect(holds(rule, value)).toBe(expected);
  });
});

describe('S22: match', () => {
  it.each<[Rule, unknown, boolean]>([
    [pattern('my-subject-\\d+'), 'my-subject-456', true],
    [pattern('my-subject-\\d+'), 'not-my-subject-456', false],
    [{ pattern: 'my-subject-\\d+', match: 'search' }, 'not-my-subject-456', true],
    [{ pattern: 'my-subject-\\d+', match: 'search' }, 'not-my-subject-', false],
    [{ pattern: '^my-subject-\\d+', match: 'search' }, 'not-my-subject-456', false],
    [{ pattern: '^my-subject-\\d+$', match: 'search' }, 'my-subject-456\n', false],
    [{ pattern: '^my-subject-\\d+$', match: 'search' }, 'x\nmy-subject-456', false],
    [{ pattern: /subject/, match: 'search' }, 'my-subject-4', true],
    [{ pattern: /SUBJECT/i, match: 'search' }, 'my-subject-4', true],
    [{ pattern: /k/i, match: 'search' }, 'x\u212ax', false],
    [{ pattern: 'b', match: 'search' }, ['xax', 'xbx'], true],
    [{ pattern: 'b', match: 'search' }, [['b']], false],
    [optional({ pattern: 'b', match: 'search' }), 'xxx', false],
  ])('S22, S23: %j on %j: %s', (rule, value, expected) => {
    expect(holds(rule, value)).toBe(expected);
  });

  it.each<[string, unknown, string]>([
    ['another match', { pattern: 'a', match: 'full' }, 'claims.c.pattern'],
    ['match null', { pattern: 'a', match: null }, 'claims.c.pattern'],
    ['match true', { pattern: 'a', match: true }, 'claims.c.pattern'],
    ['match with anyOf', { anyOf: ['a'], match: 'search' }, 'claims.c.match'],
    ['match with present', { present: true, match: 'search' }, 'claims.c.match'],
    ['match alone', { match: 'search' }, 'claims.c'],
  ])('T-056: refuses %s', (_, rule, path) => {
    expect(configError({ c: rule })?.path).toBe(path);
  });
});

describe('S28: split', () => {
  it.each<[unknown, unknown, boolean]>([
    [{ allOf: ['a', 'b'], split: ' ' }, 'b a', true],
    [{ allOf: ['a', 'b'], split: ' ' }, 'b  a', true],
    [{ allOf: ['a', 'b'], split: ' ' }, 'ab', false],
    [{ allOf: ['a', 'b'], split: ' ' }, 'b\ta', false],
    [{ allOf: ['a', 'b'] }, 'a b', false],
    [{ allOf: ['a', 'b'], split: ',' }, 'a,b', true],
    [{ allOf: ['a', 'b'], split: ',' }, 'a, b', false],
    [{ allOf: ['a', 'b'], split: ', ' }, 'a, b', true],
    [{ allOf: ['a', 'b'], split: ',' }, ['a', 'b'], true],
    [{ allOf: ['a', 'b'], split: ',' }, ['a,b'], false],
    [{ allOf: ['a'], split: '.' }, 'xay', false],
    [{ anyOf: ['a', 'b'], split: ',' }, 'x,b', true],
    [{ anyOf: ['a', 'b'], split: ',' }, 'x,bb', false],
    [{ noneOf: ['a'], split: ',' }, 'x,a', false],
    [{ noneOf: ['a'], split: ',' }, 'x,b', true],
    [{ noneOf: ['a'], split: ',' }, undefined, false],
    [{ exactly: ['a', 'b'], split: ',' }, 'b,a', true],
    [{ exactly: ['a', 'b'], split: ',' }, 'b,a,c', false],
    [{ values: ['a', 'b'], split: ',' }, 'b,x,a', true],
    [{ pattern: 'a+', split: ',' }, 'b,aa', true],
    [{ pattern: 'a+', split: ',' }, 'b,xaa', false],
    [{ pattern: 'a+', split: ',', match: 'search' }, 'b,xaa', true],
    [{ pattern: '.*', split: ',' }, ',', false],
    [{ allOf: ['5'], split: ',' }, 5, false],
    [{ allOf: ['a'], split: ',' }, '', false],
    [{ allOf: ['a'], split: ',' }, null, false],
    [{ allOf: ['a'], split: ',' }, {}, false],
    [{ optional: { allOf: ['a'], split: ',' } }, 'x,a', true],
    [{ optional: { allOf: ['a'], split: ',' } }, 'x', false],
  ])('S28: %j on %j: %s', (rule, value, expected) => {
    expect(holds(rule, value)).toBe(expected);
  });

  it.each<[string, unknown, string]>([
    ['an empty separator', { allOf: ['a'], split: '' }, 'claims.c.split'],
    ['a RegExp', { allOf: ['a'], split: /,/ }, 'claims.c.split'],
    ['null', { allOf: ['a'], split: null }, 'claims.c.split'],
    ['true', { anyOf: ['a'], split: true }, 'claims.c.split'],
    ['split with present', { present: true, split: ',' }, 'claims.c.split'],
    ['split with fromRequest', { fromRequest: 'params.a', split: ',' }, 'claims.c.split'],
    ['split alone', { split: ',' }, 'claims.c'],
  ])('T-056: refuses %s', (_, rule, path) => {
    expect(configError({ c: rule })?.path).toBe(path);
  });
});

describe('T-056: forms of nothing', () => {
  it.each<[string, unknown, string]>([
    ['noneOf of nothing', noneOf(), 'claims.c.noneOf'],
    ['noneOf of a text', { noneOf: 'a' }, 'claims.c.noneOf'],
    ['noneOf of undefined', { noneOf: undefined }, 'claims.c.noneOf'],
    ['noneOf of null', noneOf(null as never), 'claims.c.noneOf[0]'],
    ['exactly of nothing', exactly(), 'claims.c.exactly'],
    ['exactly of a list', exactly(['a'] as never), 'claims.c.exactly[0]'],
    ['values of nothing', { values: [] }, 'claims.c.values'],
    ['values of NaN', { values: [Number.NaN] }, 'claims.c.values[0]'],
    ['noneOf and anyOf', { noneOf: ['a'], anyOf: ['b'] }, 'claims.c'],
    ['fromRequest of nothing', fromRequest(undefined as never), 'claims.c.fromRequest'],
    ['fromRequest of a number', fromRequest(5 as never), 'claims.c.fromRequest'],
    ['fromRequest of an empty text', fromRequest(''), 'claims.c.fromRequest'],
    ['fromRequest of another part', fromRequest('query.tenant'), 'claims.c.fromRequest'],
    ['fromRequest of a part without a name', fromRequest('params.'), 'claims.c.fromRequest'],
    ['fromRequest of a part', fromRequest('params'), 'claims.c.fromRequest'],
    ['fromRequest of every object', fromRequest('__proto__.x'), 'claims.c.fromRequest'],
    ['rules for a rule', { scope: 'a' }, 'claims.c.scope'],
  ])('T-056: refuses %s', (_, rule, path) => {
    expect(configError({ c: rule })?.path).toBe(path);
  });

  it('T-056: exactly with a space could never hold on scope', () => {
    expect(configError({ scope: exactly('a b') })?.path).toBe('claims.scope');
    expect(configError({ scope: { values: ['a b'] } })?.path).toBe('claims.scope');
  });
});

describe('fromRequest', () => {
  const under = (
    read: Parameters<typeof fromRequest>[0],
    value: unknown,
    request: Partial<RequestParameters>,
  ) => holds(fromRequest(read), value, 'c', { headers: {}, params: {}, ...request });

  it.each<[string, unknown, Partial<RequestParameters>, boolean]>([
    ['params.tenant', 't1', { params: { tenant: 't1' } }, true],
    ['params.tenant', ['t0', 't1'], { params: { tenant: 't1' } }, true],
    ['params.tenant', 't2', { params: { tenant: 't1' } }, false],
    ['params.tenant', 'T1', { params: { tenant: 't1' } }, false],
    ['params.tenant', undefined, { params: {} }, false],
    ['params.tenant', null, { params: {} }, false],
    ['params.tenant', '', { params: {} }, false],
    ['params.tenant', 'undefined', { params: {} }, false],
    ['params.tenant', 'undefined', { params: { tenant: undefined } }, false],
    ['params.tenant', undefined, { params: { tenant: undefined } }, false],
    ['params.tenant', null, { params: { tenant: null } }, false],
    ['params.tenant', ['t1'], { params: { tenant: ['t1'] } }, false],
    ['params.tenant', [['t1']], { params: { tenant: ['t1'] } }, false],
    ['params.tenant', 5, { params: { tenant: '5' } }, false],
    ['params.tenant', '5', { params: { tenant: '5' } }, true],
    ['params.a.b', 'x', { params: { 'a.b': 'x' } }, true],
    ['params.a.b', 'x', { params: { a: { b: 'x' } } }, false],
    ['params.Tenant', 't1', { params: { tenant: 't1' } }, false],
    ['params.length', 2, { params: ['a', 'b'] as never }, true],
    ['params.__proto__', 'x', { params: {} }, false],
    ['params.constructor', 'Object', { params: {} }, false],
    ['params.toString', 'x', { params: {} }, false],
    ['params.hasOwnProperty', undefined, { params: {} }, false],
    ['params.tenant', 't1', { params: Object.create({ tenant: 't1' }) }, false],
    ['headers.X-Tenant', 't1', { headers: { 'x-tenant': 't1' } }, true],
    ['headers.x-tenant', 't2', { headers: { 'x-tenant': 't1' } }, false],
    ['headers.x-tenant', undefined, {}, false],
    ['headers.set-cookie', 'a', { headers: { 'set-cookie': ['a'] } }, false],
    ['headers.__proto__', 'x', {}, false],
    ['headers.constructor', 'Object', {}, false],
    ['headers.toString', undefined, {}, false],
  ])('T-065: %s and the claim %j, on %j: %s', (place, value, request, expected) => {
    expect(under(place, value, request)).toBe(expected);
  });

  it.each<[unknown, unknown, boolean]>([
    ['a', 'a', true],
    ['a', ['x', 'a'], true],
    ['a', ['x'], false],
    [5, 5, true],
    [5, '5', false],
    [true, true, true],
    [true, 'true', false],
    [false, undefined, false],
    [false, null, false],
    ['', undefined, false],
    ['', null, false],
    [0, null, false],
    [undefined, undefined, false],
    [undefined, null, false],
    [null, null, false],
    [undefined, 'undefined', false],
    [Number.NaN, null, false],
    [{}, {}, false],
    [[], [], false],
    [['a'], ['a'], false],
    [['a'], 'a', false],
    [() => 'a', 'a', false],
    [new String('a'), 'a', false],
  ])('T-065, T-066: a function that gives %j, on %j: %s', (given, value, expected) => {
    expect(under(() => given, value, {})).toBe(expected);
  });

  it('T-071: a function that throws an Error passes it on unchanged', () => {
    const fault = new RangeError('no such tenant');
    const rules = compileRules({
      c: fromRequest(() => {
        throw fault;
      }),
    });
    const seen = (() => {
      try {
        return firstFailure(rules, { c: 'a' }, { request: REQUEST });
      } catch (error) {
        return error;
      }
    })();
    expect(seen).toBe(fault);
  });

  it.each([undefined, null, '', 0, false, 'route'])(
    'T-098: a function that throws %j throws an Error',
    (thrown) => {
      const rules = compileRules({
        c: fromRequest(() => {
          throw thrown;
        }),
      });
      expect(() => firstFailure(rules, { c: 'a' }, { request: REQUEST })).toThrow(Error);
    },
  );

  it('T-071: a function that answers with a promise is a TypeError, and nothing is unhandled', async () => {
    const rules = compileRules({ c: fromRequest(() => Promise.reject(new Error('late'))) });
    expect(() => firstFailure(rules, { c: 'a' }, { request: REQUEST })).toThrow(TypeError);
    await Promise.resolve();
  });

  it('T-071: the function sees the request, and is asked each time', () => {
    const asked: unknown[] = [];
    const rules = compileRules({
      c: fromRequest((request) => {
        asked.push(request);
        return request.params.tenant;
      }),
    });
    const one = { headers: {}, params: { tenant: 'one' } };
    const two = { headers: {}, params: { tenant: 'two' } };
    expect(firstFailure(rules, { c: 'one' }, { request: one })).toBeUndefined();
    expect(firstFailure(rules, { c: 'one' }, { request: two })?.claim).toBe('c');
    expect(asked).toEqual([one, two]);
    expect(asked[0]).toBe(one);
  });

  it.each<[string, Rule]>([
    ['a function', fromRequest(() => 'a')],
    ['data', fromRequest('params.c')],
  ])('T-071: %s without a request is a TypeError, and not a yes', (_, rule) => {
    const rules = compileRules({ c: rule });
    expect(() => firstFailure(rules, { c: 'a' })).toThrow(TypeError);
    expect(() => firstFailure(rules, {})).toThrow('there is no request to compare with');
  });

  it('T-065: optional passes over what is absent, and compares what is there', () => {
    const rule = optional(fromRequest('params.c'));
    expect([holds(rule, undefined), holds(rule, 'a'), holds(rule, 'b'), holds(rule, null)]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it('AM-24: as data it survives JSON', () => {
    const rules = JSON.parse(JSON.stringify({ c: fromRequest('params.c') }));
    expect(holds(rules.c, 'a')).toBe(true);
    expect(holds(rules.c, 'b')).toBe(false);
  });

  it.each([noneOf('a'), exactly('a'), fromRequest('params.c')])('AM-24: %j is frozen data', (rule) => {
    expect(Object.isFrozen(rule)).toBe(true);
    expect(JSON.parse(JSON.stringify(rule))).toEqual(rule);
  });
});
