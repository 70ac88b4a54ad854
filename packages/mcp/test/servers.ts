// The servers and clients of both versions of the SDK, over real HTTP, with the same two tools, a
// resource and a prompt.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Authenticator } from '@latchkey/core';
import { createAuthenticator } from '@latchkey/core';
import type { TestIssuer } from '@latchkey/testing';
import * as client2 from '@modelcontextprotocol/client';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import * as server2 from '@modelcontextprotocol/server';
import express, { type Express } from 'express';
import { afterEach } from 'vitest';
import { type AuthInfo, principalOf, type SdkAuthInfo } from '../src/index.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Called when the test ends. */
export function whenDone(close: () => unknown): void {
  closers.push(close);
}

export interface Service {
  readonly url: string;
  readonly app: Express;
  readonly authenticator: Authenticator;
}

/** An application of Express that listens, and is a protected resource at `/mcp`. */
export async function listen(issuer: TestIssuer, options: object = {}): Promise<Service> {
  const app = express();
  app.set('env', 'test');
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  const { keySets } = issuer.options;
  const authenticator = createAuthenticator({ keySets, resource: { url }, ...options });
  whenDone(() => authenticator.close());
  whenDone(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url, app, authenticator };
}

const text = (written: string) => ({ content: [{ type: 'text' as const, text: written }] });
const said = (authInfo: SdkAuthInfo | undefined) => text(principalOf(authInfo)?.subject ?? 'anonymous');

/** The tools, the resource and the prompt on v1. */
export function makeV1(): McpServer {
  const server = new McpServer({ name: 'calc', version: '1.0.0' });
  server.registerTool('add', { description: 'adds' }, () => text('3'));
  server.registerTool('wipe', { description: 'wipes' }, () => text('wiped'));
  server.registerTool('whoami', { description: 'tells' }, (extra) => said(extra.authInfo));
  server.registerResource('diary', 'notes://diary/today', {}, (uri) => ({
    contents: [{ uri: uri.href, text: 'secret' }],
  }));
  server.registerPrompt('plan', {}, () => ({
    messages: [{ role: 'user', content: { type: 'text', text: 'plan' } }],
  }));
  return server;
}

/** The same on v2. */
export function makeV2(): server2.McpServer {
  const server = new server2.McpServer({ name: 'calc', version: '1.0.0' });
  server.registerTool('add', { description: 'adds' }, () => text('3'));
  server.registerTool('wipe', { description: 'wipes' }, () => text('wiped'));
  server.registerTool('whoami', { description: 'tells' }, (ctx) => said(ctx.http?.authInfo));
  server.registerResource('diary', 'notes://diary/today', {}, (uri) => ({
    contents: [{ uri: uri.href, text: 'secret' }],
  }));
  server.registerPrompt('plan', {}, () => ({
    messages: [{ role: 'user', content: { type: 'text', text: 'plan' } }],
  }));
  return server;
}

type Incoming = Parameters<NodeStreamableHTTPServerTransport['handleRequest']>[0];
type Outgoing = Parameters<NodeStreamableHTTPServerTransport['handleRequest']>[1];
type Handle = (request: Incoming & { auth?: AuthInfo }, response: Outgoing, body: unknown) => Promise<void>;

/** Serves one request without a session. */
export const stateless: Readonly<Record<'v1' | 'v2', Handle>> = {
  async v1(request, response, body) {
    const server = makeV1();
    const transport = new StreamableHTTPServerTransport();
    response.on('close', () => void server.close());
    // Its types do not fit exactOptionalPropertyTypes.
    await server.connect(transport as never);
    await transport.handleRequest(request, response, body);
  },
  async v2(request, response, body) {
    const server = makeV2();
    const transport = new NodeStreamableHTTPServerTransport();
    response.on('close', () => void server.close());
    await server.connect(transport);
    await transport.handleRequest(request, response, body);
  },
};

/** What tests ask of a connected client. */
export interface Connected {
  callTool(params: { name: string }): Promise<unknown>;
  listTools(): Promise<{ tools: { name: string }[] }>;
  listResources(): Promise<{ resources: { uri: string }[] }>;
  listPrompts(): Promise<{ prompts: { name: string }[] }>;
  readResource(params: { uri: string }): Promise<unknown>;
  getPrompt(params: { name: string }): Promise<unknown>;
}

/** Connects the client of a version. */
export const connect: Readonly<
  Record<'v1' | 'v2', (url: string, token: string | undefined) => Promise<Connected>>
> = {
  async v1(url, token) {
    const client = new Client({ name: 'test', version: '1.0.0' });
    const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: initOf(token) });
    whenDone(() => client.close());
    await client.connect(transport as never);
    return client;
  },
  async v2(url, token) {
    const client = new client2.Client({ name: 'test', version: '1.0.0' });
    const transport = new client2.StreamableHTTPClientTransport(new URL(url), { requestInit: initOf(token) });
    whenDone(() => client.close());
    await client.connect(transport);
    return client;
  },
};

const initOf = (token: string | undefined): RequestInit =>
  token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } };

/** Sends a body as it is. */
export function post(
  url: string,
  token: string | undefined,
  body: unknown,
  more: object = {},
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: {
      ...initOf(token).headers,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...more,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** A JSON-RPC request. */
export const message = (method: string, params: object = {}, id = 1) => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
});
