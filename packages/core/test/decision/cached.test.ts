// The token cache, through authenticators: which tokens it keeps and for which strings it answers.
// Times, keys, rules and memory are in the other files whose names begin with "cached".
import './counted.ts';
import { generateSigningKey, mint } from '@latchkey/testing';
import { describe, expect, it, vi } from 'vitest';
import { readOptions } from '../../src/decision/settings.ts';
import {
  type AuthenticatorOptions,
  ConfigError,
  createAuthenticator,
  type SecretStore,
} from '../../src/index.ts';
import { requestWith, startAuthenticator } from '../support/authenticators.ts';
import { defined } from '../support/defined.ts';
import { configErrorOf } from '../support/refusals.ts';
import { work } from './counted.ts';
import { ask, askByRequest, build, clock, outcome, publish, serve, storeWith } from './kept.ts';
import { AUDIENCE, ISSUER, jwk, NOW, one, REF, SOON, setOf, sign, two } from './mac-tokens.ts';

const CLAIMS = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: SOON };

/** A token with another segment. */
const withSegment = (token: string, at: number, change: (segment: string) => string) =>
  token
    .split('.')
    .map((segment, index) => (index === at ? change(segment) : segment))
    .join('.');

describe('a token that is kept', () => {
  it.each([
    ['RS256', false],
    ['PS256', false],
    ['ES256', false],
    ['EdDSA', false],
    ['ES256', true],
  ] as const)('takes no cryptography and no parsing: %s, without a kid: %s', async (algorithm, kidless) => {
    const key = await generateSigningKey(algorithm, 'k');
    const { kid: _, ...nameless } = key.publicJwk;
    const jwks = { keys: [kidless ? nameless : key.publicJwk] };
    const authenticator = build({ keySets: [{ issuer: ISSUER, jwks }] });
    const token = await mint(key, CLAIMS, kidless ? { kid: undefined } : {});
    expect(await ask(authenticator, token)).toBe('verified');
    for (let round = 0; round < 10; round++) {
      expect(await ask(authenticator, token)).toBe('kept');
      expect(await askByRequest(authenticator, token)).toBe('kept');
    }
    // The same token in another string.
    expect(await ask(authenticator, Buffer.from(token).toString('latin1'))).toBe('kept');
  });

  it.each(['verify', 'authenticate'] as const)('serves both methods, first asked by %s', async (first) => {
    const authenticator = build();
    const token = sign();
    const asks = {
      verify: () => ask(authenticator, token),
      authenticate: () => askByRequest(authenticator, token),
    };
    expect(await asks[first]()).toBe('verified');
    expect(await asks.verify()).toBe('kept');
    expect(await asks.authenticate()).toBe('kept');
  });

  it('gives the same frozen principal each time', async () => {
    const authenticator = build();
    const token = sign({ groups: ['staff'], scope: 'a b', deep: { list: [{ x: 1 }] } });
    const first = await authenticator.verify(token);
    expect(await authenticator.authenticate(requestWith(token))).toBe(first);
    expect(await authenticator.verify(token, { groups: ['staff'] })).toBe(first);
    expect(await authenticator.authenticate(requestWith(token), { issuers: [ISSUER] })).toBe(first);
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen));
    expect(frozen(first)).toBe(true);
    expect(() => Object.assign(first.claims, { sub: 'root' })).toThrow(TypeError);
    expect(() => (first.groups as string[]).push('admin')).toThrow(TypeError);
    expect(await authenticator.verify(token)).toMatchObject({ subject: 'alice', groups: ['staff'] });
  });

  it('is kept once when it arrives many times at once', async () => {
    const authenticator = build();
    const token = sign();
    const principals = await Promise.all(Array.from({ length: 50 }, () => authenticator.verify(token)));
    expect(new Set(principals.map(({ subject }) => subject))).toEqual(new Set(['alice']));
    expect(principals).toContain(await authenticator.verify(token));
    expect(await ask(authenticator, token)).toBe('kept');
  });
});

describe('T-142: tokens that end alike', () => {
  const encoded = (content: object) => () => Buffer.from(JSON.stringify(content)).toString('base64url');
  it.each<[title: string, forged: (token: string) => string]>([
    ['another payload', (token) => withSegment(token, 1, encoded({ ...CLAIMS, sub: 'root' }))],
    [
      'another header',
      (token) => withSegment(token, 0, encoded({ alg: 'HS256', kid: 'one', typ: 'at+jwt' })),
    ],
    ['an empty header', (token) => withSegment(token, 0, () => '')],
    ['the signature alone', (token) => token.split('.')[2] ?? ''],
    ['the last characters alone', (token) => token.slice(-32)],
    [
      'a signature that differs before its last characters',
      (token) => `${token.slice(0, -33)}${token.at(-33) === 'A' ? 'B' : 'A'}${token.slice(-32)}`,
    ],
  ])('T-142: %s is refused, and the token stays in the cache', async (_, forged) => {
    const authenticator = build({ cache: { tokens: 1 } });
    const token = sign();
    const other = forged(token);
    expect(other.slice(-32)).toBe(token.slice(-32));
    const before = await ask(authenticator, other);
    expect(before).toMatch(/^token_(?:malformed|signature_invalid)$/);
    expect(await ask(authenticator, token)).toBe('verified');
    for (let round = 0; round < 100; round++) expect(await ask(authenticator, other)).toBe(before);
    expect(await askByRequest(authenticator, other)).toMatch(/malformed|invalid/);
    expect(await ask(authenticator, token)).toBe('kept');
    expect((await authenticator.verify(token)).subject).toBe('alice');
  });
});

describe('T-146: other spellings of a token', () => {
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  /** Sets the lowest bit of the last character, which does not belong to a byte. */
  const spare = (segment: string) => segment.slice(0, -1) + ALPHABET[ALPHABET.indexOf(segment.slice(-1)) ^ 1];

  it.each<[title: string, variant: (token: string) => string]>([
    ['padding', (token) => `${token}=`],
    ['two of padding', (token) => `${token}==`],
    ['a space behind', (token) => `${token} `],
    ['a space in front', (token) => ` ${token}`],
    ['a newline behind', (token) => `${token}\n`],
    ['a dot behind', (token) => `${token}.`],
    ['other spare bits of the signature', (token) => withSegment(token, 2, spare)],
    ['base64 for base64url', (token) => token.replaceAll('-', '+').replaceAll('_', '/')],
  ])('T-146: %s: refused before and after, and the token stays', async (_, variant) => {
    const authenticator = build({ cache: { tokens: 1 } });
    let token = sign();
    // A token that the variant changes.
    for (let round = 0; variant(token) === token; round++) token = sign({ round });
    expect(await ask(authenticator, variant(token))).toMatch(/^token_/);
    expect(await ask(authenticator, token)).toBe('verified');
    for (let round = 0; round < 3; round++)
      expect(await ask(authenticator, variant(token))).toMatch(/^token_/);
    // In a header, one more space before the token is not part of the token.
    if (variant(token).trimStart() === variant(token))
      expect(await outcome(authenticator.authenticate(requestWith(variant(token))))).not.toBe('accepted');
    expect(await ask(authenticator, token)).toBe('kept');
  });

  it('T-026, T-146: the other signature of ECDSA is another token, and is verified itself', async () => {
    const key = await generateSigningKey('ES256', 'k');
    const authenticator = build({ keySets: [{ issuer: ISSUER, jwks: { keys: [key.publicJwk] } }] });
    const token = await mint(key, CLAIMS);
    const twin = withSegment(token, 2, (signature) => {
      const bytes = Buffer.from(signature, 'base64url');
      const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
      const s = (order - BigInt(`0x${bytes.subarray(32).toString('hex')}`)).toString(16).padStart(64, '0');
      return Buffer.concat([bytes.subarray(0, 32), Buffer.from(s, 'hex')]).toString('base64url');
    });
    expect(await ask(authenticator, token, twin, token, twin)).toBe('verified verified kept kept');
  });
});

describe('T-147: a token that was refused is not kept', () => {
  it('T-147: a token that comes too early is good when its time comes', async () => {
    const authenticator = build({ clockSkew: '0s' });
    const token = sign({ nbf: NOW / 1000 + 1 });
    for (let round = 0; round < 3; round++)
      expect(await ask(authenticator, token)).toBe('token_not_yet_valid');
    clock.advance(1_000);
    expect(await ask(authenticator, token, token)).toBe('verified kept');
  });

  it('T-147: a key that is not known yet', async () => {
    const { authenticator, store } = serve();
    const token = sign({}, { kid: 'two' }, two);
    expect(await ask(authenticator, token)).toBe('token_key_unknown');
    await publish(store, setOf(jwk(one, 'one'), jwk(two, 'two')));
    expect(await ask(authenticator, token, token)).toBe('verified kept');
  });

  it('T-147: a 503 of a keyset', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    let down = true;
    const secrets: SecretStore = {
      description: 'test',
      read: async () => {
        if (down) throw new Error('down');
        return Buffer.from(setOf(jwk(one, 'one')));
      },
    };
    const authenticator = build({ secrets });
    const token = sign();
    for (let round = 0; round < 3; round++)
      expect(await ask(authenticator, token)).toBe('keyset_unavailable');
    down = false;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await ask(authenticator, token, token)).toBe('verified kept');
  });

  it('T-147: rules for every token, scopes, audience', async () => {
    const authenticator = build({ claims: { dept: 'IT' } });
    for (const claims of [{ dept: 'HR' }, { scope: 1 }, { aud: 'x' }]) {
      const token = sign({ dept: 'IT', ...claims });
      const before = work.verified;
      for (let round = 0; round < 3; round++) expect(await ask(authenticator, token)).toMatch(/^token_/);
      expect(work.verified - before).toBe(3);
    }
  });

  // 60 s: the test verifies a hundred thousand tokens.
  it('T-147, R13: a hundred thousand bad tokens leave the kept token in the cache', {
    timeout: 60_000,
  }, async () => {
    // With room for one token, the first bad token in the cache would push the good one out.
    const authenticator = build({ cache: { tokens: 1 }, maxTokenBytes: 1_024 });
    const good = sign();
    expect(await ask(authenticator, good, good)).toBe('verified kept');
    const tail = good.slice(-32);
    const [header = '', payload = ''] = good.split('.');
    const kinds: readonly ((index: number) => string)[] = [
      (index) => sign({ jti: index }, {}, two),
      (index) => sign({ jti: String(index), exp: NOW / 1000 - 60 }),
      (index) => sign({ jti: String(index), aud: 'https://other.example' }),
      (index) => sign({ jti: String(index), iss: 'https://other.example' }),
      (index) => sign({ jti: String(index) }, { kid: `n${index}` }),
      (index) => sign({ jti: String(index) }, { typ: `t${index}` }),
      (index) => sign({ jti: String(index), pad: 'x'.repeat(1_000) }),
      (index) => `${header}.${payload}${index}.${tail}`,
      (index) => `${header}.${payload}.${String(index).padStart(43, 'A')}`,
      (index) => `${index}`,
    ];
    const answers = new Set<string>();
    for (let index = 0; index < 100_000; index++)
      answers.add(await outcome(authenticator.verify(kinds[index % kinds.length]?.(index) ?? '')));
    expect([...answers].sort()).toEqual([
      'token_audience_mismatch',
      'token_expired',
      'token_issuer_untrusted',
      'token_key_unknown',
      'token_malformed',
      'token_signature_invalid',
      'token_type_refused',
    ]);
    expect(await ask(authenticator, good)).toBe('kept');
    // One more good token shows that there is room for one only.
    expect(await ask(authenticator, sign({ jti: 'next' }), good)).toBe('verified verified');
  });
});

describe('T-148: how many tokens are kept', () => {
  it('T-148: `tokens` of them, the new one among them', async () => {
    const authenticator = build({ cache: { tokens: 2 } });
    const [a, b, c] = ['a', 'b', 'c'].map((jti) => sign({ jti })) as [string, string, string];
    expect(await ask(authenticator, a, b, a, b, c, c)).toBe('verified verified kept kept verified kept');
    expect(await ask(authenticator, a, b)).not.toBe('kept kept');
  });

  it('T-148: as many as have room in `bytes`', async () => {
    const token = sign({ jti: '0000' });
    // An entry counts at least 600 and its token, and with claims as small as these at most this.
    const bytes = 10 * (600 + 4 * token.length);
    const authenticator = build({ cache: { bytes } });
    const tokens = Array.from({ length: 40 }, (_, index) => sign({ jti: String(1_000 + index) }));
    for (const one of tokens) expect(await ask(authenticator, one)).toBe('verified');
    expect(await ask(authenticator, ...tokens.slice(-10))).toBe(Array(10).fill('kept').join(' '));
    expect(await ask(authenticator, tokens[20] ?? '')).toBe('verified');
  });

  it('T-148: a cache without room for a token is not a fault', async () => {
    const token = sign();
    expect(await ask(build({ cache: { bytes: 1 } }), token, token)).toBe('verified verified');
  });

  it('T-148: a token over 4 KiB is verified each time, and pushes no token out', async () => {
    const authenticator = build({ cache: { tokens: 1 } });
    const tokens = Array.from({ length: 40 }, (_, index) => sign({ pad: 'x'.repeat(2_870 + index) }));
    const longest = tokens.filter(({ length }) => length <= 4_096).at(-1) ?? '';
    const longer = tokens.find(({ length }) => length > 4_096) ?? '';
    expect(longest.length).toBeGreaterThan(4_090);
    expect(longer.length).toBeLessThan(4_104);
    expect(await ask(authenticator, longest, longer, longest, longer, longest)).toBe(
      'verified verified kept verified kept',
    );
  });
});

describe('T-149: authenticators', () => {
  it('T-149: share neither what they accept nor what they keep', async () => {
    const secrets = storeWith();
    const a = build({ secrets });
    const b = build({ secrets, audience: 'https://other.example' });
    const c = build({ secrets });
    const token = sign();
    expect(await ask(a, token, token)).toBe('verified kept');
    expect(await ask(b, token, token)).toBe('token_audience_mismatch token_audience_mismatch');
    expect(await ask(c, token)).toBe('verified');
    expect(await a.verify(token)).not.toBe(await c.verify(token));
    await a.close();
    expect(await ask(c, token)).toBe('kept');
  });

  it('T-149: also when they are made of the same options object', async () => {
    const options: AuthenticatorOptions = {
      keySets: [{ issuer: ISSUER, secret: { name: REF.name } }],
      secrets: storeWith(),
      audience: AUDIENCE,
      clock,
      cache: { tokens: 10 },
    };
    const [a, b] = [startAuthenticator(options), startAuthenticator(options)];
    const token = sign();
    expect(await ask(a, token)).toBe('verified');
    expect(await ask(b, token)).toBe('verified');
  });
});

describe('the option cache', () => {
  const good = { keySets: [{ issuer: ISSUER, jwksUrl: 'https://issuer.example/jwks' }], audience: AUDIENCE };
  const errorOf = (cache: unknown, make: (options: AuthenticatorOptions) => unknown = readOptions) =>
    configErrorOf(() => make({ ...good, cache } as AuthenticatorOptions));

  it('false verifies each time', async () => {
    const authenticator = build({ cache: false });
    const token = sign();
    expect(await ask(authenticator, token, token, token)).toBe('verified verified verified');
    expect(await askByRequest(authenticator, token)).toBe('verified');
  });

  it.each([undefined, {}, { tokens: 1 }])('%j keeps tokens', async (cache) => {
    const { authenticator } = serve(undefined, defined({ cache }));
    const token = sign();
    expect(await ask(authenticator, token, token)).toBe('verified kept');
  });

  it.each([
    [true, 'cache', 'expected an object'],
    [null, 'cache', 'expected an object'],
    [0, 'cache', 'expected an object'],
    [100, 'cache', 'expected an object'],
    ['100', 'cache', 'expected an object'],
    [[], 'cache', 'expected an object'],
    [new Map([['tokens', 5]]), 'cache', 'expected an object'],
    [{ tokens: 0 }, 'cache.tokens', 'cache: false keeps nothing'],
    [{ tokens: -1 }, 'cache.tokens', 'expected a whole number'],
    [{ tokens: 1.5 }, 'cache.tokens', 'expected a whole number'],
    [{ tokens: Number.NaN }, 'cache.tokens', 'expected a whole number'],
    [{ tokens: Number.POSITIVE_INFINITY }, 'cache.tokens', 'expected a whole number'],
    [{ tokens: '100' }, 'cache.tokens', 'expected a whole number'],
    [{ tokens: null }, 'cache.tokens', 'expected a whole number'],
    [{ tokens: true }, 'cache.tokens', 'expected a whole number'],
    [{ tokens: 10n }, 'cache.tokens', 'expected a whole number'],
    [{ tokens: 2 ** 53 }, 'cache.tokens', 'expected a whole number'],
    [{ bytes: 0 }, 'cache.bytes', 'cache: false keeps nothing'],
    [{ bytes: -1 }, 'cache.bytes', 'expected a whole number'],
    [{ bytes: 1.5 }, 'cache.bytes', 'expected a whole number'],
    [{ bytes: '16MiB' }, 'cache.bytes', 'expected a whole number'],
    [{ tokens: 5, bytes: 2 ** 53 }, 'cache.bytes', 'expected a whole number'],
    [{ size: 5 }, 'cache.size', 'unknown option'],
    [{ Tokens: 5 }, 'cache.Tokens', 'did you mean tokens?'],
    [{ ttl: '5m' }, 'cache.ttl', 'unknown option'],
  ])('A5: %o: %s: %s', (cache, path, problem) => {
    expect(errorOf(cache)).toMatchObject({ path, message: expect.stringContaining(problem) });
  });

  it.each<[cache: AuthenticatorOptions['cache'], expected: unknown]>([
    [undefined, { tokens: 10_000, bytes: 25_165_824 }],
    [{}, { tokens: 10_000, bytes: 25_165_824 }],
    [{ tokens: 5 }, { tokens: 5, bytes: 25_165_824 }],
    [{ bytes: 5 }, { tokens: 10_000, bytes: 5 }],
    [
      { tokens: 1, bytes: 1 },
      { tokens: 1, bytes: 1 },
    ],
    [false, undefined],
  ])('%j is %j', (cache, expected) => {
    expect(readOptions({ ...good, ...defined({ cache }) }).cache).toEqual(expected);
  });

  it('is copied when it is read', async () => {
    const cache = { tokens: 2 };
    const authenticator = build({ cache });
    cache.tokens = 1;
    const [a, b] = [sign({ jti: 'a' }), sign({ jti: 'b' })];
    expect(await ask(authenticator, a, b, a, b)).toBe('verified verified kept kept');
  });

  // lru-cache makes room for all tokens at once: 2 ** 32 of them is a RangeError without a path.
  it.each([2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER])('A5: more tokens than fit anywhere: %d', (tokens) => {
    expect(errorOf({ tokens }, createAuthenticator)).toBeInstanceOf(ConfigError);
  });
});
