// A kept token and time: exp, nbf, maxTokenAge and the clock, keysets that grow old, and a
// comparison of authenticators with a cache and without one.
import './counted.ts';
import { seeded } from '@latchkey/test-kit/random';
import { describe, expect, it, vi } from 'vitest';
import {
  type Authenticator,
  type AuthenticatorOptions,
  isAuthError,
  type KeysetOptions,
  type Principal,
  refusalOf,
  type SecretStore,
} from '../../src/index.ts';
import { requestWith } from '../support/authenticators.ts';
import { defined, given } from '../support/defined.ts';
import { work } from './counted.ts';
import { ask, askByRequest, build, clock, outcome, publish, serve, storeWith } from './kept.ts';
import { AUDIENCE, ISSUER, jwk, NOW, one, REF, SOON, secret, setOf, sign, two } from './mac-tokens.ts';

describe('T-144: times', () => {
  const s = NOW / 1000;
  const expired = 'token_expired';
  const early = 'token_not_yet_valid';
  type Claims = { readonly [name: string]: unknown };
  it.each<[title: string, claims: Claims, options: Partial<AuthenticatorOptions>, at: number, string]>([
    ['exp', { exp: s + 10 }, { clockSkew: '0s' }, 9_999, 'kept'],
    ['exp', { exp: s + 10 }, { clockSkew: '0s' }, 10_000, expired],
    ['exp and skew', { exp: s + 10 }, {}, 14_999, 'kept'],
    ['exp and skew', { exp: s + 10 }, {}, 15_000, expired],
    ['exp and a minute of skew', { exp: s + 10 }, { clockSkew: '60s' }, 69_999, 'kept'],
    ['exp and a minute of skew', { exp: s + 10 }, { clockSkew: '60s' }, 70_000, expired],
    ['exp with a fraction', { exp: s + 10.5 }, { clockSkew: '0s' }, 10_499, 'kept'],
    ['exp with a fraction', { exp: s + 10.5 }, { clockSkew: '0s' }, 10_500, expired],
    ['nbf', { nbf: s }, { clockSkew: '0s' }, 0, 'kept'],
    ['nbf', { nbf: s }, { clockSkew: '0s' }, -1, early],
    ['nbf and skew', { nbf: s }, {}, -5_000, 'kept'],
    ['nbf and skew', { nbf: s }, {}, -5_001, early],
    ['iat', { iat: s }, { clockSkew: '0s' }, -1, early],
    ['iat and skew', { iat: s }, {}, -5_000, 'kept'],
    ['iat and skew', { iat: s }, {}, -5_001, early],
    ['the later of nbf and iat', { nbf: s - 60, iat: s }, {}, -5_001, early],
    ['the later of iat and nbf', { iat: s - 60, nbf: s }, {}, -5_001, early],
    ['iat as nbf', { iat: s }, { treatIatAsNbf: true }, -5_001, early],
    ['maxTokenAge', { iat: s }, { maxTokenAge: '20s', clockSkew: '0s' }, 19_999, 'kept'],
    ['maxTokenAge', { iat: s }, { maxTokenAge: '20s', clockSkew: '0s' }, 20_000, expired],
    ['maxTokenAge and skew', { iat: s - 10 }, { maxTokenAge: '20s' }, 14_999, 'kept'],
    ['maxTokenAge and skew', { iat: s - 10 }, { maxTokenAge: '20s' }, 15_000, expired],
    ['exp before maxTokenAge', { iat: s, exp: s + 5 }, { maxTokenAge: '20s' }, 10_000, expired],
    ['age, no exp', { iat: s, exp: undefined }, { maxTokenAge: '20s', requireExp: false }, 25_000, expired],
    ['no time at all', { exp: undefined }, { requireExp: false }, 3_000_000_000_000, 'kept'],
    ['no time at all', { exp: undefined }, { requireExp: false }, -NOW, 'kept'],
  ])('T-144: %s: %j, %j, %d ms: %s', async (_, claims, options, at, expected) => {
    const authenticator = build(options);
    const token = sign(claims);
    expect(await ask(authenticator, token)).toBe('verified');
    clock.set(NOW + at);
    expect(await ask(authenticator, token)).toBe(expected);
    expect(await askByRequest(authenticator, token)).toBe(expected);
    // A token that was dropped may be accepted again: the wall clock may have been wrong.
    clock.set(NOW);
    expect(await ask(authenticator, token)).toBe(expected === 'kept' ? 'kept' : 'verified');
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, undefined, null])(
    'T-144: with a clock that says %s no token is accepted, kept or not',
    async (broken) => {
      let now: unknown = NOW;
      const token = sign({ exp: undefined });
      for (const cache of [undefined, false] as const) {
        now = NOW;
        const { authenticator } = serve(undefined, {
          clock: { now: () => now as number },
          requireExp: false,
          mode: 'permissive',
          ...defined({ cache }),
        });
        await authenticator.verify(token);
        now = broken;
        await expect(authenticator.verify(token)).rejects.toThrow('the clock gave no time');
        const request = requestWith(token);
        await expect(authenticator.authenticate(request)).rejects.toBeInstanceOf(TypeError);
        expect(refusalOf(request)).toBeUndefined();
      }
    },
  );

  it('T-144: a clock that throws', async () => {
    const fault = new RangeError('no clock');
    let broken = false;
    const now = () => {
      if (broken) throw fault;
      return NOW;
    };
    const authenticator = build({ clock: { now }, mode: 'permissive' });
    const token = sign();
    await authenticator.verify(token);
    broken = true;
    await expect(authenticator.verify(token)).rejects.toBe(fault);
    await expect(authenticator.authenticate(requestWith(token))).rejects.toBe(fault);
    broken = false;
    expect(await ask(authenticator, token)).toBe('kept');
  });
});

/** Chooses the same in every run of the tests. */
function chooser(seed: number) {
  const random = seeded(seed);
  const pick = (below: number) => Math.floor(random() * below);
  const some = <const T extends readonly unknown[]>(...choices: T): T[number] =>
    choices[pick(choices.length)];
  return { pick, some };
}

/** All that a caller can see of a decision. */
async function seenOf(decision: Promise<Principal | undefined>): Promise<string> {
  try {
    const principal = await decision;
    return JSON.stringify(principal ?? 'anonymous');
  } catch (error) {
    if (isAuthError(error)) return JSON.stringify([error, error.detail, error.headers]);
    return String(error);
  }
}

describe('R14: with a cache and without one, all is the same', () => {
  const POLICIES: readonly (readonly [string, Partial<AuthenticatorOptions>])[] = [
    ['as they are by default', {}],
    ['without exp', { requireExp: false, clockSkew: '0s', audience: null }],
    ['with an age', { maxTokenAge: '90s', clockSkew: '1s', realm: 'r' }],
    ['with rules', { treatIatAsNbf: true, claims: { role: { anyOf: ['a', 'b'] } }, mode: 'permissive' }],
    [
      'with groups',
      { groups: { claim: 'role', groupCase: 'insensitive', reserved: ['b'] }, mode: 'optional' },
    ],
    ['of access tokens', { typ: 'at+jwt', unsafeAcceptSenderConstrained: true, issuers: [ISSUER] }],
    ['with hardly a cache', { requireExp: false, cache: { tokens: 20 } }],
  ];

  // 30 s: each row makes 24 000 decisions.
  it.each(POLICIES)('R14, T-144: options %s', { timeout: 30_000 }, async (name, options) => {
    const { pick, some } = chooser(name.length);
    const keys = setOf(jwk(one, 'one'), jwk(two, 'two'));
    const cached = serve(keys, options).authenticator;
    const uncached = serve(keys, { ...options, cache: false }).authenticator;
    const s = NOW / 1000;
    const time = () => s + some(-100, -60, -6, -5, 0, 0.25, 1, 5, 60, 90, 300, 1_000, pick(600));
    const rarely = <T, U>(value: T, otherwise: U): T | U => (pick(12) === 0 ? value : otherwise);
    const make = () => {
      const exp = rarely(undefined, time());
      const nbf = some(time(), undefined, undefined);
      const iat = rarely(undefined, s + some(0, -1, -50, -80, 3, 30));
      const claims = {
        iss: rarely(some('https://other.example', undefined), ISSUER),
        aud: rarely(some('b', undefined), some(AUDIENCE, [AUDIENCE, 'b'])),
        sub: rarely(some(undefined, ''), some('alice', 'bob')),
        role: rarely(some('c', undefined, 1), some(['a'], ['b'], ['B', 'x', 'a'])),
        scope: rarely(5, some('a b', ['c'], undefined)),
        cnf: pick(20) === 0 ? { jkt: 'x' } : undefined,
        jti: String(pick(1_000_000_000)),
        ...{ exp, nbf, iat },
      };
      const header = { kid: some('one', 'two', undefined), typ: rarely(some('JWT', undefined), 'at+jwt') };
      const token = sign(claims, header, header.kid === 'two' || pick(20) === 0 ? two : one);
      const edges = [exp, nbf, iat, iat === undefined ? undefined : iat + 90]
        .filter((edge) => edge !== undefined)
        .map((edge) => edge * 1000);
      return { token, edges: edges.length === 0 ? [NOW] : edges };
    };
    const seen = { asked: 0, kept: 0, accepted: 0 };
    const recent: ReturnType<typeof make>[] = [];
    for (let index = 0; index < 2_000; index++) {
      const made = make();
      recent.push(made);
      if (recent.length > 15) recent.shift();
      clock.set(NOW + pick(10_000));
      for (let round = 0; round < 6; round++) {
        const { token, edges } = round < 3 ? made : some(...recent);
        // Mostly around the moments when a claim begins or ends.
        if (round > 1) clock.set(some(...edges) + some(0, 0, 1_000, -1_000, 5_000, -5_000) + some(-1, 0, 1));
        const mode = some('strict', 'permissive', 'optional');
        const issuers = [some(ISSUER, 'https://other.example')];
        const overrides = some(undefined, undefined, { mode }, { issuers });
        const decide = (authenticator: Authenticator) =>
          round % 2 === 0
            ? authenticator.authenticate(requestWith(token), ...given(overrides))
            : authenticator.verify(token, overrides === undefined ? {} : { role: 'a' });
        const parsed = work.parsed;
        const got = await seenOf(decide(cached));
        const isKept = work.parsed === parsed;
        expect(got, `${token} at ${clock.now()}`).toBe(await seenOf(decide(uncached)));
        seen.asked++;
        if (isKept) seen.kept++;
        if (got.startsWith('{')) seen.accepted++;
      }
    }
    // Enough decisions of each kind were compared.
    expect(seen.asked).toBe(12_000);
    expect(seen.kept).toBeGreaterThan(600);
    expect(seen.accepted).toBeGreaterThan(seen.kept / 2);
    expect(seen.accepted).toBeLessThan(9_000);
  });

  it.each(['first', 'try-all', 'refuse'] as const)(
    'R14, T-145: keys that come and go, kidless %s',
    { timeout: 30_000 },
    async (kidless) => {
      const { pick, some } = chooser(145);
      const pool = [one, two, secret()];
      const allowedAlgorithms = ['HS256', 'HS384'] as const;
      const keySets: readonly KeysetOptions[] = [
        { issuer: ISSUER, secret: { name: REF.name }, kidless, allowedAlgorithms },
      ];
      const store = storeWith();
      const cached = build({ keySets, secrets: store });
      const uncached = build({ keySets, secrets: store, cache: false });
      await Promise.all([cached.ready(), uncached.ready()]);
      const tokens = pool.flatMap((bytes) =>
        ['one', 'two', undefined].flatMap((kid) =>
          ['HS256', 'HS384'].map((alg) => sign({}, { kid, alg }, bytes)),
        ),
      );
      const seen = { kept: 0, accepted: 0, refused: 0 };
      for (let round = 0; round < 150; round++) {
        const keys = Array.from({ length: pick(4) }, () =>
          jwk(some(...pool), some('one', 'two', undefined), some('HS256', 'HS256', 'HS384', null)),
        );
        await publish(store, setOf(...keys), REF, 2);
        for (const token of [...tokens, ...tokens]) {
          const parsed = work.parsed;
          const got = await seenOf(cached.verify(token));
          if (work.parsed === parsed) seen.kept++;
          expect(got, JSON.stringify(keys)).toBe(await seenOf(uncached.verify(token)));
          seen[got.startsWith('{') ? 'accepted' : 'refused']++;
        }
      }
      expect(seen.kept).toBeGreaterThan(100);
      expect(seen.accepted).toBeGreaterThan(200);
      expect(seen.refused).toBeGreaterThan(200);
    },
  );
});

describe('R3, R14: keysets that grow old', () => {
  const REFRESHED: KeysetOptions = {
    issuer: ISSUER,
    secret: { name: REF.name },
    refreshInterval: '5m',
    maxStale: '1h',
  };
  const LASTING = { exp: SOON + 10_000 };
  const ONE = setOf(jwk(one, 'one'));

  /** An authenticator whose store cannot be watched, and answers with what `read` returns. */
  function aging(read: () => string = () => ONE, options: Partial<AuthenticatorOptions> = {}): Authenticator {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const secrets: SecretStore = { description: 'test', read: async () => Buffer.from(read()) };
    return build({ keySets: [REFRESHED], secrets, ...options });
  }

  it('R3: a key that was taken back: the last token is accepted within 305 s', async () => {
    let keys = ONE;
    const authenticator = aging(() => keys);
    const token = sign(LASTING);
    expect(await ask(authenticator, token)).toBe('verified');
    keys = setOf(jwk(two, 'two'));
    let last = 0;
    for (let second = 1; second <= 400; second++) {
      await vi.advanceTimersByTimeAsync(1_000);
      const answer = await ask(authenticator, token);
      if (answer === 'kept') last = second;
      else expect(answer).toBe('token_key_unknown');
    }
    expect(last).toBeGreaterThan(200);
    expect(last).toBeLessThanOrEqual(305);
  });

  it('R3: through an hour of refreshes with the same key, verified once', async () => {
    const authenticator = aging();
    const token = sign(LASTING);
    expect(await ask(authenticator, token)).toBe('verified');
    for (let minute = 0; minute < 60; minute++) {
      await vi.advanceTimersByTimeAsync(60_000);
      expect(await ask(authenticator, token)).toBe('kept');
    }
  });

  it('R3, R4: the source is down: kept until maxStale, and 503 then', async () => {
    let down = false;
    const authenticator = aging(() => {
      if (down) throw new Error('down');
      return ONE;
    });
    const token = sign(LASTING);
    expect(await ask(authenticator, token)).toBe('verified');
    down = true;
    for (let minute = 1; minute <= 60; minute++) {
      await vi.advanceTimersByTimeAsync(60_000);
      expect(await ask(authenticator, token)).toBe('kept');
    }
    await vi.advanceTimersByTimeAsync(1);
    for (const mode of ['strict', 'optional', 'permissive'] as const) {
      const request = requestWith(token);
      await expect(authenticator.authenticate(request, { mode })).rejects.toMatchObject({
        code: 'keyset_unavailable',
        status: 503,
        headers: { 'Retry-After': expect.any(String) },
      });
      expect(refusalOf(request)).toBeUndefined();
    }
    expect(await ask(authenticator, token)).toBe('keyset_unavailable');
    down = false;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await ask(authenticator, token, token)).toBe('verified kept');
  });

  it('T-141, R22: the wall clock jumps, and only claims are judged by it', async () => {
    const authenticator = aging();
    const token = sign({ exp: SOON + 4_000, nbf: NOW / 1000 - 3_600 });
    expect(await ask(authenticator, token)).toBe('verified');
    clock.set(NOW + 3_600_000);
    expect(await ask(authenticator, token)).toBe('kept');
    clock.set(NOW - 3_600_000);
    expect(await ask(authenticator, token)).toBe('kept');
  });

  it('R19: after close() tokens are accepted, kept or not, until the keys are too old', async () => {
    const answers: string[][] = [];
    for (const cache of [undefined, false] as const) {
      const authenticator = aging(undefined, defined({ cache }));
      const token = sign(LASTING);
      await authenticator.verify(token);
      await authenticator.verify(token);
      await authenticator.close();
      const seen = [await outcome(authenticator.verify(token))];
      for (const ms of [299_999, 1]) {
        await vi.advanceTimersByTimeAsync(ms);
        seen.push(await outcome(authenticator.authenticate(requestWith(token))));
      }
      seen.push(await outcome(authenticator.verify(token)));
      answers.push(seen);
    }
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]?.slice(2)).toEqual(['keyset_unavailable', 'keyset_unavailable']);
  });

  it('R19: close() empties the cache', async () => {
    const authenticator = build();
    const token = sign();
    expect(await ask(authenticator, token, token)).toBe('verified kept');
    await authenticator.close();
    expect(await ask(authenticator, token)).toBe('verified');
  });
});
