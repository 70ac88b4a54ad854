// Who is asked next, and what it means when nobody can say: every combination of options, endpoint and keysets. And tokens that nobody
// should be asked about at all.
import { createServer } from 'node:http';
import { forge, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { refusalOf } from '../../src/decision/pipeline.ts';
import { isAuthError } from '../../src/errors.ts';
import type { KeysetOptions } from '../../src/keysets/options.ts';
import { createMemoryStore, type SecretStore } from '../../src/secrets/store.ts';
import { listen } from '../support/servers.ts';

const ISSUER = 'https://issuer.example';

type Remote = 'accepts' | 'refuses' | 'is odd' | 'is down';
type Keys = 'accept' | 'refuse' | 'are down';
type Next = 'next' | 'deny';

let trusted: SigningKey;
let stranger: SigningKey;
let good: string;
let forged: string;

beforeAll(async () => {
  [trusted, stranger] = await Promise.all([generateSigningKey(), generateSigningKey('ES256', 'stranger')]);
  const claims = { iss: ISSUER, sub: 'alice-by-key', exp: Math.floor(Date.now() / 1000) + 300 };
  [good, forged] = await Promise.all([mint(trusted, claims), mint(stranger, claims)]);
});

let url: string;
let asked: string[];
let remote: Remote;
const closers: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  asked = [];
  remote = 'accepts';
  const server = createServer((request, response) => {
    asked.push(request.headers.authorization ?? '');
    const json = { 'content-type': 'application/json' };
    if (remote === 'accepts') response.writeHead(200, json).end('{"sub":"alice-remotely"}');
    else if (remote === 'refuses') response.writeHead(401).end();
    else if (remote === 'is odd') response.writeHead(200, json).end('{}');
    else response.writeHead(503).end();
  });
  url = `http://127.0.0.1:${await listen(server)}/validate`;
});

afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closers.splice(0)) await close();
});

function start(options: Partial<AuthenticatorOptions>): Authenticator {
  const made = createAuthenticator({ keySets: [], audience: null, ...options });
  closers.push(made.close);
  return made;
}

const sealed: SecretStore = {
  description: 'test',
  read: () => Promise.reject(new Error('the vault is sealed')),
};

const inline = (): KeysetOptions => ({ issuer: ISSUER, jwks: { keys: [trusted.publicJwk] } });
const unreachable: KeysetOptions = { issuer: ISSUER, secret: { name: 'keys' } };

function before(keys: Keys, onReject: Next, onError: Next): Authenticator {
  return start({
    keySets: [keys === 'are down' ? unreachable : inline()],
    secrets: sealed,
    remote: { url, onReject, onError },
  });
}

/** Whose word accepted the token, or how it was refused. */
async function outcome(
  verdict: Promise<{ readonly subject: string | undefined } | undefined>,
): Promise<string> {
  try {
    return (await verdict)?.subject ?? 'anonymous';
  } catch (error) {
    if (isAuthError(error)) return `${error.status} ${error.code}`;
    throw error;
  }
}

const REMOTELY = 'alice-remotely';
const BY_KEY = 'alice-by-key';
const REJECTED = '401 token_rejected';
const BY_KEYS_REFUSED = '401 token_key_unknown';
const REMOTE_DOWN = '503 remote_unavailable';
const KEYS_DOWN = '503 keyset_unavailable';

describe('OK-13, S50: the endpoint first, and then the keysets as the options say', () => {
  // Each row: what is said by the endpoint; the option that decides; what follows if keysets accept, refuse, are down.
  const TABLE: readonly [
    remote: Remote,
    by: 'onReject' | 'onError' | undefined,
    next: readonly string[],
    deny: string,
  ][] = [
    ['accepts', undefined, [REMOTELY, REMOTELY, REMOTELY], REMOTELY],
    ['refuses', 'onReject', [BY_KEY, BY_KEYS_REFUSED, KEYS_DOWN], REJECTED],
    ['is odd', 'onError', [BY_KEY, REMOTE_DOWN, KEYS_DOWN], REMOTE_DOWN],
    ['is down', 'onError', [BY_KEY, REMOTE_DOWN, KEYS_DOWN], REMOTE_DOWN],
  ];
  const KEYS = ['accept', 'refuse', 'are down'] as const;
  const NEXT = ['next', 'deny'] as const;
  const cases = TABLE.flatMap(([said, by, next, deny]) =>
    KEYS.flatMap((keys, index) =>
      NEXT.flatMap((onReject) =>
        NEXT.map((onError) => {
          const asks = by === undefined || (by === 'onReject' ? onReject : onError) === 'next';
          return { said, keys, onReject, onError, expected: asks ? next[index] : deny };
        }),
      ),
    ),
  );

  it('every combination is here', () => {
    expect(cases).toHaveLength(4 * 3 * 2 * 2);
  });

  it.each(cases)(
    'it $said, keysets $keys; onReject $onReject, onError $onError: $expected',
    async ({ said, keys, onReject, onError, expected }) => {
      remote = said;
      const authenticator = before(keys, onReject, onError);
      const token = keys === 'refuse' ? forged : good;
      expect(await outcome(authenticator.verify(token))).toBe(expected);
      expect(asked).toEqual([`Bearer ${token}`]);
    },
  );

  it.each<[said: Remote, expected: string]>([
    ['accepts', REMOTELY],
    ['refuses', REJECTED],
    ['is odd', REMOTE_DOWN],
    ['is down', REMOTE_DOWN],
  ])('alone: it %s: %s', async (said, expected) => {
    remote = said;
    expect(await outcome(start({ remote: { url } }).verify(good))).toBe(expected);
    expect(await outcome(start({ remote: { url, onReject: 'deny', onError: 'deny' } }).verify(good))).toBe(
      expected,
    );
  });
});

describe('row 155: while the endpoint is down', () => {
  it.each<[title: string, token: () => string]>([
    ['is opaque', () => 'opaque-token'],
    [
      'is of another issuer',
      () => forge({ header: { alg: 'ES256' }, payload: { iss: 'https://idp' }, signature: Buffer.alloc(64) }),
    ],
    [
      'has another algorithm',
      () => forge({ header: { alg: 'RS256' }, payload: { iss: ISSUER }, signature: Buffer.alloc(64) }),
    ],
    ['is no JWT of ours', () => `${good}.x`],
    ['is signed by somebody else', () => forged],
    ['has no algorithm', () => forge({ header: { alg: 'none' }, payload: { iss: ISSUER } })],
    [
      'is of another type',
      () => forge({ header: { alg: 'ES256', typ: 'at+secret' }, payload: {}, signature: Buffer.alloc(64) }),
    ],
  ])('a token that only it may know is a 503: one that %s', async (_, token) => {
    remote = 'is down';
    expect(await outcome(before('accept', 'next', 'next').verify(token()))).toBe(REMOTE_DOWN);
  });

  it('a token of ours is judged by its claims, and those are final', async () => {
    remote = 'is down';
    const expired = await mint(trusted, { iss: ISSUER, sub: 'alice', exp: 1_000_000_000 });
    expect(await outcome(before('accept', 'next', 'next').verify(expired))).toBe('401 token_expired');
  });

  it('the breaker is open: the same answers, and nobody is asked', async () => {
    remote = 'is down';
    const authenticator = before('accept', 'next', 'next');
    for (let count = 0; count < 5; count++) expect(await outcome(authenticator.verify(good))).toBe(BY_KEY);
    expect(authenticator.report().remote).toMatchObject({ state: 'open' });
    for (let count = 0; count < 50; count++) {
      expect(await outcome(authenticator.verify(good))).toBe(BY_KEY);
      expect(await outcome(authenticator.verify(forged))).toBe(REMOTE_DOWN);
    }
    expect(asked.length).toBeLessThan(10);
  });

  it.each(['strict', 'optional', 'permissive'] as const)('mode %s lets nobody pass', async (mode) => {
    remote = 'is down';
    const authenticator = start({ remote: { url }, mode });
    const authorization = 'Bearer t';
    const request = { headers: { authorization }, rawHeaders: ['Authorization', authorization] };
    expect(await outcome(authenticator.authenticate(request))).toBe(REMOTE_DOWN);
    expect(refusalOf(request)).toBeUndefined();
    remote = 'refuses';
    expect(await outcome(authenticator.authenticate(request))).toBe(
      mode === 'permissive' ? 'anonymous' : REJECTED,
    );
  });
});

describe('what is never asked about', () => {
  const WEIRD: readonly [title: string, token: unknown][] = [
    ['nothing', ''],
    ['a space', ' '],
    ['a newline', '\n'],
    ['a newline at the end', 'token\n'],
    ['a carriage return at the end', 'token\r'],
    ['a header of its own', 'token\r\nX-Evil: 1'],
    ['a request of its own', 'token\r\n\r\nPOST /admin HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['NUL', 'tok\0en'],
    ['a tab', 'tok\ten'],
    ['a space in it', 'tok en'],
    ['two tokens', 'token,token'],
    ['a quote', 'tok"en'],
    ['a backslash', 'tok\\en'],
    ['a percent sign', '%74oken'],
    ['an equals sign in the middle', 'tok=en'],
    ['equals signs only', '=='],
    ['Latin-1', 'tök'],
    ['unicode', '密碼'],
    ['an emoji', '🔑'],
    ['a lone surrogate', 'a\ud800'],
    ['a full stop of another script', 'a。b。c'],
    ['an invisible space', 'tok\u200ben'],
    ['a line separator', 'token\u2028'],
    ['100 KiB', 'a'.repeat(100 * 1024)],
    ['one more than is read', 'a'.repeat(8_193)],
    ['undefined', undefined],
    ['null', null],
    ['a number', 5],
    ['a list', ['token']],
    ['a String', Object('token')],
    ['an object', { toString: () => 'token' }],
  ];

  it.each(WEIRD)('%s: 401, alone and before keysets', async (_, token) => {
    for (const said of ['accepts', 'is down'] as const) {
      remote = said;
      for (const authenticator of [
        start({ remote: { url } }),
        before('accept', 'next', 'next'),
        start({
          remote: {
            url,
            contract: 'introspection',
            client: { id: 'me', secret: { name: 'idp', key: 'secret' } },
          },
          secrets: createMemoryStore({ idp: { secret: 's' } }),
        }),
      ]) {
        for (let count = 0; count < 6; count++)
          expect(await outcome(authenticator.verify(token as string))).toBe('401 token_malformed');
        expect(authenticator.report().remote).toMatchObject({ state: 'closed', failures: 0 });
      }
    }
    expect(asked).toEqual([]);
  });

  it('the longest that is read is asked about', async () => {
    const token = 'a'.repeat(8_192);
    expect(await outcome(start({ remote: { url } }).verify(token))).toBe(REMOTELY);
    expect(asked).toEqual([`Bearer ${token}`]);
  });

  it.each(['a', '-', '_', '.', '~', '+', '/', '../../etc/passwd', '==a=='.slice(2), 'a=', '__proto__'])(
    '%s may be a token: the endpoint says',
    async (token) => {
      expect(await outcome(start({ remote: { url } }).verify(token))).toBe(REMOTELY);
      expect(asked).toEqual([`Bearer ${token}`]);
    },
  );

  it('a request without a token asks nobody', async () => {
    const authenticator = start({ remote: { url }, mode: 'optional' });
    expect(await outcome(authenticator.authenticate({ headers: {}, rawHeaders: [] }))).toBe('anonymous');
    expect(asked).toEqual([]);
  });
});

describe('what is said at the start', () => {
  const warnings = () => vi.mocked(process.emitWarning).mock.calls.map(([message]) => String(message));

  it('S50: that a refused token may still pass by its key', () => {
    before('accept', 'next', 'deny');
    expect(warnings()).toEqual([expect.stringMatching(/^remote\.onReject: .*may still pass by its key$/)]);
  });

  it('and nothing, where it may not', () => {
    before('accept', 'deny', 'next');
    start({ remote: { url } });
    expect(warnings()).toEqual([]);
  });
});
