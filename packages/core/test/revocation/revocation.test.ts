// How revocations of callers and of feeds are read.
import { describe, expect, it } from 'vitest';
import { readRevocation, readStoredRevocation } from '../../src/revocation/revocation.ts';

const issuer = 'https://login.test';
const NOW = 1_800_000_000_000;
const DAY_MS = 86_400_000;
const read = (value: unknown) => readRevocation(value, NOW, DAY_MS);

describe('a revocation of a caller', () => {
  it.each([Number.NaN, 2 ** 43])('is refused by a clock that says %s', (now) => {
    expect(() => readRevocation({ issuer, jti: 'j' }, now, DAY_MS)).toThrow('revocation.until');
  });

  it.each([
    ['of a jti', { issuer, jti: 'j' }, { issuer, jti: 'j', until: NOW + DAY_MS }],
    ['of a sid', { issuer, sid: 's', until: NOW + 1 }, { issuer, sid: 's', until: NOW + 1 }],
    ['of a sub', { issuer, sub: 'u' }, { issuer, sub: 'u', issuedBefore: NOW, until: NOW + DAY_MS }],
    [
      'of a client, with a time of issue',
      { issuer, client: 'c', issuedBefore: NOW + 5 },
      { issuer, client: 'c', issuedBefore: NOW + 5, until: NOW + DAY_MS },
    ],
    ['of an issuer', { issuer }, { issuer, issuedBefore: NOW, until: NOW + DAY_MS }],
    ['of tokens without iss', { issuer: '', jti: 'j' }, { issuer: '', jti: 'j', until: NOW + DAY_MS }],
    [
      'until an exp that clock skew still allows',
      { issuer, jti: 'j', until: NOW - 59_000 },
      { issuer, jti: 'j', until: NOW - 59_000 },
    ],
  ])('%s is completed', (_name, given, stored) => {
    expect(read(given)).toEqual(stored);
  });

  it.each([
    ['undefined', undefined, 'revocation: expected a revocation, such as'],
    ['a token', 'eyJ', 'revocation: expected a revocation, such as'],
    ['half a character', { issuer, sub: '\ud800' }, 'revocation.sub: expected a text in Unicode'],
    ['no issuer', { jti: 'j' }, 'revocation.issuer: expected a string that is not blank'],
    ['an issuer that is undefined', { issuer: undefined, jti: 'j' }, 'revocation.issuer: expected a value'],
    ['an issuer that is blank', { issuer: ' ', jti: 'j' }, 'revocation.issuer: expected a string'],
    ['a misspelt name', { issuer, jit: 'j' }, 'revocation.jit: unknown option; did you mean jti?'],
    [
      'a jti that is undefined',
      { issuer, jti: undefined },
      'revocation.jti: expected a value, got undefined',
    ],
    ['a jti that is empty', { issuer, jti: '' }, 'revocation.jti: expected a string that is not blank'],
    ['a sub that is a number', { issuer, sub: 42 }, 'revocation.sub: expected a string that is not blank'],
    [
      'a jti of 1025 characters',
      { issuer, jti: 'j'.repeat(1025) },
      'expected at most 1024 characters, got 1025',
    ],
    ['two kinds', { issuer, jti: 'j', sub: 'u' }, 'revocation.sub: is not allowed next to jti'],
    [
      'issuedBefore with a jti',
      { issuer, jti: 'j', issuedBefore: NOW },
      'revocation.issuedBefore: is not allowed',
    ],
    [
      'issuedBefore with a sid',
      { issuer, sid: 's', issuedBefore: NOW },
      'revocation.issuedBefore: is not allowed',
    ],
    ['until in seconds', { issuer, jti: 'j', until: NOW / 1000 }, 'got a time in seconds; multiply by 1000'],
    ['issuedBefore in seconds', { issuer, sub: 'u', issuedBefore: NOW / 1000 }, 'got a time in seconds'],
    ['until in microseconds', { issuer, jti: 'j', until: NOW * 1000 }, 'got a time in the far future'],
    [
      'until that is a text',
      { issuer, jti: 'j', until: 'tomorrow' },
      'expected milliseconds since the epoch',
    ],
    ['until that is NaN', { issuer, jti: 'j', until: Number.NaN }, 'expected milliseconds since the epoch'],
    ['until in the past', { issuer, jti: 'j', until: NOW - 60_000 }, 'expected a time in the future'],
  ])('%s is refused', (_name, given, problem) => {
    expect(() => read(given)).toThrow(problem);
  });

  it('a polluted prototype adds nothing', () => {
    const given = Object.assign(Object.create(null), { issuer, jti: 'j' });
    expect(Object.keys(read(given)).sort()).toEqual(['issuer', 'jti', 'until']);
  });
});

describe('an entry of a feed', () => {
  it.each([
    ['of a jti', { issuer, jti: 'j', until: NOW }],
    ['of a sub', { issuer, sub: 'u', issuedBefore: NOW, until: NOW }],
    ['whose time is over', { issuer, jti: 'j', until: 1_000_000_000_000 }],
  ])('%s is read as it is', (_name, entry) => {
    expect(readStoredRevocation(entry, 'line 1')).toEqual(entry);
  });

  it.each([
    ['without until', { issuer, jti: 'j' }, 'line 1.until: is required'],
    ['of a sub without issuedBefore', { issuer, sub: 'u', until: NOW }, 'line 1.issuedBefore: is required'],
    ['of an issuer without issuedBefore', { issuer, until: NOW }, 'line 1.issuedBefore: is required'],
    ['with an unknown member', { issuer, jti: 'j', until: NOW, by: 'me' }, 'line 1.by: unknown option'],
  ])('%s is refused', (_name, entry, problem) => {
    expect(() => readStoredRevocation(entry, 'line 1')).toThrow(problem);
  });
});
