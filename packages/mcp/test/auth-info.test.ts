// authInfoOf, principalOf and withAuthInfo: the principal as the SDK takes it, and back, and what
// happens to `req.auth`.

import type { IncomingMessage } from 'node:http';
import { authenticate, requireClaims } from '@latchkey/express';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { createMcpHandler } from '@modelcontextprotocol/server';
import express from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authInfoOf, authorize, ConfigError, principalOf, withAuthInfo } from '../src/index.ts';
import { connect, listen, makeV2, message, post, stateless } from './servers.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

const exp = 4_000_000_000;

describe('authInfoOf', () => {
  it('has what the SDK wants of a principal', async () => {
    const { authenticator, url } = await listen(issuer);
    const token = await issuer.mint({ aud: ['x', url], sub: 'alice', client_id: 'app', scope: 'a b', exp });
    const principal = await authenticator.verify(token);
    const authInfo = authInfoOf(principal);
    const resourceMetadataUrl = authenticator.resources?.[0]?.metadataUrl;
    expect(authInfo).toEqual({
      ...{ token, clientId: 'app', scopes: ['a', 'b'], expiresAt: exp, resource: new URL(url) },
      ...{ resourceMetadataUrl, extra: { principal } },
    });
    // The SDK's types are mutable; the principal is not.
    authInfo.scopes.push('c');
    expect(principal.scopes).toEqual(['a', 'b']);
    expect(authInfoOf(principal, 'another').token).toBe('another');
  });

  it('leaves out what the token does not have', async () => {
    const { authenticator } = await listen(issuer, { audience: ['files'], requireExp: false });
    const principal = await authenticator.verify(await issuer.mint({ aud: 'files', exp: undefined }));
    const authInfo = authInfoOf(principal);
    expect(authInfo).toMatchObject({ clientId: '', scopes: [] });
    expect(Object.keys(authInfo).sort()).toEqual([
      ...['clientId', 'extra', 'resourceMetadataUrl', 'scopes', 'token'],
    ]);
  });

  it('takes no copy of a principal', async () => {
    const { authenticator, url } = await listen(issuer);
    const principal = await authenticator.verify(await issuer.mint({ aud: url, sub: 'alice' }));
    expect(() => authInfoOf({ ...principal }, 'token')).toThrow(ConfigError);
  });
});

describe('principalOf', () => {
  it('finds the principal again, and judges it', async () => {
    const { authenticator, url } = await listen(issuer);
    const principal = await authenticator.verify(await issuer.mint({ aud: url, sub: 'alice', scope: 'a' }));
    const authInfo = authInfoOf(principal);
    expect(principalOf(authInfo)).toBe(principal);
    // As v2 copies it.
    const copy = { ...authInfo, resourceMetadataUrl: 'x' };
    expect(principalOf(copy)).toBe(principal);
    expect(principalOf(principal)).toBe(principal);
    expect(principalOf(undefined)).toBeUndefined();
    expect(() => authorize(principalOf(authInfo), { scope: 'b' })).toThrow('lacks a scope');
  });

  it.each<[title: string, authInfo: object]>([
    ['no extra', { token: 't' }],
    ['something like a principal', { token: 't', extra: { principal: { subject: 'alice', scopes: ['a'] } } }],
    ['an inherited one', { token: 't', extra: Object.create({ principal: {} }) }],
    ['a list', []],
  ])('takes no AuthInfo with %s', (_, authInfo) => {
    expect(() => principalOf(authInfo as never)).toThrow(ConfigError);
  });
});

describe.each(['v1', 'v2'] as const)('withAuthInfo before the transport of %s', (version) => {
  async function start(mode: 'strict' | 'optional' = 'strict') {
    const service = await listen(issuer);
    const { app, authenticator } = service;
    app.use('/mcp', authenticate(authenticator, { mode }), express.json());
    app.post('/mcp', (request, response) =>
      stateless[version](withAuthInfo(request), response, request.body),
    );
    return service;
  }

  it.each(['v1', 'v2'] as const)('lets tools see the principal, called by %s', async (client) => {
    const { url } = await start();
    const connected = await connect[client](url, await issuer.mint({ aud: url, sub: 'alice' }));
    expect(await connected.callTool({ name: 'whoami' })).toMatchObject({ content: [{ text: 'alice' }] });
  });

  it('passes an anonymous caller on as anonymous', async () => {
    const { url } = await start('optional');
    const connected = await connect[version](url, undefined);
    expect(await connected.callTool({ name: 'whoami' })).toMatchObject({ content: [{ text: 'anonymous' }] });
  });
});

describe('withAuthInfo', () => {
  it('is refused before authenticate', async () => {
    const { app, url } = await listen(issuer);
    const faults: unknown[] = [];
    app.post('/mcp', (request, response) => {
      try {
        withAuthInfo(request);
      } catch (error) {
        faults.push(error);
      }
      response.end();
    });
    await post(url, undefined, {});
    expect(faults).toEqual([expect.any(ConfigError)]);
    expect(String(faults[0])).toContain('register authenticate first');
  });

  it('leaves nothing that requireClaims takes for a principal', async () => {
    const { app, url, authenticator } = await listen(issuer);
    const faults: unknown[] = [];
    app.use('/mcp', authenticate(authenticator), (request, _response, next) => {
      expect(withAuthInfo(request)).toBe(request);
      // Twice is the same.
      expect(principalOf(withAuthInfo(request).auth)?.subject).toBe('alice');
      next();
    });
    app.use('/mcp', requireClaims({ scope: 'a' }), (_request, response) => void response.end());
    app.use(((error, _request, response, _next) => {
      faults.push(error);
      response.status(500).end();
    }) as express.ErrorRequestHandler);
    const token = await issuer.mint({ aud: url, sub: 'alice', scope: 'a' });
    expect((await post(url, token, {})).status).toBe(500);
    expect(faults).toEqual([expect.any(TypeError)]);
  });

  it('takes the principal of another framework', async () => {
    const { authenticator, url } = await listen(issuer);
    const principal = await authenticator.verify(await issuer.mint({ aud: url, sub: 'alice' }));
    const raw = { auth: 'of another middleware' } as unknown as IncomingMessage;
    expect(withAuthInfo(raw, principal).auth).toMatchObject({ extra: { principal } });
    expect('auth' in withAuthInfo(raw, undefined)).toBe(false);
  });
});

it('the web-standard handler of v2 takes the AuthInfo', async () => {
  const { authenticator, url } = await listen(issuer);
  const token = await issuer.mint({ aud: url, sub: 'alice' });
  const handler = createMcpHandler(makeV2);
  const request = new Request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify(message('tools/call', { name: 'whoami' })),
  });
  const answer = await handler.fetch(request, { authInfo: authInfoOf(await authenticator.verify(token)) });
  expect(await answer.text()).toContain('"text":"alice"');
  await handler.close();
});
