// Recognises RSA moduli of the flawed Infineon generator (CVE-2017-15361, "ROCA"): their private keys can be computed.

/** The generator's primes are powers of 65537 modulo the product of small primes, and so are their products. */
const PRIMES = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107,
  109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
] as const;

const MARKS = PRIMES.map((prime) => ({ prime: BigInt(prime), powers: powersOf65537(prime) }));

/** True if the modulus has the fingerprint. By chance that happens to one key in 2^27 or fewer. */
export function hasRocaFingerprint(modulus: Uint8Array): boolean {
  const n = BigInt(`0x${Buffer.from(modulus).toString('hex')}`);
  return MARKS.every(({ prime, powers }) => powers.has(Number(n % prime)));
}

function powersOf65537(prime: number): ReadonlySet<number> {
  const powers = new Set<number>();
  for (let power = 1; !powers.has(power); power = (power * (65537 % prime)) % prime) powers.add(power);
  return powers;
}
