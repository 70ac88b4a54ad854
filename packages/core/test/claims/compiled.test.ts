// Compiled rules: what is told of them without a claim, and where they may not be put.
import { describe, expect, it } from 'vitest';
import {
  checksIn,
  claimNames,
  compileRules,
  firstFailure,
  needsRequest,
  route,
} from '../../src/claims/compile.ts';
import type { Rules } from '../../src/claims/rules.ts';
import { ConfigError } from '../../src/errors.ts';

describe('needsRequest()', () => {
  const fromParams = { fromRequest: 'params.id' } as const;

  it.each<[Rules, boolean]>([
    [{ sub: 'alice' }, false],
    [{ sub: fromParams }, true],
    [{ sub: 'alice', tenant: fromParams }, true],
    [{ tenant: fromParams, sub: 'alice' }, true],
    [{ tenant: { optional: fromParams } }, true],
    [[{ path: ['a', 'b'], rule: fromParams }], true],
    [{ sub: { present: true }, roles: ['a'] }, false],
  ])('%j: %s', (rules, needs) => {
    expect(needsRequest(compileRules(rules))).toBe(needs);
  });

  it('is not said of the rules of a route, which nothing is known of', () => {
    expect(needsRequest(route('admin'))).toBe(false);
    expect(claimNames(route('admin'))).toEqual(['route admin']);
    expect(checksIn(route('admin'))).toMatchObject([{ isScope: false, need: undefined }]);
    expect(() => firstFailure(route('admin'), {})).toThrow(TypeError);
  });
});

describe('T-056: compiled rules cannot be nested', () => {
  it.each<[string, object]>([
    ['a copy', { ...compileRules({ sub: 'alice' }) }],
    ['a copy with another rule', { ...compileRules({ sub: 'alice' }), dept: 'IT' }],
    ['a copy of the rules of a route', { ...route('admin') }],
    ['an heir', Object.create(compileRules({ sub: 'alice' }))],
    ['an heir of the rules of a route', Object.create(route('admin'))],
    ['in a list', [compileRules({ sub: 'alice' })]],
    ['in a list, of a route', [{ dept: 'IT' }, route('admin')]],
  ])('%s is refused', (_, rules) => {
    const build = () => compileRules(rules as Rules);
    expect(build).toThrow(ConfigError);
    expect(build).toThrow('compiled rules');
  });
});

it.each<[Rules, string]>([
  [{ scope: 'a b' }, 'claims.scope: '],
  [[{ path: ['scope'], rule: 'a b' }], 'claims[0].rule: '],
  [[{ scope: 'a b' }], 'claims[0].scope: '],
])('a list in one text is refused where it is: %j', (rules, path) => {
  expect(() => compileRules(rules)).toThrow(path);
});
