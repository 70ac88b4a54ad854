// A remote endpoint over real HTTP on loopback: what it is asked, and which answers accept a token,
// refuse it, or are a 503. Claims, introspection and the cache are in other files of this folder.
import { createServer as createTlsServer } from 'node:https';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { generate } from 'selfsigned';
import { describe, expect, it, vi } from 'vitest';
import { createMemoryStore } from '../../src/secrets/store.ts';
import { startIssuer } from '../support/authenticators.ts';
import { listen } from '../support/servers.ts';
import {
  type Answer,
  type Asked,
  alone,
  ask,
  endpoint,
  introspecting,
  jwt,
  NOW,
  serve,
  UNAVAILABLE,
} from './endpoints.ts';

describe('OK-12: the question', () => {
  it('row 154: is a POST with the token as bearer, and the token is nowhere else', async () => {
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

  it('goes to the URL as written, with its query', async () => {
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

  it('goes over https only to a server that the options trust', async () => {
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
    expect(await ask(alone(url))).toBe(UNAVAILABLE);
    expect(asked).toBe(0);
    expect(await alone({ url, tls: { ca: { pem: cert } } }).verify('t')).toMatchObject({
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
    const remote = await endpoint(answer);
    expect(await alone(remote.url).verify('t')).toMatchObject({
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
      expect(await ask(authenticator)).toBe('401 token_rejected');
    }
    // Asked once each: no answer makes it ask again.
    expect(remote.asked).toHaveLength(answers.length);
    expect(authenticator.report().remote).toMatchObject({ state: 'closed', failures: 0 });
  });
});

describe('row 151: an answer that neither accepts nor refuses', () => {
  it.each<[title: string, answer: Answer]>([
    ['a page', { type: 'text/html', body: '<h1>Log in</h1>' }],
    ['a page that says that it is JSON', { body: '<h1>Log in</h1>' }],
    ['JSON that says that it is a page', { type: 'text/html', body: { sub: 'root' } }],
    ['JSON that says that it is text', { type: 'text/plain', body: { sub: 'root' } }],
    ['JSON that says that it is JavaScript', { type: 'application/javascript', body: { sub: 'root' } }],
    ['JSON without a type', { type: undefined, body: { sub: 'root' } }],
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
    ['204', { status: 204 }],
    ['304', { status: 304 }],
    ...[201, 202, 203, 206, 300, 400, 402, 404, 405, 408, 410, 418, 431, 451].map(
      (status): [string, Answer] => [String(status), { status, body: { sub: 'root' } }],
    ),
  ])('%s: 503, and other tokens are still asked about', async (_, answer) => {
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
    expect(await authenticator.verify('t')).toMatchObject({ subject: 'alice' });
  });

  it.each([429, 500, 501, 502, 503, 504, 507, 599])('%d: 503, and counts as being down', async (status) => {
    const remote = await endpoint();
    const authenticator = alone(remote.url);
    remote.says = { status, body: { sub: 'root' } };
    for (let count = 0; count < 8; count++) expect(await ask(authenticator, `t${count}`)).toBe(UNAVAILABLE);
    expect(remote.asked).toHaveLength(5);
    expect(authenticator.report().remote).toMatchObject({ state: 'open', failures: 5 });
  });

  it('a failure for one token, again and again, does not open the breaker for the others', async () => {
    const remote = await endpoint();
    const authenticator = alone(remote.url);
    remote.says = ({ headers }) =>
      headers.authorization === 'Bearer odd' ? { status: 500 } : { body: { sub: 'alice' } };
    for (let count = 0; count < 20; count++) expect(await ask(authenticator, 'odd')).toBe(UNAVAILABLE);
    expect(remote.asked).toHaveLength(20);
    expect(authenticator.report().remote).toMatchObject({ state: 'closed', failures: 1 });
    expect(await ask(authenticator)).toBe('accepted');
  });

  it('no server listens', async () => {
    const issuer = await startIssuer();
    await issuer.close();
    expect(await ask(alone(issuer.jwksUrl))).toBe(UNAVAILABLE);
  });

  it.each([
    { kind: 'reset' },
    { kind: 'hang' },
    { kind: 'drip', intervalMs: 1 },
    { kind: 'endless' },
    { kind: 'gzip-bomb', bytes: 64 * 1024 * 1024 },
  ] as const)('$kind', async (fault) => {
    const issuer = await startIssuer();
    issuer.fail(fault);
    const authenticator = alone({ url: issuer.jwksUrl, timeout: '1s' });
    expect(await ask(authenticator)).toBe(UNAVAILABLE);
    expect(issuer.requests.jwks).toBe(1);
    expect(authenticator.report().remote).toMatchObject({ failures: 1 });
    issuer.fail({ kind: 'body', body: '{"sub":"alice"}' });
    expect(await authenticator.verify('t')).toMatchObject({ subject: 'alice' });
  });

  it('an answer of a gigabyte is given up at 64 KiB', async () => {
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
    expect(await ask(alone(url))).toBe(UNAVAILABLE);
    await closed.promise;
    // Beyond the limit, only the buffers of the sockets are filled.
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  it('one byte more than 64 KiB', async () => {
    const remote = await endpoint({ body: '{"sub":"root"}'.padEnd(64 * 1024 + 1) });
    expect(await ask(alone(remote.url))).toBe(UNAVAILABLE);
  });

  it('a body shorter than its length, or not in its encoding', async () => {
    const remote = await endpoint();
    const authenticator = alone(remote.url);
    remote.says = { headers: { 'content-encoding': 'gzip' }, body: '{"sub":"root"}' };
    expect(await ask(authenticator)).toBe(UNAVAILABLE);
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"sub":"root"}', () => response.destroy());
    });
    expect(await ask(alone(url))).toBe(UNAVAILABLE);
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
    const verdict = ask(alone(url)).finally(() => {
      settled = true;
    });
    await asked.promise;
    vi.advanceTimersByTime(1_999);
    await nextTurn();
    expect(settled).toBe(false);
    vi.advanceTimersByTime(1);
    expect(await verdict).toBe(UNAVAILABLE);
    await closed.promise;
  });

  it('R19: close() ends a question under way, and no token is accepted after it', async () => {
    const asked = Promise.withResolvers<void>();
    const url = await serve(() => asked.resolve());
    const authenticator = alone(url);
    const verdict = ask(authenticator);
    await asked.promise;
    await authenticator.close();
    expect(await verdict).toBe(UNAVAILABLE);
    expect(await ask(authenticator)).toBe(UNAVAILABLE);
  });

  it('leaves no unhandled rejection', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    try {
      const issuer = await startIssuer();
      const authenticator = alone({ url: issuer.jwksUrl, timeout: '20ms' });
      for (const fault of [
        { kind: 'reset' },
        { kind: 'hang' },
        { kind: 'drip', intervalMs: 1 },
        { kind: 'endless' },
      ] as const) {
        issuer.fail(fault);
        await Promise.all([ask(authenticator), ask(authenticator)]);
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
    '%d to another host: no request and no token arrives there',
    async (status) => {
      const there = await endpoint();
      const here = await endpoint();
      here.says = {
        status,
        headers: { location: there.url.replace('127.0.0.1', 'localhost') },
        body: { sub: 'root' },
      };
      expect(await ask(alone(here.url))).toBe(UNAVAILABLE);
      here.says = { status, headers: { location: there.url } };
      expect(await ask(alone(here.url))).toBe(UNAVAILABLE);
      expect(await ask(introspecting(here.url))).toBe(UNAVAILABLE);
      expect(there.asked).toHaveLength(0);
    },
  );

  it.each([301, 302, 303, 307, 308])('%d on the same host is not followed either', async (status) => {
    const remote = await endpoint(({ url }) =>
      url === '/validate' ? { status, headers: { location: '/moved' } } : { body: { sub: 'root' } },
    );
    expect(await ask(alone(remote.url))).toBe(UNAVAILABLE);
    expect(remote.asked).toHaveLength(1);
  });
});

describe('the report and errors', () => {
  it('the report has the URL without its query', async () => {
    const remote = await endpoint();
    const { remote: report } = alone(`${remote.url}?key=hunter2#x`).report();
    expect(report).toEqual({ url: remote.url, state: 'closed', failures: 0, lastError: undefined });
  });

  it.each<[title: string, answer: Answer]>([
    ['a refusal', { status: 401, body: { error: 'for-logs' } }],
    ['a failure', { status: 500 }],
    ['not JSON', { body: '<secret-in-body>' }],
    ['another issuer', { body: { sub: 'alice', iss: 'secret-in-body' } }],
    ['a redirect', { status: 302, headers: { location: 'https://secret-in-body/' } }],
  ])('no error holds a token, a secret or an answer: %s', async (_, answer) => {
    const remote = await endpoint(answer);
    const token = jwt({ sub: 'alice', exp: NOW + 60 });
    const secrets = createMemoryStore({ idp: { 'client-secret': 'hunter2' } });
    const authenticators = [
      alone({ url: remote.url, issuer: 'https://idp' }),
      introspecting(remote.url, { secrets }),
    ];
    for (const authenticator of authenticators) {
      const error = await authenticator.verify(token).catch((thrown: unknown) => thrown);
      const told = inspect(error, { depth: 10, showHidden: true });
      for (const secret of [token, token.slice(-20), 'hunter2', 'secret-in-body', 'Bearer ey', 'Basic '])
        expect(told).not.toContain(secret);
    }
  });
});
