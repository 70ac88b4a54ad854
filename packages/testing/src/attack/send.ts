// Sends one request as bytes over a connection of its own, so that nothing normalises its path or
// its headers, and reads the answer. Follows no redirect.
import { connect, type Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import type { AttackAnswer } from './options.ts';

/** Where a service listens. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
  /** The header `Host`. */
  readonly authority: string;
}

/** A request, written as it is. */
export interface SentRequest {
  readonly method: string;
  /** The target in the first line: mostly a path. */
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string | undefined;
}

/** What came of a request: `closed` without an answer, or `late`. */
export type Outcome = AttackAnswer | 'closed' | 'late';

/** The certificate of a client, in PEM. */
export interface ShownCertificate {
  readonly cert: string;
  readonly key: string;
}

const MAX_ANSWER_BYTES = 1024 * 1024;

/** Sends a request. @param certificate is shown to a service with TLS */
export function send(
  { host, port, isSecure, authority }: Endpoint,
  request: SentRequest,
  timeoutMs: number,
  certificate?: ShownCertificate,
): Promise<Outcome> {
  const { method, target, headers, body } = request;
  const has = (wanted: string) => headers.some(([name]) => name.toLowerCase() === wanted);
  const lines = [
    `${method} ${target} HTTP/1.1`,
    `Host: ${authority}`,
    ...(has('connection') ? [] : ['Connection: close']),
    ...(body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  return new Promise((resolve) => {
    let received = '';
    const write = () => {
      socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
      if (body !== undefined) socket.write(body);
    };
    const to = { host, port };
    const socket: Socket = isSecure
      ? connectSecurely({ ...to, ...certificate, rejectUnauthorized: false }, write)
      : connect(to, write);
    const end = (isWhole: boolean, otherwise: 'closed' | 'late') => {
      clearTimeout(timer);
      socket.destroy();
      resolve(parseAnswer(received, method, isWhole) ?? otherwise);
    };
    const timer = setTimeout(() => end(true, 'late'), timeoutMs);
    socket.setEncoding('latin1').on('data', (chunk: Buffer | string) => {
      received += String(chunk);
      if (received.length > MAX_ANSWER_BYTES) end(true, 'closed');
      else if (parseAnswer(received, method, false) !== undefined) end(false, 'closed');
    });
    socket.on('error', () => end(true, 'closed'));
    socket.on('close', () => end(true, 'closed'));
  });
}

/**
 * Reads an answer. @param isWhole nothing follows
 * @returns undefined if there is no answer, or not all of it yet
 */
function parseAnswer(received: string, method: string, isWhole: boolean): AttackAnswer | undefined {
  const headEnd = received.indexOf('\r\n\r\n');
  if (headEnd === -1) return undefined;
  const [first = '', ...lines] = received.slice(0, headEnd).split('\r\n');
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1]);
  if (Number.isNaN(status)) return undefined;
  const rest = received.slice(headEnd + 4);
  // Others than 101 only announce the answer, RFC 9110 §15.2.
  if (status < 200 && status !== 101) return parseAnswer(rest, method, isWhole);
  const headers: Record<string, string> = Object.create(null);
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  const isBodiless = method === 'HEAD' || status === 101 || status === 204 || status === 304;
  const body = isBodiless ? '' : bodyOf(rest, headers, isWhole);
  return body === undefined ? undefined : { status, headers, body };
}

/** RFC 9112 §6.3. @returns undefined where more has to come */
function bodyOf(rest: string, headers: AttackAnswer['headers'], isWhole: boolean): string | undefined {
  if (/\bchunked$/i.test(headers['transfer-encoding'] ?? '')) return joinChunks(rest, isWhole);
  const length = headers['content-length'];
  if (length !== undefined && rest.length >= Number(length)) return rest.slice(0, Number(length));
  return isWhole ? rest : undefined;
}

/** Decodes the chunked transfer coding, RFC 9112 §7.1. */
function joinChunks(rest: string, isWhole: boolean): string | undefined {
  let text = '';
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf('\r\n', at);
    const size = lineEnd === -1 ? Number.NaN : Number.parseInt(rest.slice(at, lineEnd), 16);
    if (size === 0) return text;
    const end = lineEnd + 2 + size + 2;
    if (Number.isNaN(size) || end > rest.length) return isWhole ? text : undefined;
    text += rest.slice(lineEnd + 2, lineEnd + 2 + size);
    at = end;
  }
}
