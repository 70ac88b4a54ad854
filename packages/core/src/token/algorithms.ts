// The one table of signature algorithms. An algorithm that is not here does not exist, "none" included.

interface RsaAlgorithm {
  readonly kty: 'RSA';
  readonly hash: 'sha256' | 'sha384' | 'sha512';
  readonly padding: 'pkcs1' | 'pss';
}

interface EcdsaAlgorithm {
  readonly kty: 'EC';
  readonly crv: 'P-256' | 'P-384' | 'P-521';
  readonly hash: 'sha256' | 'sha384' | 'sha512';
  /** Length of r and of s in the signature, RFC 7518 §3.4. */
  readonly coordinateBytes: number;
}

interface EddsaAlgorithm {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
}

/** One JWS algorithm: the key that it takes and what is computed. */
export type SignatureAlgorithm = (RsaAlgorithm | EcdsaAlgorithm | EddsaAlgorithm) & {
  /** The "alg" (Algorithm) Header Parameter value, exactly as written there. */
  readonly name: AlgorithmName;
};

const TABLE = {
  // RFC 7518 §3.3
  RS256: { kty: 'RSA', hash: 'sha256', padding: 'pkcs1' },
  RS384: { kty: 'RSA', hash: 'sha384', padding: 'pkcs1' },
  RS512: { kty: 'RSA', hash: 'sha512', padding: 'pkcs1' },
  // RFC 7518 §3.5
  PS256: { kty: 'RSA', hash: 'sha256', padding: 'pss' },
  PS384: { kty: 'RSA', hash: 'sha384', padding: 'pss' },
  PS512: { kty: 'RSA', hash: 'sha512', padding: 'pss' },
  // RFC 7518 §3.4
  ES256: { kty: 'EC', crv: 'P-256', hash: 'sha256', coordinateBytes: 32 },
  ES384: { kty: 'EC', crv: 'P-384', hash: 'sha384', coordinateBytes: 48 },
  ES512: { kty: 'EC', crv: 'P-521', hash: 'sha512', coordinateBytes: 66 },
  // RFC 8037 §3.1, and the same under its fully specified name, RFC 9864 §2.2
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
  Ed25519: { kty: 'OKP', crv: 'Ed25519' },
} as const satisfies Record<string, RsaAlgorithm | EcdsaAlgorithm | EddsaAlgorithm>;

/** The name of a supported algorithm. */
export type AlgorithmName = keyof typeof TABLE;

// A Map, so that "__proto__" and its kin find nothing.
const ALGORITHMS: ReadonlyMap<string, SignatureAlgorithm> = new Map(
  Object.entries(TABLE).map(([name, row]) => [name, Object.freeze({ name: name as AlgorithmName, ...row })]),
);

/** The names of all supported algorithms, in the table's order. */
export const algorithmNames: readonly AlgorithmName[] = Object.freeze([
  ...ALGORITHMS.keys(),
]) as readonly AlgorithmName[];

/** Finds an algorithm by its exact, case-sensitive name (RFC 7515 §4.1.1). */
export function findAlgorithm(name: string): SignatureAlgorithm | undefined {
  return ALGORITHMS.get(name);
}

/**
 * The algorithms that a key of this type and curve verifies when neither the key nor the keyset names any. RSASSA-PSS has to
 * be named, so that a key meant for one padding is not used for the other.
 */
export function defaultAlgorithms(kty: string, crv: string | undefined): readonly SignatureAlgorithm[] {
  return [...ALGORITHMS.values()].filter((algorithm) => {
    if (algorithm.kty === 'RSA') return kty === 'RSA' && algorithm.padding === 'pkcs1';
    return algorithm.kty === kty && algorithm.crv === crv;
  });
}

/** True if a key of this type and curve can verify this algorithm at all. */
export function fitsKey(algorithm: SignatureAlgorithm, kty: string, crv: string | undefined): boolean {
  return algorithm.kty === kty && (algorithm.kty === 'RSA' || algorithm.crv === crv);
}
