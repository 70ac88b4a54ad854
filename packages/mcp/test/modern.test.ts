// The revision 2026-07-28 of the protocol, without sessions, by the client of v2: what the quick
// start of the README does, and lists.
import { authenticate, publishResource } from '@latchkey/express';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler } from '@modelcontextprotocol/server';
import express from 'express';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { filterLists, scopeChallenge, withAuthInfo } from '../src/index.ts';
import { listen, makeV2, whenDone } from './servers.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

async function connectModern(url: string, token: string): Promise<Client> {
  const versionNegotiation = { mode: { pin: '2026-07-28' } };
  const client = new Client({ name: 'test', version: '1.0.0' }, { versionNegotiation });
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  whenDone(() => client.close());
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  return client;
}

it('is judged, and lists are filtered and private', async () => {
  const { app, url, authenticator } = await listen(issuer);
  const challenge = scopeChallenge({
    tools: { wipe: { scope: 'calc:write' }, '*': { scope: 'calc:read' } },
    resources: { 'notes://*': { scope: 'notes:read' } },
  });
  const make = () => filterLists(makeV2(), challenge);
  const handler = toNodeHandler(createMcpHandler(make, { legacy: 'reject' }));
  app.use(publishResource(authenticator));
  app.use('/mcp', authenticate(authenticator), express.json(), challenge);
  app.post('/mcp', (request, response) => handler(withAuthInfo(request), response, request.body));
  const client = await connectModern(url, await issuer.mint({ aud: url, sub: 'alice', scope: 'calc:read' }));
  expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28');
  expect(await client.callTool({ name: 'whoami' })).toMatchObject({ content: [{ text: 'alice' }] });
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['add', 'whoami']);
  expect((await client.listResources()).resources).toEqual([]);
  await expect(client.callTool({ name: 'wipe' })).rejects.toThrow('calc:write');
  await expect(client.readResource({ uri: 'notes://diary/today' })).rejects.toThrow('notes:read');
});
