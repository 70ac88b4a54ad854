// JWK in, verification key out: which members of a JWK Set are refused and why, and which
// algorithms a key is bound to.
import { generateKeyPairSync, type KeyObject, randomBytes, sign, webcrypto } from 'node:crypto';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  importJwk,
  importJwks,
  importJwksInTurns,
  KEYS_PER_TURN,
  type KeyPolicy,
  type VerificationKey,
} from '../../src/jwk/import-jwks.ts';
import { createSnapshot } from '../../src/keysets/keyset.ts';
import { type AlgorithmName, algorithmNames } from '../../src/token/algorithms.ts';
import type { JsonObject } from '../../src/values/json.ts';

const PUBLIC: KeyPolicy = { origin: 'public' };

const { subtle } = webcrypto;
type WebCryptoAlgorithm =
  | { readonly name: string }
  | webcrypto.EcKeyGenParams
  | webcrypto.RsaHashedKeyGenParams;

type Family = 'rsa' | 'p256' | 'p384' | 'p521' | 'ed25519';

const signing = new Map<Family, SigningKey>();

beforeAll(async () => {
  signing.set('rsa', await generateSigningKey('RS256'));
  signing.set('p256', await generateSigningKey('ES256'));
  signing.set('p384', await generateSigningKey('ES384'));
  signing.set('p521', await generateSigningKey('ES512'));
  signing.set('ed25519', await generateSigningKey('EdDSA'));
});

/** A good public key with nothing but what makes it, and a kid. */
function bare(family: Family): JsonObject {
  return without(signing.get(family)!.publicJwk, 'alg', 'use');
}

function without(jwk: JsonObject, ...names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(jwk).filter(([name]) => !names.includes(name)));
}

function bytesOf(jwk: JsonObject, name: string): Buffer {
  return Buffer.from(jwk[name] as string, 'base64url');
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

/** A number as Base64urlUInt. */
function uint(value: bigint): string {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('base64url');
}

/** An odd number of exactly so many bits. An import cannot tell it from a real modulus. */
function modulus(bits: number): string {
  const bytes = randomBytes(Math.ceil(bits / 8));
  const top = (bits - 1) % 8;
  bytes[0] = (bytes[0]! & ((1 << (top + 1)) - 1)) | (1 << top);
  bytes[bytes.length - 1]! |= 1;
  return base64url(bytes);
}

const jwkOf = (key: KeyObject) => key.export({ format: 'jwk' }) as JsonObject;

function imported(jwk: unknown, allowed?: readonly AlgorithmName[]): VerificationKey {
  const key = importJwk(jwk, { ...PUBLIC, allowed: allowed && new Set(allowed) });
  if ('reason' in key) throw new Error(`refused: ${key.reason}`);
  return key;
}

const NO_ALGORITHM = 'no supported and allowed algorithm fits the key';
const NOT_FITTING = 'alg does not fit kty and crv';
const UNSUPPORTED = 'alg is not supported';
const EXPONENT = 'RSA exponent is not an odd number from 3 to 2^33';
const NOT_SIG = 'use is not "sig"';
const NO_VERIFY = 'key_ops does not have "verify"';
const TOO_SHORT = 'RSA modulus under 2048 bits (RFC 7518 §3.3)';
const TOO_LONG = 'RSA modulus over 8192 bits';
const INVALID = 'not a valid public key';
const X_LENGTH = 'x does not have the length of the curve';
const SECRET = 'holds a private or symmetric key';

interface BadKey {
  readonly title: string;
  readonly family: Family;
  readonly change: (good: JsonObject) => JsonObject;
  readonly reason: string;
}

/** A good key with other members, or changed by a function. */
function bad(title: string, family: Family, other: BadKey['change'] | object, reason: string): BadKey {
  const change =
    typeof other === 'function' ? (other as BadKey['change']) : (good: JsonObject) => ({ ...good, ...other });
  return { title, family, change, reason };
}

// The encodings of the eight points of small order, with those that are not canonical: y as y + p,
// and -0.
const SMALL_ORDER = [
  ['order 4, y = 0', `00${'00'.repeat(30)}00`],
  ['order 4, y = 0, x negative', `00${'00'.repeat(30)}80`],
  ['order 4, y = p', `ed${'ff'.repeat(30)}7f`],
  ['order 4, y = p, x negative', `ed${'ff'.repeat(30)}ff`],
  ['the neutral element', `01${'00'.repeat(30)}00`],
  ['the neutral element, -0', `01${'00'.repeat(30)}80`],
  ['the neutral element, y = p + 1', `ee${'ff'.repeat(30)}7f`],
  ['the neutral element, y = p + 1, -0', `ee${'ff'.repeat(30)}ff`],
  ['order 2', `ec${'ff'.repeat(30)}7f`],
  ['order 2, -0', `ec${'ff'.repeat(30)}ff`],
  ['order 8, a', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'],
  ['order 8, b', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85'],
  ['order 8, c', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'],
  ['order 8, d', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa'],
] as const;

const INHERITED = ['__proto__', 'constructor'];
const ALL_ONES = base64url(Buffer.alloc(32, 0xff));
const ALL_ZEROS = base64url(Buffer.alloc(32));

const BAD_KEYS: readonly BadKey[] = [
  bad(
    'T-029: an RSA key of 1024 bits',
    'rsa',
    () => jwkOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey),
    TOO_SHORT,
  ),
  bad('T-029: an RSA modulus of 2047 bits', 'rsa', { n: modulus(2047) }, TOO_SHORT),
  bad('T-030: an RSA modulus of 8193 bits', 'rsa', { n: modulus(8193) }, TOO_LONG),
  bad('T-030: an RSA modulus of 65536 bits', 'rsa', { n: modulus(65_536) }, TOO_LONG),
  ...[1n, 2n, 4n, 65_536n, 2n ** 32n, 2n ** 33n, 2n ** 33n + 1n, 2n ** 40n + 1n, 2n ** 64n + 1n].map((e) =>
    bad(`T-030: RSA exponent ${e}`, 'rsa', { e: uint(e) }, EXPONENT),
  ),
  bad(
    'T-030: RSA exponent n - 2',
    'rsa',
    (good) => ({ ...good, e: uint(BigInt(`0x${bytesOf(good, 'n').toString('hex')}`) - 2n) }),
    EXPONENT,
  ),
  bad('T-030: exponent 0', 'rsa', { e: 'AA' }, 'e is not a positive integer'),
  bad('T-030: an empty n', 'rsa', { n: '' }, 'n is not a positive integer'),
  bad('T-030: an empty e', 'rsa', { e: '' }, 'e is not a positive integer'),
  bad('T-122: n is missing', 'rsa', (good) => without(good, 'n'), 'n is not a string'),
  bad('T-122: e is a number', 'rsa', { e: 65_537 }, 'e is not a string'),
  bad('T-122: n is padded base64', 'rsa', (good) => ({ ...good, n: `${good.n}==` }), 'n is not base64url'),
  bad('T-122: e is not canonical base64url', 'rsa', { e: 'AQABA' }, 'e is not base64url'),
  bad('T-122: n holds white space', 'rsa', (good) => ({ ...good, n: `${good.n}\n` }), 'n is not base64url'),
  bad(
    'T-032: a point off the curve',
    'p256',
    (good) => {
      const y = bytesOf(good, 'y');
      y[31]! ^= 1;
      return { ...good, y: base64url(y) };
    },
    INVALID,
  ),
  bad('T-032: the point (0, 0)', 'p256', { x: ALL_ZEROS, y: ALL_ZEROS }, INVALID),
  bad('T-032: coordinates beyond the field', 'p256', { x: ALL_ONES, y: ALL_ONES }, INVALID),
  bad('T-032: x and y change places', 'p384', (good) => ({ ...good, x: good.y!, y: good.x! }), INVALID),
  ...(['p256', 'p384', 'p521'] as const).flatMap((family) =>
    (['x', 'y'] as const).flatMap((name) => [
      bad(
        `T-032: ${family}, ${name} is one octet short`,
        family,
        (good) => ({ ...good, [name]: base64url(bytesOf(good, name).subarray(1)) }),
        `${name} does not have the length of the curve`,
      ),
      bad(
        `T-032: ${family}, ${name} has one more leading zero`,
        family,
        (good) => ({ ...good, [name]: base64url(Buffer.concat([Buffer.alloc(1), bytesOf(good, name)])) }),
        `${name} does not have the length of the curve`,
      ),
    ]),
  ),
  bad('T-032: y is missing', 'p256', (good) => without(good, 'y'), 'y is not a string'),
  bad('T-032: the coordinates are of another curve', 'p256', { crv: 'P-384' }, X_LENGTH),
  ...['P-192', 'P-224', 'secp256k1', 'p-256', 'prime256v1', 'Ed25519', ''].map((crv) =>
    bad(`T-128: EC with crv ${JSON.stringify(crv)}`, 'p256', { crv }, NO_ALGORITHM),
  ),
  ...['Ed448', 'X25519', 'ed25519', 'P-256'].map((crv) =>
    bad(`T-128: OKP with crv ${crv} (settlement 9)`, 'ed25519', { crv }, NO_ALGORITHM),
  ),
  ...[null, 1, ['P-256'], {}].map((crv) =>
    bad(`T-128: crv is ${JSON.stringify(crv)}`, 'p256', { crv }, 'crv is not a string'),
  ),
  // An exposed private key is reported as such, whatever else is wrong with it.
  bad('T-124: a private EC key for encryption', 'p256', { use: 'enc', d: 'AQAB' }, SECRET),
  bad('T-124: a private EC key for ECDH-ES', 'p256', { alg: 'ECDH-ES', d: 'AQAB' }, SECRET),
  bad('T-128: EC without crv', 'p256', (good) => without(good, 'crv'), NO_ALGORITHM),
  ...SMALL_ORDER.map(([title, hex]) =>
    bad(
      `T-032: Ed25519 of small order: ${title}`,
      'ed25519',
      { x: base64url(Buffer.from(hex, 'hex')) },
      'x is a point of small order',
    ),
  ),
  ...[0, 31, 33, 57].map((length) =>
    bad(`T-032: Ed25519 of ${length} octets`, 'ed25519', { x: base64url(Buffer.alloc(length, 9)) }, X_LENGTH),
  ),
  bad(
    'T-125: an oct key',
    'p256',
    ({ kid }) => ({ kty: 'oct', kid: kid!, k: base64url(Buffer.alloc(64, 7)) }),
    SECRET,
  ),
  bad(
    'T-125: an oct key with an HMAC algorithm',
    'p256',
    ({ kid }) => ({ kty: 'oct', kid: kid!, alg: 'HS256', k: base64url(Buffer.alloc(64, 7)) }),
    SECRET,
  ),
  bad(
    'T-125: an oct key that claims to be for RS256',
    'p256',
    ({ kid }) => ({ kty: 'oct', kid: kid!, alg: 'RS256', k: base64url(Buffer.alloc(64, 7)) }),
    SECRET,
  ),
  ...['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'].flatMap((name) => [
    bad(`T-124: RSA with the private member ${name}`, 'rsa', { [name]: 'AQAB' }, SECRET),
    bad(`T-124: EC with ${name}: null`, 'p256', { [name]: null }, SECRET),
  ]),
  bad(
    'T-124: a whole private EC key',
    'p256',
    () => jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
    SECRET,
  ),
  bad(
    'T-124: a whole private Ed25519 key',
    'ed25519',
    () => jwkOf(generateKeyPairSync('ed25519').privateKey),
    SECRET,
  ),
  ...['enc', 'SIG', '', 'sig ', null, 1, ['sig'], { sig: true }].map((use) =>
    bad(`T-128: use is ${JSON.stringify(use)}`, 'p256', { use }, NOT_SIG),
  ),
  ...[[], ['encrypt'], ['sign'], ['VERIFY'], [['verify']], 'verify', null, 1, { verify: true }].map(
    (keyOps) => bad(`T-128: key_ops is ${JSON.stringify(keyOps)}`, 'p256', { key_ops: keyOps }, NO_VERIFY),
  ),
  ...(
    [
      ['rsa', 'ES256'],
      ['rsa', 'EdDSA'],
      ['p256', 'RS256'],
      ['p256', 'ES384'],
      ['p256', 'Ed25519'],
      ['p384', 'ES256'],
      ['p521', 'ES384'],
      ['ed25519', 'ES256'],
      ['ed25519', 'PS256'],
    ] as const
  ).map(([family, alg]) => bad(`T-021: ${family} with alg ${alg}`, family, { alg }, NOT_FITTING)),
  ...['none', 'HS1', 'RS1', 'RSA-OAEP', 'ES256K', 'rs256', 'RS256 ', 'Ed448', '', ...INHERITED].map((alg) =>
    bad(`T-017: alg is ${JSON.stringify(alg)}`, 'rsa', { alg }, UNSUPPORTED),
  ),
  ...[null, 0, true, ['RS256'], {}].map((alg) =>
    bad(`T-017: alg is ${JSON.stringify(alg)}`, 'rsa', { alg }, 'alg is not a string'),
  ),
  bad('T-128: kty is missing', 'rsa', (good) => without(good, 'kty'), 'kty is not a string'),
  bad('T-128: kty is null', 'rsa', { kty: null }, 'kty is not a string'),
  ...['rsa', 'AKP', '__proto__', ''].map((kty) =>
    bad(`T-128: kty is ${JSON.stringify(kty)}`, 'rsa', { kty }, NO_ALGORITHM),
  ),
  bad('T-128: kty of another type than the members', 'p256', { kty: 'RSA' }, 'n is not a string'),
];

describe('a key that is not fit to verify with', () => {
  it.each(BAD_KEYS)('$title', ({ family, change, reason }) => {
    const good = bare(family);
    // The unchanged key is good, so it is the change that is refused.
    expect(importJwk(good, PUBLIC)).not.toHaveProperty('reason');
    const changed = { ...change(good), kid: 'odd one' };
    expect(importJwk(changed, PUBLIC)).toEqual({ kid: 'odd one', reason });
  });

  it('T-124: says why in words that hold nothing of the key', () => {
    for (const { family, change } of BAD_KEYS) {
      const changed = change(bare(family));
      const told = JSON.stringify(importJwk(without(changed, 'kid'), PUBLIC));
      for (const name of ['n', 'x', 'y', 'd', 'p', 'q', 'dp', 'dq', 'qi', 'k']) {
        const value = changed[name];
        if (typeof value === 'string' && value.length > 8) expect(told).not.toContain(value);
      }
    }
  });

  it.each([
    ['null', null],
    ['a number', 5],
    ['zero', 0],
    ['a number as a string', ''],
    ['an array', ['a']],
    ['an object', {}],
    ['true', true],
    ['257 characters', 'k'.repeat(257)],
  ])('T-039: kid is %s', (_, kid) => {
    expect(importJwk({ ...bare('p256'), kid }, PUBLIC)).toEqual({
      kid: undefined,
      reason: 'kid is not a string of 1 to 256 characters',
    });
  });

  it.each([
    ['one character', 'k'],
    ['256 characters', 'k'.repeat(256)],
    ['a path', '../../dev/null'],
    ['a name of Object.prototype', '__proto__'],
  ])('T-039: kid of %s is a kid', (_, kid) => {
    expect(imported({ ...bare('p256'), kid }).kid).toBe(kid);
  });

  it('T-014: inherited members count for nothing', () => {
    expect(importJwk(Object.create(bare('p256')), PUBLIC)).toEqual({
      kid: undefined,
      reason: 'kty is not a string',
    });
  });
});

describe('a key at the edge of what is fit', () => {
  it.each([
    ['T-029: 2048 bits', () => ({ ...bare('rsa'), n: modulus(2048) })],
    ['T-030: 8192 bits', () => ({ ...bare('rsa'), n: modulus(8192) })],
    ['T-030: exponent 3', () => ({ ...bare('rsa'), e: uint(3n) })],
    ['T-030: exponent 2^32 + 1', () => ({ ...bare('rsa'), e: uint(2n ** 32n + 1n) })],
    ['T-030: exponent 2^33 - 1', () => ({ ...bare('rsa'), e: uint(2n ** 33n - 1n) })],
    ['T-128: key_ops with verify among others', () => ({ ...bare('p256'), key_ops: ['sign', 'verify'] })],
    ['T-128: use sig', () => ({ ...bare('p256'), use: 'sig' })],
    ['T-128: unknown members', () => ({ ...bare('p256'), x5c: ['junk'], x5t: 5, ext: true, nbf: 'no' })],
  ])('%s', (_, make) => {
    expect(importJwk(make(), PUBLIC)).not.toHaveProperty('reason');
  });
});

describe('a private key in a secret', () => {
  const SECRET_ORIGIN: KeyPolicy = { origin: 'secret' };

  /** As WebCrypto exports it, "key_ops" included. */
  async function exported(algorithm: WebCryptoAlgorithm) {
    const pair = (await subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
    const privateJwk = (await subtle.exportKey('jwk', pair.privateKey)) as JsonObject;
    const publicJwk = (await subtle.exportKey('jwk', pair.publicKey)) as JsonObject;
    return { privateKey: pair.privateKey, privateJwk, publicJwk };
  }

  it.each<[title: AlgorithmName, algorithm: WebCryptoAlgorithm]>([
    ['ES256', { name: 'ECDSA', namedCurve: 'P-256' }],
    ['EdDSA', { name: 'Ed25519' }],
    [
      'RS256',
      {
        name: 'RSASSA-PKCS1-v1_5',
        hash: 'SHA-256',
        modulusLength: 2048,
        publicExponent: Uint8Array.of(1, 0, 1),
      },
    ],
    ['ML-DSA-44', { name: 'ML-DSA-44' }],
  ])('AK-22: of %s, exported by WebCrypto, is verified with', async (name, algorithm) => {
    const { privateKey, privateJwk, publicJwk } = await exported(algorithm);
    expect([privateJwk.key_ops, publicJwk.key_ops]).toEqual([['sign'], ['verify']]);
    const key = importJwk(privateJwk, SECRET_ORIGIN);
    if ('reason' in key) throw new Error(`refused: ${key.reason}`);
    const input = Buffer.from('signing input');
    const how = 'namedCurve' in algorithm ? { name: 'ECDSA', hash: 'SHA-256' } : { name: algorithm.name };
    const signature = new Uint8Array(await subtle.sign(how, privateKey, input));
    expect(key.verifiers.get(name)?.(input, signature)).toBe(true);
    expect(key.verifiers.get(name)?.(Buffer.from('another input'), signature)).toBe(false);
    // Published, it is lost, whatever it is for.
    expect(importJwk(privateJwk, PUBLIC)).toEqual({ kid: undefined, reason: SECRET });
  });

  const d = base64url(randomBytes(32));
  it.each<[title: string, change: (good: JsonObject) => JsonObject, reason: string]>([
    ['a private key for something else', (good) => ({ ...good, d, key_ops: ['deriveBits'] }), NO_VERIFY],
    ['a private key for nothing', (good) => ({ ...good, d, key_ops: [] }), NO_VERIFY],
    ['a private key with key_ops that is no array', (good) => ({ ...good, d, key_ops: 'sign' }), NO_VERIFY],
    ['a private key for encryption', (good) => ({ ...good, d, use: 'enc', key_ops: ['sign'] }), NOT_SIG],
    ['a public key that says it signs', (good) => ({ ...good, key_ops: ['sign'] }), NO_VERIFY],
    [
      'an inherited private member',
      (good) => Object.assign(Object.create({ d }), good, { key_ops: ['sign'] }),
      NO_VERIFY,
    ],
    [
      'a private member of another type of key',
      (good) => ({ ...good, priv: d, k: d, key_ops: ['sign'] }),
      NO_VERIFY,
    ],
    [
      'a symmetric key that only signs',
      () => ({ kty: 'oct', alg: 'HS256', k: d, d, key_ops: ['sign'] }),
      NO_VERIFY,
    ],
  ])('T-128: %s is refused', (_, change, reason) => {
    expect(importJwk(without(change(bare('p256')), 'kid'), SECRET_ORIGIN)).toEqual({
      kid: undefined,
      reason,
    });
  });

  it('T-128: with "verify" is verified with, as a public one is', () => {
    for (const jwk of [bare('p256'), { ...bare('p256'), d }]) {
      expect(importJwk({ ...jwk, key_ops: ['verify'] }, SECRET_ORIGIN)).not.toHaveProperty('reason');
      expect(importJwk({ ...jwk, key_ops: ['sign', 'verify'] }, SECRET_ORIGIN)).not.toHaveProperty('reason');
    }
  });
});

describe('a JWK Set', () => {
  it.each([
    ['null', null],
    ['undefined', undefined],
    ['a string', 'keys'],
    ['an array', []],
    ['an object without keys', {}],
    ['keys: null', { keys: null }],
    ['keys: an object', { keys: {} }],
    ['keys: a string', { keys: 'abc' }],
    ['keys: a number', { keys: 3 }],
    ['inherited keys', Object.create({ keys: [] })],
    ['a bare JWK', { kty: 'RSA', n: 'AQAB', e: 'AQAB' }],
  ])('T-122: %s is none', (_, document) => {
    expect(() => importJwks(document, PUBLIC)).toThrow(
      /^expected a JWK Set, { keys: \[ … \] }(?:, got .*)?$/,
    );
  });

  it.each([null, 1, 'key', true, [], [[]]])(
    'T-122: the member %j is skipped, and the others are used',
    (member) => {
      const { keys, skipped } = importJwks({ keys: [member, bare('p256'), member, bare('rsa')] }, PUBLIC);
      expect(keys.map(({ kid }) => kid)).toEqual([bare('p256').kid, bare('rsa').kid]);
      const reason = 'not a JSON object';
      expect(skipped).toEqual([
        { kid: undefined, reason },
        { kid: undefined, reason },
      ]);
    },
  );

  it('T-123: an empty set is a set', () => {
    expect(importJwks({ keys: [] }, PUBLIC)).toEqual({ keys: [], skipped: [] });
  });

  it('T-117: 200 RSA keys do not hold the event loop', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const jwk = publicKey.export({ format: 'jwk' });
    const keys = Array.from({ length: 200 }, (_, index) => ({ ...jwk, kid: `k${index}`, alg: 'RS256' }));
    let [turns, isDone] = [0, false];
    const turn = () => {
      turns++;
      if (!isDone) setImmediate(turn);
    };
    setImmediate(turn);
    const imported = await importJwksInTurns({ keys }, PUBLIC, new AbortController().signal);
    isDone = true;
    expect(imported).toEqual({ keys: expect.any(Array), skipped: [] });
    expect(imported.keys.map(({ kid }) => kid)).toEqual(keys.map(({ kid }) => kid));
    expect(turns).toBeGreaterThanOrEqual(200 / KEYS_PER_TURN - 1);
    await expect(importJwksInTurns({ keys: [...keys, jwk] }, PUBLIC, AbortSignal.abort())).rejects.toThrow(
      new TypeError('expected a JWK Set of at most 200 keys'),
    );
    await expect(importJwksInTurns({ keys }, PUBLIC, AbortSignal.abort(new Error('closed')))).rejects.toThrow(
      'closed',
    );
  });

  it('T-117: 200 keys are read, 201 are none', () => {
    const keys = Array.from({ length: 201 }, (_, index) => ({ ...bare('p256'), kid: `k${index}` }));
    expect(importJwks({ keys: keys.slice(0, 200) }, PUBLIC).keys).toHaveLength(200);
    expect(() => importJwks({ keys }, PUBLIC)).toThrow(
      new TypeError('expected a JWK Set of at most 200 keys'),
    );
  });

  it('T-117: members that cannot be used count as well', () => {
    expect(() => importJwks({ keys: Array.from({ length: 201 }, () => null) }, PUBLIC)).toThrow(TypeError);
  });

  it('T-122: the decoys of the OpenID conformance suite are ignored', () => {
    const good = bare('rsa');
    const decoys: readonly JsonObject[] = [
      { kty: 'AKP', alg: 'ML-DSA-unknown', pub: base64url(randomBytes(1312)), use: 'sig', kid: 'decoy-akp' },
      { kty: 'unknown-kty', use: 'sig', kid: 'decoy-kty' },
      { ...good, alg: 'unknown-alg', use: 'sig', kid: 'decoy-rsa-alg' },
      { ...bare('p256'), alg: 'unknown-alg', use: 'sig', kid: 'decoy-ec-alg' },
      { ...bare('p256'), crv: 'unknown-crv', use: 'sig', kid: 'decoy-ec-crv' },
    ];
    const { keys, skipped } = importJwks({ keys: [...decoys, good], extra: 'member' }, PUBLIC);
    expect(keys.map(({ kid }) => kid)).toEqual([good.kid]);
    expect(skipped.map(({ kid }) => kid)).toEqual(decoys.map(({ kid }) => kid));
  });

  it('T-125: an oct key of the same kid does not disturb the real one', () => {
    const oct = { kty: 'oct', kid: bare('p256').kid!, alg: 'HS256', k: base64url(Buffer.alloc(64, 7)) };
    const { keys, skipped } = importJwks({ keys: [oct, bare('p256')] }, PUBLIC);
    expect(keys).toHaveLength(1);
    expect([...keys[0]!.verifiers.keys()]).toEqual(['ES256']);
    expect(skipped).toHaveLength(1);
  });

  it('T-126: keys that share a kid are all kept, in order, and told apart', () => {
    const set = ['p256', 'rsa', 'p384', 'p256'].map((family) => ({ ...bare(family as Family), kid: 'same' }));
    const { keys, skipped } = importJwks({ keys: set }, PUBLIC);
    expect(skipped).toEqual([]);
    expect(createSnapshot(keys).byKid.get('same')).toEqual(keys);
    expect(keys.map(({ verifiers }) => [...verifiers.keys()][0])).toEqual([
      'ES256',
      'RS256',
      'ES384',
      'ES256',
    ]);
    expect(new Set(keys.map(({ thumbprint }) => thumbprint)).size).toBe(3);
  });

  it('T-130: a key is the same by its material, whatever else is said of it', () => {
    const plain = imported(bare('p256'));
    const dressed = imported({ ...bare('p256'), use: 'sig', alg: 'ES256', x5t: 'thumb', kid: 'other' });
    expect(dressed.thumbprint).toBe(plain.thumbprint);
  });
});

describe('the algorithms that a key is bound to', () => {
  const RSA_PKCS1: readonly AlgorithmName[] = ['RS256', 'RS384', 'RS512'];
  const RSA_PSS: readonly AlgorithmName[] = ['PS256', 'PS384', 'PS512'];
  const EDDSA: readonly AlgorithmName[] = ['EdDSA', 'Ed25519'];

  it.each<{
    readonly family: Family;
    readonly alg?: AlgorithmName;
    readonly allowed?: readonly AlgorithmName[];
    readonly bound: readonly AlgorithmName[];
  }>([
    // Neither says anything: what the key's type takes, RSASSA-PSS left out.
    { family: 'rsa', bound: RSA_PKCS1 },
    { family: 'p256', bound: ['ES256'] },
    { family: 'p384', bound: ['ES384'] },
    { family: 'p521', bound: ['ES512'] },
    { family: 'ed25519', bound: EDDSA },
    // Only the key says something: that and nothing else.
    ...[...RSA_PKCS1, ...RSA_PSS].map((alg) => ({ family: 'rsa' as const, alg, bound: [alg] })),
    { family: 'p256', alg: 'ES256', bound: ['ES256'] },
    { family: 'ed25519', alg: 'EdDSA', bound: EDDSA },
    { family: 'ed25519', alg: 'Ed25519', bound: EDDSA },
    // Only the keyset says something: what of it fits the key.
    { family: 'rsa', allowed: ['RS256'], bound: ['RS256'] },
    { family: 'rsa', allowed: ['PS256', 'ES256'], bound: ['PS256'] },
    { family: 'rsa', allowed: ['RS512', 'PS384', 'EdDSA'], bound: ['RS512', 'PS384'] },
    { family: 'p384', allowed: ['ES256', 'ES384', 'ES512'], bound: ['ES384'] },
    { family: 'ed25519', allowed: ['EdDSA', 'Ed25519'], bound: EDDSA },
    // Both: the intersection.
    { family: 'rsa', alg: 'RS256', allowed: ['RS256', 'RS384'], bound: ['RS256'] },
    { family: 'rsa', alg: 'PS512', allowed: ['RS256', 'PS512'], bound: ['PS512'] },
    { family: 'p256', alg: 'ES256', allowed: ['ES256', 'RS256'], bound: ['ES256'] },
  ])(
    'settlement 8, T-020: $family, alg $alg, allowed $allowed: $bound',
    ({ family, alg, allowed, bound }) => {
      const jwk = alg === undefined ? bare(family) : { ...bare(family), alg };
      expect([...imported(jwk, allowed).verifiers.keys()].sort()).toEqual([...bound].sort());
    },
  );

  it.each<{
    readonly family: Family;
    readonly alg?: AlgorithmName;
    readonly allowed: readonly AlgorithmName[];
  }>([
    { family: 'rsa', alg: 'RS256', allowed: ['RS384'] },
    { family: 'rsa', alg: 'RS256', allowed: ['PS256'] },
    { family: 'rsa', allowed: ['ES256'] },
    { family: 'p256', allowed: ['RS256', 'ES384'] },
    { family: 'ed25519', allowed: ['ES256'] },
  ])('settlement 8: $family, alg $alg, allowed $allowed: no key at all', ({ family, alg, allowed }) => {
    const jwk = alg === undefined ? bare(family) : { ...bare(family), alg };
    expect(importJwk(jwk, { ...PUBLIC, allowed: new Set(allowed) })).toEqual({
      kid: bare(family).kid,
      reason: NO_ALGORITHM,
    });
  });

  it.each(['EdDSA', 'Ed25519'] as const)('settlement 9: a key of alg %s verifies under both names', (alg) => {
    const { verifiers } = imported({ ...bare('ed25519'), alg });
    const input = Buffer.from('signing input');
    const signature = sign(null, input, signing.get('ed25519')!.privateKey);
    for (const name of EDDSA) {
      expect(verifiers.get(name)?.(input, signature)).toBe(true);
      expect(verifiers.get(name)?.(Buffer.from('another input'), signature)).toBe(false);
    }
  });

  it.each(algorithmNames.filter((name) => !name.startsWith('H')))(
    'AK-5: a public key of alg %s verifies what jose signs with it',
    async (alg) => {
      const key = await generateSigningKey(alg);
      const token = await mint(key, { sub: 'alice' });
      const dot = token.lastIndexOf('.');
      const input = Buffer.from(token.slice(0, dot));
      const signature = Buffer.from(token.slice(dot + 1), 'base64url');
      const verifier = imported(key.publicJwk).verifiers.get(alg);
      expect(verifier?.(input, signature)).toBe(true);
      signature[3]! ^= 1;
      expect(verifier?.(input, signature)).toBe(false);
    },
  );
});
