// Serves the page of the inspector on loopback. It answers only under its own names, so that no
// other site reaches it by DNS, and its data only to who has the secret of its URL.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { explained, type Inspected, stateOf } from './answers.ts';

/** A page that is being served. */
export interface Inspector {
  /** With the secret after `#`, which a browser never sends. */
  readonly url: string;
  close(): Promise<void>;
}

/** More than the longest token that options allow, as JSON. */
const MAX_BODY_BYTES = 131_072;
/** A client of this machine sends at once. */
const REQUEST_MS = 10_000;
const SECRET_BYTES = 32;
const LOOPBACK = '127.0.0.1';

/** The files of the page, by path. */
const FILES: ReadonlyMap<string, readonly [file: string, type: string]> = new Map([
  ['/', ['index.html', 'text/html; charset=utf-8']],
  ['/page.js', ['page.js', 'text/javascript; charset=utf-8']],
  ['/decisions.js', ['decisions.js', 'text/javascript; charset=utf-8']],
  ['/page.css', ['page.css', 'text/css; charset=utf-8']],
  ['/mark.svg', ['mark.svg', 'image/svg+xml']],
]);

/** What the page asks, by path. */
const QUESTIONS: readonly string[] = ['/state', '/explain', '/decisions'];

const HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

/** Serves the page. @param port 0: any free one */
export async function serveInspector(inspected: Inspected, port: number): Promise<Inspector> {
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  const server = createServer(
    { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS },
    (request, response) => {
      answer(request, response).catch(() => refuse(response, 500, 'the inspector failed'));
    },
  );
  const names = new Set<string>();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const { method, url = '', headers } = request;
    if (headers.host === undefined || !names.has(headers.host.toLowerCase()))
      return refuse(response, 421, 'this name is not served here');
    const file = FILES.get(url);
    if (file !== undefined) {
      if (method !== 'GET') return refuse(response, 405, 'expected GET');
      const [path, type] = file;
      const bytes = await readFile(new URL(`../../inspector/${path}`, import.meta.url));
      response.writeHead(200, { 'Content-Type': type }).end(bytes);
      return;
    }
    if (!QUESTIONS.includes(url)) return refuse(response, 404, 'nothing is here');
    if (method !== 'POST') return refuse(response, 405, 'expected POST');
    if (!isOwn(request, names)) return refuse(response, 403, 'another site has sent this');
    if (!isSecret(headers.authorization, secret))
      return refuse(response, 401, 'open the URL that latchkey inspect has printed');
    if (headers['content-type'] !== 'application/json') return refuse(response, 415, 'expected JSON');
    const body = await bodyOf(request);
    if (body === undefined) return refuse(response, 413, 'this is too long for a token');
    if (url === '/state') return send(response, stateOf(inspected));
    if (url === '/decisions') {
      const { service } = inspected;
      if (service === undefined) return refuse(response, 404, 'start latchkey inspect with --service');
      return send(response, await service.read());
    }
    const answered = await explained(inspected, parsed(body));
    if (answered === undefined) return refuse(response, 400, 'expected { token, route, at }');
    return send(response, answered);
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen({ host: LOOPBACK, port, exclusive: true }, resolve);
  });
  const { port: found } = server.address() as AddressInfo;
  for (const host of [LOOPBACK, 'localhost']) names.add(`${host}:${found}`);
  return {
    url: `http://${LOOPBACK}:${found}/#${secret}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Browsers say which page sends a request. Other clients of this machine do not. */
function isOwn({ headers }: IncomingMessage, names: ReadonlySet<string>): boolean {
  const { origin, 'sec-fetch-site': site } = headers;
  if (origin !== undefined && ![...names].some((name) => origin === `http://${name}`)) return false;
  return site === undefined || site === 'same-origin';
}

/** Compares digests, so that the time of the comparison says nothing. */
function isSecret(header: string | undefined, secret: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(header ?? ''), digest(`Bearer ${secret}`));
}

/** Reads the body. @returns undefined if it is too long */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
}

/** The texts are constant. */
function refuse(response: ServerResponse, status: number, message: string): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' });
  response.end(JSON.stringify({ message }));
}
