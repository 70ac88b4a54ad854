// Types from rules, and programs that must not compile. Checked by tsc; each test also runs.
import { createClock, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { compileRules } from '../src/adapter/index.ts';
import type { ClaimRow } from '../src/claims/rules.ts';
import {
  type AuthenticatorOptions,
  allOf,
  anyOf,
  at,
  authorize,
  type ClaimsOf,
  ConfigError,
  createAuthenticator,
  exactly,
  fromRequest,
  noneOf,
  optional,
  type Principal,
  pattern,
  present,
  type Rules,
} from '../src/index.ts';

const NOW = 1_700_000_000;
let key: SigningKey;
let token: string;
beforeAll(async () => {
  key = await generateSigningKey();
  token = await mint(key, {
    iss: 'i',
    exp: NOW + 300,
    sub: 'alice',
    dept: 'IT',
    roles: ['admin', 'dev'],
    n: 4,
  });
});

const create = () =>
  createAuthenticator({
    keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
    audience: null,
    clock: createClock(NOW * 1000),
  });

/** Claims of rules, for their type only. */
function claimsOf<const R extends Rules>(rules: R): ClaimsOf<R> {
  expect(() => compileRules(rules)).not.toThrow();
  return {} as ClaimsOf<R>;
}

describe('AK-42: claims are typed by the rules that they satisfied', () => {
  it('AK-42: literals', () => {
    const claims = claimsOf({ dept: 'IT', bldg: 4, internal: true });
    expectTypeOf(claims.dept).toEqualTypeOf<'IT' | readonly unknown[]>();
    expectTypeOf(claims.bldg).toEqualTypeOf<4>();
    expectTypeOf(claims.internal).toEqualTypeOf<true>();
  });

  it('AK-42: lists', () => {
    const claims = claimsOf({
      roles: allOf('admin'),
      list: ['a', 'b'],
      exact: exactly('a', 'b'),
      numbers: allOf(1, 2),
    });
    expectTypeOf(claims.roles).toEqualTypeOf<readonly string[]>();
    expectTypeOf(claims.list).toEqualTypeOf<readonly string[]>();
    expectTypeOf(claims.exact).toEqualTypeOf<readonly string[]>();
    expectTypeOf(claims.numbers).toEqualTypeOf<readonly number[]>();
  });

  it('AK-42: alternatives', () => {
    const claims = claimsOf({ any: anyOf('a', 'b'), values: { values: ['a'] }, none: noneOf('a') });
    expectTypeOf(claims.any).toEqualTypeOf<'a' | 'b' | readonly unknown[]>();
    expectTypeOf(claims.values).toEqualTypeOf<'a' | readonly string[]>();
    expectTypeOf(claims.none).toEqualTypeOf<string | readonly string[]>();
  });

  it('AK-42: patterns, presence and the request', () => {
    const claims = claimsOf({
      regexp: /a/,
      pattern: pattern('a'),
      search: { pattern: 'a', match: 'search' },
      present: present(),
      tenant: fromRequest('params.tenant'),
    });
    expectTypeOf(claims.regexp).toEqualTypeOf<string | readonly unknown[]>();
    expectTypeOf(claims.pattern).toEqualTypeOf<string | readonly unknown[]>();
    expectTypeOf(claims.search).toEqualTypeOf<string | readonly unknown[]>();
    expectTypeOf(claims.present).toEqualTypeOf<NonNullable<unknown>>();
    expectTypeOf(claims.tenant).toEqualTypeOf<unknown>();
  });

  it('AK-42: optional', () => {
    const claims = claimsOf({ bldg: optional(4), roles: optional(allOf('admin')), dept: optional('IT') });
    expectTypeOf(claims.bldg).toEqualTypeOf<4 | undefined>();
    expectTypeOf(claims.roles).toEqualTypeOf<readonly string[] | undefined>();
    expectTypeOf(claims.dept).toEqualTypeOf<'IT' | readonly unknown[] | undefined>();
  });

  it('T-063: lists in texts', () => {
    const claims = claimsOf({ scope: 'a', scp: ['a'], permissions: anyOf('a'), x: optional('y') });
    expectTypeOf(claims.scope).toEqualTypeOf<string | readonly string[] | undefined>();
    expectTypeOf(claims.scp).toEqualTypeOf<string | readonly string[] | undefined>();
    expectTypeOf(claims.permissions).toEqualTypeOf<string | readonly string[]>();
  });

  it('AK-42: schemas', () => {
    const claims = claimsOf({
      level: z.number(),
      email: z.string().transform((text) => text.length),
      tags: optional(z.array(z.string())),
    });
    expectTypeOf(claims.level).toEqualTypeOf<number>();
    expectTypeOf(claims.email).toEqualTypeOf<number>();
    expectTypeOf(claims.tags).toEqualTypeOf<string[] | undefined>();
    const whole = claimsOf(z.object({ dept: z.string(), level: z.number().optional() }));
    expectTypeOf(whole.dept).toEqualTypeOf<string>();
    expectTypeOf(whole.level).toEqualTypeOf<number | undefined>();
  });

  it('AK-42: lists of rules', () => {
    const claims = claimsOf([{ roles: allOf('admin') }, { bldg: optional(4) }]);
    expectTypeOf(claims.roles).toEqualTypeOf<readonly string[]>();
    expectTypeOf(claims.bldg).toEqualTypeOf<4 | undefined>();
    const untyped = claimsOf([
      at(['realm_access', 'roles'], allOf('admin')),
      { name: 'dept', required: true },
    ]);
    expectTypeOf(untyped.dept).toEqualTypeOf<unknown>();
    expectTypeOf<typeof untyped.realm_access.roles>().toEqualTypeOf<readonly string[]>();
  });

  it('AK-42: other claims are unknown', () => {
    const claims = claimsOf({ dept: 'IT' });
    expectTypeOf(claims.other).toEqualTypeOf<unknown>();
    expectTypeOf(claimsOf({}).dept).toEqualTypeOf<unknown>();
  });

  it('AK-42: verify() and authorize() give such claims', async () => {
    const authenticator = create();
    const principal = await authenticator.verify(token, { roles: allOf('admin'), n: 4 });
    expectTypeOf(principal.claims.roles).toEqualTypeOf<readonly string[]>();
    expectTypeOf(principal.claims.n).toEqualTypeOf<4>();
    expect(principal.claims.roles.join()).toBe('admin,dev');

    const plain = await authenticator.verify(token);
    expectTypeOf(plain.claims.roles).toEqualTypeOf<unknown>();
    expectTypeOf(plain.subject).toEqualTypeOf<string | undefined>();

    const compiled = compileRules({ roles: allOf('dev') });
    const third = await authenticator.verify(token, compiled);
    expectTypeOf(third.claims.roles).toEqualTypeOf<readonly string[]>();

    const maybe: Principal | undefined = plain as Principal | undefined;
    authorize(maybe, { roles: allOf('admin') });
    expectTypeOf(maybe.claims.roles).toEqualTypeOf<readonly string[]>();
    expect(maybe.claims.roles[0]).toBe('admin');
  });
});

describe('AK-42: what must not compile', () => {
  it('AK-42: a claim read as what it is not', async () => {
    const { claims } = await create().verify(token, { dept: 'IT', roles: allOf('admin'), x: optional(4) });
    // @ts-expect-error a list is not a text
    const text: string = claims.roles;
    // @ts-expect-error an optional claim may be absent
    const number: number = claims.x;
    // @ts-expect-error a text may be an item of a list
    const dept: 'IT' = claims.dept;
    // @ts-expect-error no rule says anything of it
    const other: string = claims.other;
    // @ts-expect-error claims are read-only
    const writable: string[] = claims.roles;
    expect([text, number, dept, other, writable]).toEqual([
      ['admin', 'dev'],
      undefined,
      'IT',
      undefined,
      ['admin', 'dev'],
    ]);
  });

  const refused = (options: AuthenticatorOptions) => () => createAuthenticator(options);
  const url = 'https://issuer.example/jwks.json';

  it('T-056: options without an audience', () => {
    // @ts-expect-error audience is required; null turns its check off
    expect(refused({ keySets: [{ jwksUrl: url }] })).toThrow(ConfigError);
    // @ts-expect-error undefined says nothing
    expect(refused({ keySets: [{ jwksUrl: url }], audience: undefined })).toThrow(ConfigError);
  });

  it('T-056: two sources on one keyset', () => {
    // @ts-expect-error one source only
    expect(refused({ keySets: [{ jwksUrl: url, jwks: { keys: [] } }], audience: 'a' })).toThrow(ConfigError);
    expect(
      refused({
        // @ts-expect-error one source only
        keySets: [{ issuer: 'https://i.example', useOidcDiscovery: true, jwksUrl: url }],
        audience: 'a',
      }),
    ).toThrow(ConfigError);
  });

  it('T-056: a keyset without a source', () => {
    // @ts-expect-error no source
    expect(refused({ keySets: [{ issuer: 'i' }], audience: 'a' })).toThrow(ConfigError);
  });

  it('T-056: a misspelled option', () => {
    // @ts-expect-error clockSkew
    expect(refused({ keySets: [{ jwksUrl: url }], audience: 'a', clockskew: '5s' })).toThrow(ConfigError);
    // @ts-expect-error jwksUrl
    expect(refused({ keySets: [{ jwksURL: url }], audience: 'a' })).toThrow(ConfigError);
    // @ts-expect-error no such mode
    expect(refused({ keySets: [{ jwksUrl: url }], audience: 'a', mode: 'lenient' })).toThrow(ConfigError);
  });

  it('T-056: discovery without an issuer', () => {
    // @ts-expect-error discovery starts at the issuer
    expect(refused({ keySets: [{ useOidcDiscovery: true }], audience: 'a' })).toThrow(ConfigError);
  });

  it('T-017: an unknown algorithm', () => {
    // @ts-expect-error none is no algorithm
    expect(refused({ keySets: [{ jwksUrl: url, allowedAlgorithms: ['none'] }], audience: 'a' })).toThrow(
      ConfigError,
    );
    // @ts-expect-error names are compared by case
    expect(refused({ keySets: [{ jwksUrl: url, allowedAlgorithms: ['rs256'] }], audience: 'a' })).toThrow(
      ConfigError,
    );
  });

  it('AM-14: a row that validates nothing', () => {
    // @ts-expect-error validate needs a value
    const row: ClaimRow = { name: 'dept', validate: true };
    expect(() => compileRules([row])).toThrow(ConfigError);
    // @ts-expect-error a value that is not read
    const other: ClaimRow = { name: 'dept', required: true, value: 'IT' };
    expect(() => compileRules([other])).toThrow(ConfigError);
  });

  it('AM-14: optional of optional', () => {
    // @ts-expect-error once is enough
    expect(() => compileRules({ c: optional(optional('a')) })).toThrow(ConfigError);
  });

  it('T-056: what is no rule', () => {
    // @ts-expect-error null is no rule
    expect(() => compileRules({ c: null })).toThrow(ConfigError);
    // @ts-expect-error undefined is no rule
    expect(() => compileRules({ c: undefined })).toThrow(ConfigError);
    // @ts-expect-error no such form
    expect(() => compileRules({ c: { oneOf: ['a'] } })).toThrow(ConfigError);
    // @ts-expect-error a function is no rule; fromRequest makes one
    expect(() => compileRules({ c: () => true })).toThrow(ConfigError);
  });
});
