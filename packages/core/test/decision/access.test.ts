// What a route says instead of the options: checked like options, and nothing falls open where it
// is wrong.
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileAccess, type RouteAccess } from '../../src/decision/access.ts';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import { requireAll } from '../../src/decision/combine.ts';
import { judgeRequirements } from '../../src/decision/requirements.ts';
import { ConfigError } from '../../src/errors.ts';

const WRONG: readonly (readonly [what: string, overrides: unknown, path: string])[] = [
  ['a mode in another case', { mode: 'Strict' }, 'access.mode'],
  ['mode null', { mode: null }, 'access.mode'],
  ['an empty mode', { mode: '' }, 'access.mode'],
  ['a misspelled option', { issuer: ['a'] }, 'access.issuer'],
  ['rules that are none', { claims: 5 }, 'access.claims'],
  ['issuers of nothing', { issuers: [] }, 'access.issuers'],
  ['issuers null', { issuers: null }, 'access.issuers'],
  ['a function for issuers', { issuers: () => undefined }, 'access.issuers'],
  ['an empty issuer', { issuers: [''] }, 'access.issuers[0]'],
  ['an audience of nothing', { audience: [] }, 'access.audience'],
  ['audience null', { audience: null }, 'access.audience'],
  ['a number for an audience', { audience: 5 }, 'access.audience'],
  ['an empty audience', { audience: '' }, 'access.audience'],
  ['an empty audience in a list', { audience: ['a', ''] }, 'access.audience[1]'],
  ['an audience with a space at its end', { audience: ['a '] }, 'access.audience[0]'],
  ['null', null, 'access'],
  ['a text', 'strict', 'access'],
];

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

describe('T-056: overrides', () => {
  it.each(WRONG)('T-056: %s is a ConfigError', (_, overrides, path) => {
    const build = () => compileAccess(overrides as RouteAccess);
    expect(build).toThrow(ConfigError);
    expect(build).toThrow(`${path}: `);
  });

  it.each(WRONG.filter(([, overrides]) => overrides !== null))(
    'T-056: no request passes with %s',
    async (_, overrides) => {
      const authenticator = createAuthenticator({
        keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
        audience: issuer.audience,
      });
      const request = { headers: {}, rawHeaders: [] };
      await expect(authenticator.authenticate(request, overrides as RouteAccess)).rejects.toThrow(
        ConfigError,
      );
      await authenticator.close();
    },
  );

  it('compiled once, they are taken as they are', () => {
    const compiled = compileAccess({ mode: 'optional', issuers: ['a', /b+/] });
    expect(compileAccess(compiled)).toBe(compiled);
    expect(compiled.mode).toBe('optional');
    const codes = ['a', 'bb', 'c', undefined].map(
      (issuer) => judgeRequirements(compiled.requires, { issuer, claims: {} })?.code,
    );
    const refused = 'token_issuer_untrusted';
    expect(codes).toEqual([undefined, undefined, refused, refused]);
  });

  it('T-056: a copy of compiled access that something was added to is refused', () => {
    const copy = { ...compileAccess({ mode: 'optional' }), issuers: ['a'] };
    expect(() => compileAccess(copy)).toThrow(ConfigError);
  });

  it('T-056: what a route asks is read at each request: a change counts at once', async () => {
    const authenticator = createAuthenticator({
      keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
      audience: issuer.audience,
    });
    const authorization = `Bearer ${await issuer.mint({ sub: 'alice', roles: ['dev'] })}`;
    const request = { headers: { authorization }, rawHeaders: ['Authorization', authorization] };
    const issuers = [issuer.issuer];
    const claims: Record<string, string[]> = {};
    const access: { issuers: string[]; claims: Record<string, string[]>; mode?: 'optional' } = {
      issuers,
      claims,
    };
    const both = requireAll({ one: authenticator });
    expect(await authenticator.authenticate(request, access)).toMatchObject({ subject: 'alice' });
    expect(await both.authenticate(request, { issuers })).toMatchObject({ one: { subject: 'alice' } });
    claims.roles = ['admin'];
    await expect(authenticator.authenticate(request, access)).rejects.toMatchObject({
      code: 'claims_insufficient',
    });
    issuers[0] = 'https://elsewhere.example.com';
    const untrusted = { code: 'token_issuer_untrusted' };
    await expect(authenticator.authenticate(request, access)).rejects.toMatchObject(untrusted);
    await expect(both.authenticate(request, { issuers })).rejects.toMatchObject(untrusted);
    await authenticator.close();
  });
});
