// Patterns: whole strings, no state, linear time, ASCII case folding, and what such an engine must
// refuse.
import { describe, expect, it } from 'vitest';
import { compilePattern } from '../../src/claims/pattern.ts';
import { ConfigError } from '../../src/errors.ts';
import { configErrorOf } from '../support/refusals.ts';

const matches = (pattern: string | RegExp, value: string): boolean => compilePattern(pattern, 'rule')(value);

// The compile target of the tests does not know flag v as a literal.
const withFlags = (source: string, flags: string): RegExp => new RegExp(source, flags);

function configError(pattern: string | RegExp): ConfigError | undefined {
  return configErrorOf(() => compilePattern(pattern, 'claims.sub.pattern'));
}

describe('whole strings', () => {
  it.each<[string | RegExp, string, boolean]>([
    [/admin/, 'admin', true],
    [/admin/, 'notadmin', false],
    [/admin/, 'admin2', false],
    [/admin/, ' admin', false],
    [/admin/, 'admin\n', false],
    [/admin/, 'admin\r\n', false],
    [/^admin$/, 'admin', true],
    [/^admin$/, 'admin\n', false],
    [/^admin$/, 'x\nadmin', false],
    [/^admin$/, 'admin\nx', false],
    [/^admin/, 'administrator', false],
    [/admin$/, 'notadmin', false],
    [/a|b/, 'a', true],
    [/a|b/, 'b', true],
    [/a|b/, 'ab', false],
    [/^a|b$/, 'ax', false],
    [/^a|b$/, 'xb', false],
    [/a|ab/, 'ab', true],
    [/a*?/, 'aaa', true],
    [/a?/, '', true],
    [/a?/, 'b', false],
    ['', '', true],
    ['', 'x', false],
    ['admin', 'admin', true],
    ['admin', 'notadmin', false],
    ['^admin$', 'x\nadmin', false],
    [/a.b/, 'a\nb', false],
    [/a.b/, 'axb', true],
    [/a.b/s, 'a\nb', true],
    [/a\.b/, 'axb', false],
    [/https:\/\/x\.example\/.*/, 'https://x.example/a', true],
    [/https:\/\/x\.example\/.*/, 'https://x-example/a', false],
    [/(a)(b)?/, 'a', true],
    [/(?:a|b)+/, 'abba', true],
    [/(?<name>a)/, 'a', true],
  ])('T-067: %s on %j: %s', (pattern, value, expected) => {
    expect(matches(pattern, value)).toBe(expected);
  });

  it.each([
    ['my-subject-456', true],
    ['not-my-subject-456', false],
    ['my-subject-456x', false],
    ['my-subject-', false],
  ])('S22: my-subject-\\d+ on %s: %s', (value, expected) => {
    expect(matches('my-subject-\\d+', value)).toBe(expected);
    expect(matches(/my-subject-\d+/, value)).toBe(expected);
  });

  it.each([
    ['alice_1', true],
    ['', true],
    ['alice 1', false],
    ['alice\n', false],
    ['alic\u00e9', false],
  ])('AM-23: ^[a-zA-Z0-9_]*$ on %j: %s', (value, expected) => {
    expect(matches('^[a-zA-Z0-9_]*$', value)).toBe(expected);
  });

  it.each([
    ['\\d', '\u0663'],
    ['\\w', '\u00e9'],
    ['\\s', '\u00a0'],
    ['[a-z]', '\u0430'],
  ])('T-070: %s is ASCII: it does not match %j', (pattern, value) => {
    expect(matches(pattern, value)).toBe(false);
  });
});

describe('no state', () => {
  it.each([/admin/g, /admin/y, /admin/gy, /admin/d, /admin/dgy])(
    'T-068: %s says the same ten times',
    (pattern) => {
      const matcher = compilePattern(pattern, 'rule');
      const answers = Array.from({ length: 10 }, () => [
        matcher('admin'),
        matcher('admi'),
        matcher('admin '),
      ]);
      expect(answers).toEqual(Array.from({ length: 10 }, () => [true, false, false]));
      expect(pattern.lastIndex).toBe(0);
    },
  );

  it('T-068: where a search stopped before has no meaning', () => {
    const pattern = /admin/g;
    pattern.lastIndex = 3;
    const matcher = compilePattern(pattern, 'rule');
    pattern.lastIndex = 4;
    expect(matcher('admin')).toBe(true);
  });
});

describe('linear time', () => {
  it.each<[RegExp | string, string, boolean]>([
    [/^(\w+\s?)*$/, `${'a'.repeat(1023)}!`, false],
    [/^(\w+\s?)*$/, 'a'.repeat(1024), true],
    [/(a+)+b/, 'a'.repeat(1024), false],
    [/(a+)+b/, `${'a'.repeat(1023)}b`, true],
    [/(a|a)*b/, 'a'.repeat(1024), false],
    [/(a|a)*b/, `${'a'.repeat(1023)}b`, true],
    [/(a|aa)+$/, `${'a'.repeat(1023)}!`, false],
    [/(.*a){18}/, 'b'.repeat(1024), false],
    [/(?:a?){30}a{30}/, 'a'.repeat(29), false],
    [/(?:a?){30}a{30}/, 'a'.repeat(60), true],
    [/^([a-zA-Z0-9])(([-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+$/, 'a'.repeat(1024), false],
    [/(x+x+)+y/i, 'X'.repeat(1024), false],
    ['([^,]*,)*x', ','.repeat(1024), false],
    ['(a*)*', `${'a'.repeat(1023)}!`, false],
  ])('T-069: %s comes to an end', (pattern, value, expected) => {
    expect([29, 60, 1024]).toContain(value.length);
    expect(matches(pattern, value)).toBe(expected);
  });
});

describe('R16: a pattern that could take long on 1,024 characters', () => {
  it.each<[string, number]>([
    ['(a|b)*a(a|b){300}', 907],
    ['(?:a?){100}a{100}', 302],
    ['(?:.{0,10}){40}x', 803],
    ['[a-z]{99}', 101],
  ])('%s is refused', (pattern, size) => {
    const read = () => compilePattern(pattern, 'rule');
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(`rule: is too large: ${size} instructions, at most 100; write + or *`);
  });

  it('is not one of 100 instructions', () => {
    expect(matches('[a-z]{98}', 'a'.repeat(98))).toBe(true);
  });

  it('is not one of frequent use', () => {
    expect(matches(/[\w.+-]+@(?:[a-z0-9-]+\.)+[a-z]{2,24}/, 'a@api.example.com')).toBe(true);
    expect(matches(/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/, '0'.repeat(8))).toBe(false);
    expect(matches(/https:\/\/[a-z0-9-]+\.example\.com\/tenants\/[a-z0-9]{1,32}/, 'a')).toBe(false);
  });
});

describe('what cannot be matched in linear time, or is no pattern', () => {
  it.each<[string, string | RegExp]>([
    ['look-ahead', /(?=a)a/],
    ['negative look-ahead', /(?!a)b/],
    ['look-behind', /(?<=a)b/],
    ['negative look-behind', /(?<!a)b/],
    ['look-ahead in a group', /a(b(?=c))/],
    ['look-ahead as a string', '(?=a)a'],
    ['a back-reference', /(a)\1/],
    ['a back-reference as a string', '(a)\\1'],
    ['an open group', '('],
    ['an open class', '['],
    ['a group that is closed twice', 'a)|(b'],
    ['nothing to repeat', '*a'],
    ['a class turned round', '[z-a]'],
    ['an escape at the end', 'a\\'],
  ])('T-069: refuses %s', (_, pattern) => {
    const error = configError(pattern);
    expect(error?.path).toBe('claims.sub.pattern');
    expect(error?.message).toMatch(/^claims\.sub\.pattern: cannot be matched in linear time: /);
    expect(error?.cause).toBeInstanceOf(Error);
  });

  it.each([/^a$/m, /a/gm, /a/ims])('T-067: refuses flag m: %s', (pattern) => {
    const error = configError(pattern);
    expect(error?.path).toBe('claims.sub.pattern');
    expect(error?.message).toContain('flag m');
  });

  it.each<[string, RegExp | string, string]>([
    ['flag v', withFlags('[[a-z]--[aeiou]]', 'v'), 'flag v'],
    ['a back-reference by name', /(?<n>a)\k<n>/, 'a back-reference'],
    ['a class that RE2 knows by that name', /[[:alpha:]]/, '[[:'],
    ['an escape that RE2 reads otherwise', withFlags('\\a', ''), 'means something else'],
    ['an anchor that RE2 reads otherwise', withFlags('\\z', ''), 'means something else'],
    ['a property without flag u', withFlags('\\pN', ''), 'means something else'],
    ['inline flags', '(?i)k', 'inline flags'],
    ['inline flags for a group', '(?i:k)', 'inline flags'],
    ['flag i and letters beyond ASCII', /\u00e9/i, 'ASCII'],
  ])('T-069: refuses %s', (_, pattern, fragment) => {
    const error = configError(pattern);
    expect(error?.path).toBe('claims.sub.pattern');
    expect(error?.message).toContain(fragment);
  });

  it.each<[RegExp | string, string]>([
    [/\(\?i\)/, '(?i)'],
    [/[(?i)]+/, '(?i)'],
    ['(?:a|b)', 'b'],
    ['(?P<name>a)', 'a'],
    [/(?<name>a)/, 'a'],
    [/\p{L}+/u, 'é'],
    [/\x41\u0042/, 'AB'],
    [/\\k/, '\\k'],
    [/.*/i, 'a\u212ab'],
    [/[^k]/i, '\u212a'],
  ])('T-069: %s is no such thing, and matches %j', (pattern, value) => {
    expect(matches(pattern, value)).toBe(true);
  });
});

describe('case', () => {
  it.each<[string | RegExp, string, boolean]>([
    [/admin/, 'ADMIN', false],
    ['admin', 'ADMIN', false],
    [/admin/i, 'ADMIN', true],
    [/ADMIN/i, 'admin', true],
    [/[a-z]+/i, 'ADMIN', true],
    [/[A-Z]+/i, 'admin', true],
    [/admin/iu, 'AdMiN', true],
  ])('T-070: %s on %j: %s', (pattern, value, expected) => {
    expect(matches(pattern, value)).toBe(expected);
  });

  it.each<[RegExp, string]>([
    [/k/i, '\u212a'],
    [/k/iu, '\u212a'],
    [/s/i, '\u017f'],
    [/s/iu, '\u017f'],
    [/[a-z]/i, '\u212a'],
    [/[j-l]/i, '\u212a'],
    [/[a-z]/iu, '\u017f'],
    [/\w/iu, '\u017f'],
    [/ask/i, 'a\u017fk'],
    [/ask/i, 'as\u212a'],
    [/i/i, '\u0130'],
    [/i/i, '\u0131'],
    [/ss/i, '\u00df'],
    [/admin/i, '\uff21\uff24\uff2d\uff29\uff2e'],
    [/admin/i, 'admin\u200b'],
    [/admin/i, '\u202eadmin'],
  ])('T-070: %s does not match %j, which only looks or folds like it', (pattern, value) => {
    expect(matches(pattern, value)).toBe(false);
  });

  it.each<[RegExp, string]>([
    [/\u212a/, 'k'],
    [/\u00e9/, 'e\u0301'],
    [/e\u0301/, '\u00e9'],
    [/\u00e9/, '\u00c9'],
  ])('T-070: %s does not match %j: code points are compared', (pattern, value) => {
    expect(matches(pattern, value)).toBe(false);
  });

  it.each([/\u{1F600}+/u, /[\u{1F600}-\u{1F64F}]+/u])('T-070: %s reads code points', (pattern) => {
    expect(matches(pattern, '\u{1F600}\u{1F600}')).toBe(true);
    expect(matches(pattern, '\u{1F600}x')).toBe(false);
  });
});
