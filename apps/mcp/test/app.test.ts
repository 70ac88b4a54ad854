// The sample as its own process, asked by the client of the SDK.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Sample, startSample } from './sample.ts';

let sample: Sample;
beforeAll(async () => {
  sample = await startSample();
});
afterAll(async () => {
  expect(await sample.stop()).toBe(0);
});

async function connect(name: string) {
  const client = new Client({ name: 'test', version: '1.0.0' });
  const headers = { authorization: `Bearer ${sample.token(name)}` };
  const transport = new StreamableHTTPClientTransport(new URL(sample.url), { requestInit: { headers } });
  await client.connect(transport);
  return { client, transport };
}

const note = { name: 'add_note', arguments: { note: 'buy milk' } };

it('a writer adds a note, and a reader reads it and adds none', async () => {
  const { client: writer } = await connect('WRITER');
  expect(await writer.callTool(note)).toMatchObject({ content: [{ text: 'Your notes: 1' }] });
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
    fetch(sample.url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${sample.token('WRITER')}`,
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
  const answer = await fetch(sample.url, { method: 'POST' });
  expect(answer.status).toBe(401);
  const [, metadata = ''] =
    /resource_metadata="([^"]+)"/.exec(answer.headers.get('www-authenticate') ?? '') ?? [];
  expect(await (await fetch(metadata)).json()).toMatchObject({
    resource: sample.url,
    scopes_supported: ['notes:read', 'notes:write'],
  });
});
