// The adapter contract for the web's Request: what core reads of one, duplicates that the platform
// has joined, state by key, and a refusal as a Response.
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { requestViewOf, toResponse } from '../../src/adapter/web-request.ts';
import { AuthError } from '../../src/errors.ts';
import { type AuthenticatorOptions, createAuthenticator, refusalOf } from '../../src/index.ts';

let key: SigningKey;
let token: string;

beforeAll(async () => {
  key = await generateSigningKey('ES256', 'one');
  const exp = Math.floor(Date.now() / 1000) + 300;
  token = await mint(key, { iss: 'i', aud: 'me', sub: 'alice', tenant: 't1', exp });
});

const start = (options: Partial<AuthenticatorOptions> = {}) =>
  createAuthenticator({
    keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
    audience: 'me',
    ...options,
  });

async function outcome(
  headers: readonly (readonly [name: string, value: string])[],
  options: Partial<AuthenticatorOptions> = {},
  init: RequestInit & { readonly url?: string } = {},
): Promise<string | undefined> {
  const request = new Request(init.url ?? 'https://api.example/x', {
    ...init,
    headers: headers.map(([name, value]): [string, string] => [name, value]),
  });
  const decision = await start(options).decide(requestViewOf(request));
  return decision.ok ? decision.principal?.subject : decision.error.code;
}

describe('headers that the platform has joined', () => {
  const bearer = ['Authorization', 'Bearer {token}'] as const;
  it.each<[title: string, headers: readonly (readonly [string, string])[], expected: string]>([
    ['one', [bearer], 'alice'],
    ['T-074: the same twice', [bearer, bearer], 'credentials_ambiguous'],
    ['T-074: behind another scheme', [['Authorization', 'Basic eDp5'], bearer], 'credentials_ambiguous'],
    ['T-074: before another scheme', [bearer, ['authorization', 'Basic eDp5']], 'credentials_ambiguous'],
    [
      'another scheme with commas of its own',
      [['Authorization', 'Digest a="b", c=d']],
      'credentials_missing',
    ],
    ['none', [], 'credentials_missing'],
  ])('%s: %s', async (_title, headers, expected) => {
    const filled = headers.map(([name, value]) => [name, value.replace('{token}', token)] as const);
    expect(await outcome(filled)).toBe(expected);
  });

  it('T-074: a bare header twice', async () => {
    const tokenFrom = [{ header: 'X-Token' }];
    expect(await outcome([['X-Token', token]], { tokenFrom })).toBe('alice');
    const twice = [['X-Token', token] as const, ['X-Token', token] as const];
    expect(await outcome(twice, { tokenFrom })).toBe('credentials_ambiguous');
  });
});

describe('places', () => {
  const tokenFrom = [{ cookie: 'token' }, { query: 'access_token' }];

  it('a cookie, and its origin', async () => {
    const cookie = ['Cookie', `token=${token}`] as const;
    expect(await outcome([cookie], { tokenFrom })).toBe('alice');
    expect(await outcome([cookie], { tokenFrom }, { method: 'POST' })).toBe('origin_refused');
    const own = ['Origin', 'https://api.example'] as const;
    expect(await outcome([cookie, own], { tokenFrom }, { method: 'POST' })).toBe('alice');
    const other = ['Origin', 'https://evil.example'] as const;
    expect(await outcome([cookie, other], { tokenFrom }, { method: 'POST' })).toBe('origin_refused');
  });

  it('the query, which stays readable under the same key after it was taken out', async () => {
    const authenticator = start({ tokenFrom });
    const key = {};
    const request = new Request(`https://api.example/x?a=1&access_token=${token}`);
    const view = requestViewOf(request, { key });
    expect(await authenticator.decide(view)).toMatchObject({ ok: true });
    const concealment = authenticator.conceal(view);
    expect(concealment?.strip(view.url ?? '')).toBe('/x?a=1');
    const shown = requestViewOf(new Request('https://api.example/x?a=1'), { key });
    expect(await authenticator.decide(shown)).toMatchObject({ ok: true });
    expect(await authenticator.decide(requestViewOf(new Request('https://api.example/x')))).toMatchObject({
      ok: false,
    });
  });
});

it('parameters of the path, for fromRequest', async () => {
  const access = { claims: { tenant: { fromRequest: 'params.id' } } } as const;
  const request = new Request('https://api.example/t1', { headers: { authorization: `Bearer ${token}` } });
  const decide = (id: string) => start().decide(requestViewOf(request, { params: { id } }), access);
  expect(await decide('t1')).toMatchObject({ ok: true });
  expect(await decide('t2')).toMatchObject({ ok: false, error: { code: 'claims_insufficient' } });
});

it('refusalOf is asked by the Request', async () => {
  const request = new Request('https://api.example/', { headers: { authorization: 'Bearer x' } });
  expect(await start().decide(requestViewOf(request), { mode: 'permissive' })).toEqual({ ok: true });
  expect(refusalOf(request)?.code).toBe('token_malformed');
});

it('a refusal as a Response: status, headers, and nothing but the constant message', async () => {
  const response = toResponse(
    new AuthError('scope_insufficient', { realm: 'r', scope: 'a b', detail: 'secret' }),
  );
  expect(response.status).toBe(403);
  expect(response.headers.get('www-authenticate')).toContain('scope="a b"');
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(await response.json()).toEqual({
    code: 'scope_insufficient',
    status: 403,
    message: 'The token lacks a scope that this request needs',
  });
});
