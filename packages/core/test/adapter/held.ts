// What the tests of held replies share: a server that holds one reply, and the answer on the wire.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { afterEach, expect } from 'vitest';
import { holdReply } from '../../src/adapter/hold-reply.ts';
import type { OutgoingReply, SignedReply } from '../../src/signing/reply-body.ts';
import { listen } from '../support/servers.ts';

export const CANARY = 'canary-5f1d7c';
export const SIGNED = { object: { signed: true }, body: '{"signed":true}' } as const satisfies SignedReply;

const restores: (() => void)[] = [];
afterEach(async () => {
  for (const restore of restores.splice(0)) restore();
});

export type Listener = (response: ServerResponse, request: IncomingMessage) => unknown;
export type Sign = (reply: OutgoingReply) => Promise<SignedReply | undefined>;

/** Starts a server until the test ends; returns its port. */
export const serve = (listener: (request: IncomingMessage, response: ServerResponse) => void) =>
  listen(createServer(listener));

export interface Answer {
  readonly raw: string;
  readonly statusLine: string;
  readonly headers: readonly string[];
  /** The header lines that match. */
  readonly linesOf: (name: RegExp) => readonly string[];
  readonly body: string;
}

/** Sends one request and reads until the server closes the connection. */
export async function exchange(port: number, method = 'GET'): Promise<Answer> {
  const chunks: Buffer[] = [];
  const socket = connect(port, '127.0.0.1', () => {
    socket.write(`${method} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  });
  for await (const chunk of socket) chunks.push(chunk);
  const raw = Buffer.concat(chunks).toString('utf8');
  const end = raw.indexOf('\r\n\r\n');
  const [statusLine = '', ...headers] = raw.slice(0, end).split('\r\n');
  const names = headers.map((line) => line.toLowerCase());
  const isChunked = names.includes('transfer-encoding: chunked');
  const body = raw.slice(end + 4);
  // Every second line is a chunk, because no body here has a line break.
  const pieces = body.split('\r\n').filter((_, index) => index % 2 === 1);
  const linesOf = (name: RegExp) => names.filter((line) => name.test(line));
  return { raw, statusLine, headers: names, linesOf, body: isChunked ? pieces.join('') : body };
}

export interface Asked extends Answer {
  /** What `sign` was given. */
  readonly given: { readonly status: number; readonly body: Buffer; readonly type: unknown }[];
  readonly failures: Error[];
}

export interface Settings {
  readonly sign?: Sign;
  readonly fail?: (error: Error, response: ServerResponse) => void;
  readonly method?: string;
}

/**
 * Serves one reply with `holdReply`; returns the answer, what `sign` was given, and the failures.
 */
export async function ask(handler: Listener, { sign = signs, fail, method }: Settings = {}): Promise<Asked> {
  const given: Asked['given'] = [];
  const failures: Error[] = [];
  const port = await serve((request, response) => {
    holdReply(
      response,
      async (reply) => {
        // The signer lets JSON leave unsigned when the status is not a 2xx.
        if (reply.status < 200 || reply.status > 299) return undefined;
        const body = reply.body as Buffer;
        given.push({ status: reply.status, body, type: reply.getHeader('content-type') });
        return sign(reply);
      },
      (error) => {
        failures.push(error);
        if (fail === undefined) {
          response.statusCode = 500;
          response.end('failed');
        } else fail(error, response);
      },
    );
    void handler(response, request);
  });
  return { ...(await exchange(port, method)), given, failures };
}

/** Collects the errors that would end the process. */
export function escapes(): unknown[] {
  const escaped: unknown[] = [];
  for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
    const listeners = process.listeners(event as 'uncaughtException');
    process.removeAllListeners(event);
    process.on(event, (error) => escaped.push(error));
    restores.push(() => {
      process.removeAllListeners(event);
      for (const listener of listeners) process.on(event as 'uncaughtException', listener);
    });
  }
  return escaped;
}

export const leave: Sign = () => Promise.resolve(undefined);
export const refuse: Sign = () => Promise.reject(new Error('cannot be signed'));
/** Signs a 2xx and changes its head. */
export const signs: Sign = async ({ status, setHeader, removeHeader }) => {
  if (status < 200 || status > 299) return undefined;
  for (const name of ['Content-Length', 'ETag']) removeHeader(name);
  setHeader('Content-Type', 'application/json; charset=utf-8');
  setHeader('Cache-Control', 'no-store');
  return SIGNED;
};

/** Writes the chunks, and returns the response. */
export function writeAll(response: ServerResponse, ...chunks: readonly (string | Buffer)[]): ServerResponse {
  for (const chunk of chunks) response.write(chunk);
  return response;
}

/** Nothing but the status of a 500 has left. */
export function expectBare500({ raw, statusLine, body }: Answer): void {
  expect([statusLine, body]).toEqual(['HTTP/1.1 500 Internal Server Error', '']);
  expect(raw).not.toContain(CANARY);
}
