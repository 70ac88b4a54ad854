// What is Fastify's own about signed replies: the kinds of payloads, serializers, other hooks, and
// the error handler.
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { PassThrough, Readable, Stream } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';
import {
  canary,
  createSigners,
  exchange,
  headerValues,
  LOGIN_ISSUER,
  type Signers,
} from '@latchkey/conformance';
import { type Authenticator, ConfigError, createAuthenticator } from '@latchkey/core';
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type onSendAsyncHookHandler,
  type RouteHandlerMethod,
} from 'fastify';
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

const apps: FastifyInstance[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
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

const OTHER_HOOKS = ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization'] as const;

describe('S42: a signer that is another hook than onSend signs nothing', () => {
  it.each(OTHER_HOOKS)('%s of a route: refused when the route is added', (name) => {
    const app = application();
    const add = (hooks: unknown) => app.post('/token', { [name]: hooks } as object, async () => reply());
    expect(() => add(signing())).toThrow(`POST /token ${name}: expected signResponse as onSend`);
    expect(() => add([async () => {}, signing()])).toThrow(ConfigError);
  });

  it.each(['onRequest', 'preValidation', 'preHandler'] as const)(
    '%s of a scope: Fastify refuses it',
    (name) => {
      expect(() => application().addHook(name, signing() as never)).toThrow('too many arguments');
    },
  );

  it.each(['preParsing', 'preSerialization'] as const)(
    '%s of a scope: a 500, and nothing leaves',
    async (name) => {
      const app = application();
      app.addHook(name, signing() as never);
      app.post('/token', async () => reply());
      const answer = await ask(app);
      expect(answer.status).toBe(500);
      expect(answer.raw).not.toContain(canary);
    },
  );
});

it('keys of what is not a signer are refused at once', () => {
  expect(() => publishKeys(undefined as never)).toThrow('signer: expected a signer');
});

function application(): FastifyInstance {
  const app = fastify({ forceCloseConnections: true });
  apps.push(app);
  return app;
}

const portOf = (app: FastifyInstance) => (app.server.address() as AddressInfo).port;

async function ask(app: FastifyInstance, path = '/token', method = 'POST') {
  await app.listen({ port: 0, host: '127.0.0.1' });
  return exchange({ port: portOf(app), method, path, headers: [] });
}

/** Sends a request to a handler whose reply is signed. */
function askSigned(handler: (reply: FastifyReply) => unknown) {
  const app = application();
  app.post('/token', { onSend: signing() }, (_request, reply) => handler(reply));
  return ask(app);
}

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

describe('a stream that does not leave is let go of', () => {
  /** What a service behind this one sends, or does not send. */
  function upstream() {
    const stream = new Readable({ read() {} });
    return { stream, closed: once(stream, 'close') };
  }

  it.each<[string, (reply: FastifyReply, stream: Readable) => unknown]>([
    ['of another type', (sent, stream) => sent.type('text/event-stream').send(stream)],
    [
      'compressed',
      (sent, stream) => sent.type('application/json').header('Content-Encoding', 'gzip').send(stream),
    ],
    ['a part', (sent, stream) => sent.code(206).type('application/json').send(stream)],
    ['of an error', (sent, stream) => sent.code(404).type('text/html').send(stream)],
  ])('%s', async (_, send) => {
    const { stream, closed } = upstream();
    const answer = await askSigned((sent) => send(sent, stream));
    expect(answer.status).toBeGreaterThanOrEqual(400);
    await closed;
    // Nobody listens any more: it must not end the process.
    stream.emit('error', new Error('the service behind has failed'));
  });

  it.each([200, 400])('of a client that goes away, %i', async (status) => {
    const { stream, closed } = upstream();
    const app = application();
    app.get('/token', { onSend: signing() }, (_request, sent) => {
      setImmediate(() => socket.destroy());
      return sent.code(status).type('application/json').send(stream);
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    const socket = connect(portOf(app), '127.0.0.1');
    socket.write('GET /token HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await closed;
  });

  it('of a client that went away before it was there', async () => {
    const { stream, closed } = upstream();
    const app = application();
    app.get('/token', { onSend: signing() }, async (_request, sent) => {
      socket.destroy();
      await once(sent.raw, 'close');
      return sent.type('application/json').send(stream);
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    const socket = connect(portOf(app), '127.0.0.1');
    socket.write('GET /token HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await closed;
  });
});

describe('KD-5: the kinds of payloads', () => {
  const json = 'application/json';
  const returned: RouteHandlerMethod = async () => reply();

  it.each<[string, (reply: FastifyReply) => unknown]>([
    ['an object', (sent) => sent.send(reply())],
    ['a text', (sent) => sent.type(json).send(text())],
    ['bytes', (sent) => sent.type(json).send(Buffer.from(text()))],
    ['a typed array', (sent) => sent.type(json).send(new Uint8Array(Buffer.from(text())))],
    ['a stream', (sent) => sent.type(json).send(Readable.from([text()]))],
    ['a web stream', (sent) => sent.type(json).send(new Response(text()).body)],
    ['a status of its own', (sent) => sent.code(299).send(reply())],
    ['a type with +json', (sent) => sent.type('application/token+json').send(reply())],
    ['a serializer of its own', (sent) => sent.type(json).serializer(JSON.stringify).send(reply())],
  ])('KD-5: %s', async (_, handler) => {
    const answer = await askSigned(handler);
    expect(answer.status).toBeLessThan(300);
    expect(answer.raw).not.toContain(canary);
    expect(headerValues(answer, 'content-type')).toEqual(['application/json; charset=utf-8']);
    expect(headerValues(answer, 'cache-control')).toEqual(['no-store']);
    expect(headerValues(answer, 'content-length')).toEqual([String(answer.body.length)]);
    await expectSigned(answer.body);
  });

  it('KD-5: signs the value that a handler returns, behind hooks of the whole application', async () => {
    const app = application();
    app.addHook('onSend', signing());
    app.addHook('preSerialization', async (_request, _reply, payload) => ({
      ...(payload as object),
      token_type: 'Bearer',
    }));
    app.post('/token', returned);
    await expectSigned((await ask(app)).body);
  });

  it('KD-4: a response schema that describes the signed reply', async () => {
    const app = application();
    const schema = {
      response: {
        200: {
          type: 'object',
          properties: {
            access_token: { type: 'object', additionalProperties: true },
            token_type: { type: 'string' },
          },
        },
      },
    };
    app.post('/token', { schema, onSend: signing() }, async () => ({ ...reply(), password: canary }));
    const answer = await ask(app);
    expect(answer.raw).not.toContain(canary);
    await expectSigned(answer.body);
  });

  it.each<[string, (reply: FastifyReply) => unknown]>([
    ['a text that is not declared as JSON', (sent) => sent.send(text())],
    ['bytes that are not declared as JSON', (sent) => sent.send(Buffer.from(text()))],
    ['a Response', (sent) => sent.send(Response.json(reply()))],
    [
      'the fields in another format of a serializer',
      (sent) =>
        sent
          .type(json)
          .serializer(() => `${text()};`)
          .send({}),
    ],
    [
      'a stream that fails',
      (sent) => {
        const pieces = [text().slice(0, 9), text().slice(9)];
        const failing = new Readable({
          read() {
            const piece = pieces.shift();
            if (piece === undefined) this.destroy(new Error('the stream failed'));
            else this.push(piece);
          },
        });
        return sent.type(json).send(failing);
      },
    ],
    [
      'a stream without end',
      (sent) => {
        const endless = Readable.from(
          (function* () {
            yield text();
            for (;;) yield ' '.repeat(65_536);
          })(),
        );
        return sent.type(json).send(endless);
      },
    ],
    [
      'a compressed stream',
      (sent) =>
        sent
          .type(json)
          .header('Content-Encoding', 'gzip')
          .send(Readable.from([gzipSync(text())])),
    ],
  ])('S42: %s is not sent', async (_, handler) => {
    const answer = await askSigned(handler);
    expect(answer.status).toBe(500);
    expect(answer.raw).not.toContain(canary);
    expect(headerValues(answer, 'content-type')).toEqual(['application/json; charset=utf-8']);
    expect(JSON.parse(answer.body)).toMatchObject({ statusCode: 500, error: 'Internal Server Error' });
  });

  it('KD-5: a stream of JSON without a type is not sent unsigned', async () => {
    expect((await askSigned((sent) => sent.send(Readable.from([text()])))).raw).not.toContain(canary);
  });

  it('KD-5: a stream that pipes but cannot be iterated over is not sent unsigned', async () => {
    const answer = await askSigned((sent) => sent.type(json).send(legacyStream(text())));
    expect(answer.raw).not.toContain(canary);
  });

  it('S42: sends a stream of JSON without fields to sign unchanged', async () => {
    const content = '[{"access_token":"of no concern"},12345678901234567890]';
    const answer = await askSigned((sent) => sent.type(json).send(Readable.from([content])));
    expect([answer.status, answer.body]).toEqual([200, content]);
    expect(headerValues(answer, 'cache-control')).toEqual([]);
  });

  it('S42: sends no byte of a stream of another type', async () => {
    const answer = await askSigned((sent) => sent.type('text/html').send(Readable.from([`<p>${canary}`])));
    expect(answer.status).toBe(500);
    expect(answer.raw).not.toContain(canary);
  });

  it('S42: sends only the status of a refusal that is a stream of another type', async () => {
    const stream = new PassThrough();
    const answer = await askSigned((sent) => sent.code(401).type('text/html').send(stream));
    expect([answer.status, answer.body, stream.destroyed]).toEqual([401, '', true]);
  });

  it('S42, leaves unsigned: what is not sent through Fastify', async () => {
    const app = application();
    app.post('/token', { onSend: signing() }, (_request, sent) => {
      sent.hijack();
      sent.raw.end('past Fastify');
    });
    expect((await ask(app)).body).toBe('past Fastify');
  });

  it.each([200, 400])('S42: trailers of a %i are not sent', async (status) => {
    for (const later of [true, false]) {
      const app = application();
      const trail = (sent: FastifyReply) =>
        sent.trailer('X-Claims', (_reply, _payload, done) => done(null, canary));
      const onSend: onSendAsyncHookHandler = async (_request, sent, payload) => {
        if (later && sent.statusCode === status) trail(sent);
        return payload;
      };
      app.post('/token', { onSend: [signing(), onSend] }, async (_request, sent) => {
        if (!later) trail(sent);
        return sent.code(status).send({ token_type: 'Bearer' });
      });
      const answer = await ask(app);
      expect(answer.raw).not.toContain(canary);
      expect(answer.status).toBe(status === 200 && !later ? 500 : status);
    }
  });

  it('D24: sends 204, 304, and a HEAD route that Fastify adds unchanged', async () => {
    const app = application();
    app.get('/nothing', { onSend: signing() }, (_request, sent) => sent.code(204).send());
    app.get('/same', { onSend: signing() }, (_request, sent) => sent.code(304).send());
    app.get('/read', { onSend: signing() }, returned);
    expect((await ask(app, '/nothing', 'GET')).status).toBe(204);
    const port = portOf(app);
    expect((await exchange({ port, method: 'GET', path: '/same', headers: [] })).status).toBe(304);
    const head = await exchange({ port, method: 'HEAD', path: '/read', headers: [] });
    const get = await exchange({ port, method: 'GET', path: '/read', headers: [] });
    expect([head.status, head.body]).toEqual([200, '']);
    expect(headerValues(head, 'content-length')).toEqual(headerValues(get, 'content-length'));
    expect(headerValues(head, 'cache-control')).toEqual(['no-store']);
  });
});

describe('S42: a reply that cannot be signed', () => {
  it('S42: reaches the error handler, and no byte of it is sent', async () => {
    const seen: unknown[] = [];
    const app = application();
    app.setErrorHandler((error, _request, sent) => {
      seen.push(error);
      return sent.code(502).send({ message: 'no' });
    });
    app.post('/token', { onSend: signing() }, (_request, sent) => {
      sent.headers({ 'Content-Length': 5, ETag: `"${canary}"` });
      return sent.send(unsignable());
    });
    const answer = await ask(app);
    expect([answer.status, JSON.parse(answer.body)]).toEqual([502, { message: 'no' }]);
    expect(headerValues(answer, 'content-length')).toEqual([String(answer.body.length)]);
    expect(answer.body).not.toContain(canary);
    expect(seen).toEqual([expect.objectContaining({ name: 'TypeError' })]);
  });

  it('S42: an error handler whose reply cannot be signed either is not called again', async () => {
    const app = application();
    app.setErrorHandler((_error, _request, sent) => sent.code(200).send(unsignable()));
    app.post('/token', { onSend: signing() }, async () => unsignable());
    const answer = await ask(app);
    expect(answer.status).toBe(500);
    expect(answer.raw).not.toContain(canary);
  });

  it('S42: signs the reply of an error handler', async () => {
    const app = application();
    app.setErrorHandler((_error, _request, sent) => sent.code(200).send(reply()));
    app.post('/token', { onSend: signing() }, async () => unsignable());
    const answer = await ask(app);
    expect(answer.status).toBe(200);
    await expectSigned(answer.body);
  });
});

describe('D24: other hooks', () => {
  const compress: onSendAsyncHookHandler = async (_request, sent, payload) => {
    sent.header('Content-Encoding', 'gzip').removeHeader('Content-Length');
    return typeof payload === 'string' ? gzipSync(payload) : payload;
  };

  it('D24: a hook of the application that compresses before is a 500', async () => {
    const app = application();
    app.addHook('onSend', async (request, sent, payload) =>
      sent.statusCode === 200 ? compress.call(app, request, sent, payload) : payload,
    );
    app.post('/token', { onSend: signing() }, async () => reply());
    const answer = await ask(app);
    expect(answer.status).toBe(500);
    expect(answer.raw).not.toContain(canary);
    expect(JSON.parse(answer.body)).toMatchObject({ statusCode: 500 });
  });

  it('D24: a hook of the route that compresses behind compresses the tokens', async () => {
    const app = application();
    app.post('/token', { onSend: [signing(), compress] }, async () => reply());
    const answer = await ask(app);
    expect(headerValues(answer, 'content-encoding')).toEqual(['gzip']);
    await expectSigned(gunzipSync(Buffer.from(answer.body, 'latin1')).toString());
  });

  it('D24: a hook of the application that adds claims before has them signed', async () => {
    const app = application();
    app.addHook('onSend', async (_request, _sent, payload) =>
      JSON.stringify({ ...JSON.parse(payload as string), access_token: claims() }),
    );
    app.post('/token', { onSend: signing() }, async () => ({ token_type: 'Bearer' }));
    await expectSigned((await ask(app)).body);
  });

  it('S42: two signResponse that sign the same field: nothing is sent', async () => {
    const app = application();
    app.post('/token', { onSend: [signing(), signing()] }, async () => reply());
    expect((await ask(app)).status).toBe(500);
  });
});

describe('KD-15: publishKeys', () => {
  it('KD-15: an error goes to the error handler', async () => {
    const app = application();
    app.setErrorHandler((error, _request, sent) =>
      sent.code(503).send({ code: (error as { code?: string }).code }),
    );
    app.get('/keys', publishKeys(signers.down));
    const answer = await ask(app, '/keys', 'GET');
    expect([answer.status, JSON.parse(answer.body)]).toEqual([503, { code: 'keyset_unavailable' }]);
  });
});
