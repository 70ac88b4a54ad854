// What a keyset says of its own tokens: audience, rules, types, age, lifetime and profile, in place
// of the options for all keysets. Each is asked of tokens of the cache too.
import { createClock, generateSigningKey, type MintClaims, mint, type SigningKey } from '@latchkey/testing';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { ConfigError, type KeysetOptions, whenExpired } from '../../src/index.ts';
import { requestWith, startAuthenticator } from '../support/authenticators.ts';
import { outcome } from './kept.ts';

const NOW = 1_700_000_000;
const clock = createClock(NOW * 1000);
let one: SigningKey;
let two: SigningKey;
beforeAll(async () => {
  [one, two] = await Promise.all([generateSigningKey('ES256', 'one'), generateSigningKey('ES256', 'two')]);
});
beforeEach(() => {
  clock.set(NOW * 1000);
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

type Keyset = Partial<KeysetOptions>;
type Options = Partial<AuthenticatorOptions>;
type Header = { readonly [name: string]: string | undefined };

/** The keysets of the issuers `a` and `b`, with these options of their own. */
const keysets = (a: Keyset = {}, b: Keyset = {}) =>
  [
    { issuer: 'a', jwks: { keys: [one.publicJwk] }, ...a },
    { issuer: 'b', jwks: { keys: [two.publicJwk] }, ...b },
  ] as readonly KeysetOptions[];

const start = (a: Keyset = {}, b: Keyset = {}, options: Options = {}) =>
  startAuthenticator({
    keySets: keysets(a, b),
    audience: ['api-a', 'api-b'],
    clock,
    ...options,
  } as AuthenticatorOptions);

const tokenOf = (iss: 'a' | 'b', claims: MintClaims = {}, header: Header = {}) =>
  mint(
    iss === 'a' ? one : two,
    { iss, aud: `api-${iss}`, sub: 'alice', iat: NOW, exp: NOW + 300, ...claims },
    header,
  );

/** The outcomes of the same token three times: the last may come from the cache. */
async function thrice(authenticator: ReturnType<typeof start>, token: string): Promise<readonly string[]> {
  const outcomes: string[] = [];
  for (let count = 0; count < 3; count++)
    outcomes.push(await outcome(authenticator.authenticate(requestWith(token))));
  return [...new Set(outcomes)];
}

const MISMATCH = 'token_audience_mismatch';
const INVALID = 'token_claims_invalid';
const EXPIRED = 'token_expired';
const TYPE = 'token_type_refused';

const ROWS: readonly (readonly [
  what: string,
  a: Keyset,
  options: Options,
  claims: MintClaims,
  header: Header,
  expected: string,
])[] = [
  ['T-054: an audience of its own', { audience: 'api-a' }, {}, {}, {}, 'accepted'],
  ['T-054: the audience of the other', { audience: 'api-a' }, {}, { aud: 'api-b' }, {}, MISMATCH],
  ['T-054: both audiences', { audience: 'api-a' }, {}, { aud: ['api-b', 'api-a'] }, {}, 'accepted'],
  ['T-054: one that only it has', { audience: ['x', 'y'] }, {}, { aud: 'y' }, {}, 'accepted'],
  ['T-054: that of the options does not count', { audience: 'x' }, {}, {}, {}, MISMATCH],
  ['T-054: no audience', { audience: 'api-a' }, {}, { aud: undefined }, {}, MISMATCH],
  ['null: another audience', { audience: null }, {}, { aud: 'z' }, {}, 'accepted'],
  ['null: no audience', { audience: null }, {}, { aud: undefined }, {}, 'accepted'],
  ['an audience where the options check none', { audience: 'x' }, { audience: null }, {}, {}, MISMATCH],
  ['audMatch all', { audience: ['x', 'y'] }, { audMatch: 'all' }, { aud: ['x', 'y'] }, {}, 'accepted'],
  ['audMatch all, one of them', { audience: ['x', 'y'] }, { audMatch: 'all' }, { aud: 'x' }, {}, MISMATCH],
  ['audMatch only', { audience: ['x', 'y'] }, { audMatch: 'only' }, { aud: ['x', 'y'] }, {}, 'accepted'],
  ['audMatch only, another', { audience: 'x' }, { audMatch: 'only' }, { aud: ['x', 'api-a'] }, {}, MISMATCH],
  ['rules that hold', { claims: { dept: 'IT' } }, {}, { dept: 'IT' }, {}, 'accepted'],
  ['rules that do not', { claims: { dept: 'IT' } }, {}, { dept: 'HR' }, {}, INVALID],
  ['rules of both', { claims: { dept: 'IT' } }, { claims: { level: 1 } }, { dept: 'IT' }, {}, INVALID],
  [
    'rules of both, the other',
    { claims: { dept: 'IT' } },
    { claims: { level: 1 } },
    { level: 1 },
    {},
    INVALID,
  ],
  [
    'rules of both, both hold',
    { claims: { dept: 'IT' } },
    { claims: { level: 1 } },
    { dept: 'IT', level: 1 },
    {},
    'accepted',
  ],
  ['T-046: a type', { typ: 'at+jwt' }, {}, {}, { typ: 'at+jwt' }, 'accepted'],
  ['T-046: another type', { typ: 'at+jwt' }, {}, {}, { typ: 'JWT' }, TYPE],
  ['T-046: no type', { typ: 'at+jwt' }, {}, {}, { typ: undefined }, TYPE],
  ['T-046: one that the options refuse', { typ: 'x+jwt' }, { typ: 'JWT' }, {}, { typ: 'x+jwt' }, 'accepted'],
  ['T-046: one that no keyset accepts', { typ: 'x+jwt' }, { typ: 'JWT' }, {}, { typ: 'y+jwt' }, TYPE],
  ['T-046: one that the other accepts', { typ: 'x+jwt' }, { typ: 'JWT' }, {}, { typ: 'JWT' }, TYPE],
  ['T-061: young enough', { maxTokenAge: '1m' }, {}, { iat: NOW - 60 }, {}, 'accepted'],
  ['T-061: too old', { maxTokenAge: '1m' }, {}, { iat: NOW - 65 }, {}, EXPIRED],
  ['T-061: no iat', { maxTokenAge: '1m' }, {}, { iat: undefined }, {}, INVALID],
  [
    'T-061: longer than in the options',
    { maxTokenAge: '2m' },
    { maxTokenAge: '1m' },
    { iat: NOW - 90 },
    {},
    'accepted',
  ],
  [
    'T-061: shorter than in the options',
    { maxTokenAge: '1m' },
    { maxTokenAge: '2m' },
    { iat: NOW - 90 },
    {},
    EXPIRED,
  ],
  ['a short life', { maxLifetime: '5m' }, {}, {}, {}, 'accepted'],
  ['too long a life', { maxLifetime: '299s' }, {}, {}, {}, INVALID],
  ['a life without exp', { maxLifetime: '5m' }, { requireExp: false }, { exp: undefined }, {}, INVALID],
  ['a life without iat', { maxLifetime: '5m' }, {}, { iat: undefined }, {}, INVALID],
  ['longer than in the options', { maxLifetime: '5m' }, { maxLifetime: '1m' }, {}, {}, 'accepted'],
  [
    'RFC 9068: a profile',
    { profile: 'at+jwt' },
    {},
    { client_id: 'c', jti: 'j' },
    { typ: 'at+jwt' },
    'accepted',
  ],
  ['RFC 9068: a profile, another type', { profile: 'at+jwt' }, {}, { client_id: 'c', jti: 'j' }, {}, TYPE],
  ['RFC 9068: a profile, no client_id', { profile: 'at+jwt' }, {}, { jti: 'j' }, { typ: 'at+jwt' }, INVALID],
  [
    'RFC 9068: a profile in place of typ',
    { profile: 'at+jwt' },
    { typ: 'JWT' },
    { client_id: 'c', jti: 'j' },
    { typ: 'JWT' },
    TYPE,
  ],
];

describe.each([{}, { cache: false }] as const)('a keyset, with %o', (cache) => {
  it.each(ROWS)('%s', async (_what, a, options, claims, header, expected) => {
    const authenticator = start(a, {}, { ...cache, ...options } as Options);
    expect(await thrice(authenticator, await tokenOf('a', claims, header))).toEqual([expected]);
    // What one keyset says is not asked of the tokens of another.
    const other = start({}, a, { ...cache, ...options } as Options);
    const asked = start({}, {}, { ...cache, ...options } as Options);
    const token = await tokenOf('a', claims, header);
    expect(await thrice(other, token)).toEqual(await thrice(asked, token));
  });

  it('T-054: an issuer that makes tokens for the audience of another is refused', async () => {
    const shared = start({}, {}, cache);
    const own = start({ audience: 'api-a' }, { audience: 'api-b' }, cache);
    for (const [issuer, aud] of [
      ['a', 'api-b'],
      ['b', 'api-a'],
    ] as const) {
      const token = await tokenOf(issuer, { aud });
      expect(await thrice(shared, token)).toEqual(['accepted']);
      expect(await thrice(own, token)).toEqual([MISMATCH]);
      expect(await thrice(own, await tokenOf(issuer))).toEqual(['accepted']);
    }
  });
});

describe('two keysets of one issuer', () => {
  const both = (first: Keyset, second: Keyset, options: Options = {}) =>
    startAuthenticator({
      keySets: [
        { issuer: 'a', jwks: { keys: [one.publicJwk] }, ...first },
        { issuer: 'a', jwks: { keys: [two.publicJwk] }, ...second },
      ] as never,
      audience: 'api-a',
      clock,
      ...options,
    } as AuthenticatorOptions);

  it('T-054: the keyset whose key has signed the token decides, with and without a kid', async () => {
    const authenticator = both({ audience: 'x', kidless: 'try-all' }, { audience: 'y' });
    const claims = { iss: 'a', sub: 'alice', iat: NOW, exp: NOW + 300 };
    for (const kid of [{}, { kid: undefined }])
      for (const [key, aud, expected] of [
        [one, 'x', 'accepted'],
        [one, 'y', MISMATCH],
        [one, ['x', 'y'], 'accepted'],
      ] as const)
        expect(await thrice(authenticator, await mint(key, { ...claims, aud } as never, kid))).toEqual([
          expected,
        ]);
    expect(await thrice(authenticator, await mint(two, { ...claims, aud: 'y' }))).toEqual(['accepted']);
    expect(await thrice(authenticator, await mint(two, { ...claims, aud: 'x' }))).toEqual([MISMATCH]);
  });

  it('T-054: a key in both counts for the first', async () => {
    const jwks = { keys: [one.publicJwk] };
    const authenticator = both({ audience: 'x' }, { audience: 'y', jwks } as never);
    expect(await thrice(authenticator, await tokenOf('a', { aud: 'x' }))).toEqual(['accepted']);
    expect(await thrice(authenticator, await tokenOf('a', { aud: 'y' }))).toEqual([MISMATCH]);
  });

  it('T-046: the types of the one do not count for the other', async () => {
    const authenticator = both({ typ: 'x+jwt' }, { typ: 'y+jwt' });
    expect(await thrice(authenticator, await tokenOf('a', {}, { typ: 'x+jwt' }))).toEqual(['accepted']);
    expect(await thrice(authenticator, await tokenOf('a', {}, { typ: 'y+jwt' }))).toEqual([TYPE]);
    expect(await thrice(authenticator, await tokenOf('a', {}, { typ: 'z+jwt' }))).toEqual([TYPE]);
  });
});

it('T-054: a keyset without an issuer has its own audience, for every issuer that it verifies', async () => {
  const authenticator = startAuthenticator({
    keySets: [
      { issuer: 'a', jwks: { keys: [one.publicJwk] }, audience: 'api-a' },
      { jwks: { keys: [two.publicJwk] }, unsafeOtherIssuers: true, audience: 'api-b' },
    ],
    clock,
  });
  for (const iss of ['c', undefined]) {
    expect(await thrice(authenticator, await tokenOf('b', { iss }))).toEqual(['accepted']);
    expect(await thrice(authenticator, await tokenOf('b', { iss, aud: 'api-a' }))).toEqual([MISMATCH]);
  }
  // A key of the keyset without an issuer verifies no token of the issuer that has a keyset.
  expect(await thrice(authenticator, await tokenOf('b', { iss: 'a' }))).toEqual(['token_key_unknown']);
});

describe('time', () => {
  it('T-061: a cached token ends by the age of its keyset', async () => {
    const authenticator = start({ maxTokenAge: '1m' }, {}, { maxTokenAge: '4m', clockSkew: '0s' });
    const [a, b] = [await tokenOf('a'), await tokenOf('b')];
    for (const token of [a, b]) expect(await thrice(authenticator, token)).toEqual(['accepted']);
    clock.set((NOW + 60) * 1000);
    expect(await thrice(authenticator, a)).toEqual([EXPIRED]);
    expect(await thrice(authenticator, b)).toEqual(['accepted']);
    clock.set((NOW + 240) * 1000);
    expect(await thrice(authenticator, b)).toEqual([EXPIRED]);
  });

  it('T-061: whenExpired ends by the age of its keyset', async () => {
    vi.useFakeTimers({ now: NOW * 1000 });
    const authenticator = start({ maxTokenAge: '1m' }, {}, { maxTokenAge: '4m', clock: Date });
    const ended: string[] = [];
    for (const issuer of ['a', 'b'] as const) {
      const principal = await authenticator.verify(await tokenOf(issuer));
      whenExpired(principal, () => void ended.push(issuer));
    }
    await vi.advanceTimersByTimeAsync(59_999);
    expect(ended).toEqual([]);
    await vi.advanceTimersByTimeAsync(2);
    expect(ended).toEqual(['a']);
    await vi.advanceTimersByTimeAsync(180_000);
    expect(ended).toEqual(['a', 'b']);
  });
});

describe('explain', () => {
  it('shows the checks of the keyset that has verified the token', async () => {
    const authenticator = start({ audience: 'x', typ: 'JWT', maxLifetime: '1m', claims: { dept: 'IT' } });
    const { code, checks } = await authenticator.explain(await tokenOf('a', { aud: 'z' }, { typ: 'at+jwt' }));
    expect(code).toBe(TYPE);
    expect(
      checks.flatMap(({ about, outcome: result, expected }) =>
        result === 'failed' ? [[about, expected]] : [],
      ),
    ).toEqual([
      ['typ for keySets[0]', 'jwt'],
      ['exp', 'at most 60 s after iat'],
      ['aud', 'one of ["x"]'],
      ['dept', '"IT"'],
    ]);
  });

  it('shows that an audience is not checked', async () => {
    const { checks } = await start({ audience: null }).explain(await tokenOf('a', { aud: 'z' }));
    expect(checks.find(({ about }) => about === 'aud')).toMatchObject({
      outcome: 'skipped',
      detail: 'the audience is not checked',
    });
  });
});

describe('T-056: options that are refused', () => {
  it.each<[what: string, options: () => object, path: string, message: RegExp]>([
    [
      'no audience at all',
      () => ({ keySets: keysets() }),
      'audience',
      /is required; write the aud of your tokens/,
    ],
    [
      'a keyset without an audience',
      () => ({ keySets: keysets({ audience: 'x' }) }),
      'audience',
      /because keySets\[1\] has none of its own/,
    ],
    [
      'keys, which have no audience',
      () => ({
        keySets: keysets({ audience: 'x' }, { audience: 'y' }),
        keys: [{ keyId: 'k', algorithm: 'RS256', secret: { name: 's' } }],
      }),
      'audience',
      /because keys or remote has none of its own/,
    ],
    [
      'an endpoint, which has no audience',
      () => ({
        keySets: keysets({ audience: 'x' }, { audience: 'y' }),
        remote: { url: 'https://r.example', onReject: 'deny', onError: 'deny' },
      }),
      'audience',
      /because keys or remote has none of its own/,
    ],
    ['typ and profile', () => both({ typ: 'JWT', profile: 'at+jwt' }), 'keySets[0].typ', /set by profile/],
    [
      'typ with the profile of the options',
      () => ({ ...both({ typ: 'JWT' }), profile: 'at+jwt' }),
      'keySets[0].typ',
      /move profile to the keysets/,
    ],
    [
      'an age with allowFutureIat',
      () => ({ ...both({ maxTokenAge: '1m' }), allowFutureIat: true }),
      'allowFutureIat',
      /with keySets\[0\]\.maxTokenAge/,
    ],
    [
      'a lifetime with allowFutureIat',
      () => ({ ...both({ maxLifetime: '1m' }), allowFutureIat: true }),
      'allowFutureIat',
      /with keySets\[0\]\.maxLifetime/,
    ],
    [
      'the lifetime of the options with allowFutureIat',
      () => ({ ...both(), maxLifetime: '1m', allowFutureIat: true }),
      'allowFutureIat',
      /with maxLifetime/,
    ],
    [
      'the lifetime of the options without exp',
      () => ({ ...both(), maxLifetime: '1m', requireExp: false }),
      'requireExp',
      /maxLifetime, which needs exp/,
    ],
    [
      'rules on groups from elsewhere',
      () => ({ ...both({ claims: { groups: 'ops' } }), groups: {} }),
      'keySets[0].claims.groups',
      /put the rule on routes/,
    ],
    [
      'rules on the request',
      () => both({ claims: { sub: { fromRequest: 'params.id' } } }),
      'keySets[0].claims',
      /rules of a route only/,
    ],
    ['a rule on iss', () => both({ claims: { iss: 'a' } }), 'keySets[0].claims.iss', /use issuers/],
    ['audMatch of another word', () => ({ ...both(), audMatch: 'none' }), 'audMatch', /'only'/],
  ])('%s', (_what, options, path, message) => {
    const build = () => startAuthenticator(options() as AuthenticatorOptions);
    expect(build).toThrow(ConfigError);
    expect(build).toThrow(expect.objectContaining({ path, message: expect.stringMatching(message) }));
  });

  it.each<[name: string, values: readonly unknown[]]>([
    ['audience', [[], '', ' x', 5, {}, ['x', null], true]],
    ['typ', [[], '', 5, null, [5]]],
    ['maxTokenAge', ['', '5', 5, null, '-1s', []]],
    ['maxLifetime', ['', '5', 5, null, '0s', '999ms', '3651d', '-1s']],
    ['profile', ['', 'jwt', 'AT+JWT', null, ['at+jwt']]],
    ['claims', [null, 5, 'x', [5]]],
  ])('a keyset with a wrong %s', (name, values) => {
    for (const value of values) {
      const build = () => startAuthenticator(both({ [name]: value }) as AuthenticatorOptions);
      expect(build, JSON.stringify(value)).toThrow(ConfigError);
      expect(build, JSON.stringify(value)).toThrow(`keySets[0].${name}`);
    }
  });

  const both = (a: object = {}) => ({ keySets: keysets(a as Keyset), audience: 'api-a' });
});
