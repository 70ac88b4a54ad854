// Logout tokens, OpenID Connect Back-Channel Logout 1.0 §2.4 and §2.6: what they must be, and which
// access tokens they end.
import { forge, generateSigningKey, type MintClaims, mint } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import { createEventReceiver } from '../../src/notices/receiver.ts';
import { API, type Bench, CAEP, CLIENT, createBench, EVENTS, form, ISSUER, LOGOUT, pushed } from './bench.ts';

const INVALID = JSON.stringify({
  error: 'invalid_request',
  error_description: 'The logout token is not valid.',
});

describe('a good logout token', () => {
  it('ends the tokens of its session, and is answered with an empty 200', async () => {
    const { logout, send, ask, access } = await createBench();
    const [token, other] = [await access(), await access({ sid: 's2' })];
    expect(await ask(token)).toBe('accepted');
    expect(await send(await logout())).toEqual({
      status: 200,
      headers: { 'Cache-Control': 'no-store' },
      body: '',
    });
    expect(await Promise.all([token, other].map(ask))).toEqual(['token_revoked', 'accepted']);
    // Also a token of the session that is issued later.
    expect(await ask(await access())).toBe('token_revoked');
  });

  it.each<[title: string, claims: MintClaims, ends: 'session' | 'subject']>([
    ['without sid', { sid: undefined }, 'session'],
    ["with ends: 'subject'", {}, 'subject'],
  ])('%s ends the tokens of its user that were issued before', async (_, claims, ends) => {
    const { logout, send, ask, access, clock } = await createBench({
      receiver: { logout: { clientId: CLIENT, ends } },
    });
    const tokens = [await access(), await access({ sid: undefined }), await access({ sub: 'bob' })];
    expect((await send(await logout(claims))).status).toBe(200);
    expect(await Promise.all(tokens.map(ask))).toEqual(['token_revoked', 'token_revoked', 'accepted']);
    clock.advance(1000);
    expect(await ask(await access())).toBe('accepted');
  });

  it("with ends: 'subject' and only a sid ends the session", async () => {
    const { logout, send, ask, access } = await createBench({
      receiver: { logout: { clientId: CLIENT, ends: 'subject' } },
    });
    expect((await send(await logout({ sub: undefined }))).status).toBe(200);
    expect(await ask(await access())).toBe('token_revoked');
  });

  it('ends no token of another issuer', async () => {
    const other = await generateSigningKey('ES256');
    const issuer = 'https://other.example.com';
    const { logout, send, ask, now } = await createBench({ others: [{ issuer, key: other }] });
    expect((await send(await logout())).status).toBe(200);
    const claims = { iss: issuer, aud: API, sub: 'alice', sid: 's1', exp: now() + 60 };
    expect(await ask(await mint(other, claims))).toBe('accepted');
  });

  it('is told to onEvent once, with its claims', async () => {
    const { logout, send, told, now } = await createBench();
    const token = await logout({ jti: 'j1' });
    expect((await send(token)).status).toBe(200);
    const expected = { kind: 'logout', type: LOGOUT, issuer: ISSUER, sub: 'alice', sid: 's1' };
    expect(told).toEqual([
      { ...expected, time: now() * 1000, claims: expect.objectContaining({ jti: 'j1' }) },
    ]);
  });

  it('has one aud of several clients, and one of several in its own list', async () => {
    const { logout, send } = await createBench({ receiver: { logout: { clientId: ['web', 'app'] } } });
    expect((await send(await logout({ aud: 'app' }))).status).toBe(200);
    expect((await send(await logout({ aud: ['other', 'web'] }))).status).toBe(200);
  });

  it.each(['JWT', undefined])('of a draft: typ %s and no exp need drafts: true', async (typ) => {
    const drafts = await createBench({ receiver: { logout: { clientId: CLIENT, drafts: true } } });
    expect((await drafts.send(await drafts.logout({ exp: undefined }, { typ }))).status).toBe(200);
    const strict = await createBench();
    expect((await strict.send(await strict.logout({}, { typ }))).status).toBe(400);
    expect((await strict.send(await strict.logout({ exp: undefined }))).status).toBe(400);
  });
});

describe('a logout token is refused', () => {
  const wrong: readonly [title: string, make: (bench: Bench) => Promise<string> | string][] = [
    ['for another client', ({ logout }) => logout({ aud: 'other' })],
    ['for the API', ({ logout }) => logout({ aud: 'https://api.example.com' })],
    ['without aud', ({ logout }) => logout({ aud: undefined })],
    ['of another issuer', ({ logout }) => logout({ iss: 'https://evil.example' })],
    ['without iss', ({ logout }) => logout({ iss: undefined })],
    ['without iat', ({ logout }) => logout({ iat: undefined })],
    ['without exp', ({ logout }) => logout({ exp: undefined })],
    ['without jti', ({ logout }) => logout({ jti: undefined })],
    ['with an empty jti', ({ logout }) => logout({ jti: '' })],
    ['without sub and sid', ({ logout }) => logout({ sub: undefined, sid: undefined })],
    ['with a sid that is a number', ({ logout }) => logout({ sid: 5 })],
    ['with an empty sid', ({ logout }) => logout({ sid: '' })],
    ['with a sid that is too long', ({ logout }) => logout({ sid: 's'.repeat(1025) })],
    ['with a nonce', ({ logout }) => logout({ nonce: 'n' })],
    ['with a nonce that is null', ({ logout }) => logout({ nonce: null })],
    ['without events', ({ logout }) => logout({ events: undefined })],
    ['with events in a list', ({ logout }) => logout({ events: [LOGOUT] })],
    ['with another event', ({ logout }) => logout({ events: { [`${CAEP}/session-revoked`]: {} } })],
    ['with an event that is null', ({ logout }) => logout({ events: { [LOGOUT]: null } })],
    ['with an event that is true', ({ logout }) => logout({ events: { [LOGOUT]: true } })],
    ['expired', ({ logout, now }) => logout({ iat: now() - 300, exp: now() - 100 })],
    ['old', ({ logout, now }) => logout({ iat: now() - 700, exp: now() + 100 })],
    ['of the future', ({ logout, now }) => logout({ iat: now() + 300, exp: now() + 400 })],
    ['of typ JWT', ({ logout }) => logout({}, { typ: 'JWT' })],
    ['of typ at+jwt', ({ logout }) => logout({}, { typ: 'at+jwt' })],
    ['of typ dpop+jwt', ({ logout }) => logout({}, { typ: 'dpop+jwt' })],
    ['of typ secevent+jwt', ({ logout }) => logout({}, { typ: 'secevent+jwt' })],
    ['without typ', ({ logout }) => logout({}, { typ: undefined })],
    [
      'signed by another key',
      async ({ key, logout }) => {
        const [, payload = ''] = (await logout()).split('.');
        const stranger = await generateSigningKey('ES256', key.kid);
        return mint(stranger, JSON.parse(Buffer.from(payload, 'base64url').toString()), {
          typ: 'logout+jwt',
        });
      },
    ],
    [
      'of alg none',
      async ({ logout }) => {
        const [, payload = ''] = (await logout()).split('.');
        return forge({
          header: { alg: 'none', typ: 'logout+jwt' },
          payload: Buffer.from(payload, 'base64url'),
        });
      },
    ],
    ['that is an access token', ({ access }) => access({ aud: CLIENT })],
    ['that is an ID token', ({ access }) => access({ aud: CLIENT, nonce: 'n', jti: 'j' })],
    ['that is no JWT', () => 'abc'],
    ['that is empty', () => ''],
  ];

  it.each(wrong)('%s', async (_, make) => {
    const bench = await createBench();
    const answer = await bench.send(await make(bench));
    expect([answer.status, answer.body]).toEqual([400, INVALID]);
    expect(answer.headers).toMatchObject({ 'Cache-Control': 'no-store', 'Content-Type': 'application/json' });
    expect(bench.told).toEqual([]);
    expect(await bench.ask(await bench.access())).toBe('accepted');
  });

  it('with drafts: true, an access token, an ID token and a security event token still are', async () => {
    const { send, access, event } = await createBench({
      receiver: { logout: { clientId: CLIENT, drafts: true } },
    });
    const subject = { aud: CLIENT, sub: 'alice', jti: 'j' };
    for (const token of [
      await access(subject),
      await access({ ...subject, nonce: 'n' }),
      await event(`${CAEP}/session-revoked`, subject, {}, { typ: 'JWT' }),
    ])
      expect((await send(token)).status).toBe(400);
  });

  it('when it comes again; onEvent is not called again', async () => {
    const { logout, send, told, ask, access, clock } = await createBench({
      receiver: { logout: { clientId: CLIENT, ends: 'subject' } },
    });
    const token = await logout();
    const answers = await Promise.all([send(token), send(token)]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400]);
    clock.advance(60_000);
    // After the next login, the old logout ends nothing.
    const next = await access();
    expect((await send(token)).status).toBe(400);
    expect(await ask(next)).toBe('accepted');
    expect(told).toHaveLength(1);
  });

  it.each<[title: string, body: unknown, contentType: string | undefined]>([
    ['no body', undefined, 'application/x-www-form-urlencoded'],
    ['no token', 'other=1', 'application/x-www-form-urlencoded'],
    [
      'two tokens',
      (token: string) => `logout_token=${token}&logout_token=${token}`,
      'application/x-www-form-urlencoded',
    ],
    [
      'two parsed tokens',
      (token: string) => ({ logout_token: [token, token] }),
      'application/x-www-form-urlencoded',
    ],
    [
      'a token in an inherited member',
      (token: string) => Object.create({ logout_token: token }),
      'application/x-www-form-urlencoded',
    ],
    ['a token in JSON', (token: string) => ({ logout_token: token }), 'application/json'],
    ['no type', (token: string) => `logout_token=${token}`, undefined],
    ['the token alone', (token: string) => token, 'application/logout+jwt'],
    ['bytes that are no UTF-8', Buffer.from([0xff]), 'application/x-www-form-urlencoded'],
  ])('in a request with %s', async (_, body, contentType) => {
    const { logout, receiver, told } = await createBench();
    const token = await logout();
    const made = typeof body === 'function' ? body(token) : body;
    expect(await receiver.receive({ contentType, body: made })).toMatchObject({ status: 400 });
    expect(told).toEqual([]);
  });

  it.each<[title: string, body: (token: string) => unknown]>([
    ['text', (token) => `logout_token=${token}&state=1`],
    ['bytes', (token) => Buffer.from(`logout_token=${token}`)],
    ['a parsed form', (token) => ({ logout_token: token, state: '1' })],
    [
      'a parsed form without a prototype',
      (token) => Object.assign(Object.create(null), { logout_token: token }),
    ],
  ])('but not in a body that is %s', async (_, body) => {
    const { logout, receiver } = await createBench();
    const contentType = 'Application/X-WWW-form-urlencoded; charset=UTF-8';
    expect(await receiver.receive({ contentType, body: body(await logout()) })).toMatchObject({
      status: 200,
    });
  });

  it('by a receiver of security events only, in the format of these', async () => {
    const { logout, event, authenticator } = await createBench();
    const only = createEventReceiver(authenticator, { securityEvents: { audience: EVENTS } });
    expect(await only.receive(form(await logout()))).toMatchObject({ status: 400 });
    const token = await event(`${CAEP}/session-revoked`, { sub_id: { format: 'opaque', id: 's1' } });
    expect(await only.receive(pushed(token))).toMatchObject({ status: 202 });
  });
});
