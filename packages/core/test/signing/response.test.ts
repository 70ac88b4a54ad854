// Replies whose fields are signed: which replies, which fields, what is left alone, and what is an
// error that says nothing.

import { EventEmitter, once } from 'node:events';
import { PassThrough, Readable, Stream } from 'node:stream';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { generateSigningKey, type SigningKey } from '@latchkey/testing';
import { compactVerify, flattenedVerify } from 'jose';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { createMemoryStore } from '../../src/secrets/store.ts';
import { MAX_REPLY_BYTES, type OutgoingReply, type SignedReply } from '../../src/signing/reply-body.ts';
import {
  createResponseSigner,
  type ResponseSigner,
  type SignResponseOptions,
} from '../../src/signing/response.ts';
import { createSigner, type Signer } from '../../src/signing/signer.ts';
import type { JsonObject } from '../../src/values/json.ts';
import { nextEvent } from '../support/observed.ts';
import { rejectionOf } from '../support/refusals.ts';

const NOW = 1_700_000_000;
const EXP = NOW + 300;
const CANARY = 'canary-5f1d7c';
const JSON_TYPE = { 'content-type': 'application/json' };

let key: SigningKey;
let privateJwk: JsonObject;
let signer: Signer;

beforeAll(async () => {
  key = await generateSigningKey('ES256', 'k');
  privateJwk = { ...key.publicJwk, ...(key.privateKey.export({ format: 'jwk' }) as JsonObject) };
  signer = createSigner({ jwks: { keys: [privateJwk] }, clock: { now: () => NOW * 1000 } });
});

afterEach(() => vi.restoreAllMocks());

const claims = (more: object = {}) => ({ sub: 'alice', canary: CANARY, exp: EXP, ...more });

const make = (more: object = {}): ResponseSigner =>
  createResponseSigner({ signer, keysToSign: ['access_token', 'refresh_token'], ...more });

const wrong = (options: object) => () => createResponseSigner(options as SignResponseOptions);

function* endless(): Generator<string> {
  for (;;) yield `"${CANARY}`.padEnd(65_536);
}

interface Given {
  readonly status?: number;
  readonly headers?: { readonly [name: string]: unknown };
  readonly by?: ResponseSigner;
}

/** A reply as a framework has it, and its headers by names in lower case. */
function outgoing(
  body: unknown,
  { status = 200, headers = {} }: Given = {},
): { readonly reply: OutgoingReply; readonly head: Map<string, unknown> } {
  const head = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const reply: OutgoingReply = {
    status,
    body,
    getHeader: (name) => head.get(name.toLowerCase()),
    setHeader: (name, value) => head.set(name.toLowerCase(), value),
    removeHeader: (name) => head.delete(name.toLowerCase()),
  };
  return { reply, head };
}

function sign(body: unknown, given: Given = {}) {
  return (given.by ?? make()).sign(outgoing(body, given).reply);
}

/** Signs a reply that has to be signed. */
async function signed(
  body: unknown,
  given?: Given,
): Promise<{ readonly object: unknown; readonly body: string }> {
  const reply = await sign(body, given);
  if (typeof reply?.body !== 'string') throw new Error('the reply leaves as it is');
  return { ...reply, body: reply.body };
}

/** What was refused, as text, with everything that an error may show. */
async function refusal(body: unknown, given?: Given): Promise<string> {
  const error = await rejectionOf(sign(body, given));
  const { message, stack, cause } = error;
  expect(`${message}${stack}${JSON.stringify(error)}${String(cause)}`).not.toContain(CANARY);
  return message;
}

/** Signs a reply that has to be signed, and gives the field. */
async function accessToken(body: unknown, given?: Given): Promise<unknown> {
  return JSON.parse((await signed(body, given)).body).access_token;
}

async function expectToken(
  token: unknown,
  expected: object = { sub: 'alice', canary: CANARY },
): Promise<void> {
  const { payload } = await compactVerify(token as string, key.publicJwk, { algorithms: ['ES256'] });
  expect(JSON.parse(Buffer.from(payload).toString())).toMatchObject(expected);
}

describe('D24: which replies are signed', () => {
  it.each([200, 201, 202, 203, 207, 226, 299])('D24: %i is', async (status) => {
    await expectToken(await accessToken({ access_token: claims() }, { status }));
  });

  const statuses = [100, 101, 199, 300, 302, 304, 400, 401, 403, 404, 500, 503, 599];
  it.each(statuses)('D24: %i is not, and leaves with its JSON', async (status) => {
    const reply = { error: 'invalid_grant', error_description: 'The access_token has expired', list: [1] };
    for (const headers of [{}, JSON_TYPE])
      for (const body of [reply, JSON.stringify(reply), [], 'null', '', undefined])
        expect(await sign(body, { status, headers })).toBeUndefined();
    for (const body of ['', undefined])
      expect(await sign(body, { status, headers: { 'content-type': 'text/html' } })).toBeUndefined();
  });

  it.each<[string, number, object]>([
    ['206', 206, JSON_TYPE],
    ['a Content-Range', 200, { ...JSON_TYPE, 'content-range': 'bytes 16-99/201' }],
  ])('S42: a part of a reply does not leave: %s', async (_, status, headers) => {
    for (const body of [claims(), JSON.stringify(claims()), '', undefined])
      await expect(sign(body, { status, headers: { ...headers } })).rejects.toThrow('a part of another');
  });

  describe('a stream that does not leave is released, and its failure is not reported', () => {
    const cases: readonly (readonly [string, number, Record<string, string>])[] = [
      ['another type', 200, { 'content-type': 'text/event-stream' }],
      ['compressed', 200, { ...JSON_TYPE, 'content-encoding': 'gzip' }],
      ['a part', 206, JSON_TYPE],
      ['a page of an error', 404, { 'content-type': 'text/html' }],
      ['a compressed error', 500, { ...JSON_TYPE, 'content-encoding': 'gzip' }],
    ];
    const silent = () => {
      const stream = new Readable({ read() {} });
      const closed = once(stream, 'close');
      return { stream, closed };
    };

    it.each(cases)('%s', async (_, status, headers) => {
      const { stream, closed } = silent();
      await sign(stream, { status, headers: { ...headers } }).catch(() => {});
      await closed;
      stream.emit('error', new Error('too late'));
      const cancel = vi.fn();
      await sign(new ReadableStream({ cancel }), { status, headers: { ...headers } }).catch(() => {});
      expect(cancel).toHaveBeenCalledOnce();
    });

    it.each([
      ['closes', false],
      ['has closed', true],
    ])('of a connection that %s', async (_, destroyed) => {
      for (const status of [200, 400]) {
        const response = Object.assign(new EventEmitter(), { destroyed });
        const { stream, closed } = silent();
        const { reply } = outgoing(stream, { status, headers: JSON_TYPE });
        const signing = make()
          .sign({ ...reply, response: response as never })
          .catch(() => {});
        response.emit('close');
        await closed;
        await signing;
      }
    });

    it('an error without a body', async () => {
      expect(await sign(Readable.from([]), { status: 400, headers: JSON_TYPE })).toMatchObject({
        body: Buffer.of(),
      });
    });
  });

  const bare = { object: undefined, body: '' };
  it.each<[string, unknown]>([
    ['a field', { access_token: claims() }],
    ['a field that is no object', { access_token: CANARY }],
    ['a field further down', { error: [{ data: { access_token: claims() } }] }],
    [
      'a text that quotes the reply',
      { message: `cannot save ${JSON.stringify({ access_token: claims() })}` },
    ],
    ['a text that quotes a text', { message: JSON.stringify(JSON.stringify({ access_token: claims() })) }],
    ['a text as a debugger writes it', { message: inspect({ access_token: claims() }) }],
    ['an instance', new Map([['access_token', claims()]]).entries()],
    ['a list', [{ access_token: claims() }]],
  ])('S42: of a 4xx, the status leaves without a body that has %s', async (_, body) => {
    for (const headers of [{}, JSON_TYPE]) {
      const { reply, head } = outgoing(body, {
        status: 400,
        headers: { ...headers, 'content-length': 5, etag: CANARY, 'cache-control': 'no-store', 'x-a': 'a' },
      });
      const kept = await make().sign(reply);
      if (kept === undefined) expect(JSON.stringify(body)).not.toContain(CANARY);
      else {
        expect(kept).toEqual(bare);
        expect(Object.fromEntries(head)).toEqual({ 'cache-control': 'no-store', 'x-a': 'a' });
      }
    }
  });

  it.each<[string, () => unknown, string]>([
    ['a page', () => `<p>${CANARY}</p>`, 'text/html'],
    ['JSON that is not declared so', () => '{}', 'text/html'],
    [
      'a plain text that quotes the reply',
      () => `no: ${JSON.stringify({ access_token: claims() })}`,
      'text/plain',
    ],
    ['a plain text of several pieces', () => Readable.from(['no']), 'text/plain'],
    ['events', () => `data: ${CANARY}`, 'text/event-stream'],
    ['lines', () => `{}\n{"a":"${CANARY}"}`, 'application/x-ndjson'],
    ['what is not JSON', () => CANARY, 'application/json'],
    ['bytes', () => Buffer.from([0xff, 0x00]), 'application/json'],
    ['a Blob', () => new Blob([CANARY]), 'application/json'],
    ['a stream without end', () => Readable.from(endless()), 'application/json'],
    ['a stream of another type', () => Readable.from(endless()), 'text/html'],
  ])('S42: of a 4xx, the status leaves without %s', async (_, body, type) => {
    expect(await sign(body(), { status: 400, headers: { 'content-type': type } })).toEqual(bare);
  });

  it('S42: of a 4xx, a stream of another type is let go of, unread', async () => {
    const stream = new PassThrough();
    expect(await sign(stream, { status: 404, headers: { 'content-type': 'text/html' } })).toEqual(bare);
    expect([stream.destroyed, stream.readableDidRead]).toEqual([true, false]);
  });

  it('D24: of a 4xx, JSON in a stream leaves whole', async () => {
    const stream = Readable.from(['{"error"', ':"no"}']);
    expect(await sign(stream, { status: 404, headers: JSON_TYPE })).toEqual({
      object: { error: 'no' },
      body: Buffer.from('{"error":"no"}'),
    });
  });

  it('S42, leaves unsigned: plain text of an error, without the fields', async () => {
    const headers = { 'content-type': 'text/plain; charset=utf-8' };
    for (const body of ['The access_token has expired', 'access_token: none', 'no'])
      expect(await sign(body, { status: 400, headers })).toBeUndefined();
  });

  it('D24: the name of the status is what frameworks write for no body', async () => {
    const headers = { 'content-type': 'text/plain' };
    expect(await sign('Accepted', { status: 202, headers })).toBeUndefined();
    expect(await sign('Not Found', { status: 404, headers })).toBeUndefined();
    expect(await refusal('Not Found', { status: 202, headers })).toContain('not declared as JSON');
    expect(await sign('Accepted', { status: 404, headers: { 'content-type': 'text/html' } })).toEqual(bare);
  });

  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'application/json;charset=UTF-8',
    'application/json ; charset=utf-8',
    'APPLICATION/JSON',
    'Application/Problem+JSON',
    'application/vnd.api+json; version=1',
    'application/token-introspection+json',
  ])('KD-5: %s is JSON', async (type) => {
    const body = JSON.stringify({ access_token: claims() });
    await expectToken(await accessToken(body, { headers: { 'content-type': type } }));
  });

  it('KD-5: no type, and a body that is a JSON object', async () => {
    await expectToken(await accessToken(JSON.stringify({ access_token: claims() })));
  });

  const others = [
    'text/event-stream',
    'application/x-ndjson',
    'application/javascript',
    'text/javascript; charset=utf-8',
    'text/plain',
    'text/html; charset=utf-8',
    'application/octet-stream',
    'text/json',
    'application/jsonp',
    'application/json-seq',
    'application/json, text/html',
    'x-application/json',
  ];

  it.each(others)('S42: a field under %s is an error', async (type) => {
    const body = JSON.stringify({ access_token: claims() });
    expect(await refusal(body, { headers: { 'content-type': type } })).toContain('not declared as JSON');
  });

  it.each(others)('S42: nothing under %s leaves', async (type) => {
    const headers = { 'content-type': type };
    for (const body of ['<p>access_token</p>', '{"token_type":"Bearer"}', '"access_token"', {}, [CANARY]])
      expect(await refusal(body, { headers })).toContain('not declared as JSON');
    expect(await sign('', { headers })).toBeUndefined();
  });

  it('S42: a type that is given twice is judged as Node writes it', async () => {
    const headers = { 'content-type': ['application/json', 'text/html'] };
    expect(await refusal({ access_token: claims() }, { headers })).toContain('not declared as JSON');
  });
});

describe('KD-5: bodies as frameworks have them', () => {
  class Login {
    readonly access_token = claims();
    readonly #password = CANARY;
    get password() {
      return this.#password;
    }
  }
  class Hidden {
    toJSON() {
      return { access_token: claims() };
    }
  }
  const object = () => ({ access_token: claims() });
  const text = () => JSON.stringify(object());

  it.each<[string, () => unknown]>([
    ['an object', object],
    ['an object without a prototype', () => Object.assign(Object.create(null), object())],
    ['a frozen object', () => Object.freeze(object())],
    ['an instance', () => new Login()],
    ['an instance with toJSON', () => new Hidden()],
    ['a text', text],
    ['a text with space around', () => `\r\n\t ${text()} \n`],
    ['a Buffer', () => Buffer.from(text())],
    ['a Uint8Array', () => new TextEncoder().encode(text())],
    ['a part of a larger buffer', () => Buffer.from(`xx${text()}xx`).subarray(2, -2)],
    ['a stream of text', () => Readable.from([text().slice(0, 20), text().slice(20)])],
    ['a stream of bytes', () => Readable.from(Array.from(Buffer.from(text()), (byte) => Buffer.of(byte)))],
    ['a web stream', () => new Response(text()).body],
    [
      'an async generator',
      async function* () {
        yield text();
      },
    ],
  ])('KD-5: %s', async (_, body) => {
    const given = body();
    const reply = await signed(typeof given === 'function' ? given() : given, { headers: JSON_TYPE });
    expect(reply.body).not.toContain(CANARY);
    expect(JSON.parse(reply.body)).toEqual(reply.object);
    expect(Object.keys(reply.object as object)).toEqual(['access_token']);
    await expectToken(JSON.parse(reply.body).access_token);
  });

  it('KD-5: a character in two pieces of a stream', async () => {
    const bytes = Buffer.from(JSON.stringify({ access_token: claims({ name: 'Zoë 😀' }) }));
    const stream = Readable.from(Array.from(bytes, (byte) => Buffer.of(byte)));
    const { access_token } = JSON.parse((await signed(stream, { headers: JSON_TYPE })).body);
    await expectToken(access_token, { name: 'Zoë 😀' });
  });

  it.each<[string, () => unknown]>([
    ['a Response', () => Response.json(object())],
    ['a Blob', () => new Blob([text()], { type: 'application/json' })],
  ])('S42: %s cannot be read, and is an error', async (_, body) => {
    for (const headers of [{}, JSON_TYPE])
      expect(await refusal(body(), { headers })).toContain('cannot be read');
  });

  it.each([undefined, null, '', 5, true, [], [{ access_token: {} }], {}, { other: {} }, '"text"', 'null'])(
    'S42: %j has nothing to be signed',
    async (body) => {
      expect(await sign(body)).toBeUndefined();
    },
  );

  it.each(['', '5', 'null', '[]', '"access_token"', '{}'])('S42: %j, declared as JSON', async (body) => {
    expect(await sign(body, { headers: JSON_TYPE })).toBeUndefined();
    const stream = outgoing(Readable.from([Buffer.from(body)]), { headers: JSON_TYPE });
    expect(await make().sign(stream.reply)).toEqual({
      object: body === '' ? undefined : JSON.parse(body),
      body: Buffer.from(body),
    });
    expect(Object.fromEntries(stream.head)).toEqual(JSON_TYPE);
  });

  it.each(['{"access_token":', '{"a":1}}', "{'a':1}", '\ufeff\ufeff{}', 'undefined', 'NaN', '{"a":1,}'])(
    'S42: %j says that it is JSON, and is not',
    async (body) => {
      expect(await refusal(`${body}`, { headers: JSON_TYPE })).toContain('is not');
    },
  );

  it.each<[string, Buffer]>([
    ['latin1', Buffer.from('{"access_token":{"sub":"Zoë"}}', 'latin1')],
    ['UTF-16', Buffer.from('{"access_token":{"sub":"alice"}}', 'utf16le')],
    ['a character cut short', Buffer.from('{"access_token":{"sub":"€"}}').subarray(0, 25)],
  ])('S42: %s is not JSON', async (_, body) => {
    for (const headers of [{}, JSON_TYPE]) expect(await refusal(body, { headers })).toContain('is not');
  });

  it('S42: JSON behind a byte order mark, which clients read over, does not leave unsigned', async () => {
    const marked = `\ufeff${text()}`;
    for (const headers of [{}, JSON_TYPE])
      for (const body of [marked, Buffer.from(marked), Readable.from([marked])])
        await expectToken(await accessToken(body, { headers }));
    expect(await sign('\ufeff{}', { headers: JSON_TYPE })).toBeUndefined();
  });

  it('S42: a stream that has no type does not leave unsigned', async () => {
    await expectToken(await accessToken(Readable.from([text()])));
  });

  it('S42: a stream that pipes but cannot be iterated over does not leave unsigned', async () => {
    const stream = () => Object.assign(new Stream(), { readable: true });
    for (const headers of [{}, JSON_TYPE])
      expect(await refusal(stream(), { headers })).toContain('cannot be read');
  });

  it('S42: a stream of another type is an error, and is not read', async () => {
    for (const headers of [{ 'content-type': 'text/html' }, { 'content-type': 'text/event-stream' }]) {
      const stream = new PassThrough();
      expect(await refusal(stream, { headers })).toContain('not declared as JSON');
      expect(stream.readableDidRead).toBe(false);
    }
  });

  it('S42: a stream that fails is that error', async () => {
    const failure = new Error('the stream failed');
    const stream = new Readable({
      read() {
        this.destroy(failure);
      },
    });
    await expect(sign(stream, { headers: JSON_TYPE })).rejects.toBe(failure);
  });

  it('S42: a stream longer than a reply may be is let go of as soon as that is known', async () => {
    let taken = 0;
    const stream = Readable.from(
      (function* () {
        for (;;) {
          taken += 65_536;
          yield Buffer.alloc(65_536, 0x20);
        }
      })(),
    );
    const closed = new Promise((resolve) => stream.once('close', resolve));
    expect(await refusal(stream, { headers: JSON_TYPE })).toContain('longer');
    await closed;
    expect(taken).toBeLessThan(4 * MAX_REPLY_BYTES);
  });

  it('S42: a stream exactly as long as a reply may be', async () => {
    const content = text();
    const stream = () => Readable.from([content, ' '.repeat(MAX_REPLY_BYTES - content.length)]);
    await expectToken(await accessToken(stream(), { headers: JSON_TYPE }));
    const longer = Readable.from([content, ' '.repeat(MAX_REPLY_BYTES - content.length + 1)]);
    expect(await refusal(longer, { headers: JSON_TYPE })).toContain('longer');
  });

  it('S42: a text exactly as long as a reply may be, and a longer one', async () => {
    const padded = (length: number) => text() + ' '.repeat(length - text().length);
    for (const headers of [JSON_TYPE, {}]) {
      await expectToken(await accessToken(padded(MAX_REPLY_BYTES), { headers }));
      expect(await refusal(padded(MAX_REPLY_BYTES + 1), { headers })).toContain('longer');
    }
    const page = { 'content-type': 'text/html' };
    expect(await refusal('x'.repeat(MAX_REPLY_BYTES + 1), { headers: page })).toContain('longer');
  });

  const ENCODINGS = ['gzip', 'br', 'Identity', 'identity, gzip', ''];
  it.each(ENCODINGS)('S42: Content-Encoding %j is an error', async (encoding) => {
    const headers = { ...JSON_TYPE, 'content-encoding': encoding };
    expect(await refusal(gzipSync(text()), { headers })).toContain('compressed');
  });

  it('KD-5: Content-Encoding identity is none', async () => {
    const headers = { ...JSON_TYPE, 'content-encoding': 'identity' };
    await expectToken(await accessToken(text(), { headers }));
  });
});

describe('S42: fields', () => {
  it('KD-5: each that is there becomes a token, in place', async () => {
    const refresh = claims({ sub: 'bob' });
    const reply = await signed({ a: 1, refresh_token: refresh, b: 2, access_token: claims(), c: 3 });
    const { a, b, c, access_token, refresh_token } = JSON.parse(reply.body);
    expect([a, b, c]).toEqual([1, 2, 3]);
    expect(Object.keys(JSON.parse(reply.body))).toEqual(['a', 'refresh_token', 'b', 'access_token', 'c']);
    await expectToken(access_token);
    await expectToken(refresh_token, { sub: 'bob' });
  });

  it('KD-18: the claims of the gateway’s example', async () => {
    const payload = {
      aud: 'https://your.krakend.io',
      iss: 'https://your-backend',
      sub: '1234567890qwertyuio',
      jti: 'mnb23vcsrt756yuiomnbvcx98ertyuiop',
      roles: ['role_a', 'role_b'],
      exp: 1735689600,
    };
    const refresh_token = { ...payload, jti: 'mnb23vcsrt756yuiomn12876bvcx98ertyuiop', roles: undefined };
    const body = JSON.stringify({ access_token: payload, refresh_token, exp: 1735689600 });
    const then = createSigner({ jwks: { keys: [privateJwk] }, clock: { now: () => 1_735_680_000_000 } });
    const reply = JSON.parse((await signed(body, { by: make({ signer: then }) })).body);
    expect(reply.exp).toBe(1735689600);
    await expectToken(reply.access_token, payload);
    await expectToken(reply.refresh_token, { jti: 'mnb23vcsrt756yuiomn12876bvcx98ertyuiop' });
  });

  const NO_OBJECTS = [null, 'claims', '', 5, 0, true, false, [], [{}], 'eyJhbGciOiJub25lIn0.e30.'];
  it.each(NO_OBJECTS)('S42: %j is not an object, and nothing leaves', async (access_token) => {
    const body = { refresh_token: claims(), access_token, canary: CANARY };
    expect(await refusal(body)).toBe('signResponse: access_token is not an object');
    expect(await refusal(JSON.stringify(body), { headers: JSON_TYPE })).toContain('access_token');
  });

  it.each<[string, object, RegExp]>([
    ['no exp', claims({ exp: undefined }), /^exp is required/],
    ['no claim at all', {}, /^exp is required/],
    ['exp as text', claims({ exp: CANARY }), /^exp/],
    ['exp in milliseconds', claims({ exp: EXP * 1000 }), /^exp/],
    ['sub as number', claims({ sub: 5 }), /^sub/],
    ['a number that no double holds', claims({ id: 2 ** 60 }), /^id/],
  ])('S47: %s cannot be signed', async (_, access_token, message) => {
    expect(await refusal({ refresh_token: claims(), access_token })).toMatch(message);
  });

  it('S47: requireExp: false, in options of the signer', async () => {
    const jwks = { keys: [privateJwk] };
    const by = createResponseSigner({ keysToSign: ['access_token'], jwks, requireExp: false });
    await expectToken(await accessToken({ access_token: { sub: 'alice' } }, { by }), { sub: 'alice' });
  });

  it('S42: missing ones are skipped, unless they must not be', async () => {
    const body = { access_token: claims() };
    expect(await sign(body)).toBeDefined();
    expect(await sign(body, { by: make({ onMissing: 'skip' }) })).toBeDefined();
    const by = make({ onMissing: 'error' });
    expect(await refusal(body, { by })).toContain('missing');
    expect(await sign({ ...body, refresh_token: claims() }, { by })).toBeDefined();
    for (const nothing of [{}, [], '"text"', '', undefined, 5])
      expect(await refusal(nothing, { by })).toContain('missing');
    expect(await sign({}, { by, status: 404 })).toBeUndefined();
  });

  it('S42: inherited members are not there', async () => {
    const body = Object.create({ access_token: claims() });
    expect(await sign(body)).toBeUndefined();
    const by = make({ keysToSign: ['toString', 'constructor'] });
    expect(await sign({ a: 1 }, { by })).toBeUndefined();
  });

  it('S42: a member that is named twice is the last one', async () => {
    const last = JSON.stringify(claims({ sub: 'last' }));
    const reply = await signed(`{"access_token":{"sub":"first"},"access_token":${last}}`);
    expect(reply.body.match(/access_token/g)).toHaveLength(1);
    await expectToken(JSON.parse(reply.body).access_token, { sub: 'last' });
    expect(await refusal(`{"access_token":${last},"access_token":"${CANARY}"}`)).toContain('not an object');
  });

  it('S42: a member in escapes is the same one', async () => {
    const reply = await signed(`{"acc\\u0065ss_token":${JSON.stringify(claims())}}`);
    await expectToken(JSON.parse(reply.body).access_token);
  });
});

describe('KD-4: everything else stays', () => {
  const token = JSON.stringify({ sub: 'alice', exp: EXP });
  it.each([
    '12345678901234567890',
    '-12345678901234567890.5',
    '1.0',
    '1e400',
    '-1E-400',
    '0.1000000000000000055511151231257827',
    '-0',
    '1E5',
    '"Zoë 😀 \\u0000 \\" \\\\ /"',
    '"\\ud800"',
    '{"a":{"b":[1.50,{"c":null}]}}',
    '{"access_token":{"sub":"nested"}}',
    '[true,false,null,"",{}]',
  ])('KD-4: %s', async (value) => {
    const { body } = await signed(`{"before":${value},"access_token":${token},"after":[${value}]}`);
    expect(body.replace(/"access_token":"[^"]+"/, '"access_token":0')).toBe(
      `{"before":${value},"access_token":0,"after":[${value}]}`,
    );
  });

  it('KD-4: names that a prototype has', async () => {
    const { body, object } = await signed(
      `{"__proto__":{"admin":true},"constructor":1,"access_token":${token},"toString":{"__proto__":5}}`,
    );
    expect(body.replace(/"access_token":"[^"]+"/, '"access_token":0')).toBe(
      '{"__proto__":{"admin":true},"constructor":1,"access_token":0,"toString":{"__proto__":5}}',
    );
    expect((object as { admin?: unknown }).admin).toBeUndefined();
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
  });

  it('KD-4: a field that is called __proto__ is signed', async () => {
    const by = make({ keysToSign: ['__proto__'] });
    const { body } = await signed(`{"__proto__":${token},"b":1}`, { by });
    expect(Object.keys(JSON.parse(body))).toEqual(['__proto__', 'b']);
    await expectToken(Object.getOwnPropertyDescriptor(JSON.parse(body), '__proto__')?.value, {
      sub: 'alice',
    });
    expect(await sign({ b: 1 }, { by })).toBeUndefined();
  });

  it('KD-4: the object says the same as the text, when it is written as JSON', async () => {
    const { body, object } = await signed(`{"access_token":${token},"long":12345678901234567890,"one":1.0}`);
    expect(JSON.stringify(object)).toBe(body);
  });

  it('KD-4: what was given is not changed', async () => {
    const given = { access_token: claims(), other: { a: 1 } };
    const before = structuredClone(given);
    await signed(given);
    expect(given).toEqual(before);
  });

  it('S42: a reply nested deep is signed, or an error; never half', async () => {
    for (const depth of [1_000, 100_000]) {
      const body = `{"access_token":${token},"deep":${'['.repeat(depth)}${']'.repeat(depth)}}`;
      const reply = await sign(body, { headers: JSON_TYPE }).catch((error: unknown) => error);
      if (reply instanceof Error) continue;
      expect((reply as SignedReply).body).toContain(`"deep":${'['.repeat(depth)}`);
    }
  });
});

describe('D24: headers', () => {
  /** Of the body as it was; Repr-Digest by RFC 9530 §3, of the representation. */
  const ofTheBody = {
    'Content-Length': 5,
    ETag: '"e"',
    'Last-Modified': 'Tue, 15 Nov 1994 12:45:26 GMT',
    'Content-MD5': 'x',
    Digest: 'x',
    'Content-Digest': 'x',
    'Repr-Digest': 'x',
  };
  const headers = {
    ...ofTheBody,
    'Content-Type': 'application/json',
    'Cache-Control': 'public',
    'X-Handler': 'kept',
  };

  it('D24: no cache keeps tokens, and nothing is said of the body as it was', async () => {
    const { reply, head } = outgoing({ access_token: claims() }, { headers });
    await make().sign(reply);
    expect(Object.fromEntries(head)).toEqual({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      pragma: 'no-cache',
      'x-handler': 'kept',
    });
  });

  it('S42: of what does not leave, nothing is said', async () => {
    for (const [name, value] of [
      ['Content-Encoding', 'identity'],
      ['Content-Encoding', 'gzip'],
      ['Content-Type', 'text/plain'],
      ['Content-Type', 'text/javascript'],
    ] as const) {
      const given = { headers: { ...headers, [name]: value } };
      const { reply, head } = outgoing({ access_token: CANARY }, given);
      await expect(make().sign(reply)).rejects.toThrow();
      expect(Object.fromEntries(head)).toEqual({ 'x-handler': 'kept' });
    }
  });

  it('D24: what leaves as it is keeps its head', async () => {
    for (const given of [{ headers }, { headers, status: 401 }]) {
      const { reply, head } = outgoing({ token_type: 'Bearer' }, given);
      expect(await make().sign(reply)).toBeUndefined();
      expect(head).toEqual(outgoing(undefined, given).head);
    }
  });
});

describe('KD-10, S41: full', () => {
  it('S41: true writes a flattened JWS as text', async () => {
    const { body } = await signed({ access_token: claims() }, { by: make({ full: true }) });
    const { access_token } = JSON.parse(body);
    expect(typeof access_token).toBe('string');
    const flattened = JSON.parse(access_token);
    expect(Object.keys(flattened)).toEqual(['payload', 'protected', 'signature']);
    const { payload, protectedHeader } = await flattenedVerify(flattened, key.publicJwk);
    expect(JSON.parse(Buffer.from(payload).toString())).toMatchObject({ sub: 'alice' });
    expect(protectedHeader).toEqual({ alg: 'ES256', kid: 'k', typ: 'JWT' });
  });

  it("S41: 'object' writes an object", async () => {
    const { body } = await signed({ access_token: claims() }, { by: make({ full: 'object' }) });
    const { payload } = await flattenedVerify(JSON.parse(body).access_token, key.publicJwk);
    expect(JSON.parse(Buffer.from(payload).toString())).toMatchObject({ sub: 'alice' });
  });

  it('S41: false is the compact form', async () => {
    const { body } = await signed({ access_token: claims() }, { by: make({ full: false }) });
    await expectToken(JSON.parse(body).access_token);
  });

  it.each(['yes', 1, null, 'text', {}])('S41: %j is refused', (full) => {
    expect(wrong({ signer, keysToSign: ['a'], full })).toThrow(ConfigError);
  });
});

describe('KD-9: options', () => {
  it.each<[string, object, string]>([
    ['no fields', {}, 'keysToSign'],
    ['an empty list', { keysToSign: [] }, 'keysToSign'],
    ['no list', { keysToSign: 'access_token' }, 'keysToSign'],
    ['an empty name', { keysToSign: ['access_token', ''] }, 'keysToSign[1]'],
    ['no name', { keysToSign: [5] }, 'keysToSign[0]'],
    ['another word for onMissing', { keysToSign: ['a'], onMissing: 'ignore' }, 'onMissing'],
    ['a misspelled option', { keysToSign: ['a'], onmissing: 'error' }, 'onmissing'],
    ['an unknown option', { keysToSign: ['a'], fields: [] }, 'fields'],
    ['an algorithm with a signer', { keysToSign: ['a'], alg: 'ES256' }, 'alg'],
    ['keys with a signer', { keysToSign: ['a'], jwks: { keys: [] } }, 'jwks'],
  ])('KD-9: %s', (_, options, path) => {
    expect(wrong({ signer, ...options })).toThrow(expect.objectContaining({ name: 'ConfigError', path }));
  });

  it.each([null, {}, 'signer', () => {}])('S46: a signer that is none: %j', (none) => {
    expect(wrong({ signer: none, keysToSign: ['a'] })).toThrow(ConfigError);
  });

  it.each([undefined, null, 5, 'x', []])('S46: options that are none: %j', (options) => {
    expect(wrong(options as unknown as object)).toThrow(ConfigError);
  });

  it('S46: a signer that cannot be made is found while building', () => {
    expect(wrong({ keysToSign: ['a'] })).toThrow(expect.objectContaining({ path: 'signer' }));
    expect(wrong({ keysToSign: ['a'], jwks: { keys: [key.publicJwk] } })).toThrow(ConfigError);
  });

  it('KD-9: a name that is given twice is signed once', async () => {
    const by = make({ keysToSign: ['access_token', 'access_token'] });
    const { body } = await signed({ access_token: claims() }, { by });
    await expectToken(JSON.parse(body).access_token);
    expect(Object.keys(JSON.parse(body))).toEqual(['access_token']);
  });

  it('KD-15: the signer is at hand, to be rotated and closed', async () => {
    expect(make().signer).toBe(signer);
    const own = createResponseSigner({ keysToSign: ['a'], jwks: { keys: [privateJwk] } });
    await own.signer.ready();
    expect(own.signer.report().source).toBe('jwks');
    await own.signer.close();
  });
});

describe('S46: keys that are not there yet', () => {
  it('S46: one warning, every reply an error, until they come', async () => {
    const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const secrets = createMemoryStore();
    const by = createResponseSigner({ keysToSign: ['access_token'], secret: { name: 'signing' }, secrets });
    const body = { access_token: claims({ exp: Math.floor(Date.now() / 1000) + 300 }) };
    for (let attempt = 0; attempt < 3; attempt++)
      expect(await refusal(body, { by })).toContain('no usable keys from secret: signing');
    expect(warnings.mock.calls).toEqual([
      [
        expect.stringMatching(
          /^signer: no keys from secret: signing: .* nothing can be signed; trying again/,
        ),
        { type: 'Warning', code: 'LATCHKEY_UNAVAILABLE' },
      ],
    ]);
    const refreshed = nextEvent('latchkey:signer:refreshed');
    secrets.set({ name: 'signing', key: 'jwks.json' }, JSON.stringify({ keys: [privateJwk] }));
    await refreshed;
    await expectToken(await accessToken(body, { by }));
    expect(warnings.mock.calls.slice(1)).toEqual([
      ['signer: keys from secret: signing again', { type: 'Warning', code: 'LATCHKEY_RECOVERED' }],
    ]);
    await by.signer.close();
  });

  it('S46: a signer made before does not warn', async () => {
    const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const empty = createSigner({ secret: { name: 'signing' }, secrets: createMemoryStore() });
    const by = make({ signer: empty });
    await refusal({ access_token: claims() }, { by });
    expect(warnings).not.toHaveBeenCalled();
    await empty.close();
  });

  it('S46: keys are asked for at once, and not at the first reply', async () => {
    const read = vi.fn(() => Promise.resolve(undefined));
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const secrets = { description: 'a store', read };
    const by = createResponseSigner({ keysToSign: ['a'], secret: { name: 'signing' }, secrets });
    expect(read).toHaveBeenCalledTimes(1);
    await expect(by.signer.ready()).rejects.toThrow('no usable keys');
    await by.signer.close();
  });

  it('S42: of two fields one cannot be signed: neither leaves', async () => {
    let calls = 0;
    const failing: Signer = {
      ...signer,
      sign: (...given) => (++calls === 2 ? Promise.reject(new Error('no')) : signer.sign(...given)),
    };
    const body = { access_token: claims(), refresh_token: claims() };
    expect(await refusal(body, { by: make({ signer: failing }) })).toBe('no');
  });
});
