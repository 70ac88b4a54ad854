// scopeChallenge before the transports of both versions of the SDK, with both clients: who may use
// which tool, resource and prompt, and the challenge by which a client asks for more.
import { type Authenticator, allOf, fromRequest } from '@latchkey/core';
import { authenticate, type RouteAccess } from '@latchkey/express';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { extractWWWAuthenticateParams } from '@modelcontextprotocol/client';
import express, { type ErrorRequestHandler } from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, type OperationRules, scopeChallenge, withAuthInfo } from '../src/index.ts';
import { connect, listen, message, post, stateless } from './servers.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

const rules: OperationRules = {
  tools: {
    add: { scope: 'calc:read' },
    wipe: { scope: ['calc:write', 'calc:admin'] },
    'debug_*': { roles: ['dev'] },
  },
  resources: { 'notes://diary/*': { scope: 'notes:read' } },
  prompts: { '*': { scope: 'prompts' } },
};

interface Settings {
  readonly version?: 'v1' | 'v2';
  readonly rules?: OperationRules;
  readonly access?: RouteAccess;
  readonly options?: object;
}

async function start({ version = 'v1', rules: asked = rules, access = {}, options = {} }: Settings = {}) {
  const service = await listen(issuer, options);
  const { app, authenticator } = service;
  app.use('/mcp', authenticate(authenticator, access), express.json(), scopeChallenge(asked));
  app.use('/mcp', (request, response) => stateless[version](withAuthInfo(request), response, request.body));
  return service;
}

const tokenFor = (url: string, claims: object = {}) => issuer.mint({ aud: url, sub: 'alice', ...claims });

describe.each(['v1', 'v2'] as const)('before %s', (version) => {
  it.each(['v1', 'v2'] as const)('the client of %s uses what its scopes allow', async (client) => {
    const { url } = await start({ version });
    const token = await tokenFor(url, { scope: 'calc:read notes:read prompts' });
    const connected = await connect[client](url, token);
    expect(await connected.callTool({ name: 'add' })).toMatchObject({ content: [{ text: '3' }] });
    expect(await connected.readResource({ uri: 'notes://diary/today' })).toMatchObject({
      contents: [{ text: 'secret' }],
    });
    expect(await connected.getPrompt({ name: 'plan' })).toMatchObject({ messages: [{ role: 'user' }] });
    expect((await connected.listTools()).tools).toHaveLength(3);
    await expect(connected.callTool({ name: 'wipe' })).rejects.toThrow(/lacks a scope|Insufficient scope/);
  });

  it('the challenge names all scopes of the operation, and the metadata', async () => {
    const { url } = await start({ version });
    const token = await tokenFor(url, { scope: 'calc:read calc:admin' });
    const refused = await post(url, token, message('tools/call', { name: 'wipe' }));
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ code: 'scope_insufficient', status: 403 });
    expect(extractWWWAuthenticateParams(refused)).toEqual({
      error: 'insufficient_scope',
      errorDescription: expect.any(String),
      scope: 'calc:write calc:admin',
      resourceMetadataUrl: new URL('/.well-known/oauth-protected-resource/mcp', url),
    });
  });
});

describe('what is judged', () => {
  const uses: readonly [method: string, params: object][] = [
    ['tools/call', { name: 'wipe' }],
    ['resources/read', { uri: 'notes://diary/today' }],
    ['resources/subscribe', { uri: 'notes://diary/today' }],
    ['resources/unsubscribe', { uri: 'notes://diary/today' }],
    ['prompts/get', { name: 'plan' }],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'plan' } }],
    ['completion/complete', { ref: { type: 'ref/resource', uri: 'notes://diary/{day}' } }],
    ['subscriptions/listen', { notifications: { resourceSubscriptions: ['x:y', 'notes://diary/today'] } }],
  ];
  it.each(uses)('%s %o', async (method, params) => {
    const { url } = await start();
    const token = await tokenFor(url);
    expect((await post(url, token, message(method, params))).status).toBe(403);
    // Also without an id, and in a batch.
    expect((await post(url, token, { jsonrpc: '2.0', method, params })).status).toBe(403);
    expect((await post(url, token, [message('ping'), message(method, params, 2)])).status).toBe(403);
  });

  it.each([
    'NOTES://diary/today',
    'notes://diary/./today',
    'notes://diary/x/../today',
    'notes://diary/%74oday',
    'notes://diary/today?x',
    'notes://diary/',
  ])('the resource %s, however it is spelled', async (uri) => {
    const { url } = await start();
    expect((await post(url, await tokenFor(url), message('resources/read', { uri }))).status).toBe(403);
  });

  // Handlers that read a file take only the path, with its escapes decoded.
  it.each(['a.txt?x', 'a.txt#x', '/a.txt', 'b%2F..%2Fa.txt', '%2Fa.txt', '%61.txt#%2F'])(
    'the resource file:///srv/%s is file:///srv/a.txt',
    async (end) => {
      const { permits } = scopeChallenge({
        resources: { 'file:///srv/a.txt': { scope: 'a' }, 'file:///srv/*': { sub: 'alice' } },
      });
      const { authenticator, url } = await listen(issuer);
      const principal = await authenticator.verify(await tokenFor(url));
      expect(permits(principal, { kind: 'resources', name: 'file:///srv/b.txt' })).toBe(true);
      expect(permits(principal, { kind: 'resources', name: `file:///srv/${end}` })).toBe(false);
    },
  );

  it('a rule for a URI with a query decides alone', async () => {
    const { permits } = scopeChallenge({
      resources: { 'find://all?x': { scope: 'a' }, 'find://*': { scope: 'b' } },
    });
    const { authenticator, url } = await listen(issuer);
    const principal = await authenticator.verify(await tokenFor(url, { scope: 'a' }));
    expect(permits(principal, { kind: 'resources', name: 'find://all?x' })).toBe(true);
    expect(permits(principal, { kind: 'resources', name: 'find://all?y' })).toBe(false);
  });

  it('an escape in a rule is the same as none in a request', async () => {
    const { url } = await start({ rules: { resources: { 'notes://%64iary/today': { scope: 'a' } } } });
    const body = message('resources/read', { uri: 'notes://diary/today' });
    expect((await post(url, await tokenFor(url), body)).status).toBe(403);
  });

  it.each<[title: string, body: unknown, status: number]>([
    ['a method without rules', message('tools/list'), 200],
    ['a tool without rules', message('tools/call', { name: 'whoami' }), 200],
    ['a name of every object', message('tools/call', { name: 'constructor' }), 200],
    ['an answer of the client', { jsonrpc: '2.0', id: 7, result: {} }, 202],
    ['a notification', { jsonrpc: '2.0', method: 'notifications/initialized' }, 202],
    ['another resource', message('resources/read', { uri: 'notes://other' }), 200],
  ])('%s passes', async (_, body, status) => {
    const { url } = await start();
    expect((await post(url, await tokenFor(url), body)).status).toBe(status);
  });
});

describe('a body that cannot be read', () => {
  it.each<[title: string, body: unknown]>([
    ['nothing of JSON-RPC', {}],
    ['a list in a list', [[message('ping')]]],
    [
      'a method that is not a text',
      { jsonrpc: '2.0', id: 1, method: ['tools/call'], params: { name: 'wipe' } },
    ],
    ['a tool that is not a text', message('tools/call', { name: ['wipe'] })],
    ['a tool without a name', message('tools/call')],
    ['parameters in a list', { jsonrpc: '2.0', id: 1, method: 'tools/call', params: ['wipe'] }],
    ['a resource without a URI', message('resources/read', { name: 'diary' })],
    ['a reference of another kind', message('completion/complete', { ref: { type: 'ref/tool', name: 'x' } })],
    [
      'subscriptions that are no list',
      message('subscriptions/listen', { notifications: { resourceSubscriptions: {} } }),
    ],
    ['one bad message in a batch', [message('ping'), 'tools/call']],
  ])('is a 400: %s', async (_, body) => {
    const { url } = await start();
    const answer = await post(url, await tokenFor(url), body);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({
      ...{ jsonrpc: '2.0', id: null },
      error: { code: -32_600, message: 'Invalid Request' },
    });
  });

  it('is a 415 if no parser takes it, and a 400 if it is empty', async () => {
    const { url } = await start();
    const token = await tokenFor(url);
    const call = JSON.stringify(message('tools/call', { name: 'wipe' }));
    expect((await post(url, token, call, { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await post(url, token, call, { 'content-type': 'application/json-rpc' })).status).toBe(415);
    expect((await post(url, token, '')).status).toBe(400);
  });

  it('is a fault of the service if it has no parser', async () => {
    const { app, url, authenticator } = await listen(issuer);
    const faults: unknown[] = [];
    app.use('/mcp', authenticate(authenticator), scopeChallenge(rules));
    app.use(((error, _request, response, _next) => {
      faults.push(error);
      response.status(500).end();
    }) as ErrorRequestHandler);
    expect((await post(url, await tokenFor(url), message('ping'))).status).toBe(500);
    expect(String(faults[0])).toContain('register express.json() before it');
  });
});

describe('the refusal', () => {
  it('of a batch names the scopes of all its messages once', async () => {
    const { url } = await start();
    const body = [
      message('tools/call', { name: 'add' }, 1),
      message('tools/call', { name: 'add' }, 2),
      message('prompts/get', { name: 'plan' }, 3),
    ];
    const refused = await post(url, await tokenFor(url), body);
    expect(extractWWWAuthenticateParams(refused).scope).toBe('calc:read prompts');
  });

  it('asks for no scope where a claim is missing', async () => {
    const { url } = await start();
    const body = [message('tools/call', { name: 'add' }, 1), message('tools/call', { name: 'debug_on' }, 2)];
    const refused = await post(url, await tokenFor(url), body);
    expect(refused.status).toBe(403);
    expect(refused.headers.get('www-authenticate')).not.toMatch(/error=|scope=/);
    const dev = await tokenFor(url, { roles: ['dev'] });
    expect((await post(url, dev, message('tools/call', { name: 'debug_on' }))).status).toBe(200);
  });

  it('of an anonymous caller is a 401 that names the scopes', async () => {
    const { url } = await start({ access: { mode: 'optional' } });
    const refused = await post(url, undefined, message('tools/call', { name: 'add' }));
    expect(refused.status).toBe(401);
    expect(extractWWWAuthenticateParams(refused)).toMatchObject({
      scope: 'calc:read',
      resourceMetadataUrl: expect.any(URL),
    });
    expect((await post(url, undefined, message('tools/list'))).status).toBe(200);
  });

  it('names no claim of the token', async () => {
    const { url } = await start();
    const token = await tokenFor(url, { sub: 'not-to-be-seen', scope: 'not:to:be:seen' });
    const refused = await post(url, token, message('tools/call', { name: 'wipe' }));
    const shown = `${JSON.stringify([...refused.headers])}${await refused.text()}`;
    expect(shown).not.toMatch(/not[-:]to/);
    expect(shown).not.toContain('wipe');
  });

  it('is told to onRefusal', async () => {
    const told: unknown[] = [];
    const onRefusal = (refusal: { readonly code: string }) => void told.push(refusal.code);
    const { url } = await start({ options: { onRefusal } });
    await post(url, await tokenFor(url), message('tools/call', { name: 'wipe' }));
    expect(told).toEqual(['scope_insufficient']);
  });

  it('counts scopes that others imply', async () => {
    const { url } = await start({ options: { scopes: { implies: { 'calc:all': ['calc:read'] } } } });
    const token = await tokenFor(url, { scope: 'calc:all' });
    expect((await post(url, token, message('tools/call', { name: 'add' }))).status).toBe(200);
  });
});

describe('other methods of HTTP', () => {
  it.each(['GET', 'DELETE'])('%s has no operation', async (method) => {
    const { url } = await start({ rules: { tools: { '*': { scope: 'never' } } } });
    const headers = { authorization: `Bearer ${await tokenFor(url)}`, accept: 'text/event-stream' };
    const abort = new AbortController();
    const answer = await fetch(url, { method, headers, signal: abort.signal });
    expect(answer.status).toBe(200);
    abort.abort();
  });

  it('any other is judged', async () => {
    const { url } = await start();
    const headers = { authorization: `Bearer ${await tokenFor(url)}`, 'content-type': 'application/json' };
    const body = JSON.stringify(message('tools/call', { name: 'wipe' }));
    expect((await fetch(url, { method: 'PATCH', headers, body })).status).toBe(403);
  });
});

describe('scopeChallenge elsewhere', () => {
  const principal = async (authenticator: Authenticator, url: string, scope: string) =>
    authenticator.verify(await tokenFor(url, { scope }));

  it('judges a body without a framework', async () => {
    const { authenticator, url } = await listen(issuer);
    const { judge } = scopeChallenge(rules);
    const caller = await principal(authenticator, url, 'calc:read');
    expect(judge(caller, message('tools/call', { name: 'add' }))).toBeUndefined();
    const refused = judge(caller, message('tools/call', { name: 'wipe' }));
    const answer = new Response(refused?.body, refused);
    expect(answer.status).toBe(403);
    expect(extractWWWAuthenticateParams(answer)).toMatchObject({ scope: 'calc:write calc:admin' });
    expect(judge(caller, undefined)).toMatchObject({ status: 400 });
    expect(judge(undefined, message('tools/call', { name: 'add' }))).toMatchObject({ status: 401 });
  });

  it('tells what a caller may use', async () => {
    const { authenticator, url } = await listen(issuer);
    const { permits } = scopeChallenge(rules);
    const caller = await principal(authenticator, url, 'calc:read');
    expect(permits(caller, { kind: 'tools', name: 'add' })).toBe(true);
    expect(permits(caller, { kind: 'tools', name: 'wipe' })).toBe(false);
    expect(permits(undefined, { kind: 'tools', name: 'add' })).toBe(false);
    expect(permits(undefined, { kind: 'tools', name: 'whoami' })).toBe(true);
  });

  it('takes the longest key that fits', async () => {
    const { authenticator, url } = await listen(issuer);
    const { permits } = scopeChallenge({
      tools: {
        '*': { scope: 'x' },
        'file_*': { scope: 'a' },
        'file_w*': { scope: 'b' },
        file_write: { scope: 'c' },
      },
    });
    const may = async (scope: string) => {
      const caller = await principal(authenticator, url, scope);
      return ['other', 'file_read', 'file_watch', 'file_write'].filter((name) =>
        permits(caller, { kind: 'tools', name }),
      );
    };
    expect(await may('x')).toEqual(['other']);
    expect(await may('a')).toEqual(['file_read']);
    expect(await may('b')).toEqual(['file_watch']);
    expect(await may('c')).toEqual(['file_write']);
  });

  it('compares a claim with the path', async () => {
    const { app, authenticator, url } = await listen(issuer);
    const challenge = scopeChallenge({ tools: { '*': { tenant: fromRequest('params.tenant') } } });
    app.post(
      '/mcp/:tenant',
      authenticate(authenticator),
      express.json(),
      challenge,
      (_request, response) => void response.end(),
    );
    const token = await tokenFor(url, { tenant: 'acme' });
    const call = message('tools/call', { name: 'add' });
    expect((await post(`${url}/acme`, token, call)).status).toBe(200);
    expect((await post(`${url}/other`, token, call)).status).toBe(403);
  });

  it.each<[title: string, build: () => unknown]>([
    ['nothing', () => scopeChallenge(undefined as never)],
    ['no rules', () => scopeChallenge({})],
    ['rules of no kind', () => scopeChallenge({ scope: 'a' } as never)],
    ['an unknown kind', () => scopeChallenge({ tool: { add: { scope: 'a' } } } as never)],
    ['a list', () => scopeChallenge({ tools: [] } as never)],
    ['undefined', () => scopeChallenge({ tools: undefined } as never)],
    ['undefined rules', () => scopeChallenge({ tools: { add: undefined } } as never)],
    ['a scope without a claim', () => scopeChallenge({ tools: { add: 'calc:read' } } as never)],
    ['a rule that never holds', () => scopeChallenge({ tools: { add: { scope: allOf() } } } as never)],
  ])('refuses %s', (_, build) => {
    expect(build).toThrow(ConfigError);
    expect(build).toThrow(/^scopeChallenge/);
  });
});
