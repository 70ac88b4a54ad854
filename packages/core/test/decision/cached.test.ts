// Tokens that are kept, through authenticators: what is decided of a token that was seen before is
// what would be decided of it anew. What an answer took is counted: a kept token is neither parsed
// nor verified.
import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  createClock,
  createIssuer,
  forge,
  generateSigningKey,
  mint,
  type TestIssuer,
} from '@latchkey/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type { RequestView } from '../../src/adapter/index.ts';
import { readOptions } from '../../src/decision/options.ts';
import {
  type Authenticator,
  type AuthenticatorOptions,
  authorize,
  ConfigError,
  createAuthenticator,
  createMemoryStore,
  type GroupResolver,
  type GroupsOptions,
  isAuthError,
  type JsonObject,
  type KeysetOptions,
  type LatchkeyEvents,
  type MemoryStore,
  type Principal,
  refusalOf,
  type SecretStore,
} from '../../src/index.ts';
import type { LegacyKeyOptions } from '../../src/keysets/legacy-options.ts';
import { defined, given } from '../support/defined.ts';

const work = vi.hoisted(() => ({ verified: 0, parsed: 0 }));

vi.mock('node:crypto', async (original) => {
  const real = await original<typeof import('node:crypto')>();
  const verify: typeof real.verify = Object.assign((...given: Parameters<typeof real.verify>) => {
    work.verified++;
    return real.verify(...given);
  }, real.verify) as never;
  // The end of verifying a MAC, and of nothing else.
  const timingSafeEqual: typeof real.timingSafeEqual = (one, two) => {
    work.verified++;
    return real.timingSafeEqual(one, two);
  };
  return { ...real, verify, timingSafeEqual };
});

vi.mock('../../src/token/parse.ts', async (original) => {
  const real = await original<typeof import('../../src/token/parse.ts')>();
  const parseToken: typeof real.parseToken = (...given) => {
    work.parsed++;
    return real.parseToken(...given);
  };
  return { ...real, parseToken };
});

// Everybody is admitted the first time here: what is asked is what becomes of a token that is kept.
// When it is, says seen-twice.test.ts.
vi.mock('../../src/decision/doorkeeper.ts', () => ({ createDoorkeeper: () => ({ admits: () => true }) }));

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const ISSUER = 'https://issuer.example';
const AUDIENCE = 'https://api.example.com';
const REF = { name: 'keys', key: 'jwks.json' };
/** A whole second, in milliseconds. */
const NOW = 1_700_000_000_000;
const SOON = NOW / 1000 + 300;

/** Random bytes that do not end like a text. */
const secret = () => Buffer.concat([randomBytes(63), Buffer.from([0x21])]);
const one = secret();
const two = secret();

type Headers = { readonly [name: string]: unknown };
type Claims = { readonly [name: string]: unknown };

/**
 * A token with a MAC: the cheapest to make. `kid` is `one` unless the header says otherwise;
 * undefined leaves it out.
 */
function sign(claims: Claims | string, header: Headers = {}, bytes = one): string {
  const { alg = 'HS256' } = header;
  return forge({
    header: { kid: 'one', typ: 'JWT', ...header, alg },
    payload:
      typeof claims === 'string'
        ? claims
        : { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: SOON, ...claims },
    signature: (input) =>
      createHmac(`sha${String(alg).slice(2)}`, bytes)
        .update(input)
        .digest(),
  });
}

/** A key. Null: whichever algorithms its keyset allows. */
const jwk = (bytes: Buffer, kid?: string, alg: string | null = 'HS256'): JsonObject => ({
  kty: 'oct',
  k: bytes.toString('base64url'),
  ...(kid === undefined ? {} : { kid }),
  ...(alg === null ? {} : { alg }),
});

const setOf = (...keys: readonly JsonObject[]) => JSON.stringify({ keys });

const closers: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  for (const close of closers.splice(0)) await close();
});

interface Service {
  readonly authenticator: Authenticator;
  readonly clock: ReturnType<typeof createClock>;
  readonly store: MemoryStore;
}

const CLOCKED = createClock(NOW);
beforeEach(() => CLOCKED.set(NOW));

function build(options: Partial<AuthenticatorOptions> = {}): Authenticator {
  const authenticator = createAuthenticator({
    keySets: [{ issuer: ISSUER, secret: { name: REF.name } }],
    secrets: createMemoryStore({ [REF.name]: { [REF.key]: setOf(jwk(one, 'one')) } }),
    audience: AUDIENCE,
    clock: CLOCKED,
    ...options,
  });
  closers.push(authenticator.close);
  return authenticator;
}

/** An authenticator whose keys are in a store that the test writes. */
function serve(keys: string = setOf(jwk(one, 'one')), options: Partial<AuthenticatorOptions> = {}): Service {
  const store = createMemoryStore({ [REF.name]: { [REF.key]: keys } });
  return { authenticator: build({ secrets: store, ...defined(options) }), clock: CLOCKED, store };
}

/** Resolves at the next event of this name, or after so many of them. */
function nextEvent(name: keyof LatchkeyEvents, times = 1): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0;
    const listener = () => {
      if (++seen < times) return;
      unsubscribe(name, listener);
      resolve();
    };
    subscribe(name, listener);
  });
}

/** Puts other keys in place, and waits until every keyset over them has read them. */
async function publish(store: MemoryStore, keys: string, reference = REF, readers = 1): Promise<void> {
  const read = nextEvent('latchkey:keyset:refreshed', readers);
  store.set(reference, keys);
  await read;
}

function requestOf(
  token?: string,
  authorization = token === undefined ? undefined : `Bearer ${token}`,
): RequestView {
  return authorization === undefined
    ? { method: 'GET', headers: {}, rawHeaders: [] }
    : { method: 'GET', headers: { authorization }, rawHeaders: ['Authorization', authorization] };
}

async function outcome(decision: Promise<unknown>): Promise<string> {
  try {
    return (await decision) === undefined ? 'anonymous' : 'accepted';
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return error.code;
  }
}

/**
 * What a decision came to: `kept` where it is a principal and took neither parsing nor verifying;
 * `verified` where it did.
 */
async function answerOf(decide: () => Promise<unknown>): Promise<string> {
  const before = { ...work };
  const result = await outcome(decide());
  if (result !== 'accepted') return result;
  const [parsed, verified] = [work.parsed - before.parsed, work.verified - before.verified];
  if (parsed === 0 && verified === 0) return 'kept';
  expect(parsed).toBe(1);
  expect(verified).toBeGreaterThan(0);
  return 'verified';
}

const ask = (authenticator: Authenticator, token: string) => answerOf(() => authenticator.verify(token));
const askAll = async (authenticator: Authenticator, tokens: readonly string[]) => {
  const answers: string[] = [];
  for (const token of tokens) answers.push(await ask(authenticator, token));
  return answers;
};

describe('a hit', () => {
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
    const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: SOON };
    const token = await mint(key, claims, kidless ? { kid: undefined } : {});
    expect(await ask(authenticator, token)).toBe('verified');
    for (let round = 0; round < 10; round++) {
      expect(await ask(authenticator, token)).toBe('kept');
      expect(await answerOf(() => authenticator.authenticate(requestOf(token)))).toBe('kept');
    }
    // The same token, and not the same string.
    expect(await ask(authenticator, Buffer.from(token).toString('latin1'))).toBe('kept');
  });

  it.each(['verify', 'authenticate'] as const)('is one whoever asked first: %s', async (first) => {
    const { authenticator } = serve();
    const token = sign({});
    const asks = {
      verify: () => authenticator.verify(token),
      authenticate: () => authenticator.authenticate(requestOf(token)),
    };
    expect(await answerOf(asks[first])).toBe('verified');
    expect(await answerOf(asks.verify)).toBe('kept');
    expect(await answerOf(asks.authenticate)).toBe('kept');
  });

  it('gives the same frozen principal each time', async () => {
    const { authenticator } = serve();
    const token = sign({ groups: ['staff'], scope: 'a b', deep: { list: [{ x: 1 }] } });
    const first = await authenticator.verify(token);
    const found = await authenticator.authenticate(requestOf(token));
    expect(found).toBe(first);
    expect(await authenticator.verify(token, { groups: ['staff'] })).toBe(first);
    expect(await authenticator.authenticate(requestOf(token), { issuers: [ISSUER] })).toBe(first);
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen));
    expect(frozen(first)).toBe(true);
    expect(() => Object.assign(first.claims, { sub: 'root' })).toThrow(TypeError);
    expect(() => (first.groups as string[]).push('admin')).toThrow(TypeError);
    expect(await authenticator.verify(token)).toMatchObject({ subject: 'alice', groups: ['staff'] });
  });

  it('many at once: each is accepted, and one of them is kept', async () => {
    const { authenticator } = serve();
    const token = sign({});
    const principals = await Promise.all(Array.from({ length: 50 }, () => authenticator.verify(token)));
    expect(new Set(principals.map(({ subject }) => subject))).toEqual(new Set(['alice']));
    expect(principals).toContain(await authenticator.verify(token));
    expect(await ask(authenticator, token)).toBe('kept');
  });

  it('cache: false verifies each time', async () => {
    const { authenticator } = serve(undefined, { cache: false });
    const token = sign({});
    expect(await askAll(authenticator, [token, token, token])).toEqual(['verified', 'verified', 'verified']);
    expect(await answerOf(() => authenticator.authenticate(requestOf(token)))).toBe('verified');
  });

  it.each([undefined, {}, { tokens: 1 }])('cache: %j keeps tokens', async (cache) => {
    const { authenticator } = serve(undefined, defined({ cache }));
    const token = sign({});
    expect(await askAll(authenticator, [token, token])).toEqual(['verified', 'kept']);
  });
});

describe('T-142: tokens that end alike', () => {
  it.each<[title: string, forged: (token: string) => string]>([
    [
      'another payload',
      (token) => replaced(token, 1, { iss: ISSUER, aud: AUDIENCE, sub: 'root', exp: SOON }),
    ],
    ['another header', (token) => replaced(token, 0, { alg: 'HS256', kid: 'one', typ: 'at+jwt' })],
    ['no header to speak of', (token) => `.${token.split('.').slice(1).join('.')}`],
    ['the signature alone', (token) => token.split('.')[2] ?? ''],
    ['the last characters alone', (token) => token.slice(-32)],
    ['a signature that differs before its last characters', (token) => swapped(token, token.length - 33)],
  ])('T-142: %s is refused, and the token stays', async (_, forged) => {
    const { authenticator } = serve(undefined, { cache: { tokens: 1 } });
    const token = sign({});
    const other = forged(token);
    expect(other.slice(-32)).toBe(token.slice(-32));
    const before = await ask(authenticator, other);
    expect(before).toMatch(/^token_(?:malformed|signature_invalid)$/);
    expect(await ask(authenticator, token)).toBe('verified');
    for (let round = 0; round < 100; round++) expect(await ask(authenticator, other)).toBe(before);
    expect(await outcome(authenticator.authenticate(requestOf(other)))).toMatch(/malformed|invalid/);
    expect(await ask(authenticator, token)).toBe('kept');
    expect((await authenticator.verify(token)).subject).toBe('alice');
  });

  function replaced(token: string, segment: number, content: object): string {
    return token
      .split('.')
      .map((part, index) =>
        index === segment ? Buffer.from(JSON.stringify(content)).toString('base64url') : part,
      )
      .join('.');
  }

  function swapped(token: string, at: number): string {
    return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
  }
});

describe('T-143: no verdict carries over', () => {
  it('T-143: of rules', async () => {
    const { authenticator } = serve();
    const token = sign({ dept: 'IT', scope: 'read' });
    const seen: string[] = [];
    for (let round = 0; round < 3; round++) {
      seen.push(await answerOf(() => authenticator.verify(token, { dept: 'IT' })));
      seen.push(await answerOf(() => authenticator.verify(token, { dept: 'HR' })));
      seen.push(await answerOf(() => authenticator.verify(token, { scope: ['write'] })));
    }
    const later = ['kept', 'claims_insufficient', 'scope_insufficient'];
    expect(seen).toEqual(['verified', ...later.slice(1), ...later, ...later]);
  });

  it('T-143: of rules that fail first', async () => {
    const { authenticator } = serve();
    const token = sign({ dept: 'IT' });
    expect(await outcome(authenticator.verify(token, { dept: 'HR' }))).toBe('claims_insufficient');
    expect(await answerOf(() => authenticator.verify(token, { dept: 'IT' }))).toBe('kept');
  });

  it('T-143: of issuers that a route welcomes', async () => {
    const { authenticator } = serve();
    const token = sign({});
    const seen: string[] = [];
    for (const issuers of [undefined, ['https://other.example'], [ISSUER], [/^https:\/\/other\./], undefined])
      seen.push(await answerOf(() => authenticator.authenticate(requestOf(token), defined({ issuers }))));
    const refused = 'token_issuer_untrusted';
    expect(seen).toEqual(['verified', refused, 'kept', refused, 'kept']);
  });

  it('T-143: of modes', async () => {
    const { authenticator } = serve(undefined, { mode: 'permissive' });
    const [token, bad] = [sign({}), sign({}, {}, two)];
    const modes = ['permissive', 'strict', 'optional', undefined] as const;
    const of = (one: string | undefined) =>
      Promise.all(
        modes.map((mode) => outcome(authenticator.authenticate(requestOf(one), defined({ mode })))),
      );
    for (let round = 0; round < 2; round++) {
      expect(await of(token)).toEqual(modes.map(() => 'accepted'));
      expect(await of(bad)).toEqual([
        'anonymous',
        'token_signature_invalid',
        'token_signature_invalid',
        'anonymous',
      ]);
      expect(await of(undefined)).toEqual(['anonymous', 'credentials_missing', 'anonymous', 'anonymous']);
    }
  });

  it('T-143: a kept token with an issuer that is not welcome is anonymous where the mode says so, and in its realm where not', async () => {
    const { authenticator } = serve(undefined, { realm: 'friends' });
    const token = sign({});
    expect(await ask(authenticator, token)).toBe('verified');
    const request = requestOf(token);
    const issuers = ['https://other.example'];
    expect(await authenticator.authenticate(request, { issuers, mode: 'permissive' })).toBeUndefined();
    expect(refusalOf(request)).toMatchObject({
      code: 'token_issuer_untrusted',
      headers: { 'WWW-Authenticate': expect.stringContaining('realm="friends"') },
    });
    await expect(authenticator.authenticate(request, { issuers })).rejects.toMatchObject({
      code: 'token_issuer_untrusted',
      headers: { 'WWW-Authenticate': expect.stringContaining('realm="friends"') },
    });
    expect(await answerOf(() => authenticator.authenticate(request))).toBe('kept');
    expect(refusalOf(request)).toBeUndefined();
  });

  it('T-143: of realms, and a principal keeps that of its own authenticator', async () => {
    const realms = ['one', 'two'];
    const services = realms.map((realm) => serve(undefined, { realm }).authenticator);
    const token = sign({ dept: 'IT' });
    for (let round = 0; round < 3; round++) {
      for (const [index, authenticator] of services.entries()) {
        const challenge = { 'WWW-Authenticate': expect.stringContaining(`realm="${realms[index]}"`) };
        const headers: unknown = expect.objectContaining(challenge);
        const principal = await authenticator.verify(token);
        expect(() => authorize(principal, { dept: 'HR' })).toThrow(expect.objectContaining({ headers }));
        await expect(authenticator.verify(token, { dept: 'HR' })).rejects.toMatchObject({ headers });
      }
    }
  });

  it('T-143: what is wrong with overrides is said of a kept token too', async () => {
    const { authenticator } = serve();
    const token = sign({});
    await authenticator.verify(token);
    const wrong = authenticator.authenticate(requestOf(token), { mode: 'none' } as never);
    await expect(wrong).rejects.toBeInstanceOf(ConfigError);
    await expect(authenticator.verify(token, { dept: { typo: 1 } } as never)).rejects.toBeInstanceOf(
      ConfigError,
    );
  });

  it.each([
    ['two headers', { headers: 'twice' }, 'credentials_ambiguous'],
    ['a cookie of another origin', { cookie: 'cross-site' }, 'origin_refused'],
  ])('a kept token in the wrong place is refused: %s', async (_, how, expected) => {
    const { authenticator } = serve(undefined, { tokenFrom: [{ header: 'Authorization' }, { cookie: 't' }] });
    const token = sign({});
    await authenticator.verify(token);
    const request = {
      method: 'POST',
      headers:
        'cookie' in how
          ? { cookie: `t=${token}`, 'sec-fetch-site': 'cross-site' }
          : { authorization: `Bearer ${token}` },
      rawHeaders:
        'cookie' in how ? [] : ['Authorization', `Bearer ${token}`, 'Authorization', `Bearer ${token}`],
    };
    expect(await outcome(authenticator.authenticate(request))).toBe(expected);
    expect(await outcome(authenticator.authenticate(request, { mode: 'permissive' }))).toBe('anonymous');
    expect(refusalOf(request)?.code).toBe(expected);
  });

  it('D9: refusalOf forgets, when the same request has a kept token', async () => {
    const { authenticator } = serve(undefined, { mode: 'permissive' });
    const token = sign({});
    await authenticator.verify(token);
    const headers = { authorization: 'Bearer a.b.c' };
    const request = { method: 'GET', headers, rawHeaders: [] };
    expect(await authenticator.authenticate(request)).toBeUndefined();
    expect(refusalOf(request)?.code).toBe('token_malformed');
    headers.authorization = `Bearer ${token}`;
    expect(await answerOf(() => authenticator.authenticate(request))).toBe('kept');
    expect(refusalOf(request)).toBeUndefined();
  });

  it('the rules for every token hold for a kept one, as they held', async () => {
    const { authenticator } = serve(undefined, { claims: { dept: 'IT' } });
    const [good, bad] = [sign({ dept: 'IT' }), sign({ dept: 'HR' })];
    const invalid = 'token_claims_invalid';
    expect(await askAll(authenticator, [good, bad, good, bad])).toEqual([
      'verified',
      invalid,
      'kept',
      invalid,
    ]);
  });

  // BUG: rules for every token may be a schema, which is the application's own code: it may look at
  // a list of what was revoked. The option `cache` says "rules are judged each time", and these are
  // not.
  it('T-143: a schema for every token that says something else by now', async () => {
    const revoked = new Set<string>();
    const claims = z.object({ jti: z.string().refine((jti) => !revoked.has(jti)) });
    const answers: string[][] = [];
    for (const cache of [undefined, false] as const) {
      revoked.clear();
      const { authenticator } = serve(undefined, { claims, cache });
      const token = sign({ jti: 'a' });
      const before = await outcome(authenticator.verify(token));
      revoked.add('a');
      answers.push([before, await outcome(authenticator.verify(token))]);
    }
    expect(answers[1]).toEqual(['accepted', 'token_claims_invalid']);
    expect(answers[0]).toEqual(answers[1]);
  });
});

describe('T-144: times', () => {
  const s = NOW / 1000;
  const expired = 'token_expired';
  const early = 'token_not_yet_valid';
  type Options = Partial<AuthenticatorOptions>;
  it.each<[title: string, claims: Claims, options: Options, at: number, expected: string]>([
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
    [
      'maxTokenAge without exp',
      { iat: s, exp: undefined },
      { maxTokenAge: '20s', requireExp: false },
      25_000,
      expired,
    ],
    ['no time at all', { exp: undefined }, { requireExp: false }, 3_000_000_000_000, 'kept'],
    ['no time at all', { exp: undefined }, { requireExp: false }, -NOW, 'kept'],
  ])('T-144: %s: %j, %j, %d ms: %s', async (_, claims, options, at, expected) => {
    const { authenticator, clock } = serve(undefined, options);
    const token = sign(claims);
    expect(await ask(authenticator, token)).toBe('verified');
    clock.set(NOW + at);
    expect(await ask(authenticator, token)).toBe(expected);
    expect(await outcome(authenticator.authenticate(requestOf(token)))).toBe(
      expected === 'kept' ? 'accepted' : expected,
    );
    clock.set(NOW);
    // What was dropped is not good for ever bad: the wall clock may have been wrong.
    expect(await ask(authenticator, token)).toBe(expected === 'kept' ? 'kept' : 'verified');
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, undefined])(
    'T-144: a clock that says %s: no token is accepted, kept or not',
    async (broken) => {
      let now: unknown = NOW;
      const clock = { now: () => now as number };
      const options = { clock, requireExp: false, mode: 'permissive' } as const;
      const token = sign({ exp: undefined });
      for (const cache of [undefined, false] as const) {
        now = NOW;
        const { authenticator } = serve(undefined, { ...options, cache });
        await authenticator.verify(token);
        now = broken;
        await expect(authenticator.verify(token)).rejects.toThrow('the clock gave no time');
        const request = requestOf(token);
        await expect(authenticator.authenticate(request)).rejects.toBeInstanceOf(TypeError);
        expect(refusalOf(request)).toBeUndefined();
      }
    },
  );

  // BUG: see verified.test.ts.
  it('T-144: a clock that says null: no token is accepted, kept or not', async () => {
    let now: unknown = NOW;
    const { authenticator } = serve(undefined, { clock: { now: () => now as number }, requireExp: false });
    const token = sign({ exp: undefined });
    await authenticator.verify(token);
    now = null;
    await expect(authenticator.verify(token)).rejects.toThrow('the clock gave no time');
  });

  it('T-144: a clock that breaks', async () => {
    const fault = new RangeError('no clock');
    let broken = false;
    const now = () => {
      if (broken) throw fault;
      return NOW;
    };
    const { authenticator } = serve(undefined, { clock: { now }, mode: 'permissive' });
    const token = sign({});
    await authenticator.verify(token);
    broken = true;
    await expect(authenticator.verify(token)).rejects.toBe(fault);
    await expect(authenticator.authenticate(requestOf(token))).rejects.toBe(fault);
    broken = false;
    expect(await ask(authenticator, token)).toBe('kept');
  });
});

/** mulberry32: the same cases in every run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** All that somebody can see of a decision. */
async function toldOf(decision: Promise<Principal | undefined>): Promise<string> {
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

  it.each(POLICIES)('R14, T-144: options %s', async (name, options) => {
    const pick = random(name.length);
    const some = <const T extends readonly unknown[]>(...choices: T): T[number] =>
      choices[pick(choices.length)];
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
      CLOCKED.set(NOW + pick(10_000));
      for (let round = 0; round < 6; round++) {
        const { token, edges } = round < 3 ? made : some(...recent);
        // Mostly around where something ends or begins.
        if (round > 1)
          CLOCKED.set(some(...edges) + some(0, 0, 1_000, -1_000, 5_000, -5_000) + some(-1, 0, 1));
        const overrides = some(
          undefined,
          undefined,
          { mode: some('strict', 'permissive', 'optional') } as const,
          {
            issuers: [some(ISSUER, 'https://other.example')],
          },
        );
        const decide = (authenticator: Authenticator) =>
          round % 2 === 0
            ? authenticator.authenticate(requestOf(token), ...given(overrides))
            : authenticator.verify(token, overrides === undefined ? {} : { role: 'a' });
        const parsed = work.parsed;
        const got = await toldOf(decide(cached));
        const isKept = work.parsed === parsed;
        expect(got, `${token} at ${CLOCKED.now()}`).toBe(await toldOf(decide(uncached)));
        seen.asked++;
        if (isKept) seen.kept++;
        if (got.startsWith('{')) seen.accepted++;
      }
    }
    expect(seen.asked).toBe(12_000);
    // Else nothing was compared.
    expect(seen.kept).toBeGreaterThan(600);
    expect(seen.accepted).toBeGreaterThan(seen.kept / 2);
    expect(seen.accepted).toBeLessThan(9_000);
  });

  it.each(['first', 'try-all', 'refuse'] as const)(
    'R14, T-145: keys that come and go, kidless %s',
    async (kidless) => {
      const pick = random(145);
      const some = <const T extends readonly unknown[]>(...choices: T): T[number] =>
        choices[pick(choices.length)];
      const pool = [one, two, secret()];
      const allowedAlgorithms = ['HS256', 'HS384'] as const;
      const keySets: readonly KeysetOptions[] = [
        { issuer: ISSUER, secret: { name: REF.name }, kidless, allowedAlgorithms },
      ];
      const store = createMemoryStore({ [REF.name]: { [REF.key]: setOf(jwk(one, 'one')) } });
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
          const got = await toldOf(cached.verify(token));
          if (work.parsed === parsed) seen.kept++;
          expect(got, JSON.stringify(keys)).toBe(await toldOf(uncached.verify(token)));
          seen[got.startsWith('{') ? 'accepted' : 'refused']++;
        }
      }
      expect(seen.kept).toBeGreaterThan(100);
      expect(seen.accepted).toBeGreaterThan(200);
      expect(seen.refused).toBeGreaterThan(200);
    },
  );
});

describe('T-145, R3: the key of a kept token', () => {
  const [first, second] = [jwk(one, 'one'), jwk(two, 'two')];
  /** The first, for each of the algorithms that its keyset allows. */
  const any = jwk(one, 'one', null);
  const allowedAlgorithms = ['HS256', 'HS512'] as const;
  const keySets: readonly KeysetOptions[] = [
    { issuer: ISSUER, secret: { name: REF.name }, allowedAlgorithms },
  ];

  it.each<[title: string, after: string, expected: string]>([
    ['the same set, written anew', setOf(any), 'kept'],
    ['another key joins', setOf(second, any), 'kept'],
    ['it is gone', setOf(second), 'token_key_unknown'],
    ['all are gone', setOf(), 'token_key_unknown'],
    ['another key has its kid', setOf(jwk(two, 'one', null)), 'token_signature_invalid'],
    ['it has another kid', setOf(jwk(one, 'uno', null)), 'token_key_unknown'],
    ['it has no kid', setOf(jwk(one, undefined, null)), 'token_key_unknown'],
    ['it is for another algorithm', setOf(jwk(one, 'one', 'HS512')), 'token_algorithm_refused'],
    // It takes fewer algorithms than before, and still that of the token.
    ['it is for its algorithm alone', setOf(jwk(one, 'one', 'HS256')), 'kept'],
    ['it is for another use', setOf({ ...any, use: 'enc' }), 'token_key_unknown'],
    ['it may not verify', setOf({ ...any, key_ops: ['sign'] }), 'token_key_unknown'],
  ])('T-145: %s', async (_, after, expected) => {
    const { authenticator, store } = serve(setOf(any, second), { keySets });
    const token = sign({});
    expect(await askAll(authenticator, [token, token])).toEqual(['verified', 'kept']);
    await publish(store, after);
    expect(await ask(authenticator, token)).toBe(expected);
    expect(await outcome(authenticator.authenticate(requestOf(token)))).toBe(
      ['kept', 'verified'].includes(expected) ? 'accepted' : expected,
    );
    // Once it is published again, it verifies again.
    await publish(store, setOf(any));
    expect(await outcome(authenticator.verify(token))).toBe('accepted');
    expect(await ask(authenticator, token)).toBe('kept');
  });

  it('T-145: many refreshes with the same key: verified once', async () => {
    const { authenticator, store } = serve();
    const token = sign({});
    expect(await ask(authenticator, token)).toBe('verified');
    for (let round = 0; round < 20; round++) {
      await publish(store, setOf(jwk(secret(), `n${round}`), first));
      expect(await ask(authenticator, token)).toBe('kept');
    }
  });

  it('T-145: a set that cannot be read takes nothing away, and one that can be again', async () => {
    const { authenticator, store } = serve();
    const token = sign({});
    await authenticator.verify(token);
    const failed = nextEvent('latchkey:keyset:failed');
    store.set(REF, 'junk');
    await failed;
    expect(await ask(authenticator, token)).toBe('kept');
    await publish(store, setOf(second));
    expect(await ask(authenticator, token)).toBe('token_key_unknown');
  });

  it('T-145: a token without a kid, and the order changes', async () => {
    const [a, b] = [jwk(one), jwk(two)];
    const { authenticator, store } = serve(setOf(a, b));
    const token = sign({}, { kid: undefined });
    expect(await askAll(authenticator, [token, token])).toEqual(['verified', 'kept']);
    await publish(store, setOf(b, a));
    expect(await askAll(authenticator, [token, token])).toEqual([
      'token_signature_invalid',
      'token_signature_invalid',
    ]);
    await publish(store, setOf(a, b));
    expect(await askAll(authenticator, [token, token])).toEqual(['verified', 'kept']);
    await publish(store, setOf(a, b));
    expect(await askAll(authenticator, [token, token])).toEqual(['kept', 'kept']);
  });

  it('T-145: the deprecated list: a key is replaced, and the others are not', async () => {
    const keys: readonly LegacyKeyOptions[] = [
      { keyId: 'one', issuer: ISSUER, algorithm: 'HS256', secret: { name: 'a' } },
      { keyId: 'two', issuer: 'https://b.example', algorithm: 'HS256', secret: { name: 'b' } },
    ];
    const store = createMemoryStore({ a: { 'secret.key': one }, b: { 'secret.key': two } });
    const authenticator = build({ keySets: [], keys, secrets: store });
    const named = sign({});
    const nameless = sign({}, { kid: undefined });
    const ofNobody = sign({ iss: undefined });
    const others = sign({ iss: 'https://b.example' }, { kid: 'two' }, two);
    const all = [named, nameless, ofNobody, others];
    expect(await askAll(authenticator, [...all, ...all])).toEqual([
      ...all.map(() => 'verified'),
      ...all.map(() => 'kept'),
    ]);
    const read = nextEvent('latchkey:keyset:refreshed');
    store.set({ name: 'a', key: 'secret.key' }, secret());
    await read;
    const bad = 'token_signature_invalid';
    expect(await askAll(authenticator, all)).toEqual([bad, bad, bad, 'kept']);
  });

  it('T-145: jwksUrl: a key is taken back', async () => {
    const issuer = await listen();
    const { issuer: iss, jwksUrl } = issuer;
    const authenticator = build({ keySets: [{ issuer: iss, jwksUrl, allowHttp: true }], clock: Date });
    const token = await issuer.mint();
    expect(await askAll(authenticator, [token, token])).toEqual(['verified', 'kept']);
    issuer.publish([]);
    expect(await ask(authenticator, token)).toBe('kept');
    // A kid that nobody knows makes it look.
    expect(await ask(authenticator, await issuer.mint({}, { kid: 'unknown' }))).toBe('token_key_unknown');
    expect(await ask(authenticator, token)).toBe('token_key_unknown');
  });

  it('T-145: useOidcDiscovery: the set is read again, the key is the same; then it is another key of the same kid', async () => {
    const issuer = await listen();
    vi.useFakeTimers({ toFake: ['performance'] });
    const keySets = [{ issuer: issuer.issuer, useOidcDiscovery: true, allowHttp: true }] as const;
    const authenticator = build({ keySets, clock: Date });
    const token = await issuer.mint();
    expect(await askAll(authenticator, [token, token])).toEqual(['verified', 'kept']);
    const unknown = await issuer.mint({}, { kid: 'unknown' });
    expect(await ask(authenticator, unknown)).toBe('token_key_unknown');
    expect(issuer.requests.jwks).toBe(2);
    expect(await ask(authenticator, token)).toBe('kept');
    const another = await generateSigningKey('ES256', issuer.key.kid);
    issuer.publish([another.publicJwk]);
    vi.advanceTimersByTime(10_000);
    expect(await ask(authenticator, unknown)).toBe('token_key_unknown');
    expect(issuer.requests.jwks).toBe(3);
    expect(await ask(authenticator, token)).toBe('token_signature_invalid');
  });

  it('T-145: jku: each URL has keys of its own, and what is gone there is gone here', async () => {
    const issuers = [await listen(), await listen()] as const;
    vi.useFakeTimers({ toFake: ['performance'] });
    const jwksHosts = issuers.map(({ jwksUrl }) => new URL(jwksUrl).host);
    const keySets = [{ issuer: ISSUER, jwksHosts, allowHttp: true, unsafeAllowPrivateAddresses: true }];
    const authenticator = build({ keySets, clock: Date });
    const tokens = await Promise.all(
      issuers.map((issuer) => issuer.mint({ iss: ISSUER }, { jku: issuer.jwksUrl })),
    );
    expect(await askAll(authenticator, [...tokens, ...tokens])).toEqual([
      'verified',
      'verified',
      'kept',
      'kept',
    ]);
    issuers[0].publish([]);
    vi.advanceTimersByTime(10_000);
    const unknown = await issuers[0].mint({ iss: ISSUER }, { kid: 'x', jku: issuers[0].jwksUrl });
    expect(await ask(authenticator, unknown)).toBe('token_key_unknown');
    expect(await askAll(authenticator, tokens)).toEqual(['token_key_unknown', 'kept']);
  });

  it('T-145: publicKeys: a file is replaced, and what the other key signed is kept', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-'));
    closers.push(() => rm(folder, { recursive: true }));
    const [primary, backup, next] = [0, 1, 2].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }));
    type Pair = NonNullable<typeof primary>;
    const place = async (name: string, pair: Pair | undefined) => {
      await writeFile(join(folder, 'tmp'), pair?.publicKey.export({ type: 'spki', format: 'pem' }) ?? '');
      await rename(join(folder, 'tmp'), join(folder, name));
    };
    await place('primary.pem', primary);
    await place('backup.pem', backup);
    const publicKeys = ['primary.pem', 'backup.pem'].map((name) => ({
      file: join(folder, name),
      algorithm: 'ES256' as const,
    }));
    const authenticator = build({ keySets: [{ issuer: ISSUER, publicKeys }] });
    const by = (pair: Pair | undefined, kid?: string) =>
      mint(
        { alg: 'ES256', kid: '', privateKey: pair?.privateKey as never, publicJwk: {} },
        { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: SOON },
        { kid },
      );
    const tokens = [await by(primary, 'any'), await by(primary), await by(backup, 'any'), await by(backup)];
    expect(await askAll(authenticator, [...tokens, ...tokens])).toEqual([
      ...tokens.map(() => 'verified'),
      ...tokens.map(() => 'kept'),
    ]);
    const removed = nextEvent('latchkey:keyset:key-removed');
    await place('primary.pem', next);
    await removed;
    const bad = 'token_signature_invalid';
    // Without a kid it is verified anew whenever the set is another one.
    await vi.waitFor(async () =>
      expect((await askAll(authenticator, tokens)).slice(0, 2)).toEqual([bad, bad]),
    );
    expect(await askAll(authenticator, tokens)).toEqual([bad, bad, 'kept', 'kept']);
  });

  it('T-145: two keysets of one issuer: the second one loses the key, and the first one has it', async () => {
    const store = createMemoryStore({ a: { [REF.key]: setOf(first) }, b: { [REF.key]: setOf(second) } });
    const keySets = ['a', 'b'].map((name) => ({ issuer: ISSUER, secret: { name } }));
    const authenticator = build({ keySets, secrets: store });
    const token = sign({}, { kid: 'two' }, two);
    expect(await askAll(authenticator, [token, token])).toEqual(['verified', 'kept']);
    await publish(store, setOf(second), { name: 'a', key: REF.key });
    await publish(store, setOf(), { name: 'b', key: REF.key });
    expect(await askAll(authenticator, [token, token])).toEqual(['verified', 'kept']);
    await publish(store, setOf(), { name: 'a', key: REF.key });
    expect(await ask(authenticator, token)).toBe('token_key_unknown');
  });

  /**
   * What becomes of a token that the second of two keysets verified, once this is in the first:
   * with a cache, and without one.
   */
  async function behindAnother(
    before: string,
    after: string,
    token: string,
    last: readonly [string, Partial<AuthenticatorOptions>, readonly [object, object]],
  ): Promise<readonly string[]> {
    const [behind, options, [one, two]] = last;
    const answers: string[] = [];
    for (const cache of [undefined, false] as const) {
      const store = createMemoryStore({ a: { [REF.key]: before }, b: { [REF.key]: behind } });
      const keySets: readonly KeysetOptions[] = [
        { issuer: ISSUER, secret: { name: 'a' }, ...one },
        { issuer: ISSUER, secret: { name: 'b' }, ...two },
      ];
      const authenticator = build({ keySets, secrets: store, ...defined({ cache }), ...options });
      expect(await outcome(authenticator.verify(token))).toBe('accepted');
      await publish(store, after, { name: 'a', key: REF.key });
      answers.push(await outcome(authenticator.verify(token)));
    }
    return answers;
  }

  // BUG: the keysets before the one that verified the token are not looked at again. A token
  // without a kid belongs to the first of them that has a key for its algorithm, and to no other.
  it('T-145: a token without a kid, and a keyset before its own has a key for it now', async () => {
    const token = sign({}, { kid: undefined });
    const before = setOf(jwk(two, 'two', 'HS512'));
    const after = setOf(jwk(two, 'two', 'HS256'));
    const [cached, uncached] = await behindAnother(before, after, token, [setOf(first), {}, [{}, {}]]);
    expect(uncached).toBe('token_signature_invalid');
    expect(cached).toBe(uncached);
  });

  // BUG: the same. Whose word a token is says the first keyset that has its key.
  it('D16, T-145: a token of the system, and a keyset that is not of the system has its key now', async () => {
    const token = sign({ sub: 'system' });
    const [cached, uncached] = await behindAnother(setOf(second), setOf(first), token, [
      setOf(first),
      { systemSubject: 'system' },
      [{}, { system: true }],
    ]);
    expect(uncached).toBe('token_claims_invalid');
    expect(cached).toBe(uncached);
  });

  async function listen(): Promise<TestIssuer> {
    const issuer = await createIssuer({ audience: AUDIENCE });
    closers.push(issuer.close);
    return issuer;
  }
});

describe('R3, R14: keysets that grow old', () => {
  const REFRESHED: KeysetOptions = {
    issuer: ISSUER,
    secret: { name: REF.name },
    refreshInterval: '5m',
    maxStale: '1h',
  };

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });

  /** A store that cannot be watched, and answers as told. */
  function storeOf(read: () => string): SecretStore {
    return { description: 'test', read: async () => Buffer.from(read()) };
  }

  it('R3: a key that was taken back: the last token is accepted within 305 s', async () => {
    let keys = setOf(jwk(one, 'one'));
    const authenticator = build({ keySets: [REFRESHED], secrets: storeOf(() => keys) });
    const token = sign({ exp: SOON + 10_000 });
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
    const authenticator = build({ keySets: [REFRESHED], secrets: storeOf(() => setOf(jwk(one, 'one'))) });
    const token = sign({ exp: SOON + 10_000 });
    expect(await ask(authenticator, token)).toBe('verified');
    for (let minute = 0; minute < 60; minute++) {
      await vi.advanceTimersByTimeAsync(60_000);
      expect(await ask(authenticator, token)).toBe('kept');
    }
  });

  it('R3, R4: the source is down: kept until maxStale, and 503 then', async () => {
    let down = false;
    const store = storeOf(() => {
      if (down) throw new Error('down');
      return setOf(jwk(one, 'one'));
    });
    const authenticator = build({ keySets: [REFRESHED], secrets: store });
    const token = sign({ exp: SOON + 10_000 });
    expect(await ask(authenticator, token)).toBe('verified');
    down = true;
    for (let minute = 1; minute <= 60; minute++) {
      await vi.advanceTimersByTimeAsync(60_000);
      expect(await ask(authenticator, token)).toBe('kept');
    }
    await vi.advanceTimersByTimeAsync(1);
    for (const mode of ['strict', 'optional', 'permissive'] as const) {
      const request = requestOf(token);
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
    expect(await askAll(authenticator, [token, token])).toEqual(['verified', 'kept']);
  });

  it('T-141, R22: the wall clock jumps, and only claims are judged by it', async () => {
    const authenticator = build({ keySets: [REFRESHED], secrets: storeOf(() => setOf(jwk(one, 'one'))) });
    const token = sign({ exp: SOON + 4_000, nbf: NOW / 1000 - 3_600 });
    expect(await ask(authenticator, token)).toBe('verified');
    CLOCKED.set(NOW + 3_600_000);
    expect(await ask(authenticator, token)).toBe('kept');
    CLOCKED.set(NOW - 3_600_000);
    expect(await ask(authenticator, token)).toBe('kept');
  });

  it('R19: after close(), kept or not, tokens are good as long as the keys are', async () => {
    const answers: string[][] = [];
    for (const cache of [undefined, false] as const) {
      const authenticator = build({
        keySets: [REFRESHED],
        secrets: storeOf(() => setOf(jwk(one, 'one'))),
        ...defined({ cache }),
      });
      const token = sign({ exp: SOON + 10_000 });
      await authenticator.verify(token);
      await authenticator.verify(token);
      await authenticator.close();
      const seen = [await outcome(authenticator.verify(token))];
      await vi.advanceTimersByTimeAsync(299_999);
      seen.push(await outcome(authenticator.authenticate(requestOf(token))));
      await vi.advanceTimersByTimeAsync(1);
      seen.push(await outcome(authenticator.authenticate(requestOf(token))));
      seen.push(await outcome(authenticator.verify(token)));
      answers.push(seen);
    }
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]?.slice(2)).toEqual(['keyset_unavailable', 'keyset_unavailable']);
  });

  it('R19: close() lets go of what was kept', async () => {
    const { authenticator } = serve();
    const token = sign({});
    expect(await askAll(authenticator, [token, token])).toEqual(['verified', 'kept']);
    await authenticator.close();
    expect(await ask(authenticator, token)).toBe('verified');
  });
});

describe('T-146: other spellings of a token', () => {
  const VARIANTS: readonly (readonly [string, (token: string) => string])[] = [
    ['padding', (token) => `${token}=`],
    ['two of padding', (token) => `${token}==`],
    ['a space behind', (token) => `${token} `],
    ['a space in front', (token) => ` ${token}`],
    ['a newline behind', (token) => `${token}\n`],
    ['a dot behind', (token) => `${token}.`],
    ['other spare bits of the signature', (token) => spare(token, 2)],
    ['base64 for base64url', (token) => token.replaceAll('-', '+').replaceAll('_', '/')],
  ];

  /** Sets the lowest bit of a segment's last character, which no byte has. */
  function spare(token: string, segment: number): string {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    return token
      .split('.')
      .map((part, index) =>
        index === segment ? part.slice(0, -1) + alphabet[alphabet.indexOf(part.slice(-1)) ^ 1] : part,
      )
      .join('.');
  }

  it.each(VARIANTS)('T-146: %s: refused, before and after, and the token stays', async (_, variant) => {
    const { authenticator } = serve(undefined, { cache: { tokens: 1 } });
    let token = sign({});
    // One that has something to respell.
    for (let round = 0; variant(token) === token; round++) token = sign({ round });
    expect(await ask(authenticator, variant(token))).toMatch(/^token_/);
    expect(await ask(authenticator, token)).toBe('verified');
    for (let round = 0; round < 3; round++)
      expect(await ask(authenticator, variant(token))).toMatch(/^token_/);
    // One space more in front of it is not a part of it.
    if (variant(token).trimStart() === variant(token))
      expect(await outcome(authenticator.authenticate(requestOf(variant(token))))).not.toBe('accepted');
    expect(await ask(authenticator, token)).toBe('kept');
  });

  it('T-026, T-146: the other signature of ECDSA is another token, and is verified itself', async () => {
    const key = await generateSigningKey('ES256', 'k');
    const authenticator = build({ keySets: [{ issuer: ISSUER, jwks: { keys: [key.publicJwk] } }] });
    const token = await mint(key, { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: SOON });
    const [header, payload, signature = ''] = token.split('.');
    const bytes = Buffer.from(signature, 'base64url');
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
    const other = Buffer.concat([
      bytes.subarray(0, 32),
      Buffer.from(s.toString(16).padStart(64, '0'), 'hex'),
    ]);
    const twin = `${header}.${payload}.${other.toString('base64url')}`;
    expect(await askAll(authenticator, [token, twin, token, twin])).toEqual([
      'verified',
      'verified',
      'kept',
      'kept',
    ]);
  });
});

describe('T-147: nothing is kept of what was not accepted', () => {
  it('T-147: a token that comes too early is good when its time comes', async () => {
    const { authenticator, clock } = serve(undefined, { clockSkew: '0s' });
    const token = sign({ nbf: NOW / 1000 + 1 });
    for (let round = 0; round < 3; round++)
      expect(await ask(authenticator, token)).toBe('token_not_yet_valid');
    clock.advance(1_000);
    expect(await askAll(authenticator, [token, token])).toEqual(['verified', 'kept']);
  });

  it('T-147: a key that is not known yet', async () => {
    const { authenticator, store } = serve();
    const token = sign({}, { kid: 'two' }, two);
    expect(await ask(authenticator, token)).toBe('token_key_unknown');
    await publish(store, setOf(jwk(one, 'one'), jwk(two, 'two')));
    expect(await askAll(authenticator, [token, token])).toEqual(['verified', 'kept']);
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
    const token = sign({});
    for (let round = 0; round < 3; round++)
      expect(await ask(authenticator, token)).toBe('keyset_unavailable');
    down = false;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await askAll(authenticator, [token, token])).toEqual(['verified', 'kept']);
  });

  it('T-147: rules for every token, groups, scopes', async () => {
    const { authenticator } = serve(undefined, { claims: { dept: 'IT' } });
    for (const claims of [
      { dept: 'HR' },
      { dept: 'IT', groups: 'root' },
      { dept: 'IT', scope: 1 },
      { dept: 'IT', aud: 'x' },
    ]) {
      const token = sign(claims);
      const before = work.verified;
      for (let round = 0; round < 3; round++) expect(await ask(authenticator, token)).toMatch(/^token_/);
      expect(work.verified - before).toBe(3);
    }
  });

  it('T-147, R13: a hundred thousand bad tokens leave what is kept as it was', async () => {
    // Room for one: the first of them that got in would be seen.
    const { authenticator } = serve(setOf(jwk(one, 'one')), { cache: { tokens: 1 }, maxTokenBytes: 1_024 });
    const good = sign({});
    expect(await askAll(authenticator, [good, good])).toEqual(['verified', 'kept']);
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
    const answers = new Map<string, number>();
    for (let index = 0; index < 100_000; index++) {
      const answer = await outcome(authenticator.verify(kinds[index % kinds.length]?.(index) ?? ''));
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
    expect([...answers.keys()].sort()).toEqual([
      'token_audience_mismatch',
      'token_expired',
      'token_issuer_untrusted',
      'token_key_unknown',
      'token_malformed',
      'token_signature_invalid',
      'token_type_refused',
    ]);
    expect(await ask(authenticator, good)).toBe('kept');
    // And that there is room for one is so.
    expect(await ask(authenticator, sign({ jti: 'next' }))).toBe('verified');
    expect(await ask(authenticator, good)).toBe('verified');
  });
});

describe('T-148: how many are kept', () => {
  it('T-148: so many, and those that were used last', async () => {
    const { authenticator } = serve(undefined, { cache: { tokens: 2 } });
    const [a, b, c] = ['a', 'b', 'c'].map((jti) => sign({ jti })) as [string, string, string];
    expect(await askAll(authenticator, [a, b, a, c, a, c, b])).toEqual([
      'verified',
      'verified',
      'kept',
      'verified',
      'kept',
      'kept',
      'verified',
    ]);
  });

  it('T-148: so many bytes', async () => {
    const token = sign({ jti: '0000' });
    // An entry is no less than its token and 600, and claims as small as these are no more than
    // that.
    const bytes = 10 * (600 + 4 * token.length);
    const { authenticator } = serve(undefined, { cache: { bytes } });
    const tokens = Array.from({ length: 40 }, (_, index) => sign({ jti: String(1_000 + index) }));
    for (const one of tokens) expect(await ask(authenticator, one)).toBe('verified');
    expect(new Set(await askAll(authenticator, tokens.slice(-10)))).toEqual(new Set(['kept']));
    expect(await ask(authenticator, tokens[20] ?? '')).toBe('verified');
  });

  it('T-148: no room for any is no fault', async () => {
    const { authenticator } = serve(undefined, { cache: { bytes: 1 } });
    const token = sign({});
    expect(await askAll(authenticator, [token, token])).toEqual(['verified', 'verified']);
  });

  it('T-148: a token over 4 KiB is verified each time, and pushes nothing out', async () => {
    const { authenticator } = serve(undefined, { cache: { tokens: 1 } });
    const tokens = Array.from({ length: 40 }, (_, index) => sign({ pad: 'x'.repeat(2_870 + index) }));
    const longest = tokens.filter(({ length }) => length <= 4_096).at(-1) ?? '';
    const longer = tokens.find(({ length }) => length > 4_096) ?? '';
    expect(longest.length).toBeGreaterThan(4_090);
    expect(longer.length).toBeLessThan(4_104);
    expect(await askAll(authenticator, [longest, longer, longest, longer, longest])).toEqual([
      'verified',
      'verified',
      'kept',
      'verified',
      'kept',
    ]);
  });
});

describe('R13: how much memory that is', () => {
  const BYTES = 4 * 1024 * 1024;

  /** How much the heap grows in a cache of 4 MiB, by tokens with these claims. */
  async function growthOf(claims: string): Promise<number> {
    const { authenticator } = serve(undefined, { cache: { bytes: BYTES } });
    const make = (index: number) =>
      sign(`{"iss":"${ISSUER}","aud":"${AUDIENCE}","exp":${SOON},"sub":"${index}",${claims}}`);
    const { length } = make(1_000);
    expect(length).toBeLessThan(4_096);
    // More than there is room for.
    const count = Math.ceil((1.1 * BYTES) / (600 + 4 * length));
    const tokens = Array.from({ length: count }, (_, index) => make(1_000 + index));
    const heapUsed = async () => {
      for (let turn = 0; turn < 3; turn++) {
        await nextTurn();
        collect();
      }
      return process.memoryUsage().heapUsed;
    };
    await authenticator.ready();
    const before = await heapUsed();
    // As they come from a socket.
    for (const token of tokens) await authenticator.verify(Buffer.from(token).toString('latin1'));
    const grown = (await heapUsed()) - before;
    expect(await ask(authenticator, tokens.at(-1) ?? '')).toBe('kept');
    return grown;
  }

  it.each([
    ['of an access token', 1, '"scope":"openid profile email","roles":["a","b"],"azp":"web"'],
    ['of one long text', 1, `"text":"${'x'.repeat(2_500)}"`],
    ['of many groups', 1, `"groups":[${Array.from({ length: 100 }, (_, index) => `"group-${index}"`)}]`],
    ['of many whole numbers', 1, `"list":[${'11,'.repeat(800)}1]`],
    // It is an estimate.
    ['of many other numbers', 1.6, `"list":[${'1.5,'.repeat(600)}1]`],
  ])('R13: claims %s: no more than %d times what the option says', async (_, times, claims) => {
    expect(await growthOf(claims)).toBeLessThan(times * BYTES);
  });

  // BUG: an empty object or list is 4 characters of a token, which count 16 bytes, and takes 40 to
  // 70. Not what issuers write; yet a claim that users may write makes of the default 16 MiB 67 MB,
  // and R13 says 32.
  it.each([
    ['objects', `"list":[${'{},'.repeat(900)}{}]`],
    ['lists', `"list":[${'[],'.repeat(900)}[]]`],
  ])('R13: claims of many empty %s: no more than twice what the option says', async (_, claims) => {
    expect(await growthOf(claims)).toBeLessThan(2 * BYTES);
  });
});

describe('T-149: authenticators', () => {
  it('T-149: share nothing: not what they accept, and not what they keep', async () => {
    const store = createMemoryStore({ [REF.name]: { [REF.key]: setOf(jwk(one, 'one')) } });
    const a = build({ secrets: store });
    const b = build({ secrets: store, audience: 'https://other.example' });
    const c = build({ secrets: store });
    const token = sign({});
    expect(await askAll(a, [token, token])).toEqual(['verified', 'kept']);
    expect(await askAll(b, [token, token])).toEqual(['token_audience_mismatch', 'token_audience_mismatch']);
    expect(await ask(c, token)).toBe('verified');
    expect(await a.verify(token)).not.toBe(await c.verify(token));
    await a.close();
    expect(await ask(c, token)).toBe('kept');
  });

  it('T-149: of the same options object too', async () => {
    const options: AuthenticatorOptions = {
      keySets: [{ issuer: ISSUER, secret: { name: REF.name } }],
      secrets: createMemoryStore({ [REF.name]: { [REF.key]: setOf(jwk(one, 'one')) } }),
      audience: AUDIENCE,
      clock: CLOCKED,
      cache: { tokens: 10 },
    };
    const [a, b] = [createAuthenticator(options), createAuthenticator(options)];
    closers.push(a.close, b.close);
    const token = sign({});
    expect(await ask(a, token)).toBe('verified');
    expect(await ask(b, token)).toBe('verified');
  });
});

describe('groups', () => {
  interface Directory extends GroupResolver {
    readonly asked: string[];
    answer: readonly string[] | undefined | Error;
  }

  function directory(answer: Directory['answer']): Directory {
    const made: Directory = {
      description: 'directory',
      asked: [],
      answer,
      async resolve({ subject }) {
        made.asked.push(subject);
        if (made.answer instanceof Error) throw made.answer;
        return made.answer;
      },
    };
    return made;
  }

  const withGroups = (groups: GroupsOptions, options: Partial<AuthenticatorOptions> = {}) =>
    serve(undefined, { groups, ...options }).authenticator;

  it('of the claim alone: the same principal', async () => {
    const authenticator = withGroups({ claim: 'roles', reserved: ['root'] });
    const token = sign({ roles: ['a', 'root'], groups: ['forged'] });
    const first = await authenticator.verify(token);
    expect(first.groups).toEqual(['a']);
    expect(await authenticator.verify(token)).toBe(first);
    expect(await ask(authenticator, token)).toBe('kept');
    expect(await outcome(authenticator.verify(token, { groups: ['forged'] }))).toBe('claims_insufficient');
  });

  it('of a directory: the principal is made anew, the token is not verified', async () => {
    const source = directory(['a']);
    const authenticator = withGroups({ directory: source, cacheFor: '0s' });
    const token = sign({ deep: { list: [1] } });
    expect(await ask(authenticator, token)).toBe('verified');
    const first = await authenticator.verify(token);
    source.answer = ['b'];
    expect(await answerOf(() => authenticator.authenticate(requestOf(token)))).toBe('kept');
    const second = await authenticator.verify(token);
    expect([first.groups, second.groups]).toEqual([['a'], ['b']]);
    expect([first.claims.groups, second.claims.groups]).toEqual([['a'], ['b']]);
    expect(Object.isFrozen(second.claims) && Object.isFrozen(second.groups)).toBe(true);
    expect(source.asked).toHaveLength(4);
    expect(await outcome(authenticator.verify(token, { groups: ['a'] }))).toBe('claims_insufficient');
  });

  it('a group that is taken away is gone after cacheFor', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let nowMs = Math.round(performance.now());
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    const pass = (ms: number) => {
      nowMs += ms;
      vi.advanceTimersByTime(ms);
    };
    const source = directory(['a', 'admin']);
    const authenticator = withGroups({ directory: source, cacheFor: '30s' });
    const token = sign({});
    const asks = () => answerOf(() => authenticator.verify(token, { groups: ['admin'] }));
    expect(await asks()).toBe('verified');
    source.answer = ['a'];
    pass(29_999);
    expect(await asks()).toBe('kept');
    pass(2);
    expect(await asks()).toBe('claims_insufficient');
    expect(source.asked).toHaveLength(2);
  });

  it('T-114: a directory that cannot say is a 503, on a kept token too, in every mode', async () => {
    const source = directory(['a']);
    const authenticator = withGroups({ directory: source, cacheFor: '0s' });
    const token = sign({});
    expect(await ask(authenticator, token)).toBe('verified');
    source.answer = new Error('down');
    for (const mode of ['strict', 'optional', 'permissive'] as const) {
      const request = requestOf(token);
      await expect(authenticator.authenticate(request, { mode })).rejects.toMatchObject({
        code: 'groups_unavailable',
        status: 503,
      });
      expect(refusalOf(request)).toBeUndefined();
    }
    source.answer = ['a'];
    expect(await ask(authenticator, token)).toBe('kept');
  });

  it('T-147: a directory that cannot say when the token comes first: nothing is kept', async () => {
    const source = directory(new Error('down'));
    const authenticator = withGroups({ directory: source, cacheFor: '0s' });
    const token = sign({});
    expect(await askAll(authenticator, [token, token])).toEqual(['groups_unavailable', 'groups_unavailable']);
    source.answer = ['a'];
    expect(await askAll(authenticator, [token, token])).toEqual(['verified', 'kept']);
  });

  it("onUnknown: 'deny' refuses a kept token, in its realm; permissive lets it pass without a principal", async () => {
    const source = directory(['a']);
    const authenticator = withGroups(
      { directory: source, cacheFor: '0s', onUnknown: 'deny' },
      { realm: 'friends' },
    );
    const token = sign({});
    expect(await ask(authenticator, token)).toBe('verified');
    source.answer = undefined;
    const refusal = {
      code: 'token_rejected',
      status: 401,
      headers: {
        'WWW-Authenticate': expect.stringMatching(/^Bearer realm="friends", error="invalid_token"/),
      },
    };
    await expect(authenticator.verify(token)).rejects.toMatchObject(refusal);
    await expect(authenticator.authenticate(requestOf(token))).rejects.toMatchObject(refusal);
    const request = requestOf(token);
    expect(await authenticator.authenticate(request, { mode: 'permissive' })).toBeUndefined();
    expect(refusalOf(request)).toMatchObject(refusal);
    source.answer = ['a'];
    expect(await authenticator.authenticate(request, { mode: 'permissive' })).toMatchObject({
      groups: ['a'],
    });
    expect(refusalOf(request)).toBeUndefined();
  });

  it("onUnknown: 'none' is no groups, on a kept token too", async () => {
    const source = directory(['a']);
    const authenticator = withGroups({ directory: source, cacheFor: '0s', onUnknown: 'none' });
    const token = sign({});
    await authenticator.verify(token);
    source.answer = undefined;
    expect((await authenticator.verify(token)).groups).toEqual([]);
    expect(await ask(authenticator, token)).toBe('kept');
  });

  it('T-144, T-145: a kept token that expires, and whose key leaves, is not looked up any more', async () => {
    const source = directory(['a']);
    const { authenticator, store, clock } = serve(undefined, {
      groups: { directory: source, cacheFor: '0s' },
    });
    const token = sign({});
    expect(await askAll(authenticator, [token, token])).toEqual(['verified', 'kept']);
    clock.set(SOON * 1000 + 5_000);
    expect(await ask(authenticator, token)).toBe('token_expired');
    clock.set(NOW);
    expect(await askAll(authenticator, [token, token])).toEqual(['verified', 'kept']);
    await publish(store, setOf());
    expect(await ask(authenticator, token)).toBe('token_key_unknown');
    expect(source.asked).toHaveLength(4);
  });

  it('T-145: a key that leaves while the directory is asked', async () => {
    const source = directory(['a']);
    const { authenticator, store } = serve(undefined, { groups: { directory: source, cacheFor: '0s' } });
    const waiting = Promise.withResolvers<readonly string[]>();
    vi.spyOn(source, 'resolve').mockReturnValueOnce(waiting.promise);
    const token = sign({});
    const first = outcome(authenticator.verify(token));
    await vi.waitFor(() => expect(source.resolve).toHaveBeenCalled());
    await publish(store, setOf(jwk(two, 'two')));
    waiting.resolve(['a']);
    expect(await first).toBe('accepted');
    expect(await ask(authenticator, token)).toBe('token_key_unknown');
  });

  it('T-162: two issuers with the same subject have groups of their own, kept or not', async () => {
    const keySets = ['https://a.example', 'https://b.example'].map((issuer) => ({
      issuer,
      secret: { name: REF.name },
    }));
    const resolver: GroupResolver = {
      description: 'directory',
      resolve: async ({ issuer }) => [`of ${issuer}`],
    };
    const authenticator = withGroups({ directory: resolver }, { keySets });
    const tokens = keySets.map(({ issuer }) => sign({ iss: issuer }));
    for (let round = 0; round < 3; round++)
      for (const [index, token] of tokens.entries())
        expect((await authenticator.verify(token)).groups).toEqual([`of ${keySets[index]?.issuer}`]);
  });
});

describe('remote validation', () => {
  it.each([
    ['alone', 'accepts'],
    ['before the keysets', 'accepts'],
    ['before the keysets, which decide', 'refuses'],
  ] as const)('%s: each token is asked about each time', async (_, says) => {
    let asked = 0;
    let status = says === 'accepts' ? 200 : 401;
    const server: Server = createServer((_request, response) => {
      asked++;
      response.writeHead(status, { 'content-type': 'application/json' }).end('{"sub":"alice"}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => new Promise((resolve) => server.close(resolve)));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const onReject = says === 'accepts' ? 'deny' : 'next';
    const { authenticator } = serve(undefined, { remote: { url, onReject, onError: 'deny' } });
    const token = sign({});
    for (let round = 1; round <= 3; round++) {
      const before = work.verified;
      expect(await outcome(authenticator.authenticate(requestOf(token)))).toBe('accepted');
      expect(asked).toBe(round);
      expect(work.verified - before).toBe(says === 'accepts' ? 0 : 1);
    }
    // The endpoint does not answer any more, and a token that it once let pass is not let pass by
    // memory.
    status = 500;
    expect(await outcome(authenticator.authenticate(requestOf(token)))).toBe('remote_unavailable');
    status = 401;
    expect(await outcome(authenticator.authenticate(requestOf(token)))).toBe(
      says === 'accepts' ? 'token_rejected' : 'accepted',
    );
  });
});

describe('the option cache', () => {
  const good = { keySets: [{ issuer: ISSUER, jwksUrl: 'https://issuer.example/jwks' }], audience: AUDIENCE };
  function errorOf(cache: unknown, build: (options: AuthenticatorOptions) => unknown = readOptions): unknown {
    try {
      build({ ...good, cache } as AuthenticatorOptions);
      return undefined;
    } catch (error) {
      return error;
    }
  }

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
    const error = errorOf(cache);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ path, message: expect.stringContaining(problem) });
  });

  it.each<[cache: AuthenticatorOptions['cache'], expected: unknown]>([
    [undefined, { tokens: 10_000, bytes: 16_777_216 }],
    [{}, { tokens: 10_000, bytes: 16_777_216 }],
    [{ tokens: 5 }, { tokens: 5, bytes: 16_777_216 }],
    [{ bytes: 5 }, { tokens: 10_000, bytes: 5 }],
    [
      { tokens: 1, bytes: 1 },
      { tokens: 1, bytes: 1 },
    ],
    [false, undefined],
  ])('%j is %j', (cache, expected) => {
    expect(readOptions({ ...good, ...defined({ cache }) }).cache).toEqual(expected);
  });

  it('is a snapshot', async () => {
    const cache = { tokens: 2 };
    const { authenticator } = serve(undefined, { cache });
    cache.tokens = 1;
    const tokens = ['a', 'b'].map((jti) => sign({ jti }));
    expect(await askAll(authenticator, [...tokens, ...tokens])).toEqual([
      'verified',
      'verified',
      'kept',
      'kept',
    ]);
  });

  // BUG: room for all is made at once, by lru-cache: 2 ** 32 is a RangeError without a path, and 10
  // ** 8 takes 3 GB.
  it.each([2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER])('A5: more tokens than fit anywhere: %d', (tokens) => {
    expect(errorOf({ tokens }, createAuthenticator)).toBeInstanceOf(ConfigError);
  });
});
