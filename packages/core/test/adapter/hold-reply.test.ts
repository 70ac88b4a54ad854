// Replies held back on a real server, however they are written, and what is on the wire then.
import { Agent, createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { holdReply } from '../../src/adapter/hold-reply.ts';
import { MAX_REPLY_BYTES, type OutgoingReply, type SignedReply } from '../../src/signing/reply-body.ts';
import { listen } from '../support/servers.ts';

const CANARY = 'canary-5f1d7c';
const SIGNED = { object: { signed: true }, body: '{"signed":true}' } as const satisfies SignedReply;

const restores: (() => void)[] = [];
afterEach(async () => {
  for (const restore of restores.splice(0)) restore();
});

type Listener = (response: ServerResponse, request: IncomingMessage) => unknown;
type Sign = (reply: OutgoingReply) => Promise<SignedReply | undefined>;

async function serve(
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<number> {
  const server = createServer(listener);
  return listen(server);
}

interface Answer {
  readonly raw: string;
  readonly statusLine: string;
  readonly headers: readonly string[];
  readonly body: string;
}

/** One request, everything that comes back until the server closes the connection. */
async function exchange(port: number, method = 'GET'): Promise<Answer> {
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
  // Chunks by their lines: no body here has one.
  const pieces = body.split('\r\n').filter((_, index) => index % 2 === 1);
  return { raw, statusLine, headers: names, body: isChunked ? pieces.join('') : body };
}

interface Asked extends Answer {
  /** What `sign` was given. */
  readonly given: { readonly status: number; readonly body: Buffer; readonly type: unknown }[];
  readonly failures: Error[];
}

interface Settings {
  readonly sign?: Sign;
  readonly fail?: (error: Error, response: ServerResponse) => void;
  readonly method?: string;
}

/** Serves one reply behind `holdReply`, and gives what came of it. */
async function ask(handler: Listener, { sign = signs, fail, method }: Settings = {}): Promise<Asked> {
  const given: Asked['given'] = [];
  const failures: Error[] = [];
  const port = await serve((request, response) => {
    holdReply(
      response,
      async (reply) => {
        // As the signer does with what is JSON: it is no 2xx, and leaves.
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

/** What escaped: nobody may have to restart a service because of one reply. */
function escapes(): unknown[] {
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

const leave: Sign = () => Promise.resolve(undefined);
const refuse: Sign = () => Promise.reject(new Error('cannot be signed'));
/** What signs, signs what is a 2xx, and says so in its head. */
const signs: Sign = async ({ status, setHeader, removeHeader }) => {
  if (status < 200 || status > 299) return undefined;
  for (const name of ['Content-Length', 'ETag']) removeHeader(name);
  setHeader('Content-Type', 'application/json; charset=utf-8');
  setHeader('Cache-Control', 'no-store');
  return SIGNED;
};

describe('KD-5: however it is written', () => {
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
    [
      'writes without an end of their own',
      (response) => {
        response.write('{"a":"Zo');
        response.write(Buffer.from('ë"}'));
        response.end();
      },
    ],
    [
      'end(null)',
      (response) => {
        response.write('{"a":"Zoë"}');
        response.end(null as never);
      },
    ],
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
        response.write('{"a":"Zoë"}');
        response.uncork();
        response.end();
      },
    ],
  ])('KD-5: %s', async (_, handler) => {
    const answer = await ask(handler);
    expect(answer.given).toEqual([{ status: 200, body: Buffer.from('{"a":"Zoë"}'), type: undefined }]);
    expect(answer.body).toBe(SIGNED.body);
    expect(answer.headers).toContain(`content-length: ${SIGNED.body.length}`);
    expect(answer.headers.filter((line) => line.startsWith('content-type'))).toEqual([
      'content-type: application/json; charset=utf-8',
    ]);
  });

  it('KD-5: utf16le arrives as the bytes that would have left', async () => {
    const answer = await ask((response) => response.end('é', 'utf16le'), { sign: leave });
    expect(answer.given[0]?.body).toEqual(Buffer.from('é', 'utf16le'));
    expect(answer.raw).toContain('\r\n\r\n\u{fffd}\0');
  });

  it('KD-5: bytes that are changed after they were written', async () => {
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
      'what was set before',
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
      expect(answer.headers.filter((line) => line.startsWith('x-'))).toEqual(headers);
    }
  });

  it('KD-5: writeHead can be followed, as by a chain of calls', async () => {
    const answer = await ask((response) => response.writeHead(200, { 'Content-Type': 'a/b' }).end('x'), {
      sign: leave,
    });
    expect(answer.given[0]?.type).toBe('a/b');
    expect(answer.body).toBe('x');
  });

  // Node: `writeHead(status, undefined, headers)` is `writeHead(status, headers)`.
  it('KD-5: writeHead with no message, and headers behind it', async () => {
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
  ])('KD-5: writeHead with a name that stands twice in %s', async (_, headers) => {
    const answer = await ask((response) => response.writeHead(200, headers as never).end('{}'));
    expect(answer.headers).toEqual(expect.arrayContaining(['set-cookie: a=1', 'set-cookie: b=2']));
  });

  it('KD-5: callbacks are called: of writes, and of the end when the reply has left', async () => {
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

  it('KD-5: the callback of the end is called too when the reply cannot be signed', async () => {
    const called: string[] = [];
    await ask((response) => response.end('x', () => called.push('end')), { sign: refuse });
    expect(called).toEqual(['end']);
  });
});

describe('D24: what leaves as it is', () => {
  it('D24: nothing to be signed: the same bytes, and their length', async () => {
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

  it('S42: of a 500, what is too long leaves as a status', async () => {
    const answer = await ask((response) => {
      response.writeHead(500, { 'Content-Type': 'application/json' });
      for (let piece = 0; piece < 3; piece++) response.write(`"${CANARY}${'x'.repeat(MAX_REPLY_BYTES)}`);
      response.end('"');
    });
    expect([answer.statusLine, answer.body]).toEqual(['HTTP/1.1 500 Internal Server Error', '']);
    expect(answer.failures).toEqual([]);
  });

  it.each(['text/event-stream', 'application/x-ndjson', 'text/html'])(
    'S42: of %s, nothing leaves, though it has not ended',
    async (type) => {
      for (const flush of [true, false])
        for (const status of [200, 404]) {
          const answer = await ask((response) => {
            response.writeHead(status, { 'Content-Type': type });
            if (flush) response.flushHeaders();
            response.write(`data: ${CANARY}\n\n`);
            // A 200 is refused by then. Otherwise it ends some time.
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

  it('D24: a reply without end or body that is none', async () => {
    const answer = await ask((response) => response.end(), { sign: leave });
    expect([answer.statusLine, answer.given[0]?.body.length]).toEqual(['HTTP/1.1 200 OK', 0]);
  });
});

describe('S42: what cannot be signed', () => {
  const unsignable: Listener = (response) => {
    response.statusMessage = 'Fine';
    response.setHeader('X-A', 'a');
    response.setHeader('Set-Cookie', 'a=1');
    response.writeHead(200, {
      'Content-Type': 'application/json',
      'Content-Length': CANARY.length,
      'Content-Encoding': 'identity',
      'Content-Disposition': 'attachment',
      ETag: `"${CANARY}"`,
      'Last-Modified': CANARY,
      'Cache-Control': 'public',
    });
    response.end(CANARY);
  };

  it('S42: nothing of it is on the wire, and nothing that was said of it', async () => {
    const answer = await ask(unsignable, { sign: refuse });
    expect(answer.failures.map(({ message }) => message)).toEqual(['cannot be signed']);
    expect(answer.raw).not.toContain(CANARY);
    expect(answer.body).toBe('failed');
    const ofTheMessage = /^(?:date|connection|transfer-encoding):/;
    expect(answer.headers.filter((line) => !ofTheMessage.test(line))).toEqual(['x-a: a', 'set-cookie: a=1']);
  });

  it('S42: what is thrown is an error, whatever was thrown', async () => {
    for (const reason of [undefined, null, 'text', 0]) {
      const answer = await ask(unsignable, { sign: () => Promise.reject(reason) });
      expect(answer.failures).toEqual([expect.any(Error)]);
    }
  });

  it('S42: whoever fails may write a head, and stream', async () => {
    const answer = await ask(unsignable, {
      sign: refuse,
      fail: (_error, response) => {
        response.writeHead(502, 'Bad', { 'Content-Type': 'text/plain' });
        response.write('one ');
        setImmediate(() => response.end('two'));
      },
    });
    expect(answer.statusLine).toBe('HTTP/1.1 502 Bad');
    expect(answer.raw).not.toContain(CANARY);
  });

  it('S42: whoever fails may tear the connection down', async () => {
    const answer = await ask(unsignable, {
      sign: refuse,
      fail: (_error, response) => void response.destroy(),
    });
    expect(answer.raw).toBe('');
  });

  it.each<[string, Listener]>([
    ['end', (response) => response.end(CANARY)],
    ['write', (response) => response.write(CANARY)],
    ['another status and end', (response) => response.writeHead(404).end(CANARY)],
  ])('S42: %s after the end is harmless, while it is signed', async (_, late) => {
    for (const sign of [signs, refuse, leave]) {
      const handler: Listener = (response, request) => {
        response.end('first');
        late(response, request);
      };
      const answer = await ask(handler, { sign });
      expect(answer.raw).not.toContain(CANARY);
    }
  });

  it('S42: what is written after the failure, and before somebody answers, does not leave as a 200', async () => {
    const answer = await ask(
      (response) => {
        response.end('first');
        setImmediate(() => response.end(CANARY));
      },
      {
        sign: refuse,
        fail: (_error, response) => {
          setImmediate(() => {
            setImmediate(() => {
              if (!response.headersSent) response.writeHead(500).end();
            });
          });
        },
      },
    );
    expect(answer.raw).not.toContain(CANARY);
  });

  it('S42: what was written before the handler failed does not leave with its error', async () => {
    const answer = await ask((response) => {
      response.write(CANARY);
      // What every framework does when a handler throws, and no head has been sent.
      if (!response.headersSent) {
        response.statusCode = 500;
        response.setHeader('Content-Length', 5);
        response.end('fault');
      }
    });
    expect(answer.raw).not.toContain(CANARY);
  });

  it('S42: a reply that has been written is not said to be unsent', async () => {
    let headersSent = false;
    await ask((response) => {
      response.end('first');
      headersSent = response.headersSent;
    });
    expect(headersSent).toBe(true);
  });
});

describe('S42: how much is held', () => {
  const mebibyte = 'x'.repeat(MAX_REPLY_BYTES);

  it('S42: exactly as much as may be', async () => {
    const answer = await ask((response) => response.end(mebibyte), { sign: leave });
    expect(answer.body.length).toBe(MAX_REPLY_BYTES);
  });

  it.each<[string, Listener]>([
    ['at once', (response) => response.end(`${mebibyte}${CANARY}`)],
    [
      'in pieces',
      (response) => {
        response.write(mebibyte);
        response.end(CANARY);
      },
    ],
    [
      'from a stream',
      // It is told that nobody reads it any more.
      (response) =>
        pipeline(Readable.from([`${CANARY}${mebibyte}`, mebibyte, mebibyte]), response).catch(() => {}),
    ],
  ])('S42: more is an error: %s', async (_, handler) => {
    const answer = await ask(handler);
    expect(answer.given).toEqual([]);
    expect(answer.failures.map(({ message }) => message)).toEqual([
      `signResponse: the reply is longer than ${MAX_REPLY_BYTES} bytes`,
    ]);
    // What is still written could be taken for the answer.
    expect([answer.statusLine, answer.body]).toEqual(['HTTP/1.1 500 Internal Server Error', '']);
  });

  it('S42: no more is kept than is needed to know', async () => {
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

describe('KD-5: around it', () => {
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
          setImmediate(() => resolve('nobody was told'));
        });
        request.socket.destroy();
      }).then((port) => exchange(port).catch(() => {}));
    });
    expect(await left).not.toBe('failed');
  });

  it('KD-5: one that wrapped the response before sees what leaves, and one behind what is written', async () => {
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
      wrap(response, 'behind');
      response.end('as it was');
    });
    await exchange(port);
    expect(seen).toEqual(['behind: as it was', `before: ${SIGNED.body}`]);
  });

  it('KD-5: what was put on behind stays, for whoever takes it off again', async () => {
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

describe('S42: one that fails midway, and is answered by another', () => {
  const json = { 'Content-Type': 'application/json' };
  /** What speaks of the bytes that were held. */
  const begins: Listener = (response) => {
    response.setHeader('Content-Security-Policy', "default-src 'none'");
    response.writeHead(200, {
      ...json,
      'Content-Length': 500,
      ETag: `"${CANARY}"`,
      'Content-Encoding': 'identity',
    });
    response.write(`{"access_token":{"sub":"${CANARY}"`);
  };

  it('S42: with a refusal: its status leaves, and no bytes of either', async () => {
    const answer = await ask((response, request) => {
      begins(response, request);
      response.statusCode = 502;
      response.setHeader('Content-Type', 'text/plain');
      response.end('failed');
    });
    expect([answer.statusLine, answer.body]).toEqual(['HTTP/1.1 502 Bad Gateway', '']);
    expect(answer.raw).not.toContain(CANARY);
    expect(answer.headers).toContain("content-security-policy: default-src 'none'");
    expect(answer.headers.filter((line) => /^content-(?:length: 500|encoding)/.test(line))).toEqual([]);
    expect([answer.given, answer.failures]).toEqual([[], []]);
  });

  it('S42: with another head: writeHead of a 2xx, and of a refusal', async () => {
    const answer = await ask((response) => {
      response.writeHead(200, { ...json, 'Content-Length': 500 });
      response.writeHead(404, { 'Content-Length': 2 }).end('no');
    });
    expect([answer.statusLine, answer.body]).toEqual(['HTTP/1.1 404 Not Found', 'no']);
    expect(answer.headers.filter((line) => line.startsWith('content-length'))).toEqual(['content-length: 2']);
  });

  it.each<[string, Listener]>([
    [
      'another type and length, as frameworks set them',
      (response) => {
        response.setHeader('Content-Type', 'application/json; charset=utf-8');
        response.setHeader('Content-Length', 12);
        response.end('{"other":{}}');
      },
    ],
    ['writeHead', (response) => response.writeHead(201, json).end('{"other":{}}')],
  ])('S42: with another 2xx: it could be the rest of the first, and nothing leaves: %s', async (_, other) => {
    const answer = await ask((response, request) => {
      begins(response, request);
      other(response, request);
    });
    expect(answer.given).toEqual([]);
    expect(answer.raw).not.toContain(CANARY);
    expect([answer.statusLine, answer.body]).toEqual(['HTTP/1.1 500 Internal Server Error', '']);
  });

  it.each([200, 500])(
    'S42: what compresses behind, and still has some of the first: a bare 500, not a %i',
    async (status) => {
      const escaped = escapes();
      const answer = await ask((response) => {
        const { write, end } = response;
        let kept = '';
        response.write = ((chunk: string) => {
          if (!response.headersSent) response.writeHead(response.statusCode, { 'Content-Encoding': 'gzip' });
          Reflect.apply(write, response, ['magic']);
          kept += chunk;
          return true;
        }) as ServerResponse['write'];
        response.end = ((chunk: string) => {
          if (!response.headersSent) response.writeHead(response.statusCode);
          return Reflect.apply(end, response, [kept + chunk]);
        }) as ServerResponse['end'];
        response.write(CANARY);
        for (const name of response.getHeaderNames()) response.removeHeader(name);
        response.statusCode = status;
        response.setHeader('Content-Length', 5);
        response.end('fault');
      });
      expect([answer.statusLine, answer.body]).toEqual(['HTTP/1.1 500 Internal Server Error', '']);
      expect(escaped).toEqual([]);
    },
  );

  it('S42: the first may go on, to nobody', async () => {
    const escaped = escapes();
    const source = Readable.from([CANARY, CANARY, CANARY]);
    const answer = await ask((response) => {
      response.write(CANARY);
      source.pipe(response);
      response.statusCode = 500;
      response.end('failed');
      response.write(CANARY);
      response.end(CANARY);
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect([answer.statusLine, answer.body]).toEqual(['HTTP/1.1 500 Internal Server Error', '']);
    expect(escaped).toEqual([]);
  });

  it('S42: a refusal that Node does not take fails as a reply that cannot be signed does', async () => {
    const answer = await ask((response) => {
      expect(() => response.writeHead(99)).toThrow(RangeError);
      response.statusCode = 404;
      response.statusMessage = 'a\nb';
      response.end(CANARY);
    });
    expect([answer.statusLine, answer.body]).toEqual(['HTTP/1.1 500 Internal Server Error', 'failed']);
    expect(answer.failures).toEqual([expect.any(TypeError)]);
  });
});

describe('S42: no reply hangs', () => {
  it('S42: an answer that cannot be signed either is a bare 500', async () => {
    const answer = await ask((response) => response.end(CANARY), {
      sign: refuse,
      fail: (_error, response) => {
        response.setHeader('Content-Length', 500);
        response.end(CANARY);
      },
    });
    expect([answer.statusLine, answer.body]).toEqual(['HTTP/1.1 500 Internal Server Error', '']);
    expect(answer.raw).not.toContain(CANARY);
    expect(answer.failures).toHaveLength(1);
  });

  it.each<[string, Listener]>([
    ['a handler that has ended', (response) => response.end('x'.repeat(MAX_REPLY_BYTES + 1))],
    [
      'a handler that goes on',
      (response) => {
        for (let piece = 0; piece < 5; piece++) response.write('x'.repeat(MAX_REPLY_BYTES));
        setImmediate(() => response.end(CANARY));
      },
    ],
    [
      'a stream without end',
      (response) =>
        Readable.from(
          (function* () {
            for (;;) yield 'x'.repeat(65_536);
          })(),
        ).pipe(response),
    ],
    [
      'a chain of callbacks without end',
      (response) => {
        const next = () => {
          if (!response.destroyed) response.write('x'.repeat(65_536), next);
        };
        next();
      },
    ],
  ])('S42: too long, answered with a 200: %s', async (_, handler) => {
    for (const later of [false, true]) {
      const answer = await ask(handler, {
        fail: (_error, response) => {
          const respond = () => void response.end('sorry');
          if (later) setTimeout(respond, 5);
          else respond();
        },
      });
      expect([answer.statusLine, answer.body]).toEqual(['HTTP/1.1 500 Internal Server Error', '']);
      expect(answer.failures).toHaveLength(1);
    }
  });

  it('S42: one that waits for drain is told', async () => {
    const ended = new Promise<void>((resolve) => {
      void ask(async (response) => {
        for (let piece = 0; piece < 40; piece++)
          if (!response.write('x'.repeat(65_536)))
            await new Promise((drained) => response.once('drain', drained));
        resolve();
      });
    });
    await ended;
  });

  it('S42: an end that was called before has its callback', async () => {
    const called: number[] = [];
    await ask((response) => {
      response.end('first', () => called.push(1));
      response.end('second', () => called.push(2));
    });
    expect(called.toSorted()).toEqual([1, 2]);
  });

  it('S42: a head that has left before is no reply to hold: the connection is torn down', async () => {
    const port = await serve((_request, response) => {
      response.flushHeaders();
      holdReply(response, signs, () => {});
      response.end(CANARY);
    });
    expect((await exchange(port)).raw).not.toContain(CANARY);
  });

  it('S42: whoever fails by a throw tears the connection down', async () => {
    const fail = () => {
      throw new Error('the error handler failed');
    };
    expect((await ask((response) => response.end(CANARY), { sign: refuse, fail })).raw).toBe('');
  });

  it.each<[string, Sign]>([
    ['signed', signs],
    ['left as it is', leave],
    ['refused', refuse],
  ])('S42: a client that leaves while it is %s', async (_, sign) => {
    const escaped = escapes();
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let settled = () => {};
    const done = new Promise<void>((resolve) => {
      settled = resolve;
    });
    const port = await serve((request, response) => {
      const waits: Sign = async (reply) => {
        await released;
        setImmediate(() => setImmediate(settled));
        return sign(reply);
      };
      holdReply(response, waits, () => response.writeHead(500).end('failed'));
      response.end(CANARY);
      response.on('close', release);
      request.socket.destroy();
    });
    await exchange(port).catch(() => {});
    await done;
    expect(escaped).toEqual([]);
  });
});

describe('S42: what others do meanwhile', () => {
  it('S42: what is set after the end does not count', async () => {
    for (const sign of [signs, leave]) {
      const answer = await ask(
        (response) => {
          response.setHeader('X-A', 'before');
          response.setHeader('X-B', 'before');
          response.end('x');
          response.setHeader('X-A', 'after');
          response.removeHeader('X-B');
          response.setHeader('X-C', 'after');
          response.statusCode = 404;
          response.statusMessage = 'After';
        },
        { sign },
      );
      expect(answer.statusLine).toBe('HTTP/1.1 200 OK');
      expect(answer.headers.filter((line) => line.startsWith('x-'))).toEqual(['x-a: before', 'x-b: before']);
    }
  });

  it('S42: what another calls a HEAD is none', async () => {
    const port = await serve((request, response) => {
      // As those do that let a header say the method.
      request.method = 'HEAD';
      holdReply(response, signs, () => {});
      response.end(CANARY);
    });
    expect((await exchange(port, 'POST')).body).toBe(SIGNED.body);
  });

  it('D24: how the reply would have been transferred', async () => {
    const answer = await ask((response) => {
      response.setHeader('Transfer-Encoding', 'chunked');
      response.write('x');
      response.end();
    });
    expect(answer.body).toBe(SIGNED.body);
    expect(answer.headers.filter((line) => /^(?:transfer-encoding|content-length)/.test(line))).toEqual([
      `content-length: ${SIGNED.body.length}`,
    ]);
  });

  /**
   * As express-session does it: sets its cookie when the head leaves, and holds the end up until it
   * has saved.
   */
  const session = (response: ServerResponse): void => {
    const { writeHead, end } = response;
    let isSet = false;
    response.writeHead = ((...given: Parameters<ServerResponse['writeHead']>) => {
      if (!isSet) response.setHeader('Set-Cookie', 'session=1');
      isSet = true;
      return Reflect.apply(writeHead, response, given);
    }) as ServerResponse['writeHead'];
    response.end = ((chunk: string) => {
      (response as unknown as { _implicitHeader(): void })._implicitHeader();
      response.write(chunk.slice(0, -1));
      setImmediate(() => Reflect.apply(end, response, [chunk.slice(-1)]));
      return response;
    }) as ServerResponse['end'];
  };

  it.each<[string, Listener]>([
    ['at once', (response) => response.end('{"a":1}')],
    [
      'in pieces',
      (response) => {
        response.write('{"a"');
        response.end(':1}');
      },
    ],
  ])('D24: a session behind it, of a reply %s', async (_, handler) => {
    for (const sign of [signs, leave]) {
      const answer = await ask(
        (response, request) => {
          session(response);
          handler(response, request);
        },
        { sign },
      );
      expect(answer.given.map(({ body }) => body.toString())).toEqual(['{"a":1}']);
      expect(answer.headers.filter((line) => line.startsWith('set-cookie'))).toEqual([
        'set-cookie: session=1',
      ]);
    }
  });

  it('D24: what takes one end only, behind it, does not keep the error back', async () => {
    const answer = await ask(
      (response) => {
        const { end } = response;
        let hasEnded = false;
        response.end = ((...given: Parameters<ServerResponse['end']>) => {
          if (!hasEnded) Reflect.apply(end, response, given);
          hasEnded = true;
          return response;
        }) as ServerResponse['end'];
        response.end(CANARY);
      },
      { sign: refuse },
    );
    expect([answer.statusLine, answer.body]).toEqual(['HTTP/1.1 500 Internal Server Error', 'failed']);
  });
});

describe('S42: what Node does not take', () => {
  const askOdd = async (head: (response: ServerResponse) => unknown) => {
    const escaped = escapes();
    const port = await serve((_request, response) => {
      holdReply(response, signs, () => response.writeHead(500, 'no').end('failed'));
      try {
        head(response);
        response.end('x');
      } catch {
        response.writeHead(500, 'no').end('thrown');
      }
      // Nobody else would: the request would stay open.
      setImmediate(() => setImmediate(() => response.destroy()));
    });
    const answer = await exchange(port);
    return { escaped, statusLine: answer.statusLine };
  };

  // Such as the status of a backend that has not answered.
  it.each([undefined, Number.NaN, 0, 99, 1000, 'x'])(
    'S42: a status of %s is answered',
    async (statusCode) => {
      const answer = await askOdd((response) => Object.assign(response, { statusCode }));
      expect(answer).toEqual({ escaped: [], statusLine: 'HTTP/1.1 500 no' });
    },
  );

  it('S42: a status message with a line break does not end the process, and is answered', async () => {
    const answer = await askOdd((response) => Object.assign(response, { statusMessage: 'a\nb' }));
    expect(answer).toEqual({ escaped: [], statusLine: 'HTTP/1.1 500 no' });
  });

  it('S42: a status that no reply can have is thrown to the handler, as ever', async () => {
    const thrown: unknown[] = [];
    await ask((response) => {
      try {
        response.writeHead(99);
        response.end('x');
      } catch (error) {
        thrown.push(error);
        response.writeHead(500).end();
      }
    });
    expect(thrown).toEqual([expect.objectContaining({ code: 'ERR_HTTP_INVALID_STATUS_CODE' })]);
  });

  it('S42: an encoding that nobody knows is thrown to the handler', async () => {
    const thrown: unknown[] = [];
    const answer = await ask((response) => {
      try {
        response.write(CANARY, 'nonsense' as BufferEncoding);
      } catch (error) {
        thrown.push(error);
      }
      response.end('x');
    });
    expect(thrown).toEqual([expect.objectContaining({ code: 'ERR_UNKNOWN_ENCODING' })]);
    expect(answer.body).toBe(SIGNED.body);
  });
});
