// What is asked about claims that are refused: nothing, unless somebody wants it explained.
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { type AuthenticatorOptions, createAuthenticator, fromRequest, route } from '../../src/index.ts';
import { outcome } from '../support/outcome.ts';

let key: SigningKey;

beforeAll(async () => {
  key = await generateSigningKey();
});

const build = (options: Partial<AuthenticatorOptions> = {}) =>
  createAuthenticator({
    keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
    audience: null,
    routes: { admin: { issuers: ['j'], claims: { sub: 'alice' } } },
    ...options,
  });
const expired = (claims: object = {}) => mint(key, { iss: 'i', sub: 'alice', exp: 1, ...claims });

describe('a token that is refused', () => {
  it('is not judged by rules: no schema is called, and no request is needed', async () => {
    let called = 0;
    const schema = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: unknown) => {
          called++;
          return { value };
        },
      },
    } as const;
    const authenticator = build();
    const token = await expired();
    expect(await outcome(authenticator.verify(token, { sub: schema }))).toBe('token_expired');
    expect(called).toBe(0);
    expect(await outcome(authenticator.verify(token, { sub: fromRequest('params.sub') }))).toBe(
      'token_expired',
    );
  });

  it('is explained with what its route and its groups would have been', async () => {
    const authenticator = build({ groups: { order: ['claim'] } });
    const { code, checks } = await authenticator.explain(await expired(), route('admin'));
    expect(code).toBe('token_expired');
    expect(checks).toContainEqual(
      expect.objectContaining({ check: 'route', about: 'iss', actual: '"i"', outcome: 'failed' }),
    );
    expect(checks).toContainEqual(
      expect.objectContaining({ check: 'route', about: 'sub', outcome: 'passed' }),
    );
    expect(checks.find(({ check }) => check === 'groups')).toMatchObject({ outcome: 'skipped' });
  });

  it.each([5, '', null])('is explained as one of no issuer where iss is %j', async (iss) => {
    const { checks } = await build().explain(await expired({ iss }), route('admin'));
    expect(checks.find(({ check, about }) => check === 'route' && about === 'iss')).toMatchObject({
      actual: 'absent',
      outcome: 'failed',
    });
  });
});
