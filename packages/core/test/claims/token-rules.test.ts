// What options ask of every token in addition to a route's rules: times, age, audiences, profile,
// cnf and rules for every token.
import { createClock, generateSigningKey, type MintClaims, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Rules } from '../../src/claims/rules.ts';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { AuthError, isAuthError } from '../../src/errors.ts';
import { given } from '../support/defined.ts';

const AUDIENCE = 'https://api.example.com';
const ISSUER = 'https://issuer.example';
const NOW = 1_700_000_000;

let key: SigningKey;
beforeAll(async () => {
  key = await generateSigningKey();
});

type Options = Partial<Omit<AuthenticatorOptions, 'keySets' | 'clock'>>;

/** The refusal of such a token, `atMs` after NOW; `accepted` if there is none. */
async function verified(
  options: Options,
  claims: MintClaims,
  { atMs = 0, typ, rules }: { atMs?: number; typ?: string | undefined; rules?: Rules } = {},
): Promise<string> {
  const authenticator = createAuthenticator({
    keySets: [{ issuer: ISSUER, jwks: { keys: [key.publicJwk] } }],
    audience: AUDIENCE,
    clock: createClock(NOW * 1000 + atMs),
    ...options,
  });
  const all = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: NOW + 300, ...claims };
  const token = await mint(key, all, typ === undefined ? {} : { typ });
  try {
    await authenticator.verify(token, ...given(rules));
    return 'accepted';
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return error.code;
  }
}

describe('AM-20: treatIatAsNbf', () => {
  it.each<[string, MintClaims, number, string]>([
    ['iat now', { iat: NOW }, 0, 'accepted'],
    ['no iat', {}, 0, 'token_claims_invalid'],
    ['iat null', { iat: null }, 0, 'token_claims_invalid'],
    ['iat as text', { iat: String(NOW) }, 0, 'token_claims_invalid'],
    ['iat ahead by the skew', { iat: NOW + 5 }, 0, 'accepted'],
    ['iat ahead by the skew, a millisecond early', { iat: NOW + 5 }, -1, 'token_not_yet_valid'],
    ['nbf instead of iat', { nbf: NOW - 60 }, 0, 'token_claims_invalid'],
    ['both good', { iat: NOW, nbf: NOW }, 0, 'accepted'],
    ['iat good, nbf ahead', { iat: NOW - 60, nbf: NOW + 60 }, 0, 'token_not_yet_valid'],
    ['nbf good, iat ahead', { iat: NOW + 60, nbf: NOW - 60 }, 0, 'token_not_yet_valid'],
  ])('AM-20: %s, at %i ms', async (_, claims, atMs, expected) => {
    expect(await verified({ treatIatAsNbf: true }, claims, { atMs })).toBe(expected);
  });

  it('AM-20: without it iat may be absent', async () => {
    expect(await verified({}, {})).toBe('accepted');
    expect(await verified({ treatIatAsNbf: false }, {})).toBe('accepted');
  });

  it('AM-20: nbf may be required too', async () => {
    const options = { treatIatAsNbf: true, claims: [{ name: 'nbf', required: true }] };
    expect(await verified(options, { iat: NOW })).toBe('token_claims_invalid');
    expect(await verified(options, { iat: NOW, nbf: NOW })).toBe('accepted');
    expect(await verified(options, { nbf: NOW })).toBe('token_claims_invalid');
  });
});

describe('AM-19, T-061: maxTokenAge', () => {
  it.each<[string, string, number, string]>([
    ['10m', '0s', 600_000 - 1, 'accepted'],
    ['10m', '0s', 600_000, 'token_expired'],
    ['10m', '0s', 600_001, 'token_expired'],
    ['10m', '5s', 605_000 - 1, 'accepted'],
    ['10m', '5s', 605_000, 'token_expired'],
    ['1500ms', '0s', 1_499, 'accepted'],
    ['1500ms', '0s', 1_500, 'token_expired'],
    ['0s', '0s', 0, 'token_expired'],
    ['0s', '0s', 1, 'token_expired'],
    ['0s', '5s', 4_999, 'accepted'],
    ['0s', '5s', 5_000, 'token_expired'],
  ])('T-061: age %s, skew %s, %i ms after iat: %s', async (maxTokenAge, clockSkew, atMs, expected) => {
    const claims = { iat: NOW, exp: NOW + 3_600 };
    expect(await verified({ maxTokenAge, clockSkew }, claims, { atMs })).toBe(expected);
  });

  it.each<[string, MintClaims]>([
    ['missing', {}],
    ['null', { iat: null }],
    ['a text', { iat: String(NOW) }],
    ['in milliseconds', { iat: NOW * 1000 }],
    ['negative', { iat: -1 }],
  ])('T-061: iat that is %s has no age', async (_, claims) => {
    expect(await verified({ maxTokenAge: '10m' }, claims)).toBe('token_claims_invalid');
    expect(await verified({ maxTokenAge: '0s' }, claims)).toBe('token_claims_invalid');
  });

  it('AM-19: exp ends a token before its age does, and age before exp', async () => {
    const claims = { iat: NOW, exp: NOW + 60 };
    expect(await verified({ maxTokenAge: '10m' }, claims, { atMs: 65_000 })).toBe('token_expired');
    expect(await verified({ maxTokenAge: '10s' }, claims, { atMs: 15_000 })).toBe('token_expired');
    expect(await verified({ maxTokenAge: '10s' }, claims, { atMs: 14_999 })).toBe('accepted');
  });

  it('S29: age also ends a token without exp', async () => {
    const options = { requireExp: false, maxTokenAge: '10s', clockSkew: '0s' };
    expect(await verified(options, { iat: NOW, exp: undefined }, { atMs: 9_999 })).toBe('accepted');
    expect(await verified(options, { iat: NOW, exp: undefined }, { atMs: 10_000 })).toBe('token_expired');
  });
});

describe('AM-7, AM-8, AM-17: one millisecond either side', () => {
  it.each<[string, MintClaims, string, number, string]>([
    ['exp', { exp: NOW }, '0s', -1, 'accepted'],
    ['exp', { exp: NOW }, '0s', 0, 'token_expired'],
    ['exp', { exp: NOW }, '0s', 1, 'token_expired'],
    ['exp', { exp: NOW }, '5s', 4_999, 'accepted'],
    ['exp', { exp: NOW }, '5s', 5_000, 'token_expired'],
    ['exp', { exp: NOW }, '60s', 59_999, 'accepted'],
    ['exp', { exp: NOW }, '60s', 60_000, 'token_expired'],
    ['exp', { exp: NOW + 0.5 }, '0s', 499, 'accepted'],
    ['exp', { exp: NOW + 0.5 }, '0s', 500, 'token_expired'],
    ['nbf', { nbf: NOW }, '0s', -1, 'token_not_yet_valid'],
    ['nbf', { nbf: NOW }, '0s', 0, 'accepted'],
    ['nbf', { nbf: NOW }, '5s', -5_001, 'token_not_yet_valid'],
    ['nbf', { nbf: NOW }, '5s', -5_000, 'accepted'],
    ['iat', { iat: NOW }, '0s', -1, 'token_not_yet_valid'],
    ['iat', { iat: NOW }, '0s', 0, 'accepted'],
    ['iat', { iat: NOW }, '5s', -5_001, 'token_not_yet_valid'],
    ['iat', { iat: NOW }, '5s', -5_000, 'accepted'],
  ])('AM-6, AM-17: %s %j, skew %s, at %i ms: %s', async (_, claims, clockSkew, atMs, expected) => {
    expect(await verified({ clockSkew }, claims, { atMs })).toBe(expected);
  });
});

describe('S29: requireExp', () => {
  it.each<[boolean | undefined, MintClaims, string]>([
    [undefined, { exp: undefined }, 'token_claims_invalid'],
    [true, { exp: undefined }, 'token_claims_invalid'],
    [false, { exp: undefined }, 'accepted'],
    [false, { exp: NOW + 1 }, 'accepted'],
    [false, { exp: NOW - 6 }, 'token_expired'],
    [false, { exp: null }, 'token_claims_invalid'],
    [false, { exp: String(NOW + 300) }, 'token_claims_invalid'],
    [false, { exp: false }, 'token_claims_invalid'],
    [false, { exp: undefined, nbf: NOW + 60 }, 'token_not_yet_valid'],
  ])('S29: requireExp %s and %j: %s', async (requireExp, claims, expected) => {
    expect(await verified(requireExp === undefined ? {} : { requireExp }, claims)).toBe(expected);
  });

  it('AM-17, S29: a row can require it again, and an empty list of rows does not relax it', async () => {
    const rows = [{ name: 'exp', required: true }];
    expect(await verified({ requireExp: false, claims: rows }, { exp: undefined })).toBe(
      'token_claims_invalid',
    );
    expect(await verified({ claims: [{ name: 'exp', required: false }] }, { exp: undefined })).toBe(
      'token_claims_invalid',
    );
    expect(await verified({ claims: [{ name: 'exp', required: false }] }, { exp: NOW - 6 })).toBe(
      'token_expired',
    );
  });
});

describe('maxLifetime', () => {
  it.each<[options: Options, claims: MintClaims, expected: string]>([
    [{ maxLifetime: '10m' }, { iat: NOW, exp: NOW + 600 }, 'accepted'],
    [{ maxLifetime: '10m' }, { iat: NOW, exp: NOW + 600.5 }, 'token_claims_invalid'],
    [{ maxLifetime: '10m' }, { iat: NOW - 3600, exp: NOW + 60 }, 'token_claims_invalid'],
    // The skew of clocks does not make a life longer.
    [{ maxLifetime: '10m', clockSkew: '60s' }, { iat: NOW, exp: NOW + 601 }, 'token_claims_invalid'],
    [{ maxLifetime: '10m' }, { exp: NOW + 60 }, 'token_claims_invalid'],
    [{ maxLifetime: '10m' }, { iat: NOW }, 'token_claims_invalid'],
    [{ maxLifetime: '1s' }, { iat: NOW, exp: NOW + 1 }, 'accepted'],
    // An expired token is told that it has expired.
    [{ maxLifetime: '10m' }, { iat: NOW - 7200, exp: NOW - 3600 }, 'token_expired'],
    [{}, { iat: NOW, exp: NOW + 10_000_000 }, 'accepted'],
  ])('%o, claims %o: %s', async (options, claims, expected) => {
    expect(await verified(options, { exp: undefined, ...claims })).toBe(expected);
  });
});

describe('S25: audMatch', () => {
  it.each<[Options, MintClaims[string], string]>([
    [{ audience: ['a', 'b'] }, 'a', 'accepted'],
    [{ audience: ['a', 'b'] }, ['x', 'b'], 'accepted'],
    [{ audience: ['a', 'b'] }, ['x'], 'token_audience_mismatch'],
    [{ audience: ['a', 'b'], audMatch: 'any' }, 'b', 'accepted'],
    [{ audience: ['a', 'b'], audMatch: 'all' }, 'a', 'token_audience_mismatch'],
    [{ audience: ['a', 'b'], audMatch: 'all' }, ['a'], 'token_audience_mismatch'],
    [{ audience: ['a', 'b'], audMatch: 'all' }, ['b', 'a'], 'accepted'],
    [{ audience: ['a', 'b'], audMatch: 'all' }, ['b', 'x', 'a'], 'accepted'],
    [{ audience: ['a', 'b'], audMatch: 'all' }, ['a', 'a'], 'token_audience_mismatch'],
    [{ audience: ['a', 'b'], audMatch: 'all' }, ['a', 'B'], 'token_audience_mismatch'],
    [{ audience: ['a', 'b'], audMatch: 'all' }, [], 'token_audience_mismatch'],
    [{ audience: ['a', 'b'], audMatch: 'all' }, undefined, 'token_audience_mismatch'],
    [{ audience: ['a', 'b'], audMatch: 'all' }, 'a b', 'token_audience_mismatch'],
    [{ audience: ['a', 'b'], audMatch: 'all' }, ['a', 'b', 5], 'token_audience_mismatch'],
    [{ audience: 'a', audMatch: 'all' }, 'a', 'accepted'],
    [{ audience: null, audMatch: 'all' }, undefined, 'accepted'],
    [{ audience: ['a', 'b'], audMatch: 'only' }, 'a', 'accepted'],
    [{ audience: ['a', 'b'], audMatch: 'only' }, ['b', 'a'], 'accepted'],
    [{ audience: ['a', 'b'], audMatch: 'only' }, ['a', 'a'], 'accepted'],
    [{ audience: ['a', 'b'], audMatch: 'only' }, ['a', 'x'], 'token_audience_mismatch'],
    [{ audience: ['a', 'b'], audMatch: 'only' }, ['x', 'a', 'b'], 'token_audience_mismatch'],
    [{ audience: ['a', 'b'], audMatch: 'only' }, 'x', 'token_audience_mismatch'],
    [{ audience: ['a', 'b'], audMatch: 'only' }, [], 'token_audience_mismatch'],
    [{ audience: ['a', 'b'], audMatch: 'only' }, ['a', ''], 'token_audience_mismatch'],
    [{ audience: ['a', 'b'], audMatch: 'only' }, undefined, 'token_audience_mismatch'],
    [{ audience: ['a', 'b'], audMatch: 'only' }, ['a', 5], 'token_audience_mismatch'],
    [{ audience: null, audMatch: 'only' }, ['x'], 'accepted'],
  ])('S25: %j on aud %j: %s', async (options, aud, expected) => {
    expect(await verified(options, { aud })).toBe(expected);
  });
});

describe('RFC 9068: profile at+jwt', () => {
  const options: Options = { profile: 'at+jwt' };
  const full: MintClaims = { client_id: 'app', iat: NOW, jti: 'j1' };

  it.each(['at+jwt', 'application/at+jwt', 'AT+JWT', 'Application/At+Jwt'])(
    'RFC 9068 §4: typ %s is accepted',
    async (typ) => {
      expect(await verified(options, full, { typ })).toBe('accepted');
    },
  );

  it.each(['JWT', 'jwt', 'at', 'logout+jwt', 'dpop+jwt'])('RFC 9068 §4: typ %j is refused', async (typ) => {
    expect(await verified(options, full, { typ })).toBe('token_type_refused');
  });

  it('RFC 9068 §4: no typ is refused', async () => {
    const authenticator = createAuthenticator({
      keySets: [{ issuer: ISSUER, jwks: { keys: [key.publicJwk] } }],
      audience: AUDIENCE,
      clock: createClock(NOW * 1000),
      profile: 'at+jwt',
    });
    const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: NOW + 300, ...full };
    await expect(authenticator.verify(await mint(key, claims, { typ: undefined }))).rejects.toMatchObject({
      code: 'token_type_refused',
    });
  });

  it.each<[string, string]>([
    ['iss', 'token_issuer_untrusted'],
    ['exp', 'token_claims_invalid'],
    ['aud', 'token_audience_mismatch'],
    ['sub', 'token_claims_invalid'],
    ['client_id', 'token_claims_invalid'],
    ['iat', 'token_claims_invalid'],
    ['jti', 'token_claims_invalid'],
  ])('RFC 9068 §2.2: without %s: refused', async (name, code) => {
    const codes = [
      await verified(options, { ...full, [name]: undefined }, { typ: 'at+jwt' }),
      await verified(options, { ...full, [name]: null }, { typ: 'at+jwt' }),
    ];
    // A claim that every token must have is told by its own check, or by that of the profile.
    for (const seen of codes) expect([code, 'token_claims_invalid']).toContain(seen);
  });

  it.each(['exp', 'aud', 'iss'])(
    'RFC 9068 §2.2: %s is required also where options let it be absent',
    async (name) => {
      const authenticator = createAuthenticator({
        keySets: [{ jwks: { keys: [key.publicJwk] } }],
        audience: null,
        requireExp: false,
        clock: createClock(NOW * 1000),
        profile: 'at+jwt',
      });
      const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: NOW + 300, ...full };
      const typ = { typ: 'at+jwt' };
      await expect(authenticator.verify(await mint(key, claims, typ))).resolves.toMatchObject({
        subject: 'alice',
      });
      const without = await mint(key, { ...claims, [name]: undefined }, typ);
      await expect(authenticator.verify(without)).rejects.toMatchObject({ code: 'token_claims_invalid' });
    },
  );
});

describe('T-072: tokens that are bound to a key', () => {
  it.each<[string, MintClaims[string]]>([
    ['jkt', { jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' }],
    ['x5t#S256', { 'x5t#S256': 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2' }],
    ['nothing', {}],
    ['null', null],
    ['false', false],
    ['an empty text', ''],
  ])('T-072: cnf of %s is refused as a bearer token', async (_, cnf) => {
    expect(await verified({}, { cnf })).toBe('token_claims_invalid');
    expect(await verified({ unsafeAcceptSenderConstrained: false }, { cnf })).toBe('token_claims_invalid');
    expect(await verified({ unsafeAcceptSenderConstrained: true }, { cnf })).toBe('accepted');
  });

  it('T-072: the unsafe option relaxes nothing else', async () => {
    const options = { unsafeAcceptSenderConstrained: true };
    expect(await verified(options, { cnf: {}, exp: NOW - 6 })).toBe('token_expired');
    expect(await verified(options, { cnf: {}, aud: 'x' })).toBe('token_audience_mismatch');
  });
});

describe('S32: rules for every token, and rules of a route', () => {
  it.each<[string, Options, MintClaims, Rules | undefined, string, number]>([
    ['a global rule', { claims: { dept: 'IT' } }, {}, undefined, 'token_claims_invalid', 401],
    ['a global rule on scope', { claims: { scope: 'a' } }, {}, undefined, 'token_claims_invalid', 401],
    ['a rule of the route', {}, {}, { dept: 'IT' }, 'claims_insufficient', 403],
    ['a scope of the route', {}, {}, { scope: 'a' }, 'scope_insufficient', 403],
    ['both', { claims: { dept: 'IT' } }, {}, { scope: 'a' }, 'token_claims_invalid', 401],
    ['exp before rules', { claims: { dept: 'IT' } }, { exp: NOW - 6 }, { scope: 'a' }, 'token_expired', 401],
    ['aud before rules', { claims: { dept: 'IT' } }, { aud: 'x' }, undefined, 'token_audience_mismatch', 401],
    [
      'a global row',
      { claims: [{ name: 'dept', required: true }] },
      {},
      undefined,
      'token_claims_invalid',
      401,
    ],
  ])('S32: %s', async (_, options, claims, rules, code, status) => {
    expect(await verified(options, claims, rules === undefined ? {} : { rules })).toBe(code);
    expect(new AuthError(code as AuthError['code']).status).toBe(status);
  });

  it('S32: what holds is accepted under both', async () => {
    const options = { claims: { dept: 'IT' } };
    expect(await verified(options, { dept: 'IT', scope: 'a b' }, { rules: { scope: 'b' } })).toBe('accepted');
    expect(await verified(options, { dept: 'IT', scope: 'a b' }, { rules: { scope: 'c' } })).toBe(
      'scope_insufficient',
    );
  });
});

describe('OK-3, OK-4: sub and groups', () => {
  it.each<[MintClaims, string]>([
    [{ sub: 'okera' }, 'accepted'],
    [{ sub: undefined }, 'token_claims_invalid'],
    [{ sub: null }, 'token_claims_invalid'],
    [{ sub: '' }, 'token_claims_invalid'],
    [{ sub: 5 }, 'token_claims_invalid'],
  ])('OK-3: sub that is required, %j: %s', async (claims, expected) => {
    expect(await verified({ claims: [{ name: 'sub', required: true }] }, claims)).toBe(expected);
  });

  it.each<[MintClaims[string], string]>([
    [['a', 'b'], 'accepted'],
    [[], 'accepted'],
    [null, 'accepted'],
    [undefined, 'accepted'],
    ['a', 'accepted'],
    [['a', 5], 'accepted'],
    [{}, 'accepted'],
  ])('OK-4: groups %j: %s', async (groups, expected) => {
    expect(await verified({}, { groups })).toBe(expected);
  });
});
