// CVE-2017-15361: moduli as the flawed generator makes them are recognised, and others are not.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { importJwk } from '../../src/jwk/import-jwks.ts';
import { hasRocaFingerprint } from '../../src/jwk/weak-keys.ts';

// The published generator: p = k * M + (65537^a mod M), with M the product of the first primes; how
// many depends on the size.
const PRIMES = primesUpTo(1500);
const REASON = 'RSA modulus of a broken generator (CVE-2017-15361)';

function primesUpTo(limit: number): readonly bigint[] {
  const primes: bigint[] = [];
  for (let candidate = 2n; candidate <= BigInt(limit); candidate++) {
    if (primes.every((prime) => candidate % prime !== 0n)) primes.push(candidate);
  }
  return primes;
}

function primorial(count: number): bigint {
  return PRIMES.slice(0, count).reduce((product, prime) => product * prime, 1n);
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let rest = exponent, square = base % modulus; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

function random(bits: number): bigint {
  return BigInt(`0x${randomBytes(Math.ceil(bits / 8)).toString('hex')}`) % (1n << BigInt(bits));
}

/**
 * A factor of exactly so many bits, of the generator's form. Not prime: that plays no part in the
 * fingerprint.
 */
function factor(bits: number, product: bigint): bigint {
  const residue = power(65537n, random(256), product);
  // Both top bits are set, so that a product of two has its full length.
  const top = 3n << BigInt(bits - 2);
  const start = top + (random(bits - 3) % (1n << BigInt(bits - 3)));
  return start - (start % product) + product + residue;
}

function bytesOf(value: bigint): Buffer {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
}

/** An odd number of so many bits. */
function randomModulus(bits: number): Buffer {
  const bytes = randomBytes(bits / 8);
  bytes.writeUInt8(bytes.readUInt8(0) | 0x80, 0);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) | 1, bytes.length - 1);
  return bytes;
}

const jwkOf = (modulus: Buffer) => ({
  kty: 'RSA',
  n: modulus.toString('base64url'),
  e: 'AQAB',
  kid: 'k',
  alg: 'RS256',
});

describe.each<[bits: number, primes: number]>([
  // How many primes M has for these sizes: "The Return of Coppersmith's Attack", table 1.
  [2048, 126],
  [4096, 225],
])('moduli of %i bits', (bits, primes) => {
  const product = primorial(primes);

  it('T-031: are recognised, and the key is refused', () => {
    for (let round = 0; round < 20; round++) {
      const modulus = bytesOf(factor(bits / 2, product) * factor(bits / 2, product));
      expect(modulus).toHaveLength(bits / 8);
      expect(hasRocaFingerprint(modulus)).toBe(true);
      expect(importJwk(jwkOf(modulus), { origin: 'public' })).toEqual({ kid: 'k', reason: REASON });
      expect(importJwk(jwkOf(modulus), { origin: 'secret' })).toEqual({ kid: 'k', reason: REASON });
    }
  });

  it('T-031: one factor alone of that form is not enough', () => {
    const other = BigInt(`0x${randomModulus(bits / 2).toString('hex')}`);
    let found = 0;
    for (let round = 0; round < 20; round++) {
      if (hasRocaFingerprint(bytesOf(factor(bits / 2, product) * (other + BigInt(2 * round))))) found++;
    }
    expect(found).toBe(0);
  });
});

describe('moduli of others', () => {
  it('T-031: none of 200 random ones is recognised', () => {
    const found = Array.from({ length: 200 }, () => randomModulus(2048)).filter(hasRocaFingerprint);
    expect(found).toEqual([]);
  });

  it('T-031: a random one is imported', () => {
    expect(importJwk(jwkOf(randomModulus(2048)), { origin: 'public' })).not.toHaveProperty('reason');
  });

  it('T-031: none of five real keys is recognised', () => {
    for (let round = 0; round < 5; round++) {
      const { n } = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' });
      expect(hasRocaFingerprint(Buffer.from(n ?? '', 'base64url'))).toBe(false);
    }
  });
});
