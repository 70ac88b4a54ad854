// Signed replies in Express: the ways to write one, wrappers around the response, and errors of
// handlers. The cases for all adapters are in the conformance suite.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createGzip, gunzipSync } from 'node:zlib';
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
import { fromKrakend } from '@latchkey/core/signing';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { publishKeys, signResponse } from '../src/index.ts';

let signers: Signers;
let authenticator: Authenticator;
let signing: () => RequestHandler;
let folder: string;

beforeAll(async () => {
  signers = await createSigners();
  authenticator = createAuthenticator({
    keySets: [{ issuer: LOGIN_ISSUER, jwks: signers.jwks }],
    audience: null,
  });
  signing = () => signResponse({ signer: signers.login, keysToSign: ['access_token'] });
  folder = mkdtempSync(join(tmpdir(), 'latchkey-express-'));
  writeFileSync(join(folder, 'reply.json'), JSON.stringify(reply()));
});

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await signers.close();
});

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
/** Claims that cannot be signed. */
const unsignable = () => ({ access_token: claims({ exp: undefined }) });

function application(): Express {
  const app = express();
  app.set('env', 'test');
  return app;
}

async function listen(app: Express): Promise<number> {
  const server = await serve(app);
  servers.push(server);
  return server.port;
}

async function ask(app: Express, path = '/token', method = 'POST') {
  return exchange({ port: await listen(app), method, path, headers: [] });
}

/** An error handler that answers at once, as most do. */
const answers: ErrorRequestHandler = (_error, _request, response, _next) => {
  if (!response.headersSent) response.status(500).send('Something went wrong, and we are sorry for that');
};

/** An application with one route that signs the reply of a handler. */
function signed(handler: RequestHandler, ...onErrors: readonly ErrorRequestHandler[]): Express {
  const app = application();
  app.post('/token', signing(), handler);
  for (const onError of onErrors) app.use(onError);
  return app;
}

async function expectSigned(body: string): Promise<void> {
  const { access_token, ...rest } = JSON.parse(body);
  expect(rest).toEqual({ token_type: 'Bearer' });
  expect((await authenticator.verify(access_token)).claims).toMatchObject({ sub: 'alice', canary });
}

describe('KD-5: however the handler writes it', () => {
  const text = () => JSON.stringify(reply());
  const ways: readonly (readonly [name: string, write: RequestHandler])[] = [
    ['res.json', (_request, response) => void response.json(reply())],
    ['res.send, an object', (_request, response) => void response.send(reply())],
    ['res.send, a string of the type json', (_request, response) => void response.type('json').send(text())],
    ['res.send, bytes', (_request, response) => void response.type('json').send(Buffer.from(text()))],
    ['res.end, no type', (_request, response) => void response.end(text())],
    ['res.end after a while', async (_request, response) => setImmediate(() => response.end(text()))],
    [
      'res.write, byte by byte',
      (_request, response) => {
        response.type('json');
        for (const byte of Buffer.from(text())) response.write(Buffer.of(byte));
        response.end();
      },
    ],
    [
      'res.writeHead',
      (_request, response) => {
        response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': text().length });
        response.end(text());
      },
    ],
    ['pipe', (_request, response) => void Readable.from([Buffer.from(text())]).pipe(response.type('json'))],
    ['res.jsonp, no callback', (_request, response) => void response.jsonp(reply())],
    ['res.sendFile', (_request, response) => response.sendFile('reply.json', { root: folder })],
    ['res.status(203)', (_request, response) => void response.status(203).json(reply())],
  ];

  it.each(ways)('KD-5: %s', async (_, write) => {
    const answer = await ask(signed(write));
    expect(answer.status).toBeLessThan(300);
    expect(answer.raw).not.toContain(canary);
    expect(headerValues(answer, 'content-type')).toEqual(['application/json; charset=utf-8']);
    expect(headerValues(answer, 'cache-control')).toEqual(['no-store']);
    expect(headerValues(answer, 'etag')).toEqual([]);
    expect(headerValues(answer, 'last-modified')).toEqual([]);
    await expectSigned(answer.body);
  });

  it('KD-5: a client that asks for JSONP does not get unsigned claims', async () => {
    const app = signed((_request, response) => void response.jsonp(reply()));
    expect((await ask(app, '/token?callback=take')).raw).not.toContain(canary);
  });

  it('KD-5: JSON after a byte order mark is not sent unsigned', async () => {
    const app = signed((_request, response) => void response.end(`\ufeff${JSON.stringify(reply())}`));
    expect((await ask(app)).raw).not.toContain(canary);
  });

  it('S42: a range that the client has chosen does not leave unsigned', async () => {
    const app = application();
    app.get('/token', signing(), (_request, response) => response.sendFile('reply.json', { root: folder }));
    const written = JSON.stringify(reply());
    // Of `{"access_token":{…},…}` the claims alone, which are JSON without any of the fields.
    const range = `bytes=${written.indexOf('{', 1)}-${written.indexOf('}')}`;
    const port = await listen(app);
    const answer = await exchange({ port, method: 'GET', path: '/token', headers: [['Range', range]] });
    expect(answer.status).toBe(500);
    expect(answer.raw).not.toContain(canary);
  });

  it('KD-5: every route behind it, and nothing of the others', async () => {
    const app = application();
    app.get('/before', (_request, response) => void response.json(reply()));
    app.use(signing());
    app.get('/behind', (_request, response) => void response.json(reply()));
    expect((await ask(app, '/before', 'GET')).raw).toContain(canary);
    await expectSigned((await ask(app, '/behind', 'GET')).body);
    expect((await ask(app, '/nowhere', 'GET')).status).toBe(404);
  });

  it('S42: refuses a field in a string that is not declared as JSON', async () => {
    const answer = await ask(signed((_request, response) => void response.send(JSON.stringify(reply()))));
    expect(answer.status).toBe(500);
    expect(answer.raw).not.toContain(canary);
  });

  it('D24: sends 204 and 304 unchanged', async () => {
    const app = application();
    app.use(signing());
    app.get('/nothing', (_request, response) => void response.sendStatus(204));
    app.get('/same', (_request, response) => void response.status(304).end());
    expect((await ask(app, '/nothing', 'GET')).status).toBe(204);
    expect((await ask(app, '/same', 'GET')).status).toBe(304);
  });

  it('S42: sends only the status of a refusal that is a stream', async () => {
    const write: RequestHandler = (_request, response) =>
      void Readable.from([`{"access_token":{"sub":"${canary}"`, '}}']).pipe(response.status(401));
    const answer = await ask(signed(write));
    expect([answer.status, answer.body]).toEqual([401, '']);
  });
});

describe('S42: a reply that cannot be signed', () => {
  it('S42: reaches the error handler without its own headers; headers set before it stay', async () => {
    const seen: unknown[] = [];
    const app = signed(
      (_request, response) => {
        response.set({ 'Cache-Control': 'public', 'Content-Language': 'en', 'X-Handler': 'kept' });
        response.json(unsignable());
      },
      (error, _request, response, _next) => {
        seen.push(error, response.headersSent, response.getHeaderNames());
        response.status(500).json('no');
      },
    );
    const answer = await ask(app);
    expect([answer.status, answer.body]).toEqual([500, '"no"']);
    expect(answer.raw).not.toContain(canary);
    const [error, ...rest] = seen;
    expect(error).toBeInstanceOf(TypeError);
    expect(rest).toEqual([false, ['x-powered-by', 'x-handler']]);
  });

  it.each<[string, RequestHandler]>([
    ['res.json', (_request, response) => void response.json(unsignable())],
    ['pipe', (_request, response) => void Readable.from([JSON.stringify(unsignable())]).pipe(response)],
    [
      'several writes',
      (_request, response) => {
        response.writeHead(200, { 'Content-Type': 'application/json', ETag: `"${canary}"` });
        for (const character of JSON.stringify(unsignable())) response.write(character);
        response.end();
      },
    ],
  ])('S42: Express answers 500, and sends no byte of the reply: %s', async (_, write) => {
    const answer = await ask(signed(write));
    expect(answer.status).toBe(500);
    expect(answer.raw).not.toContain(canary);
    expect(headerValues(answer, 'content-length')).toEqual([String(answer.body.length)]);
  });

  it('S42: an error handler that only ends the reply sends no body', async () => {
    const app = signed(
      (_request, response) => void response.json(unsignable()),
      (_error, _request, response, _next) => void response.end(),
    );
    const answer = await ask(app);
    expect(answer.body).toBe('');
    expect(answer.raw).not.toContain(canary);
  });

  it('S42: the connection serves the next request', async () => {
    const app = signed((request, response) => {
      response.json('bad' in request.query ? unsignable() : reply());
    });
    const server = createServer(app);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
    const statuses: number[] = [];
    for (const query of ['?bad', '', '?bad', '']) {
      const answer = await fetch(url + query, { method: 'POST' });
      statuses.push(answer.status);
      if (answer.ok) await expectSigned(await answer.text());
      else await answer.body?.cancel();
    }
    expect(statuses).toEqual([500, 200, 500, 200]);
    server.closeAllConnections();
    server.close();
  });
});

describe('S42: handlers that continue after a reply, or fail during one', () => {
  it('S42: a second reply, at once, is not sent', async () => {
    const answer = await ask(
      signed((_request, response) => {
        response.json(reply());
        response.end(JSON.stringify({ access_token: claims({ sub: 'mallory' }) }));
      }),
    );
    expect(answer.raw).not.toContain(canary);
    await expectSigned(answer.body);
  });

  it('S42: a second reply, while the error handler still works on the first, is not sent unsigned', async () => {
    let failed = () => {};
    const hasFailed = new Promise<void>((resolve) => {
      failed = resolve;
    });
    let answered = () => {};
    const hasAnswered = new Promise<void>((resolve) => {
      answered = resolve;
    });
    const app = signed(
      async (_request, response) => {
        response.json(unsignable());
        await hasFailed;
        // The handler lacks a `return`.
        response.json(reply());
        answered();
      },
      async (_error, _request, response, _next) => {
        failed();
        // It may write to a log, for example.
        await hasAnswered;
        if (!response.headersSent) response.status(500).end();
      },
    );
    expect((await ask(app)).raw).not.toContain(canary);
  });

  it('S42: what a handler wrote before it threw is not sent with the error', async () => {
    const app = signed((_request, response) => {
      response.type('json').write(JSON.stringify(reply()));
      throw new Error('the handler failed');
    });
    expect((await ask(app)).raw).not.toContain(canary);
  });

  it('S42: what a handler wrote before it threw does not desynchronise the connection', async () => {
    const app = signed((_request, response) => {
      response.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      throw new Error('the handler failed');
    });
    const answer = await ask(app);
    expect(headerValues(answer, 'content-length')).toEqual([String(answer.body.length)]);
  });

  it('S42: an error after a reply that needs no signing does not change its length', async () => {
    const app = signed((_request, response) => {
      response.json({ token_type: 'Bearer' });
      throw new Error('the handler failed');
    }, answers);
    const answer = await ask(app);
    expect(headerValues(answer, 'content-length')).toEqual([String(answer.body.length)]);
  });

  it('S42: an error handler that answers with other claims, after a piece: nothing is sent', async () => {
    const app = signed(
      (_request, response) => {
        response.type('json').write(JSON.stringify({ access_token: claims({ sub: 'mallory' }) }));
        throw new Error('the handler failed');
      },
      (_error, _request, response, _next) => void response.status(200).json(reply()),
    );
    const answer = await ask(app);
    expect([answer.status, answer.body]).toEqual([500, '']);
    expect(answer.raw).not.toContain(canary);
  });

  it('S42: an error handler whose claims cannot be signed either: a 500 without a body', async () => {
    const answer = await ask(
      signed(
        (_request, response) => void response.json(unsignable()),
        (_error, _request, response, _next) => void response.status(200).json(unsignable()),
      ),
    );
    expect([answer.status, answer.body]).toEqual([500, '']);
    expect(answer.raw).not.toContain(canary);
  });

  it.each<[string, RequestHandler, number]>([
    ['a redirect', (_request, response) => response.redirect('/elsewhere'), 302],
    ['sendStatus', (_request, response) => void response.sendStatus(202), 202],
    ['sendStatus, none', (_request, response) => void response.sendStatus(204), 204],
  ])('D24: a reply of Express itself: %s, also after a piece of another reply', async (_, write, status) => {
    expect((await ask(signed(write))).status).toBe(status);
    const after = await ask(
      signed((request, response, next) => {
        response.type('json').write(JSON.stringify(reply()));
        return write(request, response, next);
      }),
    );
    // Another 2xx could be the rest of the reply that was begun.
    expect(after.status).toBe(status < 300 ? 500 : status);
    expect(after.raw).not.toContain(canary);
  });

  it('D24: an error after a reply does not turn signed tokens into a failure', async () => {
    const app = signed((_request, response) => {
      response.json(reply());
      throw new Error('the handler failed');
    }, answers);
    const answer = await ask(app);
    expect(answer.status === 200 || !answer.body.includes('access_token')).toBe(true);
  });
});

describe('D24: wrappers of the response', () => {
  /**
   * Compresses everything, as `compression` does: it wraps the methods that the response has when
   * the middleware runs.
   */
  const compress: RequestHandler = (_request, response, next) => {
    const { write, end } = response;
    const gzip = createGzip();
    const raw = { write: write.bind(response), end: end.bind(response) } as Pick<
      ServerResponse,
      'write' | 'end'
    >;
    gzip.on('data', (chunk: Buffer) => raw.write(chunk));
    gzip.on('end', () => raw.end());
    const begin = () => {
      if (response.hasHeader('Content-Encoding')) return;
      response.setHeader('Content-Encoding', 'gzip');
      response.removeHeader('Content-Length');
    };
    response.write = (chunk: unknown) => {
      begin();
      return gzip.write(chunk);
    };
    response.end = ((chunk?: unknown) => {
      begin();
      gzip.end(chunk);
      return response;
    }) as ServerResponse['end'] & typeof response.end;
    next();
  };

  it('D24: compression before it compresses the tokens', async () => {
    const app = application();
    app.use(compress);
    app.post('/token', signing(), (_request, response) => void response.json(reply()));
    const answer = await ask(app);
    expect(headerValues(answer, 'content-encoding')).toEqual(['gzip']);
    await expectSigned(gunzipSync(Buffer.from(answer.body, 'latin1')).toString());
  });

  it('D24: compression before it compresses the error', async () => {
    const app = application();
    app.use(compress);
    app.post('/token', signing(), (_request, response) => void response.json(unsignable()));
    const answer = await ask(app);
    expect(answer.status).toBe(500);
    expect(gunzipSync(Buffer.from(answer.body, 'latin1')).toString()).not.toContain(canary);
  });

  it('D24: compression behind it is a 500', async () => {
    const app = application();
    app.post('/token', signing(), compress, (_request, response) => void response.json(reply()));
    const answer = await ask(app);
    expect(answer.status).toBe(500);
    expect(answer.raw).not.toContain(canary);
    expect(headerValues(answer, 'content-encoding')).toEqual([]);
  });

  it('D24: two signResponse that sign different fields', async () => {
    const app = application();
    const options = { signer: signers.login, keysToSign: ['refresh_token'] };
    app.post('/token', signing(), signResponse(options), (_request, response) => {
      response.json({ access_token: claims(), refresh_token: claims() });
    });
    const { access_token, refresh_token } = JSON.parse((await ask(app)).body);
    await authenticator.verify(access_token);
    await authenticator.verify(refresh_token);
  });

  it('S42: two signResponse that sign the same field: nothing is sent', async () => {
    const app = application();
    app.post('/token', signing(), signing(), (_request, response) => void response.json(reply()));
    expect((await ask(app)).status).toBe(500);
  });

  it('D24: a session behind it is saved when a refusal is streamed', async () => {
    let saved = 0;
    const app = application();
    const session: RequestHandler = (_request, response, next) => {
      const { end } = response;
      // Does what express-session does.
      response.end = ((...given: Parameters<ServerResponse['end']>) => {
        saved++;
        return Reflect.apply(end, response, given);
      }) as typeof response.end;
      next();
    };
    app.post('/token', signing(), session, (_request, response) => {
      response.status(401).write('no');
      response.end();
    });
    await ask(app);
    expect(saved).toBe(1);
  });
});

describe('KD-17: the gateway’s own configuration', () => {
  it('KD-3, KD-15: a login in front of the handler, with a local key', async () => {
    const k = randomBytes(32).toString('base64url');
    const keys = [{ kty: 'oct', kid: 'sim2', alg: 'HS256', k }];
    const keyServer = await serve((_request, response) => void response.end(JSON.stringify({ keys })));
    servers.push(keyServer);
    const app = application();
    app.use(express.json());
    const endpoint = {
      endpoint: '/token',
      method: 'POST',
      backend: [{ host: ['https://backend'], url_pattern: '/token-issuer' }],
      extra_config: {
        'github.com/devopsfaith/krakend-jose/signer': {
          alg: 'HS256',
          kid: 'sim2',
          'keys-to-sign': ['access_token', 'refresh_token'],
          'jwk-url': `http://127.0.0.1:${keyServer.port}/jwk/symmetric.json`,
          disable_jwk_security: true,
        },
      },
    };
    app.post('/token', signResponse(fromKrakend(endpoint)), (request, response) => {
      const payload = { aud: 'https://your.krakend.io', iss: LOGIN_ISSUER, sub: request.body.user, exp: 4e9 };
      response.json({ access_token: { ...payload, exp: claims().exp }, exp: 1735689600 });
    });
    const answer = await fetch(`http://127.0.0.1:${await listen(app)}/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"user":"john","pass":"doe"}',
    });
    const { access_token, exp } = (await answer.json()) as { access_token: string; exp: number };
    expect(exp).toBe(1735689600);
    expect(JSON.parse(Buffer.from(access_token.split('.')[0]!, 'base64url').toString())).toEqual({
      alg: 'HS256',
      kid: 'sim2',
      typ: 'JWT',
    });
    const store = { description: 'here', read: async () => Buffer.from(JSON.stringify({ keys })) };
    const verifier = createAuthenticator({
      keySets: [{ issuer: LOGIN_ISSUER, secret: { name: 'symmetric', key: 'jwks.json' } }],
      secrets: store,
      audience: 'https://your.krakend.io',
    });
    expect((await verifier.verify(access_token)).subject).toBe('john');
  });
});

describe('KD-15: publishKeys', () => {
  it('KD-15: an error goes to the error handler', async () => {
    const app = application();
    app.get('/keys', publishKeys(signers.down));
    app.use(((error, _request, response, _next) => {
      response.status(error.status).set(error.headers).send(error.code);
    }) satisfies ErrorRequestHandler);
    const answer = await ask(app, '/keys', 'GET');
    expect([answer.status, answer.body]).toEqual([503, 'keyset_unavailable']);
    expect(headerValues(answer, 'retry-after')).toEqual(['5']);
  });

  it('KD-15: a client that has the keys already gets a 304', async () => {
    const app = application();
    app.get('/keys', publishKeys(signers.login));
    const port = await listen(app);
    const first = await exchange({ port, method: 'GET', path: '/keys', headers: [] });
    const headers = [['If-None-Match', headerValues(first, 'etag')[0]!]] as const;
    expect((await exchange({ port, method: 'GET', path: '/keys', headers })).status).toBe(304);
  });
});
