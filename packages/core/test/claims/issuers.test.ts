// Which issuers are welcome: by name, by pattern, as an option and as an override of one route. S4
// and AM-15.
import { createClock, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { compileIssuers } from '../../src/claims/issuers.ts';
import { pattern } from '../../src/claims/rules.ts';
import type { RouteAccess } from '../../src/decision/access.ts';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { ConfigError } from '../../src/errors.ts';
import { given } from '../support/defined.ts';
import { outcome } from '../support/outcome.ts';

const AUDIENCE = 'https://api.example.com';
const NOW = 1_700_000_000;

let key: SigningKey;
beforeAll(async () => {
  key = await generateSigningKey();
});

function create(options: Partial<AuthenticatorOptions> = {}) {
  return createAuthenticator({
    keySets: [{ jwks: { keys: [key.publicJwk] } }],
    audience: AUDIENCE,
    clock: createClock(NOW * 1000),
    ...options,
  });
}

const tokenOf = (iss: unknown) =>
  mint(key, { iss: iss as string, aud: AUDIENCE, sub: 'alice', exp: NOW + 300 });

const asked = (options: Partial<AuthenticatorOptions>, token: string, overrides?: RouteAccess) =>
  outcome(
    create(options).authenticate(
      { headers: { authorization: `Bearer ${token}` }, rawHeaders: ['Authorization', `Bearer ${token}`] },
      ...given(overrides),
    ),
  );

type Row = readonly [
  rules: NonNullable<AuthenticatorOptions['issuers']>,
  issuer: string | undefined,
  expected: boolean,
];

const TABLE: readonly Row[] = [
  [['https://a.example'], 'https://a.example', true],
  [['https://a.example'], 'https://a.example/', false],
  [['https://a.example'], 'https://A.example', false],
  [['https://a.example'], 'https://a.example.evil', false],
  [['https://a.example'], 'https://a.exampl', false],
  [['https://a.example'], ' https://a.example', false],
  [['https://a.example'], 'https://a.example:443', false],
  [['https://a.example'], undefined, false],
  [['https://a.example', 'https://b.example'], 'https://b.example', true],
  [['https://a.example', 'https://b.example'], 'https://c.example', false],
  [['https://a.*'], 'https://a.example', false],
  [[/https:\/\/\w+\.example/], 'https://abc.example', true],
  [[/https:\/\/\w+\.example/], 'https://abc.example.evil', false],
  [[/https:\/\/\w+\.example/], 'x https://abc.example', false],
  [[/https:\/\/\w+\.example/], 'https://abc.example\n', false],
  [[/https:\/\/\w+\.example/], undefined, false],
  [[/.*/], undefined, false],
  [[/.*/g], 'https://a.example', true],
  [[pattern('https://a\\.example')], 'https://a.example', true],
  [[pattern('https://a\\.example')], 'https://a-example', false],
  [[pattern(/b+/)], 'bb', true],
  [['https://a.example', /b+/], 'bbb', true],
  [['https://a.example', /b+/], 'abb', false],
  [['undefined'], undefined, false],
];

describe('S4, AM-15: names and patterns', () => {
  it.each(TABLE)('S4, AM-15: %s on %j: %s', (rules, issuer, expected) => {
    const matches = compileIssuers(rules, 'issuers');
    for (let round = 0; round < 3; round++) expect(matches?.(issuer)).toBe(expected);
  });

  it.each(TABLE)('S4: the option %s on a token of %j: %s', async (issuers, issuer, expected) => {
    const result = expected ? 'accepted' : 'token_issuer_untrusted';
    expect(await asked({ issuers }, await tokenOf(issuer))).toBe(result);
    expect(await outcome(create({ issuers }).verify(await tokenOf(issuer)))).toBe(result);
  });

  it.each(TABLE)('S4: the override %s on a token of %j: %s', async (issuers, issuer, expected) => {
    const result = expected ? 'accepted' : 'token_issuer_untrusted';
    const token = await tokenOf(issuer);
    expect(await asked({}, token, { issuers })).toBe(result);
  });

  it('S4: without the option every issuer that has keys is welcome', async () => {
    expect(compileIssuers(undefined, 'issuers')).toBeUndefined();
    expect(await asked({}, await tokenOf('anybody'))).toBe('accepted');
    expect(await asked({}, await tokenOf(undefined))).toBe('accepted');
  });

  it.each([null, '', 5, true, ['a'], [], {}])('AM-15: the issuer %j matches no pattern', async (iss) => {
    expect(await asked({ issuers: [/.*/] }, await tokenOf(iss))).toBe('token_issuer_untrusted');
  });
});

describe('S4: in addition to keysets, and not instead of them', () => {
  it('S4: a welcome issuer without keys is not trusted', async () => {
    const options = {
      keySets: [{ issuer: 'https://a.example', jwks: { keys: [key.publicJwk] } }],
      issuers: ['https://b.example'],
    };
    expect(await asked(options, await tokenOf('https://b.example'))).toBe('token_issuer_untrusted');
    expect(await asked(options, await tokenOf('https://a.example'))).toBe('token_issuer_untrusted');
  });

  it('S4: an override narrows what the option allows, and never widens it', async () => {
    const options = { issuers: ['a', 'b'] };
    expect(await asked(options, await tokenOf('a'), { issuers: ['a'] })).toBe('accepted');
    expect(await asked(options, await tokenOf('b'), { issuers: ['a'] })).toBe('token_issuer_untrusted');
    expect(await asked(options, await tokenOf('c'), { issuers: ['c'] })).toBe('token_issuer_untrusted');
  });

  it.each(['strict', 'optional'] as const)(
    'S4, S32: a token of an issuer that the route does not want is 401: %s',
    async (mode) => {
      const authenticator = create({ mode });
      const token = await tokenOf('b');
      const request = { headers: { authorization: `Bearer ${token}` }, rawHeaders: [] };
      await expect(authenticator.authenticate(request, { issuers: ['a'] })).rejects.toMatchObject({
        code: 'token_issuer_untrusted',
        status: 401,
      });
    },
  );

  it('S4: no issuer is asked before the signature where only a route says so', async () => {
    const stranger = await generateSigningKey('ES256', key.kid);
    const token = await mint(stranger, { iss: 'b', aud: AUDIENCE, sub: 'alice', exp: NOW + 300 });
    expect(await asked({}, token, { issuers: ['a'] })).toBe('token_signature_invalid');
  });
});

describe('T-056: what is no list of issuers', () => {
  it.each<[string, unknown, string]>([
    ['null', null, 'issuers'],
    ['an empty list', [], 'issuers'],
    ['a text', 'https://a.example', 'issuers'],
    ['a RegExp', /a/, 'issuers'],
    ['an empty name', ['a', ''], 'issuers[1]'],
    ['a name that is undefined', [undefined], 'issuers[0]'],
    ['a hole', new Array(1), 'issuers[0]'],
    ['a number', [5], 'issuers[0]'],
    ['another rule', [{ anyOf: ['a'] }], 'issuers[0].anyOf'],
    ['a broken pattern', [pattern('(')], 'issuers[0]'],
    ['a pattern of nothing', [{ pattern: undefined }], 'issuers[0].pattern'],
    ['a RegExp with flag m', [/a/m], 'issuers[0]'],
  ])('T-056: %s', async (_, issuers, path) => {
    const build = () => create({ issuers: issuers as never });
    expect(build).toThrow(ConfigError);
    expect(build).toThrow(`${path}: `);
    await expect(asked({}, await tokenOf('a'), { issuers: issuers as never })).rejects.toBeInstanceOf(
      ConfigError,
    );
  });
});
