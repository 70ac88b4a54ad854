// The registered claims: times to the millisecond, audience, and the types of everything that says
// who somebody is.
import { describe, expect, it } from 'vitest';
import {
  judgeRegisteredClaims,
  type RegisteredClaimsPolicy,
  registeredChecks,
  validityOf,
} from '../../src/claims/registered.ts';
import type { JsonObject } from '../../src/values/json.ts';

const NOW = 1_800_000_000;
const AUDIENCE = 'https://api.example.com';
const POLICY: RegisteredClaimsPolicy = { audience: null, clockSkewMs: 0, requireExp: false };

/** The code of a refusal; undefined if there was none. */
function codeOf(
  claims: unknown,
  policy: Partial<RegisteredClaimsPolicy> = {},
  nowMs = NOW * 1000,
): string | undefined {
  const checks = registeredChecks({ ...POLICY, ...policy });
  return judgeRegisteredClaims(checks, claims as JsonObject, nowMs)?.code;
}

const SKEWS = [0, 5_000, 60_000] as const;

describe('boundaries', () => {
  it.each(
    SKEWS.flatMap(
      (skew) =>
        [
          [skew, -1, undefined],
          [skew, 0, 'token_expired'],
          [skew, 1, 'token_expired'],
        ] as const,
    ),
  )('T-058: exp with a skew of %i ms, %i ms from the end: %s', (clockSkewMs, offset, code) => {
    expect(codeOf({ exp: NOW }, { clockSkewMs }, NOW * 1000 + clockSkewMs + offset)).toBe(code);
  });

  it.each(
    SKEWS.flatMap(
      (skew) =>
        [
          [skew, -1, 'token_not_yet_valid'],
          [skew, 0, undefined],
          [skew, 1, undefined],
        ] as const,
    ),
  )('AM-8: nbf with a skew of %i ms, %i ms from the start: %s', (clockSkewMs, offset, code) => {
    expect(codeOf({ nbf: NOW }, { clockSkewMs }, NOW * 1000 - clockSkewMs + offset)).toBe(code);
  });

  it.each(
    SKEWS.flatMap(
      (skew) =>
        [
          [skew, -1, 'token_not_yet_valid'],
          [skew, 0, undefined],
          [skew, 1, undefined],
        ] as const,
    ),
  )('T-059: iat with a skew of %i ms, %i ms from now: %s', (clockSkewMs, offset, code) => {
    expect(codeOf({ iat: NOW }, { clockSkewMs }, NOW * 1000 - clockSkewMs + offset)).toBe(code);
  });

  it.each([
    [NOW + 0.5, 499, undefined],
    [NOW + 0.5, 500, 'token_expired'],
    [NOW + 0.001, 0, undefined],
    [NOW + 0.001, 1, 'token_expired'],
  ])('T-058: a fraction of a second counts: exp %d, %i ms later: %s', (exp, offset, code) => {
    expect(codeOf({ exp }, {}, NOW * 1000 + offset)).toBe(code);
  });

  it.each([
    [NOW - 0.5, -501, 'token_not_yet_valid'],
    [NOW - 0.5, -500, undefined],
  ])('AM-8: a fraction of a second counts: nbf %d, %i ms from now: %s', (nbf, offset, code) => {
    expect(codeOf({ nbf }, {}, NOW * 1000 + offset)).toBe(code);
  });

  it.each([2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32, 2 ** 32 + 1])(
    'T-060: exp %i is a time like any other',
    (exp) => {
      expect(codeOf({ exp }, {}, exp * 1000 - 1)).toBeUndefined();
      expect(codeOf({ exp }, {}, exp * 1000)).toBe('token_expired');
    },
  );

  it('AM-20: nbf and iat are judged each on its own', () => {
    expect(codeOf({ nbf: NOW, iat: NOW + 1 })).toBe('token_not_yet_valid');
    expect(codeOf({ nbf: NOW + 1, iat: NOW })).toBe('token_not_yet_valid');
    expect(codeOf({ nbf: NOW, iat: NOW })).toBeUndefined();
  });

  it.each([
    [NOW - 10, NOW - 10, undefined],
    [NOW - 10, NOW - 10.001, 'token_claims_invalid'],
    [NOW - 10, NOW - 9.999, undefined],
  ])('T-059: iat %d with exp %d: %s', (iat, exp, code) => {
    expect(codeOf({ iat, exp }, { clockSkewMs: 60_000 })).toBe(code);
  });

  it('T-059: a skew does not allow iat after exp', () => {
    expect(codeOf({ iat: NOW + 2, exp: NOW + 1 }, { clockSkewMs: 5_000 })).toBe('token_claims_invalid');
  });

  it('T-058: expired comes before every other fault', () => {
    const claims = { exp: NOW, nbf: NOW + 1, iat: NOW + 1, sub: 5, aud: 'other' };
    expect(codeOf(claims, { audience: new Set([AUDIENCE]) })).toBe('token_expired');
  });
});

describe('exp is required', () => {
  it('T-057: unless the policy says otherwise', () => {
    expect(codeOf({}, { requireExp: true })).toBe('token_claims_invalid');
    expect(codeOf({}, { requireExp: false })).toBeUndefined();
  });

  it('T-014: an inherited exp is none', () => {
    expect(codeOf(Object.create({ exp: NOW + 1 }), { requireExp: true })).toBe('token_claims_invalid');
    expect(codeOf(JSON.parse(`{"__proto__":{"exp":${NOW + 1}}}`), { requireExp: true })).toBe(
      'token_claims_invalid',
    );
  });

  it('S29: what is there is judged although it need not be there', () => {
    expect(codeOf({ exp: NOW }, { requireExp: false })).toBe('token_expired');
    expect(codeOf({ exp: 'x' }, { requireExp: false })).toBe('token_claims_invalid');
  });
});

describe('types of times', () => {
  const notTimes: readonly (readonly [string, unknown])[] = [
    ['null', null],
    ['false', false],
    ['true', true],
    ['an empty string', ''],
    ['a string', String(NOW + 60)],
    ['text', 'tomorrow'],
    ['an ISO date', '2099-01-01T00:00:00Z'],
    ['an array', [NOW + 60]],
    ['an empty array', []],
    ['an object', {}],
    ['NaN', Number.NaN],
    ['the string NaN', 'NaN'],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['-1', -1],
    ['a small negative fraction', -1e-9],
    ['1e20', 1e20],
    ['2^33', 2 ** 33],
    ['2^53 + 1', 2 ** 53 + 1],
    ['milliseconds', NOW * 1000],
  ];

  it.each(
    (['exp', 'nbf', 'iat'] as const).flatMap((name) =>
      notTimes.map(([what, value]) => [name, what, value] as const),
    ),
  )('T-057, T-059: refuses %s that is %s', (name, _, value) => {
    expect(codeOf({ exp: NOW + 60, [name]: value })).toBe('token_claims_invalid');
  });

  it.each([0, -0])('T-057: exp %d has passed', (exp) => {
    expect(codeOf({ exp })).toBe('token_expired');
  });

  it('T-057: the last second before 2^33 is a time', () => {
    expect(codeOf({ exp: 2 ** 33 - 1 })).toBeUndefined();
  });

  it.each(['nbf', 'iat'])('T-059: %s 0 is a time', (name) => {
    expect(codeOf({ [name]: 0 })).toBeUndefined();
  });
});

describe('audience', () => {
  const ours = { audience: new Set([AUDIENCE, 'second']) };

  it.each<[string, unknown]>([
    ['the one', AUDIENCE],
    ['another own audience', 'second'],
    ['a list of one', [AUDIENCE]],
    ['a list that has ours last', ['other', 'third', AUDIENCE]],
    ['a list that has both', [AUDIENCE, 'second']],
    ['a list that has ours twice', [AUDIENCE, AUDIENCE]],
  ])('S25: accepts %s', (_, aud) => {
    expect(codeOf({ aud }, ours)).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ['null', null],
    ['an empty string', ''],
    ['an empty list', []],
    ['a list in a list', [[AUDIENCE]]],
    ['an object with an index', { 0: AUDIENCE }],
    ['an object that looks like a list', { 0: AUDIENCE, length: 1 }],
    ['a number', 5],
    ['true', true],
    ['a list with a number too', [AUDIENCE, 1]],
    ['a list with null too', [AUDIENCE, null]],
    ['a list with an empty string too', [AUDIENCE, '']],
    ['a list with an object too', [{}, AUDIENCE]],
    ['a list of null', [null]],
    ['a list of an empty string', ['']],
  ])('T-054: refuses %s', (_, aud) => {
    expect(codeOf({ aud }, ours)).toBe('token_audience_mismatch');
  });

  it('T-054: an empty list is no audience, also for a policy that asks for all of none', () => {
    const checks = registeredChecks({ ...POLICY, ...ours });
    expect(judgeRegisteredClaims(checks, { aud: [] }, NOW * 1000)?.detail).toBe(
      `aud: expected ${AUDIENCE}, second, got an empty list`,
    );
    const none = { audience: new Set<string>(), audienceMatch: 'all' } as const;
    expect(codeOf({ aud: [] }, none)).toBe('token_audience_mismatch');
    expect(codeOf({}, none)).toBe('token_audience_mismatch');
  });

  it('T-054: refuses a token without aud', () => {
    expect(codeOf({}, ours)).toBe('token_audience_mismatch');
  });

  it('T-014: an inherited aud is none', () => {
    expect(codeOf(Object.create({ aud: AUDIENCE }), ours)).toBe('token_audience_mismatch');
  });

  it.each([
    ['another one', 'https://other.example.com'],
    ['a prefix', 'https://api.example'],
    ['an extension', `${AUDIENCE}.evil.example`],
    ['a substring', 'api.example.com'],
    ['a path below', `${AUDIENCE}/v1`],
    ['a trailing slash', `${AUDIENCE}/`],
    ['another case', 'https://API.example.com'],
    ['a default port', 'https://api.example.com:443'],
    ['another scheme', 'http://api.example.com'],
    ['user information', 'https://x@api.example.com'],
    ['an encoded dot', 'https://api%2Eexample.com'],
    ['a space before', ` ${AUDIENCE}`],
    ['a line break after', `${AUDIENCE}\n`],
    ['a space-delimited list', `${AUDIENCE} second`],
    ['a comma-delimited list', `${AUDIENCE},second`],
    ['a wildcard', '*'],
    ['a wildcard host', 'https://*.example.com'],
    ['a full stop that is another one', 'https://api\u2024example.com'],
    ['a Cyrillic letter', 'https://\u0430pi.example.com'],
    ['a zero-width space', 'https://api.example.com\u200b'],
  ])('T-055: refuses %s', (_, aud) => {
    expect(codeOf({ aud }, ours)).toBe('token_audience_mismatch');
    expect(codeOf({ aud: [aud] }, ours)).toBe('token_audience_mismatch');
  });

  it('T-055: code points are compared, not what they look like', () => {
    expect(codeOf({ aud: 'e\u0301' }, { audience: new Set(['\u00e9']) })).toBe('token_audience_mismatch');
    expect(codeOf({ aud: '\u00e9' }, { audience: new Set(['\u00e9']) })).toBeUndefined();
  });

  it.each<[unknown]>([[undefined], [null], [''], [[]], ['anything'], [5]])(
    'S25: with audience null, aud %j is not looked at',
    (aud) => {
      expect(codeOf(aud === undefined ? {} : { aud }, { audience: null })).toBeUndefined();
    },
  );
});

describe('a token bound to a key', () => {
  it.each([undefined, false] as const)(
    'T-072: is refused where acceptSenderConstrained is %s',
    (acceptSenderConstrained) => {
      for (const cnf of [{ jkt: 'x' }, {}, null, false, ''])
        expect(codeOf({ cnf }, { acceptSenderConstrained })).toBe('token_claims_invalid');
    },
  );

  it('T-072: is accepted where the policy says true', () => {
    expect(codeOf({ cnf: { jkt: 'x' } }, { acceptSenderConstrained: true })).toBeUndefined();
  });

  it('T-014: an inherited cnf binds nothing', () => {
    expect(codeOf(Object.create({ cnf: {} }))).toBeUndefined();
  });
});

describe('a security event token', () => {
  const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

  it.each<[unknown]>([[{ [EVENT]: {} }], [{ [EVENT]: null }], [{}]])(
    'RFC 8417: events %j is refused as an access token',
    (events) => {
      expect(codeOf({ events })).toBe('token_claims_invalid');
    },
  );

  it.each<[unknown]>([[[]], [['party']], ['party'], ['https://api.example.com/events'], [5], [true], [null]])(
    'events %j is a claim of the application',
    (events) => {
      expect(codeOf({ events })).toBeUndefined();
    },
  );

  it.each<[unknown]>([[undefined], [null], [[]], ['party'], [5]])(
    'RFC 8417: events %j is refused where the token has to be one',
    (events) => {
      expect(codeOf({ events }, { isSecurityEvent: true })).toBe('token_claims_invalid');
      expect(codeOf({ events: { [EVENT]: {} } }, { isSecurityEvent: true })).toBeUndefined();
    },
  );

  it('T-014: an inherited events claim is none', () => {
    expect(codeOf(Object.create({ events: {} }))).toBeUndefined();
    expect(codeOf(Object.create({ events: {} }), { isSecurityEvent: true })).toBe('token_claims_invalid');
  });
});

describe('who it is', () => {
  const names = ['sub', 'jti', 'client_id', 'azp', 'sid'] as const;

  it.each(
    names.flatMap((name) =>
      [5, 0, true, false, null, [], ['alice'], {}, { sub: 'alice' }, ''].map(
        (value) => [name, value] as const,
      ),
    ),
  )('T-062: refuses %s: %j', (name, value) => {
    expect(codeOf({ [name]: value })).toBe('token_claims_invalid');
  });

  it.each(names)('T-062: accepts a token without %s, and with one', (name) => {
    expect(codeOf({})).toBeUndefined();
    expect(codeOf({ [name]: 'alice' })).toBeUndefined();
  });

  it('RFC 8693 §4.1: refuses an act that names no subject, with the kind of what is there', () => {
    expect(codeOf({ act: { sub: 'gateway' } })).toBeUndefined();
    for (const act of [null, 'gateway', [], {}, { iss: 'i' }, { sub: '\n' }, { sub: 'a', act: { sub: 5 } }])
      expect(codeOf({ act })).toBe('token_claims_invalid');
  });

  it('T-014: claims named like members of every object are only claims', () => {
    expect(codeOf(JSON.parse('{"__proto__":{"sub":5},"constructor":5,"toString":5}'))).toBeUndefined();
  });
});

describe('who and when', () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY])('T-060: a clock that says %s lets nothing pass', (now) => {
    expect(() => codeOf({ exp: NOW }, {}, now)).toThrow(TypeError);
  });

  it.each(
    ['sub', 'jti', 'client_id', 'azp', 'sid'].flatMap((name) =>
      [' ', '\n', 'a\r\nb', 'a\u0000', '\u0085'].map((value) => [name, value]),
    ),
  )('T-062: %s as %j is token_claims_invalid', (name, value) => {
    expect(codeOf({ [name]: value })).toBe('token_claims_invalid');
  });
});

describe('the names of subjects, tokens and clients', () => {
  it.each(['alice', 'Jos\u00e9 Garc\u00eda', 'a b', '\u5c71\u7530', ' padded '])(
    'T-062: %j is one that can be used',
    (sub) => {
      expect(codeOf({ sub, jti: sub, client_id: sub })).toBeUndefined();
    },
  );
});

describe('the order of checks', () => {
  const counted = () => {
    const asked: string[] = [];
    const checks = registeredChecks({ ...POLICY, requireExp: true, audience: new Set([AUDIENCE]) }).map(
      (check) => ({
        ...check,
        judge: (...given: Parameters<typeof check.judge>) => {
          asked.push(check.claim);
          return check.judge(...given);
        },
      }),
    );
    return { asked, checks };
  };

  it('ends with the first refusal', () => {
    const { asked, checks } = counted();
    expect(judgeRegisteredClaims(checks, {}, NOW * 1000)?.detail).toBe('exp is missing');
    expect(asked).toEqual(['exp', 'nbf', 'iat', 'exp']);
  });

  it('tells all of them to a note, and the first refusal counts', () => {
    const { asked, checks } = counted();
    const noted: string[] = [];
    const refusal = judgeRegisteredClaims(checks, {}, NOW * 1000, ({ claim }, found) => {
      if (found !== undefined) noted.push(claim);
    });
    expect(refusal?.detail).toBe('exp is missing');
    expect(asked).toHaveLength(checks.length);
    expect(noted).toEqual(['exp', 'aud']);
  });
});

describe('what is expected, in words', () => {
  const textOf = (claim: string, policy: Partial<RegisteredClaimsPolicy>) =>
    registeredChecks({ ...POLICY, ...policy })
      .filter((check) => check.claim === claim)
      .at(-1)
      ?.expected('now');

  it.each<[string, Partial<RegisteredClaimsPolicy>, string]>([
    ['exp', { requireExp: true }, 'after now, give or take 0 s'],
    ['exp', { requireExp: false, clockSkewMs: 5_000 }, 'if present: after now, give or take 5 s'],
    ['iat', {}, 'not after now or exp, give or take 0 s'],
    ['iat', { maxTokenAgeMs: 60_000 }, 'not after now or exp, give or take 0 s, and not older than 60 s'],
    ['aud', { audience: new Set(['a', 'b']) }, 'one of ["a","b"]'],
    ['aud', { audience: new Set(['a', 'b']), audienceMatch: 'all' }, 'all of ["a","b"]'],
    ['aud', { audience: null }, 'one of []'],
  ])('%s by %j: %s', (claim, policy, text) => {
    expect(textOf(claim, policy)).toBe(text);
  });
});

describe('T-144: how long what was accepted is accepted again', () => {
  const end = Number.POSITIVE_INFINITY;

  it.each<[JsonObject, Partial<RegisteredClaimsPolicy>, number, number]>([
    [{}, {}, 0, end],
    [{ exp: 100 }, {}, 0, 100_000],
    [{ exp: 100 }, { clockSkewMs: 5 }, -5, 100_005],
    [{ nbf: 10 }, {}, 10_000, end],
    [{ iat: 10 }, {}, 10_000, end],
    [{ nbf: 10, iat: 20 }, {}, 20_000, end],
    [{ nbf: 20, iat: 10 }, { clockSkewMs: 5 }, 19_995, end],
    [{ iat: 10 }, { maxTokenAgeMs: 7 }, 10_000, 10_007],
    [{ iat: 10, exp: 100 }, { maxTokenAgeMs: 7, clockSkewMs: 5 }, 9_995, 10_012],
    [{ iat: 10, exp: 10.001 }, { maxTokenAgeMs: 7 }, 10_000, 10_001],
    [{ exp: 100 }, { maxTokenAgeMs: 7 }, 0, 100_000],
  ])('%j by %j: from %i to %d', (claims, policy, fromMs, untilMs) => {
    expect(validityOf(claims, { ...POLICY, ...policy })).toEqual({ fromMs, untilMs });
  });
});
