// What a principal gets from the answer of an endpoint, and what may still refuse the token: the
// claims of the token, the issuers, rules and times.
import { forge } from '@latchkey/testing';
import { describe, expect, it, vi } from 'vitest';
import { authorize } from '../../src/decision/authorize.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import type { JsonValue } from '../../src/values/json.ts';
import { requestWith } from '../support/authenticators.ts';
import { alone, ask, codeOf, endpoint, introspecting, jwt, NOW, UNAVAILABLE } from './endpoints.ts';

describe('S51: the claims of an answer', () => {
  it('are the members of the answer, and no claim of the token', async () => {
    const remote = await endpoint({ body: { sub: 'alice', dept: 'IT', iss: 'https://idp' } });
    const more = { dept: 'HR', role: 'admin', scope: 'all', aud: 'x' };
    const token = jwt({ sub: 'alice', iss: 'https://idp', ...more });
    const principal = await alone(remote.url).verify(token);
    expect(principal.claims).toEqual({ sub: 'alice', dept: 'IT', iss: 'https://idp' });
    expect(principal).toMatchObject({ issuer: 'https://idp', subject: 'alice', scopes: [], groups: [] });
    expect(Object.isFrozen(principal.claims)).toBe(true);
  });

  it('the groups of the token are used only if it is a JWT of the same sub', async () => {
    const remote = await endpoint();
    const authenticator = alone(remote.url);
    const groupsOf = async (token: string) => (await authenticator.verify(token)).groups;
    expect(await groupsOf(jwt({ sub: 'alice', groups: ['dev'] }))).toEqual(['dev']);
    expect(await groupsOf(jwt({ sub: 'bob', groups: ['root'] }))).toEqual([]);
    expect(await groupsOf(jwt({ sub: 'Alice', groups: ['root'] }))).toEqual([]);
    expect(await groupsOf(jwt({ sub: ['alice'], groups: ['root'] }))).toEqual([]);
    expect(await groupsOf(jwt({ groups: ['root'] }))).toEqual([]);
    expect(await groupsOf('alice')).toEqual([]);
    expect(await groupsOf(`${jwt({ sub: 'alice', groups: ['root'] })}.x`)).toEqual([]);
    expect(await groupsOf(jwt(JSON.parse('{"__proto__":{"sub":"alice"},"groups":["root"]}')))).toEqual([]);
    const repeated = forge({
      header: { alg: 'RS256' },
      payload: '{"sub":"bob","sub":"alice","groups":["root"]}',
    });
    expect(await groupsOf(`${repeated}AA`)).toEqual([]);
  });

  it.each<[title: string, said: unknown, expected: readonly string[]]>([
    ['some', ['ops'], ['ops']],
    ['none', [], []],
    ['null', null, []],
  ])("the answer's own groups come first: %s", async (_, groups, expected) => {
    const remote = await endpoint({ body: { sub: 'alice', groups } });
    const principal = await alone(remote.url).verify(jwt({ sub: 'alice', groups: ['root'] }));
    expect(principal.groups).toEqual(expected);
  });

  it.each([
    ['root', ['root']],
    [{ 0: 'root' }, []],
    [[5], []],
    [[null], []],
  ])('groups %j are %j', async (groups, expected) => {
    const remote = await endpoint();
    const authenticator = alone(remote.url);
    const groupsOf = async (token = jwt({ sub: 'bob' })) => (await authenticator.verify(token)).groups;
    expect(await groupsOf(jwt({ sub: 'alice', groups } as never))).toEqual(expected);
    remote.says = { body: { sub: 'alice', groups } };
    expect(await groupsOf()).toEqual(expected);
  });

  it('introspection without sub: no subject, and no groups of the token', async () => {
    const remote = await endpoint({ body: { active: true } });
    const authenticator = introspecting(remote.url);
    expect(await authenticator.verify(jwt({ groups: ['root'] }))).toMatchObject({
      subject: undefined,
      groups: [],
      claims: {},
    });
    expect(await authenticator.verify(jwt({ sub: 'alice', groups: ['root'] }))).toMatchObject({
      subject: undefined,
      groups: [],
    });
  });

  it('the exp of the token counts where the answer has none', async () => {
    const remote = await endpoint();
    const authenticator = alone(remote.url);
    expect(await ask(authenticator, jwt({ exp: NOW - 5 }))).toBe('401 token_expired');
    expect(await ask(authenticator, jwt({ exp: 'never' }))).toBe('401 token_claims_invalid');
    expect(await ask(authenticator, jwt({ exp: NOW + 1 }))).toBe('accepted');
    remote.says = { body: { sub: 'alice', exp: NOW - 5 } };
    expect(await ask(authenticator, jwt({ exp: NOW + 60 }))).toBe('401 token_expired');
  });

  it('row 152: a later exp in the answer does not make an expired token good', async () => {
    const remote = await endpoint({ body: { sub: 'alice', exp: NOW + 3600 } });
    expect(await ask(alone(remote.url), jwt({ sub: 'alice', exp: NOW - 3600 }))).toBe('401 token_expired');
  });

  it('RFC 7800: an answer with cnf is refused', async () => {
    const remote = await endpoint({ body: { sub: 'alice', cnf: { jkt: 'x' } } });
    expect(await ask(alone(remote.url))).toBe('401 token_claims_invalid');
    expect(await alone(remote.url, { unsafeAcceptSenderConstrained: true }).verify('t')).toMatchObject({
      subject: 'alice',
    });
  });

  it('RFC 7800: a token with cnf is refused without proof of its key', async () => {
    const remote = await endpoint();
    const bound = jwt({ sub: 'alice', exp: NOW + 60, cnf: { jkt: 'x' } });
    expect(await ask(alone(remote.url), bound)).toBe('401 token_claims_invalid');
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('%s is data', async (name) => {
    const remote = await endpoint({ body: `{"sub":"alice","${name}":{"groups":["root"],"role":"admin"}}` });
    const { claims, groups } = await alone(remote.url).verify('t');
    expect(Object.hasOwn(claims, name)).toBe(true);
    expect(Object.getPrototypeOf(claims)).toBe(Object.prototype);
    expect(groups).toEqual([]);
    expect(({} as { role?: string }).role).toBeUndefined();
    remote.says = { body: `{"active":true,"sub":"alice","${name}":{"groups":["root"]}}` };
    const introspected = await introspecting(remote.url).verify('t');
    expect(Object.hasOwn(introspected.claims, name)).toBe(true);
    expect(introspected.groups).toEqual([]);
  });

  it('a sub without visible text is refused', async () => {
    const remote = await endpoint();
    for (const sub of [' ', 'a\nb', 'a\0']) {
      remote.says = { body: { sub } };
      expect(await ask(alone(remote.url))).toBe('401 token_claims_invalid');
    }
  });
});

describe('the issuer of an answer, and rules', () => {
  it('the option issuer names the issuer of every answer', async () => {
    const remote = await endpoint();
    const authenticator = alone({ url: remote.url, issuer: 'https://idp' });
    const token = jwt({ sub: 'alice' });
    expect(await authenticator.verify(token)).toMatchObject({
      issuer: 'https://idp',
      claims: { sub: 'alice', iss: 'https://idp' },
    });
    remote.says = { body: { sub: 'alice', iss: 'https://idp' } };
    expect(await authenticator.verify(token)).toMatchObject({ issuer: 'https://idp' });
    for (const iss of ['https://evil', 'https://idp/', '', 5, ['https://idp'], true]) {
      remote.says = { body: { sub: 'alice', iss } };
      expect(await ask(authenticator, token)).toBe(UNAVAILABLE);
    }
    expect(authenticator.report().remote).toMatchObject({ state: 'closed' });
  });

  it('without it the iss of the answer is judged by the option issuers', async () => {
    const remote = await endpoint();
    const authenticator = alone(remote.url, { issuers: ['https://idp'] });
    for (const [iss, expected] of [
      ['https://idp', 'accepted'],
      ['https://evil', '401 token_issuer_untrusted'],
      ['', '401 token_issuer_untrusted'],
      [5, '401 token_issuer_untrusted'],
      [null, '401 token_issuer_untrusted'],
    ] as const) {
      remote.says = { body: { sub: 'alice', iss } };
      expect(await ask(authenticator), String(iss)).toBe(expected);
    }
  });

  it('an answer without iss is refused by the option issuers', async () => {
    const remote = await endpoint();
    expect(await ask(alone(remote.url, { issuers: ['https://idp'] }))).toBe('401 token_issuer_untrusted');
  });

  it('the issuers of a route are compared with the answer, not with the token', async () => {
    const remote = await endpoint();
    const authenticator = alone(remote.url);
    const overrides = { issuers: ['https://idp'] };
    const token = jwt({ sub: 'alice', iss: 'https://idp' });
    expect(await codeOf(authenticator.authenticate(requestWith(token), overrides))).toBe(
      '401 token_issuer_untrusted',
    );
    remote.says = { body: { sub: 'alice', iss: 'https://idp' } };
    expect(await authenticator.authenticate(requestWith('t'), overrides)).toMatchObject({
      subject: 'alice',
    });
  });

  it('all rules and scopes are compared with the answer', async () => {
    const remote = await endpoint();
    const authenticator = alone(remote.url, { claims: { dept: 'IT' } });
    const token = jwt({ sub: 'alice', dept: 'IT', scope: 'write', role: 'admin' });
    expect(await ask(authenticator, token)).toBe('401 token_claims_invalid');
    remote.says = { body: { sub: 'alice', dept: 'IT', scope: 'read' } };
    const principal = await authenticator.verify(token, { scope: 'read' });
    expect(principal.claims.scope).toBe('read');
    expect(await ask(authenticator, token, { scope: 'write' })).toBe('403 scope_insufficient');
    expect(await ask(authenticator, token, { role: 'admin' })).toBe('403 claims_insufficient');
    expect(() => authorize(principal, { role: 'admin' })).toThrow();
  });

  it.each<[title: string, others: Partial<AuthenticatorOptions>]>([
    ['maxTokenAge', { maxTokenAge: '1h' }],
    ['treatIatAsNbf', { treatIatAsNbf: true }],
    ['profile', { profile: 'at+jwt' }],
  ])('%s refuses an answer that has only a sub', async (_, others) => {
    const remote = await endpoint();
    expect(await ask(alone(remote.url, others))).toBe('401 token_claims_invalid');
  });
});

describe('row 152: a token that is a JWT', () => {
  const API = 'https://api.example.com';
  const itself = (claims: { readonly [name: string]: JsonValue }) => jwt({ sub: 'alice', ...claims });

  it.each<[title: string, claims: { readonly [name: string]: JsonValue }, expected: string]>([
    ['of this API', { aud: API }, 'accepted'],
    ['of this API and another', { aud: ['https://other.example', API] }, 'accepted'],
    ['without an audience', {}, 'accepted'],
    ['of another API', { aud: 'https://other.example' }, '401 token_audience_mismatch'],
    ['of several others', { aud: ['a', 'b'] }, '401 token_audience_mismatch'],
    ['of an API that is not a text', { aud: 5 }, '401 token_audience_mismatch'],
    ['of an empty list of APIs', { aud: [] }, '401 token_audience_mismatch'],
    ['of the issuer of the endpoint', { iss: 'https://idp' }, 'accepted'],
    ['of another issuer', { iss: 'https://other' }, '401 token_issuer_untrusted'],
    ['of an issuer that is not a text', { iss: null }, '401 token_issuer_untrusted'],
    ['of events', { events: {} }, '401 token_claims_invalid'],
    ['with a list of events', { events: ['party'] }, 'accepted'],
  ])('%s: %s', async (_, claims, expected) => {
    const remote = await endpoint();
    for (const body of [{ sub: 'alice' }, { sub: 'alice', aud: API }]) {
      remote.says = { body };
      const options = { url: remote.url, issuer: 'https://idp', cacheFor: '1m' };
      const authenticator = alone(options, { audience: API });
      const token = itself(claims);
      expect(await ask(authenticator, token)).toBe(expected);
      // The same with the answer from the cache.
      expect(await ask(authenticator, token)).toBe(expected);
    }
  });

  it('must be of an issuer that is welcome, and of the issuer in the answer', async () => {
    const remote = await endpoint();
    const welcome = alone(remote.url, { issuers: ['https://idp', 'https://second'] });
    remote.says = { body: { sub: 'alice', iss: 'https://idp' } };
    expect(await ask(welcome, itself({ iss: 'https://idp' }))).toBe('accepted');
    for (const iss of ['https://second', 'https://other'])
      expect(await ask(welcome, itself({ iss }))).toBe('401 token_issuer_untrusted');
  });

  it('only narrows: its audience does not replace the audience of the answer', async () => {
    const remote = await endpoint({ body: { sub: 'alice', aud: 'https://other.example' } });
    const authenticator = alone(remote.url, { audience: API });
    expect(await ask(authenticator, itself({ aud: API }))).toBe('401 token_audience_mismatch');
    remote.says = { body: { sub: 'alice' } };
    const principal = await authenticator.verify(itself({ aud: API, iss: 'https://idp' }));
    expect([principal.issuer, principal.claims]).toEqual([undefined, { sub: 'alice' }]);
  });

  it('is not checked with unsafeIgnoreTokenClaims, which warns', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const remote = await endpoint();
    const options = { url: remote.url, issuer: 'https://idp', unsafeIgnoreTokenClaims: true };
    const token = itself({ aud: 'https://other.example', iss: 'https://other' });
    expect(await ask(alone(options, { audience: API }), token)).toBe('accepted');
    expect(warned.mock.calls.flat()).toContain(
      'remote.unsafeIgnoreTokenClaims: tokens of other APIs may be accepted',
    );
  });

  it('explain names the claim that refuses it', async () => {
    const remote = await endpoint();
    const authenticator = alone({ url: remote.url, issuer: 'https://idp' }, { audience: API });
    const { checks } = await authenticator.explain(
      itself({ aud: 'https://other.example', iss: 'https://idp' }),
    );
    expect(checks).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({
          about: 'aud of the token itself',
          outcome: 'failed',
          code: 'token_audience_mismatch',
        }),
        expect.objectContaining({ about: 'iss of the token itself', outcome: 'passed' }),
      ]),
    );
  });
});
