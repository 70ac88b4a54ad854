// tokenOf: the token of a principal, for calls on behalf of the caller. It is nowhere else.
import { inspect } from 'node:util';
import { generateSigningKey, mint } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import { authorized, compileRules } from '../../src/adapter/index.ts';
import { narrow } from '../../src/decision/narrow.ts';
import {
  type Authenticator,
  type AuthenticatorOptions,
  requireAll,
  requireAny,
  tokenOf,
} from '../../src/index.ts';
import { endpoint, introspecting } from '../remote/endpoints.ts';
import { requestWith, startAuthenticator } from '../support/authenticators.ts';

const key = await generateSigningKey('ES256', 'one');
const create = (options: Partial<AuthenticatorOptions> = {}): Authenticator =>
  startAuthenticator({
    keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
    audience: null,
    ...options,
  });
const issue = (claims: Parameters<typeof mint>[1] = {}) =>
  mint(key, { iss: 'i', sub: 'alice', exp: Math.floor(Date.now() / 1000) + 300, ...claims });

describe('tokenOf', () => {
  it.each([{}, { cache: false as const }])('returns the token of each request: %o', async (options) => {
    const authenticator = create(options);
    const [one, two] = [await issue(), await issue({ sub: 'bob' })];
    for (let time = 0; time < 4; time++)
      for (const token of [one, two]) {
        expect(tokenOf(await authenticator.authenticate(requestWith(token)))).toBe(token);
        expect(tokenOf(await authenticator.verify(token))).toBe(token);
      }
  });

  it('also with a source of groups, which is asked for each request', async () => {
    const directory = { description: 'a directory', resolve: async () => ['ops'], close: async () => {} };
    const authenticator = create({ groups: { order: ['directory'], directory } } as never);
    const token = await issue();
    for (let time = 0; time < 4; time++)
      expect(tokenOf(await authenticator.authenticate(requestWith(token)))).toBe(token);
  });

  it('and for a token that only an endpoint can read', async () => {
    const remote = await endpoint({ body: { active: true, sub: 'alice' } });
    const principal = await introspecting(remote.url).authenticate(requestWith('opaque'));
    expect(tokenOf(principal)).toBe('opaque');
  });

  it('T-093: from a query, after the token was removed from the URL', async () => {
    const authenticator = create({ tokenFrom: [{ query: 'access_token' }] });
    const token = await issue();
    const request = { ...requestWith(), url: `/?access_token=${token}` };
    const principal = await authenticator.authenticate(request);
    request.url = authenticator.conceal(request)?.strip(request.url) ?? '';
    expect(request.url).toBe('/');
    expect(tokenOf(principal)).toBe(token);
  });

  it('of each principal of a combination', async () => {
    const parts = { user: create(), device: create({ tokenFrom: [{ header: 'x-device' }] }) };
    const [one, two] = [await issue(), await issue({ sub: 'device' })];
    const request = {
      ...requestWith(one),
      headers: { authorization: `Bearer ${one}`, 'x-device': two },
      rawHeaders: ['authorization', `Bearer ${one}`, 'x-device', two],
    };
    const { user, device } = await requireAll(parts).authenticate(request);
    expect([tokenOf(user), tokenOf(device)]).toEqual([one, two]);
    expect(tokenOf((await requireAny(parts).authenticate(request)).user)).toBe(one);
  });

  it('of a principal whose claims a schema has changed, and while options change', async () => {
    const schema = { '~standard': { version: 1, vendor: 'x', validate: () => ({ value: 1 }) } } as const;
    const authenticator = create();
    const token = await issue({ level: '1' });
    const principal = await authenticator.verify(token);
    expect(tokenOf(authorized(principal, compileRules({ level: schema })))).toBe(token);
    const both = narrow(authenticator, [{ authenticator: create(), isCertain: true }]);
    expect(tokenOf(await both.authenticate(requestWith(token)))).toBe(token);
  });

  it('is undefined without a principal', async () => {
    const authenticator = create({ mode: 'permissive' });
    const expired = await issue({ exp: 1 });
    expect(tokenOf(await authenticator.authenticate(requestWith()))).toBeUndefined();
    expect(tokenOf(await authenticator.authenticate(requestWith(expired)))).toBeUndefined();
    expect([tokenOf(undefined), tokenOf(null)]).toEqual([undefined, undefined]);
  });

  it('refuses what is no principal, and a copy of one', async () => {
    const principal = await create().verify(await issue());
    const request = requestWith(await issue());
    for (const other of [
      { ...principal },
      Object.create(principal),
      structuredClone(principal),
      request,
      'x',
    ])
      expect(() => tokenOf(other as never)).toThrow(/^tokenOf: expected a principal .*; pass req\.auth/);
  });

  it('T-087: the token is not in the principal, nor in what is written of it', async () => {
    const token = await issue();
    const principal = await create().verify(token);
    const written = [
      JSON.stringify(principal),
      inspect(principal, { depth: Number.POSITIVE_INFINITY, showHidden: true }),
    ].join();
    for (const part of token.split('.')) expect(written).not.toContain(part);
  });
});
