// Replies that are held back on a real server and cannot be signed, fail midway, or are changed by
// other code: nothing of them is on the wire, and each request gets an answer.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { holdReply } from '../../src/adapter/hold-reply.ts';
import { MAX_REPLY_BYTES } from '../../src/signing/reply-body.ts';
import {
  ask,
  CANARY,
  escapes,
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

describe('S42: a reply that cannot be signed', () => {
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

  it('S42: neither the body nor the headers about it are on the wire', async () => {
    const answer = await ask(unsignable, { sign: refuse });
    expect(answer.failures.map(({ message }) => message)).toEqual(['cannot be signed']);
    expect(answer.raw).not.toContain(CANARY);
    expect(answer.body).toBe('failed');
    const others = answer.linesOf(/^(?!date|connection|transfer-encoding)/);
    expect(others).toEqual(['x-a: a', 'set-cookie: a=1']);
  });

  it('S42: the failure is an Error, whatever was thrown', async () => {
    for (const reason of [undefined, null, 'text', 0]) {
      const answer = await ask(unsignable, { sign: () => Promise.reject(reason) });
      expect(answer.failures).toEqual([expect.any(Error)]);
    }
  });

  it('S42: the error handler may write a head, and stream', async () => {
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

  it('S42: the error handler may close the connection', async () => {
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
  ])('S42: %s after the end changes nothing while it is signed', async (_, late) => {
    for (const sign of [signs, refuse, leave]) {
      const handler: Listener = (response, request) => {
        response.end('first');
        late(response, request);
      };
      const answer = await ask(handler, { sign });
      expect(answer.raw).not.toContain(CANARY);
    }
  });

  it('S42: a write between the failure and its answer does not leave as a 200', async () => {
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

  it('S42: writes before the handler failed do not leave with its error', async () => {
    const answer = await ask((response) => {
      response.write(CANARY);
      // Frameworks do this when a handler throws and no head has been sent.
      if (!response.headersSent) {
        response.statusCode = 500;
        response.setHeader('Content-Length', 5);
        response.end('fault');
      }
    });
    expect(answer.raw).not.toContain(CANARY);
  });

  it('S42: headersSent is true when the reply has been written', async () => {
    let headersSent = false;
    await ask((response) => {
      response.end('first');
      headersSent = response.headersSent;
    });
    expect(headersSent).toBe(true);
  });
});

describe('S42: a reply that fails midway, and another answer', () => {
  const json = { 'Content-Type': 'application/json' };
  /** The first part of a reply, with headers about its body. */
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

  it('S42: a refusal: its status leaves, and no body', async () => {
    const answer = await ask((response, request) => {
      begins(response, request);
      response.statusCode = 502;
      response.setHeader('Content-Type', 'text/plain');
      response.end('failed');
    });
    expect([answer.statusLine, answer.body]).toEqual(['HTTP/1.1 502 Bad Gateway', '']);
    expect(answer.raw).not.toContain(CANARY);
    expect(answer.headers).toContain("content-security-policy: default-src 'none'");
    expect(answer.linesOf(/^content-(?:length: 500|encoding)/)).toEqual([]);
    expect([answer.given, answer.failures]).toEqual([[], []]);
  });

  it('S42: another head: writeHead of a 2xx, then of a refusal', async () => {
    const answer = await ask((response) => {
      response.writeHead(200, { ...json, 'Content-Length': 500 });
      response.writeHead(404, { 'Content-Length': 2 }).end('no');
    });
    expect([answer.statusLine, answer.body]).toEqual(['HTTP/1.1 404 Not Found', 'no']);
    expect(answer.linesOf(/^content-length/)).toEqual(['content-length: 2']);
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
  ])('S42: another 2xx, which could be the rest of the first: nothing leaves: %s', async (_, other) => {
    const answer = await ask((response, request) => {
      begins(response, request);
      other(response, request);
    });
    expect(answer.given).toEqual([]);
    expectBare500(answer);
  });

  it.each([200, 500])(
    'S42: a later wrapper that compresses and still has the first part: a bare 500, not a %i',
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
      expectBare500(answer);
      expect(escaped).toEqual([]);
    },
  );

  it('S42: the first writer may go on, and nothing of it leaves', async () => {
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
    expectBare500(answer);
    expect(escaped).toEqual([]);
  });

  it('S42: a refusal that Node does not accept is a failure', async () => {
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
    expectBare500(answer);
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
      expectBare500(answer);
      expect(answer.failures).toHaveLength(1);
    }
  });

  it('S42: a handler that waits for drain gets it', async () => {
    const ended = Promise.withResolvers<void>();
    void ask(async (response) => {
      for (let piece = 0; piece < 40; piece++)
        if (!response.write('x'.repeat(65_536))) await once(response, 'drain');
      ended.resolve();
    });
    await ended.promise;
  });

  it('S42: each end has its callback', async () => {
    const called: number[] = [];
    await ask((response) => {
      response.end('first', () => called.push(1));
      response.end('second', () => called.push(2));
    });
    expect(called.toSorted()).toEqual([1, 2]);
  });

  it('S42: a reply whose head has left cannot be held: the connection is closed', async () => {
    const port = await serve((_request, response) => {
      response.flushHeaders();
      holdReply(response, signs, () => {});
      response.end(CANARY);
    });
    expect((await exchange(port)).raw).not.toContain(CANARY);
  });

  it('S42: an error handler that throws closes the connection', async () => {
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
    const closed = Promise.withResolvers<void>();
    const done = Promise.withResolvers<void>();
    const port = await serve((request, response) => {
      const waits: Sign = async (reply) => {
        await closed.promise;
        setImmediate(() => setImmediate(done.resolve));
        return sign(reply);
      };
      holdReply(response, waits, () => response.writeHead(500).end('failed'));
      response.end(CANARY);
      response.on('close', closed.resolve);
      request.socket.destroy();
    });
    await exchange(port).catch(() => {});
    await done.promise;
    expect(escaped).toEqual([]);
  });
});

describe('S42: other code that changes the response', () => {
  it('S42: headers that are set after the end are ignored', async () => {
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
      expect(answer.linesOf(/^x-/)).toEqual(['x-a: before', 'x-b: before']);
    }
  });

  it('S42: a method that was changed to HEAD has no effect', async () => {
    const port = await serve((request, response) => {
      // Packages that override the method by a header do this.
      request.method = 'HEAD';
      holdReply(response, signs, () => {});
      response.end(CANARY);
    });
    expect((await exchange(port, 'POST')).body).toBe(SIGNED.body);
  });

  it('D24: a Transfer-Encoding of the handler is dropped', async () => {
    const answer = await ask((response) => {
      response.setHeader('Transfer-Encoding', 'chunked');
      response.write('x');
      response.end();
    });
    expect(answer.body).toBe(SIGNED.body);
    expect(answer.linesOf(/^(?:transfer-encoding|content-length)/)).toEqual([
      `content-length: ${SIGNED.body.length}`,
    ]);
  });

  /**
   * As express-session: sets its cookie when the head leaves, and delays the end until it has
   * saved.
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
    ['in pieces', (response) => writeAll(response, '{"a"').end(':1}')],
  ])('D24: with a session wrapped around it later, of a reply %s', async (_, handler) => {
    for (const sign of [signs, leave]) {
      const answer = await ask(
        (response, request) => {
          session(response);
          handler(response, request);
        },
        { sign },
      );
      expect(answer.given.map(({ body }) => body.toString())).toEqual(['{"a":1}']);
      expect(answer.linesOf(/^set-cookie/)).toEqual(['set-cookie: session=1']);
    }
  });

  it('D24: a later wrapper that allows one end only does not stop the error', async () => {
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

describe('S42: statuses and encodings that Node refuses', () => {
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
      // Without this the request would stay open.
      setImmediate(() => setImmediate(() => response.destroy()));
    });
    const answer = await exchange(port);
    return { escaped, statusLine: answer.statusLine };
  };

  // For example the status of a backend that has not answered.
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

  it('S42: an impossible status is thrown to the handler', async () => {
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

  it('S42: an unknown encoding is thrown to the handler', async () => {
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
