// The connection to the directory: TLS, StartTLS, the bind, and wrong answers of a directory or an
// attacker.
import { createHash, createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createServer as createTlsServer } from 'node:tls';
import { createAuthority } from '@latchkey/test-kit/certificate';
import { ENTRIES, GROUPS, PEOPLE } from '@latchkey/test-kit/directory';
import { hasSlapd, PASSWORD, READER, type Slapd, startSlapd } from '@latchkey/test-kit/slapd';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LdapGroupsOptions } from '../src/index.ts';
import {
  answerWith,
  entry,
  type FakeDirectory,
  isProbe,
  message,
  reference,
  result,
  type SeenRequest,
  startFake,
} from './fake.ts';
import { closeAll, create, failureOf, resolve, secrets } from './helpers.ts';

const DAY_MS = 86_400_000;
const ALICE = `cn=alice,${PEOPLE}`;
const RIGHT = answerWith([ALICE, { uid: ['alice'] }], [[`cn=staff,${GROUPS}`, { cn: ['staff'] }]]);
const CERTIFICATE_CODE = /^the directory cannot be reached: [A-Z_]*(?:CERT|ISSUER|SIGNATURE)[A-Z_]*$/;

const authority = createAuthority('Latchkey test authority');
const tls = { ca: { pem: authority.cert } };
const cleartext = { unsafeAllowCleartext: true, groups: { base: GROUPS, nested: false } } as const;

let warn: ReturnType<typeof vi.spyOn>;

beforeEach(() => {
  warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
});

afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await closeAll();
});

describe.skipIf(!hasSlapd)('row 160 TLS with a real OpenLDAP', () => {
  const certified = authority.issue('localhost');
  let slapd: Slapd;

  beforeAll(async () => {
    const entries = ENTRIES.slice(0, 60);
    // It refuses every request without TLS, also a bind.
    slapd = await startSlapd({
      entries,
      tls: { ...certified, ca: authority.cert },
      global: 'security ssf=128',
    });
  });

  afterAll(() => slapd?.close());

  it('ldaps', async () => {
    const groups = create(slapd.secureUrl, { tls });
    expect(await resolve(groups, 'alice')).toEqual(['staff', 'company', 'everybody']);
    expect(groups.report().security).toBe('tls');
    expect(warn).not.toHaveBeenCalled();
  });

  it('StartTLS', async () => {
    const groups = create(slapd.url, { tls, startTls: true });
    expect(await resolve(groups, 'alice')).toEqual(['staff', 'company', 'everybody']);
    expect(groups.report().security).toBe('starttls');
    expect(warn).not.toHaveBeenCalled();
  });

  it.each([
    ['ldaps', false],
    ['StartTLS', true],
  ])('%s: only a pinned public key is accepted', async (_, startTls) => {
    const key = createPublicKey(certified.key).export({ type: 'spki', format: 'der' });
    const pinned = (bytes: Buffer) => ({
      ...tls,
      fingerprints: [createHash('sha256').update(bytes).digest('base64')],
    });
    const url = startTls ? slapd.url : slapd.secureUrl;
    expect(await resolve(create(url, { tls: pinned(key), startTls }), 'nobody')).toBeUndefined();
    const failure = await failureOf(
      resolve(create(url, { tls: pinned(Buffer.from('x')), startTls }), 'alice'),
    );
    expect(failure.message).toBe('the directory cannot be reached');
  });

  it('the authority from a file', async () => {
    const { mkdtempSync, rmSync, writeFileSync } = await import('node:fs');
    const folder = mkdtempSync('/tmp/latchkey-ldap-');
    writeFileSync(`${folder}/ca.pem`, authority.cert);
    try {
      const groups = create(slapd.secureUrl, { tls: { ca: { file: `${folder}/ca.pem` } } });
      expect(await resolve(groups, 'nobody')).toBeUndefined();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('no TLS, with unsafeAllowCleartext, emits a warning, and this directory refuses it', async () => {
    const failure = await failureOf(resolve(create(slapd.url, cleartext), 'alice'));
    expect(failure.message).toBe('the directory refused the bind: result code 13, confidentiality required');
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('without TLS'), {
      type: 'SecurityWarning',
      code: 'LATCHKEY_UNSAFE',
    });
  });

  it.each([
    ['ldaps', false],
    ['StartTLS', true],
  ])('%s: an unknown authority is refused, also with NODE_TLS_REJECT_UNAUTHORIZED=0', async (_, startTls) => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    vi.spyOn(process, 'emitWarning').mockReturnValue();
    const other = { ca: { pem: createAuthority('Another authority').cert } };
    for (const trusted of [undefined, other]) {
      const options = { startTls, ...(trusted === undefined ? {} : { tls: trusted }) };
      const groups = create(startTls ? slapd.url : slapd.secureUrl, options);
      expect((await failureOf(resolve(groups, 'alice'))).message).toMatch(CERTIFICATE_CODE);
    }
  });

  it.each([
    ['ldaps', false],
    ['StartTLS', true],
  ])('%s: a certificate of another name is refused', async (_, startTls) => {
    const url = (startTls ? slapd.url : slapd.secureUrl).replace('localhost', '127.0.0.1');
    const failure = await failureOf(resolve(create(url, { tls, startTls }), 'alice'));
    expect(failure.message).toBe('the directory cannot be reached: ERR_TLS_CERT_ALTNAME_INVALID');
  });

  it('a directory without a certificate refuses StartTLS, and gets no password', async () => {
    const plain = await startSlapd({ entries: [] });
    try {
      const failure = await failureOf(resolve(create(plain.url, { tls, startTls: true }), 'alice'));
      expect(failure.message).toBe('the directory refused StartTLS: result code 2, protocol error');
      expect(plain.log.join()).not.toContain('BIND');
    } finally {
      await plain.close();
    }
  });
});

describe('row 160 TLS with a directory that should not be trusted', () => {
  const serve = async (options: Parameters<typeof createTlsServer>[0]) => {
    const received: Buffer[] = [];
    const server = createTlsServer(options, (socket) => socket.on('data', (chunk) => received.push(chunk)));
    server.on('tlsClientError', () => {}).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return { url: `ldaps://localhost:${port}`, received, close: () => server.close() };
  };

  it.each<[string, Parameters<typeof createTlsServer>[0], string]>([
    ['an expired certificate', authority.issue('localhost', Date.now() - 30 * DAY_MS), 'CERT_HAS_EXPIRED'],
    [
      'one that is not valid yet',
      authority.issue('localhost', Date.now() + 30 * DAY_MS),
      'CERT_NOT_YET_VALID',
    ],
    ['one for another host', authority.issue('ldap.example'), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [
      'TLS 1.1',
      {
        ...authority.issue('localhost'),
        minVersion: 'TLSv1',
        maxVersion: 'TLSv1.1',
        ciphers: 'DEFAULT@SECLEVEL=0',
      },
      'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
    ],
  ])('%s', async (_, options, code) => {
    const server = await serve(options);
    try {
      const failure = await failureOf(resolve(create(server.url, { tls }), 'alice'));
      expect(failure.message).toBe(`the directory cannot be reached: ${code}`);
      expect(server.received).toEqual([]);
    } finally {
      server.close();
    }
  });

  const startTls = { tls, startTls: true, timeout: '300ms' } as const;
  const certified = authority.issue('localhost');

  it.each<[string, (request: SeenRequest, socket: Socket) => readonly Buffer[] | undefined, RegExp]>([
    [
      'refuses it',
      ({ id }) => [result(id, 'extended', 52)],
      /^the directory refused StartTLS: result code 52/,
    ],
    ['does not answer', () => undefined, /^the directory gave no answer within 300 ms$/],
    [
      'closes',
      (_, socket) => {
        socket.end();
        return undefined;
      },
      /^the directory closed the connection before its answer was whole$/,
    ],
    [
      'answers with another message',
      ({ id }) => [result(id, 'bind', 0)],
      /^the directory gave an answer that cannot be read$/,
    ],
    ['answers another request', ({ id }) => [result(id + 1, 'extended', 0)], /cannot be read$/],
    [
      'continues in the clear',
      ({ id }) => [result(id, id === 1 ? 'extended' : 'bind', 0)],
      /^the directory cannot be reached/,
    ],
    [
      'adds the beginning of an answer',
      ({ id }) => [result(id, 'extended', 0), result(id + 1, 'bind', 0).subarray(0, 9)],
      /^data that TLS does not protect followed the answer to StartTLS$/,
    ],
    [
      'adds an answer to a later request',
      ({ id }) => [result(id, 'extended', 0), result(id + 1, 'bind', 0)],
      /^data that TLS does not protect followed the answer to StartTLS$/,
    ],
  ])('an attacker on the network that %s gets no password', async (_, answer, expected) => {
    const fake = await startFake((request, socket) => {
      if (request.operation === 'extended' || request.operation === 'other') return answer(request, socket);
      return RIGHT(request, socket);
    });
    try {
      expect((await failureOf(resolve(create(fake.url, startTls), 'alice'))).message).toMatch(expected);
      expect(Buffer.concat(fake.received).toString('latin1')).not.toContain(PASSWORD);
      const said = fake.requests.filter(({ operation }) => operation !== 'other');
      expect(said.map(({ operation }) => operation)).toEqual(['extended']);
    } finally {
      await fake.close();
    }
  });

  it('only StartTLS is sent in the clear', async () => {
    const fake = await startFake(RIGHT, certified);
    try {
      const groups = create(fake.url, { tls, startTls: true, groups: { base: GROUPS, nested: false } });
      expect(await resolve(groups, 'alice')).toEqual(['staff']);
      const clear = fake.requests.filter(({ secured }) => !secured);
      expect(clear.map(({ operation }) => operation)).toEqual(['extended']);
      expect(fake.requests.map(({ operation }) => operation).slice(1, 3)).toEqual(['bind', 'search']);
    } finally {
      await fake.close();
    }
  });

  it('after StartTLS a cut connection is noticed, and the next is secured before it is bound', async () => {
    const fake = await startFake(RIGHT, certified);
    try {
      const groups = create(fake.url, { tls, startTls: true, groups: { base: GROUPS, nested: false } });
      await resolve(groups, 'alice');
      for (const socket of fake.sockets) socket.resetAndDestroy();
      await vi.waitFor(() => expect(groups.report().connected).toBe(false));
      fake.requests.length = 0;
      expect(await resolve(groups, 'alice')).toEqual(['staff']);
      expect(fake.requests.map(({ operation, secured }) => [operation, secured]).slice(0, 3)).toEqual([
        ['extended', false],
        ['bind', true],
        ['search', true],
      ]);
    } finally {
      await fake.close();
    }
  });
});

describe('row 158 a bind always has a password', () => {
  let fake: FakeDirectory;

  beforeAll(async () => {
    fake = await startFake(RIGHT);
  });

  afterAll(() => fake.close());

  beforeEach(() => {
    fake.requests.length = 0;
  });

  const stored = (read: () => Promise<Uint8Array | undefined>): Partial<LdapGroupsOptions> => ({
    secrets: { description: 'test', read },
  });
  const entryOf = (key: string): Partial<LdapGroupsOptions> => ({
    bind: { dn: READER, password: { name: 'ldap', key } },
  });

  it.each<[string, Partial<LdapGroupsOptions>, string]>([
    ['is empty', entryOf('empty'), 'the bind password is empty'],
    ['is a line break', entryOf('blank'), 'the bind password is empty'],
    ['is missing', entryOf('none'), 'the bind password is not in its secret store'],
    ['is not text', stored(async () => Buffer.from([0xff])), 'the bind password is not UTF-8 text'],
    [
      'cannot be read',
      stored(() => Promise.reject(new Error('canary'))),
      'the bind password cannot be read from its secret store',
    ],
    [
      'is not a value of a store',
      stored(async () => 'canary' as never),
      'the bind password is not UTF-8 text',
    ],
    [
      'does not arrive',
      { ...stored(() => new Promise(() => {})), timeout: '50ms' },
      'the directory gave no answer within 50 ms',
    ],
  ])('a password that %s', async (_, options, text) => {
    const groups = create(fake.url, { ...cleartext, ...options });
    expect((await failureOf(resolve(groups, 'alice'))).message).toBe(text);
    expect(fake.requests).toEqual([]);
    await vi.waitFor(() => expect(fake.sockets.size).toBe(0));
  });

  it('a store that says when to ask again is not asked before, and after 30 seconds at most', async () => {
    const read = vi.fn(() => Promise.reject(Object.assign(new Error('canary'), { retryAfterMs: 60_000 })));
    const groups = create(fake.url, { ...cleartext, ...stored(read) });
    await failureOf(resolve(groups, 'alice'));
    const { retryAfterMs } = await failureOf(resolve(groups, 'alice'));
    expect(retryAfterMs).toBeGreaterThan(20_000);
    expect(retryAfterMs).toBeLessThanOrEqual(30_000);
    expect(read).toHaveBeenCalledTimes(1);
  });

  it('a changed password is used for the next connection', async () => {
    const own = { ...cleartext, ...entryOf('changing') };
    await secrets.set({ name: 'ldap', key: 'changing' }, 'before-1');
    const groups = create(fake.url, own);
    await resolve(groups, 'alice');
    secrets.set({ name: 'ldap', key: 'changing' }, 'after-2\r\n');
    await resolve(groups, 'alice');
    for (const socket of fake.sockets) socket.destroy();
    await vi.waitFor(() => expect(groups.report().connected).toBe(false));
    await resolve(groups, 'alice');
    const binds = fake.requests.filter(({ operation }) => operation === 'bind');
    expect(binds.map(({ bytes }) => /(?:before|after)-\d$/.exec(bytes.toString('latin1'))?.[0])).toEqual([
      'before-1',
      'after-2',
    ]);
  });
});

/** The kind of a request. */
const PHASES = {
  bind: ({ operation }: SeenRequest) => operation === 'bind',
  probe: (request: SeenRequest) => request.operation === 'search' && isProbe(request),
  user: ({ operation, filter }: SeenRequest) => operation === 'search' && filter.includes('uid=alice)'),
  groups: ({ operation, filter }: SeenRequest) => operation === 'search' && filter.includes('(member=cn'),
} as const;

type Fault = (request: SeenRequest, socket: Socket) => readonly Buffer[] | undefined;

const kindOf = ({ operation }: SeenRequest) => (operation === 'bind' ? 'bind' : 'search');
const codeOf =
  (code: number): Fault =>
  (request) => [result(request.id, kindOf(request), code)];

const FAULTS: readonly (readonly [string, Fault])[] = [
  ['garbage', () => [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')]],
  ['random bytes', () => [Buffer.from('f3b10c9d2e7a', 'hex')]],
  ['zeros', () => [Buffer.alloc(100)]],
  ['a length of 4 GiB', () => [Buffer.from('3084ffffffff', 'hex')]],
  [
    'a wrong length',
    ({ id }) => [Buffer.from([0x30, 0x0d, 2, 1, id, 0x64, 8, 4, 4, 99, 110, 61, 97, 0x30, 0x70])],
  ],
  ['an indefinite length', () => [Buffer.from('30800201', 'hex')]],
  ['half an answer, and no more data', (request) => [result(request.id, kindOf(request), 0).subarray(0, 10)]],
  [
    'half an answer, and the end',
    (request, socket) => {
      socket.end(result(request.id, kindOf(request), 0).subarray(0, 10));
      return undefined;
    },
  ],
  [
    'entries, and the end',
    (request, socket) => {
      socket.end(entry(request.id, `cn=one,${GROUPS}`, { cn: ['one'] }));
      return undefined;
    },
  ],
  ['entries, and no more data', ({ id }) => [entry(id, `cn=one,${GROUPS}`, { cn: ['one'] })]],
  ['silence', () => undefined],
  [
    'single bytes at intervals',
    (request, socket) => {
      const bytes = result(request.id, kindOf(request), 0);
      let at = 0;
      const timer = setInterval(() => socket.write(bytes.subarray(at, ++at)), 40);
      socket.once('close', () => clearInterval(timer));
      return undefined;
    },
  ],
  [
    'the end',
    (_, socket) => {
      socket.end();
      return undefined;
    },
  ],
  [
    'a reset',
    (_, socket) => {
      socket.resetAndDestroy();
      return undefined;
    },
  ],
  ['an answer to another request', (request) => [result(request.id + 7, kindOf(request), 0)]],
  ['an answer of another kind', ({ id }) => [result(id, 'extended', 0)]],
  [
    'the answer twice',
    (request) => [result(request.id, kindOf(request), 1), result(request.id, kindOf(request), 0)],
  ],
  ['a notice of disconnection', () => [result(0, 'extended', 52)]],
  ['a referral', ({ id }) => [reference(id, 'ldap://canary.example'), result(id, 'search', 0)]],
  ['a referral as the result', codeOf(10)],
  ...[1, 2, 3, 4, 8, 11, 12, 32, 50, 51, 52, 53, 80, 118].map(
    (code) => [`code ${code}`, codeOf(code)] as const,
  ),
];

describe('row 161 row 163 R18 a wrong answer is an error, and the next lookup works', () => {
  let fake: FakeDirectory;

  beforeAll(async () => {
    fake = await startFake(RIGHT);
  });

  afterAll(() => fake.close());

  describe.each(Object.keys(PHASES) as (keyof typeof PHASES)[])('%s', (phase) => {
    it.each(FAULTS)('%s', async (_, fault) => {
      fake.answer = (request, socket) =>
        PHASES[phase](request) ? fault(request, socket) : RIGHT(request, socket);
      const groups = create(fake.url, { ...cleartext, timeout: '150ms' });
      const failure = await failureOf(resolve(groups, 'alice'));
      expect(failure.message).toMatch(/^(?:the (?:directory|search for)|users\.|groups\.)/);
      fake.answer = RIGHT;
      // There is a pause after a failed connection.
      await vi.waitFor(async () => expect(await resolve(groups, 'alice')).toEqual(['staff']), {
        timeout: 2_000,
        interval: 10,
      });
      await groups.close();
    });
  });

  it('data before any request', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.write('220 ready\r\n');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const failure = await failureOf(resolve(create(`ldap://localhost:${port}`, cleartext), 'alice'));
    expect(failure.message).toBe('the directory gave an answer that cannot be read');
    server.close();
  });

  it.each<[string, Buffer[]]>([
    ['a user without a DN', [entry(0, '', { uid: ['alice'] })]],
    ['a user with an invalid DN', [entry(0, 'alice', { uid: ['alice'] })]],
    ['a user with a DN that is too long', [entry(0, `cn=${'x'.repeat(9_000)}`, { uid: ['alice'] })]],
    ['a user without the attribute', [entry(0, ALICE, {})]],
    ['a user whose attribute has no value', [entry(0, ALICE, { uid: [] })]],
    ['two users', [entry(0, ALICE, { uid: ['alice'] }), entry(0, `cn=b,${PEOPLE}`, { uid: ['alice'] })]],
    ['three', [1, 2, 3].map((n) => entry(0, `cn=${n},${PEOPLE}`, { uid: ['alice'] }))],
  ])('%s', async (_, entries) => {
    fake.answer = (request, socket) => {
      if (!PHASES.user(request)) return RIGHT(request, socket);
      return [...entries.map((bytes) => withId(bytes, request.id)), result(request.id, 'search', 0)];
    };
    await failureOf(resolve(create(fake.url, cleartext), 'alice'));
  });

  it.each<[string, Buffer[]]>([
    ['a group without a DN', [entry(0, '', { cn: ['a'] })]],
    ['a group with an invalid DN', [entry(0, 'a', { cn: ['a'] })]],
    ['a group without a name', [entry(0, `cn=a,${GROUPS}`, {})]],
    ['a group with only a name in another language', [entry(0, `cn=a,${GROUPS}`, { 'cn;lang-de': ['a'] })]],
    ['a group whose name is not text', [latinNamed()]],
    [
      'more groups than the limit',
      Array.from({ length: 12 }, (_, n) => entry(0, `cn=${n},${GROUPS}`, { cn: [`${n}`] })),
    ],
  ])('%s', async (_, entries) => {
    fake.answer = (request, socket) => {
      if (!PHASES.groups(request)) return RIGHT(request, socket);
      return [...entries.map((bytes) => withId(bytes, request.id)), result(request.id, 'search', 0)];
    };
    await failureOf(resolve(create(fake.url, { ...cleartext, maxGroups: 10 }), 'alice'));
  });

  it('an answer of more than 8 MiB is refused, and its connection stays open', async () => {
    const big = entry(0, `cn=a,${GROUPS}`, { cn: ['x'.repeat(1_000_000)] });
    fake.connections = 0;
    fake.answer = (request, socket) =>
      PHASES.groups(request)
        ? [...Array.from({ length: 9 }, () => withId(big, request.id)), result(request.id, 'search', 0)]
        : RIGHT(request, socket);
    const groups = create(fake.url, cleartext);
    expect((await failureOf(resolve(groups, 'alice'))).message).toBe(
      'the directory gave an answer that cannot be read',
    );
    fake.answer = RIGHT;
    expect(await resolve(groups, 'alice')).toEqual(['staff']);
    expect(fake.connections).toBe(1);
  });

  it('more names of groups than the limit are an error too', async () => {
    const names = Array.from({ length: 11 }, (_, n) => `${n}`);
    fake.answer = answerWith([ALICE, { uid: ['alice'] }], [[`cn=a,${GROUPS}`, { cn: names }]]);
    const failure = await failureOf(resolve(create(fake.url, { ...cleartext, maxGroups: 10 }), 'alice'));
    expect(failure.message).toBe('the subject has more than 10 groups');
  });

  it('ten thousand long DNs of groups do not block the event loop', async () => {
    const long = Array.from({ length: 10_000 }, (_, n) => `cn=${n}${',ou=a b'.repeat(20)},dc=other`);
    fake.answer = answerWith([ALICE, { uid: ['alice'], memberOf: long }], []);
    const groups = create(fake.url, { ...cleartext, groups: { base: GROUPS, via: 'memberOf' } });
    await groups.ready();
    const delays = monitorEventLoopDelay({ resolution: 5 });
    delays.enable();
    expect(await resolve(groups, 'alice')).toEqual([]);
    delays.disable();
    expect(delays.max / 1e6).toBeLessThan(400);
  });

  it('a base that the directory spells with other letters is an error with groups.via', async () => {
    fake.answer = (request, socket) =>
      isProbe(request) && request.base.startsWith('ou=gr')
        ? [entry(request.id, GROUPS.replace('groups', 'GR\u00dcPPEN'), {}), result(request.id, 'search', 0)]
        : RIGHT(request, socket);
    const base = GROUPS.replace('groups', 'gr\u00fcppen');
    const failure = await failureOf(
      create(fake.url, { ...cleartext, groups: { base, via: 'memberOf' } }).ready(),
    );
    expect(failure.message).toMatch(/^groups\.base: the directory spells this DN differently/);
    await create(fake.url, { ...cleartext, groups: { base } }).ready();
  });

  it('with ignoreCase, a subject matches other cases of ASCII letters only', async () => {
    const users = { base: PEOPLE, ignoreCase: true };
    fake.answer = answerWith([ALICE, { uid: ['kS\u00eb'] }], []);
    const groups = create(fake.url, { ...cleartext, users });
    expect(await resolve(groups, 'Ks\u00eb')).toEqual([]);
    for (const subject of ['\u212as\u00eb', 'k\u017f\u00eb', 'ks\u00cb', 'kse\u0308']) {
      expect(await resolve(groups, subject)).toBeUndefined();
    }
  });

  it('an entry whose attribute has another subject is ignored', async () => {
    fake.answer = answerWith([ALICE, { uid: ['Alice', 'alice '] }], []);
    expect(await resolve(create(fake.url, cleartext), 'alice')).toBeUndefined();
  });
});

/** Returns the same message with another id; all ids here have one byte. */
function withId(bytes: Buffer, id: number): Buffer {
  const copy = Buffer.from(bytes);
  const at = copy.indexOf(Buffer.from([0x02, 0x01, 0x00])) + 2;
  copy[at] = id;
  return copy;
}

function latinNamed(): Buffer {
  return message(0, (writer) => {
    writer.startSequence(0x64);
    writer.writeString(`cn=a,${GROUPS}`);
    writer.startSequence();
    writer.startSequence();
    writer.writeString('cn');
    writer.startSequence(0x31);
    writer.writeBuffer(Buffer.from([0xe9]), 0x04);
    writer.endSequence();
    writer.endSequence();
    writer.endSequence();
    writer.endSequence();
  });
}
