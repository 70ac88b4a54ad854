// A group resolver over HTTP, against real servers on loopback: what goes over the wire for any
// subject, byte by byte, and what an answer means.
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { createIssuer, type Fault, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ConfigError, isAuthError } from '../../src/errors.ts';
import { createGroupEndpoint } from '../../src/groups/endpoint.ts';
import { type GroupEndpointOptions, readGroupEndpoint } from '../../src/groups/options.ts';
import { createAuthenticator, createMemoryStore, type SecretStore } from '../../src/index.ts';
import { close, listen } from '../support/servers.ts';

const readEndpoint = (options: unknown) => readGroupEndpoint(options, 'groups.endpoint');

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  for (const close of closers.splice(0)) await close();
});

let key: SigningKey;
beforeAll(async () => {
  key = await generateSigningKey();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  return `http://127.0.0.1:${await listen(server)}`;
}

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** A server that knows everybody, as a member of `dev`. */
async function people(): Promise<{ readonly origin: string; readonly asked: Asked[] }> {
  const asked: Asked[] = [];
  const origin = await serve(({ method, url, headers }, response) => {
    asked.push({ method, url, headers });
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"groups":["dev"]}');
  });
  return { origin, asked };
}

const NO_SIGNAL = new AbortController().signal;

function ask(options: GroupEndpointOptions, subject = 'alice'): Promise<readonly string[] | undefined> {
  const resolver = createGroupEndpoint(readEndpoint(options));
  closers.push(async () => resolver.close?.());
  return resolver.resolve({ subject, issuer: 'https://issuer.example' }, NO_SIGNAL);
}

describe('the question', () => {
  it('is a GET for JSON, without a body or anything of the token', async () => {
    const { origin, asked } = await people();
    expect(await ask({ url: `${origin}/users/{sub}/groups?all=1` })).toEqual(['dev']);
    expect(asked).toEqual([
      {
        method: 'GET',
        url: '/users/alice/groups?all=1',
        headers: expect.objectContaining({ accept: 'application/json' }),
      },
    ]);
    for (const name of ['authorization', 'cookie', 'content-length', 'referer'])
      expect(asked[0]?.headers).not.toHaveProperty(name);
  });

  it('has the subject in the query, where the options say so', async () => {
    const { origin, asked } = await people();
    await ask({ url: `${origin}/groups?user={sub}&x=1` }, 'a&admin=1#x');
    expect(asked[0]?.url).toBe('/groups?user=a%26admin%3D1%23x&x=1');
    expect(new URL(asked[0]?.url ?? '', origin).searchParams.get('user')).toBe('a&admin=1#x');
  });
});

/** The first line of whatever comes over the wire for a subject, as it comes. */
async function requestLine(template: string, subject: string): Promise<string | undefined> {
  let line: string | undefined;
  const server = createTcpServer((socket) => {
    socket.once('data', (bytes) => {
      line = bytes.toString('latin1').split('\r\n')[0];
      const body = '{"groups":["dev"]}';
      socket.end(
        `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
    });
  });
  const port = await listen(server);
  try {
    await ask({ url: `http://127.0.0.1:${port}${template}` }, subject);
    return line;
  } finally {
    await close(server);
  }
}

describe('row 164: a subject is one segment, whatever it holds', () => {
  it.each<[subject: string, segment: string]>([
    ['alice', 'alice'],
    ['alice@example.com', 'alice%40example.com'],
    ['a/b', 'a%2Fb'],
    ['spiffe://example.org/ns/a', 'spiffe%3A%2F%2Fexample.org%2Fns%2Fa'],
    ['a/..b', 'a%2F..b'],
    ['/a', '%2Fa'],
    ['//evil.example/', '%2F%2Fevil.example%2F'],
    ['\\\\evil.example', '%5C%5Cevil.example'],
    ['a?x=1', 'a%3Fx%3D1'],
    ['a#b', 'a%23b'],
    ['@evil.example', '%40evil.example'],
    [':8080', '%3A8080'],
    ['%2f', '%252f'],
    ['%', '%25'],
    ['%zz', '%25zz'],
    ['%00', '%2500'],
    ['.a', '.a'],
    ['a..', 'a..'],
    ['a;b=c', 'a%3Bb%3Dc'],
    ['a b', 'a%20b'],
    ['a+b', 'a%2Bb'],
    ['a&b', 'a%26b'],
    ['a\0b', 'a%00b'],
    ['a\r\nX-Evil: 1', 'a%0D%0AX-Evil%3A%201'],
    ['a HTTP/1.1\r\nHost: evil\r\n\r\n', 'a%20HTTP%2F1.1%0D%0AHost%3A%20evil%0D%0A%0D%0A'],
    ['a\tb', 'a%09b'],
    [' a ', '%20a%20'],
    ['Zoë', 'Zo%C3%AB'],
    ['用户', '%E7%94%A8%E6%88%B7'],
    ['😀', '%F0%9F%98%80'],
    ['．．', '%EF%BC%8E%EF%BC%8E'],
    ['。', '%E3%80%82'],
    ['⁄admin', '%E2%81%84admin'],
    ['\u202eadmin', '%E2%80%AEadmin'],
    ['{sub}', '%7Bsub%7D'],
    ["!'()*", '%21%27%28%29%2A'],
    ['$&', '%24%26'],
    ['$1$`$$', '%241%24%60%24%24'],
    ['a"<>|^`[]', 'a%22%3C%3E%7C%5E%60%5B%5D'],
    ['-_~', '-_~'],
    ['__proto__', '__proto__'],
    ['é\u0301', '%C3%A9%CC%81'],
  ])('%j', async (subject, segment) => {
    expect(await requestLine('/users/{sub}/groups', subject)).toBe(`GET /users/${segment}/groups HTTP/1.1`);
  });

  it('of 1024 characters, and of no more', async () => {
    const line = await requestLine('/users/{sub}/groups', 'a'.repeat(1024));
    expect(line).toBe(`GET /users/${'a'.repeat(1024)}/groups HTTP/1.1`);
    const { origin, asked } = await people();
    expect(await ask({ url: `${origin}/{sub}` }, '用'.repeat(1024))).toEqual(['dev']);
    expect(await ask({ url: `${origin}/{sub}` }, 'a'.repeat(1025))).toBeUndefined();
    expect(await ask({ url: `${origin}/{sub}` }, 'a'.repeat(1_000_000))).toBeUndefined();
    expect(asked).toHaveLength(1);
  });

  it.each([
    '',
    '.',
    '..',
    '...',
    '.'.repeat(100),
    '\ud800',
    'a\udfff',
    '\ud800/../admin',
    // Another user at a server that decodes a segment before it resolves dots.
    '../admin',
    'a/../admin',
    'a/..',
    'a/.',
    '../../../etc/passwd',
    '..\\admin',
    'a\\..\\admin',
    '%2e',
    '%2e%2e',
    '%2E%2e/',
    '.%2e',
    'a%2f..%2fadmin',
    'a%252f%252e%252e%252fadmin',
    '..;',
    'a/..;b/admin',
    'a/.. /admin',
  ])('%j cannot be one segment: the subject is not known, and the endpoint is not asked', async (subject) => {
    const { origin, asked } = await people();
    for (const template of ['/users/{sub}/groups', '/{sub}', '/?user={sub}'])
      expect(await ask({ url: `${origin}${template}` }, subject)).toBeUndefined();
    expect(asked).toEqual([]);
  });

  it.each(['%2e', '..', '.', '../x', '/', '\\', '?', '#', '@', 'evil.example', ':1', '%2f..'])(
    '%j stays where the template has it',
    async (subject) => {
      for (const [template, start] of [
        ['/a/b/{sub}', '/a/b/'],
        ['/a/b/{sub}/c', '/a/b/'],
        ['/a/b/x-{sub}', '/a/b/x-'],
        ['/a/b/{sub}.json', '/a/b/'],
        ['/a/b?x={sub}', '/a/b?x='],
        ['/{sub}', '/'],
      ] as const) {
        const line = await requestLine(template, subject);
        if (line === undefined) continue;
        const [, path = ''] = line.split(' ');
        expect(path.startsWith(start)).toBe(true);
        expect(path.split('/')).toHaveLength(template.split('/').length);
        expect(new URL(path, 'http://x').pathname).toBe(path.split('?')[0]);
      }
    },
  );

  it('end to end: the sub of a token', async () => {
    const { origin, asked } = await people();
    const authenticator = createAuthenticator({
      keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
      audience: null,
      groups: { endpoint: { url: `${origin}/users/{sub}/groups` } },
    });
    closers.push(authenticator.close);
    const exp = Math.floor(Date.now() / 1000) + 300;
    const { groups } = await authenticator.verify(await mint(key, { iss: 'i', sub: 'a/admin?x#y', exp }));
    expect(groups).toEqual(['dev']);
    expect(asked.map(({ url }) => url)).toEqual(['/users/a%2Fadmin%3Fx%23y/groups']);
    for (const sub of ['..', 'x/../admin']) {
      await expect(authenticator.verify(await mint(key, { iss: 'i', sub, exp }))).rejects.toMatchObject({
        code: 'token_rejected',
      });
    }
    expect(asked).toHaveLength(1);
  });
});

describe('the answer', () => {
  type Answer = readonly [status: number, body: string, type?: string];
  async function answering([status, body, type = 'application/json']: Answer) {
    const origin = await serve((_, response) => {
      response
        .writeHead(status, { 'content-type': type })
        .end([204, 304].includes(status) ? undefined : body);
    });
    return ask({ url: `${origin}/{sub}` });
  }

  it.each<[title: string, answer: Answer, expected: unknown]>([
    ['groups', [200, '{"groups":["a","b"]}'], ['a', 'b']],
    ['no groups', [200, '{"groups":[]}'], []],
    ['more than that', [200, '{"groups":["a"],"next":null}'], ['a']],
    ['with a charset', [200, '{"groups":["a"]}', 'application/json;charset=utf-8'], ['a']],
    ['404', [404, ''], undefined],
    ['404 with groups', [404, '{"groups":["root"]}'], undefined],
  ])('%s', async (_, answer, expected) => {
    expect(await answering(answer)).toEqual(expected);
  });

  it.each<[title: string, answer: Answer]>([
    ['a page', [200, '<h1>Log in</h1>', 'text/html']],
    ['JSON that says that it is text', [200, '{"groups":["root"]}', 'text/plain']],
    ['nothing', [200, '']],
    ['{}', [200, '{}']],
    ['null', [200, 'null']],
    ['[]', [200, '[]']],
    ['a list', [200, '["root"]']],
    ['groups: null', [200, '{"groups":null}']],
    ['groups: a string', [200, '{"groups":"root"}']],
    ['groups: an object', [200, '{"groups":{"0":"root","length":1}}']],
    ['groups: numbers', [200, '{"groups":[1]}']],
    ['groups: one null', [200, '{"groups":["dev",null]}']],
    ['groups: objects', [200, '{"groups":[{"name":"root"}]}']],
    ['groups twice', [200, '{"groups":[],"groups":["root"]}']],
    ['groups, inherited', [200, '{"__proto__":{"groups":["root"]}}']],
    ['Groups', [200, '{"Groups":["root"]}']],
    ['half of it', [200, '{"groups":["dev"']],
    ['too much', [200, `{"groups":["${'a'.repeat(64 * 1024)}"]}`]],
    ['201', [201, '{"groups":["root"]}']],
    ['203', [203, '{"groups":["root"]}']],
    ['204', [204, '']],
    ['206: a part', [206, '{"groups":["root"]}']],
    ['304', [304, '']],
    ['400', [400, '{"groups":["root"]}']],
    ['401', [401, '{"groups":["root"]}']],
    ['403', [403, '{"groups":["root"]}']],
    ['410', [410, '{"groups":["root"]}']],
    ['429', [429, '{"groups":["root"]}']],
    ['500', [500, '{"groups":["root"]}']],
    ['503', [503, '{"groups":["root"]}']],
  ])('row 163: %s says nothing', async (_, answer) => {
    await expect(answering(answer)).rejects.toThrow();
  });

  it.each<Fault>([
    { kind: 'reset' },
    { kind: 'hang' },
    { kind: 'drip', intervalMs: 1 },
    { kind: 'endless' },
    { kind: 'gzip-bomb', bytes: 32 * 1024 * 1024 },
  ])('$kind', async (fault) => {
    const issuer = await createIssuer();
    closers.push(issuer.close);
    issuer.fail(fault);
    const url = issuer.jwksUrl.replace('jwks', '{sub}');
    await expect(ask({ url, timeout: '300ms' }, 'jwks')).rejects.toThrow();
    expect(issuer.requests.jwks).toBe(1);
  });

  it.each([301, 302, 303, 307, 308])(
    'row 164: %d is not followed, and no bearer token arrives there',
    async (status) => {
      const there = await people();
      const here = await serve((_, response) => {
        response.writeHead(status, { location: `${there.origin}/users/root` }).end();
      });
      const secrets = createMemoryStore({ people: { token: 's3cret' } });
      const token = { name: 'people', key: 'token', secrets };
      await expect(ask({ url: `${here}/{sub}`, token })).rejects.toThrow(`status ${status}`);
      expect(there.asked).toEqual([]);
    },
  );

  it('ends when no caller waits', async () => {
    const asked = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const origin = await serve((_, response) => {
      response.on('close', () => closed.resolve());
      asked.resolve();
    });
    const resolver = createGroupEndpoint(readEndpoint({ url: `${origin}/{sub}` }));
    closers.push(async () => resolver.close?.());
    const stopping = new AbortController();
    const answer = resolver.resolve({ subject: 'alice', issuer: undefined }, stopping.signal);
    answer.catch(() => {});
    await asked.promise;
    stopping.abort(new Error('enough'));
    await expect(answer).rejects.toThrow('enough');
    await closed.promise;
  });
});

describe('through an authenticator', () => {
  async function start(says: (url: string) => number) {
    const asked: string[] = [];
    const origin = await serve(({ url = '' }, response) => {
      asked.push(url);
      const status = says(url);
      response.writeHead(status, { 'content-type': 'application/json' }).end('{"groups":["dev"]}');
    });
    const authenticator = createAuthenticator({
      keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
      audience: null,
      groups: { endpoint: { url: `${origin}/{sub}` } },
    });
    closers.push(authenticator.close);
    const exp = Math.floor(Date.now() / 1000) + 300;
    const codeOf = async (sub: string) =>
      authenticator.verify(await mint(key, { iss: 'i', sub, exp })).then(
        () => 'accepted',
        (error: unknown) => (isAuthError(error) ? `${error.status} ${error.code}` : `broke: ${error}`),
      );
    return { authenticator, asked, codeOf };
  }

  it('404 is a subject that is not known', async () => {
    const { codeOf } = await start(() => 404);
    expect(await codeOf('alice')).toBe('401 token_rejected');
  });

  it('a subject that is not known does not count as a failure', async () => {
    const { authenticator, codeOf } = await start(() => 404);
    for (let index = 0; index < 20; index++) await codeOf(`u${index}`);
    expect(authenticator.report().groups).toEqual([
      { source: 'endpoint', state: 'closed', failures: 0, lastError: undefined },
    ]);
  });

  it.each([500, 502, 503, 429])('%d opens the breaker', async (status) => {
    const { authenticator, asked, codeOf } = await start(() => status);
    for (let index = 0; index < 20; index++) expect(await codeOf(`u${index}`)).toBe('503 groups_unavailable');
    expect(asked).toHaveLength(5);
    expect(authenticator.report().groups).toEqual([
      { source: 'endpoint', state: 'open', failures: 5, lastError: `answered with status ${status}` },
    ]);
  });

  it.each([400, 403, 414, 422, 431])(
    '%d for one subject does not shut the door on all others',
    async (status) => {
      const { codeOf } = await start((url) => (url.startsWith('/odd') ? status : 200));
      for (let index = 0; index < 6; index++)
        expect(await codeOf(`odd${index}`)).toBe('503 groups_unavailable');
      expect(await codeOf('alice')).toBe('accepted');
    },
  );
});

describe('a bearer token', () => {
  const secrets = createMemoryStore({ people: { token: 's3cret\n' } });

  it('is read from the store each time: a new one is used at once', async () => {
    const { origin, asked } = await people();
    const store = createMemoryStore({ people: { token: 'old\n' } });
    const resolver = createGroupEndpoint(
      readEndpoint({
        url: `${origin}/{sub}`,
        token: { name: 'people', key: 'token', secrets: store },
      }),
    );
    closers.push(async () => resolver.close?.());
    const subject = { subject: 'alice', issuer: undefined };
    await resolver.resolve(subject, NO_SIGNAL);
    store.set({ name: 'people', key: 'token' }, ' new ');
    await resolver.resolve(subject, NO_SIGNAL);
    expect(asked.map(({ headers }) => headers.authorization)).toEqual(['Bearer old', 'Bearer new']);
    expect(asked.map(({ url }) => url)).toEqual(['/alice', '/alice']);
  });

  it.each<[title: string, read: SecretStore['read']]>([
    ['missing', async () => undefined],
    ['empty', async () => new Uint8Array()],
    ['no bytes', async () => 's3cret' as never],
    ['refused', () => Promise.reject(new Error('the vault is sealed'))],
  ])('that is %s: the endpoint is not asked without it', async (_, read) => {
    const { origin, asked } = await people();
    const store: SecretStore = { description: 'test', read };
    const token = { name: 'people', key: 'token', secrets: store };
    await expect(ask({ url: `${origin}/{sub}`, token })).rejects.toThrow();
    expect(asked).toEqual([]);
  });

  it('a store that hangs ends with the look-up', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const reading = Promise.withResolvers<void>();
    const store: SecretStore = {
      description: 'test',
      read: () => {
        reading.resolve();
        return new Promise(() => {});
      },
    };
    const authenticator = createAuthenticator({
      keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
      audience: null,
      groups: {
        endpoint: {
          url: 'http://127.0.0.1:1/{sub}',
          token: { name: 'people', key: 'token', secrets: store },
        },
      },
    });
    closers.push(authenticator.close);
    const exp = Math.floor(Date.now() / 1000) + 300;
    const verdict = authenticator.verify(await mint(key, { iss: 'i', sub: 'alice', exp }));
    verdict.catch(() => {});
    await reading.promise;
    vi.advanceTimersByTime(2_000);
    await nextTurn();
    await expect(verdict).rejects.toMatchObject({ code: 'groups_unavailable' });
  });

  it('is in no error', async () => {
    const origin = await serve((_, response) => void response.writeHead(500).end());
    const token = { name: 'people', key: 'token', secrets };
    const error = await ask({ url: `${origin}/{sub}`, token }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(inspect(error, { depth: 10 })).not.toContain('s3cret');
  });

  it.each(['s3cret\nof two lines', 's3cret\0', 's3cret\r\nX-Evil: 1'])(
    'that cannot be sent is in no error either: %j',
    async (secret) => {
      const { origin, asked } = await people();
      const store = createMemoryStore({ people: { token: secret } });
      const token = { name: 'people', key: 'token', secrets: store };
      const error = await ask({ url: `${origin}/{sub}`, token }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(Error);
      expect(asked).toEqual([]);
      expect(inspect(error, { depth: 10 })).not.toContain('s3cret');
    },
  );
});

describe('options', () => {
  function complaint(options: unknown): string | undefined {
    try {
      readEndpoint(options);
      return undefined;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return error.path;
    }
  }

  it.each([
    'https://people.internal/users/{sub}/groups',
    'https://people.internal/{sub}',
    'https://people.internal/?user={sub}',
    'https://people.internal/groups?a=1&user={sub}&b=2',
    'https://people.internal/a-{sub}.json',
    'http://127.0.0.1:8080/{sub}',
    'http://localhost/{sub}',
    'http://[::1]/{sub}',
  ])('%s is fine', (url) => {
    expect(complaint({ url })).toBeUndefined();
  });

  it.each([
    ['nowhere', 'https://people.internal/users'],
    ['twice', 'https://people.internal/{sub}/{sub}'],
    ['in the path and the query', 'https://people.internal/{sub}?user={sub}'],
    ['as another name', 'https://people.internal/{subject}'],
    ['in another case', 'https://people.internal/{SUB}'],
    ['escaped', 'https://people.internal/%7Bsub%7D'],
    ['as the host', 'https://{sub}/groups'],
    ['in the host', 'https://{sub}.people.internal/groups'],
    ['after the host', 'https://people.internal{sub}/groups'],
    ['as the port', 'https://people.internal:{sub}/groups'],
    ['in the port', 'https://people.internal:8{sub}/groups'],
    ['as the user', 'https://{sub}@people.internal/groups'],
    ['as the password', 'https://me:{sub}@people.internal/groups'],
    ['in the scheme', 'http{sub}://people.internal/groups'],
    ['as everything', '{sub}'],
    ['in the fragment', 'https://people.internal/groups#{sub}'],
    ['where it is taken back', 'https://people.internal/{sub}/../groups'],
    ['plain http', 'http://people.internal/{sub}'],
    ['plain http to 0.0.0.0', 'http://0.0.0.0/{sub}'],
    ['credentials', 'https://me:hunter2@people.internal/{sub}'],
    ['no URL', '/users/{sub}'],
    ['nothing', ''],
  ])('%s: %s', (_, url) => {
    expect(complaint({ url })).toBe('groups.endpoint.url');
  });

  it.each<[title: string, options: unknown, path: string]>([
    ['nothing', undefined, 'groups.endpoint'],
    ['a URL', 'https://people.internal/{sub}', 'groups.endpoint'],
    ['no url', {}, 'groups.endpoint.url'],
    ['something else', { url: 'https://p/{sub}', headers: {} }, 'groups.endpoint.headers'],
    ['timeout', { url: 'https://p/{sub}', timeout: 5 }, 'groups.endpoint.timeout'],
    ['no timeout', { url: 'https://p/{sub}', timeout: '0s' }, 'groups.endpoint.timeout'],
    ['allowHttp', { url: 'https://p/{sub}', allowHttp: 'yes' }, 'groups.endpoint.allowHttp'],
    ['tls', { url: 'https://p/{sub}', tls: 5 }, 'groups.endpoint.tls'],
    ['the token itself', { url: 'https://p/{sub}', token: 's3cret' }, 'groups.endpoint.token'],
    ['no store', { url: 'https://p/{sub}', token: { name: 'a', key: 'b' } }, 'groups.endpoint.token.secrets'],
    [
      'a store that is none',
      { url: 'https://p/{sub}', token: { name: 'a', key: 'b', secrets: {} } },
      'groups.endpoint.token.secrets',
    ],
    [
      'a path',
      { url: 'https://p/{sub}', token: { name: '../a', key: 'b', secrets: createMemoryStore() } },
      'groups.endpoint.token.name',
    ],
    [
      'no key',
      { url: 'https://p/{sub}', token: { name: 'a', secrets: createMemoryStore() } },
      'groups.endpoint.token.key',
    ],
  ])('%s', (_, options, path) => {
    expect(complaint(options)).toBe(path);
  });
});
