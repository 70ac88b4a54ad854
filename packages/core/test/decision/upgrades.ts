// What the tests of upgrades share: real sockets and the real ws, tokens, and a server that records
// its upgrades. Each test fails if an error would have ended the process.
import { createServer, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createIssuer, generateSigningKey, mint } from '@latchkey/testing';
import { afterAll, afterEach, beforeEach, expect, onTestFinished, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { Authenticator } from '../../src/decision/authenticator.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { isPrincipal } from '../../src/decision/principal.ts';
import { authenticateUpgrade, type UpgradeAuthenticator } from '../../src/decision/upgrade.ts';
import { startAuthenticator } from '../support/authenticators.ts';
import { given } from '../support/defined.ts';
import { listen } from '../support/servers.ts';

export const issuer = await createIssuer();
/** An issuer whose keys cannot be fetched. */
export const down = await createIssuer();
down.fail({ kind: 'status', status: 500 });
afterAll(() => Promise.all([issuer.close(), down.close()]));

export const good = await issuer.mint();
const { issuer: iss, audience: aud } = issuer;
export const bad: Record<string, string> = {
  expired: await issuer.mint({ iat: 1_000, exp: 2_000 }),
  forged: await mint(await generateSigningKey('ES256', issuer.key.kid), {
    ...{ iss, aud },
    sub: 'mallory',
    exp: 4_000_000_000,
  }),
  malformed: 'a.b.c',
  'of another audience': await issuer.mint({ aud: 'https://other.example.com' }),
  'of an unknown issuer': await issuer.mint({ iss: 'https://stranger.example' }),
};

/** Errors that would have ended the process. */
export const fatal: unknown[] = [];
const note = (error: unknown) => void fatal.push(error);

beforeEach(() => {
  process.on('uncaughtExceptionMonitor', note);
  process.on('unhandledRejection', note);
});

afterEach(() => {
  vi.useRealTimers();
  process.off('uncaughtExceptionMonitor', note);
  process.off('unhandledRejection', note);
  expect(fatal.splice(0)).toEqual([]);
});

export function create(options: Partial<AuthenticatorOptions> = {}): Authenticator {
  const keySets = [issuer, down].map(({ issuer, jwksUrl }) => ({ issuer, jwksUrl, allowHttp: true }));
  return startAuthenticator({ keySets, audience: aud, ...options });
}

/** One upgrade, as seen by the server. */
export interface Seen<T> {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** The URL right after the call of `authenticateUpgrade`. */
  readonly urlAtOnce: string | undefined;
  /** The error listeners before and after. */
  readonly listeners: readonly [before: number, after: number];
  readonly result: PromiseSettledResult<{ readonly auth: T } | undefined>;
}

export interface Served<T> {
  readonly port: number;
  /** The upgrades that have been decided. */
  readonly seen: readonly Seen<T>[];
  /** The sockets of upgrades that have arrived. */
  readonly sockets: readonly Duplex[];
  /** Resolves with the next upgrade that has been decided. */
  next(): Promise<Seen<T>>;
}

/** A server as in the documentation, which records its upgrades. */
export async function serve<T>(
  authenticator: UpgradeAuthenticator<T>,
  {
    overrides,
    connected = (ws, auth) => ws.send(isPrincipal(auth) ? String(auth.subject) : typeof auth),
  }: {
    readonly overrides?: Parameters<typeof authenticateUpgrade>[3];
    readonly connected?: (ws: WebSocket, auth: T) => void;
  } = {},
): Promise<Served<T>> {
  const server = createServer((_, response) => void response.writeHead(404).end());
  const wss = new WebSocketServer({ noServer: true });
  const seen: Seen<T>[] = [];
  const sockets: Duplex[] = [];
  let wake = () => {};
  server.on('upgrade', async (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    sockets.push(socket);
    const before = socket.listenerCount('error');
    const deciding = authenticateUpgrade(authenticator, request, socket, ...given(overrides));
    const urlAtOnce = request.url;
    const [result] = await Promise.allSettled([deciding]);
    seen.push({ request, socket, urlAtOnce, listeners: [before, socket.listenerCount('error')], result });
    if (result.status === 'fulfilled' && result.value !== undefined) {
      const { auth } = result.value;
      wss.handleUpgrade(request, socket, head, (ws) => connected(ws, auth));
    }
    wake();
  });
  const next = () =>
    new Promise<Seen<T>>((resolve) => {
      wake = () => {
        const last = seen.at(-1);
        if (last !== undefined) resolve(last);
      };
    });
  const port = await listen(server);
  onTestFinished(() => {
    for (const client of wss.clients) client.terminate();
    for (const socket of sockets) socket.destroy();
  });
  return { port, seen, sockets, next };
}

/** Sends an upgrade with these headers, as ws does. The client does not close the connection. */
export function send(port: number, headers: readonly string[] = [], path = '/chat'): Socket {
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  onTestFinished(() => void client.destroy());
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  ];
  client.write(`${lines.join('\r\n')}\r\n\r\n`);
  return client;
}

export interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Everything that was sent. */
  readonly text: string;
}

/** The answer to an upgrade: all bytes until the server ends, or the head of a 101. */
export async function answerTo(
  port: number,
  headers: readonly string[] = [],
  path?: string,
): Promise<Answer> {
  const client = send(port, headers, path);
  let text = '';
  for await (const chunk of client) {
    text += String(chunk);
    if (text.startsWith('HTTP/1.1 101 ') && text.includes('\r\n\r\n')) break;
  }
  const [first = '', ...lines] = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n');
  const [, status, reason = ''] = /^HTTP\/1\.1 (\d{3}) (.*)$/.exec(first) ?? [];
  return {
    status: Number(status),
    reason,
    headers: Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(': ');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 2)];
      }),
    ),
    text,
  };
}

/** Connects with ws; resolves with the first message, or the status of the refusal. */
export function dial(
  port: number,
  headers: Record<string, string> = {},
  path = '/chat',
): Promise<string | number> {
  const client = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
  onTestFinished(() => client.terminate());
  return new Promise((resolve, reject) => {
    client.on('message', (data) => resolve(String(data)));
    client.on('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
    client.on('error', reject);
  });
}

export const CONTEXT = { space: undefined, delimiter: undefined, routes: new Map() } as const;

export function thrower(thrown: unknown): Promise<never> {
  throw thrown;
}

export const bearer = (token: string | undefined) => `Authorization: Bearer ${token}`;
