// The table of algorithms: which names exist, which key each takes, and which a key may use by
// default.
import { describe, expect, it } from 'vitest';
import {
  type AlgorithmName,
  algorithmNames,
  defaultAlgorithms,
  findAlgorithm,
  fitsKey,
} from '../../src/token/algorithms.ts';

const ROWS: readonly (readonly [AlgorithmName, string, string | undefined, string | undefined])[] = [
  ['RS256', 'RSA', undefined, 'sha256'],
  ['RS384', 'RSA', undefined, 'sha384'],
  ['RS512', 'RSA', undefined, 'sha512'],
  ['PS256', 'RSA', undefined, 'sha256'],
  ['PS384', 'RSA', undefined, 'sha384'],
  ['PS512', 'RSA', undefined, 'sha512'],
  ['ES256', 'EC', 'P-256', 'sha256'],
  ['ES384', 'EC', 'P-384', 'sha384'],
  ['ES512', 'EC', 'P-521', 'sha512'],
  ['EdDSA', 'OKP', 'Ed25519', undefined],
  ['Ed25519', 'OKP', 'Ed25519', undefined],
  ['ML-DSA-44', 'AKP', undefined, undefined],
  ['ML-DSA-65', 'AKP', undefined, undefined],
  ['ML-DSA-87', 'AKP', undefined, undefined],
  ['HS256', 'oct', undefined, 'sha256'],
  ['HS384', 'oct', undefined, 'sha384'],
  ['HS512', 'oct', undefined, 'sha512'],
  ['HS224', 'oct', undefined, 'sha224'],
  ['HMD5', 'oct', undefined, 'md5'],
];
const KEYS = [
  ['RSA', undefined],
  ['EC', 'P-256'],
  ['EC', 'P-384'],
  ['EC', 'P-521'],
  ['OKP', 'Ed25519'],
  ['OKP', 'Ed448'],
  ['OKP', 'X25519'],
  ['EC', 'secp256k1'],
  ['EC', undefined],
  ['OKP', undefined],
  ['AKP', undefined],
  ['oct', undefined],
  ['', undefined],
] as const;

describe('the names', () => {
  it('AK-5: are exactly these, the twelve of the seed among them', () => {
    expect(algorithmNames).toEqual(ROWS.map(([name]) => name));
    expect(Object.isFrozen(algorithmNames)).toBe(true);
  });

  it.each(ROWS)('RFC 7518 §3.1: %s takes %s keys of curve %s with %s', (name, kty, crv, hash) => {
    const algorithm = findAlgorithm(name);
    expect(algorithm?.name).toBe(name);
    expect(algorithm?.kty).toBe(kty);
    expect(algorithm && 'crv' in algorithm ? algorithm.crv : undefined).toBe(crv);
    expect(algorithm && 'hash' in algorithm ? algorithm.hash : undefined).toBe(hash);
    expect(Object.isFrozen(algorithm)).toBe(true);
  });

  it.each([
    ['RS256', 'pkcs1'],
    ['RS384', 'pkcs1'],
    ['RS512', 'pkcs1'],
    ['PS256', 'pss'],
    ['PS384', 'pss'],
    ['PS512', 'pss'],
  ])('RFC 7518 §3.3, §3.5: %s pads with %s', (name, padding) => {
    expect(findAlgorithm(name)).toMatchObject({ padding });
  });

  it.each([
    ['ES256', 32],
    ['ES384', 48],
    ['ES512', 66],
  ])('RFC 7518 §3.4: %s has coordinates of %i bytes', (name, coordinateBytes) => {
    expect(findAlgorithm(name)).toMatchObject({ coordinateBytes });
  });

  it('T-016: none is no algorithm, in any of its 16 casings', () => {
    for (let mask = 0; mask < 16; mask++) {
      const name = [...'none'].map((c, bit) => ((mask >> bit) & 1 ? c.toUpperCase() : c)).join('');
      expect([name, findAlgorithm(name)]).toEqual([name, undefined]);
    }
  });

  it.each([
    '',
    'foo',
    'HS2048',
    'hs256',
    'HS256 ',
    'hmd5',
    'HMD5 ',
    'MD5',
    'HS1',
    'ML-DSA-45',
    'ml-dsa-44',
    'rs256',
    'Rs256',
    'RS256 ',
    ' RS256',
    'RS256\n',
    'RS256\0',
    'RS1',
    'ES521',
    'ES256K',
    'EDDSA',
    'ed25519',
    'Ed448',
    'RSA-OAEP',
    'dir',
    'RS256,ES256',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
  ])('T-017: %j is no algorithm', (name) => {
    expect(findAlgorithm(name)).toBeUndefined();
  });
});

describe('which key takes which algorithm', () => {
  it.each([
    ['RSA', undefined, ['RS256', 'RS384', 'RS512']],
    ['EC', 'P-256', ['ES256']],
    ['EC', 'P-384', ['ES384']],
    ['EC', 'P-521', ['ES512']],
    ['OKP', 'Ed25519', ['EdDSA', 'Ed25519']],
    ['OKP', 'Ed448', []],
    ['OKP', 'X25519', []],
    ['EC', 'secp256k1', []],
    ['EC', undefined, []],
    ['oct', undefined, []],
    ['AKP', undefined, []],
    ['rsa', undefined, []],
    ['__proto__', undefined, []],
  ])('S8: by default a key %s %s takes %j', (kty, crv, names) => {
    expect(defaultAlgorithms(kty, crv).map(({ name }) => name)).toEqual(names);
  });

  it.each(
    ROWS.flatMap(([name, kty, crv]) =>
      KEYS.map(([keyKty, keyCrv]) => [name, keyKty, keyCrv, kty, crv] as const),
    ),
  )('T-021: %s on a key %s %s', (name, keyKty, keyCrv, kty, crv) => {
    const algorithm = findAlgorithm(name);
    const expected = keyKty === kty && (crv === undefined || keyCrv === crv);
    expect(algorithm && fitsKey(algorithm, keyKty, keyCrv)).toBe(expected);
  });

  it('T-018: an algorithm takes symmetric keys or asymmetric ones, and never both', () => {
    for (const name of algorithmNames) {
      const algorithm = findAlgorithm(name);
      const takes = KEYS.filter(([kty, crv]) => algorithm !== undefined && fitsKey(algorithm, kty, crv));
      expect([name, takes.map(([kty]) => kty)]).toEqual([name, [algorithm?.kty]]);
    }
  });
});
