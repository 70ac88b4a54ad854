// The sample as its own process, asked by the client of the SDK.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, expect, it } from 'vitest';

let child: ChildProcess;
let url = '';
const tokens = new Map<string, string>();

beforeAll(async () => {
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  child = spawn(process.execPath, ['--conditions=source', '--disable-warning=ExperimentalWarning', main], {
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.stdout === null) throw new Error('expected a process with output');
  for await (const line of createInterface({ input: child.stdout })) {
    const [, listens] = /^listening on (\S+)$/.exec(line) ?? [];
    const [, name, token] = /^export (\w+)=(\S+)$/.exec(line) ?? [];
    if (listens !== undefined) url = `${listens}/mcp`;
    if (name !== undefined && token !== undefined) tokens.set(name, token);
    if (tokens.size === 2) break;
  }
});
afterAll(async () => {
  const ended = once(child, 'exit');
  child.kill();
  expect(await ended).toEqual([0, null]);
});

async function connect(name: string) {
  const client = new Client({ name: 'test', version: '1.0.0' });
  const headers = { authorization: `Bearer ${tokens.get(name)}` };
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
  await client.connect(transport);
  return { client, transport };
}

const note = { name: 'add_note', arguments: { note: 'buy milk' } };

it('a writer adds a note, and a reader reads it and adds none', async () => {
  const { client: writer } = await connect('WRITER');
  expect(await writer.callTool(note)).toMatchObject({ content: [{ text: 'You have 1 notes' }] });
  const { client: reader } = await connect('READER');
  expect(await reader.callTool({ name: 'list_notes' })).toMatchObject({ content: [{ text: 'buy milk' }] });
  expect(await reader.readResource({ uri: 'notes://all' })).toMatchObject({
    contents: [{ text: 'buy milk' }],
  });
  await expect(reader.callTool(note)).rejects.toThrow('notes:read notes:write');
  await Promise.all([reader.close(), writer.close()]);
});

it('a session goes on with the next token of its client, and ends with DELETE', async () => {
  const { client, transport } = await connect('READER');
  const ask = async () =>
    fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${tokens.get('WRITER')}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-session-id': transport.sessionId ?? '',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 9, method: 'tools/call', params: note }),
    });
  expect((await ask()).status).toBe(200);
  await transport.terminateSession();
  expect((await ask()).status).toBe(404);
  await client.close();
});

it('tells a client without a token where to get one', async () => {
  const answer = await fetch(url, { method: 'POST' });
  expect(answer.status).toBe(401);
  const [, metadata = ''] =
    /resource_metadata="([^"]+)"/.exec(answer.headers.get('www-authenticate') ?? '') ?? [];
  expect(await (await fetch(metadata)).json()).toMatchObject({
    resource: url,
    scopes_supported: ['notes:read', 'notes:write'],
  });
});
