// Replies that are held back on a real server: each way to write one, which of them leave unsigned,
// and how much is held. Replies that fail are in hold-reply-faults.test.ts.
import { Agent, get, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it, vi } from 'vitest';
import { holdReply } from '../../src/adapter/hold-reply.ts';
import { MAX_REPLY_BYTES } from '../../src/signing/reply-body.ts';
import {
  ask,
  CANARY,
  exchange,
  expectBare500,
  type Listener,
  leave,
  refuse,
  SIGNED,
  type Sign,
  serve,
  signs,
  writeAll,
} from './held.ts';

describe('KD-5: each way to write a reply', () => {
  it.each<[string, Listener]>([
    ['end(text)', (response) => response.end('{"a":"Zoë"}')],
    ['end(bytes)', (response) => response.end(Buffer.from('{"a":"Zoë"}'))],
    ['end(Uint8Array)', (response) => response.end(new TextEncoder().encode('{"a":"Zoë"}'))],
    ['end(text, encoding)', (response) => response.end('{"a":"Zoë"}', 'utf8')],
    ['end(text, encoding, callback)', (response) => response.end('{"a":"Zoë"}', 'utf8', () => {})],
    ['end(text, callback)', (response) => response.end('{"a":"Zoë"}', () => {})],
    ['base64', (response) => response.end(Buffer.from('{"a":"Zoë"}').toString('base64'), 'base64')],
    ['hex', (response) => response.end(Buffer.from('{"a":"Zoë"}').toString('hex'), 'hex')],
    ['latin1', (response) => response.end(Buffer.from('{"a":"Zoë"}').toString('latin1'), 'latin1')],
    [
      'several writes in several encodings',
      (response) => {
        response.write('{"a":');
        response.write(Buffer.from('"Zo').toString('base64'), 'base64');
        response.write('ë', () => {});
        response.write(new Uint8Array([0x22]));
        response.end(Buffer.from('}'));
      },
    ],
    ['writes before an empty end', (response) => writeAll(response, '{"a":"Zo', Buffer.from('ë"}')).end()],
    ['end(null)', (response) => writeAll(response, '{"a":"Zoë"}').end(null as never)],
    ['pipe', (response) => Readable.from(Buffer.from('{"a":"Zoë"}')).pipe(response)],
    ['pipeline', (response) => pipeline(Readable.from(['{"a":', '"Zoë"}']), response)],
    [
      'a web stream',
      (response) => Readable.fromWeb(new Response('{"a":"Zoë"}').body as never).pipe(response),
    ],
    [
      'flushHeaders, and later',
      (response) => {
        response.flushHeaders();
        setImmediate(() => {
          response.write('{"a":');
          setImmediate(() => response.end('"Zoë"}'));
        });
      },
    ],
    [
      'corked',
      (response) => {
        response.cork();
        writeAll(response, '{"a":"Zoë"}').uncork();
        response.end();
      },
    ],
  ])('KD-5: %s', async (_, handler) => {
    const answer = await ask(handler);
    expect(answer.given).toEqual([{ status: 200, body: Buffer.from('{"a":"Zoë"}'), type: undefined }]);
    expect(answer.body).toBe(SIGNED.body);
    expect(answer.headers).toContain(`content-length: ${SIGNED.body.length}`);
    expect(answer.linesOf(/^content-type/)).toEqual(['content-type: application/json; charset=utf-8']);
  });

  it('KD-5: utf16le arrives as the bytes that would have left', async () => {
    const answer = await ask((response) => response.end('é', 'utf16le'), { sign: leave });
    expect(answer.given[0]?.body).toEqual(Buffer.from('é', 'utf16le'));
    expect(answer.raw).toContain('\r\n\r\n\u{fffd}\0');
  });

  it('KD-5: a buffer that is changed after it was written', async () => {
    const answer = await ask((response) => {
      const bytes = Buffer.from('first');
      response.write(bytes);
      bytes.fill('x');
      response.end();
    });
    expect(answer.given[0]?.body.toString()).toBe('first');
  });

  it.each<[string, Listener, string, readonly string[]]>([
    ['a status', (response) => response.writeHead(201), 'HTTP/1.1 201 Created', []],
    ['a status and a message', (response) => response.writeHead(201, 'Made'), 'HTTP/1.1 201 Made', []],
    [
      'an object',
      (response) => response.writeHead(201, { 'X-A': 'a', 'X-B': ['b', 'c'], 'X-None': undefined }),
      'HTTP/1.1 201 Created',
      ['x-a: a', 'x-b: b', 'x-b: c'],
    ],
    [
      'a message and an object',
      (response) => response.writeHead(201, 'Made', { 'X-A': 'a' }),
      'HTTP/1.1 201 Made',
      ['x-a: a'],
    ],
    [
      'a flat list',
      (response) => response.writeHead(201, ['X-A', 'a', 'X-B', 'b']),
      'HTTP/1.1 201 Created',
      ['x-a: a', 'x-b: b'],
    ],
    [
      'pairs',
      (response) =>
        response.writeHead(201, [
          ['X-A', 'a'],
          ['X-B', 'b'],
        ] as never),
      'HTTP/1.1 201 Created',
      ['x-a: a', 'x-b: b'],
    ],
    [
      'headers that were set before',
      (response) => {
        response.setHeader('X-A', 'before');
        response.setHeader('X-B', 'b');
        response.writeHead(201, { 'X-A': 'a' });
      },
      'HTTP/1.1 201 Created',
      ['x-a: a', 'x-b: b'],
    ],
  ])('KD-5: writeHead with %s', async (_, head, statusLine, headers) => {
    for (const sign of [signs, leave]) {
      const answer = await ask(
        (response, request) => {
          head(response, request);
          response.end('{}');
        },
        { sign },
      );
      expect(answer.given[0]?.status).toBe(201);
      expect(answer.statusLine).toBe(statusLine);
      expect(answer.linesOf(/^x-/)).toEqual(headers);
    }
  });

  it('KD-5: writeHead returns the response', async () => {
    const answer = await ask((response) => response.writeHead(200, { 'Content-Type': 'a/b' }).end('x'), {
      sign: leave,
    });
    expect(answer.given[0]?.type).toBe('a/b');
    expect(answer.body).toBe('x');
  });

  // Node: `writeHead(status, undefined, headers)` is `writeHead(status, headers)`.
  it('KD-5: writeHead with an undefined message and headers', async () => {
    const answer = await ask((response) =>
      response.writeHead(200, undefined as never, { 'X-A': 'a' }).end('{}'),
    );
    expect(answer.headers).toContain('x-a: a');
  });

  it.each<[string, unknown]>([
    ['a flat list', ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']],
    [
      'pairs',
      [
        ['Set-Cookie', 'a=1'],
        ['Set-Cookie', 'b=2'],
      ],
    ],
  ])('KD-5: writeHead with a name twice in %s', async (_, headers) => {
    const answer = await ask((response) => response.writeHead(200, headers as never).end('{}'));
    expect(answer.headers).toEqual(expect.arrayContaining(['set-cookie: a=1', 'set-cookie: b=2']));
  });

  it('KD-5: the callbacks of writes and of the end are called', async () => {
    const called: string[] = [];
    const answer = await ask((response) => {
      response.write('a', () => called.push('write'));
      response.write('b', 'utf8', () => called.push('write in an encoding'));
      response.on('finish', () => called.push('finish'));
      response.end('c', () => called.push('end'));
    });
    expect(answer.body).toBe(SIGNED.body);
    expect(called.toSorted()).toEqual(['end', 'finish', 'write', 'write in an encoding']);
  });

  it('KD-5: a long chain of writes, each from the callback of the one before', async () => {
    let thrown: unknown;
    await ask((response) => {
      let left = 50_000;
      const next = (): void => {
        if (left-- > 0) response.write('x', next);
        else response.end();
      };
      try {
        next();
      } catch (error) {
        thrown = error;
        response.end();
      }
    });
    expect(thrown).toBeUndefined();
  });

  it('KD-5: the callback of the end is called when the reply cannot be signed', async () => {
    const called: string[] = [];
    await ask((response) => response.end('x', () => called.push('end')), { sign: refuse });
    expect(called).toEqual(['end']);
  });
});

describe('D24: replies that leave unsigned', () => {
  it('D24: a reply that is not signed: the same bytes and length', async () => {
    const answer = await ask(
      (response) => {
        response.setHeader('ETag', '"e"');
        response.setHeader('Content-Length', 5);
        response.write('Zo');
        response.end('ë!');
      },
      { sign: leave },
    );
    expect(answer.body).toBe('Zoë!');
    expect(answer.headers).toEqual(expect.arrayContaining(['etag: "e"', 'content-length: 5']));
  });

  it.each([300, 302, 401, 404, 500])('D24: a %i is held, and judged as a whole', async (status) => {
    const judged: unknown[] = [];
    const port = await serve((_request, response) => {
      holdReply(response, async ({ status: of, body }) => void judged.push([of, String(body)]));
      response.writeHead(status, { 'X-A': 'a', 'Content-Type': 'application/json' });
      response.write('{"a":');
      response.end('1}');
    });
    const answer = await exchange(port);
    expect([answer.statusLine.split(' ')[1], answer.body]).toEqual([String(status), '{"a":1}']);
    expect(answer.headers).toContain('x-a: a');
    expect(judged).toEqual([[status, '{"a":1}']]);
  });

  it('S42: a 500 that is too long leaves without its body', async () => {
    const answer = await ask((response) => {
      response.writeHead(500, { 'Content-Type': 'application/json' });
      for (let piece = 0; piece < 3; piece++) response.write(`"${CANARY}${'x'.repeat(MAX_REPLY_BYTES)}`);
      response.end('"');
    });
    expectBare500(answer);
    expect(answer.failures).toEqual([]);
  });

  it.each(['text/event-stream', 'application/x-ndjson', 'text/html'])(
    'S42: %s: nothing leaves before it has ended',
    async (type) => {
      for (const flush of [true, false])
        for (const status of [200, 404]) {
          const answer = await ask((response) => {
            response.writeHead(status, { 'Content-Type': type });
            if (flush) response.flushHeaders();
            response.write(`data: ${CANARY}\n\n`);
            // A 200 is refused before this.
            setImmediate(() => setImmediate(() => response.end(CANARY)));
          });
          expect(answer.statusLine).toBe(
            `HTTP/1.1 ${status === 200 ? '500 Internal Server Error' : '404 Not Found'}`,
          );
          expect([answer.body, answer.failures.length]).toEqual(['', status === 200 ? 1 : 0]);
          expect(answer.raw).not.toContain(CANARY);
        }
    },
  );

  it.each([200, 500])('S42: trailers of a %i do not leave', async (status) => {
    const answer = await ask((response) => {
      response.writeHead(status, { 'Content-Type': 'application/json', Trailer: 'X-Claims' });
      response.write('{"a":1}');
      response.addTrailers({ 'X-Claims': CANARY });
      response.end();
    });
    expect(answer.raw).not.toContain(CANARY);
    expect(answer.statusLine).toContain('500');
    expect(answer.failures.map(({ message }) => message)).toEqual(
      status === 200 ? ['signResponse: the reply has trailers'] : [],
    );
  });

  it('S42: a status that is changed after the first write does not let the rest leave', async () => {
    for (const rest of [`{"sub":"${CANARY}"}`, `{"sub":"${CANARY}"}}`]) {
      const answer = await ask((response) => {
        response.setHeader('Content-Type', 'application/json');
        response.write('{"access_token":');
        response.statusCode = 400;
        response.end(rest);
      });
      expect([answer.statusLine, answer.body]).toEqual(['HTTP/1.1 400 Bad Request', '']);
      expect(answer.raw).not.toContain(CANARY);
    }
  });

  it('D24: a refusal without a body', async () => {
    const answer = await ask((response) => response.writeHead(401).end());
    expect([answer.statusLine, answer.given]).toEqual(['HTTP/1.1 401 Unauthorized', []]);
  });

  it.each([204, 304])('D24: a %i', async (status) => {
    const answer = await ask((response) => response.writeHead(status).end(), { sign: leave });
    expect(answer.statusLine).toContain(String(status));
    expect(answer.body).toBe('');
  });

  it('D24: a HEAD has no body, whatever is written', async () => {
    for (const sign of [leave, signs]) {
      const answer = await ask((response) => response.end(CANARY), { method: 'HEAD', sign });
      expect([answer.statusLine, answer.body]).toEqual(['HTTP/1.1 200 OK', '']);
    }
  });

  it('D24: 100 Continue and 103 Early Hints are not held', async () => {
    const answer = await ask((response) => {
      response.writeContinue();
      response.writeEarlyHints({ link: '</a>; rel=preload' });
      response.end('x');
    });
    expect(answer.raw).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 103 Early Hints\r\n/);
    expect(answer.raw).toContain(SIGNED.body);
  });

  it('S42, leaves unsigned: headers, the status message, and 1xx', async () => {
    const answer = await ask((response) => {
      response.writeEarlyHints({ link: '</early>' });
      response.statusMessage = 'Message';
      response.setHeader('X-Header', 'header');
      response.end('{}');
    });
    for (const text of ['</early>', 'Message', 'x-header: header'])
      expect(answer.raw.toLowerCase()).toContain(text.toLowerCase());
  });

  it('S42, leaves unsigned: what is written to the connection itself', async () => {
    const answer = await ask((response) => {
      response.socket?.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\npast the response');
    });
    expect(answer.body).toBe('past the response');
  });

  it('D24: a reply without a body', async () => {
    const answer = await ask((response) => response.end(), { sign: leave });
    expect([answer.statusLine, answer.given[0]?.body.length]).toEqual(['HTTP/1.1 200 OK', 0]);
  });
});

describe('S42: how much is held', () => {
  const mebibyte = 'x'.repeat(MAX_REPLY_BYTES);

  it('S42: exactly as much as is allowed', async () => {
    const answer = await ask((response) => response.end(mebibyte), { sign: leave });
    expect(answer.body.length).toBe(MAX_REPLY_BYTES);
  });

  it.each<[string, Listener]>([
    ['at once', (response) => response.end(`${mebibyte}${CANARY}`)],
    ['in pieces', (response) => writeAll(response, mebibyte).end(CANARY)],
    [
      'from a stream',
      // The stream gets an error.
      (response) =>
        pipeline(Readable.from([`${CANARY}${mebibyte}`, mebibyte, mebibyte]), response).catch(() => {}),
    ],
  ])('S42: more is an error: %s', async (_, handler) => {
    const answer = await ask(handler);
    expect(answer.given).toEqual([]);
    expect(answer.failures.map(({ message }) => message)).toEqual([
      `signResponse: the reply is longer than ${MAX_REPLY_BYTES} bytes`,
    ]);
    // The answer of the error handler could be a late write of the handler, so it does not leave.
    expectBare500(answer);
  });

  it('S42: no more bytes are kept than the limit', async () => {
    const concat = vi.spyOn(Buffer, 'concat');
    await ask((response) => {
      for (let piece = 0; piece < 100; piece++) response.write(mebibyte);
      response.end();
    });
    const lengths = concat.mock.calls.map(([chunks]) => chunks.reduce((sum, { length }) => sum + length, 0));
    concat.mockRestore();
    expect(Math.max(...lengths)).toBeLessThanOrEqual(MAX_REPLY_BYTES);
  });

  it('S42: a stream without end is an error as soon as it is too long', async () => {
    const failed = vi.fn();
    await new Promise<void>((resolve) => {
      void serve((_request, response) => {
        holdReply(response, leave, failed);
        for (let piece = 0; piece < 100; piece++) response.write(mebibyte);
        setImmediate(resolve);
      }).then((port) => exchange(port).catch(() => {}));
    });
    expect(failed).toHaveBeenCalledTimes(1);
  });
});

describe('KD-5: connections, and other code that wraps the response', () => {
  it('KD-5: a connection that is kept serves one reply after the other', async () => {
    const all = [signs, refuse, leave, signs];
    const sockets = new Set<unknown>();
    const port = await serve((request, response) => {
      sockets.add(request.socket);
      const sign = all.shift() ?? refuse;
      const judge: Sign = (reply) => (reply.status === 500 ? leave(reply) : sign(reply));
      holdReply(response, judge, () => response.writeHead(500).end('failed'));
      response.end('as it was');
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const bodies: string[] = [];
    while (all.length > 0) {
      const answer = await new Promise<IncomingMessage>((resolve) => get({ port, agent }, resolve));
      bodies.push(Buffer.concat(await answer.toArray()).toString());
    }
    agent.destroy();
    expect(bodies).toEqual([SIGNED.body, 'failed', 'as it was', SIGNED.body]);
    expect(sockets.size).toBe(1);
  });

  it('KD-5: requests that are pipelined are answered in order', async () => {
    let count = 0;
    const port = await serve((_request, response) => {
      const mine = ++count;
      // The first takes longest.
      const sign: Sign = () =>
        new Promise((resolve) => {
          let turns = mine === 1 ? 5 : 0;
          const wait = () =>
            turns-- > 0 ? setImmediate(wait) : resolve({ ...SIGNED, body: `reply ${mine};` });
          wait();
        });
      holdReply(response, sign, () => {});
      response.end('x');
    });
    const socket = connect(port, '127.0.0.1', () => {
      const request = 'GET / HTTP/1.1\r\nHost: a\r\n';
      socket.write(`${request}\r\n${request}\r\n${request}Connection: close\r\n\r\n`);
    });
    let raw = '';
    for await (const chunk of socket) raw += chunk;
    expect(raw.match(/reply \d;/g)).toEqual(['reply 1;', 'reply 2;', 'reply 3;']);
  });

  it('KD-5: a client that leaves before the end', async () => {
    const left = new Promise<string>((resolve) => {
      void serve((request, response) => {
        holdReply(response, signs, () => resolve('failed'));
        response.write('first');
        response.on('close', () => {
          response.write('second');
          response.end('last', () => resolve('ended'));
          setImmediate(() => resolve('no callback'));
        });
        request.socket.destroy();
      }).then((port) => exchange(port).catch(() => {}));
    });
    expect(await left).not.toBe('failed');
  });

  it('KD-5: an earlier wrapper sees what leaves, and a later one what is written', async () => {
    const seen: string[] = [];
    const wrap = (response: ServerResponse, who: string) => {
      const { end } = response;
      response.end = ((...given: Parameters<ServerResponse['end']>) => {
        seen.push(`${who}: ${String(given[0])}`);
        return Reflect.apply(end, response, given);
      }) as ServerResponse['end'];
    };
    const port = await serve((_request, response) => {
      wrap(response, 'before');
      holdReply(response, signs, () => {});
      wrap(response, 'later');
      response.end('as it was');
    });
    await exchange(port);
    expect(seen).toEqual(['later: as it was', `before: ${SIGNED.body}`]);
  });

  it('KD-5: a later wrapper stays on the response', async () => {
    let isThere = false;
    await ask((response) => {
      const { end } = response;
      const wrapper = ((...given: Parameters<ServerResponse['end']>) =>
        Reflect.apply(end, response, given)) as ServerResponse['end'];
      response.end = wrapper;
      response.on('finish', () => {
        isThere = response.end === wrapper;
      });
      response.end('x');
    });
    expect(isThere).toBe(true);
  });
});
