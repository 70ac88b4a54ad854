// A client that sends headers unchanged, also repeated and malformed ones. One request per
// connection.
import { connect } from 'node:net';
import { connect as connectSecurely } from 'node:tls';

/** A response as received. */
export interface Exchange {
  readonly status: number;
  /** In the order received, with names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  /** All bytes received. */
  readonly raw: string;
}

/** The request to send. */
export interface ExchangeRequest {
  readonly port: number;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The server speaks TLS. Default: it speaks HTTP in clear. */
  readonly isSecure?: boolean;
  /** The certificate of the client, in PEM. Default: it has none. */
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined;
  /** Default: none. */
  readonly body?: string | undefined;
}

/** Sends one request over a new connection, and reads until the server closes it. */
export function exchange({
  port,
  method,
  path,
  headers,
  isSecure = false,
  certificate,
  body = '',
}: ExchangeRequest): Promise<Exchange> {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    ...(headers.some(([name]) => name === 'Host') ? [] : ['Host: localhost']),
    'Connection: close',
    ...(method === 'POST' || body !== '' ? [`Content-Length: ${body.length}`] : []),
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const send = () => socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1');
    const to = { port, host: '127.0.0.1' };
    const socket = isSecure
      ? connectSecurely({ ...to, ...certificate, rejectUnauthorized: false }, send)
      : connect(to, send);
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      try {
        resolve(parseResponse(Buffer.concat(chunks).toString('latin1')));
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** The values of a header, in order. */
export function headerValues({ headers }: Exchange, name: string): readonly string[] {
  return headers.filter(([candidate]) => candidate === name.toLowerCase()).map(([, value]) => value);
}

function parseResponse(raw: string): Exchange {
  const end = raw.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = raw.slice(0, end).split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1]);
  if (end === -1 || Number.isNaN(status))
    throw new Error(`no HTTP response: ${JSON.stringify(raw.slice(0, 80))}`);
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  const text = raw.slice(end + 4);
  const isChunked = headers.some(([name, value]) => name === 'transfer-encoding' && value === 'chunked');
  return { status, headers, body: isChunked ? joinChunks(text) : text, raw };
}

/** Decodes the chunked transfer coding, RFC 9112 §7.1. */
function joinChunks(body: string): string {
  let text = '';
  for (let at = 0; ; ) {
    const lineEnd = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.slice(at, lineEnd), 16);
    if (!(size > 0)) return text;
    text += body.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
}
