// Requests over real connections: what is left on a kept one, a server that breaks the protocol or
// closes too early, and what ends a request.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { type ConnectionSettings, type Connections, createConnections } from '../../src/net/connections.ts';
import { readBounded } from '../../src/net/https.ts';
import { readTls } from '../../src/net/tls.ts';
import { listen } from '../support/servers.ts';
import { ca, leaf, pinOf } from './tls-servers.ts';

const JSON_TEXT = '{"keys":[]}';
const OK = `HTTP/1.1 200 OK\r\ncontent-length: ${JSON_TEXT.length}\r\n\r\n${JSON_TEXT}`;

const opened: Connections[] = [];
afterEach(() => Promise.all(opened.splice(0).map((one) => one.close())));

function connect(more: Partial<ConnectionSettings> = {}): Connections {
  const connections = createConnections({ tls: {}, proxy: 'none', timeoutMs: 2_000, ...more });
  opened.push(connections);
  return connections;
}

interface Call {
  readonly method?: string;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

/** The body of the answer. */
async function ask(connections: Connections, url: URL, call: Call = {}): Promise<string> {
  const send = await connections.open(url);
  const response = await send(url, { signal: new AbortController().signal, headers: {}, ...call });
  return (await readBounded(response, 1_000)).toString();
}

/** The innermost message of a rejection. */
async function faultOf(work: Promise<unknown>): Promise<string> {
  let fault: unknown = await work.then(
    () => new Error('resolved'),
    (error: unknown) => error,
  );
  while (fault instanceof Error && fault.cause instanceof Error) fault = fault.cause;
  return fault instanceof Error
    ? `${fault.message} ${Reflect.get(fault, 'code') ?? ''}`.trim()
    : String(fault);
}

/** A server that answers the n-th request of a connection, both from 1, by its bytes. */
async function raw(answer: (socket: Socket, request: number, connection: number) => void) {
  const requests: string[] = [];
  let connections = 0;
  const server = createServer((socket) => {
    const connection = ++connections;
    let request = 0;
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      requests.push(`${connection} ${data.toString('latin1').split(' ')[0]}`);
      answer(socket, ++request, connection);
    });
  });
  const url = new URL(`http://127.0.0.1:${await listen(server)}/keys`);
  return { url, requests, server };
}

describe('a kept connection', () => {
  it('carries the next request', async () => {
    const { url, requests } = await raw((socket) => socket.write(OK));
    const connections = connect();
    expect([await ask(connections, url), await ask(connections, url)]).toEqual([JSON_TEXT, JSON_TEXT]);
    expect(requests).toEqual(['1 GET', '1 GET']);
  });

  it('carries the next request after an answer that is not read, if it is complete', async () => {
    const { url, requests } = await raw((socket) =>
      socket.write('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n'),
    );
    const connections = connect();
    for (let round = 0; round < 2; round++) {
      const send = await connections.open(url);
      const { body } = await send(url, { signal: new AbortController().signal, headers: {} });
      await body?.cancel();
      await nextTurn();
    }
    expect(requests).toEqual(['1 GET', '1 GET']);
  });

  it('is given up if data arrives that no request asked for', async () => {
    const sockets: Socket[] = [];
    const seen = (event: unknown) => sockets.push((event as { readonly socket: Socket }).socket);
    subscribe('net.client.socket', seen);
    onTestFinished(() => void unsubscribe('net.client.socket', seen));
    const unasked = OK.replace('keys', 'evil');
    const answered = Promise.withResolvers<Socket>();
    const { url, requests } = await raw((socket, _, connection) => {
      socket.write(OK);
      if (connection === 1) answered.resolve(socket);
    });
    const connections = connect();
    expect(await ask(connections, url)).toBe(JSON_TEXT);
    (await answered.promise).write(unasked);
    const [kept] = sockets;
    while (kept !== undefined && kept.bytesRead < OK.length + unasked.length) await nextTurn();
    expect(kept?.destroyed).toBe(true);
    expect(await ask(connections, url)).toBe(JSON_TEXT);
    expect(requests).toEqual(['1 GET', '2 GET']);
  });

  it('is given up if two answers arrive at once', async () => {
    const { url } = await raw((socket, _, connection) =>
      socket.write(connection === 1 ? OK + OK.replace('keys', 'evil') : OK),
    );
    const connections = connect();
    await ask(connections, url).catch(() => undefined);
    expect(await ask(connections, url)).toBe(JSON_TEXT);
  });

  it('that the server closes meanwhile is replaced, and a GET is sent again', async () => {
    const { url, requests } = await raw((socket, request) => {
      if (request === 1) socket.write(OK);
      else socket.resetAndDestroy();
    });
    const connections = connect();
    await ask(connections, url);
    expect(await ask(connections, url)).toBe(JSON_TEXT);
    expect(requests).toEqual(['1 GET', '1 GET', '2 GET']);
  });

  it('that the server closes meanwhile fails a POST, which is sent once', async () => {
    const { url, requests } = await raw((socket, request) => {
      if (request === 1) socket.write(OK);
      else socket.resetAndDestroy();
    });
    const connections = connect();
    await ask(connections, url);
    const post = { method: 'POST', body: 'grant_type=client_credentials' };
    expect(await faultOf(ask(connections, url, post))).toContain('ECONNRESET');
    expect(requests).toEqual(['1 GET', '1 POST']);
  });

  it('a new one that the server closes fails a GET, which is sent once', async () => {
    const { url, requests } = await raw((socket) => socket.resetAndDestroy());
    expect(await faultOf(ask(connect(), url))).toContain('ECONNRESET');
    expect(requests).toEqual(['1 GET']);
  });

  it('is as long open as the server says', async () => {
    const { url, requests } = await raw((socket) =>
      socket.write(OK.replace('\r\n\r\n', '\r\nkeep-alive: timeout=1\r\n\r\n')),
    );
    const connections = connect();
    await ask(connections, url);
    await ask(connections, url);
    expect(requests).toEqual(['1 GET', '2 GET']);
  });
});

describe('an answer that breaks the protocol is refused', () => {
  const of = (head: string, body = JSON_TEXT) => `HTTP/1.1 200 OK\r\n${head}\r\n\r\n${body}`;
  it.each<[title: string, bytes: string]>([
    ['a shorter body than its length', of('content-length: 12')],
    ['no end of a chunk', of('transfer-encoding: chunked', 'b\r\n{"keys":[]')],
    ['no last chunk', of('transfer-encoding: chunked', 'b\r\n{"keys":[]}\r\n')],
    ['a chunk of no size', of('transfer-encoding: chunked', 'x\r\n{"keys":[]}\r\n0\r\n\r\n')],
    ['two lengths', of('content-length: 11\r\ncontent-length: 5')],
    ['a length and chunks', of('content-length: 11\r\ntransfer-encoding: chunked', '0\r\n\r\n')],
    ['a length with a sign', of('content-length: +11')],
    ['a header line without a colon', of('content-length: 11\r\nnonsense')],
    ['a space before a colon', of('content-length : 11')],
    ['a line feed alone', 'HTTP/1.1 200 OK\ncontent-length: 11\n\n{"keys":[]}'],
    ['no status', 'HTTP/1.1\r\n\r\n'],
    ['another protocol', 'SSH-2.0-OpenSSH_9.9\r\n'],
    ['an upgrade', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'],
    ['headers of more than 16 KiB', of(`content-length: 11\r\nx: ${'x'.repeat(16 * 1024)}`)],
    ['nothing', ''],
  ])('%s', async (_, bytes) => {
    const { url, requests } = await raw((socket) => socket.end(bytes));
    await expect(ask(connect(), url)).rejects.toThrow(TypeError);
    expect(requests).toEqual(['1 GET']);
  });
});

describe('a packed answer', () => {
  const text = Buffer.from(JSON_TEXT);
  async function get(encoding: string, body: Uint8Array): Promise<string> {
    const server = createHttpServer((_, response) => {
      response.writeHead(200, { 'content-encoding': encoding }).end(body);
    });
    return ask(connect(), new URL(`http://127.0.0.1:${await listen(server)}/`));
  }

  it.each<[encoding: string, body: Uint8Array]>([
    ['gzip', gzipSync(text)],
    ['x-gzip', gzipSync(text)],
    ['GZIP', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['deflate', deflateRawSync(text)],
    ['br', brotliCompressSync(text)],
    ['zstd', zstdCompressSync(text)],
    ['gzip, br', brotliCompressSync(gzipSync(text))],
    ['identity', text],
    ['', text],
  ])('%s is unpacked', async (encoding, body) => {
    expect(await get(encoding, body)).toBe(JSON_TEXT);
  });

  it.each<[title: string, encoding: string, body: Uint8Array]>([
    ['that is cut off', 'gzip', gzipSync(text).subarray(0, -9)],
    ['that is cut off', 'deflate', deflateSync(text).subarray(0, -5)],
    ['that is cut off', 'br', brotliCompressSync(text).subarray(0, -1)],
    ['that is not packed', 'gzip', text],
    ['in an unknown coding', 'compress', text],
    ['in six codings', Array(6).fill('gzip').join(), text],
  ])('%s is refused: %s', async (_, encoding, body) => {
    await expect(get(encoding, body)).rejects.toThrow(TypeError);
  });

  it.each<[encoding: string, pack: (bytes: Buffer) => Uint8Array]>([
    ['deflate', deflateSync],
    ['zstd', zstdCompressSync],
    ['gzip, gzip', (bytes) => gzipSync(gzipSync(bytes))],
  ])('T-117: that unpacks to more than the limit is refused: %s', async (encoding, pack) => {
    await expect(get(encoding, pack(Buffer.alloc(1_001)))).rejects.toThrow(
      'answered with more than 1000 bytes',
    );
  });
});

const endOf = (socket: Socket) => new Promise((resolve) => socket.on('close', resolve));

describe('a request is ended, and its connection', () => {
  it.each(['by its signal', 'by close'])('%s', async (way) => {
    const asked = Promise.withResolvers<Socket>();
    const { url } = await raw((socket) => asked.resolve(socket));
    const connections = connect();
    const stop = new AbortController();
    const fault = faultOf(ask(connections, url, { signal: stop.signal }));
    const closed = endOf(await asked.promise);
    if (way === 'by close') await connections.close();
    else stop.abort(new Error('stopped'));
    expect(await fault).toBe(way === 'by close' ? 'closed' : 'stopped');
    await closed;
  });

  it('by its signal, while the body arrives', async () => {
    const asked = Promise.withResolvers<Socket>();
    const { url } = await raw((socket) => {
      socket.write(OK.slice(0, -1));
      asked.resolve(socket);
    });
    const stop = new AbortController();
    const fault = faultOf(ask(connect(), url, { signal: stop.signal }));
    const closed = endOf(await asked.promise);
    stop.abort(new Error('stopped'));
    expect(await fault).not.toBe('resolved');
    await closed;
  });

  it('before it begins', async () => {
    const { url, requests } = await raw((socket) => socket.write(OK));
    expect(await faultOf(ask(connect(), url, { signal: AbortSignal.abort(new Error('stopped')) }))).toBe(
      'stopped',
    );
    const connections = connect();
    const send = await connections.open(url);
    await connections.close();
    const late = send(url, { signal: new AbortController().signal, headers: {} });
    expect(await faultOf(late)).toBe('closed');
    expect(requests).toEqual([]);
  });
});

it('at most as many connections are open as the settings say', async () => {
  let most = 0;
  const server = createHttpServer((_, response) => {
    server.getConnections((_error, count) => {
      most = Math.max(most, count);
      response.end(JSON_TEXT);
    });
  });
  const url = new URL(`http://127.0.0.1:${await listen(server)}/`);
  const connections = connect({ connections: 2 });
  await Promise.all(Array.from({ length: 6 }, () => ask(connections, url)));
  expect(most).toBe(2);
});

it.each(['TLSv1.2', 'TLSv1.3'] as const)('each %s connection proves its certificate', async (version) => {
  const seen: unknown[] = [];
  const options = { ...leaf, minVersion: version, maxVersion: version };
  const server = createTlsServer(options, (_, response) => {
    response.writeHead(200, { connection: 'close' }).end(JSON_TEXT);
  }).on('secureConnection', (socket: TLSSocket) =>
    seen.push([socket.isSessionReused(), Reflect.get(socket, 'servername')]),
  );
  const url = new URL(`https://localhost:${await listen(server)}/`);
  const fingerprints = [pinOf(leaf).toString('base64')];
  const connections = connect({ tls: readTls({ ca: { pem: ca.cert }, fingerprints }, 'tls') });
  for (let round = 0; round < 3; round++) await ask(connections, url);
  expect(seen).toEqual(Array(3).fill([false, 'localhost']));
});
