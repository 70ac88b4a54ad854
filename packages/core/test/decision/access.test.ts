// What a route says instead of the options: checked like options, and nothing falls open where it is wrong.
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AuthenticateOverrides, compileOverrides } from '../../src/decision/access.ts';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import { ConfigError } from '../../src/errors.ts';

const WRONG: readonly (readonly [what: string, overrides: unknown, path: string])[] = [
  ['a mode in another case', { mode: 'Strict' }, 'overrides.mode'],
  ['mode null', { mode: null }, 'overrides.mode'],
  ['an empty mode', { mode: '' }, 'overrides.mode'],
  ['a misspelled option', { issuer: ['a'] }, 'overrides.issuer'],
  ['rules, which are for requireClaims', { claims: { a: 1 } }, 'overrides.claims'],
  ['issuers of nothing', { issuers: [] }, 'overrides.issuers'],
  ['issuers null', { issuers: null }, 'overrides.issuers'],
  ['a function for issuers', { issuers: () => undefined }, 'overrides.issuers'],
  ['an empty issuer', { issuers: [''] }, 'overrides.issuers[0]'],
  ['null', null, 'overrides'],
  ['a text', 'strict', 'overrides'],
];

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

describe('T-056: overrides', () => {
  it.each(WRONG)('T-056: %s is a ConfigError', (_, overrides, path) => {
    const build = () => compileOverrides(overrides as AuthenticateOverrides);
    expect(build).toThrow(ConfigError);
    expect(build).toThrow(`${path}: `);
  });

  it.each(WRONG.filter(([, overrides]) => overrides !== null))(
    'T-056: nobody gets in with %s',
    async (_, overrides) => {
      const authenticator = createAuthenticator({
        keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
        audience: issuer.audience,
      });
      const request = { headers: {}, rawHeaders: [] };
      await expect(authenticator.authenticate(request, overrides as AuthenticateOverrides)).rejects.toThrow(
        ConfigError,
      );
      await authenticator.close();
    },
  );

  it('compiled once, they are taken as they are', () => {
    const compiled = compileOverrides({ mode: 'optional', issuers: ['a', /b+/] });
    expect(compileOverrides(compiled)).toBe(compiled);
    expect(compiled.mode).toBe('optional');
    expect(['a', 'bb', 'c', undefined].map((name) => compiled.welcomes?.(name))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
