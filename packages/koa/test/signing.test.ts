// Signed replies in Koa: the kinds of bodies, the middleware that catches a signing failure, and
// middleware around. The cases for all adapters are in the conformance suite.
import { connect, createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { PassThrough, Readable, Stream } from 'node:stream';
import { createGzip, gunzipSync, gzipSync } from 'node:zlib';
import Router from '@koa/router';
import {
  canary,
  createSigners,
  exchange,
  headerValues,
  LOGIN_ISSUER,
  type Served,
  type Signers,
  serve,
} from '@latchkey/conformance';
import { type Authenticator, createAuthenticator } from '@latchkey/core';
import Koa, { type Context, type Middleware } from 'koa';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { publishKeys, signResponse } from '../src/index.ts';

let signers: Signers;
let authenticator: Authenticator;

beforeAll(async () => {
  signers = await createSigners();
  authenticator = createAuthenticator({
    keySets: [{ issuer: LOGIN_ISSUER, jwks: signers.jwks }],
    audience: null,
  });
});

afterAll(() => signers.close());

const servers: Served[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

const claims = (more: object = {}) => ({
  iss: LOGIN_ISSUER,
  sub: 'alice',
  canary,
  exp: Math.floor(Date.now() / 1000) + 300,
  ...more,
});
const reply = () => ({ access_token: claims(), token_type: 'Bearer' });
const text = () => JSON.stringify(reply());
/** Claims that cannot be signed. */
const unsignable = () => ({ access_token: claims({ exp: undefined }) });

const signing = () => signResponse({ signer: signers.login, keysToSign: ['access_token'] });

interface Asked {
  readonly method?: string;
  readonly path?: string;
}

/** Sends a request to an application of these middlewares. */
async function ask(middlewares: readonly Middleware[], { method = 'POST', path = '/' }: Asked = {}) {
  const app = new Koa();
  const errors: unknown[] = [];
  app.on('error', (error) => errors.push(error));
  for (const middleware of middlewares) app.use(middleware);
  const server = await serve(app.callback());
  servers.push(server);
  return { ...(await exchange({ port: server.port, method, path, headers: [] })), errors };
}

/** Sends a request to a handler behind `signResponse`. */
const askSigned = (handler: (ctx: Context) => unknown, asked?: Asked) =>
  ask([signing(), (ctx) => void handler(ctx)], asked);

async function expectSigned(body: string): Promise<void> {
  const { access_token, ...rest } = JSON.parse(body);
  expect(rest).toEqual({ token_type: 'Bearer' });
  expect((await authenticator.verify(access_token)).claims).toMatchObject({ sub: 'alice', canary });
}

/** A stream of the old interface of Node: it pipes, and cannot be iterated over. */
function legacyStream(content: string): Stream {
  const stream = new Stream();
  stream.pipe = (destination) => {
    (destination as NodeJS.WritableStream).end(content);
    return destination;
  };
  return stream;
}

describe('KD-5: the kinds of bodies', () => {
  const json = 'application/json';
  class Login {
    readonly #kept = reply();
    get access_token() {
      return this.#kept.access_token;
    }
    toJSON() {
      return this.#kept;
    }
  }
  it.each<[string, (ctx: Context) => void]>([
    ['an object', (ctx) => Object.assign(ctx, { body: reply() })],
    ['an instance', (ctx) => Object.assign(ctx, { body: new Login() })],
    ['a string', (ctx) => Object.assign(ctx, { type: json, body: text() })],
    ['bytes', (ctx) => Object.assign(ctx, { type: json, body: Buffer.from(text()) })],
    ['a stream', (ctx) => Object.assign(ctx, { type: json, body: Readable.from([text()]) })],
    [
      'a stream of bytes',
      (ctx) => Object.assign(ctx, { type: json, body: Readable.from(Buffer.from(text())) }),
    ],
    ['a web stream', (ctx) => Object.assign(ctx, { type: json, body: new Response(text()).body })],
    ['a status of its own', (ctx) => Object.assign(ctx, { status: 299, body: reply() })],
  ])('KD-5: %s', async (_, handler) => {
    const answer = await askSigned(handler);
    expect(answer.status).toBeLessThan(300);
    expect(answer.raw).not.toContain(canary);
    expect(headerValues(answer, 'content-type')).toEqual(['application/json; charset=utf-8']);
    expect(headerValues(answer, 'cache-control')).toEqual(['no-store']);
    await expectSigned(answer.body);
  });

  it.each<[string, (ctx: Context) => void]>([
    ['a text that is not declared as JSON', (ctx) => Object.assign(ctx, { body: text() })],
    ['bytes that are not declared as JSON', (ctx) => Object.assign(ctx, { body: Buffer.from(text()) })],
    ['a Response', (ctx) => Object.assign(ctx, { body: Response.json(reply()) })],
    ['a Blob', (ctx) => Object.assign(ctx, { body: new Blob([text()], { type: json }) })],
    [
      'a stream that fails',
      (ctx) => {
        const pieces = [text().slice(0, 9), text().slice(9)];
        const failing = new Readable({
          read() {
            const piece = pieces.shift();
            if (piece === undefined) this.destroy(new Error('the stream failed'));
            else this.push(piece);
          },
        });
        Object.assign(ctx, { type: json, body: failing });
      },
    ],
    [
      'a stream without end',
      (ctx) => {
        const endless = Readable.from(
          (function* () {
            yield text();
            for (;;) yield ' '.repeat(65_536);
          })(),
        );
        Object.assign(ctx, { type: json, body: endless });
      },
    ],
    [
      'a compressed stream',
      (ctx) => {
        ctx.set('Content-Encoding', 'gzip');
        Object.assign(ctx, { type: json, body: Readable.from([gzipSync(text())]) });
      },
    ],
  ])('S42: %s is not sent', async (_, handler) => {
    const answer = await askSigned(handler);
    expect(answer.status).toBe(500);
    expect(answer.raw).not.toContain(canary);
    expect(answer.body).toBe('Internal Server Error');
    expect(answer.errors).toHaveLength(1);
  });

  it('KD-5: a stream of JSON without a type is not sent unsigned', async () => {
    const answer = await askSigned((ctx) => Object.assign(ctx, { body: Readable.from([text()]) }));
    expect(answer.raw).not.toContain(canary);
  });

  it('KD-5: a stream that pipes but cannot be iterated over is not sent unsigned', async () => {
    const answer = await askSigned((ctx) => Object.assign(ctx, { type: json, body: legacyStream(text()) }));
    expect(answer.raw).not.toContain(canary);
  });

  it('S42: sends a stream of JSON without fields to sign unchanged', async () => {
    const content = '[{"access_token":"of no concern"},12345678901234567890]';
    const answer = await askSigned((ctx) => {
      ctx.length = content.length;
      Object.assign(ctx, { type: json, body: Readable.from([content.slice(0, 9), content.slice(9)]) });
    });
    expect([answer.status, answer.body]).toEqual([200, content]);
    expect(headerValues(answer, 'cache-control')).toEqual([]);
  });

  it('S42: sends no byte of a stream of another type', async () => {
    const stream = new PassThrough();
    const answer = await askSigned((ctx) => {
      ctx.set({ 'Cache-Control': 'public', ETag: `"${canary}"` });
      Object.assign(ctx, { type: 'text/html', body: stream });
    });
    expect([answer.status, answer.body]).toEqual([500, 'Internal Server Error']);
    expect(answer.raw).not.toContain(canary);
    expect(stream.destroyed).toBe(true);
  });

  it('S42: sends only the status of a refusal that is a stream of another type', async () => {
    const stream = new PassThrough();
    const answer = await askSigned((ctx) =>
      Object.assign(ctx, { status: 401, type: 'text/html', body: stream }),
    );
    expect([answer.status, answer.body, stream.destroyed]).toEqual([401, '', true]);
  });

  it('D24: sends replies without a body, 204, 304 and HEAD unchanged', async () => {
    expect((await askSigned(() => {})).status).toBe(404);
    expect((await askSigned((ctx) => Object.assign(ctx, { body: null }))).status).toBe(204);
    expect((await askSigned((ctx) => Object.assign(ctx, { status: 304 }))).status).toBe(304);
    const head = await askSigned((ctx) => Object.assign(ctx, { body: reply() }), { method: 'HEAD' });
    expect([head.status, head.body]).toEqual([200, '']);
    expect(head.raw).not.toContain(canary);
  });
});

describe('S42: replies that are not written through Koa', () => {
  const writes: readonly (readonly [string, (ctx: Context) => void])[] = [
    ['res.end', (ctx) => void ctx.res.writeHead(200).end(text())],
    [
      'res.write and res.end',
      (ctx) => {
        ctx.res.statusCode = 200;
        ctx.res.setHeader('Content-Type', 'application/json');
        ctx.res.write(text().slice(0, 9));
        ctx.res.end(text().slice(9));
      },
    ],
    ['a stream', (ctx) => void Readable.from([text()]).pipe(ctx.res.writeHead(200))],
  ];

  it.each(writes)('KD-5: %s is signed, with ctx.respond = false and without', async (_, write) => {
    for (const respond of [true, false]) {
      const answer = await askSigned((ctx) => {
        if (!respond) ctx.respond = false;
        return write(ctx);
      });
      expect([answer.status, answer.raw.includes(canary)]).toEqual([200, false]);
      await expectSigned(answer.body);
      expect(answer.errors).toEqual([]);
    }
  });

  it('KD-5: signs a reply that is written long after, with ctx.respond = false', async () => {
    const answer = await askSigned((ctx) => {
      ctx.respond = false;
      setImmediate(() => setImmediate(() => ctx.res.writeHead(200).end(text())));
    });
    await expectSigned(answer.body);
  });

  it.each<[string, (ctx: Context) => void]>([
    ['events', (ctx) => void ctx.res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(text())],
    ['a page', (ctx) => void ctx.res.writeHead(200, { 'Content-Type': 'text/html' }).end(text())],
    ['claims that cannot be signed', (ctx) => void ctx.res.writeHead(200).end(JSON.stringify(unsignable()))],
    [
      'trailers',
      (ctx) => {
        ctx.res.writeHead(200, { 'Content-Type': 'application/json' }).write('{}');
        ctx.res.addTrailers({ 'X-Claims': canary });
        ctx.res.end();
      },
    ],
  ])('S42: %s: a 500, and the application emits the error', async (_, write) => {
    for (const respond of [true, false]) {
      const answer = await askSigned((ctx) => {
        if (!respond) ctx.respond = false;
        return write(ctx);
      });
      expect(answer.status).toBe(500);
      expect(answer.raw).not.toContain(canary);
      expect(answer.errors).toEqual([expect.any(Error)]);
    }
  });

  it('S42, leaves unsigned: what a handler writes after it has returned', async () => {
    let returned = () => {};
    const hasReturned = new Promise<void>((resolve) => {
      returned = resolve;
    });
    let written = () => {};
    const hasWritten = new Promise<void>((resolve) => {
      written = resolve;
    });
    const waits: Middleware = async (_ctx, next) => {
      await next();
      returned();
      await hasWritten;
    };
    const handler: Middleware = (ctx) => {
      ctx.body = reply();
      void hasReturned.then(() => {
        ctx.res.end('after it has returned');
        written();
      });
    };
    expect((await ask([waits, signing(), handler])).body).toBe('after it has returned');
  });

  it.each([200, 400])('S42: over HTTP/2, a %i that is written past Koa', async (status) => {
    const app = new Koa();
    app.silent = true;
    app.use(signing());
    app.use((ctx) => {
      ctx.respond = false;
      const { res } = ctx;
      res.writeHead(status, { 'Content-Type': 'application/json' });
      for (const character of text()) res.write(character);
      if (status === 400) res.addTrailers({ 'x-claims': canary });
      res.end();
    });
    const server = createHttp2Server(app.callback());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const stream = session.request({ ':path': '/' });
    const heads: unknown[] = [];
    for (const event of ['response', 'trailers']) stream.on(event, (head) => heads.push(head));
    const body = Buffer.concat(await stream.toArray()).toString();
    session.close();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    expect(heads).toEqual([expect.objectContaining({ ':status': status })]);
    expect(JSON.stringify(heads) + body).not.toContain(canary);
    if (status === 200) await expectSigned(body);
    else expect(body).toBe('');
  });

  it('S42: sends an error that contains the reply without it', async () => {
    for (const message of [text(), `not saved: ${text()}`]) {
      const answer = await askSigned((ctx) => ctx.throw(400, message));
      expect([answer.status, answer.body]).toEqual([400, '']);
      expect(answer.raw).not.toContain(canary);
    }
  });
});

describe('S42: middleware that catches a signing failure', () => {
  it('S42: Koa itself answers 500, and emits the error on the application', async () => {
    const answer = await askSigned((ctx) => {
      ctx.set({ ETag: `"${canary}"`, 'Content-Language': 'en' });
      Object.assign(ctx, { body: unsignable() });
    });
    expect([answer.status, answer.body]).toEqual([500, 'Internal Server Error']);
    expect(answer.raw).not.toContain(canary);
    expect(answer.errors).toEqual([expect.objectContaining({ name: 'TypeError' })]);
  });

  const bodies: readonly (readonly [string, (ctx: Context) => void])[] = [
    ['an object', (ctx) => Object.assign(ctx, { body: unsignable() })],
    [
      'a stream',
      (ctx) => Object.assign(ctx, { type: 'json', body: Readable.from([JSON.stringify(unsignable())]) }),
    ],
    ['a text that is not declared as JSON', (ctx) => Object.assign(ctx, { body: text() })],
  ];

  it.each(bodies)('S42: a middleware that sets a status only: %s', async (_, handler) => {
    const catches: Middleware = async (ctx, next) => {
      try {
        await next();
      } catch {
        ctx.status = 500;
      }
    };
    const answer = await ask([catches, signing(), (ctx) => void handler(ctx)]);
    expect(answer.status).toBe(500);
    expect(answer.raw).not.toContain(canary);
    const [length] = headerValues(answer, 'content-length');
    expect(length ?? String(answer.body.length)).toBe(String(answer.body.length));
  });

  // When a body of the type application/json is set to null, Koa keeps its Content-Length, and the
  // client waits for the rest.
  it('S42: a middleware that sets a status only: a string, and the length is that of the sent body', async () => {
    const catches: Middleware = async (ctx, next) => {
      try {
        await next();
      } catch {
        ctx.status = 500;
      }
    };
    const handler: Middleware = (ctx) =>
      void Object.assign(ctx, { type: 'application/json', body: JSON.stringify(unsignable()) });
    const answer = await ask([catches, signing(), handler]);
    expect(answer.status).toBe(500);
    expect(headerValues(answer, 'content-length')).toEqual([String(answer.body.length)]);
  });

  it.each(bodies)('S42: a middleware that sets nothing: %s', async (_, handler) => {
    const swallows: Middleware = (_ctx, next) => next().catch(() => {});
    const answer = await ask([swallows, signing(), (ctx) => void handler(ctx)]);
    expect(answer.raw).not.toContain(canary);
  });

  it('S42: a middleware that answers', async () => {
    const answers: Middleware = async (ctx, next) => {
      try {
        await next();
      } catch (error) {
        ctx.status = 502;
        ctx.body = { error: (error as Error).message };
      }
    };
    const answer = await ask([answers, signing(), (ctx) => void Object.assign(ctx, { body: unsignable() })]);
    expect(answer.status).toBe(502);
    expect(answer.raw).not.toContain(canary);
    expect(headerValues(answer, 'content-length')).toEqual([String(answer.body.length)]);
  });

  it.each<[string, Middleware]>([
    [
      'a status only',
      async (ctx, next) => {
        try {
          await next();
        } catch {
          ctx.status = 500;
        }
      },
    ],
    ['nothing at all', (_ctx, next) => next().catch(() => {})],
  ])('S42: the body that a handler set before it threw is not sent unsigned: %s', async (_, catches) => {
    const handler: Middleware = async (ctx) => {
      ctx.body = reply();
      // For example, the record of the login cannot be written.
      throw new Error('the handler failed');
    };
    expect((await ask([catches, signing(), handler])).raw).not.toContain(canary);
  });

  it('T-099: the error of the handler stays the same, and its body is not sent', async () => {
    const answer = await askSigned((ctx) => {
      ctx.body = reply();
      ctx.throw(409, 'already there');
    });
    expect([answer.status, answer.body]).toEqual([409, 'already there']);
    expect(answer.raw).not.toContain(canary);
  });
});

describe('D24: middlewares around', () => {
  const compress: Middleware = async (ctx, next) => {
    await next();
    if (ctx.body === null || ctx.body === undefined) return;
    const gzip = createGzip();
    const { body } = ctx;
    ctx.set('Content-Encoding', 'gzip');
    ctx.body = gzip;
    gzip.end(typeof body === 'string' ? body : JSON.stringify(body));
  };

  it('D24: compression before it compresses the tokens', async () => {
    const answer = await ask([compress, signing(), (ctx) => void Object.assign(ctx, { body: reply() })]);
    expect(headerValues(answer, 'content-encoding')).toEqual(['gzip']);
    await expectSigned(gunzipSync(Buffer.from(answer.body, 'latin1')).toString());
  });

  it('D24: compression behind it is a 500', async () => {
    const answer = await ask([signing(), compress, (ctx) => void Object.assign(ctx, { body: reply() })]);
    expect(answer.status).toBe(500);
    expect(headerValues(answer, 'content-encoding')).toEqual([]);
  });

  it('KD-5: every route of a router behind it', async () => {
    const router = new Router();
    router.use(signing());
    router.post('/', (ctx) => void Object.assign(ctx, { body: reply() }));
    await expectSigned((await ask([router.routes() as Middleware])).body);
  });

  it('S42: two signResponse that sign the same field: nothing is sent', async () => {
    const answer = await ask([signing(), signing(), (ctx) => void Object.assign(ctx, { body: reply() })]);
    expect(answer.status).toBe(500);
  });
});

describe('KD-15: publishKeys', () => {
  it('KD-15: an error is thrown, as if by a handler', async () => {
    const seen: unknown[] = [];
    const catches: Middleware = (_ctx, next) =>
      next().catch((error: unknown) => {
        seen.push(error);
        throw error;
      });
    const answer = await ask([catches, publishKeys(signers.down)], { method: 'GET' });
    expect(answer.status).toBe(503);
    expect(headerValues(answer, 'retry-after')).toEqual(['5']);
    expect(seen).toEqual([expect.objectContaining({ code: 'keyset_unavailable' })]);
  });
});
