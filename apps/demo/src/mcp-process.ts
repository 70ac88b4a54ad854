// A client of MCP, as its own process. It uses the tools of the notes service, and prints what it
// asked and got, without a token.
import {
  Client,
  ClientCredentialsProvider,
  type FetchLike,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client';

/** A request of the client, and its answer. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  /** The method of MCP and the tool, such as `tools/call add_note`. */
  readonly asks?: string | undefined;
  readonly status: number;
  readonly challenge?: string | undefined;
  /** The challenge and the body of the answer, or the request for a token. */
  readonly said: string;
}

const { URL: url = '', ISSUER: issuer = '', CLIENT: clientId = '', SECRET: clientSecret = '' } = process.env;
const exchanges: Promise<Exchange>[] = [];
const fault = await useTools().catch(String);
process.stdout.write(JSON.stringify({ exchanges: await Promise.all(exchanges), fault }));

/** What a user of the SDK writes. The SDK gets the tokens when it needs them. */
async function useTools(): Promise<undefined> {
  const client = new Client({ name: 'demo', version: '1.0.0' });
  const authProvider = new ClientCredentialsProvider({ clientId, clientSecret, expectedIssuer: issuer });
  const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider, fetch: fetchAndNote });
  try {
    await client.connect(transport);
    await client.callTool({ name: 'list_notes' });
    await client.callTool({ name: 'add_note', arguments: { note: 'buy milk' } });
    await client.callTool({ name: 'list_notes' });
    // `close` cuts off the copies of the answers.
    await Promise.all(exchanges);
  } finally {
    await client.close();
  }
}

async function fetchAndNote(...[input, init]: Parameters<FetchLike>): Promise<Response> {
  const answer = await fetch(input, init);
  exchanges.push(note(new URL(input).pathname, init, answer, answer.clone()));
  return answer;
}

async function note(
  path: string,
  { method = 'GET', body }: RequestInit = {},
  { status, headers }: Response,
  copy: Response,
): Promise<Exchange> {
  const challenge = headers.get('www-authenticate') ?? undefined;
  if (path === '/token') return { method, path, status, said: fieldsOf(String(body)) };
  // This stream of events stays open.
  if (path === '/mcp' && method === 'GET') return { method, path, status, said: '' };
  const asks = typeof body === 'string' ? asksFor(body) : undefined;
  const text = await copy.text().catch(() => '');
  return { method, path, asks, status, challenge, said: `${challenge} ${text}` };
}

function fieldsOf(form: string): string {
  return [...new URLSearchParams(form)].map(([name, value]) => `${name}="${value}"`).join(' ');
}

function asksFor(body: string): string {
  const { method, params } = JSON.parse(body) as { method: string; params?: { name?: string } };
  return [method, params?.name].filter((part) => part !== undefined).join(' ');
}
