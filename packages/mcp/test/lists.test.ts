// filterLists on servers of both versions of the SDK, read by both clients: a caller sees in lists
// what it may use.
import { authenticate } from '@latchkey/express';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createMcpHandler, ResourceTemplate } from '@modelcontextprotocol/server';
import express, { type Response as Answer, type Request } from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, type FilterOptions, filterLists, scopeChallenge, withAuthInfo } from '../src/index.ts';
import { connect, listen, makeV1, makeV2, message, post } from './servers.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

const challenge = scopeChallenge({
  tools: { add: { scope: 'calc:read' }, wipe: { scope: 'calc:write', roles: ['admin'] } },
  resources: { 'notes://diary/*': { scope: 'notes:read' } },
  prompts: { plan: { scope: 'prompts' } },
});

const serve = {
  async v1(options: FilterOptions, request: Request, response: Answer) {
    const server = filterLists(makeV1(), challenge, options);
    const transport = new StreamableHTTPServerTransport();
    // Its types do not fit exactOptionalPropertyTypes.
    await server.connect(transport as never);
    await transport.handleRequest(withAuthInfo(request), response, request.body);
  },
  async v2(options: FilterOptions, request: Request, response: Answer) {
    const server = filterLists(makeV2(), challenge, options);
    const transport = new NodeStreamableHTTPServerTransport();
    await server.connect(transport);
    await transport.handleRequest(withAuthInfo(request), response, request.body);
  },
  async handler(options: FilterOptions, request: Request, response: Answer) {
    const handler = toNodeHandler(createMcpHandler(() => filterLists(makeV2(), challenge, options)));
    await handler(withAuthInfo(request), response, request.body);
  },
};

async function start(server: keyof typeof serve, options: FilterOptions = {}) {
  const service = await listen(issuer);
  const { app, authenticator } = service;
  app.use('/mcp', authenticate(authenticator, { mode: 'optional' }), express.json());
  app.use('/mcp', (request, response) => serve[server](options, request, response));
  return service;
}

const kinds = ['v1', 'v2', 'handler'] as const;
const clients = ['v1', 'v2'] as const;
const pairs = kinds.flatMap((server) => clients.map((client) => [server, client] as const));

describe.each(pairs)('a server of %s and the client of %s', (server, client) => {
  const names = async (url: string, token: string | undefined) => {
    const connected = await connect[client](url, token);
    const [{ tools }, { resources }, { prompts }] = await Promise.all([
      connected.listTools(),
      connected.listResources(),
      connected.listPrompts(),
    ]);
    return [tools.map(({ name }) => name), resources.map(({ uri }) => uri), prompts.map(({ name }) => name)];
  };

  it('list what the caller may use', async () => {
    const { url } = await start(server);
    const claims = { aud: url, sub: 'alice' };
    expect(await names(url, await issuer.mint(claims))).toEqual([['whoami'], [], []]);
    expect(await names(url, undefined)).toEqual([['whoami'], [], []]);
    const reader = await issuer.mint({ ...claims, scope: 'calc:read calc:write notes:read' });
    expect(await names(url, reader)).toEqual([['add', 'whoami'], ['notes://diary/today'], []]);
    const admin = await issuer.mint({ ...claims, scope: 'calc:write prompts', roles: ['admin'] });
    expect(await names(url, admin)).toEqual([['wipe', 'whoami'], [], ['plan']]);
  });

  it('list with stepUp also what lacks only scopes', async () => {
    const { url } = await start(server, { stepUp: true });
    const [tools, resources, prompts] = await names(url, await issuer.mint({ aud: url, sub: 'alice' }));
    expect(tools).toEqual(['add', 'whoami']);
    expect([resources, prompts]).toEqual([['notes://diary/today'], ['plan']]);
  });
});

describe('filterLists', () => {
  it('filters every answer of a batch, also with one id for two lists', async () => {
    const { url } = await start('v1');
    const token = await issuer.mint({ aud: url, sub: 'alice' });
    const answer = await post(url, token, [message('tools/list', {}, 1), message('tools/list', {}, 2)]);
    const text = await answer.text();
    expect(text.match(/whoami/g)).toHaveLength(2);
    expect(text).not.toMatch(/"add"|"wipe"/);
    const twice = await post(url, token, [message('tools/list', {}, 1), message('tools/list', {}, 1)]);
    expect(await twice.text()).not.toMatch(/"add"|"wipe"/);
  });

  it('filters templates of resources, and keeps the list out of shared caches', async () => {
    const { app, url, authenticator } = await listen(issuer);
    const make = () => {
      const server = makeV2();
      const template = new ResourceTemplate('notes://diary/{day}', { list: undefined });
      server.registerResource('days', template, {}, (uri) => ({ contents: [{ uri: uri.href, text: '' }] }));
      return filterLists(server, challenge);
    };
    app.use('/mcp', authenticate(authenticator), express.json());
    const handler = toNodeHandler(createMcpHandler(make));
    app.post('/mcp', (request, response) => handler(withAuthInfo(request), response, request.body));
    const token = await issuer.mint({ aud: url, sub: 'alice' });
    const call = message('resources/templates/list');
    expect(await (await post(url, token, call)).text()).toContain('"resourceTemplates":[]');
    const reader = await issuer.mint({ aud: url, sub: 'alice', scope: 'notes:read' });
    expect(await (await post(url, reader, call)).text()).toContain('notes://diary/{day}');
  });

  it('makes a list that every cache may keep a private one', async () => {
    const sent: unknown[] = [];
    const transport = {
      onmessage: undefined as ((message: object) => void) | undefined,
      send: async (answer: object) => void sent.push(answer),
    };
    const connected: unknown[] = [];
    const server = filterLists({ connect: async (given: object) => void connected.push(given) }, challenge);
    await server.connect(transport as never);
    expect(connected).toEqual([transport]);
    transport.onmessage?.({ id: 1, method: 'tools/list' });
    await transport.send({ id: 1, result: { tools: [{ name: 'wipe' }], cacheScope: 'public' } });
    // What is not the answer to a list stays as it is.
    const other = { id: 1, result: { tools: [{ name: 'wipe' }] } };
    await transport.send(other);
    expect(sent).toEqual([{ id: 1, result: { tools: [], cacheScope: 'private' } }, other]);
  });

  it.each<[title: string, options: object]>([
    ['an unknown option', { hide: true }],
    ['undefined', { stepUp: undefined }],
    ['a text', { stepUp: 'yes' }],
  ])('refuses %s', (_, options) => {
    expect(() => filterLists(makeV2(), challenge, options as never)).toThrow(ConfigError);
  });
});
