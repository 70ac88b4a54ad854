// A session belongs to the caller that opened it: the token of another caller does not get it, also
// with its id.
import { authenticate } from '@latchkey/express';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import express from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authInfoOf, ConfigError, createSessions, ownerOf, withAuthInfo } from '../src/index.ts';
import { listen, makeV1, makeV2, message, post } from './servers.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

const initialize = message('initialize', {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'test', version: '1.0.0' },
});

type Transport = StreamableHTTPServerTransport | NodeStreamableHTTPServerTransport;

const open = {
  async v1(added: (id: string, transport: Transport) => void): Promise<Transport> {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (id) => added(id, transport),
    });
    // Its types do not fit exactOptionalPropertyTypes.
    await makeV1().connect(transport as never);
    return transport;
  },
  async v2(added: (id: string, transport: Transport) => void): Promise<Transport> {
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (id) => added(id, transport),
    });
    await makeV2().connect(transport);
    return transport;
  },
};

describe.each(['v1', 'v2'] as const)('sessions of %s', (version) => {
  it('are refused to every other caller, with every method', async () => {
    const { app, url, authenticator } = await listen(issuer);
    const sessions = createSessions<Transport>();
    app.use('/mcp', authenticate(authenticator), express.json(), async (request, response) => {
      const { auth } = request as { readonly auth?: Parameters<typeof sessions.find>[1] };
      const id = request.headers['mcp-session-id'];
      const transport =
        id === undefined
          ? await open[version]((fresh, opened) => sessions.add(fresh, auth, opened))
          : sessions.find(id, auth);
      if (transport === undefined) response.status(404).end();
      else await transport.handleRequest(withAuthInfo(request), response, request.body);
    });
    const claims = { aud: url, sub: 'alice', client_id: 'app' };
    const [alice, renewed, bob, other] = await Promise.all([
      issuer.mint(claims),
      issuer.mint({ ...claims, scope: 'more' }),
      issuer.mint({ ...claims, sub: 'bob' }),
      issuer.mint({ ...claims, client_id: 'another' }),
    ]);
    const opened = await post(url, alice, initialize);
    const id = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' };
    expect(opened.status).toBe(200);
    await opened.text();
    const call = message('tools/call', { name: 'whoami' });
    expect(await (await post(url, alice, call, id)).text()).toContain('alice');
    expect((await post(url, renewed, call, id)).status).toBe(200);
    for (const token of [bob, other]) {
      expect((await post(url, token, call, id)).status).toBe(404);
      const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream', ...id };
      expect((await fetch(url, { headers })).status).toBe(404);
      expect((await fetch(url, { method: 'DELETE', headers })).status).toBe(404);
    }
    expect((await post(url, undefined, call, id)).status).toBe(401);
    // None of them has ended it.
    expect((await post(url, alice, call, id)).status).toBe(200);
  });
});

describe('createSessions', () => {
  it('finds a session by its id and its owner', async () => {
    const { authenticator, url } = await listen(issuer);
    const alice = await authenticator.verify(await issuer.mint({ aud: url, sub: 'alice' }));
    const bob = await authenticator.verify(await issuer.mint({ aud: url, sub: 'bob' }));
    const sessions = createSessions<string>();
    sessions.add('1', alice, 'of alice');
    sessions.add('2', undefined, 'of everybody without a token');
    expect(sessions.find('1', authInfoOf(alice))).toBe('of alice');
    expect(sessions.find('1', bob)).toBeUndefined();
    expect(sessions.find('1', undefined)).toBeUndefined();
    expect(sessions.find('2', alice)).toBeUndefined();
    expect(sessions.find('2', undefined)).toBe('of everybody without a token');
    expect(sessions.find('3', alice)).toBeUndefined();
    expect(sessions.find(undefined, alice)).toBeUndefined();
    expect(sessions.find(['1', '2'], alice)).toBeUndefined();
    expect(() => sessions.add('1', bob, 'of bob')).toThrow(ConfigError);
    expect(sessions.size).toBe(2);
    sessions.delete('1');
    expect(sessions.find('1', alice)).toBeUndefined();
    expect(sessions.size).toBe(1);
  });
});

describe('ownerOf', () => {
  it('tells users, clients and issuers apart, and not the tokens of one', async () => {
    const another = await createIssuer();
    const { authenticator } = await listen(issuer, {
      keySets: [...issuer.options.keySets, ...another.options.keySets],
      audience: null,
    });
    const owner = async (from: TestIssuer, claims: Parameters<TestIssuer['mint']>[0]) =>
      ownerOf(await authenticator.verify(await from.mint(claims)));
    const owners = await Promise.all([
      owner(issuer, { sub: 'alice' }),
      owner(issuer, { sub: 'bob' }),
      owner(issuer, { sub: 'alice', client_id: 'app' }),
      owner(issuer, { sub: undefined, client_id: 'alice' }),
      owner(issuer, { sub: undefined, client_id: undefined, jti: '1' }),
      owner(issuer, { sub: undefined, client_id: undefined, jti: '2' }),
      owner(another, { sub: 'alice' }),
      ownerOf(undefined),
    ]);
    expect(new Set(owners).size).toBe(owners.length);
    expect(await owner(issuer, { sub: 'alice', scope: 'x' })).toBe(owners[0]);
    expect(owners[0]).toMatch(/^[\w-]{43}$/);
    await another.close();
  });
});
