// Scopes: one set for each token, what a scope implies, and which scopes a challenge asks for.
import { describe, expect, it } from 'vitest';
import {
  malformedScopes,
  PLAIN_SCOPES,
  type ScopeSettings,
  type ScopesOptions,
  scopes,
  scopesOf,
  scopesToAsk,
} from '../../src/claims/scopes.ts';
import { configErrorOf } from '../support/refusals.ts';

const read = (options: ScopesOptions): ScopeSettings => scopes.read(options, 'scopes');

describe('one set', () => {
  it.each<[object, readonly string[] | undefined]>([
    [{}, undefined],
    [{ scope: null, scp: null }, undefined],
    [{ scope: '' }, []],
    [{ scope: 'a  b' }, ['a', 'b']],
    [{ scope: 'a a' }, ['a']],
    [{ scope: ['a', 'b c'] }, ['a', 'b c']],
    [{ scp: 'a b' }, ['a', 'b']],
    [{ scp: ['a'] }, ['a']],
    [{ scope: 'a', scp: 'b' }, ['a', 'b']],
    [{ scope: 'a', scp: ['b', 'a'] }, ['a', 'b']],
    [{ scope: ['a'], scp: 'b c' }, ['a', 'b', 'c']],
    [{ permissions: ['a'] }, undefined],
    [{ scope: 'a', permissions: ['b'] }, ['a']],
  ])('%j has the scopes %j', (claims, expected) => {
    const found = scopesOf(claims as never, PLAIN_SCOPES);
    expect(found).toEqual(expected);
    expect(found === undefined || Object.isFrozen(found)).toBe(true);
  });

  it.each<[object, readonly string[] | undefined]>([
    [{ permissions: ['b'] }, ['b']],
    [{ permissions: 'b c' }, ['b', 'c']],
    [{ scope: 'a', permissions: ['b'] }, ['a', 'b']],
  ])('with permissions, %j has the scopes %j', (claims, expected) => {
    expect(scopesOf(claims as never, read({ permissions: true }))).toEqual(expected);
  });

  it.each([{ scope: 4 }, { scope: true }, { scope: {} }, { scp: [4] }, { scope: 'a', scp: ['b', null] }])(
    '%j is malformed, and has no scopes',
    (claims) => {
      expect(scopesOf(claims as never, PLAIN_SCOPES)).toBeUndefined();
      expect(malformedScopes(claims as never, PLAIN_SCOPES)).toMatch(/^sco?p/);
    },
  );

  it('scopes that only look inherited are none', () => {
    const claims = Object.create({ scope: 'a' });
    expect(scopesOf(claims, PLAIN_SCOPES)).toBeUndefined();
  });

  it('the same text has other scopes by other options', () => {
    const implying = read({ implies: { a: ['b'] } });
    expect(scopesOf({ scope: 'a' }, implying)).toEqual(['a', 'b']);
    expect(scopesOf({ scope: 'a' }, PLAIN_SCOPES)).toEqual(['a']);
    expect(scopesOf({ scope: 'a' }, implying)).toEqual(['a', 'b']);
  });
});

describe('implied scopes', () => {
  it('are implied through others', () => {
    const settings = read({ implies: { admin: ['files'], files: ['files:read', 'files:write'] } });
    expect(scopesOf({ scope: 'admin' }, settings)).toEqual(['admin', 'files', 'files:read', 'files:write']);
    expect(scopesOf({ scope: 'files:read' }, settings)).toEqual(['files:read']);
  });

  it('may be implied by several', () => {
    const settings = read({ implies: { top: ['one', 'two'], one: ['leaf'], two: ['leaf'] } });
    expect(scopesOf({ scope: 'top' }, settings)).toEqual(['top', 'one', 'leaf', 'two']);
  });

  it.each<[unknown, string, RegExp]>([
    [{ implies: { a: ['a'] } }, 'scopes.implies.a', /implies itself/],
    [{ implies: { a: ['b'], b: ['c'], c: ['a'] } }, 'scopes.implies.a', /implies itself/],
    [{ implies: { a: [] } }, 'scopes.implies.a', /at least one/],
    [{ implies: { a: 'b' } }, 'scopes.implies.a', /list/],
    [{ implies: { a: ['b c'] } }, 'scopes.implies.a[0]', /one scope/],
    [{ implies: { 'a b': ['c'] } }, 'scopes.implies.a b', /one scope/],
    [{ implies: { a: ['é'] } }, 'scopes.implies.a[0]', /one scope/],
    [{ implies: ['a'] }, 'scopes.implies', /expected an object/],
    [{ permissions: 'yes' }, 'scopes.permissions', /true or false/],
    [{ imply: {} }, 'scopes.imply', /expected one of implies/],
    [['a'], 'scopes', /object/],
  ])('%j is refused at %s', (options, path, problem) => {
    const error = configErrorOf(() => scopes.read(options, 'scopes'));
    expect(error?.path).toBe(path);
    expect(error?.problem).toMatch(problem);
  });
});

describe('the scopes to ask for', () => {
  const all = (...names: readonly string[]) => ({ names, isOne: false });
  const one = (...names: readonly string[]) => ({ names, isOne: true });
  const settings = read({ implies: { files: ['files:read', 'files:write'], 'files:write': ['files:read'] } });

  it.each([
    [[], [], undefined],
    [[all()], [], undefined],
    [[all('b', 'a')], [], 'b a'],
    [[all('a'), all('a', 'b')], [], 'a b'],
    [[one('a', 'b')], [], 'a'],
    [[one('a', 'b')], ['b'], 'b'],
    [[one('files', 'files:write', 'files:read')], [], 'files:read'],
    [[one('files', 'files:write')], [], 'files:write'],
    [[one('files', 'files:write')], ['files'], 'files'],
    [[one('a', 'b'), all('c')], [], 'a c'],
  ])('of %j, where the token has %j: %s', (needs, held, expected) => {
    expect(scopesToAsk(needs, settings, held)).toBe(expected);
  });
});
