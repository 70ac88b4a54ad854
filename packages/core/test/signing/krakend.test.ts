// The gateway's own signer configuration, unchanged from its file: every option, both spellings,
// both namespaces, and real servers for what is said of the connection.
import { createHash, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { compactVerify, flattenedVerify } from 'jose';
import { generate } from 'selfsigned';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  type MockInstance,
  vi,
} from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { fromKrakend, type KrakendConfiguration } from '../../src/signing/krakend.ts';
import type { OutgoingReply } from '../../src/signing/reply-body.ts';
import {
  createResponseSigner,
  type ResponseSigner,
  type SignResponseOptions,
} from '../../src/signing/response.ts';
import { closing } from '../support/closing.ts';
import { configErrorOf } from '../support/refusals.ts';
import { listen } from '../support/servers.ts';

const OLD = 'github.com/devopsfaith/krakend-jose/signer';
const NEW = 'auth/signer';
const NAMESPACES = [OLD, NEW] as const;

const secret = randomBytes(32);
/** The keys at the URL of the examples, and others that are not selected. */
const KEYS = {
  keys: [
    { kty: 'oct', kid: 'sim1', alg: 'HS256', k: randomBytes(32).toString('base64url') },
    { kty: 'oct', kid: 'sim2', alg: 'HS256', k: secret.toString('base64url') },
    { kty: 'oct', kid: 'no-alg', k: secret.toString('base64url') },
  ],
};

/** The gateway's first example. */
const BASIC = {
  alg: 'HS256',
  kid: 'sim2',
  'keys-to-sign': ['access_token', 'refresh_token'],
  'jwk-url': 'https://your-backend.invalid/jwk/symmetric.json',
};

/** The gateway's example with every option. */
const FULL = {
  endpoint: '/token',
  method: 'POST',
  extra_config: {
    [OLD]: {
      alg: 'HS256',
      'jwk-url': 'http://your-backend/jwk/symmetric.json',
      'keys-to-sign': ['access_token', 'refresh_token'],
      kid: 'sim2',
      cipher_suites: [5, 10],
      jwk_fingerprints: ['S3Jha2VuRCBpcyB0aGUgYmVzdCBnYXRld2F5LCBhbmQgeW91IGtub3cgaXQ=='],
      full: true,
      disable_jwk_security: true,
    },
  },
};

interface Certified {
  readonly cert: string;
  readonly key: string;
}

let folder: string;
let ca: Certified;
let leaf: Certified;

beforeAll(async () => {
  ca = await certify('Latchkey test CA');
  leaf = await certify('localhost', ca);
  folder = mkdtempSync(join(tmpdir(), 'latchkey-gateway-'));
  writeFileSync(join(folder, 'ca.pem'), ca.cert);
});

afterAll(() => rmSync(folder, { recursive: true }));

async function certify(name: string, by?: Certified): Promise<Certified> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + 86_400_000),
    extensions:
      by === undefined
        ? [
            { name: 'basicConstraints', cA: true, critical: true },
            { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
          ]
        : [
            { name: 'basicConstraints', cA: false, critical: true },
            { name: 'subjectAltName', altNames: [{ type: 2, value: name }] },
          ],
    ...(by === undefined ? {} : { ca: by }),
  });
  return { cert: `${cert}\n`, key };
}

/** As the gateway reckons it: SHA-256 of the public key (SubjectPublicKeyInfo). */
const fingerprintOf = ({ cert }: Certified, encoding: 'base64' | 'base64url' = 'base64') =>
  createHash('sha256')
    .update(new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' }))
    .digest(encoding);

let warnings: MockInstance;

beforeEach(() => {
  warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
});

afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

interface Served {
  readonly url: string;
  readonly requests: () => number;
  readonly ciphers: string[];
}

/** Serves the keys, over TLS or in clear. */
async function serve(certified?: Certified): Promise<Served> {
  let requests = 0;
  const ciphers: string[] = [];
  const listener = (_request: unknown, response: { end(body: string): unknown }) => {
    requests++;
    response.end(JSON.stringify(KEYS));
  };
  const server =
    certified === undefined ? createServer(listener) : createTlsServer({ ...certified }, listener);
  server.on('secureConnection', (socket: TLSSocket) => ciphers.push(socket.getCipher().name));
  const port = await listen(server);
  const url = `${certified === undefined ? 'http://127.0.0.1' : 'https://localhost'}:${port}/jwk/symmetric.json`;
  return { url, requests: () => requests, ciphers };
}

function read(configuration: object): SignResponseOptions {
  return fromKrakend(configuration as KrakendConfiguration);
}

function make(options: object): ResponseSigner {
  const made = createResponseSigner(read(options));
  closing(made.signer);
  return made;
}

/** What is wrong with options, and where. */
function fault(options: object): string {
  const error = configErrorOf(() => make(options));
  if (error === undefined) throw new Error('nothing is wrong with them');
  return error.message;
}

/** The basic options for a server, which is on plain HTTP unless it is certified. */
const at = (url: string, more: object = {}) => ({ ...BASIC, 'jwk-url': url, ...more });
const inClear = (url: string, more: object = {}) => at(url, { disable_jwk_security: true, ...more });
const trusted = (url: string, more: object = {}) =>
  at(url, { jwk_local_ca: join(folder, 'ca.pem'), ...more });

/** A reply as a framework has it. */
function outgoing(body: unknown): OutgoingReply {
  const head = new Map<string, string>();
  return {
    status: 200,
    body,
    getHeader: (name) => head.get(name.toLowerCase()),
    setHeader: (name, value) => head.set(name.toLowerCase(), value),
    removeHeader: (name) => head.delete(name.toLowerCase()),
  };
}

/** The token that comes of a reply, or why there is none. */
async function outcome({ sign, signer }: ResponseSigner): Promise<string> {
  try {
    await signer.ready();
  } catch (error) {
    const { cause } = error as Error;
    return String((cause as Error | undefined)?.cause ?? cause);
  }
  const body = { access_token: { sub: 'alice', exp: Math.floor(Date.now() / 1000) + 300 }, exp: 1735689600 };
  const reply = await sign(outgoing(body));
  const { access_token, exp } = JSON.parse(String(reply?.body));
  expect(exp).toBe(1735689600);
  return access_token;
}

describe('KD-17, S40: its place', () => {
  const expected = {
    alg: 'HS256',
    kid: 'sim2',
    keysToSign: ['access_token', 'refresh_token'],
    jwkUrl: BASIC['jwk-url'],
    full: false,
    allowHttp: false,
  };
  const { 'keys-to-sign': keysToSign, 'jwk-url': jwkUrl, ...rest } = BASIC;
  const spellings = {
    'with dashes': BASIC,
    'with underscores': { ...rest, keys_to_sign: keysToSign, jwk_url: jwkUrl },
    'with both': { ...rest, 'keys-to-sign': keysToSign, jwk_url: jwkUrl },
  };

  for (const [spelling, configuration] of Object.entries(spellings)) {
    it(`S40: by itself, ${spelling}`, () => {
      expect(read(configuration)).toEqual(expected);
    });

    it.each(NAMESPACES)(`S40: in %s, ${spelling}`, (namespace) => {
      expect(read({ [namespace]: configuration })).toEqual(expected);
      expect(read({ extra_config: { [namespace]: configuration } })).toEqual(expected);
    });
  }

  it('KD-17: in an endpoint, with settings of others', () => {
    const endpoint = {
      endpoint: '/token',
      method: 'POST',
      backend: [{ host: ['https://backend'], url_pattern: '/token-issuer', extra_config: {} }],
      extra_config: { 'qos/ratelimit/router': { max_rate: 5 }, [OLD]: BASIC },
    };
    expect(read(endpoint)).toEqual(expected);
  });

  it('KD-17: as a whole file', () => {
    expect(read(JSON.parse(JSON.stringify({ extra_config: { [OLD]: BASIC } })))).toEqual(expected);
  });

  const OURS = { keysToSign: ['a'], jwkUrl: 'https://a.example' };
  it.each([undefined, null, 5, 'x', [], {}, OURS, new Map()])('S40: %j is not the gateway’s', (options) => {
    expect(() => fromKrakend(options as never)).toThrow(ConfigError);
  });

  it('S40: both namespaces are refused', () => {
    const both = { [OLD]: BASIC, [NEW]: BASIC };
    for (const options of [both, { extra_config: both }])
      expect(fault(options)).toContain('only one namespace');
  });

  it.each([
    [{ ...BASIC, jwk_url: BASIC['jwk-url'] }, 'jwk-url'],
    [{ ...BASIC, keys_to_sign: BASIC['keys-to-sign'] }, 'keys-to-sign'],
  ])('S40: both spellings of one option are refused', (options, path) => {
    const reason = 'expected only one of two spellings';
    expect(fault(options).startsWith(`${path}: ${reason}`)).toBe(true);
    expect(fault({ [NEW]: options }).startsWith(`${NEW}.${path}: ${reason}`)).toBe(true);
  });

  it('S40: extra_config without a signer says what is missing', () => {
    expect(fault({ extra_config: {} })).toContain(NEW);
    expect(fault({ extra_config: { 'auth/validator': {} } })).toContain('expected a signer');
    for (const none of [null, 5, [], 'x'])
      expect(fault({ extra_config: none })).toContain('expected an object');
  });

  it.each([null, 5, [], 'x'])('S40: a namespace that holds %j', (none) => {
    expect(fault({ [OLD]: none })).toContain('expected an object');
  });
});

describe('S46: what has to be there', () => {
  it.each(['alg', 'kid', 'keys-to-sign', 'jwk-url'] as const)('KD-6 to KD-9: %s', (name) => {
    const { [name]: _, ...others } = BASIC;
    const path = name.replaceAll('-', '_');
    expect(fault({ [OLD]: others })).toContain(`${OLD}.${path}: expected`);
  });

  it.each<[string, unknown]>([
    ['alg', ''],
    ['alg', 5],
    ['kid', ''],
    ['kid', null],
    ['keys-to-sign', []],
    ['keys-to-sign', 'access_token'],
    ['keys-to-sign', [5]],
    ['jwk-url', 5],
    ['full', 'yes'],
    ['full', 'object'],
    ['disable_jwk_security', 1],
    ['jwk_local_ca', 5],
  ])('S46: %s: %j', (name, value) => {
    expect(fault({ [NEW]: { ...BASIC, [name]: value } })).toContain(`${NEW}.${name}`);
  });

  it.each<[string, unknown]>([
    ['alg', 'RS257'],
    ['alg', 'none'],
    ['alg', 'HMD5'],
    ['jwk-url', 'no url'],
    ['jwk-url', 'file:///etc/jwk.json'],
    ['jwk-url', 'https://user:pass@a.example/jwk.json'],
    ['typ', 5],
    ['jwk_fingerprints', []],
    ['jwk_fingerprints', 'x'],
    ['cipher_suites', []],
    ['cipher_suites', ['x']],
  ])('S46: %s: %j is found at the start', (name, value) => {
    fault({ ...BASIC, [name]: value });
  });

  const OF_OURS = ['keysToSign', 'jwkUrl', 'onMissing', 'signer', 'tls'];
  it.each([...OF_OURS, 'cache', 'Full', 'jwk_finger_prints', '__proto__'])(
    'S40: %s is not an option of the gateway’s',
    (name) => {
      // Only JSON gives an object an own member called __proto__.
      const options = JSON.parse(JSON.stringify(BASIC).replace('{', `{"${name}":true,`));
      expect(fault({ [NEW]: options })).toContain('unknown option');
    },
  );

  it('S46: keys that come later are waited for, and the start is not held up', async () => {
    const { sign, signer } = make({ ...BASIC, 'jwk-url': 'https://127.0.0.1:1/jwk.json' });
    await expect(signer.ready()).rejects.toThrow('no usable keys');
    const body = { access_token: { exp: 4e9 } };
    await expect(sign(outgoing(body))).rejects.toThrow();
    expect(warnings.mock.calls.map(([, { code }]) => code)).toEqual(['LATCHKEY_UNAVAILABLE']);
  });
});

describe('KD-6, KD-7, KD-8, KD-16: alg, jwk-url, kid', () => {
  it('KD-16: the symmetric key that kid names signs, and no other', async () => {
    const { url } = await serve();
    const token = await outcome(make(inClear(url)));
    const { protectedHeader } = await compactVerify(token, secret);
    expect(protectedHeader).toEqual({ alg: 'HS256', kid: 'sim2', typ: 'JWT' });
  });

  it('KD-6: alg, where the key has none', async () => {
    const { url } = await serve();
    const options = inClear(url, { alg: 'HS256', kid: 'no-alg' });
    expect((await compactVerify(await outcome(make(options)), secret)).protectedHeader.alg).toBe('HS256');
  });

  it.each([
    [{ kid: 'sim3' }, 'no key can sign'],
    [{ alg: 'HS512' }, 'its alg differs from the alg of the signer'],
    [{ alg: 'RS256' }, 'alg does not fit'],
  ])('KD-6, KD-8: %j finds no key', async (more, reason) => {
    const { url } = await serve();
    expect(await outcome(make(inClear(url, more)))).toContain(reason);
  });

  it('S48: typ', async () => {
    const { url } = await serve();
    const options = inClear(url, { typ: 'at+jwt' });
    expect((await compactVerify(await outcome(make(options)), secret)).protectedHeader.typ).toBe('at+jwt');
  });
});

describe('KD-10, S41: full', () => {
  it('S41: a flattened JWS, as text', async () => {
    const { url } = await serve();
    const text = await outcome(make(inClear(url, { full: true })));
    expect(typeof text).toBe('string');
    const { payload } = await flattenedVerify(JSON.parse(text), secret);
    expect(JSON.parse(Buffer.from(payload).toString())).toMatchObject({ sub: 'alice' });
  });

  it('S41: false is the compact form', async () => {
    const { url } = await serve();
    const text = await outcome(make(inClear(url, { full: false })));
    await compactVerify(text, secret);
  });
});

describe('KD-11, S44, D8: disable_jwk_security', () => {
  it('KD-11: plain HTTP is refused without it', () => {
    for (const more of [{}, { disable_jwk_security: false }])
      expect(fault({ ...BASIC, 'jwk-url': 'http://your-backend/jwk.json', ...more })).toContain(
        'must be https',
      );
  });

  it('KD-11: with it, plain HTTP is permitted, and warned of', async () => {
    const { url } = await serve();
    await outcome(make(inClear(url)));
    expect(warnings.mock.calls).toEqual([
      [expect.stringContaining('plain HTTP'), { type: 'SecurityWarning', code: 'LATCHKEY_UNSAFE' }],
    ]);
  });

  it('S44: it does not turn the checks of certificates off', async () => {
    const { url, requests } = await serve(leaf);
    for (const disable_jwk_security of [true, false])
      expect(await outcome(make({ ...BASIC, 'jwk-url': url, disable_jwk_security }))).toMatch(/certificate/);
    expect(requests()).toBe(0);
  });

  it('S44: nor does the environment', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    vi.spyOn(process, 'emitWarning').mockReturnValue();
    const { url, requests } = await serve(leaf);
    expect(await outcome(make(inClear(url)))).toMatch(/certificate/);
    expect(requests()).toBe(0);
  });

  it('D8: in production it needs the environment’s word, but for loopback', () => {
    vi.stubEnv('NODE_ENV', 'production');
    const options = inClear('http://your-backend.invalid/jwk.json');
    expect(fault(options)).toContain('LATCHKEY_ALLOW_HTTP_KEYS');
    make({ ...options, 'jwk-url': 'http://localhost:1/jwk.json' });
    vi.stubEnv('LATCHKEY_ALLOW_HTTP_KEYS', 'true');
    make(options);
  });
});

describe('KD-14: jwk_local_ca', () => {
  it('KD-14: a CA that the system does not know', async () => {
    const { url, requests } = await serve(leaf);
    await compactVerify(await outcome(make(trusted(url))), secret);
    expect(requests()).toBe(1);
  });

  it('KD-14: another CA does not do', async () => {
    const { url, requests } = await serve(leaf);
    const file = join(folder, 'other.pem');
    writeFileSync(file, (await certify('Another CA')).cert);
    expect(await outcome(make({ ...BASIC, 'jwk-url': url, jwk_local_ca: file }))).toMatch(/certificate/);
    expect(requests()).toBe(0);
  });

  it.each<[string, () => string, text?: string]>([
    ['is not there', () => 'nowhere.pem', 'nowhere.pem cannot be read: ENOENT'],
    [
      'is no certificate',
      () => {
        const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
        writeFileSync(join(folder, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
        return 'key.pem';
      },
    ],
  ])('KD-14: a file that %s', (_, name, text = 'expected CA certificates, PEM, got a private key') => {
    expect(fault({ ...BASIC, jwk_local_ca: join(folder, name()) })).toContain(text);
  });
});

describe('KD-12, S43: jwk_fingerprints', () => {
  it.each<[string, () => string]>([
    ['of the server, base64', () => fingerprintOf(leaf)],
    ['of the server, base64url', () => fingerprintOf(leaf, 'base64url')],
    ['of its CA', () => fingerprintOf(ca)],
  ])('S43: %s', async (_, fingerprint) => {
    const { url } = await serve(leaf);
    const options = trusted(url, { jwk_fingerprints: [fingerprint()] });
    await compactVerify(await outcome(make(options)), secret);
  });

  it('S43: one of several does', async () => {
    const { url } = await serve(leaf);
    const jwk_fingerprints = [randomBytes(32).toString('base64'), fingerprintOf(leaf)];
    await compactVerify(await outcome(make(trusted(url, { jwk_fingerprints }))), secret);
  });

  it('S43: another key does not do, although the CA is known', async () => {
    const { url, requests } = await serve(leaf);
    const jwk_fingerprints = [randomBytes(32).toString('base64')];
    expect(await outcome(make(trusted(url, { jwk_fingerprints })))).toContain('pinned');
    expect(requests()).toBe(0);
  });

  it('S43: the right key of a server whose CA is not known does not do', async () => {
    const { url, requests } = await serve(leaf);
    const options = inClear(url, { jwk_fingerprints: [fingerprintOf(leaf)] });
    expect(await outcome(make(options))).toMatch(/certificate/);
    expect(requests()).toBe(0);
  });

  it('S43: the gateway’s example is a text, and no fingerprint', () => {
    const [fingerprint] = FULL.extra_config[OLD].jwk_fingerprints;
    const said = fault({ ...BASIC, jwk_fingerprints: [fingerprint] });
    expect(said).toContain('32 bytes, not 4');
    expect(said).toContain('which is readable text');
  });
});

describe('KD-13, S45: cipher_suites', () => {
  it.each([
    [5, 'RC4-SHA'],
    [10, 'DES-CBC3-SHA'],
  ])('S45: %i is named, and replaced', (number, name) => {
    const said = fault({ ...BASIC, cipher_suites: [number] });
    expect(said).toContain(name);
    expect(said).toContain('leave cipher_suites out');
  });

  it('S45: with a good one, the bad one is not dropped silently', () => {
    expect(fault({ ...BASIC, cipher_suites: [49196, 10] })).toContain('DES-CBC3-SHA');
  });

  it('KD-13: what is named is what is spoken', async () => {
    const { url, ciphers } = await serve(leaf);
    await compactVerify(await outcome(make(trusted(url, { cipher_suites: [49196] }))), secret);
    expect(ciphers).toEqual(['ECDHE-ECDSA-AES256-GCM-SHA384']);
  });
});

describe('KD-17: the example with every option', () => {
  it('S43: is refused unchanged, for its fingerprint', () => {
    expect(fault(FULL)).toContain('jwk_fingerprints[0]: expected the SHA-256 of a public key');
  });

  it('S45: then for its cipher suites', () => {
    const { jwk_fingerprints: _, ...signer } = FULL.extra_config[OLD];
    expect(fault({ ...FULL, extra_config: { [OLD]: signer } })).toContain('cipher_suites[0]: RC4-SHA');
  });

  it('KD-17: and is taken without both', () => {
    const { jwk_fingerprints: _, cipher_suites: __, ...signer } = FULL.extra_config[OLD];
    expect(read({ ...FULL, extra_config: { [OLD]: signer } })).toEqual({
      alg: 'HS256',
      kid: 'sim2',
      jwkUrl: 'http://your-backend/jwk/symmetric.json',
      keysToSign: ['access_token', 'refresh_token'],
      full: true,
      allowHttp: true,
    });
    make({ ...FULL, extra_config: { [OLD]: signer } });
  });

  // ConfigError.path: "where the fault is, as written". A user who wrote `cipher_suites` has no
  // `tls.cipherSuites`.
  it.each<[string, object]>([
    ['cipher_suites[0]: ', { cipher_suites: [5] }],
    ['jwk_fingerprints[0]: ', { jwk_fingerprints: ['x'] }],
    ['jwk_local_ca: ', { jwk_local_ca: '/nowhere.pem' }],
    ['jwk-url: ', { 'jwk-url': 'http://your-backend/jwk.json' }],
    ['jwk-url: ', { 'jwk-url': undefined, jwk_url: 'http://your-backend/jwk.json' }],
    ['keys-to-sign[1]: ', { 'keys-to-sign': ['a', 5] }],
    ['alg: ', { alg: 'RS257' }],
    ['typ: ', { typ: 5 }],
  ])('S45: what is wrong is called as it was written: %s', (name, more) => {
    const options = { ...BASIC, ...more };
    expect(fault(options).slice(0, name.length)).toBe(name);
    const nested = fault({ extra_config: { [NEW]: options } });
    expect(nested.startsWith(`${NEW}.${name}`)).toBe(true);
  });

  it('S45: the remedy, too', () => {
    const said = fault({ ...BASIC, 'jwk-url': 'http://your-backend/jwk.json' });
    expect(said).toContain('disable_jwk_security');
    expect(said).not.toContain('allowHttp');
  });
});
