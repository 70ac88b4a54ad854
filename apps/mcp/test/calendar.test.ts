// A tool that calls another API: the API gets a token of its own for the same user, and never the
// token that the client of MCP has sent.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Authenticator, createAuthenticator } from '@latchkey/express';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach, expect, it } from 'vitest';
import { createApp } from '../src/app.ts';
import { createCalendar } from '../src/calendar.ts';

const NOTES = 'https://notes.example.com/mcp';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function trust(issuer: TestIssuer, audience: string): Authenticator {
  const authenticator = createAuthenticator({ ...issuer.options, audience });
  closers.push(() => authenticator.close());
  return authenticator;
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** A token endpoint that issues tokens for the asked resource to users of the notes service. */
async function startTokenEndpoint(issuer: TestIssuer): Promise<string> {
  const notes = trust(issuer, NOTES);
  return listen(async (request, response) => {
    const form = await readForm(request);
    const isClient =
      request.headers.authorization === `Basic ${Buffer.from('notes:s3cret').toString('base64')}`;
    if (!isClient) return answer(response, 401, { error: 'invalid_client' });
    try {
      const { subject } = await notes.verify(form.get('subject_token') ?? '', {});
      if (subject !== 'alice') return answer(response, 400, { error: 'access_denied' });
      const claims = { sub: subject, aud: form.get('resource') ?? '', client_id: 'notes' };
      answer(response, 200, {
        access_token: await issuer.mint(claims),
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        token_type: 'Bearer',
        expires_in: 60,
      });
    } catch {
      answer(response, 400, { error: 'invalid_grant' });
    }
  });
}

/** The API of calendars: it knows its own tokens only. Records what it got. */
async function startCalendar(issuer: TestIssuer) {
  const got: string[] = [];
  const state: { authenticator?: Authenticator } = {};
  const url = await listen(async (request, response) => {
    const token = request.headers.authorization?.slice('Bearer '.length) ?? '';
    got.push(token);
    try {
      const caller = await state.authenticator?.verify(token, {});
      response.end(`lunch of ${caller?.subject}, by ${caller?.clientId}`);
    } catch {
      response.writeHead(401).end();
    }
  });
  state.authenticator = trust(issuer, url);
  return { url, got };
}

async function start() {
  const issuer = await createIssuer();
  closers.push(() => issuer.close());
  const secrets = await mkdtemp(join(tmpdir(), 'latchkey-mcp-'));
  closers.push(() => rm(secrets, { recursive: true }));
  await mkdir(join(secrets, 'login'));
  await writeFile(join(secrets, 'login', 'client-secret'), 's3cret\n');
  const api = await startCalendar(issuer);
  const tokenEndpoint = await startTokenEndpoint(issuer);
  const calendar = createCalendar({ url: api.url, tokenEndpoint, clientId: 'notes', secrets });
  closers.push(() => calendar.close());
  const authenticator = createAuthenticator({ ...issuer.options, resource: { url: NOTES }, audience: NOTES });
  closers.push(() => authenticator.close());
  const url = await listen(createApp(authenticator, '127.0.0.1', calendar));
  const connect = async (sub: string) => {
    const token = await issuer.mint({ sub, aud: NOTES, client_id: 'test', scope: 'notes:read' });
    const client = new Client({ name: 'test', version: '1.0.0' });
    const headers = { authorization: `Bearer ${token}` };
    await client.connect(
      new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers } }),
    );
    closers.push(() => client.close());
    return { client, token };
  };
  return { api, connect };
}

it('the API gets a token of its own for the user, and would refuse the one of the client', async () => {
  const { api, connect } = await start();
  const { client, token } = await connect('alice');
  const { content } = await client.callTool({ name: 'list_events' });
  expect(content).toEqual([{ type: 'text', text: 'lunch of alice, by notes' }]);
  expect(api.got).toHaveLength(1);
  expect(api.got).not.toContain(token);
  const passedOn = await fetch(`${api.url}/events`, { headers: { authorization: `Bearer ${token}` } });
  expect(passedOn.status).toBe(401);
});

it('a user that the authorization server refuses gets an error of the tool, and the API no call', async () => {
  const { api, connect } = await start();
  const { client } = await connect('mallory');
  const result = await client.callTool({ name: 'list_events' });
  expect(result).toMatchObject({
    isError: true,
    content: [{ text: 'The service may not act for the caller in this request' }],
  });
  expect(api.got).toEqual([]);
});
