// The whole text of the messages about common mistakes in rules: when they are compiled, and in
// `detail` when a token does not satisfy them.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { checksIn, compileRules } from '../src/claims/compile.ts';
import { ruleDetail } from '../src/claims/rule-detail.ts';
import { createAuthenticator } from '../src/descriptor/create.ts';
import { ConfigError } from '../src/errors.ts';

afterEach(() => vi.restoreAllMocks());

function messageOf(rules: unknown): string {
  try {
    compileRules(rules as never);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'no error';
}

const FORMS = 'allOf, anyOf, noneOf, exactly, values, pattern, present, fromRequest, optional';

describe('rules', () => {
  it.each<readonly [string, unknown, string]>([
    ['a scope', 'read', "claims: expected rules by claim name, like { scope: 'read:orders' }, got a string"],
    [
      'a list of scopes',
      ['read'],
      "claims[0]: expected rules by claim name, like { scope: 'read:orders' }, a path with a rule, or a row, got a string",
    ],
    [
      'a function',
      { sub: () => true },
      'claims.sub: expected a rule, got a function; write a Standard Schema, or { fromRequest: (request) => … }',
    ],
    [
      'undefined',
      { roles: undefined },
      'claims.roles: expected a rule, got undefined; check where it comes from, or leave the claim out',
    ],
    ['a Map', { roles: new Map() }, 'claims.roles: expected a rule, got an instance of Map'],
    [
      'a nested object',
      { realm_access: { roles: ['admin'] } },
      `claims.realm_access.roles: unknown rule; expected one of ${FORMS}; for roles inside realm_access write at(['realm_access', 'roles'], …), or set nestedClaimDelimiter`,
    ],
    [
      'rules inside claims, where rules are expected',
      { claims: { scope: 'read' } },
      `claims.claims.scope: unknown rule; expected one of ${FORMS}; write the rules themselves, without claims: { … } around them`,
    ],
    ['a misspelt form', { roles: { allof: ['a'] } }, 'claims.roles.allof: unknown rule; did you mean allOf?'],
  ])('%s', (_, rules, message) => {
    expect(messageOf(rules)).toBe(message);
  });

  it('a pattern with look-ahead says what to write', () => {
    expect(messageOf({ sub: /(?!root).*/ })).toMatch(
      /^claims\.sub: cannot be matched in linear time: .*; patterns have no look-around: write noneOf, or a pattern without it$/,
    );
  });
});

describe('the detail of a rule that does not hold', () => {
  const detailOf = (rules: object, claims: object, delimiter?: string) => {
    const [check] = checksIn(compileRules(rules as never));
    if (check === undefined) throw new Error('expected a rule');
    return ruleDetail(check, claims as never, { delimiter });
  };
  const url = 'https://example.com/roles';

  it.each<readonly [string, object, object, string | undefined, string]>([
    ['another value', { dept: 'IT' }, { dept: 'HR' }, undefined, 'the rule on dept does not hold'],
    ['no claim', { dept: 'IT' }, { secret: 1 }, undefined, 'the token has no claim dept'],
    [
      'scopes for scope',
      { scopes: 'a' },
      { scope: 'a' },
      undefined,
      'the token has no claim scopes; did you mean scope?',
    ],
    [
      'a near name of the token alone',
      { depts: 'a' },
      { dept: 'a' },
      undefined,
      'the token has no claim depts',
    ],
    [
      'scope where there is scp',
      { scope: 'a' },
      { scp: ['b'] },
      undefined,
      'the rule on scope does not hold',
    ],
    ['scp where there is scope', { scp: ['a'] }, { scope: 'b' }, undefined, 'the rule on scp does not hold'],
    ['no scope at all', { scope: 'a' }, { sub: 'b' }, undefined, 'the token has no claim scope'],
    [
      'scope where there are permissions',
      { scope: 'a' },
      { permissions: ['a'] },
      undefined,
      'the token has permissions and no scope; set scopes: { permissions: true }',
    ],
    [
      'dots without a delimiter',
      { 'realm.roles': ['a'] },
      { realm: { roles: ['a'] } },
      undefined,
      "the token has no claim realm.roles; it is a path only with nestedClaimDelimiter: '.'",
    ],
    ['dots with one', { 'realm.roles': ['a'] }, { realm: {} }, '.', 'the token has no claim realm.roles'],
    ['a URL', { [url]: ['a'] }, {}, undefined, `the token has no claim ${url}`],
    [
      'a URL that is split',
      { [url]: ['a'] },
      { [url]: ['a'] },
      '.',
      `the token has no claim ${url}; nestedClaimDelimiter splits this name: write a backslash before each delimiter in it`,
    ],
  ])('%s', (_, rules, claims, delimiter, detail) => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    expect(detailOf(rules, claims, delimiter)).toBe(detail);
  });
});

describe('a rule on a name that looks like a path', () => {
  const options = {
    keySets: [{ issuer: 'https://a.example', jwksUrl: 'https://a.example/jwks' }],
    audience: 'a',
    loadAtStart: false,
  };
  const warningsOf = (more: object) => {
    const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    createAuthenticator({ ...options, ...more } as never);
    return warnings.mock.calls.map(([text]) => text);
  };

  it('emits one warning, whether it is for all tokens or for routes', () => {
    const claims = { 'first.roles': ['a'] };
    const routes = { one: { claims }, two: { claims: { 'second.roles': ['a'] } } };
    expect(warningsOf({ claims, routes })).toEqual(
      ['first', 'second'].map(
        (name) =>
          `the rule on ${name}.roles is on one claim with a dot in its name; set nestedClaimDelimiter: '.' if it is a path, or write at(['${name}.roles'], …)`,
      ),
    );
  });

  it('emits none with a delimiter, for a URL, or for a path', () => {
    expect(warningsOf({ claims: { 'third.roles': ['a'] }, nestedClaimDelimiter: '.' })).toEqual([]);
    expect(warningsOf({ claims: { 'https://example.com/roles': ['a'] } })).toEqual([]);
    expect(warningsOf({ claims: [{ path: ['fourth.roles'], rule: ['a'] }] })).toEqual([]);
  });
});
