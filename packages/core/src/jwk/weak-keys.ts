// All refusals of weak keys: RSA of an unsafe size or from a broken generator, Ed25519 points of
// small order, and secrets that are not random. The form of a JWK is checked in import-key.ts.
import { createPublicKey, X509Certificate } from 'node:crypto';
import type { SignatureAlgorithm } from '../token/algorithms.ts';

/** The reason why a key cannot be used. The message has no part of the key, only lengths. */
export class UnusableKey extends Error {}

const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;
// The encodings of the Ed25519 points of small order: a signature for such a key proves nothing.
const SMALL_ORDER_ED25519: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
]);

/**
 * The broken generator (ROCA) makes primes that are powers of 65537 modulo the product of these
 * small primes. So the modulus is such a power, too.
 */
const PRIMES = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107,
  109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
] as const;

/**
 * Refuses an unsafe RSA key.
 * @throws UnusableKey for an unsafe modulus or exponent, or one that is too large to check quickly
 */
export function refuseWeakRsa(modulus: Buffer, exponent: Buffer): void {
  const bits = bitLength(modulus);
  if (bits < MIN_RSA_BITS) throw new UnusableKey('RSA modulus under 2048 bits (RFC 7518 §3.3)');
  if (bits > MAX_RSA_BITS) throw new UnusableKey('RSA modulus over 8192 bits');
  const e = exponent.length <= 5 ? Number.parseInt(exponent.toString('hex'), 16) : Number.POSITIVE_INFINITY;
  if (e < 3 || e >= 2 ** 33 || e % 2 === 0) {
    throw new UnusableKey('RSA exponent is not an odd number from 3 to 2^33');
  }
  if (hasRocaFingerprint(modulus))
    throw new UnusableKey('RSA modulus of a broken generator (CVE-2017-15361)');
}

/** Refuses a weak Ed25519 point. @throws UnusableKey */
export function refuseWeakPoint(x: Buffer): void {
  if (SMALL_ORDER_ED25519.has(x.toString('hex'))) throw new UnusableKey('x is a point of small order');
}

/**
 * Refuses a weak secret.
 * @param algorithms those that the secret is for. It has to be as long as the longest of their
 *   hashes (RFC 7518 §3.2), whether it signs or verifies
 * @throws UnusableKey for a secret that is too short, has few distinct bytes, or is an encoded key
 */
export function refuseWeakSecret(bytes: Buffer, algorithms: readonly SignatureAlgorithm[]): void {
  const hmacs = algorithms.filter((algorithm) => algorithm.kty === 'oct');
  const [strictest] = hmacs.toSorted((a, b) => b.minKeyBytes - a.minKeyBytes);
  if (strictest !== undefined && bytes.length < strictest.minKeyBytes)
    throw new UnusableKey(
      `the secret has ${bytes.length} bytes; ${strictest.name} needs at least ${strictest.minKeyBytes}`,
    );
  if (new Set(bytes).size < 8) throw new UnusableKey('the secret has fewer than 8 distinct bytes');
  if (looksLikeEncodedKey(bytes))
    throw new UnusableKey('the secret is an encoded key (PEM, JWK, DER or SSH)');
}

function bitLength(integerBytes: Buffer): number {
  return integerBytes.length * 8 - Math.clz32(integerBytes[0] ?? 0) + 24;
}

const MARKS = PRIMES.map((prime) => ({ prime: BigInt(prime), powers: powersOf65537(prime) }));

/**
 * True if the modulus has the fingerprint of the broken generator. At most one good key in 2^27 has
 * it by chance.
 */
export function hasRocaFingerprint(modulus: Uint8Array): boolean {
  const n = BigInt(`0x${Buffer.from(modulus).toString('hex')}`);
  return MARKS.every(({ prime, powers }) => powers.has(Number(n % prime)));
}

function powersOf65537(prime: number): ReadonlySet<number> {
  const powers = new Set<number>();
  for (let power = 1; !powers.has(power); power = (power * (65537 % prime)) % prime) powers.add(power);
  return powers;
}

/**
 * True for PEM, JWK, DER and SSH forms of a key or certificate, also in hex, base64 and UTF-16. If
 * a public key were used as a secret, every caller could sign.
 */
export function looksLikeEncodedKey(bytes: Buffer): boolean {
  return isKey(bytes) || decodings(bytes).some(isKey);
}

function isKey(bytes: Buffer): boolean {
  // UTF-16 without its zero bytes reads like ASCII.
  const text = bytes.toString('latin1').replaceAll('\0', '');
  return (
    /-----BEGIN |---- BEGIN /.test(text) ||
    /"(?:kty|keys)"\s*:/.test(text) ||
    /(?:ssh-[a-z0-9]+|ecdsa-sha2-[a-z0-9]+) AAAA/.test(text) ||
    isDer(bytes)
  );
}

function isDer(bytes: Buffer): boolean {
  // SEQUENCE, the first byte of every such encoding.
  if (bytes[0] !== 0x30) return false;
  return [
    () => createPublicKey({ key: bytes, format: 'der', type: 'spki' }),
    () => createPublicKey({ key: bytes, format: 'der', type: 'pkcs1' }),
    () => new X509Certificate(bytes),
  ].some((read) => {
    try {
      return read() !== undefined;
    } catch {
      return false;
    }
  });
}

function decodings(bytes: Buffer): readonly Buffer[] {
  const text = bytes.toString('latin1').replace(/[\s\0]/g, '');
  return [
    ...(/^[0-9a-f]+$/i.test(text) ? [Buffer.from(text, 'hex')] : []),
    ...(/^[A-Za-z0-9+/_-]+=*$/.test(text) ? [Buffer.from(text, 'base64')] : []),
  ];
}
