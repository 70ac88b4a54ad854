// The chapter about MCP: the client of the SDK learns from the answers where it gets a token for a
// server, and which scopes a tool needs. The client is in mcp-process.ts, and notes what it asks.
import { spawn } from 'node:child_process';
import { json } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Exchange } from './mcp-process.ts';
import { audience, secretOf, startProvider } from './provider.ts';
import { startService } from './service.ts';
import type { Step } from './story.ts';
import type { Outcome } from './table.ts';

/** What the chapter is about. */
export const about = 'A client of MCP finds its way';

/** A step of the client. */
export interface McpStep extends Step {
  /** The method of MCP and the tool, such as `tools/call add_note`. */
  readonly asks?: string;
  /** What the challenge and the body of the answer say, or the request for a token. */
  readonly says: readonly string[];
}

/** What the client is to ask and get, in this order. It asks for other things in between. */
export function stepsFor(url: string, issuer: string): readonly McpStep[] {
  const mcp = { method: 'POST', path: '/mcp' } as const;
  const token = { method: 'POST', path: '/token', expected: 200 } as const;
  const metadata = '/.well-known/oauth-protected-resource/mcp';
  const discovery = '/.well-known/oauth-authorization-server';
  return [
    {
      title: 'no token',
      ...mcp,
      expected: 401,
      says: ['scope="notes:read"', `resource_metadata="${new URL(metadata, url)}"`],
    },
    {
      title: 'the metadata that the challenge names',
      method: 'GET',
      path: metadata,
      expected: 200,
      says: [`"resource":"${url}"`, `"authorization_servers":["${issuer}"]`],
    },
    {
      title: 'the provider that the metadata name',
      method: 'GET',
      path: discovery,
      expected: 200,
      says: [`"issuer":"${issuer}"`],
    },
    {
      title: 'a token for this server, with the scope of the challenge',
      ...token,
      says: [`resource="${url}"`, 'scope="notes:read"'],
    },
    { title: 'a session', ...mcp, asks: 'initialize', expected: 200, says: ['"name":"notes"'] },
    { title: 'the tool list_notes', ...mcp, asks: 'tools/call list_notes', expected: 200, says: ['""'] },
    {
      title: 'the tool add_note, which needs one more scope',
      ...mcp,
      asks: 'tools/call add_note',
      expected: 403,
      says: ['error="insufficient_scope"', 'scope="notes:read notes:write"'],
    },
    {
      title: 'a token with the scopes of that challenge',
      ...token,
      says: [`resource="${url}"`, 'scope="notes:read notes:write"'],
    },
    {
      title: 'the tool add_note again',
      ...mcp,
      asks: 'tools/call add_note',
      expected: 200,
      says: ['Your notes: 1'],
    },
    {
      title: 'the tool list_notes again',
      ...mcp,
      asks: 'tools/call list_notes',
      expected: 200,
      says: ['buy milk'],
    },
  ];
}

/** Runs a provider, the sample of an MCP server, and the client. */
export async function askAsMcpClient(): Promise<{
  readonly outcomes: readonly Outcome[];
  readonly exitCode: number | null;
}> {
  const { issuer, stop: stopProvider } = await startProvider();
  const { url, stop } = await startService('mcp', { issuer, audience });
  const { exchanges, fault } = await runClient(`${url}/mcp`, issuer);
  const exitCode = await stop();
  await stopProvider();
  return { outcomes: outcomesOf(stepsFor(`${url}/mcp`, issuer), exchanges, fault), exitCode };
}

/** Runs the client in a process without the condition "source", which has another meaning to it. */
async function runClient(url: string, issuer: string) {
  const main = fileURLToPath(new URL('mcp-process.ts', import.meta.url));
  const { stdout } = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main], {
    env: { ...process.env, URL: url, ISSUER: issuer, CLIENT: 'alice', SECRET: secretOf('alice') },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return (await json(stdout)) as { readonly exchanges: readonly Exchange[]; readonly fault?: string };
}

/** The answer to each step; an answer that does not say what it is to say counts as none. */
export function outcomesOf(
  steps: readonly McpStep[],
  exchanges: readonly Exchange[],
  fault = 'no such request',
): readonly Outcome[] {
  const outcomes: Outcome[] = [];
  let from = 0;
  for (const step of steps) {
    const at = exchanges.findIndex((exchange, index) => index >= from && isOf(step, exchange));
    const found = exchanges[at];
    if (found === undefined) {
      outcomes.push({ step, answers: [{ status: undefined, fault }] });
      continue;
    }
    from = at + 1;
    const { status, challenge, said } = found;
    const missing = step.says.filter((text) => !said.includes(text));
    const answer =
      missing.length === 0
        ? { status, code: /"code":"(\w+)"/.exec(said)?.[1], challenge }
        : { status: undefined, fault: `${status} without ${missing.join(' and ')}` };
    outcomes.push({ step, answers: [answer] });
  }
  return outcomes;
}

function isOf(step: McpStep, { method, path, asks }: Exchange): boolean {
  return step.method === method && step.path === path && (step.asks ?? asks) === asks;
}
