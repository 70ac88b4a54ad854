// Faults of a remote endpoint. Where a faulty answer contains an acceptance, it is one of the token
// in the request, so that a missing check would show.
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

/**
 * A fault that an endpoint shows instead of its answer. Each has several forms, which take turns;
 * with `down` the endpoint does not listen.
 */
export type Fault = 'hang' | 'error' | 'invalid' | 'redirect' | 'flood' | 'reset' | 'down';

/** One form of a fault. */
type Form = (response: ServerResponse, genuine: string, elsewhere: string) => unknown;

const JSON_TYPE = 'application/json';
const FLOOD_BYTES = 100 * 1024 * 1024;
const CHUNK = Buffer.alloc(64 * 1024, 0x20);
const BOMB = gzipSync(Buffer.alloc(FLOOD_BYTES, 0x20));

/** Answers with the next form of a fault. */
export function misbehave(
  fault: Exclude<Fault, 'down'>,
  turn: number,
  response: ServerResponse,
  genuine: string,
  elsewhere: string,
): void {
  const forms = FORMS[fault];
  forms[turn % forms.length]?.(response, genuine, elsewhere);
}

const say =
  (status: number, body: string | Buffer | ((genuine: string) => string | Buffer), type = JSON_TYPE): Form =>
  (response, genuine) =>
    response
      .writeHead(status, type === '' ? {} : { 'content-type': type })
      .end(typeof body === 'function' ? body(genuine) : body);

const itself = (genuine: string) => genuine;

const FORMS: { readonly [fault in Exclude<Fault, 'down'>]: readonly Form[] } = {
  hang: [
    () => {},
    (response) => response.writeHead(200, { 'content-type': JSON_TYPE }).flushHeaders(),
    async (response, genuine) => {
      response.writeHead(200, { 'content-type': JSON_TYPE });
      for (const character of genuine) {
        if (response.destroyed) return;
        response.write(character);
        await sleep(100);
      }
      response.end();
    },
  ],
  error: [
    say(500, '<h1>Out of order</h1>', 'text/html'),
    ...[500, 502, 503, 504, 429].map((status) => say(status, itself)),
  ],
  invalid: [
    ...['{}', '[]', 'null', 'true', '0', '"alice"', '', ' ', '{', 'null{}'].map((body) => say(200, body)),
    ...['1', 'null', '""', 'true', '["alice"]', '{"id":"alice"}'].map((sub) => say(200, `{"sub":${sub}}`)),
    say(200, '{"SUB":"alice","Sub":"alice","sub ":"alice"}'),
    say(200, '{"sub":"alice","sub":"bob"}'),
    say(200, '{"sub":1,"sub":"alice"}'),
    say(200, '{"__proto__":{"sub":"alice"},"constructor":{"prototype":{"sub":"alice"}}}'),
    say(200, '{"active":true,"username":"alice"}'),
    say(200, '{"user":{"sub":"alice"},"status":"ok","authenticated":true}'),
    say(200, (genuine) => `[${genuine}]`),
    say(200, (genuine) => `${genuine}${genuine}`),
    say(200, (genuine) => `${genuine},`),
    say(200, (genuine) => genuine.slice(0, -1)),
    say(200, (genuine) => `)]}'\n${genuine}`),
    say(200, (genuine) => `{"ok":${genuine}}`),
    say(200, (genuine) => Buffer.from(genuine, 'utf16le')),
    say(200, (genuine) =>
      Buffer.concat([Buffer.from(genuine.replace(/}$/, ',"x":"')), Buffer.from([0xff, 0x22, 0x7d])]),
    ),
    say(200, '<html><body>Please log in</body></html>', 'text/html'),
    say(200, '<html><body>Please log in</body></html>'),
    ...[
      '',
      'text/plain',
      'text/html',
      'application/jsonx',
      'text/json',
      'application/x-www-form-urlencoded',
    ].map((type) => say(200, itself, type)),
    ...[201, 202, 203, 206, 207, 226, 400, 402, 404, 405, 407, 418, 422].map((status) => say(status, itself)),
    say(204, ''),
    say(304, ''),
  ],
  redirect: [
    ...[301, 302, 303, 307, 308].map(
      (status): Form =>
        (response, genuine, elsewhere) =>
          response.writeHead(status, { location: elsewhere, 'content-type': JSON_TYPE }).end(genuine),
    ),
    (response, genuine) =>
      response.writeHead(307, { location: '/elsewhere', 'content-type': JSON_TYPE }).end(genuine),
    (response, genuine, elsewhere) =>
      response
        .writeHead(200, {
          refresh: `0; url=${elsewhere}`,
          'content-location': elsewhere,
          'content-type': 'text/html',
        })
        .end(genuine),
    (response, _, elsewhere) =>
      pour(response.writeHead(302, { location: elsewhere, 'content-type': JSON_TYPE })),
  ],
  flood: [
    (response) => pour(response.writeHead(200, { 'content-type': JSON_TYPE })),
    (response, genuine) => {
      response.writeHead(200, { 'content-type': JSON_TYPE, 'content-length': FLOOD_BYTES });
      response.write(genuine.replace(/}$/, ',"x":"'));
      pour(response, FLOOD_BYTES - genuine.length - 100);
    },
    (response) =>
      response.writeHead(200, { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' }).end(BOMB),
    (response) => pour(response.writeHead(500, { 'content-type': 'text/html' })),
    (response) => {
      const { socket } = response;
      socket?.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n');
      const pump = () => {
        while (!socket?.destroyed && socket?.write(`x-more: ${'x'.repeat(1_000)}\r\n`));
      };
      socket?.on('drain', pump);
      pump();
    },
  ],
  reset: [
    ({ socket }) => socket?.resetAndDestroy(),
    ({ socket }) => socket?.end(),
    ({ socket }) => socket?.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'),
    ...(
      [
        [(genuine: string) => genuine, 1],
        [(genuine: string) => genuine.slice(0, -1), 1],
        [(genuine: string) => genuine.slice(0, 20), 0],
      ] as const
    ).flatMap(([part, missing]) =>
      (['end', 'resetAndDestroy'] as const).map(
        (way): Form =>
          (response, genuine) => {
            const { socket } = response;
            response.writeHead(200, {
              'content-type': JSON_TYPE,
              'content-length': genuine.length + missing,
            });
            response.write(part(genuine), () => socket?.[way]());
          },
      ),
    ),
    // The last chunk, which ends the body, is never sent.
    (response, genuine) => {
      const { socket } = response;
      response.writeHead(200, { 'content-type': JSON_TYPE }).write(genuine, () => socket?.end());
    },
  ],
};

/** Sends bytes as fast as the client reads them, at most `bytes`. */
function pour(response: ServerResponse, bytes = Number.POSITIVE_INFINITY): void {
  let left = bytes;
  const pump = () => {
    while (left > 0 && !response.destroyed) {
      left -= CHUNK.length;
      if (!response.write(left < 0 ? CHUNK.subarray(0, CHUNK.length + left) : CHUNK)) return;
    }
  };
  response.on('drain', pump);
  pump();
}
