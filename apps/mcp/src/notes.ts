// The MCP server of the notes service: its tools, and the scopes that they need. HTTP is in app.ts.
import { type OperationRules, principalOf, type SdkAuthInfo } from '@latchkey/mcp';
import { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Calendar } from './calendar.ts';

/** The scopes of the service, for clients that ask what there is. */
export const scopes = ['notes:read', 'notes:write'] as const;

/** What a caller needs for each tool and resource. */
export const rules: OperationRules = {
  tools: {
    list_notes: { scope: 'notes:read' },
    add_note: { scope: ['notes:read', 'notes:write'] },
    list_events: { scope: 'notes:read' },
  },
  resources: { 'notes://*': { scope: 'notes:read' } },
};

/** The notes of each subject, in the memory of this process. */
export type Notes = Map<string, readonly string[]>;

/** Makes the server of one session. With a calendar, it has a tool for the events of a caller. */
export function createNotesServer(notes: Notes, calendar?: Calendar): McpServer {
  const server = new McpServer({ name: 'notes', version: '1.0.0' });
  server.registerTool('list_notes', { description: 'Lists your notes' }, (ctx) => {
    return text((notes.get(ownerIn(ctx.http?.authInfo)) ?? []).join('\n'));
  });
  server.registerTool(
    'add_note',
    { description: 'Adds a note', inputSchema: z.object({ note: z.string().min(1).max(1_000) }) },
    ({ note }, ctx) => {
      const owner = ownerIn(ctx.http?.authInfo);
      const kept = [...(notes.get(owner) ?? []), note].slice(-100);
      notes.set(owner, kept);
      return text(`Your notes: ${kept.length}`);
    },
  );
  if (calendar !== undefined)
    server.registerTool('list_events', { description: 'Lists your events' }, async (ctx) => {
      const caller = principalOf(ctx.http?.authInfo);
      if (caller === undefined) throw new Error('expected a caller');
      return text(await calendar.events(caller));
    });
  server.registerResource('all', 'notes://all', { mimeType: 'text/plain' }, (uri, ctx) => ({
    contents: [{ uri: uri.href, text: (notes.get(ownerIn(ctx.http?.authInfo)) ?? []).join('\n') }],
  }));
  return server;
}

const text = (written: string) => ({ content: [{ type: 'text' as const, text: written }] });

/** Whose notes these are: the subject at its issuer. */
function ownerIn(authInfo: SdkAuthInfo | undefined): string {
  const principal = principalOf(authInfo);
  if (principal?.subject === undefined) throw new Error('expected a token with a subject');
  return JSON.stringify([principal.issuer ?? null, principal.subject]);
}
