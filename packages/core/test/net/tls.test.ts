// TLS as a keyset asks for it, against real servers on loopback with certificates of authorities
// made here: whom it trusts, what it pins, and what it speaks.
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, randomUUID, X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, getCiphers, type TLSSocket } from 'node:tls';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { generate } from 'selfsigned';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import { ConfigError, isAuthError } from '../../src/errors.ts';
import { readTls, type TlsOptions } from '../../src/net/tls.ts';
import { defined } from '../support/defined.ts';
import { listen } from '../support/servers.ts';

const AUDIENCE = 'https://api.example.com';
const ISSUER = 'https://issuer.example';
const DAY = 86_400_000;

/** A certificate and its private key, PEM. */
interface Certified {
  readonly cert: string;
  readonly key: string;
}

interface Wanted {
  readonly kind?: 'rsa' | 'ec';
  readonly name?: string;
  /** Default: signed by itself. */
  readonly by?: Certified;
  readonly authority?: boolean;
  readonly fromMs?: number;
  readonly untilMs?: number;
  /** Default: new ones. */
  readonly keys?: { readonly privateKey: string; readonly publicKey: string };
}

async function certify(wanted: Wanted): Promise<Certified> {
  const { kind = 'ec', name = 'localhost', by, authority = false } = wanted;
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    keyType: kind,
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() + (wanted.fromMs ?? -DAY)),
    notAfterDate: new Date(Date.now() + (wanted.untilMs ?? DAY)),
    extensions: authority
      ? [
          { name: 'basicConstraints', cA: true, critical: true },
          { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
        ]
      : [
          { name: 'basicConstraints', cA: false, critical: true },
          { name: 'subjectAltName', altNames: [{ type: 2, value: name }] },
        ],
    ...(by === undefined ? {} : { ca: by }),
    ...(wanted.keys === undefined ? {} : { keyPair: wanted.keys }),
  });
  return { cert: `${cert}\n`, key };
}

let ca: Certified;
let leaf: Certified;
let rsaCa: Certified;
let rsaLeaf: Certified;
let otherCa: Certified;
let signing: SigningKey;
let folder: string;

beforeAll(async () => {
  ca = await certify({ name: 'Latchkey test CA', authority: true });
  leaf = await certify({ by: ca });
  rsaCa = await certify({ kind: 'rsa', name: 'Latchkey RSA test CA', authority: true });
  rsaLeaf = await certify({ kind: 'rsa', by: rsaCa });
  otherCa = await certify({ name: 'Another CA', authority: true });
  signing = await generateSigningKey('ES256', 'k');
  folder = mkdtempSync(join(tmpdir(), 'latchkey-tls-'));
  writeFileSync(join(folder, 'ca.pem'), ca.cert);
  writeFileSync(join(folder, 'two.pem'), otherCa.cert + ca.cert);
  writeFileSync(join(folder, 'key.pem'), ca.key);
});

afterAll(() => rmSync(folder, { recursive: true }));

const authenticators: Authenticator[] = [];

afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(authenticators.splice(0).map((authenticator) => authenticator.close()));
});

interface Served {
  readonly server: Server;
  readonly url: string;
  readonly port: number;
  /** Whole requests that arrived. */
  readonly requests: () => number;
  /** What each connection that came about speaks. */
  readonly connections: { readonly protocol: string | null; readonly cipher: string }[];
}

/** Serves the JWK Set over TLS. */
async function serve(certified: Certified, options: ServerOptions = {}): Promise<Served> {
  let requests = 0;
  const connections: { protocol: string | null; cipher: string }[] = [];
  const server = createServer({ ...certified, ...options }, (_, response) => {
    requests++;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ keys: [signing.publicJwk] }));
  });
  server.on('secureConnection', (socket: TLSSocket) =>
    connections.push({ protocol: socket.getProtocol(), cipher: socket.getCipher().name }),
  );
  const port = await listen(server);
  return { server, url: `https://localhost:${port}/jwks.json`, port, requests: () => requests, connections };
}

function create(
  jwksUrl: string,
  tls?: TlsOptions,
  more: { readonly allowHttp?: boolean } = {},
): Authenticator {
  const authenticator = createAuthenticator({
    keySets: [{ issuer: ISSUER, jwksUrl, ...defined({ tls }), ...more }],
    audience: AUDIENCE,
  });
  authenticators.push(authenticator);
  return authenticator;
}

/** `accepted`, or the code of the refusal and what was behind it. */
async function outcome(authenticator: Authenticator): Promise<string> {
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: 4_000_000_000 };
  try {
    await authenticator.verify(await mint(signing, claims));
    return 'accepted';
  } catch (error) {
    if (!isAuthError(error)) throw error;
    let cause: unknown = error.cause;
    while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
    const { code, message } = cause as Error & { readonly code?: string };
    return `${error.code}: ${code ?? message}`;
  }
}

/** SHA-256 of a certificate's SubjectPublicKeyInfo. */
function pinOf({ cert }: Certified): Buffer {
  const spki = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest();
}

function faultOf(options: unknown): ConfigError {
  try {
    readTls(options, 'tls');
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

describe('whom it trusts', () => {
  it.each<[title: string, options: () => TlsOptions]>([
    ['in place', () => ({ ca: { pem: ca.cert } })],
    ['in a file', () => ({ ca: { file: join(folder, 'ca.pem') } })],
    ['among others in place', () => ({ ca: { pem: otherCa.cert + ca.cert } })],
    ['among others in a file', () => ({ ca: { file: join(folder, 'two.pem') } })],
  ])('KD-14: its own CA, %s', async (_, options) => {
    const served = await serve(leaf);
    expect(await outcome(create(served.url, options()))).toBe('accepted');
    expect(served.requests()).toBe(1);
  });

  it('KD-14: a CA is its own for one keyset only', async () => {
    const served = await serve(leaf);
    expect(await outcome(create(served.url, { ca: { pem: ca.cert } }))).toBe('accepted');
    expect(await outcome(create(served.url))).toBe('keyset_unavailable: UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  });

  const REFUSED: readonly (readonly [
    title: string,
    reason: RegExp,
    certified: () => Certified | Promise<Certified>,
    options: () => TlsOptions | undefined,
  ])[] = [
    ['a CA that it does not know', /UNABLE_TO_VERIFY_LEAF_SIGNATURE/, () => leaf, () => undefined],
    [
      'another CA than its own',
      /UNABLE_TO_(?:VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT)/,
      () => leaf,
      () => ({ ca: { pem: otherCa.cert } }),
    ],
    ['a certificate signed by itself', /DEPTH_ZERO_SELF_SIGNED_CERT/, () => certify({}), () => undefined],
    [
      'a certificate signed by itself, beside its own CA',
      /DEPTH_ZERO_SELF_SIGNED_CERT/,
      () => certify({}),
      () => ({ ca: { pem: ca.cert } }),
    ],
    [
      'an expired certificate',
      /CERT_HAS_EXPIRED/,
      () => certify({ by: ca, fromMs: -2 * DAY, untilMs: -60_000 }),
      () => ({ ca: { pem: ca.cert } }),
    ],
    [
      'a certificate that is not valid yet',
      /CERT_NOT_YET_VALID/,
      () => certify({ by: ca, fromMs: 3_600_000 }),
      () => ({ ca: { pem: ca.cert } }),
    ],
    [
      'a certificate for another host',
      /ERR_TLS_CERT_ALTNAME_INVALID/,
      () => certify({ by: ca, name: 'other.example' }),
      () => ({ ca: { pem: ca.cert } }),
    ],
    [
      'a certificate that a mere server signed',
      /INVALID_(?:CA|PURPOSE)/,
      async () => {
        const middle = await certify({ by: ca, name: 'middle.example' });
        const last = await certify({ by: middle });
        return { key: last.key, cert: last.cert + middle.cert };
      },
      () => ({ ca: { pem: ca.cert } }),
    ],
  ];

  it.each(REFUSED)('T-120: not %s', async (_, reason, certified, options) => {
    const served = await serve(await certified());
    const result = await outcome(create(served.url, options()));
    expect(result).toMatch(/^keyset_unavailable: /);
    expect(result).toMatch(reason);
    expect(served.requests()).toBe(0);
  });

  it.each(REFUSED)(
    'T-120: nor with NODE_TLS_REJECT_UNAUTHORIZED=0: %s',
    async (_, reason, certified, options) => {
      vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
      const served = await serve(await certified());
      expect(await outcome(create(served.url, options()))).toMatch(reason);
      expect(served.requests()).toBe(0);
      // The variable does what it is known for: a plain connection comes about.
      await new Promise<void>((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port: served.port, servername: 'localhost' }, () => {
          socket.destroy();
          resolve();
        });
        socket.on('error', reject);
      });
    },
  );

  it.each(REFUSED)(
    'KD-11, S44: nor with allowHttp, which says nothing of TLS: %s',
    async (_, reason, certified, options) => {
      const served = await serve(await certified());
      expect(await outcome(create(served.url, options(), { allowHttp: true }))).toMatch(reason);
      expect(served.requests()).toBe(0);
    },
  );

  it('T-113: keys at hand go on while the certificate is bad', async () => {
    const served = await serve(leaf);
    const authenticator = create(served.url, { ca: { pem: ca.cert } });
    expect(await outcome(authenticator)).toBe('accepted');
    served.server.setSecureContext(await certify({}));
    served.server.closeAllConnections();
    const unknown = await mint(
      { ...signing, kid: 'unknown' },
      { iss: ISSUER, aud: AUDIENCE, exp: 4_000_000_000 },
    );
    await expect(authenticator.verify(unknown)).rejects.toMatchObject({ code: 'keyset_unavailable' });
    expect(authenticator.report().keysets).toMatchObject([{ failures: 1 }]);
    expect(await outcome(authenticator)).toBe('accepted');
  });

  it.each<[title: string, path: string, ca: () => unknown]>([
    ['a file that is not there', 'tls.ca', () => ({ file: join(folder, 'absent.pem') })],
    ['a folder', 'tls.ca', () => ({ file: folder })],
    ['a FIFO, without waiting for a writer', 'tls.ca', () => ({ file: fifo() })],
    ['a device without end', 'tls.ca', () => ({ file: '/dev/zero' })],
    ['a file with a key in it', 'tls.ca', () => ({ file: join(folder, 'key.pem') })],
    ['a key', 'tls.ca', () => ({ pem: ca.key })],
    ['no PEM', 'tls.ca', () => ({ pem: 'our CA' })],
    ['nothing', 'tls.ca', () => ({ pem: '' })],
    ['half of it', 'tls.ca', () => ({ pem: ca.cert.slice(0, ca.cert.length / 2) })],
    ['both', 'tls.ca', () => ({ pem: ca.cert, file: join(folder, 'ca.pem') })],
    ['neither', 'tls.ca', () => ({})],
    ['a string', 'tls.ca', () => ca.cert],
    ['a misspelled option', 'tls.ca.PEM', () => ({ PEM: ca.cert })],
  ])('T-140: a CA that is %s is a ConfigError', (_, path, value) => {
    const error = faultOf({ ca: value() });
    expect(error.path).toBe(path);
    expect(error.message).not.toContain(ca.key.slice(30, 90));
  });

  it('T-140: a CA file of 1 MiB is read, and a byte more is a ConfigError', () => {
    const file = join(folder, 'long.pem');
    writeFileSync(file, ca.cert.padEnd(1024 * 1024, '\n'));
    create('https://localhost', { ca: { file } });
    writeFileSync(file, '\n', { flag: 'a' });
    expect(faultOf({ ca: { file } }).path).toBe('tls.ca');
  });
});

/** Where there is nothing to make one with, it is not there. */
function fifo(): string {
  const path = join(folder, `fifo-${randomUUID()}`);
  const mkfifo = ['/usr/bin/mkfifo', '/bin/mkfifo'].find((program) => existsSync(program));
  if (mkfifo !== undefined) execFileSync(mkfifo, [path]);
  return path;
}

describe('what it pins', () => {
  const own = () => ({ ca: { pem: ca.cert } });

  it.each<[title: string, pinned: () => Certified]>([
    ['the server', () => leaf],
    ['the CA', () => ca],
  ])('KD-12, S43: the certificate of %s', async (_, pinned) => {
    const served = await serve(leaf);
    const options = { ...own(), fingerprints: [pinOf(pinned()).toString('base64')] };
    expect(await outcome(create(served.url, options))).toBe('accepted');
  });

  it.each<[title: string, write: (pin: Buffer) => string]>([
    ['base64', (pin) => pin.toString('base64')],
    ['base64 without padding', (pin) => pin.toString('base64').replace('=', '')],
    ['base64url', (pin) => pin.toString('base64url')],
    ['base64url with padding', (pin) => `${pin.toString('base64url')}=`],
  ])('S43: written as %s', async (_, write) => {
    // A key whose pin differs in the two alphabets.
    let certified = leaf;
    while (!/[+/]/.test(pinOf(certified).toString('base64'))) certified = await certify({ by: ca });
    const served = await serve(certified);
    const fingerprints = [write(pinOf(certified))];
    expect(await outcome(create(served.url, { ...own(), fingerprints }))).toBe('accepted');
  });

  it('KD-12: one of several is enough', async () => {
    const served = await serve(leaf);
    const fingerprints = [pinOf(otherCa), pinOf(leaf)].map((pin) => pin.toString('base64'));
    expect(await outcome(create(served.url, { ...own(), fingerprints }))).toBe('accepted');
  });

  it.each<[title: string, pin: () => Buffer]>([
    ['another certificate', () => pinOf(rsaLeaf)],
    ['another CA', () => pinOf(otherCa)],
    [
      'the whole certificate',
      () => Buffer.from(new X509Certificate(leaf.cert).fingerprint256.replaceAll(':', ''), 'hex'),
    ],
    ['nothing', () => Buffer.alloc(32)],
  ])('KD-12, S43: not the fingerprint of %s', async (_, pin) => {
    const served = await serve(leaf);
    const fingerprints = [pin().toString('base64')];
    expect(await outcome(create(served.url, { ...own(), fingerprints }))).toBe(
      'keyset_unavailable: no certificate of the chain has a pinned fingerprint',
    );
    expect(served.requests()).toBe(0);
  });

  it.each<[title: string, wanted: Wanted]>([
    ['with the name of the CA', { name: 'Latchkey test CA', authority: true }],
    ['with the name of the CA, that is not one', { name: 'Latchkey test CA' }],
    ['with another name', { name: 'Pinned CA', authority: true }],
  ])('S43: a certificate %s that the server sends along does not count', async (_, wanted) => {
    const added = await certify(wanted);
    const pinned = { ...own(), fingerprints: [pinOf(added).toString('base64')] };
    for (const chain of [leaf.cert + added.cert, leaf.cert + added.cert + ca.cert]) {
      const served = await serve({ cert: chain, key: leaf.key });
      expect(await outcome(create(served.url, pinned))).toBe(
        'keyset_unavailable: no certificate of the chain has a pinned fingerprint',
      );
      expect(served.requests()).toBe(0);
    }
  });

  it.each<[title: string, wanted: Wanted, expected: string]>([
    ['that signed the CA', { authority: true }, 'accepted'],
    [
      'that signed the CA and has expired',
      { authority: true, fromMs: -2 * DAY, untilMs: -DAY },
      'keyset_unavailable: no certificate of the chain has a pinned fingerprint',
    ],
    [
      'that signed the CA without being one',
      {},
      'keyset_unavailable: no certificate of the chain has a pinned fingerprint',
    ],
  ])('S43: a certificate %s, next to a CA that is trusted itself', async (_, wanted, expected) => {
    const above = await certify({ name: 'Above', ...wanted });
    const { publicKey } = new X509Certificate(ca.cert);
    const cross = await certify({
      name: 'Latchkey test CA',
      authority: true,
      by: above,
      keys: {
        privateKey: ca.key,
        publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      },
    });
    const served = await serve({ cert: leaf.cert + cross.cert + above.cert, key: leaf.key });
    const pinned = { ...own(), fingerprints: [pinOf(above).toString('base64')] };
    expect(await outcome(create(served.url, pinned))).toBe(expected);
  });

  it('KD-12: the chain is verified all the same, and the host too', async () => {
    const alone = await certify({});
    const selfSigned = await serve(alone);
    const pinned = { fingerprints: [pinOf(alone).toString('base64')] };
    expect(await outcome(create(selfSigned.url, pinned))).toMatch(/DEPTH_ZERO_SELF_SIGNED_CERT/);
    const elsewhere = await certify({ by: ca, name: 'other.example' });
    const wrongHost = await serve(elsewhere);
    const both = { ...own(), fingerprints: [pinOf(elsewhere).toString('base64')] };
    expect(await outcome(create(wrongHost.url, both))).toMatch(/ERR_TLS_CERT_ALTNAME_INVALID/);
    expect([selfSigned.requests(), wrongHost.requests()]).toEqual([0, 0]);
  });

  it("S43: the seed's sample is a text of 44 bytes, and the error says so", () => {
    const sample = 'S3Jha2VuRCBpcyB0aGUgYmVzdCBnYXRld2F5LCBhbmQgeW91IGtub3cgaXQ==';
    const error = faultOf({ fingerprints: [sample] });
    expect(error.path).toBe('tls.fingerprints[0]');
    expect(error.message).toMatch(/32 bytes/);
    expect(error.message).toMatch(/44/);
    expect(error.message).toMatch(/text/);
    expect(() => create('https://localhost/', { fingerprints: [sample] })).toThrow(
      expect.objectContaining({ name: 'ConfigError', path: 'keySets[0].tls.fingerprints[0]' }),
    );
  });

  const random = Buffer.alloc(64, 0x9c);

  it.each<[title: string, fingerprints: unknown, path: string]>([
    ['no list', random.subarray(0, 32).toString('base64'), 'tls.fingerprints'],
    ['an empty list', [], 'tls.fingerprints'],
    ['20 bytes, as of SHA-1', [random.subarray(0, 20).toString('base64')], 'tls.fingerprints[0]'],
    ['31 bytes', [random.subarray(0, 31).toString('base64')], 'tls.fingerprints[0]'],
    ['33 bytes', [random.subarray(0, 33).toString('base64')], 'tls.fingerprints[0]'],
    ['64 bytes', [random.toString('base64')], 'tls.fingerprints[0]'],
    ['hex', [random.subarray(0, 32).toString('hex')], 'tls.fingerprints[0]'],
    ['hex with colons', ['9C:9C:9C'], 'tls.fingerprints[0]'],
    ['a prefix', [`sha256/${random.subarray(0, 32).toString('base64')}`], 'tls.fingerprints[0]'],
    ['an empty text', [''], 'tls.fingerprints[0]'],
    ['a number', [5], 'tls.fingerprints[0]'],
    ['one good and one bad', [random.subarray(0, 32).toString('base64'), 'x'], 'tls.fingerprints[1]'],
  ])('S43, T-140: %s is a ConfigError', (_, fingerprints, path) => {
    expect(faultOf({ fingerprints }).path).toBe(path);
  });
});

// Requirements §4: IANA number, OpenSSL's name, and what can speak it. Undefined: not in Node's
// OpenSSL 3.
const SUITES: readonly (readonly [number: number, name: string, kind: 'rsa' | 'ec' | 'any' | undefined])[] = [
  [5, 'RC4-SHA', undefined],
  [10, 'DES-CBC3-SHA', undefined],
  [47, 'AES128-SHA', 'rsa'],
  [53, 'AES256-SHA', 'rsa'],
  [60, 'AES128-SHA256', 'rsa'],
  [156, 'AES128-GCM-SHA256', 'rsa'],
  [157, 'AES256-GCM-SHA384', 'rsa'],
  [49159, 'ECDHE-ECDSA-RC4-SHA', undefined],
  [49161, 'ECDHE-ECDSA-AES128-SHA', 'ec'],
  [49162, 'ECDHE-ECDSA-AES256-SHA', 'ec'],
  [49169, 'ECDHE-RSA-RC4-SHA', undefined],
  [49170, 'ECDHE-RSA-DES-CBC3-SHA', undefined],
  [49171, 'ECDHE-RSA-AES128-SHA', 'rsa'],
  [49172, 'ECDHE-RSA-AES256-SHA', 'rsa'],
  [49187, 'ECDHE-ECDSA-AES128-SHA256', 'ec'],
  [49191, 'ECDHE-RSA-AES128-SHA256', 'rsa'],
  [49195, 'ECDHE-ECDSA-AES128-GCM-SHA256', 'ec'],
  [49196, 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ec'],
  [49199, 'ECDHE-RSA-AES128-GCM-SHA256', 'rsa'],
  [49200, 'ECDHE-RSA-AES256-GCM-SHA384', 'rsa'],
  [52392, 'ECDHE-RSA-CHACHA20-POLY1305', 'rsa'],
  [52393, 'ECDHE-ECDSA-CHACHA20-POLY1305', 'ec'],
  [4865, 'TLS_AES_128_GCM_SHA256', 'any'],
  [4866, 'TLS_AES_256_GCM_SHA384', 'any'],
  [4867, 'TLS_CHACHA20_POLY1305_SHA256', 'any'],
];
const SPOKEN = SUITES.filter(([, , kind]) => kind !== undefined);
const GONE = SUITES.filter(([, , kind]) => kind === undefined);

describe('what it speaks', () => {
  /** A server that takes every suite that OpenSSL has left. */
  const everything: ServerOptions = { ciphers: 'ALL:@SECLEVEL=0' };

  it.each(SPOKEN)('KD-13: %i is %s, which Node has and speaks', async (number, name, kind) => {
    expect(getCiphers()).toContain(name.toLowerCase());
    const served = kind === 'rsa' ? await serve(rsaLeaf, everything) : await serve(leaf, everything);
    const authority = kind === 'rsa' ? rsaCa : ca;
    const options = { ca: { pem: authority.cert }, cipherSuites: [number] };
    expect(await outcome(create(served.url, options))).toBe('accepted');
    const protocol = name.startsWith('TLS_') ? 'TLSv1.3' : 'TLSv1.2';
    expect(served.connections).toEqual([{ protocol, cipher: name }]);
  });

  it.each(GONE)('S45: %i is %s, which is gone: a ConfigError that names it', (number, name) => {
    expect(getCiphers()).not.toContain(name.toLowerCase());
    const error = faultOf({ cipherSuites: [4865, number] });
    expect(error.path).toBe('tls.cipherSuites[1]');
    expect(error.message).toContain(name);
  });

  it("S45: the seed's [5, 10] is refused, never dropped silently", () => {
    expect(() => create('https://localhost/', { cipherSuites: [5, 10] })).toThrow(
      expect.objectContaining({
        name: 'ConfigError',
        path: 'keySets[0].tls.cipherSuites[0]',
        message: expect.stringContaining('RC4-SHA'),
      }),
    );
    expect(faultOf({ cipherSuites: [10] }).message).toContain('DES-CBC3-SHA');
  });

  it.each<[title: string, cipherSuites: unknown, path: string]>([
    ['no list', 4865, 'tls.cipherSuites'],
    ['an empty list', [], 'tls.cipherSuites'],
    ['0', [0], 'tls.cipherSuites[0]'],
    ['an unknown number', [4865, 65_535], 'tls.cipherSuites[1]'],
    ['a number as a string', ['4865'], 'tls.cipherSuites[0]'],
    ['a name', ['TLS_AES_128_GCM_SHA256'], 'tls.cipherSuites[0]'],
    ['null', [null], 'tls.cipherSuites[0]'],
    ['no number', [Number.NaN], 'tls.cipherSuites[0]'],
  ])('KD-13, T-140: %s is a ConfigError', (_, cipherSuites, path) => {
    expect(faultOf({ cipherSuites }).path).toBe(path);
  });

  it('KD-13: both versions, where suites of both are asked for', async () => {
    const options = { ca: { pem: ca.cert }, cipherSuites: [49195, 4866] };
    const modern = await serve(leaf, everything);
    expect(await outcome(create(modern.url, options))).toBe('accepted');
    expect(modern.connections).toEqual([{ protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' }]);
    const old = await serve(leaf, { ...everything, maxVersion: 'TLSv1.2' });
    expect(await outcome(create(old.url, options))).toBe('accepted');
    expect(old.connections).toEqual([{ protocol: 'TLSv1.2', cipher: 'ECDHE-ECDSA-AES128-GCM-SHA256' }]);
  });

  it.each<[title: string, cipherSuites: readonly number[], options: ServerOptions]>([
    ['a suite of TLS 1.2, and the server only 1.3', [49195], { minVersion: 'TLSv1.3' }],
    ['a suite of TLS 1.3, and the server only 1.2', [4865], { maxVersion: 'TLSv1.2' }],
    ['one suite, and the server only another', [49195], { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }],
  ])('KD-13: nothing else: %s', async (_, cipherSuites, options) => {
    const served = await serve(leaf, options);
    const authenticator = create(served.url, { ca: { pem: ca.cert }, cipherSuites });
    expect(await outcome(authenticator)).toMatch(/^keyset_unavailable: /);
    expect(served.requests()).toBe(0);
    // It is the suites: without them it works.
    expect(await outcome(create(served.url, { ca: { pem: ca.cert } }))).toBe('accepted');
  });

  it.each(['TLSv1', 'TLSv1.1'] as const)('T-120: not %s', async (version) => {
    const served = await serve(leaf, {
      ciphers: 'ALL:@SECLEVEL=0',
      minVersion: version,
      maxVersion: version,
    });
    expect(await outcome(create(served.url, { ca: { pem: ca.cert } }))).toMatch(/^keyset_unavailable: /);
    expect(served.connections).toEqual([]);
    // The server does speak it, with whoever asks for it.
    const socket = connect({
      host: '127.0.0.1',
      port: served.port,
      servername: 'localhost',
      ca: ca.cert,
      ciphers: 'ALL:@SECLEVEL=0',
      minVersion: version,
      maxVersion: version,
    });
    await new Promise<void>((resolve, reject) => {
      socket.on('secureConnect', resolve);
      socket.on('error', reject);
    });
    expect(socket.getProtocol()).toBe(version);
    socket.destroy();
  });
});

describe('options', () => {
  it.each<[title: string, options: () => TlsOptions | undefined]>([
    ['no options', () => undefined],
    ['none of them', () => ({})],
    ['an own CA', () => ({ ca: { pem: ca.cert } })],
    ['pins', () => ({ fingerprints: [pinOf(ca).toString('base64')] })],
    ['suites of TLS 1.2', () => ({ cipherSuites: [49195] })],
  ])('T-120: with %s, verification and TLS 1.2 are said aloud', (_, options) => {
    // Of whatever OpenSSL's security level would refuse besides.
    expect(readTls(options(), 'tls')).toMatchObject({ rejectUnauthorized: true, minVersion: 'TLSv1.2' });
  });

  it.each<[options: unknown, path: string]>([
    [null, 'tls'],
    ['strict', 'tls'],
    [[], 'tls'],
    [{ rejectUnauthorized: false }, 'tls.rejectUnauthorized'],
    [{ checkServerIdentity: () => undefined }, 'tls.checkServerIdentity'],
    [{ CA: { pem: '' } }, 'tls.CA'],
    [{ cert: '' }, 'tls.cert'],
  ])('T-140: %j is a ConfigError at %s', (options, path) => {
    expect(faultOf(options).path).toBe(path);
  });

  it('KD-11: plain HTTP needs allowHttp', () => {
    expect(() => create('http://localhost/')).toThrow(
      expect.objectContaining({ path: 'keySets[0].jwksUrl', message: expect.stringContaining('https') }),
    );
    expect(() => create('http://localhost/', undefined, { allowHttp: true })).not.toThrow();
  });

  it('KD-14: the CA file is read when the options are, and not later', async () => {
    const file = join(folder, 'gone.pem');
    writeFileSync(file, ca.cert);
    const served = await serve(leaf);
    const authenticator = create(served.url, { ca: { file } });
    rmSync(file);
    expect(await outcome(authenticator)).toBe('accepted');
  });

  it('S43: a pin is of a key, so a new certificate of the same key is as good', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    const pin = createHash('sha256').update(spki).digest('base64');
    for (let round = 0; round < 2; round++) {
      const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
        keyType: 'ec',
        algorithm: 'sha256',
        ca,
        keyPair: {
          privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
          publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
        },
      });
      const served = await serve({ cert, key });
      const options = { ca: { pem: ca.cert }, fingerprints: [pin] };
      expect(await outcome(create(served.url, options))).toBe('accepted');
    }
  });
});
