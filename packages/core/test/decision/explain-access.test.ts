// An explanation with the access of a route in code has the outcome of `authenticate` with that
// access, and shows each requirement.
import { describe, expect, it } from 'vitest';
import type { RequestView } from '../../src/adapter/index.ts';
import {
  type Authenticator,
  compileAccess,
  type ExplainedCheck,
  type Explanation,
  isAuthError,
  type RouteAccess,
  route,
} from '../../src/index.ts';
import {
  bearer,
  type Claims,
  firstCode,
  inline,
  key,
  now,
  requestOf,
  rsa,
  start,
  tokenOf,
} from './explaining.ts';

async function decision(authenticator: Authenticator, request: RequestView, access: RouteAccess) {
  try {
    await authenticator.authenticate(request, access);
    return { allowed: true, status: 200, code: undefined };
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return { allowed: false, status: error.status, code: error.code };
  }
}

/** Explains a request, and compares that with the decision on it. */
async function explained(
  authenticator: Authenticator,
  request: RequestView,
  access: RouteAccess,
): Promise<Explanation> {
  const explanation = await authenticator.explain(request, compileAccess(access));
  const { allowed, status, code } = explanation;
  expect({ allowed, status, code }).toEqual(await decision(authenticator, request, access));
  if (!allowed) expect(firstCode(explanation)).toBe(code);
  return explanation;
}

const requirements = ({ checks }: Explanation): readonly Partial<ExplainedCheck>[] =>
  checks
    .filter(({ check }) => check === 'route')
    .map(({ about, outcome, code }) => ({ about, outcome, ...(code === undefined ? {} : { code }) }));

const passed = (about: string) => ({ about, outcome: 'passed' });
const failed = (about: string, code: string) => ({ about, outcome: 'failed', code });

describe('access in code', () => {
  const good: Claims = {
    aud: ['me', 'orders'],
    act: { sub: 'gateway' },
    acr: 'urn:example:mfa',
    auth_time: now(),
    roles: ['admin'],
  };
  const all: RouteAccess = {
    issuers: ['i'],
    audience: 'orders',
    actors: ['gateway'],
    acr: ['urn:example:mfa'],
    maxAge: '5m',
    claims: { roles: ['admin'] },
  };

  it('shows each requirement and each rule', async () => {
    const explanation = await explained(start(), bearer(await tokenOf(good)), all);
    expect(explanation.allowed).toBe(true);
    expect(requirements(explanation)).toEqual(['iss', 'aud', 'act', 'acr', 'auth_time', 'roles'].map(passed));
  });

  it.each<[string, RouteAccess, Claims, { readonly about: string; readonly code: string }, number]>([
    ['issuers', { issuers: ['other'] }, {}, { about: 'iss', code: 'token_issuer_untrusted' }, 401],
    ['audience', { audience: 'orders' }, {}, { about: 'aud', code: 'token_audience_mismatch' }, 401],
    ['actors', { actors: false }, good, { about: 'act', code: 'claims_insufficient' }, 403],
    ['acr', { acr: ['urn:example:mfa'] }, {}, { about: 'acr', code: 'authentication_insufficient' }, 401],
    [
      'maxAge',
      { maxAge: '5m' },
      { auth_time: now() - 3_600 },
      { about: 'auth_time', code: 'authentication_insufficient' },
      401,
    ],
    ['claims', { claims: { roles: ['admin'] } }, {}, { about: 'roles', code: 'claims_insufficient' }, 403],
  ])(
    '%s that refuse a token are named, for a request and for a token',
    async (_, access, claims, { about, code }, status) => {
      const authenticator = start();
      const token = await tokenOf(claims);
      for (const explanation of [
        await explained(authenticator, bearer(token), access),
        await authenticator.explain(token, compileAccess(access)),
      ]) {
        expect(explanation).toMatchObject({ allowed: false, status, code, verified: true });
        expect(requirements(explanation)).toEqual([failed(about, code)]);
      }
    },
  );

  it('goes on after the first requirement that is not met', async () => {
    const explanation = await explained(start(), bearer(await tokenOf({ act: { sub: 'gateway' } })), all);
    expect(explanation.code).toBe('token_audience_mismatch');
    expect(requirements(explanation)).toEqual([
      passed('iss'),
      failed('aud', 'token_audience_mismatch'),
      passed('act'),
      failed('acr', 'authentication_insufficient'),
      failed('auth_time', 'authentication_insufficient'),
      failed('roles', 'claims_insufficient'),
    ]);
  });

  it('shows what a token that is refused anyway would have met', async () => {
    const expired = await tokenOf({ ...good, aud: 'me', exp: now() - 300 });
    for (const explanation of [
      await explained(start(), bearer(expired), all),
      await start().explain(expired, compileAccess(all)),
    ]) {
      expect(explanation.code).toBe('token_expired');
      expect(requirements(explanation)).toContainEqual(failed('aud', 'token_audience_mismatch'));
      expect(requirements(explanation)).toContainEqual(passed('acr'));
    }
  });

  it('is judged in its mode: a token that only the route refuses is anonymous in permissive mode', async () => {
    const access: RouteAccess = { audience: 'orders', mode: 'permissive' };
    const explanation = await explained(start(), bearer(await tokenOf()), access);
    expect(explanation).toMatchObject({ allowed: true, code: undefined });
    expect(firstCode(explanation)).toBeUndefined();
    expect(await explained(start(), requestOf([]), { mode: 'optional' })).toMatchObject({ allowed: true });
    expect(await explained(start(), requestOf([]), { acr: ['a'] })).toMatchObject({ status: 401 });
    // A token alone is not anonymous in any mode.
    const alone = await start().explain(await tokenOf(), compileAccess(access));
    expect(alone.code).toBe('token_audience_mismatch');
  });

  it('names the resource of the route', async () => {
    const url = 'https://files.example.com';
    const authenticator = start({
      resource: { url: 'https://api.example.com' },
      resources: { files: { url } },
    });
    const access: RouteAccess = { resource: 'files', acr: ['a'] };
    const good = await explained(authenticator, bearer(await tokenOf({ aud: url, acr: 'a' })), access);
    expect(requirements(good)).toEqual([passed('aud'), passed('acr')]);
    const bad = await explained(authenticator, bearer(await tokenOf()), access);
    expect(requirements(bad)).toEqual([
      failed('aud', 'token_audience_mismatch'),
      failed('acr', 'authentication_insufficient'),
    ]);
  });

  it('may have a named route as its rules', async () => {
    const authenticator = start({ routes: { admin: { acr: ['a'], claims: { roles: ['admin'] } } } });
    const access: RouteAccess = { audience: 'me', claims: route('admin') };
    const explanation = await explained(authenticator, bearer(await tokenOf({ acr: 'a' })), access);
    expect(requirements(explanation)).toEqual([
      passed('aud'),
      passed('acr'),
      failed('roles', 'claims_insufficient'),
    ]);
  });

  it('agrees with the decision about many tokens', async () => {
    const authenticator = start({ keySets: [inline(key), inline(rsa, { issuer: 'j' })], audience: null });
    const values = { aud: ['me', 'orders'], acr: [undefined, 'a'], sub: ['alice', 'bob'], iss: ['i', 'j'] };
    const accesses: readonly RouteAccess[] = [
      { audience: 'orders' },
      { acr: ['a'], claims: { sub: 'alice' } },
      { issuers: ['j'], audience: 'me', claims: { sub: 'bob' } },
    ];
    for (const aud of values.aud)
      for (const acr of values.acr)
        for (const sub of values.sub)
          for (const iss of values.iss) {
            const token = await tokenOf(
              { aud, sub, iss, ...(acr === undefined ? {} : { acr }) },
              iss === 'i' ? key : rsa,
            );
            for (const access of accesses) await explained(authenticator, bearer(token), access);
          }
  });
});

describe('the argument', () => {
  it('is rules if it is a plain object, also with names of access', async () => {
    const token = await tokenOf({ acr: 'a' });
    const explanation = await start().explain(token, { acr: 'a' });
    expect(explanation.allowed).toBe(true);
    expect(requirements(explanation)).toEqual([passed('acr')]);
  });

  it('is not a copy of compiled access, which has not been checked', async () => {
    const copy = { ...compileAccess({ audience: 'orders' }), claims: undefined };
    await expect(start().explain(await tokenOf(), copy as never)).rejects.toThrow('claims');
  });
});
