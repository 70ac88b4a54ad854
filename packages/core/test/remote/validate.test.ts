// What is asked next, and the verdict when nothing can be asked: every combination of options,
// endpoint and keysets. And tokens about which no endpoint is asked.
import { createServer, type ServerResponse } from 'node:http';
import { createClock, forge, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { LRUCache } from 'lru-cache';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { refusalOf } from '../../src/decision/pipeline.ts';
import { isAuthError } from '../../src/errors.ts';
import type { KeysetOptions } from '../../src/keysets/options.ts';
import { createRefusals, MAX_REFUSALS } from '../../src/remote/refusals.ts';
import { createMemoryStore, type MemoryStore, type SecretStore } from '../../src/secrets/store.ts';
import { nextEvent } from '../support/observed.ts';
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
  [trusted, stranger] = await Promise.all([
    generateSigningKey('ES256', 'trusted'),
    generateSigningKey('ES256', 'stranger'),
  ]);
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
  const server = createServer({ maxHeaderSize: 32_768 }, (request, response) => {
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

/** A token that a key of the keyset signed. */
const ours = (jti: string) =>
  mint(trusted, { iss: ISSUER, sub: 'alice-by-key', jti, exp: Math.floor(Date.now() / 1000) + 300 });

/** A token of the trusted key's name that the key did not sign. */
function forgedOf(index: number): string {
  return `${good.slice(0, good.lastIndexOf('.'))}.${Buffer.alloc(64, index + 1).toString('base64url')}`;
}

/** The same token: of an ECDSA signature (r, s), (r, n - s) is one too. */
function otherSignature(token: string): string {
  const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
  const at = token.lastIndexOf('.') + 1;
  const bytes = Buffer.from(token.slice(at), 'base64url');
  const s = BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  const twin = (order - s).toString(16).padStart(64, '0');
  return `${token.slice(0, at)}${Buffer.concat([bytes.subarray(0, 32), Buffer.from(twin, 'hex')]).toString('base64url')}`;
}

const REMOTELY = 'alice-remotely';
const BY_KEY = 'alice-by-key';
const REJECTED = '401 token_rejected';
const BY_KEYS_REFUSED = '401 token_key_unknown';
const REMOTE_DOWN = '503 remote_unavailable';
const KEYS_DOWN = '503 keyset_unavailable';

describe('OK-13, S50: the endpoint first, and then the keysets as the options say', () => {
  // Each row: what is said by the endpoint; the option that decides; what follows if keysets
  // accept, refuse, are down.
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
    ['is not a JWT of the keyset', () => `${good}.x`],
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

  it('a token of the keyset is judged by its claims, and the verdict is final', async () => {
    remote = 'is down';
    const expired = await mint(trusted, { iss: ISSUER, sub: 'alice', exp: 1_000_000_000 });
    expect(await outcome(before('accept', 'next', 'next').verify(expired))).toBe('401 token_expired');
  });

  it('the breaker is open: the same answers, and the endpoint is not asked', async () => {
    remote = 'is down';
    const authenticator = before('accept', 'next', 'next');
    for (let count = 0; count < 5; count++)
      expect(await outcome(authenticator.verify(await ours(`${count}`)))).toBe(BY_KEY);
    for (let count = 0; count < 5; count++)
      expect(await outcome(authenticator.verify(`opaque-${count}`))).toBe(REMOTE_DOWN);
    expect(authenticator.report().remote).toMatchObject({ state: 'open' });
    for (let count = 0; count < 50; count++) {
      expect(await outcome(authenticator.verify(good))).toBe(BY_KEY);
      expect(await outcome(authenticator.verify(forged))).toBe(REMOTE_DOWN);
    }
    expect(asked.length).toBeLessThan(20);
  });

  it.each(['strict', 'optional', 'permissive'] as const)('mode %s lets no request pass', async (mode) => {
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

describe("row 155: a revoked token, with onReject: 'deny' and onError: 'next'", () => {
  /** An endpoint that refuses `good`, and says of others what the test has it say. */
  let onOthers: (response: ServerResponse) => void;
  let revoking: Authenticator;

  beforeEach(async () => {
    onOthers = (response) => response.writeHead(500).end();
    const server = createServer(({ headers }, response) => {
      asked.push(headers.authorization ?? '');
      if (remote === 'is down') response.writeHead(503).end();
      else if (headers.authorization === `Bearer ${good}`) response.writeHead(401).end();
      else onOthers(response);
    });
    url = `http://127.0.0.1:${await listen(server)}/validate`;
    revoking = before('accept', 'deny', 'next');
  });

  it('stays refused while the endpoint is down, once it was refused', async () => {
    expect(await outcome(revoking.verify(good))).toBe(REJECTED);
    remote = 'is down';
    for (let count = 0; count < 20; count++) expect(await outcome(revoking.verify(good))).toBe(REJECTED);
    // A token that was not refused is judged by the keysets.
    expect(await outcome(revoking.verify(await ours('another')))).toBe(BY_KEY);
  });

  it('stays refused where it was refused in the leeway after its end', async () => {
    const { exp = 0 } = JSON.parse(Buffer.from(String(good.split('.')[1]), 'base64url').toString()) as {
      exp?: number;
    };
    const lenient = start({
      keySets: [inline()],
      remote: { url, onReject: 'deny', onError: 'next' },
      clockSkew: '60s',
      clock: { now: () => (exp + 30) * 1000 },
    });
    expect(await outcome(lenient.verify(good))).toBe(REJECTED);
    remote = 'is down';
    expect(await outcome(lenient.verify(good))).toBe(REJECTED);
  });

  it('stays refused with its signature written in another way', async () => {
    expect(await outcome(revoking.verify(good))).toBe(REJECTED);
    remote = 'is down';
    const twin = otherSignature(good);
    expect(twin).not.toBe(good);
    // It verifies: an authenticator that has not heard of the refusal accepts it.
    expect(await outcome(before('accept', 'deny', 'next').verify(twin))).toBe(BY_KEY);
    expect(await outcome(revoking.verify(twin))).toBe(REJECTED);
  });

  it('is accepted again when the endpoint accepts it again', async () => {
    expect(await outcome(revoking.verify(good))).toBe(REJECTED);
    const token = await ours('restored');
    onOthers = (response) => response.writeHead(401).end();
    expect(await outcome(revoking.verify(token))).toBe(REJECTED);
    onOthers = (response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"sub":"alice-remotely"}');
    expect(await outcome(revoking.verify(token))).toBe(REMOTELY);
    remote = 'is down';
    expect(await outcome(revoking.verify(token))).toBe(BY_KEY);
    expect(await outcome(revoking.verify(good))).toBe(REJECTED);
  });

  it.each<[title: string, token: (index: number) => string]>([
    ['opaque tokens', (index) => `made-up-${index}`],
    ['tokens with another signature', (index) => forgedOf(index)],
  ])('stays refused after 500s for made-up tokens: %s', async (_, token) => {
    for (let index = 0; index < 20; index++)
      expect(await outcome(revoking.verify(token(index)))).toBe(REMOTE_DOWN);
    expect(revoking.report().remote).toMatchObject({ state: 'open' });
    expect(await outcome(revoking.verify(good))).toBe(REJECTED);
  });

  it('stays refused while a crowd of made-up tokens is answered slowly', async () => {
    const held: ServerResponse[] = [];
    const crowded = Promise.withResolvers<void>();
    onOthers = (response) => {
      if (held.push(response) === 256) crowded.resolve();
    };
    revoking = start({
      keySets: [inline()],
      remote: { url, onReject: 'deny', onError: 'next', timeout: '30s' },
    });
    const crowd = Array.from({ length: 300 }, (_, index) => outcome(revoking.verify(`made-up-${index}`)));
    await crowded.promise;
    expect(await outcome(revoking.verify(good))).toBe(REJECTED);
    for (const response of held) response.writeHead(500).end();
    expect(new Set(await Promise.all(crowd))).toEqual(new Set([REMOTE_DOWN]));
  });

  it('is a 503 while too many good tokens are asked about: that is no failure of the endpoint', async () => {
    const held: ServerResponse[] = [];
    const crowded = Promise.withResolvers<void>();
    onOthers = (response) => {
      if (held.push(response) === 256) crowded.resolve();
    };
    revoking = start({
      keySets: [inline()],
      remote: { url, onReject: 'deny', onError: 'next', timeout: '30s' },
    });
    const tokens = await Promise.all(Array.from({ length: 256 }, (_, index) => ours(`${index}`)));
    const crowd = tokens.map((token) => outcome(revoking.verify(token)));
    await crowded.promise;
    expect(await outcome(revoking.verify(good))).toBe(REMOTE_DOWN);
    for (const response of held) response.writeHead(401).end();
    expect(new Set(await Promise.all(crowd))).toEqual(new Set([REJECTED]));
    expect(await outcome(revoking.verify(good))).toBe(REJECTED);
  });

  it('is remembered through more refusals of made-up tokens than are remembered', () => {
    const clock = createClock(1_700_000_000_000);
    const refusals = createRefusals(clock, 5_000);
    refusals.add('h.one.s', { exp: 1_700_000_100 });
    for (let index = 1; index < MAX_REFUSALS; index++) refusals.add(`h.${index}.s`, {});
    expect(refusals.has('h.one.s')).toBe(true);
    // One more, and the one that was used longest ago goes.
    refusals.add('h.more.s', {});
    expect([refusals.has('h.1.s'), refusals.has('h.one.s'), refusals.has('h.2.s')]).toEqual([
      false,
      true,
      true,
    ]);
    clock.advance(105_000);
    expect(refusals.has('h.one.s')).toBe(false);
  });

  describe('whose refusal came before the keys of its issuer', () => {
    const REFERENCE = { name: 'keys', key: 'jwks.json' };
    let gate: PromiseWithResolvers<void>;
    let secrets: MemoryStore;
    let keysRead: Promise<unknown>;

    beforeEach(() => {
      gate = Promise.withResolvers();
      secrets = createMemoryStore();
      keysRead = nextEvent('latchkey:keyset:refreshed');
      revoking = start({
        keySets: [{ issuer: ISSUER, secret: REFERENCE }],
        secrets: { ...secrets, read: (...asked) => gate.promise.then(() => secrets.read(...asked)) },
        remote: { url, onReject: 'deny', onError: 'next' },
      });
    });

    const publish = () => secrets.set(REFERENCE, JSON.stringify({ keys: [trusted.publicJwk] }));

    it('stays refused when the keys could not be read, and the endpoint is down', async () => {
      gate.resolve();
      expect(await outcome(revoking.verify(good))).toBe(REJECTED);
      await expect(revoking.ready()).rejects.toThrow('no entry');
      remote = 'is down';
      expect(await outcome(revoking.verify(good))).toBe(REJECTED);
      publish();
      await keysRead;
      expect(await outcome(revoking.verify(await ours('another')))).toBe(BY_KEY);
      expect(await outcome(revoking.verify(good))).toBe(REJECTED);
    });

    it('stays refused while the keys are on their way, and afterwards', async () => {
      expect(await outcome(revoking.verify(good))).toBe(REJECTED);
      remote = 'is down';
      expect(await outcome(revoking.verify(good))).toBe(REJECTED);
      const other = outcome(revoking.verify(await ours('another')));
      publish();
      gate.resolve();
      expect(await other).toBe(BY_KEY);
      expect(await outcome(revoking.verify(good))).toBe(REJECTED);
    });

    it('is forgotten if the endpoint has accepted it before the keys came', async () => {
      const token = await ours('restored');
      onOthers = (response) => response.writeHead(401).end();
      expect(await outcome(revoking.verify(token))).toBe(REJECTED);
      onOthers = (response) =>
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"sub":"alice-remotely"}');
      expect(await outcome(revoking.verify(token))).toBe(REMOTELY);
      remote = 'is down';
      publish();
      gate.resolve();
      await keysRead;
      expect(await outcome(revoking.verify(token))).toBe(BY_KEY);
    });

    it('is forgotten if no key has signed it', async () => {
      onOthers = (response) => response.writeHead(401).end();
      expect(await outcome(revoking.verify(forged))).toBe(REJECTED);
      publish();
      gate.resolve();
      await keysRead;
      remote = 'is down';
      expect(await outcome(revoking.verify(forged))).toBe(REMOTE_DOWN);
    });
  });

  it('only tokens that a key verifies are remembered', async () => {
    const adding = vi.spyOn(LRUCache.prototype, 'set');
    onOthers = (response) => response.writeHead(401).end();
    for (let index = 0; index < 20; index++)
      expect(await outcome(revoking.verify(forgedOf(index)))).toBe(REJECTED);
    expect(adding).not.toHaveBeenCalled();
    expect(await outcome(revoking.verify(good))).toBe(REJECTED);
    expect(adding).toHaveBeenCalledTimes(1);
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
    ['one more than is read', 'a'.repeat(16_385)],
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
    const token = 'a'.repeat(16_384);
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

  it('a request without a token asks no endpoint', async () => {
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
