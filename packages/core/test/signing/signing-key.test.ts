// From a JWK to a key that signs: bound to one algorithm, checked by a signature of its own, or
// refused with a constant reason.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  randomBytes,
} from 'node:crypto';
import { inspect } from 'node:util';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { generateJwk, publicJwk } from '../../src/jwk/generate.ts';
import { createSigner } from '../../src/signing/signer.ts';
import {
  importSigningKey,
  type RefusedKey,
  type SigningKey,
  type SigningPolicy,
} from '../../src/signing/signing-key.ts';
import { type AlgorithmName, algorithmNames, findAlgorithm } from '../../src/token/algorithms.ts';
import { createSignatureVerifier } from '../../src/token/signature.ts';
import type { JsonObject } from '../../src/values/json.ts';

const SIGNED = algorithmNames.filter((name) => name !== 'HMD5' && name !== 'HS224');
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'priv'];
const POLICY: SigningPolicy = { algorithm: undefined, typ: 'JWT' };

const hasMlDsa = (() => {
  try {
    generateKeyPairSync('ml-dsa-44' as 'ed25519');
    return true;
  } catch {
    return false;
  }
})();
const isMissing = (name: AlgorithmName) => name.startsWith('ML-DSA') && !hasMlDsa;

const keys = new Map<AlgorithmName, JsonObject>();
const others = new Map<AlgorithmName, JsonObject>();
const keyOf = (name: AlgorithmName): JsonObject => keys.get(name)!;

beforeAll(async () => {
  for (const map of [keys, others]) {
    // RSA keys take their time, and are the same for all six.
    const rsa = await generateJwk('RS256', 'k');
    for (const name of SIGNED) {
      if (isMissing(name)) continue;
      map.set(name, /^[RP]S/.test(name) ? { ...rsa, alg: name } : await generateJwk(name, 'k'));
    }
  }
});

function imported(jwk: unknown, policy: Partial<SigningPolicy> = {}): SigningKey {
  const key = importSigningKey(jwk, { ...POLICY, ...policy });
  if ('reason' in key) throw new Error(`refused: ${key.reason}`);
  return key;
}

/** Why it is refused; fails if it is not, or if anything secret of it is told. */
function reason(jwk: unknown, policy: Partial<SigningPolicy> = {}): string {
  const key: SigningKey | RefusedKey = importSigningKey(jwk, { ...POLICY, ...policy });
  if (!('reason' in key)) throw new Error('was not refused');
  const told = inspect(key, { depth: 9, showHidden: true });
  for (const name of PRIVATE_MEMBERS) {
    const value = (jwk as JsonObject | null)?.[name];
    if (typeof value === 'string' && value.length > 8) expect(told).not.toContain(value);
  }
  return key.reason;
}

const headerOf = ({ header }: SigningKey): unknown => {
  expect(header.endsWith('.')).toBe(true);
  return JSON.parse(Buffer.from(header.slice(0, -1), 'base64url').toString('utf8'));
};

const without = (jwk: JsonObject, ...names: string[]): JsonObject =>
  Object.fromEntries(Object.entries(jwk).filter(([name]) => !names.includes(name)));

describe.each(SIGNED)('%s', (name) => {
  it.skipIf(isMissing(name))('signs what its public half verifies', () => {
    const key = imported(keyOf(name), { algorithm: name });
    expect([key.kid, key.algorithm, key.issuer]).toEqual(['k', name, undefined]);
    expect([key.signsFrom, key.signedUntil]).toEqual([Number.NEGATIVE_INFINITY, undefined]);
    expect(headerOf(key)).toEqual({ alg: name, kid: 'k', typ: 'JWT' });
    const algorithm = findAlgorithm(name)!;
    if (algorithm.kty === 'oct') return;
    const verifier = createSignatureVerifier(
      algorithm,
      createPublicKey(createPrivateKey({ key: keyOf(name) as JsonWebKey, format: 'jwk' })),
    );
    const input = randomBytes(100);
    expect(verifier(input, key.sign(input))).toBe(true);
    expect(verifier(randomBytes(100), key.sign(input))).toBe(false);
  });

  it.skipIf(isMissing(name) || name.startsWith('HS'))('row 165: its public half signs nothing', () => {
    expect(reason(publicJwk(keyOf(name)), { algorithm: name })).toBe('not a private key');
  });

  it.skipIf(isMissing(name))('row 165: a key for something else signs nothing', () => {
    const key = keyOf(name);
    const policy = { algorithm: name };
    expect(reason({ ...key, use: 'enc' }, policy)).toBe('use is not "sig"');
    expect(reason({ ...key, use: null }, policy)).toBe('use is not "sig"');
    for (const operations of [['verify'], ['encrypt', 'decrypt'], [], 'sign', null, ['SIGN']]) {
      expect(reason({ ...key, key_ops: operations }, policy)).toBe('key_ops does not have "sign"');
    }
    expect(imported({ ...key, key_ops: ['sign', 'verify'] }, policy).kid).toBe('k');
    expect(imported(without({ ...key, key_ops: ['sign'] }, 'use'), policy).kid).toBe('k');
  });

  it.skipIf(isMissing(name))('row 165: no alg of another type, and none that is not known', () => {
    for (const other of SIGNED) {
      const row = findAlgorithm(other)!;
      const own = findAlgorithm(name)!;
      const fits = row.kty === own.kty && (!('crv' in row) || !('crv' in own) || row.crv === own.crv);
      if (!fits) {
        expect(reason({ ...keyOf(name), alg: other })).toBe('alg does not fit kty and crv');
        expect(reason(without(keyOf(name), 'alg'), { algorithm: other })).toMatch(/^alg does not fit/);
      }
    }
    for (const alg of [
      'none',
      'None',
      'NONE',
      '',
      'RSA-OAEP',
      'ES256K',
      'HS2048',
      '__proto__',
      'constructor',
    ]) {
      expect(reason({ ...keyOf(name), alg })).toBe('alg is not supported');
    }
    for (const alg of ['HMD5', 'HS224'])
      expect(reason({ ...keyOf(name), alg })).toBe(`${alg} is for verifying only`);
    for (const alg of [null, 7, ['ES256'], {}])
      expect(reason({ ...keyOf(name), alg })).toBe('alg is not a string');
  });

  it.skipIf(isMissing(name) || name.startsWith('HS'))(
    'row 165: the private half of another key signs nothing',
    () => {
      const [own, theirs] = [keyOf(name), others.get(name)!];
      const swapped = {
        ...own,
        ...Object.fromEntries(
          PRIVATE_MEMBERS.flatMap((member) =>
            Object.hasOwn(theirs, member) ? [[member, theirs[member]]] : [],
          ),
        ),
      };
      const expected = /^(the private half does not match the public half|not a valid private key)$/;
      expect(reason(swapped, { algorithm: name })).toMatch(expected);
      if (name.startsWith('E'))
        expect(reason({ ...own, d: theirs.d }, { algorithm: name })).toMatch(expected);
    },
  );

  it.skipIf(isMissing(name) || name.startsWith('HS'))(
    'row 165: a private half that is damaged signs nothing',
    () => {
      const member = name.startsWith('ML') ? 'priv' : 'd';
      for (const value of ['', 'AA', '!', '\u0000', null, 7, {}, [], 'A'.repeat(10_000)]) {
        const jwk = { ...keyOf(name), [member]: value };
        // Where the primes are there, RSA needs no d: then what is signed is right all the same.
        const key = importSigningKey(jwk, { ...POLICY, algorithm: name });
        if (!('reason' in key)) {
          expect(/^[RP]S/.test(name)).toBe(true);
          continue;
        }
        expect(['not a valid private key', 'the private half does not match the public half']).toContain(
          key.reason,
        );
      }
    },
  );
});

describe('which algorithm', () => {
  it('a key without alg takes the only one that it is for', () => {
    for (const name of ['ES256', 'ES384', 'ES512'] as const)
      expect(imported(without(keyOf(name), 'alg')).algorithm).toBe(name);
    expect(imported(without(keyOf('EdDSA'), 'alg')).algorithm).toBe('EdDSA');
  });

  it('a key without alg that is for several is refused until one is named', () => {
    for (const name of ['RS256', 'HS256'] as const)
      expect(reason(without(keyOf(name), 'alg'))).toBe('alg is required');
    expect(imported(without(keyOf('RS256'), 'alg'), { algorithm: 'PS384' }).algorithm).toBe('PS384');
    expect(imported(without(keyOf('HS512'), 'alg'), { algorithm: 'HS256' }).algorithm).toBe('HS256');
  });

  it('RFC 8725 §3.1: a key of one algorithm signs no other, not even of its family', () => {
    expect(reason(keyOf('RS256'), { algorithm: 'RS512' })).toBe('its alg differs from the alg of the signer');
    expect(reason(keyOf('RS256'), { algorithm: 'PS256' })).toBe('its alg differs from the alg of the signer');
    expect(reason(keyOf('HS512'), { algorithm: 'HS256' })).toBe('its alg differs from the alg of the signer');
    expect(reason(keyOf('ES256'), { algorithm: 'ES384' })).toBe('alg does not fit kty and crv');
  });

  it('RFC 9864 §2.2: EdDSA and Ed25519 are two names of one', () => {
    expect(imported({ ...keyOf('EdDSA'), alg: 'EdDSA' }, { algorithm: 'Ed25519' }).algorithm).toBe('Ed25519');
    expect(imported({ ...keyOf('EdDSA'), alg: 'Ed25519' }).algorithm).toBe('Ed25519');
    expect(imported({ ...keyOf('EdDSA'), alg: 'Ed25519' }, { algorithm: 'EdDSA' }).algorithm).toBe('EdDSA');
  });

  it('row 165: a symmetric key is for HMAC, whatever it says, and HMAC is for no other', () => {
    expect(reason({ ...keyOf('HS256'), alg: 'RS256' })).toBe('alg does not fit kty and crv');
    expect(reason({ ...keyOf('RS256'), alg: 'HS256' })).toBe('alg does not fit kty and crv');
    // The public key, as bytes, for a secret.
    const pem = createPublicKey({ key: keyOf('RS256') as JsonWebKey, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    });
    const k = Buffer.from(pem).toString('base64url');
    expect(reason({ kty: 'oct', alg: 'HS256', k })).toBe(
      'the secret is an encoded key (PEM, JWK, DER or SSH)',
    );
  });
});

// The flawed generator of CVE-2017-15361: factors are k * M + (65537^a mod M), with M the product
// of the first primes.
function rocaModulus(): string {
  const primes: bigint[] = [];
  for (let candidate = 2n; primes.length < 126; candidate++) {
    if (primes.every((prime) => candidate % prime !== 0n)) primes.push(candidate);
  }
  const product = primes.reduce((all, prime) => all * prime, 1n);
  const factor = (exponent: number) => {
    let residue = 1n;
    for (let step = 0; step < exponent; step++) residue = (residue * 65537n) % product;
    const top = 3n << 1022n;
    return top - (top % product) + product + residue;
  };
  const hex = (factor(1234) * factor(4321)).toString(16);
  return Buffer.from(hex, 'hex').toString('base64url');
}

describe('weak and odd keys', () => {
  it.each([512, 1024, 2047])('row 165: RSA of %d bits signs nothing', (modulusLength) => {
    const jwk = generateKeyPairSync('rsa', { modulusLength }).privateKey.export({ format: 'jwk' });
    expect(reason(jwk, { algorithm: 'RS256' })).toBe('RSA modulus under 2048 bits (RFC 7518 §3.3)');
    expect(() => createSigner({ jwks: { keys: [jwk as JsonObject] }, alg: 'RS256' })).toThrow(ConfigError);
  });

  it('row 165: RSA of 2048 bits signs', () => {
    const jwk = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
    for (const algorithm of ['RS256', 'RS512', 'PS256', 'PS512'] as const)
      expect(imported(jwk, { algorithm }).algorithm).toBe(algorithm);
  });

  it('CVE-2017-15361: a key of the broken generator signs nothing', () => {
    expect(reason({ ...keyOf('RS256'), n: rocaModulus() })).toBe(
      'RSA modulus of a broken generator (CVE-2017-15361)',
    );
  });

  it('RFC 7518 §6.3.2.7: a key of more than two primes signs nothing', () => {
    expect(reason({ ...keyOf('RS256'), oth: [{ r: 'AQ', d: 'AQ', t: 'AQ' }] })).toBe(
      'RSA keys of more than two primes are not supported',
    );
    expect(reason({ ...keyOf('RS256'), oth: [] })).toMatch(/^RSA keys of more than two/);
  });

  it.each([
    ['HS256', 31],
    ['HS384', 47],
    ['HS512', 63],
  ] as const)('RFC 7518 §3.2: a secret for %s of %d bytes signs nothing', (algorithm, length) => {
    const k = (size: number) => randomBytes(size).toString('base64url');
    expect(reason({ kty: 'oct', k: k(length) }, { algorithm })).toMatch(
      /^the secret has \d+ bytes; HS\d+ needs at least \d+$/,
    );
    expect(imported({ kty: 'oct', k: k(length + 1) }, { algorithm }).algorithm).toBe(algorithm);
    expect(reason({ kty: 'oct', k: '' }, { algorithm })).toMatch(/^the secret has 0 bytes; /);
  });

  it('row 165: secrets that are none sign nothing', () => {
    const policy = { algorithm: 'HS256' } as const;
    expect(reason({ kty: 'oct', k: Buffer.alloc(64).toString('base64url') }, policy)).toBe(
      'the secret has fewer than 8 distinct bytes',
    );
    expect(reason({ kty: 'oct', k: Buffer.from('secret'.repeat(20)).toString('base64url') }, policy)).toBe(
      'the secret has fewer than 8 distinct bytes',
    );
    expect(reason({ kty: 'oct', k: `${randomBytes(32).toString('base64url')}=` }, policy)).toBe(
      'k is not base64url',
    );
    expect(reason({ kty: 'oct' }, policy)).toBe('k is not a string');
    expect(reason({ kty: 'oct', k: JSON.stringify({ kty: 'RSA' }) }, policy)).toBe('k is not base64url');
  });

  it.each([
    ['null', null],
    ['a list', []],
    ['a text', 'k'],
    ['a number', 7],
    ['nothing', undefined],
  ])('RFC 7517 §4: %s is no key', (_, jwk) => {
    expect(reason(jwk)).toBe('expected a JSON object');
  });

  it('RFC 7517 §4.1: a key without kty, or of an unknown one, signs nothing', () => {
    expect(reason({})).toBe('kty is not a string');
    expect(reason({ kty: 'RSA' }, { algorithm: 'RS256' })).toBe('n is not a string');
    expect(reason({ kty: 'NTRU' })).toBe('alg is required');
    expect(reason({ kty: 'NTRU' }, { algorithm: 'ES256' })).toBe('alg does not fit kty and crv');
    expect(reason({ ...keyOf('ES256'), crv: 'secp256k1' })).toBe('alg does not fit kty and crv');
    expect(reason({ ...keyOf('ES256'), x: keyOf('ES256').y })).toBe('not a valid public key');
  });
});

describe('kid, typ, nbf and exp', () => {
  it('KD-16: the header has alg, kid and typ, and nothing else of the key', () => {
    const key = {
      ...keyOf('ES256'),
      jku: 'https://evil.example',
      x5u: 'https://evil.example',
      x5c: ['AAAA'],
      crit: ['b64'],
      b64: false,
      typ: 'at+jwt',
      cty: 'JWT',
    };
    expect(headerOf(imported(key))).toEqual({ alg: 'ES256', kid: 'k', typ: 'JWT' });
  });

  it('settlement 48: typ is JWT, none, or what is asked for', () => {
    expect(headerOf(imported(keyOf('ES256'), { typ: null }))).toEqual({ alg: 'ES256', kid: 'k' });
    expect(headerOf(imported(keyOf('ES256'), { typ: 'at+jwt' }))).toMatchObject({ typ: 'at+jwt' });
  });

  it('RFC 7517 §4.5: kid is a string of 1 to 256 characters', () => {
    for (const kid of ['', 'x'.repeat(257), 7, null, ['k'], {}])
      expect(reason({ ...keyOf('ES256'), kid })).toBe('kid is not a string of 1 to 256 characters');
    const long = 'é'.repeat(256);
    expect(headerOf(imported({ ...keyOf('ES256'), kid: long }))).toMatchObject({ kid: long });
    expect(headerOf(imported(without(keyOf('ES256'), 'kid')))).toEqual({ alg: 'ES256', typ: 'JWT' });
  });

  it('RFC 8259 §8.2: a kid with a lone surrogate, which parsers refuse, is refused', () => {
    expect(reason({ ...keyOf('ES256'), kid: '\ud800' })).toMatch(/^kid /);
  });

  it('RFC 7638: a key without a kid is called by its thumbprint where that is asked for', async () => {
    const key = without(keyOf('ES256'), 'kid');
    const thumbprint = await calculateJwkThumbprint(key as JWK);
    expect(imported(key, { nameByThumbprint: true }).kid).toBe(thumbprint);
    expect(imported(keyOf('ES256'), { nameByThumbprint: true }).kid).toBe('k');
  });

  it('a key is pinned to the issuer that the list says', () => {
    expect(imported(keyOf('ES256'), { issuer: 'A' }).issuer).toBe('A');
    // Not by what it says of itself.
    expect(imported({ ...keyOf('ES256'), iss: 'B', issuer: 'B' }).issuer).toBeUndefined();
  });

  it('OpenID Federation 1.0 §8.7: nbf and exp are numbers, or the key signs nothing', () => {
    const key = imported({ ...keyOf('ES256'), nbf: 1.5, exp: 2_000_000_000 });
    expect([key.signsFrom, key.signedUntil]).toEqual([1.5, 2_000_000_000]);
    for (const name of ['nbf', 'exp']) {
      for (const value of ['1', null, true, {}, Number.NaN, Number.POSITIVE_INFINITY])
        expect(reason({ ...keyOf('ES256'), [name]: value })).toBe(`${name} is not a number`);
    }
  });

  it('a key is frozen, and shows nothing of what is secret', () => {
    for (const name of ['ES256', 'HS256', 'RS256'] as const) {
      const key = imported(keyOf(name));
      expect(Object.isFrozen(key)).toBe(true);
      const shown = inspect(key, { depth: 9, showHidden: true });
      for (const member of PRIVATE_MEMBERS) {
        if (typeof keyOf(name)[member] === 'string') expect(shown).not.toContain(keyOf(name)[member]);
      }
    }
  });
});
