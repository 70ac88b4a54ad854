// S33: variables of the environment in options, in values and in issuers.
import { generateSigningKey, mint } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import { interpolate } from '../../src/descriptor/interpolate.ts';
import { ConfigError } from '../../src/errors.ts';

const ENVIRONMENT = { ISSUER: 'https://issuer.example', ROLE: 'admin', EMPTY: '', _X1: '${ROLE}' };

describe('S33: interpolation', () => {
  it.each<[unknown, unknown]>([
    ['${ISSUER}', 'https://issuer.example'],
    ['a${ROLE}b${ROLE}', 'aadminbadmin'],
    ['${EMPTY}', ''],
    // What a variable holds is not looked into again.
    ['${_X1}', '${ROLE}'],
    // None of these is a variable.
    ['${role}', '${role}'],
    ['$ROLE', '$ROLE'],
    ['${1A}', '${1A}'],
    ['${ROLE', '${ROLE'],
    [5, 5],
    [null, null],
    [
      ['${ROLE}', true],
      ['admin', true],
    ],
    [{ '${ROLE}': { roles: ['${ROLE}'] } }, { '${ROLE}': { roles: ['admin'] } }],
  ])('S33: %j becomes %j', (value, expected) => {
    expect(interpolate(value, ENVIRONMENT)).toEqual(expected);
  });

  it.each<[unknown, string]>([
    ['${MISSING}', 'options'],
    [{ keySets: [{ issuer: '${MISSING}' }] }, 'keySets[0].issuer'],
    [{ claims: { roles: ['a', '${MISSING}'] } }, 'claims.roles[1]'],
    [{ a: '${toString}${HASOWNPROPERTY}' }, 'a'],
  ])('S33: %j, a variable that is not set is a ConfigError', (value, path) => {
    const attempt = () => interpolate(value, ENVIRONMENT);
    expect(attempt).toThrow(ConfigError);
    expect(attempt).toThrow(`${path}: the variable `);
  });

  it('S33: what is no plain data stays what it is', () => {
    const store = { description: 's', read: async () => undefined };
    const options = { secrets: store, claims: { sub: /\$\{ROLE\}/ } };
    const made = interpolate(options, ENVIRONMENT);
    expect(made.secrets).toBe(store);
    expect(made.claims.sub).toBe(options.claims.sub);
  });

  it('S33: in values and in issuers, end to end', async () => {
    const key = await generateSigningKey();
    const authenticator = createAuthenticator(
      interpolate(
        {
          keySets: [{ issuer: '${ISSUER}', jwks: { keys: [key.publicJwk] } }],
          audience: null,
          issuers: ['${ISSUER}'],
          claims: { roles: ['${ROLE}'] },
        },
        ENVIRONMENT,
      ),
    );
    const claims = { iss: ENVIRONMENT.ISSUER, exp: 4_000_000_000 };
    await expect(
      authenticator.verify(await mint(key, { ...claims, roles: ['admin'] })),
    ).resolves.toBeDefined();
    await expect(authenticator.verify(await mint(key, { ...claims, roles: ['dev'] }))).rejects.toMatchObject({
      code: 'token_claims_invalid',
    });
  });
});
