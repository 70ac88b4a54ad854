// Nested claims: only by a delimiter or a path, own members of objects only, never into arrays,
// with escapes.
import { createClock, generateSigningKey, mint } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import { compileRules, firstFailure } from '../../src/claims/compile.ts';
import { claimAt, splitPath } from '../../src/claims/path.ts';
import { allOf, at, optional, present, type Rules } from '../../src/claims/rules.ts';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import { authorize } from '../../src/decision/authorize.ts';
import { ConfigError } from '../../src/errors.ts';
import type { JsonObject } from '../../src/values/json.ts';

/** Is the claim of this name x, under the delimiter? */
const isX = (name: string, claims: string, delimiter?: string): boolean =>
  firstFailure(compileRules({ [name]: 'x' }), JSON.parse(claims) as JsonObject, { delimiter }) === undefined;

describe('AG-6, S31: names under a delimiter', () => {
  it.each<[name: string, delimiter: string | undefined, claims: string, expected: boolean]>([
    ['metadata.auth.role', undefined, '{"metadata":{"auth":{"role":"x"}}}', false],
    ['metadata.auth.role', '.', '{"metadata":{"auth":{"role":"x"}}}', true],
    ['metadata.auth.role', '.', '{"metadata":{"auth":{"role":"y"}}}', false],
    ['metadata.auth.role', '.', '{"metadata":{"auth":{"role":["y","x"]}}}', true],
    ['metadata.auth.role', '.', '{"metadata":{"auth":{}}}', false],
    ['metadata.auth.role', '.', '{"metadata":{"auth":"x"}}', false],
    ['metadata.auth.role', '.', '{"metadata":{"auth":null}}', false],
    ['metadata.auth.role', '.', '{"metadata":null}', false],
    ['metadata.auth.role', '.', '{}', false],
    ['metadata.auth.role', '.', '{"role":"x"}', false],
    ['metadata.auth.role', '/', '{"metadata":{"auth":{"role":"x"}}}', false],
    ['metadata/auth/role', '/', '{"metadata":{"auth":{"role":"x"}}}', true],
    // One name, or one path: never either.
    ['a.b', undefined, '{"a.b":"x"}', true],
    ['a.b', undefined, '{"a":{"b":"x"}}', false],
    ['a.b', '.', '{"a.b":"x"}', false],
    ['a.b', '.', '{"a":{"b":"x"}}', true],
    ['a.b', '.', '{"a.b":"x","a":{"b":"y"}}', false],
    ['a.b', '.', '{"a.b":"y","a":{"b":"x"}}', true],
    ['a.b.c', '.', '{"a":{"b.c":"x"}}', false],
    ['a.b.c', '.', '{"a.b":{"c":"x"}}', false],
    // Namespaced claims.
    ['http://gip.net/roles', undefined, '{"http://gip.net/roles":"x"}', true],
    ['http://gip.net/roles', '.', '{"http://gip.net/roles":"x"}', false],
    ['http://gip.net/roles', '.', '{"http://gip":{"net/roles":"x"}}', true],
    ['http://gip\\.net/roles', '.', '{"http://gip.net/roles":"x"}', true],
    ['http://gip\\.net/roles', '.', '{"http://gip":{"net/roles":"x"}}', false],
    ['http://gip.net/roles', '::', '{"http://gip.net/roles":"x"}', true],
    // Escapes.
    ['a\\.b.c', '.', '{"a.b":{"c":"x"}}', true],
    ['a\\.b.c', '.', '{"a":{"b":{"c":"x"}}}', false],
    ['a\\\\.b', '.', '{"a\\\\":{"b":"x"}}', true],
    ['a\\\\\\.b', '.', '{"a\\\\.b":"x"}', true],
    ['a\\b', '.', '{"a\\\\b":"x"}', true],
    ['a\\', '.', '{"a\\\\":"x"}', true],
    ['a\\.b', undefined, '{"a\\\\.b":"x"}', true],
    ['a\\.b', undefined, '{"a.b":"x"}', false],
    // Delimiters of several characters.
    ['a::b', '::', '{"a":{"b":"x"}}', true],
    ['a:b', '::', '{"a:b":"x"}', true],
    ['a\\::b', '::', '{"a::b":"x"}', true],
    ['a:::b', '::', '{"a":{":b":"x"}}', true],
    ['a->b->c', '->', '{"a":{"b":{"c":"x"}}}', true],
    // Empty segments are names too.
    ['a..b', '.', '{"a":{"":{"b":"x"}}}', true],
    ['a..b', '.', '{"a":{"b":"x"}}', false],
    ['.a', '.', '{"a":"x"}', false],
    ['a.', '.', '{"a":"x"}', false],
    // Arrays are not gone into.
    ['a.0', '.', '{"a":["x"]}', false],
    ['a.length', '.', '{"a":["x"]}', false],
    ['a[0]', '.', '{"a":["x"]}', false],
    ['a.0.b', '.', '{"a":[{"b":"x"}]}', false],
    ['a.b', '.', '{"a":[{"b":"x"}]}', false],
    ['a.0', '.', '{"a":{"0":"x"}}', true],
    ['a.0', '.', '{"a":"x"}', false],
    ['a.length', '.', '{"a":"x"}', false],
  ])('AG-6, S31, T-064: %s under %j in %s: %s', (name, delimiter, claims, expected) => {
    expect(isX(name, claims, delimiter)).toBe(expected);
  });

  it.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf'])(
    'T-064: %s is a member only where it was signed',
    (name) => {
      for (const path of [
        name,
        `a.${name}`,
        `${name}.${name}`,
        `a.${name}.x`,
        `a.b.${name}`,
        `${name}.name`,
      ]) {
        const rules = compileRules({ [path]: present() });
        for (const claims of ['{}', '{"a":{}}', '{"a":{"b":{}}}', '{"a":{"b":[]}}', '{"a":"text","b":1}']) {
          expect(firstFailure(rules, JSON.parse(claims), { delimiter: '.' })?.claim).toBe(path);
        }
      }
      expect(isX(`a.${name}`, `{"a":{"${name}":"x"}}`, '.')).toBe(true);
      expect(isX(`${name}.b`, `{"${name}":{"b":"x"}}`, '.')).toBe(true);
      expect(isX('a.b', `{"a":{"${name}":{"b":"x"}}}`, '.')).toBe(false);
    },
  );

  it('T-064: inherited members are absent on every level', () => {
    expect(claimAt({ a: Object.create({ b: 'x' }) }, ['a', 'b'])).toBeUndefined();
    expect(claimAt(Object.create({ a: { b: 'x' } }), ['a', 'b'])).toBeUndefined();
    expect(claimAt({ a: { b: 'x' } }, ['a', 'b'])).toBe('x');
  });

  it.each<[string, string | undefined, readonly string[]]>([
    ['a.b', undefined, ['a.b']],
    ['a.b', '.', ['a', 'b']],
    ['a\\.b', '.', ['a.b']],
    ['a\\\\b', '.', ['a\\b']],
    ['a\\\\\\\\b', '.', ['a\\\\b']],
    ['\\', '.', ['\\']],
    ['.', '.', ['', '']],
    ['', '.', ['']],
    ['a::b:c', '::', ['a', 'b:c']],
    ['a\\::b::c', '::', ['a::b', 'c']],
    ['a::::b', '::', ['a', '', 'b']],
    ['a\\\\b::c', '::', ['a\\b', 'c']],
    ['undefined', undefined, ['undefined']],
  ])('S31: %j under %j is %j', (name, delimiter, path) => {
    expect(splitPath(name, delimiter)).toEqual(path);
  });

  it('S31: compiled rules follow the delimiter of their caller', () => {
    const rules = compileRules({ 'a.b': 'x' });
    const nested = { a: { b: 'x' } };
    const flat = { 'a.b': 'x' };
    for (let round = 0; round < 2; round++) {
      expect(firstFailure(rules, nested, { delimiter: '.' })).toBeUndefined();
      expect(firstFailure(rules, nested)?.claim).toBe('a.b');
      expect(firstFailure(rules, flat)).toBeUndefined();
      expect(firstFailure(rules, flat, { delimiter: '.' })?.claim).toBe('a.b');
      expect(firstFailure(rules, flat, { delimiter: '/' })).toBeUndefined();
    }
  });
});

describe('S31: a path as an array', () => {
  it.each<[readonly string[], string, boolean]>([
    [['realm_access', 'roles'], '{"realm_access":{"roles":["x","y"]}}', true],
    [['realm_access', 'roles'], '{"realm_access":{"roles":["y"]}}', false],
    [['realm_access', 'roles'], '{"realm_access.roles":["x"]}', false],
    [['http://gip.net/roles'], '{"http://gip.net/roles":["x"]}', true],
    [['http://gip.net/roles'], '{"http://gip":{"net/roles":["x"]}}', false],
    [['a\\.b'], '{"a.b":["x"]}', false],
    [['a', '0'], '{"a":[["x"]]}', false],
    [['a', '__proto__'], '{"a":{}}', false],
    [['a', '__proto__'], '{"a":{"__proto__":["x"]}}', true],
    [['a', 'b'], '{}', false],
    [['a', 'b'], '{"a":null}', false],
    [['a', 'b'], '{"a":{"b":null}}', false],
  ])('S31: at(%j) in %s: %s, whatever the delimiter', (path, claims, expected) => {
    const rules = compileRules([at(path, allOf('x'))]);
    for (const delimiter of [undefined, '.', '/', '::']) {
      expect(firstFailure(rules, JSON.parse(claims), { delimiter }) === undefined).toBe(expected);
    }
  });

  it('S31: the path is told with dots', () => {
    expect(firstFailure(compileRules([at(['a', 'b'], 'x')]), {})?.claim).toBe('a.b');
  });

  it.each<[string, boolean]>([
    ['{}', true],
    ['{"a":{}}', true],
    ['{"a":{"b":"x"}}', true],
    ['{"a":{"b":"y"}}', false],
    ['{"a":{"b":null}}', false],
  ])('AM-14: optional at a path, in %s: %s', (claims, expected) => {
    expect(
      firstFailure(compileRules([at(['a', 'b'], optional('x'))]), JSON.parse(claims)) === undefined,
    ).toBe(expected);
  });

  it('S31: is frozen, and keeps its path', () => {
    const names = ['a', 'b'];
    const rule = at(names, 'x');
    const rules = compileRules([rule]);
    names[1] = 'c';
    expect(rule).toEqual({ path: ['a', 'b'], rule: 'x' });
    expect(Object.isFrozen(rule) && Object.isFrozen(rule.path)).toBe(true);
    expect(firstFailure(rules, { a: { b: 'x' } })).toBeUndefined();
  });

  it.each<[string, unknown, string]>([
    ['no names', { path: [], rule: 'x' }, 'claims[0].path'],
    ['an empty name', { path: ['a', ''], rule: 'x' }, 'claims[0].path'],
    ['a number', { path: ['a', 0], rule: 'x' }, 'claims[0].path'],
    ['null', { path: [null], rule: 'x' }, 'claims[0].path'],
    ['no rule', { path: ['a'], rule: undefined }, 'claims[0].rule'],
    ['rules for a rule', { path: ['a'], rule: { b: 'x' } }, 'claims[0].rule.b'],
  ])('T-056: refuses %s', (_, entry, path) => {
    const build = () => compileRules([entry] as unknown as Rules);
    expect(build).toThrow(ConfigError);
    expect(build).toThrow(`${path}: `);
  });
});

describe('AG-6: through an authenticator', () => {
  const audience = 'https://api.example.com';

  it('AG-6: the delimiter of the options is that of verify() and of authorize()', async () => {
    const key = await generateSigningKey();
    const clock = createClock(1_700_000_000_000);
    const keySets = [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }];
    const token = await mint(key, {
      iss: 'i',
      aud: audience,
      sub: 'alice',
      exp: 1_700_000_300,
      metadata: { auth: { role: 'admin' } },
    });
    const literal = createAuthenticator({ keySets, audience, clock });
    const nested = createAuthenticator({ keySets, audience, clock, nestedClaimDelimiter: '.' });
    const rules = { 'metadata.auth.role': 'admin' };
    await expect(literal.verify(token, rules)).rejects.toMatchObject({ code: 'claims_insufficient' });
    await expect(nested.verify(token, rules)).resolves.toMatchObject({ subject: 'alice' });
    await expect(nested.verify(token, { 'metadata.auth.role': 'dev' })).rejects.toMatchObject({
      status: 403,
    });
    const compiled = compileRules(rules);
    const [one, two] = [await literal.verify(token), await nested.verify(token)];
    expect(() => authorize(one, compiled)).toThrow('lacks a claim');
    expect(() => authorize(two, compiled)).not.toThrow();
  });

  it.each([
    ['', 'nestedClaimDelimiter'],
    ['\\', 'nestedClaimDelimiter'],
    ['.\\', 'nestedClaimDelimiter'],
    [' ', 'nestedClaimDelimiter'],
    [5, 'nestedClaimDelimiter'],
    [null, 'nestedClaimDelimiter'],
  ])('T-056: refuses the delimiter %j', async (nestedClaimDelimiter, path) => {
    const key = await generateSigningKey();
    const build = () =>
      createAuthenticator({
        keySets: [{ jwks: { keys: [key.publicJwk] } }],
        audience,
        nestedClaimDelimiter: nestedClaimDelimiter as never,
      });
    expect(build).toThrow(ConfigError);
    expect(build).toThrow(`${path}: `);
  });
});
