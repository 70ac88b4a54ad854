// Signer options: what is wrong is a ConfigError with the path, whether or not types would have
// said so; nothing given is repeated.
import { inspect } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { generateJwk } from '../../src/jwk/generate.ts';
import { createMemoryStore } from '../../src/secrets/store.ts';
import type { SignerOptions } from '../../src/signing/options.ts';
import { readLifetime, readSignerOptions, signerOptionNames } from '../../src/signing/options.ts';
import { createSigner } from '../../src/signing/signer.ts';
import type { JsonObject } from '../../src/values/json.ts';

const URL_OF_KEYS = 'https://keys.example/private.json';
const secrets = createMemoryStore();
const SECRET = { secret: { name: 's' }, secrets };
const LEGACY = { keys: [{ keyId: 'k', algorithm: 'ES256', secret: { name: 's' } }], secrets };
let jwk: JsonObject;

beforeAll(async () => {
  jwk = await generateJwk('ES256', 'k');
});

/**
 * The path and the message. Fails if there is no ConfigError, or if one tells of key or
 * credentials.
 */
function refusal(options: unknown): { readonly path: string; readonly message: string } {
  try {
    createSigner(options as SignerOptions);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    const { path, message } = error as ConfigError;
    expect(message.startsWith(`${path}: `)).toBe(true);
    const told = inspect(error, { depth: 9 });
    expect(told).not.toContain(jwk.d);
    expect(told).not.toContain('hunter2');
    return { path, message };
  }
  throw new Error('was not refused');
}

const pathOf = (options: unknown): string => refusal(options).path;
const inline = (more: object = {}): unknown => ({ jwks: { keys: [jwk] }, ...more });
const secret = (more: object = {}): unknown => ({ ...SECRET, ...more });

const NO_SOURCE =
  'signer: exactly one source is needed: secret, externalSecret, jwkUrl, jwks, keys; got none';

describe('the source', () => {
  it.each([
    ['none', {}, NO_SOURCE],
    ['nothing at all', undefined, 'got undefined'],
    ['null', null, 'got null'],
    ['a text', 'secret', 'got a string'],
    ['only what is next to a source', { secrets, alg: 'ES256' }, NO_SOURCE],
    [
      'one that is inherited',
      Object.create({ jwks: { keys: [jwk] } }),
      'got an object that inherits members',
    ],
  ])('%s is a ConfigError', (_, options, message) => {
    expect(refusal(options)).toEqual({ path: 'signer', message: expect.stringContaining(message) });
  });

  it('two are a ConfigError, whichever', () => {
    const sources = {
      secret: { name: 's' },
      externalSecret: { name: 's' },
      jwkUrl: URL_OF_KEYS,
      jwks: { keys: [jwk] },
      keys: LEGACY.keys,
    };
    const names = Object.keys(sources) as (keyof typeof sources)[];
    for (const one of names) {
      for (const other of names) {
        if (one === other) continue;
        const options = { [one]: sources[one], [other]: sources[other], secrets, externalSecrets: secrets };
        expect([one, other, pathOf(options)]).toEqual([one, other, 'signer']);
      }
    }
  });

  it('row 165: an inline set that signs nothing is a ConfigError at once', () => {
    for (const jwks of [undefined, null, [], {}, { keys: {} }, 'hunter2', { keys: 'hunter2' }])
      expect(pathOf({ jwks })).toBe('jwks');
    expect(refusal({ jwks: { keys: [] } }).message).toBe('jwks: no key can sign');
    const { d: _, ...half } = jwk;
    expect(refusal({ jwks: { keys: [half] } }).message).toBe('jwks: no key can sign: not a private key');
    expect(refusal({ jwks: { keys: [jwk] }, kid: 'another' }).message).toBe('jwks: no key can sign');
    expect(refusal({ jwks: { keys: [jwk] }, alg: 'ES384' }).message).toBe(
      'jwks: no key can sign: alg does not fit kty and crv',
    );
    expect(refusal({ jwks: { keys: [{ ...jwk, use: 'enc' }, half, half] } }).message).toBe(
      'jwks: no key can sign: use is not "sig"; not a private key',
    );
  });

  it('row 165: alg none is no algorithm, in options and in keys', () => {
    for (const alg of ['none', 'None', '', 'es256', 'ES256 ', null, 0, ['ES256'], {}])
      expect(pathOf(inline({ alg }))).toBe('alg');
    expect(refusal({ jwks: { keys: [{ ...jwk, alg: 'none' }] } }).message).toBe(
      'jwks: no key can sign: alg is not supported',
    );
  });

  it.each(['HMD5', 'HS224'])('D1, D2: nothing is signed with %s', (alg) => {
    expect(refusal(secret({ alg }))).toEqual({ path: 'alg', message: `alg: ${alg} is for verifying only` });
  });

  it.each([
    ['secret', { ...SECRET, secret: 's' }],
    ['secret', { ...SECRET, secret: null }],
    ['secret', { ...SECRET, secret: [] }],
    ['secret.name', { ...SECRET, secret: {} }],
    ['secret.name', { ...SECRET, secret: { name: '' } }],
    ['secret.name', { ...SECRET, secret: { name: '../s' } }],
    ['secret.name', { ...SECRET, secret: { name: 'a/b' } }],
    ['secret.key', { ...SECRET, secret: { name: 's', key: '' } }],
    ['secret.key', { ...SECRET, secret: { name: 's', key: '../../etc/passwd' } }],
    ['secret.format', { ...SECRET, secret: { name: 's', format: 'jwk' } }],
    ['secret.kid', { ...SECRET, secret: { name: 's', kid: 'k' } }],
    ['secrets', { secret: { name: 's' } }],
    ['secrets', { secret: { name: 's' }, secrets: {} }],
    ['secrets', { secret: { name: 's' }, secrets: null }],
    ['externalSecrets', { externalSecret: { name: 's' } }],
    ['externalSecrets', { secret: { name: 's' }, secrets, externalSecrets: secrets }],
    ['secrets', { externalSecret: { name: 's' }, externalSecrets: secrets, secrets }],
    ['externalSecret.name', { externalSecret: {}, externalSecrets: secrets }],
    ['secrets', { keys: LEGACY.keys }],
    ['keys', { keys: [], secrets }],
    ['keys', { keys: {}, secrets }],
    ['keys[0].algorithm', { keys: [{ ...LEGACY.keys[0], algorithm: 'none' }], secrets }],
    ['keys[1].keyId', { keys: [LEGACY.keys[0], LEGACY.keys[0]], secrets }],
    ['keys[0].secret.name', { keys: [{ ...LEGACY.keys[0], secret: { name: '..' } }], secrets }],
  ])('%s: %j', (path, options) => {
    expect(pathOf(options)).toBe(path);
  });

  it.each(['pem', 'symmetric'])('alg is required with a key that is not a JWK: %s', (format) => {
    expect(pathOf({ secret: { name: 's', format }, secrets })).toBe('alg');
    for (const key of ['private.key', 'secret.key', 'signing.pem'])
      expect(pathOf({ secret: { name: 's', key }, secrets })).toBe('alg');
  });
});

describe('the URL', () => {
  const url = (jwkUrl: unknown, more: object = {}): unknown => ({ jwkUrl, kid: 'k', ...more });

  it('KD-8: kid is needed', () => {
    expect(refusal({ jwkUrl: URL_OF_KEYS }).path).toBe('kid');
    expect(pathOf({ jwkUrl: URL_OF_KEYS, kid: '' })).toBe('kid');
    expect(pathOf({ jwkUrl: URL_OF_KEYS, kid: null })).toBe('kid');
    expect(pathOf({ jwkUrl: URL_OF_KEYS, kid: 7 })).toBe('kid');
  });

  it.each([
    ['http://keys.example/private.json'],
    ['HTTP://keys.example/private.json'],
    ['file:///etc/keys.json'],
    ['ftp://keys.example/'],
    ['data:application/json,{}'],
    ['keys.example'],
    ['//keys.example/private.json'],
    [''],
    [' '],
    [null],
    [7],
    [new URL(URL_OF_KEYS)],
    ['https://alice:hunter2@keys.example/private.json'],
    ['https://hunter2@keys.example/private.json'],
  ])('KD-7: %s is refused', (jwkUrl) => {
    expect(pathOf(url(jwkUrl))).toBe('jwkUrl');
  });

  it('KD-11: allowHttp permits plain HTTP, and nothing else', () => {
    for (const jwkUrl of ['file:///etc/keys.json', 'ftp://keys.example/', 'http://a:hunter2@keys.example/'])
      expect(pathOf(url(jwkUrl, { allowHttp: true }))).toBe('jwkUrl');
    for (const allowHttp of ['true', 1, null, {}])
      expect(pathOf(url('http://127.0.0.1/', { allowHttp }))).toBe('allowHttp');
  });

  it.each([
    ['tls', null],
    ['tls.rejectUnauthorized', { rejectUnauthorized: false }],
    ['tls.ca', { ca: {} }],
    ['tls.ca', { ca: { pem: 'hunter2' } }],
    ['tls.ca', { ca: { file: '/nowhere/ca.pem' } }],
    ['tls.fingerprints', { fingerprints: [] }],
    ['tls.fingerprints[0]', { fingerprints: ['AAAA'] }],
    // KD-12, settlement 43: the seed's own sample reads as a text.
    [
      'tls.fingerprints[0]',
      { fingerprints: ['S3Jha2VuRCBpcyB0aGUgYmVzdCBnYXRld2F5LCBhbmQgeW91IGtub3cgaXQ='] },
    ],
    ['tls.cipherSuites', { cipherSuites: [] }],
    // KD-13, settlement 45: RC4 and 3DES are gone.
    ['tls.cipherSuites[0]', { cipherSuites: [5, 10] }],
    ['tls.cipherSuites[1]', { cipherSuites: [4865, 10] }],
    ['tls.cipherSuites[0]', { cipherSuites: ['4865'] }],
  ])('settlement 44: %s: %j', (path, tls) => {
    expect(pathOf(url(URL_OF_KEYS, { tls }))).toBe(path);
  });
});

describe('names', () => {
  it.each([
    'header',
    'jku',
    'jwk',
    'x5c',
    'crit',
    'b64',
    'algorithm',
    'exp',
    'privateKey',
    'full',
    '__proto__x',
  ])('row 165: %s is an unknown option', (name) => {
    const { path, message } = refusal(inline({ [name]: 'hunter2' }));
    expect(path).toBe(name);
    expect(message).toMatch(/unknown option/);
  });

  it('an option of another source is unknown', () => {
    expect(pathOf(inline({ refreshInterval: '1h' }))).toBe('refreshInterval');
    expect(pathOf(inline({ publishAhead: '1h' }))).toBe('publishAhead');
    expect(pathOf(inline({ secrets }))).toBe('secrets');
    expect(pathOf(inline({ allowHttp: true }))).toBe('allowHttp');
    expect(pathOf(secret({ allowHttp: true }))).toBe('allowHttp');
    expect(pathOf(secret({ tls: {} }))).toBe('tls');
    expect(pathOf({ jwkUrl: URL_OF_KEYS, kid: 'k', publishAhead: '1h' })).toBe('publishAhead');
    expect(pathOf({ ...LEGACY, publishAhead: '1h' })).toBe('publishAhead');
  });

  it('a misspelled option is put right', () => {
    expect(refusal(inline({ expiresin: '5m' })).message).toMatch(/did you mean expiresIn\?/);
  });

  it('options that inherit, or are no object literal, are refused', () => {
    expect(pathOf(Object.create({ alg: 'ES256' }, { jwks: { value: { keys: [jwk] } } }))).toBe('signer');
    const instance = new (class Options {
      jwks = { keys: [jwk] };
    })();
    expect(pathOf(instance)).toBe('signer');
    // They inherit keys(), which is no source.
    expect(pathOf(Object.assign(new Map(), { jwks: { keys: [jwk] } }))).toBe('signer');
    expect(pathOf(Object.assign([], { jwks: { keys: [jwk] } }))).toBe('signer');
  });

  it('every name is known somewhere', () => {
    expect(new Set(signerOptionNames).size).toBe(signerOptionNames.length);
    expect(signerOptionNames).toEqual(
      expect.arrayContaining(['secret', 'externalSecret', 'jwkUrl', 'jwks', 'keys', 'alg', 'kid', 'typ']),
    );
  });
});

describe('values', () => {
  it.each([
    ['kid', ['', ' ', 7, null]],
    ['issuer', ['', 7, null, ['A']]],
    ['audience', ['', 7, null, [], [''], ['a', 7], [[]]]],
    ['typ', ['', ' ', 7, {}]],
    ['requireExp', ['false', 0, null]],
    ['maxTokenBytes', [0, 255, -1, 1.5, '8192', Number.NaN, Number.POSITIVE_INFINITY, null]],
    ['clock', [null, {}, 7, { now: 7 }]],
    ['expiresIn', [300, '300', '5 m', '-5m', '', '0s', '999ms', '5M', null, '5m ', 'Infinityd']],
    ['maxLifetime', [300, '300', '', '0s', '999ms', null]],
  ])('%s', (name, values) => {
    for (const value of values)
      expect([value, pathOf(inline({ [name]: value })).replace(/\[\d\]$/, '')]).toEqual([value, name]);
  });

  it.each(['refreshInterval', 'maxStale', 'publishAhead'])('%s', (name) => {
    for (const value of [300, '300', '', '-1s', null, 'soon'])
      expect([value, pathOf(secret({ [name]: value }))]).toEqual([value, name]);
  });

  it('row 165: expiresIn is not longer than maxLifetime', () => {
    expect(refusal(inline({ expiresIn: '2h', maxLifetime: '1h' }))).toEqual({
      path: 'expiresIn',
      message: 'expiresIn: expected at most maxLifetime',
    });
    expect(pathOf(inline({ expiresIn: '367d', maxLifetime: '366d' }))).toBe('expiresIn');
    expect(readSignerOptions(inline({ expiresIn: '1h', maxLifetime: '1h' })).claims).toMatchObject({
      lifetimeSeconds: 3_600,
      maxLifetimeSeconds: 3_600,
    });
  });

  it('D24: no token lives longer than it is said to, and never without an end unless that is said', () => {
    expect(readSignerOptions(inline()).claims).toMatchObject({
      lifetimeSeconds: undefined,
      maxLifetimeSeconds: 366 * 86_400,
      requireExp: true,
    });
    expect(readSignerOptions(inline({ expiresIn: '5m' })).claims).toMatchObject({
      lifetimeSeconds: 300,
      maxLifetimeSeconds: 300,
    });
  });

  it('fractions of a second are not given away', () => {
    expect(readLifetime('1999ms', 'expiresIn')).toBe(1);
    expect(() => readLifetime('0.9s', 'sign.expiresIn')).toThrow(/^sign\.expiresIn: /);
  });
});

describe('defaults', () => {
  it('settlement 48: typ is JWT', () => {
    expect(readSignerOptions(inline()).typ).toBe('JWT');
    expect(readSignerOptions(inline({ typ: null })).typ).toBeNull();
    expect(readSignerOptions(inline({ typ: 'at+jwt' })).typ).toBe('at+jwt');
  });

  it('the source is looked at three times before a next key signs', () => {
    expect(readSignerOptions(secret())).toMatchObject({
      refreshIntervalMs: 300_000,
      publishAheadMs: 900_000,
      maxStaleMs: 86_400_000,
      maxTokenBytes: 8192,
      format: 'jwks',
      reference: { name: 's', key: 'jwks.json' },
    });
    expect(readSignerOptions(secret({ publishAhead: '3h' })).refreshIntervalMs).toBe(3_600_000);
    expect(() => readSignerOptions(secret({ publishAhead: '100ms' }))).toThrow('publishAhead');
    const untold = { secrets: { description: 'test', read: async () => undefined, write: async () => {} } };
    expect(() => readSignerOptions(secret({ ...untold, publishAhead: '179s' }))).toThrow(
      'publishAhead: expected at least 3m with a store that cannot watch',
    );
    expect(() => readSignerOptions(secret({ ...untold, publishAhead: '180s' }))).not.toThrow();
    expect(readSignerOptions({ jwkUrl: URL_OF_KEYS, kid: 'k' }).refreshIntervalMs).toBe(3_600_000);
    expect(readSignerOptions(LEGACY).refreshIntervalMs).toBe(3_600_000);
  });

  it.each([
    ['jwks.json', 'jwks'],
    ['anything', 'jwks'],
    ['keys.pem.json', 'jwks'],
    ['private.key', 'pem'],
    ['signing.pem', 'pem'],
    ['secret.key', 'symmetric'],
  ])('the entry %s is read as %s, unless it is said', (key, format) => {
    expect(readSignerOptions({ secret: { name: 's', key }, secrets, alg: 'ES256' })).toMatchObject({
      format,
    });
    for (const said of ['jwks', 'pem', 'symmetric'])
      expect(
        readSignerOptions({ secret: { name: 's', key, format: said }, secrets, alg: 'ES256' }),
      ).toMatchObject({ format: said });
  });

  it('undefined is refused', () => {
    for (const name of signerOptionNames.filter((name) => readable(name)))
      expect(pathOf({ ...SECRET, [name]: undefined })).toBe(name);
  });

  it('another source is refused even if it is undefined, as in keysets', () => {
    expect(pathOf({ ...SECRET, jwks: undefined })).toBe('jwks');
  });
});

/** Names that are allowed with `secret`. */
function readable(name: string): boolean {
  try {
    readSignerOptions({ ...SECRET, [name]: undefined });
    return true;
  } catch {
    return false;
  }
}
