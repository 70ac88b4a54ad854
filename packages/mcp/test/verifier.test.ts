// tokenVerifier behind requireBearerAuth of both versions of the SDK: what it accepts, and the
// answer of the SDK to each refusal.
import { createAuthenticator } from '@latchkey/core';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { OAuthError, requireBearerAuth as webGuard } from '@modelcontextprotocol/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, tokenVerifier } from '../src/index.ts';
import { type GuardOptions, guards } from './guards.ts';
import { connect, listen, post, stateless, whenDone } from './servers.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

describe.each(['v1', 'v2'] as const)('requireBearerAuth of %s', (version) => {
  async function start(options: Pick<GuardOptions, 'requiredScopes'> & { expectsResource?: true } = {}) {
    const { expectsResource, ...rest } = options;
    const service = await listen(issuer);
    const { url, app, authenticator } = service;
    const resourceMetadataUrl = authenticator.resources?.[0]?.metadataUrl ?? '';
    const expected = expectsResource === undefined ? {} : { expectedResource: new URL(url) };
    const verifier = tokenVerifier(authenticator);
    app.use('/mcp', guards[version]({ verifier, resourceMetadataUrl, ...expected, ...rest }));
    app.post('/mcp', (request, response) => stateless[version](request, response, undefined));
    return service;
  }

  it.each(['v1', 'v2'] as const)('lets the client of %s call tools as its principal', async (client) => {
    const { url } = await start({ expectsResource: true });
    const connected = await connect[client](url, await issuer.mint({ aud: url, sub: 'alice' }));
    expect(await connected.callTool({ name: 'whoami' })).toMatchObject({ content: [{ text: 'alice' }] });
  });

  it('answers 401 with constant texts to every bad token', async () => {
    const { url } = await start();
    const secret = 'not-to-be-seen';
    const tokens = [
      await issuer.mint({ aud: 'https://other.example', sub: secret }),
      await issuer.mint({ aud: url, sub: secret, exp: 1 }),
      `${await issuer.mint({ aud: url, sub: secret })}x`,
      secret,
    ];
    for (const token of tokens) {
      const answer = await post(url, token, {});
      const challenge = answer.headers.get('www-authenticate') ?? '';
      const body = await answer.text();
      expect(answer.status).toBe(401);
      expect(challenge).toMatch(
        /^Bearer error="invalid_token", error_description="The token [\w ]+", resource_metadata="[^"]+"$/,
      );
      expect(JSON.parse(body)).toMatchObject({ error: 'invalid_token' });
      expect(`${challenge}${body}`).not.toContain(secret);
      expect(`${challenge}${body}`).not.toContain(token);
    }
    expect((await post(url, undefined, {})).status).toBe(401);
  });

  it('lets the SDK require scopes', async () => {
    const { url } = await start({ requiredScopes: ['mcp'] });
    const answer = await post(url, await issuer.mint({ aud: url, sub: 'alice', scope: 'other' }), {});
    expect(answer.status).toBe(403);
    expect(answer.headers.get('www-authenticate')).toContain('scope="mcp"');
  });

  it('is answered with 500 where keys cannot be read, and never with 200 or 401', async () => {
    const { app, url } = await listen(issuer);
    const dead = createAuthenticator({
      keySets: [{ issuer: issuer.issuer, jwksUrl: 'http://127.0.0.1:1/jwks', allowHttp: true }],
      audience: null,
    });
    whenDone(() => dead.close());
    app.use('/mcp', guards[version]({ verifier: tokenVerifier(dead) }));
    const answer = await post(url, await issuer.mint({ sub: 'alice' }), {});
    expect(answer.status).toBe(500);
    expect(await answer.json()).toMatchObject({ error: 'server_error' });
  });

  it('has the SDK refuse a token that never expires', async () => {
    const { app, url, authenticator } = await listen(issuer, { requireExp: false });
    app.use('/mcp', guards[version]({ verifier: tokenVerifier(authenticator) }));
    const answer = await post(url, await issuer.mint({ aud: url, sub: 'alice', exp: undefined }), {});
    expect(answer.status).toBe(401);
    expect(await answer.json()).toMatchObject({ error_description: 'Token has no expiration time' });
  });
});

describe('tokenVerifier', () => {
  it('throws an error of both versions at once', async () => {
    const { authenticator } = await listen(issuer);
    const error: unknown = await tokenVerifier(authenticator)
      .verifyAccessToken('x')
      .catch((thrown) => thrown);
    expect(error).toBeInstanceOf(InvalidTokenError);
    expect(error).toBeInstanceOf(OAuthError);
    expect(error).toMatchObject({ code: 'invalid_token', cause: { code: 'token_malformed' } });
  });

  it('takes the class of a bundled SDK', async () => {
    class Bundled extends Error {}
    const { authenticator } = await listen(issuer);
    const verifier = tokenVerifier(authenticator, { InvalidTokenError: Bundled });
    await expect(verifier.verifyAccessToken('x')).rejects.toBeInstanceOf(Bundled);
  });

  it('guards web-standard requests of v2', async () => {
    const { authenticator, url } = await listen(issuer);
    const guard = webGuard({ verifier: tokenVerifier(authenticator) });
    const ask = (token: string) => guard(new Request(url, { headers: { authorization: `Bearer ${token}` } }));
    expect(await ask(await issuer.mint({ aud: url, sub: 'alice' }))).toMatchObject({
      extra: { principal: { subject: 'alice' } },
    });
    expect(await ask('x')).toMatchObject({ status: 401 });
  });

  it.each<[title: string, build: () => unknown]>([
    ['no authenticator', () => tokenVerifier(undefined as never)],
    ['options of one', () => tokenVerifier({ keySets: [] } as never)],
    ['an unknown option', () => tokenVerifier({ verify: () => {} } as never, { errors: 1 } as never)],
    [
      'undefined',
      () => tokenVerifier({ verify: () => {} } as never, { InvalidTokenError: undefined } as never),
    ],
    ['no class', () => tokenVerifier({ verify: () => {} } as never, { InvalidTokenError: 'x' } as never)],
  ])('refuses %s', (_, build) => {
    expect(build).toThrow(ConfigError);
  });
});
