// What an explanation says: each form of rule as a sentence, times as people read them, and nothing
// that is secret.
import { createHash, randomBytes } from 'node:crypto';
import { createClock, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { SignJWT } from 'jose';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { compileRules, type RequestView } from '../../src/adapter/index.ts';
import { checksIn } from '../../src/claims/compile.ts';
import { normalizeRule, ruleText } from '../../src/claims/normalize.ts';
import type { ClaimRow } from '../../src/claims/rules.ts';
import { timeText } from '../../src/decision/explain-texts.ts';
import {
  type Authenticator,
  type AuthenticatorOptions,
  createAuthenticator,
  createMemoryStore,
} from '../../src/index.ts';
import { textOf } from '../../src/values/text.ts';

let key: SigningKey;
let stranger: SigningKey;
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  [key, stranger] = await Promise.all([
    generateSigningKey('ES256', 'one'),
    generateSigningKey('ES256', 'stranger'),
  ]);
});
beforeEach(() => {
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closers.splice(0)) await close();
});

const NOW = 1_700_000_000;

function start(options: Partial<AuthenticatorOptions> = {}): Authenticator {
  const keySets = [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }];
  const clock = createClock(NOW * 1000);
  const made = createAuthenticator({ keySets, audience: 'me', clock, ...options });
  closers.push(made.close);
  return made;
}

const tokenOf = (
  claims: Parameters<typeof mint>[1] = {},
  by = key,
  header: Parameters<typeof mint>[2] = {},
) => mint(by, { iss: 'i', aud: 'me', sub: 'alice', exp: NOW + 60, ...claims }, header);

describe('rules', () => {
  it.each<[rule: unknown, text: string]>([
    ['admin', '"admin"'],
    [5, '5'],
    [true, 'true'],
    [['a', 'b'], 'has all of ["a","b"]'],
    [/^a+$/u, 'matches /^a+$/u'],
    [{ allOf: ['a'] }, 'has all of ["a"]'],
    [{ anyOf: ['a', 'b'] }, 'is or has one of ["a","b"]'],
    [{ noneOf: ['a'] }, 'is present, and neither is nor has one of ["a"]'],
    [{ exactly: ['a'] }, 'has ["a"] and no others'],
    [{ pattern: '^a$' }, 'matches "^a$"'],
    [{ pattern: /^a$/ }, 'matches /^a$/'],
    [{ present: true }, 'is present'],
    [{ optional: ['a'] }, 'is absent, or has all of ["a"]'],
    [{ optional: { anyOf: ['a'] } }, 'is absent, or "a"'],
    [{ fromRequest: 'params.id' }, 'is params.id of the request'],
    [{ fromRequest: () => 'x' }, 'is what a function returns of the request'],
    [{ allOf: ['a'], split: ',' }, 'has all of ["a"], split at ","'],
    [{ pattern: 'a', match: 'search' }, 'matches "a", in any part of it'],
    [z.object({ a: z.string() }), 'what a schema accepts'],
  ])('%o: %s', (rule, text) => {
    expect(ruleText(normalizeRule(rule, 'rule'))).toBe(text);
  });

  it.each<[row: ClaimRow, text: string]>([
    [{ name: 'dept', required: true }, 'is present'],
    [{ name: 'dept', required: false }, 'may be absent'],
    [{ name: 'dept', required: true, validate: true, type: 'ARRAY', value: ['a'] }, 'has all of ["a"]'],
    [{ name: 'dept', validate: true, value: 'a' }, 'is absent, or "a"'],
  ])('the row %o: %s', (row, text) => {
    expect(checksIn(compileRules([row])).map(({ rule }) => ruleText(rule))).toEqual([text]);
  });

  it('each of them is next to the value of the token', async () => {
    const rules = compileRules([
      { role: 'admin', dept: { anyOf: ['a', 'b'] } },
      { path: ['realm', 'roles'], rule: ['x'] },
      { name: 'tier', required: true },
    ]);
    const token = await tokenOf({ role: 'user', dept: 'b', realm: { roles: ['x', 'y'] } });
    const { checks } = await start().explain(token, rules);
    expect(checks.filter(({ check }) => check === 'route')).toEqual([
      {
        check: 'route',
        about: 'role',
        expected: '"admin"',
        actual: '"user"',
        outcome: 'failed',
        code: 'claims_insufficient',
      },
      {
        check: 'route',
        about: 'dept',
        expected: 'is or has one of ["a","b"]',
        actual: '"b"',
        outcome: 'passed',
      },
      {
        check: 'route',
        about: 'realm.roles',
        expected: 'has all of ["x"]',
        actual: '["x","y"]',
        outcome: 'passed',
      },
      {
        check: 'route',
        about: 'tier',
        expected: 'is present',
        actual: 'absent',
        outcome: 'failed',
        code: 'claims_insufficient',
        detail: 'the token has no claim tier',
      },
    ]);
  });

  it('a schema is about all claims', async () => {
    const { checks } = await start().explain(await tokenOf(), z.object({ dept: z.string() }));
    expect(checks.at(-1)).toMatchObject({
      about: 'all claims',
      expected: 'what a schema accepts',
      outcome: 'failed',
    });
  });
});

describe('values', () => {
  it('long ones are cut, and absent ones are', () => {
    expect(textOf(undefined)).toBe('absent');
    expect(textOf('x'.repeat(1000))).toBe(`"${'x'.repeat(299)}…`);
    expect(textOf({ a: [1] })).toBe('{"a":[1]}');
    expect(textOf(() => 1)).toBe('function');
  });

  it('times are seconds, and what people read', () => {
    expect(timeText(0)).toBe('0 (1970-01-01T00:00:00.000Z)');
    expect(timeText(NOW + 0.5)).toBe('1700000000.5 (2023-11-14T22:13:20.500Z)');
    for (const odd of ['soon', 1e300, -1e300, null, undefined, [1]]) expect(timeText(odd)).toBe(textOf(odd));
  });

  it('the registered claims, with the time that it is and the leeway', async () => {
    const { checks } = await start({ clockSkew: '10s', maxTokenAge: '1h' }).explain(
      await tokenOf({ iat: NOW - 60, nbf: NOW - 60 }),
    );
    const about = (name: string) =>
      checks.find((check) => check.check === 'registered claims' && check.about === name);
    expect(about('exp')).toMatchObject({
      expected: 'after 2023-11-14T22:13:20.000Z, give or take 10 s',
      actual: '1700000060 (2023-11-14T22:14:20.000Z)',
      outcome: 'passed',
    });
    expect(about('iat')?.expected).toContain('not older than 3600 s');
    expect(about('nbf')?.outcome).toBe('passed');
    expect(about('aud')).toMatchObject({ expected: 'one of ["me"]', actual: '"me"' });
  });

  it('an audience that is not checked is named', async () => {
    const { checks } = await start({ audience: null }).explain(await tokenOf({ aud: 'you' }));
    expect(checks.find(({ about }) => about === 'aud')).toMatchObject({
      outcome: 'skipped',
      actual: '"you"',
      detail: 'the audience is not checked',
    });
  });

  it('what comes last is what it would have been', async () => {
    const { checks, code } = await start().explain(await tokenOf({ exp: 1, role: 'admin' }), {
      role: 'admin',
    });
    expect(code).toBe('token_expired');
    expect(checks.at(-1)).toMatchObject({ about: 'role', outcome: 'passed' });
  });
});

describe('nothing that is secret', () => {
  const secretsIn = (token: string, ...more: readonly string[]) => {
    const [header = '', payload = '', signature = ''] = token.split('.');
    return [token, `${header}.${payload}`, payload, signature, ...more].filter((text) => text.length > 8);
  };

  it.each<[title: string, make: () => Promise<string>]>([
    ['a good token', () => tokenOf()],
    ['one that is expired', () => tokenOf({ exp: 1 })],
    ['one of a stranger', () => tokenOf({}, stranger)],
    ['one that a stranger signed', () => tokenOf({}, stranger, { kid: 'one' })],
    ['one that is broken', async () => `${await tokenOf()}=`],
    ['one with a part too many', async () => `${await tokenOf()}.x`],
  ])('of the token: %s', async (_, make) => {
    const token = await make();
    const requests: readonly (string | RequestView)[] = [
      token,
      { headers: { authorization: `Bearer ${token}` }, rawHeaders: ['authorization', `Bearer ${token}`] },
      { headers: { authorization: `Basic ${token}` }, rawHeaders: ['authorization', `Basic ${token}`] },
      { url: `/?token=${token}&token=${token}`, headers: {}, rawHeaders: [] },
      { headers: { cookie: `token=${token}` }, rawHeaders: ['cookie', `token=${token}`] },
    ];
    const authenticator = start({
      tokenFrom: [{ header: 'authorization' }, { query: 'token' }, { cookie: 'token' }],
    });
    for (const request of requests) {
      const text = JSON.stringify(await authenticator.explain(request, { role: 'admin' }));
      for (const secret of secretsIn(token)) expect(text).not.toContain(secret);
    }
  });

  it('of keys: neither private, nor symmetric', async () => {
    const secret = randomBytes(32);
    const k = secret.toString('base64url');
    const privateJwk = key.privateKey.export({ format: 'jwk' });
    const set = {
      keys: [
        { ...key.publicJwk, ...privateJwk },
        { kty: 'oct', kid: 'mac', alg: 'HS256', k },
      ],
    };
    const authenticator = start({
      keySets: [{ issuer: 'i', secret: { name: 's' } }],
      secrets: createMemoryStore({ s: { 'jwks.json': JSON.stringify(set) } }),
    });
    const mac = await new SignJWT({ iss: 'i', aud: 'me', exp: NOW + 60 })
      .setProtectedHeader({ alg: 'HS256', kid: 'mac' })
      .sign(secret);
    for (const token of [mac, await tokenOf()]) {
      const explanation = await authenticator.explain(token);
      expect(explanation.allowed).toBe(true);
      const text = JSON.stringify(explanation);
      for (const part of secretsIn(token, k, String(privateJwk.d))) expect(text).not.toContain(part);
    }
  });

  it('of a symmetric key without a kid: not its thumbprint either', async () => {
    const secret = randomBytes(32);
    const k = secret.toString('base64url');
    const thumbprint = createHash('sha256')
      .update(JSON.stringify({ k, kty: 'oct' }))
      .digest('base64url');
    const set = JSON.stringify({ keys: [{ kty: 'oct', alg: 'HS256', k }] });
    const authenticator = start({
      keySets: [{ issuer: 'i', secret: { name: 's' } }],
      secrets: createMemoryStore({ s: { 'jwks.json': set } }),
    });
    const mac = await new SignJWT({ iss: 'i', aud: 'me', exp: NOW + 60 })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(secret);
    const explanation = await authenticator.explain(mac);
    expect(explanation.allowed).toBe(true);
    expect(JSON.stringify(explanation)).not.toContain(thumbprint);
  });

  it('of endpoints: no query, and no password', async () => {
    const authenticator = start({
      remote: { url: 'http://127.0.0.1:1/validate?key=s3cr3t', onReject: 'deny', onError: 'deny' },
    });
    const text = JSON.stringify(await authenticator.explain('opaque'));
    expect(text).toContain('http://127.0.0.1:1/validate');
    expect(text).not.toContain('s3cr3t');
  });
});
