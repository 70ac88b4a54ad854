// Tests of the sample services over HTTP, each in its own process: cases that are not in the demo,
// mostly refusals.
import { createAuthenticator, type JsonObject } from '@latchkey/core';
import { attack, createIssuer, forge, generateSigningKey, mint, type TestIssuer } from '@latchkey/testing';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DemoService, frameworks, startService } from '../src/service.ts';

/** The issuer of the login's tokens, and the audience of its refresh tokens. */
const LOGIN = 'urn:friends-and-messages:login';
const REFRESH = 'urn:friends-and-messages:refresh';
/** A user of the sample. */
const JOHN = '{"user":"john","pass":"doe"}';

/** The answer of a login. */
interface Pair {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly exp: number;
}

function payload(token: string): JsonObject {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

function header(token: string): JsonObject {
  return JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());
}

describe.each(frameworks)('%s', (framework) => {
  let issuer: TestIssuer;
  let service: DemoService;
  let url: string;
  let alice: string;

  beforeAll(async () => {
    issuer = await createIssuer();
    service = await startService(framework, issuer);
    url = service.url;
    alice = await issuer.mint({ sub: 'alice', scope: 'friends:read messages:write' });
  });

  afterAll(async () => {
    const exitCode = await service.stop();
    await issuer.close();
    expect(exitCode, 'exit code after SIGTERM').toBe(0);
  });

  const get = (path: string, token?: string) =>
    fetch(`${url}${path}`, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });

  const post = (body: string, token = alice) =>
    fetch(`${url}/messages`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body,
    });

  const send = (path: string, body?: string, headers: Readonly<Record<string, string>> = {}) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      body: body ?? null,
    });

  const logIn = async () => (await (await send('/token', JOHN)).json()) as Pair;

  const refresh = (refreshToken: unknown) =>
    send('/token/refresh', JSON.stringify({ refresh_token: refreshToken }));

  const publishedKeys = async () =>
    (await (await get('/.well-known/jwks.json')).json()) as { keys: JsonObject[] };

  const friendTokenFor = async (token: string, name: string): Promise<string> => {
    const { friends } = (await (await get('/friends', token)).json()) as {
      friends: { name: string; friendToken: string }[];
    };
    return friends.find((friend) => friend.name === name)?.friendToken ?? '';
  };

  it('no forged request is let in', async () => {
    const dpop = { mode: 'allowed', publicUrl: issuer.audience, algorithms: ['ES256'] } as const;
    const report = await attack({
      target: url,
      routes: [{ path: '/friends', requires: { scope: 'friends:read' } }],
      options: { ...issuer.options, dpop },
      issuer,
      publicPaths: ['/health'],
    });
    report.assertSafe();
  });

  describe('AK-3: friends and messages', () => {
    it('AK-3: a friend token lets its caller write to that friend', async () => {
      const response = await post(
        JSON.stringify({ friendToken: await friendTokenFor(alice, 'carol'), text: 'Hi' }),
      );
      expect(response.status).toBe(201);
      expect(await response.json()).toEqual({ to: 'carol', from: 'alice', text: 'Hi' });
    });

    it("AK-3: a friend's token used by someone else is a 403", async () => {
      const mallory = await issuer.mint({ sub: 'mallory', scope: 'messages:write' });
      const body = JSON.stringify({ friendToken: await friendTokenFor(alice, 'bob'), text: 'Hi' });
      const response = await post(body, mallory);
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ code: 'claims_insufficient' });
    });

    it('T-046: a friend token is not an access token', async () => {
      const response = await get('/friends', await friendTokenFor(alice, 'bob'));
      expect(response.status).toBe(401);
    });

    it('T-046: an access token is not a friend token', async () => {
      const response = await post(JSON.stringify({ friendToken: alice, text: 'Hi' }));
      expect(response.status).toBe(401);
    });

    it('AK-3: a token without a subject has no friends', async () => {
      const response = await get('/friends', await issuer.mint({ sub: undefined, scope: 'friends:read' }));
      expect(response.status).toBe(403);
    });

    it('AK-7: it publishes its own public key and no private member', async () => {
      const response = await get('/.well-known/jwks.json');
      const { keys } = (await response.json()) as { keys: object[] };
      expect(keys).toHaveLength(1);
      expect(Object.keys(keys[0] ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    });
  });

  describe('bad input', () => {
    it.each([
      ['not JSON', '{"friendToken":', 400],
      ['not an object', '"text"', 400],
      ['null', 'null', 400],
      ['a number for the token', '{"friendToken":5,"text":"Hi"}', 400],
      ['no text', '{"friendToken":"a.b.c"}', 400],
      ['an empty text', '{"friendToken":"a.b.c","text":""}', 400],
      ['a long text', JSON.stringify({ friendToken: 'a.b.c', text: 'x'.repeat(1001) }), 400],
      ['a body over the limit', JSON.stringify({ friendToken: 'x'.repeat(20_000), text: 'Hi' }), 413],
      ['a malformed friend token', '{"friendToken":"a.b.c","text":"Hi"}', 401],
    ])('%s', async (_name, body, status) => {
      const response = await post(body);
      expect(response.status).toBe(status);
      const answer = (await response.json()) as { message: string };
      expect(answer.message).toMatch(/^[A-Z]/);
      expect(JSON.stringify(answer)).not.toContain('a.b.c');
    });

    it('T-084: the service does not read the body of an unauthenticated request', async () => {
      const response = await post('{"friendToken":', 'x.y.z');
      expect(response.status).toBe(401);
    });

    it('a refusal is JSON with the challenge of the error', async () => {
      const response = await get('/admin', alice);
      expect(response.status).toBe(403);
      expect(response.headers.get('www-authenticate')).toContain('Bearer');
      expect(await response.json()).toMatchObject({
        code: 'claims_insufficient',
        message: 'The token lacks a claim that this request needs',
      });
    });
  });

  describe('KD-3: a login that answers with signed tokens', () => {
    it('KD-5: each of the two fields is one compact token, in place', async () => {
      const response = await send('/token', JOHN);
      expect(response.status).toBe(200);
      const answer = (await response.json()) as Pair;
      expect(Object.keys(answer).sort()).toEqual(['access_token', 'exp', 'refresh_token']);
      for (const token of [answer.access_token, answer.refresh_token])
        expect(token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    });

    it('KD-4: the other fields are unchanged', async () => {
      const { access_token, exp } = await logIn();
      expect(exp).toBeTypeOf('number');
      expect(payload(access_token).exp).toBe(exp);
    });

    it('KD-18: the claims are those of the login, with iat and jti', async () => {
      const { access_token, refresh_token } = await logIn();
      expect(payload(access_token)).toMatchObject({
        iss: LOGIN,
        aud: issuer.audience,
        sub: 'john',
        roles: ['role_a', 'role_b'],
        iat: expect.any(Number),
        jti: expect.any(String),
      });
      expect(payload(refresh_token)).toMatchObject({ iss: LOGIN, aud: REFRESH, sub: 'john' });
    });

    it('RFC 6749 §5.1: the answer is not cached and has one content type', async () => {
      const { headers } = await send('/token', JOHN);
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('pragma')).toBe('no-cache');
      expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    });

    it('jose verifies both by the published keys', async () => {
      const { access_token, refresh_token } = await logIn();
      const keys = createRemoteJWKSet(new URL(`${url}/.well-known/jwks.json`));
      const access = await jwtVerify(access_token, keys, {
        issuer: LOGIN,
        audience: issuer.audience,
        algorithms: ['ES256'],
        typ: 'JWT',
        requiredClaims: ['exp', 'iat', 'jti', 'sub'],
      });
      expect(access.payload.sub).toBe('john');
      const { payload: claims } = await jwtVerify(refresh_token, keys, { issuer: LOGIN, audience: REFRESH });
      expect(claims.sub).toBe('john');
      await expect(jwtVerify(refresh_token, keys, { audience: issuer.audience })).rejects.toThrow('"aud"');
    });

    it('another service with @latchkey/core verifies both by the published keys', async () => {
      const { access_token, refresh_token } = await logIn();
      const trusting = (audience: string) =>
        createAuthenticator({
          keySets: [{ issuer: LOGIN, jwksUrl: `${url}/.well-known/jwks.json`, allowHttp: true }],
          audience,
        });
      const [access, refreshing] = [trusting(issuer.audience), trusting(REFRESH)];
      expect((await access.verify(access_token, { roles: ['role_a', 'role_b'] })).subject).toBe('john');
      expect((await refreshing.verify(refresh_token)).subject).toBe('john');
      await expect(access.verify(refresh_token)).rejects.toMatchObject({ code: 'token_audience_mismatch' });
      await Promise.all([access.close(), refreshing.close()]);
    });

    it('a bad bearer token in addition to the password does not matter', async () => {
      expect((await send('/token', JOHN, { authorization: 'Bearer x.y.z' })).status).toBe(200);
    });

    it.each([
      ['a wrong password', '{"user":"john","pass":"dove"}', 401],
      ['a prefix of the password', '{"user":"john","pass":"do"}', 401],
      ['a password that is not a string', '{"user":"john","pass":["doe"]}', 401],
      ['no password', '{"user":"john"}', 401],
      ['an unknown user', '{"user":"jane","pass":"doe"}', 401],
      ['a user that is not a string', '{"user":["john"],"pass":"doe"}', 401],
      ['a user with the name of an inherited property', '{"user":"constructor","pass":"doe"}', 401],
      ['an empty object', '{}', 401],
      ['a list', '[{"user":"john","pass":"doe"}]', 401],
      ['no body', undefined, 401],
      ['not JSON', '{"user":"john","pass":', 400],
      ['a body over the limit', JSON.stringify({ user: 'john', pass: 'doe', more: 'x'.repeat(20_000) }), 413],
    ])('%s gets no token', async (_name, body, status) => {
      const response = await send('/token', body);
      expect(response.status).toBe(status);
      const text = await response.text();
      expect(JSON.parse(text)).toMatchObject({ message: expect.stringMatching(/^[A-Z]/) });
      expect(text).not.toMatch(/token"|john|doe|eyJ/);
    });

    it('a body without the content type of JSON is not read', async () => {
      expect((await send('/token', JOHN, { 'content-type': 'text/plain' })).status).toBe(401);
    });
  });

  describe('KD-3: the routes that tokens of a login open', () => {
    it('the access token opens the routes of its scope', async () => {
      const { access_token } = await logIn();
      const response = await get('/friends', access_token);
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ friends: [{ name: 'alice' }] });
      expect((await get('/admin', access_token)).status).toBe(403);
    });

    it('AK-3: a friend token for it does not work for the same sub of the provider', async () => {
      const { access_token } = await logIn();
      const friendToken = await friendTokenFor(access_token, 'alice');
      const body = JSON.stringify({ friendToken, text: 'Hi' });
      expect((await post(body, access_token)).status).toBe(201);
      const namesake = await issuer.mint({ sub: 'john', scope: 'messages:write' });
      expect((await post(body, namesake)).status).toBe(403);
    });

    it('the refresh token opens nothing', async () => {
      const { refresh_token } = await logIn();
      for (const path of ['/friends', '/admin']) {
        const response = await get(path, refresh_token);
        expect(response.status).toBe(401);
        expect(response.headers.get('www-authenticate')).toContain('error="invalid_token"');
      }
    });

    it('the refresh token gets a new pair, and each token has its own jti', async () => {
      const first = await logIn();
      const response = await refresh(first.refresh_token);
      expect(response.status).toBe(200);
      expect(response.headers.get('cache-control')).toBe('no-store');
      expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
      const second = (await response.json()) as Pair;
      expect(Object.keys(second).sort()).toEqual(['access_token', 'exp', 'refresh_token']);
      const tokens = [first, second].flatMap(({ access_token, refresh_token }) => [
        access_token,
        refresh_token,
      ]);
      expect(new Set(tokens.map((token) => payload(token).jti)).size).toBe(4);
      expect((await get('/friends', second.access_token)).status).toBe(200);
      expect((await refresh(second.refresh_token)).status).toBe(200);
    });

    it('the access token does not refresh', async () => {
      const { access_token } = await logIn();
      expect((await refresh(access_token)).status).toBe(401);
    });

    it('tokens that the login did not issue do not refresh', async () => {
      for (const token of [
        alice,
        await issuer.mint({ aud: REFRESH }),
        await issuer.mint({ iss: LOGIN, aud: REFRESH }),
        await friendTokenFor(alice, 'bob'),
      ])
        expect((await refresh(token)).status).toBe(401);
    });

    it('a forged refresh token is a 401', async () => {
      const { refresh_token } = await logIn();
      const [head, , signature] = refresh_token.split('.');
      const claims = payload(refresh_token);
      const stranger = await generateSigningKey('ES256', String(header(refresh_token).kid));
      const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'alice' })).toString('base64url');
      for (const forged of [
        `${head}.${changed}.${signature}`,
        await mint(stranger, claims),
        forge({ header: { alg: 'none', typ: 'JWT' }, payload: claims }),
        `${refresh_token.slice(0, refresh_token.lastIndexOf('.'))}.`,
      ]) {
        const response = await refresh(forged);
        expect(response.status).toBe(401);
        expect(await response.text()).not.toContain(changed);
      }
    });

    it.each([
      ['an empty text', '{"refresh_token":""}', 401],
      ['a number', '{"refresh_token":5}', 401],
      ['an object', '{"refresh_token":{"sub":"john"}}', 401],
      ['null', '{"refresh_token":null}', 401],
      ['an empty object', '{}', 401],
      ['no body', undefined, 401],
      ['not JSON', '{"refresh_token":', 400],
      ['a body over the limit', JSON.stringify({ refresh_token: 'x'.repeat(20_000) }), 413],
    ])('%s does not refresh', async (_name, body, status) => {
      const response = await send('/token/refresh', body);
      expect(response.status).toBe(status);
      expect(await response.json()).toMatchObject({ message: expect.stringMatching(/^[A-Z]/) });
    });
  });

  describe('AK-7: the published keys', () => {
    it('RFC 7517 §8.5.2: have the content type of a JWK Set and may be cached', async () => {
      const { status, headers } = await get('/.well-known/jwks.json');
      expect(status).toBe(200);
      // Some frameworks add a charset, which JSON does not need.
      expect(headers.get('content-type')).toMatch(/^application\/jwk-set\+json(?:; charset=utf-8)?$/);
      expect(headers.get('cache-control')).toMatch(/^public, max-age=[1-9]\d*$/);
    });

    it('T-046: have no private member, and include the signing key', async () => {
      const { keys } = await publishedKeys();
      const { access_token } = await logIn();
      expect(keys.map(({ kid }) => kid)).toEqual([header(access_token).kid]);
      for (const key of keys) {
        expect(key).toMatchObject({ alg: 'ES256', use: 'sig' });
        for (const name of ['d', 'k', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'priv'])
          expect(key).not.toHaveProperty(name);
      }
    });

    it('are public, even with a bad bearer token', async () => {
      expect((await get('/.well-known/jwks.json', 'x.y.z')).status).toBe(200);
    });
  });
});
