// A remote endpoint, over real HTTP on loopback: one exact contract accepts a token, a clear denial
// refuses it, and everything else is a 503. What it sends, what it keeps, and how long.
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { createClock, createIssuer, forge, type TestClock } from '@latchkey/testing';
import { LRUCache } from 'lru-cache';
import { generate } from 'selfsigned';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import { authorize } from '../../src/decision/authorize.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { isAuthError } from '../../src/errors.ts';
import { withDeadline } from '../../src/net/deadline.ts';
import type { RemoteOptions } from '../../src/remote/options.ts';
import { createMemoryStore, type SecretStore } from '../../src/secrets/store.ts';
import type { JsonValue } from '../../src/values/json.ts';
import { weigh } from '../../src/values/weigh.ts';
import { collectGarbage } from '../support/garbage.ts';
import { listen } from '../support/servers.ts';

const NOW = 1_700_000_000;
const SECRET_KEY = { name: 'idp', key: 'client-secret' };

let clock: TestClock;
beforeEach(() => {
  clock = createClock(NOW * 1000);
});

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  for (const close of closers.splice(0)) await close();
});

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What an endpoint answers. An object that is no text is its JSON. */
interface Answer {
  readonly status?: number;
  readonly type?: string | undefined;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array | object | null;
}

interface Endpoint {
  readonly url: string;
  readonly asked: Asked[];
  /** Answers so from now on. */
  says: Answer | ((asked: Asked) => Answer | Promise<Answer>);
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  return `http://127.0.0.1:${await listen(server)}`;
}

/** Starts an endpoint that accepts every token as alice's, until it is told otherwise. */
async function endpoint(): Promise<Endpoint> {
  const asked: Asked[] = [];
  const made: Endpoint = { url: '', asked, says: { body: { sub: 'alice' } } };
  const origin = await serve(async (request, response) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk as Uint8Array);
    const { method, url, headers } = request;
    const one = { method, url, headers, body: Buffer.concat(chunks).toString() };
    asked.push(one);
    const says = typeof made.says === 'function' ? await made.says(one) : made.says;
    const { status = 200, headers: more = {}, body } = says;
    const type = 'type' in says ? says.type : 'application/json';
    response.writeHead(status, { ...(type === undefined ? {} : { 'content-type': type }), ...more });
    response.end(
      body === undefined || typeof body === 'string' || body instanceof Uint8Array
        ? body
        : JSON.stringify(body),
    );
  });
  return Object.assign(made, { url: `${origin}/validate` });
}

/** An authenticator that an endpoint decides for, alone. */
function alone(remote: string | RemoteOptions, others: Partial<AuthenticatorOptions> = {}): Authenticator {
  const made = createAuthenticator({
    keySets: [],
    audience: null,
    clock,
    remote: typeof remote === 'string' ? { url: remote } : remote,
    ...others,
  });
  closers.push(made.close);
  return made;
}

function introspecting(
  url: string,
  secrets: SecretStore = createMemoryStore({ idp: { 'client-secret': 's3cret' } }),
  { id = 'me', ...others }: { readonly id?: string } & Partial<AuthenticatorOptions> = {},
): Authenticator {
  return alone(
    { url, contract: 'introspection', client: { id, secret: SECRET_KEY } },
    { secrets, ...others },
  );
}

/** A JWT that nobody here has signed. */
const jwt = (claims: { readonly [name: string]: JsonValue }) =>
  forge({ header: { alg: 'RS256' }, payload: claims, signature: Buffer.from('signature') });

const codeOf = (verdict: Promise<unknown>) =>
  verdict.then(
    () => 'accepted',
    (error: unknown) => {
      if (isAuthError(error)) return `${error.status} ${error.code}`;
      throw error;
    },
  );

const UNAVAILABLE = '503 remote_unavailable';

/** Moves monotonic time by hand, for ages in caches. */
function holdAges(): (ms: number) => void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  let at = Math.round(performance.now());
  vi.spyOn(performance, 'now').mockImplementation(() => at);
  return (ms) => {
    at += ms;
    clock.advance(ms);
    vi.advanceTimersByTime(ms);
  };
}

describe('OK-12: the question', () => {
  it('row 154: is a POST with the token as bearer, and nothing of it elsewhere', async () => {
    const remote = await endpoint();
    await alone(remote.url).verify('opaque-token_1.2~3+4/5==');
    expect(remote.asked).toHaveLength(1);
    const [{ method, url, headers, body }] = remote.asked as [Asked];
    expect({ method, url, body }).toEqual({ method: 'POST', url: '/validate', body: '' });
    expect(headers).toMatchObject({
      accept: 'application/json',
      authorization: 'Bearer opaque-token_1.2~3+4/5==',
      'content-length': '0',
    });
    for (const name of ['cookie', 'referer', 'origin', 'content-type', 'transfer-encoding'])
      expect(headers).not.toHaveProperty(name);
    const others = Object.entries(headers).filter(([name]) => name !== 'authorization');
    expect(JSON.stringify(others)).not.toContain('opaque');
  });

  it('goes to the URL as it stands, its query included', async () => {
    const remote = await endpoint();
    await alone(`${remote.url}?key=1&x=%2F`).verify('t');
    expect(remote.asked[0]?.url).toBe('/validate?key=1&x=%2F');
  });

  it('is asked of every token each time, by default', async () => {
    const remote = await endpoint();
    const authenticator = alone(remote.url);
    for (let count = 0; count < 3; count++) await authenticator.verify('t');
    expect(remote.asked).toHaveLength(3);
  });

  it('goes over https to whom the options trust, and to nobody else', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
      keyType: 'ec',
      algorithm: 'sha256',
      extensions: [
        { name: 'basicConstraints', cA: true, critical: true },
        { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
      ],
    });
    let asked = 0;
    const server = createTlsServer({ cert, key }, (_, response) => {
      asked++;
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"sub":"alice"}');
    });
    const url = `https://localhost:${await listen(server, 'localhost')}/`;
    await expect(codeOf(alone(url).verify('t'))).resolves.toBe(UNAVAILABLE);
    expect(asked).toBe(0);
    await expect(alone({ url, tls: { ca: { pem: cert } } }).verify('t')).resolves.toMatchObject({
      subject: 'alice',
    });
    expect(asked).toBe(1);
  });
});

describe('OK-12: what accepts a token', () => {
  it.each<[title: string, answer: Answer]>([
    ['application/json', { body: { sub: 'alice' } }],
    ['with a charset', { type: 'application/json; charset=utf-8', body: { sub: 'alice' } }],
    ['in capitals', { type: 'Application/JSON', body: { sub: 'alice' } }],
    ['a kind of JSON', { type: 'application/token+json', body: { sub: 'alice' } }],
    ['packed with gzip', { headers: { 'content-encoding': 'gzip' }, body: gzipSync('{"sub":"alice"}') }],
    [
      'packed with br',
      { headers: { 'content-encoding': 'br' }, body: brotliCompressSync('{"sub":"alice"}') },
    ],
    ['64 KiB', { body: '{"sub":"alice"}'.padEnd(64 * 1024) }],
    ['the seed', { body: '{\n  "sub": "alice"\n}\n' }],
  ])('a 200 with a sub: %s', async (_, answer) => {
    const remote = await endpoint();
    remote.says = answer;
    await expect(alone(remote.url).verify('t')).resolves.toMatchObject({
      subject: 'alice',
      issuer: undefined,
      groups: [],
      claims: { sub: 'alice' },
    });
  });
});

describe('row 151: what refuses a token', () => {
  it.each([401, 403])('%d, whatever else it says', async (status) => {
    const remote = await endpoint();
    const authenticator = alone(remote.url);
    const answers: Answer[] = [
      { status },
      { status, body: { sub: 'root' } },
      { status, type: 'text/html', body: '<h1>No</h1>' },
      { status, headers: { 'www-authenticate': 'Basic realm="x"' } },
      { status, body: '{"sub":"root","sub":"root"}' },
    ];
    for (const answer of answers) {
      remote.says = answer;
      await expect(codeOf(authenticator.verify('t'))).resolves.toBe('401 token_rejected');
    }
    // Asked once each: no answer makes it ask again.
    expect(remote.asked).toHaveLength(answers.length);
    expect(authenticator.report().remote).toMatchObject({ state: 'closed', failures: 0 });
  });
});

describe('row 151: what says nothing', () => {
  it.each<[title: string, answer: Answer]>([
    ['a page', { type: 'text/html', body: '<h1>Log in</h1>' }],
    ['a page that says that it is JSON', { body: '<h1>Log in</h1>' }],
    ['JSON that says that it is a page', { type: 'text/html', body: { sub: 'root' } }],
    ['JSON that says that it is text', { type: 'text/plain', body: { sub: 'root' } }],
    ['JSON that says that it is JavaScript', { type: 'application/javascript', body: { sub: 'root' } }],
    ['JSON that says nothing of itself', { type: undefined, body: { sub: 'root' } }],
    ['nearly JSON', { type: 'application/jsonp', body: { sub: 'root' } }],
    ['JSON lines', { type: 'application/json-seq', body: { sub: 'root' } }],
    ['a JWT', { type: 'application/token-introspection+jwt', body: { sub: 'root' } }],
    ['two types', { type: 'application/json, text/html', body: { sub: 'root' } }],
    ['nothing', { body: '' }],
    ['{}', { body: {} }],
    ['[]', { body: [] }],
    ['a list of one', { body: [{ sub: 'root' }] }],
    ['null', { body: 'null' }],
    ['true', { body: 'true' }],
    ['a string', { body: '"root"' }],
    ['sub is a number', { body: { sub: 5 } }],
    ['sub is empty', { body: { sub: '' } }],
    ['sub is null', { body: { sub: null } }],
    ['sub is true', { body: { sub: true } }],
    ['sub is a list', { body: { sub: ['root'] } }],
    ['sub is an object', { body: { sub: { toString: 'root' } } }],
    ['Sub', { body: { Sub: 'root' } }],
    ['sub, deeper', { body: { user: { sub: 'root' } } }],
    ['sub, inherited', { body: '{"__proto__":{"sub":"root"}}' }],
    ['sub, constructed', { body: '{"constructor":{"prototype":{"sub":"root"}}}' }],
    ['a member twice', { body: '{"sub":"alice","sub":"root"}' }],
    ['a member twice, once escaped', { body: '{"sub":"alice","s\\u0075b":"root"}' }],
    ['a member twice, elsewhere', { body: '{"sub":"root","x":1,"x":2}' }],
    ['junk after it', { body: '{"sub":"root"} x' }],
    ['two objects', { body: '{"sub":"root"}{"sub":"root"}' }],
    ['half an object', { body: '{"sub":"root"' }],
    ['a byte order mark', { body: '\ufeff{"sub":"root"}' }],
    ['not UTF-8', { body: Buffer.from('{"sub":"r\xf6\xf6t"}', 'latin1') }],
    ['UTF-16', { body: Buffer.from('{"sub":"root"}', 'utf16le') }],
    ['a lone surrogate', { body: '{"sub":"\\ud800"}' }],
    ['1e400', { body: '{"sub":"root","exp":1e400}' }],
    ['nested without end', { body: `{"sub":"root","x":${'['.repeat(60)}${']'.repeat(60)}}` }],
    ['active without contract', { body: { active: true } }],
    ['an error', { body: { error: 'invalid_token' } }],
    ['201', { status: 201, body: { sub: 'root' } }],
    ['202', { status: 202, body: { sub: 'root' } }],
    ['203', { status: 203, body: { sub: 'root' } }],
    ['204', { status: 204 }],
    ['206', { status: 206, body: { sub: 'root' } }],
    ['300', { status: 300, body: { sub: 'root' } }],
    ['304', { status: 304 }],
    ['400', { status: 400, body: { sub: 'root' } }],
    ['402', { status: 402, body: { sub: 'root' } }],
    ['404', { status: 404, body: { sub: 'root' } }],
    ['405', { status: 405, body: { sub: 'root' } }],
    ['408', { status: 408, body: { sub: 'root' } }],
    ['410', { status: 410, body: { sub: 'root' } }],
    ['418', { status: 418, body: { sub: 'root' } }],
    ['431', { status: 431, body: { sub: 'root' } }],
    ['451', { status: 451, body: { sub: 'root' } }],
  ])('%s: 503, and the door stays open for other tokens', async (_, answer) => {
    const remote = await endpoint();
    const authenticator = alone(remote.url);
    remote.says = answer;
    for (let count = 0; count < 6; count++) {
      const error = await authenticator.verify(`t${count}`).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ status: 503, code: 'remote_unavailable' });
      expect(error).toMatchObject({ headers: { 'Retry-After': '1', 'Cache-Control': 'no-store' } });
    }
    expect(authenticator.report().remote).toMatchObject({ state: 'closed', failures: 0 });
    remote.says = { body: { sub: 'alice' } };
    await expect(authenticator.verify('t')).resolves.toMatchObject({ subject: 'alice' });
  });

  it.each([429, 500, 501, 502, 503, 504, 507, 599])('%d: 503, and counts as being down', async (status) => {
    const remote = await endpoint();
    const authenticator = alone(remote.url);
    remote.says = { status, body: { sub: 'root' } };
    for (let count = 0; count < 8; count++)
      await expect(codeOf(authenticator.verify(`t${count}`))).resolves.toBe(UNAVAILABLE);
    expect(remote.asked).toHaveLength(5);
    expect(authenticator.report().remote).toMatchObject({ state: 'open', failures: 5 });
  });

  it('a status of failure for one token, again and again, does not shut out the others', async () => {
    const remote = await endpoint();
    const authenticator = alone(remote.url);
    remote.says = ({ headers }) =>
      headers.authorization === 'Bearer odd' ? { status: 500 } : { body: { sub: 'alice' } };
    for (let count = 0; count < 20; count++)
      await expect(codeOf(authenticator.verify('odd'))).resolves.toBe(UNAVAILABLE);
    expect(remote.asked).toHaveLength(20);
    expect(authenticator.report().remote).toMatchObject({ state: 'closed', failures: 1 });
    await expect(codeOf(authenticator.verify('t'))).resolves.toBe('accepted');
  });

  it('nobody listens', async () => {
    const issuer = await createIssuer();
    await issuer.close();
    await expect(codeOf(alone(issuer.jwksUrl).verify('t'))).resolves.toBe(UNAVAILABLE);
  });

  it.each([
    { kind: 'reset' },
    { kind: 'hang' },
    { kind: 'drip', intervalMs: 1 },
    { kind: 'endless' },
    { kind: 'gzip-bomb', bytes: 64 * 1024 * 1024 },
  ] as const)('$kind', async (fault) => {
    const issuer = await createIssuer();
    closers.push(issuer.close);
    issuer.fail(fault);
    const authenticator = alone({ url: issuer.jwksUrl, timeout: '1s' });
    await expect(codeOf(authenticator.verify('t'))).resolves.toBe(UNAVAILABLE);
    expect(issuer.requests.jwks).toBe(1);
    expect(authenticator.report().remote).toMatchObject({ failures: 1 });
    // One fault is not for ever.
    issuer.fail({ kind: 'body', body: '{"sub":"alice"}' });
    await expect(authenticator.verify('t')).resolves.toMatchObject({ subject: 'alice' });
  });

  it('a gigabyte is let go at 64 KiB', async () => {
    let sent = 0;
    const closed = Promise.withResolvers<void>();
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(2 ** 30) });
      const chunk = Buffer.alloc(16 * 1024, 0x20);
      const pump = () => {
        while (!response.destroyed) {
          sent += chunk.length;
          if (!response.write(chunk)) return;
        }
      };
      response.on('drain', pump).on('close', () => closed.resolve());
      pump();
    });
    await expect(codeOf(alone(url).verify('t'))).resolves.toBe(UNAVAILABLE);
    await closed.promise;
    // What was taken beyond the limit is what the sockets between us hold.
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  it('one byte more than 64 KiB', async () => {
    const remote = await endpoint();
    remote.says = { body: '{"sub":"root"}'.padEnd(64 * 1024 + 1) };
    await expect(codeOf(alone(remote.url).verify('t'))).resolves.toBe(UNAVAILABLE);
  });

  it('less than was promised, and encoded otherwise than it says', async () => {
    const remote = await endpoint();
    const authenticator = alone(remote.url);
    remote.says = { headers: { 'content-encoding': 'gzip' }, body: '{"sub":"root"}' };
    await expect(codeOf(authenticator.verify('t'))).resolves.toBe(UNAVAILABLE);
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"sub":"root"}', () => response.destroy());
    });
    await expect(codeOf(alone(url).verify('t'))).resolves.toBe(UNAVAILABLE);
  });

  it('R17: a hang ends with the timeout, and the connection with it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const asked = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const url = await serve((_, response) => {
      response.on('close', () => closed.resolve());
      asked.resolve();
    });
    let settled = false;
    const verdict = codeOf(alone(url).verify('t')).finally(() => {
      settled = true;
    });
    await asked.promise;
    vi.advanceTimersByTime(1_999);
    await nextTurn();
    expect(settled).toBe(false);
    vi.advanceTimersByTime(1);
    await expect(verdict).resolves.toBe(UNAVAILABLE);
    await closed.promise;
  });

  it('R19: close() ends what is under way, and nothing passes after it', async () => {
    const asked = Promise.withResolvers<void>();
    const url = await serve(() => asked.resolve());
    const authenticator = alone(url);
    const verdict = codeOf(authenticator.verify('t'));
    await asked.promise;
    await authenticator.close();
    await expect(verdict).resolves.toBe(UNAVAILABLE);
    await expect(codeOf(authenticator.verify('t'))).resolves.toBe(UNAVAILABLE);
  });

  it('no unhandled rejection is left behind', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    try {
      const issuer = await createIssuer();
      closers.push(issuer.close);
      const authenticator = alone({ url: issuer.jwksUrl, timeout: '20ms' });
      for (const fault of [
        { kind: 'reset' },
        { kind: 'hang' },
        { kind: 'drip', intervalMs: 1 },
        { kind: 'endless' },
      ] as const) {
        issuer.fail(fault);
        await Promise.all([codeOf(authenticator.verify('t')), codeOf(authenticator.verify('t'))]);
      }
      await authenticator.close();
      await nextTurn();
      await nextTurn();
      expect(unhandled).not.toHaveBeenCalled();
    } finally {
      process.off('unhandledRejection', unhandled);
    }
  });
});

describe('row 154: a redirect', () => {
  it.each([301, 302, 303, 307, 308])(
    '%d to another host: nobody there is asked, and no token arrives',
    async (status) => {
      const there = await endpoint();
      const here = await endpoint();
      here.says = {
        status,
        headers: { location: there.url.replace('127.0.0.1', 'localhost') },
        body: { sub: 'root' },
      };
      await expect(codeOf(alone(here.url).verify('t'))).resolves.toBe(UNAVAILABLE);
      here.says = { status, headers: { location: there.url } };
      await expect(codeOf(alone(here.url).verify('t'))).resolves.toBe(UNAVAILABLE);
      await expect(codeOf(introspecting(here.url).verify('t'))).resolves.toBe(UNAVAILABLE);
      expect(there.asked).toHaveLength(0);
    },
  );

  it.each([301, 302, 303, 307, 308])('%d on the same host is not followed either', async (status) => {
    const remote = await endpoint();
    remote.says = ({ url }) =>
      url === '/validate' ? { status, headers: { location: '/moved' } } : { body: { sub: 'root' } };
    await expect(codeOf(alone(remote.url).verify('t'))).resolves.toBe(UNAVAILABLE);
    expect(remote.asked).toHaveLength(1);
  });
});

describe('introspection, RFC 7662', () => {
  it('§2.1: posts the token as a form, the client by HTTP Basic', async () => {
    const remote = await endpoint();
    remote.says = { body: { active: true, sub: 'alice', client_id: 'app', scope: 'read write' } };
    const principal = await introspecting(remote.url).verify('a+b/c==');
    expect(principal).toMatchObject({ subject: 'alice', scopes: ['read', 'write'] });
    expect(principal.claims).toEqual({ sub: 'alice', client_id: 'app', scope: 'read write' });
    const [{ method, url, headers, body }] = remote.asked as [Asked];
    expect({ method, url }).toEqual({ method: 'POST', url: '/validate' });
    expect(headers).toMatchObject({
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from('me:s3cret').toString('base64')}`,
    });
    expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
      token: 'a+b/c==',
      token_type_hint: 'access_token',
    });
    expect(body).toContain('token=a%2Bb%2Fc%3D%3D');
    expect(JSON.stringify(headers)).not.toContain('a+b');
  });

  it.each([
    ['a:b', 'c:d', 'a%3Ab:c%3Ad'],
    ['a b', 'p+q&r=s%', 'a+b:p%2Bq%26r%3Ds%25'],
    ['Zoë', '密碼', 'Zo%C3%AB:%E5%AF%86%E7%A2%BC'],
    ['me', 'with newline\n', 'me:with+newline'],
    ['me', 'with newline\r\n', 'me:with+newline'],
    ['me', 'two\n\n', 'me:two%0A'],
    ['me', 'a\r\nX-Evil: 1', 'me:a%0D%0AX-Evil%3A+1'],
    ['me', '*-._~', 'me:*-._%7E'],
  ])('RFC 6749 §2.3.1: %j and %j are form-encoded', async (id, secret, expected) => {
    const remote = await endpoint();
    remote.says = { body: { active: true, sub: 'alice' } };
    await introspecting(remote.url, createMemoryStore({ idp: { 'client-secret': secret } }), { id }).verify(
      't',
    );
    const [, basic = ''] = remote.asked[0]?.headers.authorization?.split(' ') ?? [];
    expect(Buffer.from(basic, 'base64').toString()).toBe(expected);
    expect(remote.asked[0]?.headers).not.toHaveProperty('x-evil');
  });

  it('§2.2: active false refuses, whatever else it says', async () => {
    const remote = await endpoint();
    remote.says = { body: { active: false, sub: 'root' } };
    await expect(codeOf(introspecting(remote.url).verify('t'))).resolves.toBe('401 token_rejected');
  });

  it.each<[title: string, answer: Answer]>([
    ['active: "true"', { body: { active: 'true', sub: 'root' } }],
    ['active: "false"', { body: { active: 'false', sub: 'root' } }],
    ['active: 1', { body: { active: 1, sub: 'root' } }],
    ['active: 0', { body: { active: 0, sub: 'root' } }],
    ['active: null', { body: { active: null, sub: 'root' } }],
    ['active: []', { body: { active: [true], sub: 'root' } }],
    ['active: {}', { body: { active: {}, sub: 'root' } }],
    ['no active', { body: { sub: 'root' } }],
    ['Active', { body: { Active: true, sub: 'root' } }],
    ['active, inherited', { body: '{"__proto__":{"active":true},"sub":"root"}' }],
    ['active twice', { body: '{"active":false,"active":true,"sub":"root"}' }],
    ['a list', { body: [{ active: true }] }],
    ['a JWT', { type: 'application/token-introspection+jwt', body: { active: true } }],
    ['201', { status: 201, body: { active: true, sub: 'root' } }],
    ['204', { status: 204 }],
    ['302', { status: 302, headers: { location: '/' } }],
    ['400', { status: 400, body: { active: true } }],
    // Us, and not the token: that says nothing of it.
    ['401', { status: 401, body: { active: true, error: 'invalid_client' } }],
    ['403', { status: 403, body: { active: false } }],
    ['500', { status: 500, body: { active: true } }],
  ])('says nothing: %s', async (_, answer) => {
    const remote = await endpoint();
    remote.says = answer;
    await expect(codeOf(introspecting(remote.url).verify('t'))).resolves.toBe(UNAVAILABLE);
  });

  it('row 152: an answer for another audience is refused', async () => {
    const remote = await endpoint();
    const authenticator = introspecting(remote.url, undefined, { audience: ['https://me', 'https://me2'] });
    for (const aud of [
      'https://other',
      [],
      ['https://other'],
      '',
      'HTTPS://ME',
      5,
      null,
      ['https://me', 5],
    ]) {
      remote.says = { body: { active: true, sub: 'alice', aud } };
      await expect(codeOf(authenticator.verify('t'))).resolves.toBe('401 token_audience_mismatch');
    }
    for (const aud of ['https://me', ['https://other', 'https://me2'], undefined]) {
      remote.says = { body: { active: true, sub: 'alice', ...(aud === undefined ? {} : { aud }) } };
      await expect(authenticator.verify('t')).resolves.toMatchObject({ subject: 'alice' });
    }
  });

  it('its times are judged, with the leeway of the options', async () => {
    const remote = await endpoint();
    const authenticator = introspecting(remote.url, undefined, { clockSkew: '5s' });
    for (const [times, expected] of [
      [{ exp: NOW - 4 }, 'accepted'],
      [{ exp: NOW - 5 }, '401 token_expired'],
      [{ exp: 0 }, '401 token_expired'],
      [{ nbf: NOW + 5 }, 'accepted'],
      [{ nbf: NOW + 6 }, '401 token_not_yet_valid'],
      [{ iat: NOW + 6 }, '401 token_not_yet_valid'],
      [{ exp: String(NOW + 60) }, '401 token_claims_invalid'],
      [{ exp: null }, '401 token_claims_invalid'],
      [{ exp: (NOW + 60) * 1000 }, '401 token_claims_invalid'],
      [{ nbf: true }, '401 token_claims_invalid'],
      [{}, 'accepted'],
    ] as const) {
      remote.says = { body: { active: true, sub: 'alice', ...times } };
      await expect(codeOf(authenticator.verify('t')), JSON.stringify(times)).resolves.toBe(expected);
    }
  });

  it('the secret is read from the store each time: a new one is used at once', async () => {
    const remote = await endpoint();
    remote.says = { body: { active: true, sub: 'alice' } };
    const store = createMemoryStore({ idp: { 'client-secret': 'old' } });
    const authenticator = introspecting(remote.url, store);
    await authenticator.verify('t');
    store.set(SECRET_KEY, 'new');
    await authenticator.verify('t');
    expect(remote.asked.map(({ headers }) => headers.authorization)).toEqual(
      ['me:old', 'me:new'].map((pair) => `Basic ${Buffer.from(pair).toString('base64')}`),
    );
  });

  it.each<[title: string, read: SecretStore['read']]>([
    ['missing', async () => undefined],
    ['empty', async () => new Uint8Array()],
    ['no bytes', async () => 'hunter2' as never],
    ['refused', () => Promise.reject(new Error('vault is sealed'))],
    [
      'a store that throws',
      () => {
        throw new Error('vault is gone');
      },
    ],
    ['too long', async () => new Uint8Array(1024 * 1024)],
  ])('a secret that is %s: 503, and nobody is asked', async (_, read) => {
    const remote = await endpoint();
    const authenticator = introspecting(remote.url, { description: 'test', read });
    await expect(codeOf(authenticator.verify('t'))).resolves.toBe(UNAVAILABLE);
    expect(remote.asked).toHaveLength(0);
    expect(authenticator.report().remote).toMatchObject({ failures: 1 });
  });

  it('R17: a store that hangs is waited for no longer than the timeout', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const remote = await endpoint();
    const reading = Promise.withResolvers<void>();
    const store: SecretStore = {
      description: 'test',
      read: () => {
        reading.resolve();
        return new Promise(() => {});
      },
    };
    let verdict: string | undefined;
    const done = codeOf(introspecting(remote.url, store).verify('t')).then((code) => {
      verdict = code;
    });
    await reading.promise;
    vi.advanceTimersByTime(2_000);
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    const afterTimeout = verdict;
    vi.advanceTimersByTime(3_000);
    await done;
    expect(verdict).toBe(UNAVAILABLE);
    expect(afterTimeout).toBe(UNAVAILABLE);
  });

  it('R17: a store that hangs is not waited for by everybody', async () => {
    const remote = await endpoint();
    let reads = 0;
    const store: SecretStore = {
      description: 'test',
      read: () => {
        reads++;
        return new Promise(() => {});
      },
    };
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const verdicts = Array.from({ length: 1_000 }, (__, index) => codeOf(introspectingOnce(index)));
    const authenticator = introspecting(remote.url, store);
    function introspectingOnce(index: number): Promise<unknown> {
      return Promise.resolve().then(() => authenticator.verify(`t${index}`));
    }
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    vi.advanceTimersByTime(5_000);
    expect(new Set(await Promise.all(verdicts))).toEqual(new Set([UNAVAILABLE]));
    expect(reads).toBeLessThanOrEqual(256);
  });
});

describe('S51: the claims', () => {
  it("are the answer's members, and nothing of the token", async () => {
    const remote = await endpoint();
    remote.says = { body: { sub: 'alice', dept: 'IT', iss: 'https://idp' } };
    const token = jwt({
      sub: 'alice',
      iss: 'https://idp',
      dept: 'HR',
      role: 'admin',
      scope: 'all',
      aud: 'x',
    });
    const principal = await alone(remote.url).verify(token);
    expect(principal.claims).toEqual({ sub: 'alice', dept: 'IT', iss: 'https://idp' });
    expect(principal).toMatchObject({ issuer: 'https://idp', subject: 'alice', scopes: [], groups: [] });
    expect(Object.isFrozen(principal.claims)).toBe(true);
  });

  it("the token's groups are taken along if it is a JWT of the same sub, and only then", async () => {
    const remote = await endpoint();
    const authenticator = alone(remote.url);
    const groupsOf = async (token: string) => (await authenticator.verify(token)).groups;
    expect(await groupsOf(jwt({ sub: 'alice', groups: ['dev'] }))).toEqual(['dev']);
    expect(await groupsOf(jwt({ sub: 'bob', groups: ['root'] }))).toEqual([]);
    expect(await groupsOf(jwt({ sub: 'Alice', groups: ['root'] }))).toEqual([]);
    expect(await groupsOf(jwt({ sub: ['alice'], groups: ['root'] }))).toEqual([]);
    expect(await groupsOf(jwt({ groups: ['root'] }))).toEqual([]);
    expect(await groupsOf('alice')).toEqual([]);
    expect(await groupsOf(`${jwt({ sub: 'alice', groups: ['root'] })}.x`)).toEqual([]);
    expect(await groupsOf(jwt(JSON.parse('{"__proto__":{"sub":"alice"},"groups":["root"]}')))).toEqual([]);
    const repeated = forge({
      header: { alg: 'RS256' },
      payload: '{"sub":"bob","sub":"alice","groups":["root"]}',
    });
    expect(await groupsOf(`${repeated}AA`)).toEqual([]);
  });

  it.each<[title: string, said: unknown, expected: readonly string[]]>([
    ['some', ['ops'], ['ops']],
    ['none', [], []],
    ['null', null, []],
  ])("the answer's own groups come first: %s", async (_, groups, expected) => {
    const remote = await endpoint();
    remote.says = { body: { sub: 'alice', groups } };
    const principal = await alone(remote.url).verify(jwt({ sub: 'alice', groups: ['root'] }));
    expect(principal.groups).toEqual(expected);
  });

  it.each([{ groups: 'root' }, { groups: { 0: 'root' } }, { groups: [5] }, { groups: [null] }])(
    'groups that are no list of strings are refused: %j',
    async (claims) => {
      const remote = await endpoint();
      const authenticator = alone(remote.url);
      await expect(codeOf(authenticator.verify(jwt({ sub: 'alice', ...claims } as never)))).resolves.toBe(
        '401 token_claims_invalid',
      );
      remote.says = { body: { sub: 'alice', ...claims } };
      await expect(codeOf(authenticator.verify('t'))).resolves.toBe('401 token_claims_invalid');
    },
  );

  it('introspection without sub has no subject, and nobody else’s groups', async () => {
    const remote = await endpoint();
    remote.says = { body: { active: true } };
    const authenticator = introspecting(remote.url);
    await expect(authenticator.verify(jwt({ groups: ['root'] }))).resolves.toMatchObject({
      subject: undefined,
      groups: [],
      claims: {},
    });
    await expect(authenticator.verify(jwt({ sub: 'alice', groups: ['root'] }))).resolves.toMatchObject({
      subject: undefined,
      groups: [],
    });
  });

  it("the token's end is its end, where the answer says none", async () => {
    const remote = await endpoint();
    const authenticator = alone(remote.url);
    await expect(codeOf(authenticator.verify(jwt({ exp: NOW - 5 })))).resolves.toBe('401 token_expired');
    await expect(codeOf(authenticator.verify(jwt({ exp: 'never' })))).resolves.toBe(
      '401 token_claims_invalid',
    );
    await expect(codeOf(authenticator.verify(jwt({ exp: NOW + 1 })))).resolves.toBe('accepted');
    remote.says = { body: { sub: 'alice', exp: NOW - 5 } };
    await expect(codeOf(authenticator.verify(jwt({ exp: NOW + 60 })))).resolves.toBe('401 token_expired');
  });

  it('row 152: a later end in the answer does not bring an expired token back', async () => {
    const remote = await endpoint();
    remote.says = { body: { sub: 'alice', exp: NOW + 3600 } };
    await expect(codeOf(alone(remote.url).verify(jwt({ sub: 'alice', exp: NOW - 3600 })))).resolves.toBe(
      '401 token_expired',
    );
  });

  it('RFC 7800: an answer for a token that is bound to a key is refused', async () => {
    const remote = await endpoint();
    remote.says = { body: { sub: 'alice', cnf: { jkt: 'x' } } };
    await expect(codeOf(alone(remote.url).verify('t'))).resolves.toBe('401 token_claims_invalid');
    await expect(
      alone(remote.url, { unsafeAcceptSenderConstrained: true }).verify('t'),
    ).resolves.toMatchObject({ subject: 'alice' });
  });

  it('RFC 7800: a token that says that it is bound to a key is refused without proof of it', async () => {
    const remote = await endpoint();
    const bound = jwt({ sub: 'alice', exp: NOW + 60, cnf: { jkt: 'x' } });
    await expect(codeOf(alone(remote.url).verify(bound))).resolves.toBe('401 token_claims_invalid');
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('%s is data', async (name) => {
    const remote = await endpoint();
    remote.says = { body: `{"sub":"alice","${name}":{"groups":["root"],"role":"admin"}}` };
    const { claims, groups } = await alone(remote.url).verify('t');
    expect(Object.hasOwn(claims, name)).toBe(true);
    expect(Object.getPrototypeOf(claims)).toBe(Object.prototype);
    expect(groups).toEqual([]);
    expect(({} as { role?: string }).role).toBeUndefined();
    remote.says = { body: `{"active":true,"sub":"alice","${name}":{"groups":["root"]}}` };
    const introspected = await introspecting(remote.url).verify('t');
    expect(Object.hasOwn(introspected.claims, name)).toBe(true);
    expect(introspected.groups).toEqual([]);
  });

  it('sub has to name somebody, as everywhere', async () => {
    const remote = await endpoint();
    for (const sub of [' ', 'a\nb', 'a\0']) {
      remote.says = { body: { sub } };
      await expect(codeOf(alone(remote.url).verify('t'))).resolves.toBe('401 token_claims_invalid');
    }
  });
});

describe('whose word it is', () => {
  it('issuer: names whom the endpoint speaks for', async () => {
    const remote = await endpoint();
    const authenticator = alone({ url: remote.url, issuer: 'https://idp' });
    const token = jwt({ sub: 'alice' });
    await expect(authenticator.verify(token)).resolves.toMatchObject({
      issuer: 'https://idp',
      claims: { sub: 'alice', iss: 'https://idp' },
    });
    remote.says = { body: { sub: 'alice', iss: 'https://idp' } };
    await expect(authenticator.verify(token)).resolves.toMatchObject({ issuer: 'https://idp' });
    for (const iss of ['https://evil', 'https://idp/', '', 5, ['https://idp'], true]) {
      remote.says = { body: { sub: 'alice', iss } };
      await expect(codeOf(authenticator.verify(token))).resolves.toBe(UNAVAILABLE);
    }
    expect(authenticator.report().remote).toMatchObject({ state: 'closed' });
  });

  it("without it the answer's iss is judged by the issuers option", async () => {
    const remote = await endpoint();
    const authenticator = alone(remote.url, { issuers: ['https://idp'] });
    for (const [iss, expected] of [
      ['https://idp', 'accepted'],
      ['https://evil', '401 token_issuer_untrusted'],
      ['', '401 token_issuer_untrusted'],
      [5, '401 token_issuer_untrusted'],
      [null, '401 token_issuer_untrusted'],
    ] as const) {
      remote.says = { body: { sub: 'alice', iss } };
      await expect(codeOf(authenticator.verify('t')), String(iss)).resolves.toBe(expected);
    }
  });

  it('issuers: an answer of nobody is welcome no more than a token of nobody', async () => {
    const remote = await endpoint();
    await expect(codeOf(alone(remote.url, { issuers: ['https://idp'] }).verify('t'))).resolves.toBe(
      '401 token_issuer_untrusted',
    );
  });

  it("a route's issuers are judged by the answer, never by the token", async () => {
    const remote = await endpoint();
    const authenticator = alone(remote.url);
    const request = (token: string) => {
      const authorization = `Bearer ${token}`;
      return { headers: { authorization }, rawHeaders: ['Authorization', authorization] };
    };
    const overrides = { issuers: ['https://idp'] };
    const token = jwt({ sub: 'alice', iss: 'https://idp' });
    await expect(codeOf(authenticator.authenticate(request(token), overrides))).resolves.toBe(
      '401 token_issuer_untrusted',
    );
    remote.says = { body: { sub: 'alice', iss: 'https://idp' } };
    await expect(authenticator.authenticate(request('t'), overrides)).resolves.toMatchObject({
      subject: 'alice',
    });
  });

  it('rules for every token, and the rules and scopes of a route, are judged on the answer', async () => {
    const remote = await endpoint();
    const authenticator = alone(remote.url, { claims: { dept: 'IT' } });
    const token = jwt({ sub: 'alice', dept: 'IT', scope: 'write', role: 'admin' });
    await expect(codeOf(authenticator.verify(token))).resolves.toBe('401 token_claims_invalid');
    remote.says = { body: { sub: 'alice', dept: 'IT', scope: 'read' } };
    const principal = await authenticator.verify(token, { scope: 'read' });
    expect(principal.claims.scope).toBe('read');
    await expect(codeOf(authenticator.verify(token, { scope: 'write' }))).resolves.toBe(
      '403 scope_insufficient',
    );
    await expect(codeOf(authenticator.verify(token, { role: 'admin' }))).resolves.toBe(
      '403 claims_insufficient',
    );
    expect(() => authorize(principal, { role: 'admin' })).toThrow();
  });

  it.each<[title: string, others: Partial<AuthenticatorOptions>]>([
    ['maxTokenAge', { maxTokenAge: '1h' }],
    ['treatIatAsNbf', { treatIatAsNbf: true }],
    ['profile', { profile: 'at+jwt' }],
  ])('%s asks for what an answer of a sub does not have', async (_, others) => {
    const remote = await endpoint();
    await expect(codeOf(alone(remote.url, others).verify('t'))).resolves.toBe('401 token_claims_invalid');
  });
});

describe('row 152: a token that is a JWT', () => {
  const API = 'https://api.example.com';
  const itself = (claims: { readonly [name: string]: JsonValue }) => jwt({ sub: 'alice', ...claims });

  it.each<[title: string, claims: { readonly [name: string]: JsonValue }, expected: string]>([
    ['of this API', { aud: API }, 'accepted'],
    ['of this API and another', { aud: ['https://other.example', API] }, 'accepted'],
    ['without an audience', {}, 'accepted'],
    ['of another API', { aud: 'https://other.example' }, '401 token_audience_mismatch'],
    ['of several others', { aud: ['a', 'b'] }, '401 token_audience_mismatch'],
    ['of an API that is no text', { aud: 5 }, '401 token_audience_mismatch'],
    ['of no API', { aud: [] }, '401 token_audience_mismatch'],
    ['of the issuer of the endpoint', { iss: 'https://idp' }, 'accepted'],
    ['of another issuer', { iss: 'https://other' }, '401 token_issuer_untrusted'],
    ['of an issuer that is no text', { iss: null }, '401 token_issuer_untrusted'],
  ])('%s: %s', async (_, claims, expected) => {
    const remote = await endpoint();
    for (const body of [{ sub: 'alice' }, { sub: 'alice', aud: API }]) {
      remote.says = { body };
      const options = { url: remote.url, issuer: 'https://idp', cacheFor: '1m' };
      const authenticator = alone(options, { audience: API });
      const token = itself(claims);
      expect(await codeOf(authenticator.verify(token))).toBe(expected);
      // From the cache of answers too.
      expect(await codeOf(authenticator.verify(token))).toBe(expected);
    }
  });

  it('has to be of an issuer that is welcome, and of the one that the answer names', async () => {
    const remote = await endpoint();
    const welcome = alone(remote.url, { issuers: ['https://idp', 'https://second'] });
    remote.says = { body: { sub: 'alice', iss: 'https://idp' } };
    expect(await codeOf(welcome.verify(itself({ iss: 'https://idp' })))).toBe('accepted');
    for (const iss of ['https://second', 'https://other'])
      expect(await codeOf(welcome.verify(itself({ iss })))).toBe('401 token_issuer_untrusted');
  });

  it('only narrows: an audience of its own does not stand in for that of the answer', async () => {
    const remote = await endpoint();
    remote.says = { body: { sub: 'alice', aud: 'https://other.example' } };
    const authenticator = alone(remote.url, { audience: API });
    expect(await codeOf(authenticator.verify(itself({ aud: API })))).toBe('401 token_audience_mismatch');
    remote.says = { body: { sub: 'alice' } };
    const principal = await authenticator.verify(itself({ aud: API, iss: 'https://idp' }));
    expect([principal.issuer, principal.claims]).toEqual([undefined, { sub: 'alice' }]);
  });

  it('is not looked at where the options say so loudly', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const remote = await endpoint();
    const options = { url: remote.url, issuer: 'https://idp', unsafeIgnoreTokenClaims: true };
    const token = itself({ aud: 'https://other.example', iss: 'https://other' });
    expect(await codeOf(alone(options, { audience: API }).verify(token))).toBe('accepted');
    expect(warned.mock.calls.flat()).toContain(
      'remote.unsafeIgnoreTokenClaims: tokens of other APIs may be accepted',
    );
  });

  it('explain says which of its claims refuses it', async () => {
    const remote = await endpoint();
    const authenticator = alone({ url: remote.url, issuer: 'https://idp' }, { audience: API });
    const { checks } = await authenticator.explain(
      itself({ aud: 'https://other.example', iss: 'https://idp' }),
    );
    expect(checks).toContainEqual(
      expect.objectContaining({
        about: 'aud of the token itself',
        outcome: 'failed',
        code: 'token_audience_mismatch',
      }),
    );
    expect(checks).toContainEqual(
      expect.objectContaining({ about: 'iss of the token itself', outcome: 'passed' }),
    );
  });
});

describe('row 153: the cache', () => {
  it('uses an answer again for as long as it says, and not longer', async () => {
    const advance = holdAges();
    const remote = await endpoint();
    const authenticator = alone({ url: remote.url, cacheFor: '10s' });
    await authenticator.verify('t');
    for (let second = 0; second < 10; second++) {
      await expect(authenticator.verify('t')).resolves.toMatchObject({ subject: 'alice' });
      advance(1_000);
    }
    expect(remote.asked).toHaveLength(1);
    advance(2);
    remote.says = { status: 401 };
    await expect(codeOf(authenticator.verify('t'))).resolves.toBe('401 token_rejected');
    expect(remote.asked).toHaveLength(2);
  });

  it.each<[title: string, answer: object, token: () => string]>([
    ["the answer's exp", { sub: 'alice', exp: NOW + 5 }, () => 't'],
    ["the token's exp", { sub: 'alice' }, () => jwt({ sub: 'alice', exp: NOW + 5 })],
    [
      "the token's exp before the answer's",
      { sub: 'alice', exp: NOW + 60 },
      () => jwt({ sub: 'alice', exp: NOW + 5 }),
    ],
    [
      "the answer's exp before the token's",
      { sub: 'alice', exp: NOW + 5 },
      () => jwt({ sub: 'alice', exp: NOW + 60 }),
    ],
  ])('ends with %s', async (_, body, tokenOf) => {
    const advance = holdAges();
    const remote = await endpoint();
    remote.says = { body };
    const authenticator = alone({ url: remote.url, cacheFor: '1h' }, { clockSkew: '60s' });
    const token = tokenOf();
    await authenticator.verify(token);
    advance(5_000);
    await authenticator.verify(token);
    expect(remote.asked).toHaveLength(1);
    advance(2);
    remote.says = { status: 401 };
    await expect(codeOf(authenticator.verify(token))).resolves.toBe('401 token_rejected');
  });

  it('R14: what it has is judged anew each time, by the wall clock', async () => {
    const remote = await endpoint();
    remote.says = { body: { sub: 'alice', exp: NOW + 60 } };
    const authenticator = alone({ url: remote.url, cacheFor: '1h' });
    await authenticator.verify('t');
    clock.advance(65_000);
    await expect(codeOf(authenticator.verify('t'))).resolves.toBe('401 token_expired');
    expect(remote.asked).toHaveLength(1);
  });

  it('an answer that has ended already is not kept', async () => {
    const remote = await endpoint();
    remote.says = { body: { sub: 'alice', exp: NOW - 2 } };
    const authenticator = alone({ url: remote.url, cacheFor: '1h' });
    await authenticator.verify('t');
    await authenticator.verify('t');
    expect(remote.asked).toHaveLength(2);
  });

  it('neither a denial nor a silence is kept', async () => {
    const remote = await endpoint();
    const authenticator = alone({ url: remote.url, cacheFor: '1h' });
    for (const says of [{ status: 401 }, { status: 403 }, { status: 400 }, { status: 500 }, { body: '' }]) {
      remote.says = says;
      await expect(codeOf(authenticator.verify('t'))).resolves.not.toBe('accepted');
    }
    expect(remote.asked).toHaveLength(5);
    remote.says = { body: { sub: 'alice' } };
    await expect(codeOf(authenticator.verify('t'))).resolves.toBe('accepted');
  });

  it('is of the whole token', async () => {
    const remote = await endpoint();
    remote.says = ({ headers }) => ({ body: { sub: headers.authorization ?? '' } });
    const authenticator = alone({ url: remote.url, cacheFor: '1h' });
    for (const token of ['t', 't=', 't==', 'T', `t${'a'.repeat(500)}`, `t${'a'.repeat(501)}`]) {
      for (let count = 0; count < 2; count++)
        await expect(authenticator.verify(token)).resolves.toMatchObject({ subject: `Bearer ${token}` });
    }
    expect(remote.asked).toHaveLength(6);
  });

  it('is of one authenticator', async () => {
    const remote = await endpoint();
    const options = { url: remote.url, cacheFor: '1h' };
    await alone(options).verify('t');
    remote.says = { status: 401 };
    await expect(codeOf(alone(options).verify('t'))).resolves.toBe('401 token_rejected');
  });

  it('gives what nobody can change', async () => {
    const remote = await endpoint();
    remote.says = { body: { sub: 'alice', roles: ['dev'] } };
    const authenticator = alone({ url: remote.url, cacheFor: '1h' });
    const first = await authenticator.verify('t');
    expect(() => (first.claims.roles as string[]).push('admin')).toThrow(TypeError);
    expect((await authenticator.verify('t')).claims.roles).toEqual(['dev']);
  });

  it('holds a digest, and nothing of a token', async () => {
    const written = [vi.spyOn(LRUCache.prototype, 'set'), vi.spyOn(Map.prototype, 'set')];
    const remote = await endpoint();
    const token = `secret-${randomUUID()}`;
    await alone({ url: remote.url, cacheFor: '1h' }).verify(token);
    const ours = written.flatMap(({ mock }) => mock.calls);
    expect(written[0]?.mock.calls).toHaveLength(1);
    expect(inspect(written[0]?.mock.calls, { depth: 10 })).not.toContain(token);
    // Those of undici and Node are gone with the call; keys of ours are digests.
    const keys = ours.map(([key]) => key).filter((key) => typeof key === 'string');
    expect(keys.filter((key) => key.includes(token))).toEqual([]);
    expect(keys).toContainEqual(expect.stringMatching(/^[\w+/]{43}=$/));
  });

  it('R13: is bounded', async () => {
    const set = vi.spyOn(LRUCache.prototype, 'set');
    const remote = await endpoint();
    await alone({ url: remote.url, cacheFor: '1h' }).verify('t');
    expect(set.mock.contexts.map((cache) => (cache as LRUCache<string, object>).max)).toEqual([10_000]);
  });

  it('R13: is bounded by bytes too: 600 answers of 49 KiB do not stay', async () => {
    const remote = await endpoint();
    const text = 'x'.repeat(49 * 1024);
    let count = 0;
    remote.says = () => ({ body: { sub: 'alice', text: `${count++}${text}` } });
    const authenticator = alone({ url: remote.url, cacheFor: '1h' });
    const ask = async (index: number) => void (await authenticator.verify(`t${index}`));
    await ask(0);
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let index = 1; index < 600; index++) await ask(index);
    await nextTurn();
    collectGarbage();
    // As many would take 29 MB.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(22 * 1024 * 1024);
    // The one used last is there, the one used longest ago is not.
    await ask(599);
    expect(remote.asked).toHaveLength(600);
    await ask(0);
    expect(remote.asked).toHaveLength(601);
  });

  it('an answer of many small members weighs as much as they take', () => {
    const parts = JSON.parse(`[${'{},'.repeat(9_999)}{}]`) as JsonValue;
    expect(weigh(parts)).toBeGreaterThan(10_000 * 64);
  });

  it('is asked once by all that carry the same token at the same time', async () => {
    const remote = await endpoint();
    const release = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    remote.says = async () => {
      asked.resolve();
      await release.promise;
      return { body: { sub: 'alice' } };
    };
    const authenticator = alone(remote.url);
    const verdicts = Array.from({ length: 1_000 }, () => authenticator.verify('t'));
    await asked.promise;
    release.resolve();
    const subjects = (await Promise.all(verdicts)).map(({ subject }) => subject);
    expect(new Set(subjects)).toEqual(new Set(['alice']));
    expect(remote.asked).toHaveLength(1);
    await authenticator.verify('t');
    expect(remote.asked).toHaveLength(2);
  });

  it('a failure is shared too, and the next one asks anew', async () => {
    const remote = await endpoint();
    remote.says = { status: 500 };
    const authenticator = alone(remote.url);
    const verdicts = await Promise.all(Array.from({ length: 50 }, () => codeOf(authenticator.verify('t'))));
    expect(new Set(verdicts)).toEqual(new Set([UNAVAILABLE]));
    expect(remote.asked).toHaveLength(1);
    remote.says = { body: { sub: 'alice' } };
    await expect(codeOf(authenticator.verify('t'))).resolves.toBe('accepted');
  });

  it('close() empties it', async () => {
    const remote = await endpoint();
    const authenticator = alone({ url: remote.url, cacheFor: '1h' });
    await authenticator.verify('t');
    await authenticator.close();
    await expect(codeOf(authenticator.verify('t'))).resolves.toBe(UNAVAILABLE);
  });
});

describe('R17: an endpoint that is down', () => {
  it('ten thousand requests against one that hangs: none passes, each is a 503', async () => {
    let asked = 0;
    const url = await serve(() => {
      asked++;
    });
    const authenticator = alone({ url, timeout: '200ms' });
    const verdicts = new Map<string, number>();
    for (let batch = 0; batch < 10; batch++) {
      const codes = await Promise.all(
        Array.from({ length: 1_000 }, (_, index) => codeOf(authenticator.verify(`t${batch}-${index}`))),
      );
      for (const code of codes) verdicts.set(code, (verdicts.get(code) ?? 0) + 1);
    }
    expect(verdicts).toEqual(new Map([[UNAVAILABLE, 10_000]]));
    expect(asked).toBeLessThanOrEqual(256 + 10);
    expect(authenticator.report().remote).toMatchObject({ state: 'open' });
  });

  it('is asked once a second, and everybody passes after the first success', async () => {
    const advance = holdAges();
    const remote = await endpoint();
    remote.says = { status: 503 };
    const authenticator = alone(remote.url);
    for (let index = 0; index < 100; index++)
      await expect(codeOf(authenticator.verify(`t${index}`))).resolves.toBe(UNAVAILABLE);
    expect(remote.asked).toHaveLength(5);
    for (let second = 0; second < 3; second++) {
      advance(1_000);
      const codes = await Promise.all(
        Array.from({ length: 50 }, (_, index) => codeOf(authenticator.verify(`t${index}`))),
      );
      expect(new Set(codes)).toEqual(new Set([UNAVAILABLE]));
    }
    expect(remote.asked).toHaveLength(8);
    remote.says = { body: { sub: 'alice' } };
    await expect(codeOf(authenticator.verify('t'))).resolves.toBe(UNAVAILABLE);
    advance(1_000);
    await expect(codeOf(authenticator.verify('t'))).resolves.toBe('accepted');
    const codes = await Promise.all(
      Array.from({ length: 50 }, (_, index) => codeOf(authenticator.verify(`t${index}`))),
    );
    expect(new Set(codes)).toEqual(new Set(['accepted']));
    expect(authenticator.report().remote).toMatchObject({ state: 'closed', failures: 0 });
  });

  it('a denial is an answer: it closes the breaker', async () => {
    const advance = holdAges();
    const remote = await endpoint();
    remote.says = { status: 500 };
    const authenticator = alone(remote.url);
    for (let index = 0; index < 6; index++) await codeOf(authenticator.verify(`t${index}`));
    expect(authenticator.report().remote).toMatchObject({ state: 'open' });
    advance(1_000);
    remote.says = { status: 401 };
    await expect(codeOf(authenticator.verify('t'))).resolves.toBe('401 token_rejected');
    expect(authenticator.report().remote).toMatchObject({ state: 'closed', failures: 0 });
  });

  it('tokens that are too long for its server do not shut the door on others', async () => {
    const remote = await endpoint();
    const authenticator = alone(remote.url, { maxTokenBytes: 65_536 });
    for (let index = 0; index < 10; index++)
      await expect(codeOf(authenticator.verify(`t${index}`.padEnd(60_000, 'a')))).resolves.toBe(UNAVAILABLE);
    expect(remote.asked).toHaveLength(0);
    await expect(codeOf(authenticator.verify('t'))).resolves.toBe('accepted');
  });
});

describe('R13: what a call leaves behind', () => {
  /**
   * How many of the signals that were handed out are still held after everybody has let go of them.
   */
  async function leftOver(
    call: (handedOut: (signal: AbortSignal) => void) => Promise<void>,
  ): Promise<number> {
    const signals: WeakRef<AbortSignal>[] = [];
    for (let index = 0; index < 500; index++) await call((signal) => void signals.push(new WeakRef(signal)));
    for (let turn = 0; turn < 3; turn++) {
      await nextTurn();
      collectGarbage();
    }
    expect(signals).toHaveLength(500);
    return signals.filter((signal) => signal.deref() !== undefined).length;
  }

  it('nothing, if nobody listens', async () => {
    const stopping = new AbortController();
    const left = await leftOver(async (handedOut) => {
      handedOut(AbortSignal.any([stopping.signal, new AbortController().signal]));
    });
    expect(stopping.signal.aborted).toBe(false);
    expect(left).toBeLessThan(50);
  });

  it('nothing, when a call has ended in time', async () => {
    const stopping = new AbortController();
    const left = await leftOver((handedOut) =>
      withDeadline(60_000, stopping.signal, async (signal) => handedOut(signal)),
    );
    expect(stopping.signal.aborted).toBe(false);
    expect(left).toBeLessThan(50);
  });
});

describe('what is told', () => {
  it('the report has the URL without its query', async () => {
    const remote = await endpoint();
    const { remote: report } = alone(`${remote.url}?key=hunter2#x`).report();
    expect(report).toEqual({ url: remote.url, state: 'closed', failures: 0 });
  });

  it.each<[title: string, answer: Answer]>([
    ['a refusal', { status: 401, body: { error: 'for-logs' } }],
    ['a failure', { status: 500 }],
    ['no JSON', { body: '<secret-in-body>' }],
    ['another issuer', { body: { sub: 'alice', iss: 'secret-in-body' } }],
    ['a redirect', { status: 302, headers: { location: 'https://secret-in-body/' } }],
  ])('no error holds a token, a secret or an answer: %s', async (_, answer) => {
    const remote = await endpoint();
    remote.says = answer;
    const token = jwt({ sub: 'alice', exp: NOW + 60 });
    const secrets = createMemoryStore({ idp: { 'client-secret': 'hunter2' } });
    const authenticators = [
      alone({ url: remote.url, issuer: 'https://idp' }),
      introspecting(remote.url, secrets),
    ];
    for (const authenticator of authenticators) {
      const error = await authenticator.verify(token).catch((thrown: unknown) => thrown);
      const told = inspect(error, { depth: 10, showHidden: true });
      for (const secret of [token, token.slice(-20), 'hunter2', 'secret-in-body', 'Bearer ey', 'Basic '])
        expect(told).not.toContain(secret);
    }
  });
});
