// Runs the login of docs/guides/signing.md unchanged, except for the line that listens, with a real
// backend and a real server of keys over TLS.
import { spawn } from 'node:child_process';
import { createSecretKey, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { json } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { createAuthenticator } from '@latchkey/core';
import { createAuthority } from './certificate.ts';
import { programOf } from './quick-start.ts';

/** What a client sees of the route `/token`. */
export interface LoginAnswers {
  readonly status: number;
  /** By name of the field: the verified `sub`. */
  readonly subjects: Readonly<Record<string, string>>;
  /** The names of the fields of the reply. */
  readonly fields: readonly string[];
  /** Status and body for a wrong password. */
  readonly refused: string;
}

const PAGE = new URL('../../../docs/guides/signing.md', import.meta.url);
const HEADING = '## When a backend knows the users';
const AUDIENCE = 'https://your.krakend.io';
const ISSUER = 'https://your-backend';

/** The lines with which the programs listen, and the same on a free port. */
const LISTENING = new Map([
  [
    '\napp.listen(3000);',
    `
const server = app.listen(0, '127.0.0.1', () => console.log('http://127.0.0.1:' + server.address().port));`,
  ],
  ['await app.listen({ port: 3000 });', `console.log(await app.listen({ port: 0, host: '127.0.0.1' }));`],
  ['await app.listen(3000);', "await app.listen(0, '127.0.0.1');\nconsole.log(await app.getUrl());"],
]);

/**
 * The program of the test's package, which prints its URL.
 * @param test the test's `import.meta.url`
 */
export function loginProgram(test: string): string {
  const [, section = ''] = readFileSync(PAGE, 'utf8').split(HEADING);
  const code = programOf(test, section);
  const [line, free] = [...LISTENING].find(([each]) => code.includes(each)) ?? [];
  if (line === undefined || free === undefined)
    throw new Error(`expected a program that listens under "${HEADING}"`);
  return code.replace(line, free);
}

/** Runs the program from a file in the package, and logs in. @param test `import.meta.url` */
export async function runLoginExample(test: string): Promise<LoginAnswers> {
  const file = fileURLToPath(new URL('./.login.mjs', test));
  writeFileSync(file, loginProgram(test));
  try {
    return await logInTo(file);
  } finally {
    rmSync(file, { force: true });
  }
}

/** Starts the program in a file, and logs in with a right and with a wrong password. */
export async function logInTo(file: string): Promise<LoginAnswers> {
  const authority = createAuthority('test');
  const secret = randomBytes(32);
  const keys = [{ ...createSecretKey(secret).export({ format: 'jwk' }), kid: 'sim2', alg: 'HS256' }];
  const backend = createServer(authority.issue('localhost'), (request, response) => {
    void serve(request, response, keys);
  });
  await once(backend.listen(0, '127.0.0.1'), 'listening');
  const directory = mkdtempSync(join(tmpdir(), 'latchkey-login-'));
  const ca = join(directory, 'ca.pem');
  writeFileSync(ca, authority.cert);
  const at = `https://localhost:${(backend.address() as AddressInfo).port}`;
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: ca, BACKEND_URL: at, KEYS_URL: `${at}/jwks.json` };
  const program = spawn(process.execPath, ['--conditions=source', file], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const url = await urlOf(createInterface({ input: program.stdout }));
    return await logIn(`${url}/token`, keys);
  } finally {
    program.kill();
    backend.close();
    backend.closeAllConnections();
    rmSync(directory, { recursive: true });
  }
}

async function urlOf(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) if (line.startsWith('http://')) return line;
  throw new Error('expected a program that prints its URL');
}

async function logIn(url: string, keys: readonly object[]): Promise<LoginAnswers> {
  const post = (pass: string) =>
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user: 'john', pass }),
    });
  const reply = await post('doe');
  const body = (await reply.json()) as Record<string, string>;
  const { verify } = createAuthenticator({
    keySets: [{ issuer: ISSUER, secret: { name: 'login' } }],
    secrets: { description: 'login', read: async () => Buffer.from(JSON.stringify({ keys })) },
    audience: AUDIENCE,
  });
  const tokens = Object.entries(body).filter(([, value]) => typeof value === 'string');
  const subjects = await Promise.all(
    tokens.map(async ([name, token]) => [name, String((await verify(token)).subject)] as const),
  );
  const wrong = await post('wrong');
  return {
    status: reply.status,
    subjects: Object.fromEntries(subjects),
    fields: Object.keys(body),
    refused: `${wrong.status} ${await wrong.text()}`,
  };
}

/** Serves the keys at `/jwks.json`, and the backend's `/token-issuer`. */
async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  keys: readonly object[],
): Promise<void> {
  response.setHeader('Content-Type', 'application/json');
  if (request.url === '/jwks.json') return void response.end(JSON.stringify({ keys }));
  const { user, pass } = (await json(request)) as { user: string; pass: string };
  if (request.url !== '/token-issuer' || pass !== 'doe')
    return void response.writeHead(401).end('{"error":"wrong password"}');
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const token = { aud: AUDIENCE, iss: ISSUER, sub: user, jti: 'mnb23vcsrt756yuiomnbvcx98ertyuiop', exp };
  response.end(JSON.stringify({ access_token: token, refresh_token: token, exp }));
}
