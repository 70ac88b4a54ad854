// The list of revocations: which tokens it ends, how long it remembers, and its bound.
import { describe, expect, it } from 'vitest';
import { createRevocationIndex } from '../../src/revocation/index-by-issuer.ts';
import type { StoredRevocation } from '../../src/revocation/revocation.ts';
import type { JsonObject } from '../../src/values/json.ts';

const ISSUER = 'https://login.test';
const NOW = 1_800_000_000_000;
const HOUR_MS = 3_600_000;

function indexOf(entries: readonly Partial<StoredRevocation>[], most = 1000) {
  let nowMs = NOW;
  let passedMs = 0;
  const clock = { now: () => nowMs, monotonic: () => passedMs };
  const index = createRevocationIndex(most, clock);
  const whole = (entry: Partial<StoredRevocation>): StoredRevocation => ({
    issuer: ISSUER,
    until: NOW + HOUR_MS,
    ...entry,
  });
  index.add(entries.map(whole));
  return {
    index,
    add: (...more: readonly Partial<StoredRevocation>[]) => index.add(more.map(whole)),
    find: (claims: JsonObject) => index.find({ iss: ISSUER, iat: NOW / 1000 - 60, ...claims }),
    pass: (lengthMs: number) => {
      nowMs += lengthMs;
      passedMs += lengthMs;
    },
    /** Sets the clock: no time passes. */
    set: (lengthMs: number) => {
      nowMs += lengthMs;
    },
  };
}

describe('a revocation ends the tokens that it names', () => {
  const all = indexOf([
    { jti: 'j' },
    { sid: 's' },
    { sub: 'u', issuedBefore: NOW },
    { client: 'c', issuedBefore: NOW },
    { issuer: 'https://other.test', issuedBefore: NOW },
  ]);
  it.each<[string, JsonObject, string | undefined]>([
    ['its jti', { jti: 'j' }, 'jti'],
    ['its sid', { sid: 's' }, 'sid'],
    ['its sub', { sub: 'u' }, 'sub'],
    ['client_id', { client_id: 'c' }, 'client'],
    ['azp', { azp: 'c' }, 'client'],
    ['azp next to another client_id', { client_id: 'd', azp: 'c' }, 'client'],
    ['any token of an issuer', { iss: 'https://other.test', jti: 'k' }, 'issuer'],
    ['another jti', { jti: 'k' }, undefined],
    ['no jti', {}, undefined],
    ['the same jti of another issuer', { iss: 'https://third.test', jti: 'j' }, undefined],
    ['the id of another kind', { sub: 'j', sid: 'u', jti: 's', client_id: 'j' }, undefined],
    ['a jti that is a list', { jti: ['j'] }, undefined],
    ['a sid that is an object', { sid: { toString: 'x' } }, undefined],
    ['an iss that is a list', { iss: [ISSUER], jti: 'j' }, 'jti'],
  ])('%s', (_name, claims, found) => {
    expect(all.find(claims)).toBe(found);
  });

  it('a token without iss may be from any issuer', () => {
    const { index } = indexOf([{ jti: 'j' }, { issuer: '', jti: 'k' }]);
    expect(index.find({ jti: 'j' })).toBe('jti');
    expect(index.find({ jti: 'k' })).toBe('jti');
    expect(index.find({ jti: 'l' })).toBeUndefined();
    expect(index.find({ iss: ISSUER, jti: 'k' })).toBeUndefined();
  });

  it('inherited members are not claims', () => {
    const { index } = indexOf([{ jti: 'j' }]);
    expect(index.find(Object.create({ iss: ISSUER, jti: 'j' }))).toBeUndefined();
  });
});

describe('the time of issue', () => {
  const second = NOW / 1000;
  it.each<[string, number, unknown, boolean]>([
    ['a second before', NOW, second - 1, true],
    ['the same second, at its start', NOW, second, true],
    ['the same second, at its end', NOW + 999, second, true],
    ['a fraction of the same second', NOW, second + 0.999, true],
    ['the next second', NOW + 999, second + 1, false],
    ['no iat', NOW, undefined, true],
    ['an iat that is a text', NOW, String(second + 60), true],
    ['an iat that is null', NOW, null, true],
  ])('%s', (_name, issuedBefore, iat, isEnded) => {
    const { index } = indexOf([{ sub: 'u', issuedBefore }]);
    const claims = { iss: ISSUER, sub: 'u', ...(iat !== undefined && { iat: iat as number }) };
    expect(index.find(claims)).toBe(isEnded ? 'sub' : undefined);
  });

  it('does not count for a jti', () => {
    expect(indexOf([{ jti: 'j' }]).find({ jti: 'j', iat: second + 1e6 })).toBe('jti');
  });
});

describe('how long it remembers', () => {
  it('a token is found for as long as a clock skew of 60s lets it pass', () => {
    const { find, pass, index } = indexOf([{ jti: 'j' }]);
    pass(HOUR_MS + 59_999);
    expect(find({ jti: 'j' })).toBe('jti');
    // An hour longer, because the clock may have been wrong.
    pass(HOUR_MS + 120_001);
    expect(find({ jti: 'j' })).toBeUndefined();
    expect(index.size()).toBe(0);
  });

  it('an entry whose time has been over for an hour is not added', () => {
    const { find } = indexOf([{ jti: 'j', until: NOW - HOUR_MS - 60_001 }]);
    expect(find({ jti: 'j' })).toBeUndefined();
  });

  it('of two revocations of one id, the later times count', () => {
    const { find, add, pass } = indexOf([{ sub: 'u', issuedBefore: NOW, until: NOW + HOUR_MS }]);
    add({ sub: 'u', issuedBefore: NOW + 60_000, until: NOW + 1000 });
    expect(find({ sub: 'u', iat: NOW / 1000 + 60 })).toBe('sub');
    pass(HOUR_MS);
    expect(find({ sub: 'u', iat: NOW / 1000 + 60 })).toBe('sub');
    add({ sub: 'u', issuedBefore: NOW, until: NOW + 3 * HOUR_MS });
    pass(HOUR_MS);
    expect(find({ sub: 'u', iat: NOW / 1000 + 60 })).toBe('sub');
    pass(3 * HOUR_MS);
    expect(find({ sub: 'u' })).toBeUndefined();
  });

  it('a clock that goes back forgets nothing', () => {
    const { find, pass, set } = indexOf([{ jti: 'j' }]);
    pass(HOUR_MS / 2);
    find({});
    set(-HOUR_MS);
    expect(find({ jti: 'j' })).toBe('jti');
  });

  it.each([HOUR_MS + 60_001, 25 * HOUR_MS])(
    'a clock that is %s ms ahead for a while ends nothing',
    (ahead) => {
      const { index, find, pass, set, add } = indexOf([{ jti: 'j' }]);
      set(ahead);
      find({});
      index.size();
      add({ jti: 'k', until: NOW + 26 * HOUR_MS });
      pass(60_000);
      find({});
      set(-ahead);
      expect([find({ jti: 'j' }), find({ jti: 'k' })]).toEqual(['jti', 'jti']);
      pass(24 * HOUR_MS);
      expect([find({ jti: 'j' }), find({ jti: 'k' })]).toEqual([undefined, 'jti']);
    },
  );

  it('the end of many entries is spread over several calls, and all of them end', () => {
    const many = Array.from({ length: 5000 }, (_, index) => ({ jti: `j${index}` }));
    const { index, find, pass } = indexOf(many, 5000);
    pass(3 * HOUR_MS);
    find({});
    const left = index.size();
    expect(left).toBeGreaterThan(0);
    for (let calls = 0; calls < 5; calls++) find({});
    expect(index.size()).toBe(0);
  });

  it('replace forgets what is not in the new list', () => {
    const { index, find } = indexOf([{ jti: 'j' }]);
    index.replace([{ issuer: ISSUER, jti: 'k', until: NOW + HOUR_MS }]);
    expect([find({ jti: 'j' }), find({ jti: 'k' }), index.size()]).toEqual([undefined, 'jti', 1]);
  });
});

describe('the bound', () => {
  it('nothing is forgotten for an entry that does not fit, until that has ended', () => {
    const { index, find, add, pass } = indexOf([{ jti: 'a' }, { jti: 'b' }], 2);
    expect(index.isOverfull()).toBe(false);
    add({ jti: 'c', until: NOW + 2 * HOUR_MS });
    expect(index.isOverfull()).toBe(true);
    expect([find({ jti: 'a' }), find({ jti: 'b' })]).toEqual(['jti', 'jti']);
    add({ jti: 'a', until: NOW + HOUR_MS });
    pass(2 * HOUR_MS);
    expect(index.isOverfull()).toBe(true);
    pass(HOUR_MS + 60_000);
    expect(index.isOverfull()).toBe(false);
  });

  it('entries that have ended make room', () => {
    const { index, find, add, pass } = indexOf([{ jti: 'a' }, { jti: 'b' }], 2);
    pass(3 * HOUR_MS);
    add({ jti: 'c', until: NOW + 4 * HOUR_MS });
    expect([find({ jti: 'c' }), index.isOverfull(), index.size()]).toEqual(['jti', false, 1]);
  });

  it('a list that fits ends it', () => {
    const { index, add } = indexOf([{ jti: 'a' }], 1);
    add({ jti: 'b' });
    index.replace([{ issuer: ISSUER, jti: 'b', until: NOW + HOUR_MS }]);
    expect(index.isOverfull()).toBe(false);
  });
});
