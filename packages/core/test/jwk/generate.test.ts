// Keys made by the library itself: good for their algorithm by the judgement of jose and of the
// import of keysets, and public only where they are said to be.
import { createPrivateKey, randomBytes } from 'node:crypto';
import { CompactSign, importJWK, type JWK } from 'jose';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { generateJwk, publicJwk } from '../../src/jwk/generate.ts';
import { importJwk, type KeyPolicy } from '../../src/jwk/import-jwks.ts';
import { type AlgorithmName, algorithmNames } from '../../src/token/algorithms.ts';
import { type JsonObject, parseJsonObject } from '../../src/values/json.ts';

const LEGACY: readonly AlgorithmName[] = ['HMD5', 'HS224'];
const MADE = algorithmNames.filter((name) => !LEGACY.includes(name));
const ASYMMETRIC = MADE.filter((name) => !name.startsWith('HS'));
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** One of each, named k1: RSA keys take their time. */
const made = new Map<AlgorithmName, JsonObject>();

beforeAll(async () => {
  for (const algorithm of MADE) made.set(algorithm, await generateJwk(algorithm, 'k1'));
});

const bytesOf = (jwk: JsonObject, name: string) => Buffer.from(String(jwk[name]), 'base64url');

function verifierOf(jwk: unknown, policy: KeyPolicy, algorithm: AlgorithmName) {
  const key = importJwk(jwk, policy);
  if ('reason' in key) throw new Error(`refused: ${key.reason}`);
  const verifier = key.verifiers.get(algorithm);
  if (verifier === undefined) throw new Error(`not bound to ${algorithm}`);
  return { verifier, thumbprint: key.thumbprint, kid: key.kid };
}

describe('a generated key', () => {
  it.each(MADE)('AK-21 AK-22: of %s signs by jose what its public half verifies', async (algorithm) => {
    const jwk = made.get(algorithm)!;
    const key = await importJWK(jwk as JWK, algorithm);
    const token = await new CompactSign(Buffer.from('payload'))
      .setProtectedHeader({ alg: algorithm })
      .sign(key);
    const dot = token.lastIndexOf('.');
    const input = Buffer.from(token.slice(0, dot));
    const signature = Buffer.from(token.slice(dot + 1), 'base64url');
    const forged = Buffer.from(signature);
    forged[7]! ^= 1;

    const own = verifierOf(jwk, { origin: 'secret' }, algorithm);
    expect(own.kid).toBe('k1');
    expect(own.verifier(input, signature)).toBe(true);
    expect(own.verifier(input, forged)).toBe(false);

    const half = publicJwk(jwk);
    if (!ASYMMETRIC.includes(algorithm)) return expect(half).toBeUndefined();
    const published = verifierOf(half, { origin: 'public' }, algorithm);
    expect(published.verifier(input, signature)).toBe(true);
    expect(published.verifier(input, forged)).toBe(false);
    expect([published.kid, published.thumbprint]).toEqual(['k1', own.thumbprint]);
  });

  it.each(MADE)('AK-22: of %s is plain JSON that says what it is for', (algorithm) => {
    const jwk = made.get(algorithm)!;
    expect(parseJsonObject(Buffer.from(JSON.stringify(jwk)))).toEqual(jwk);
    // What verifiers know: RFC 8037, and not only RFC 9864.
    const alg = algorithm === 'Ed25519' ? 'EdDSA' : algorithm;
    expect(jwk).toMatchObject({ kid: 'k1', alg, use: 'sig' });
    expect(PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name))).toBe(true);
  });

  it.each<[algorithm: AlgorithmName, kty: string, crv: string | undefined]>([
    ['ES256', 'EC', 'P-256'],
    ['ES384', 'EC', 'P-384'],
    ['ES512', 'EC', 'P-521'],
    ['EdDSA', 'OKP', 'Ed25519'],
    ['Ed25519', 'OKP', 'Ed25519'],
    ['ML-DSA-65', 'AKP', undefined],
    ['PS256', 'RSA', undefined],
    ['HS256', 'oct', undefined],
  ])('RFC 7518 §6: of %s has kty %s and crv %s', (algorithm, kty, crv) => {
    const jwk = made.get(algorithm)!;
    expect([jwk.kty, jwk.crv]).toEqual([kty, crv]);
  });

  it.each<AlgorithmName>(['RS256', 'PS512'])('D19: of %s has 3072 bits', (algorithm) => {
    const key = createPrivateKey({ key: made.get(algorithm)!, format: 'jwk' });
    expect(key.asymmetricKeyDetails).toEqual({ modulusLength: 3072, publicExponent: 65_537n });
  });

  it.each<[AlgorithmName, number]>([
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ])('D19: of %s has %d bytes, and others each time', async (algorithm, length) => {
    const [one, other] = [await generateJwk(algorithm), await generateJwk(algorithm)];
    expect([bytesOf(one, 'k').length, bytesOf(other, 'k').length]).toEqual([length, length]);
    expect(one.k).not.toBe(other.k);
  });

  it('AK-23: is named by a random UUID where no key id is given', async () => {
    const [one, other] = [await generateJwk('ES256'), await generateJwk('HS256')];
    expect(one.kid).toMatch(UUID);
    expect(other.kid).toMatch(UUID);
    expect(one.kid).not.toBe(other.kid);
  });

  it('AK-23: is named as it is told', async () => {
    for (const kid of ['sim2', 'k'.repeat(256)]) expect((await generateJwk('ES256', kid)).kid).toBe(kid);
  });

  it.each(['', 'k'.repeat(257)])('T-039: has no kid that no keyset would take: %j', async (kid) => {
    await expect(generateJwk('ES256', kid)).rejects.toThrow(
      new TypeError('expected a kid of 1 to 256 characters'),
    );
  });

  it.each(LEGACY)('AK-5: is never one of %s', async (algorithm) => {
    await expect(generateJwk(algorithm)).rejects.toThrow(
      new TypeError(`${algorithm} is too weak for a new key`),
    );
  });

  it.each(['none', 'rs256', '__proto__', ''])('T-017: is never one of %j', async (algorithm) => {
    await expect(generateJwk(algorithm as AlgorithmName)).rejects.toThrow(
      new TypeError('not a supported algorithm'),
    );
  });

  it('does not stop the service while it is made', async () => {
    let turns = 0;
    let making = true;
    const count = () => {
      turns++;
      if (making) setImmediate(count);
    };
    setImmediate(count);
    await generateJwk('RS256');
    making = false;
    expect(turns).toBeGreaterThan(10);
  });
});

describe('a Node.js without ML-DSA', () => {
  afterEach(() => {
    vi.doUnmock('node:crypto');
    vi.resetModules();
  });

  it('says what it takes', async () => {
    vi.resetModules();
    vi.doMock('node:crypto', async (original) => ({
      ...(await original<typeof import('node:crypto')>()),
      generateKeyPair: () => {
        throw Object.assign(new TypeError('must be a supported key type'), { code: 'ERR_INVALID_ARG_VALUE' });
      },
    }));
    const without = await import('../../src/jwk/generate.ts');
    await expect(without.generateJwk('ML-DSA-65')).rejects.toThrow(
      new Error(
        'this Node.js cannot make a key for ML-DSA-65: it needs Node.js 24.6 or later with OpenSSL 3.5',
      ),
    );
  });
});

describe('the public half', () => {
  const KEY_MEMBERS: Readonly<Record<string, readonly string[]>> = {
    RSA: ['e', 'n'],
    EC: ['crv', 'x', 'y'],
    OKP: ['crv', 'x'],
    AKP: ['pub'],
  };
  const EXTRA = {
    key_ops: ['sign'],
    ext: true,
    iat: 1_700_000_000,
    nbf: 1_700_000_000,
    exp: 1_800_000_000,
    x5c: ['MII'],
    password: 'canary',
    oth: [{ r: 'canary', d: 'canary', t: 'canary' }],
    k: 'canary',
    priv: 'canary',
    d2: 'canary',
    // A member of another type of key.
    N: 'canary',
  };

  it.each(ASYMMETRIC)('T-124 D18: of %s has the members that it needs, and no other', (algorithm) => {
    const jwk = made.get(algorithm)!;
    const half = publicJwk({ ...jwk, ...EXTRA });
    const members = [...(KEY_MEMBERS[String(jwk.kty)] ?? []), 'kty', 'kid', 'alg', 'use'];
    expect(Object.keys(half ?? {}).sort()).toEqual(members.sort());
    for (const [name, value] of Object.entries(half ?? {})) expect(value).toBe(jwk[name]);
    for (const name of PRIVATE_MEMBERS) {
      expect(half).not.toHaveProperty(name);
      const secret = jwk[name];
      if (typeof secret === 'string') expect(JSON.stringify(half)).not.toContain(secret);
    }
    expect(JSON.stringify(half)).not.toContain('canary');
  });

  it('T-124: of a public key is that key', async () => {
    const half = publicJwk(await generateJwk('ES256'));
    expect(publicJwk(half!)).toEqual(half);
  });

  it('is for signatures where nothing else is said', async () => {
    const { kid, alg, use, ...bare } = await generateJwk('ES256');
    expect([typeof kid, alg, use]).toEqual(['string', 'ES256', 'sig']);
    const { crv, x, y } = bare;
    expect(publicJwk(bare)).toEqual({ kty: 'EC', crv, x, y, use: 'sig' });
    expect(publicJwk({ ...bare, use: 'enc' })).toEqual({ kty: 'EC', crv, x, y, use: 'enc' });
  });

  it.each<[title: string, change: (good: JsonObject) => JsonObject]>([
    ['a symmetric key', () => ({ kty: 'oct', kid: 'k', k: randomBytes(32).toString('base64url') })],
    ['a symmetric key that has public members too', (good) => ({ ...good, kty: 'oct' })],
    ['an unknown type', (good) => ({ ...good, kty: 'ec' })],
    ['a type that every object has', (good) => ({ ...good, kty: 'constructor' })],
    ['a type that is no string', (good) => ({ ...good, kty: ['EC'] })],
    ['no type', ({ kty, ...others }) => others],
    ['inherited members', (good) => Object.create(good)],
    ['half a point', ({ y, ...others }) => others],
    ['a coordinate that hides something', (good) => ({ ...good, x: { d: String(good.d) } })],
    ['a kid that is no string', (good) => ({ ...good, kid: { d: String(good.d) } })],
    ['a use that is no string', (good) => ({ ...good, use: null })],
    ['an AKP key without its algorithm', () => ({ kty: 'AKP', pub: 'AQAB', priv: 'AQAB' })],
  ])('T-125: there is none of %s', async (_, change) => {
    const good = await generateJwk('ES256');
    expect(publicJwk(good)).toBeDefined();
    expect(publicJwk(change(good))).toBeUndefined();
  });
});
