// The only table of signature algorithms. An algorithm that is not in it is not supported, "none"
// included.

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

interface MlDsaAlgorithm {
  readonly kty: 'AKP';
  /** Length of the public key, FIPS 204 §4. */
  readonly publicKeyBytes: number;
}

interface HmacAlgorithm {
  readonly kty: 'oct';
  readonly hash: 'md5' | 'sha224' | 'sha256' | 'sha384' | 'sha512';
  /** RFC 7518 §3.2: the key is at least as long as the hash. */
  readonly minKeyBytes: number;
  /** Not registered with JOSE, and so weak that an option must name it. Never used for signing. */
  readonly legacy?: true;
}

type AlgorithmRow = RsaAlgorithm | EcdsaAlgorithm | EddsaAlgorithm | MlDsaAlgorithm | HmacAlgorithm;

/** One JWS algorithm: the type of its key, and what is computed. */
export type SignatureAlgorithm = AlgorithmRow & {
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
  // FIPS 204 under its JOSE names; needs OpenSSL 3.5, which Node 24 brings
  'ML-DSA-44': { kty: 'AKP', publicKeyBytes: 1312 },
  'ML-DSA-65': { kty: 'AKP', publicKeyBytes: 1952 },
  'ML-DSA-87': { kty: 'AKP', publicKeyBytes: 2592 },
  // RFC 7518 §3.2
  HS256: { kty: 'oct', hash: 'sha256', minKeyBytes: 32 },
  HS384: { kty: 'oct', hash: 'sha384', minKeyBytes: 48 },
  HS512: { kty: 'oct', hash: 'sha512', minKeyBytes: 64 },
  HS224: { kty: 'oct', hash: 'sha224', minKeyBytes: 28, legacy: true },
  HMD5: { kty: 'oct', hash: 'md5', minKeyBytes: 16, legacy: true },
} as const satisfies Record<string, AlgorithmRow>;

/** The name of a supported algorithm. */
export type AlgorithmName = keyof typeof TABLE;

/** An algorithm that is accepted only where `unsafeLegacyAlgorithms` names it. */
export type LegacyAlgorithmName = 'HMD5' | 'HS224';

// A Map, so that "__proto__" and similar names are not found.
const ALGORITHMS: ReadonlyMap<string, SignatureAlgorithm> = new Map(
  Object.entries(TABLE).map(([name, row]) => [name, Object.freeze({ name: name as AlgorithmName, ...row })]),
);

/** The names of all supported algorithms in the order of the table, including the legacy ones. */
export const algorithmNames: readonly AlgorithmName[] = Object.freeze([
  ...ALGORITHMS.keys(),
]) as readonly AlgorithmName[];

/** Finds an algorithm by its exact, case-sensitive name (RFC 7515 §4.1.1). */
export function findAlgorithm(name: string): SignatureAlgorithm | undefined {
  return ALGORITHMS.get(name);
}

/** True for HMD5 and HS224. */
export function isLegacy(algorithm: SignatureAlgorithm): boolean {
  return algorithm.kty === 'oct' && algorithm.legacy === true;
}

/**
 * The algorithms of a key with this type and curve, if neither the key nor the keyset names any.
 * RSASSA-PSS must be named, so that a key for one padding is not used for the other. HMAC and
 * ML-DSA keys must always name their algorithm.
 */
export function defaultAlgorithms(kty: string, crv: string | undefined): readonly SignatureAlgorithm[] {
  return [...ALGORITHMS.values()].filter((algorithm) => {
    if (algorithm.kty === 'RSA') return kty === 'RSA' && algorithm.padding === 'pkcs1';
    if (algorithm.kty === 'oct' || algorithm.kty === 'AKP') return false;
    return algorithm.kty === kty && algorithm.crv === crv;
  });
}

/** True if a key of this type and curve can verify this algorithm. */
export function fitsKey(algorithm: SignatureAlgorithm, kty: string, crv: string | undefined): boolean {
  return algorithm.kty === kty && (!('crv' in algorithm) || algorithm.crv === crv);
}

/**
 * The algorithms that differ from this one only in the hash, such as RS256, RS384 and RS512. A
 * legacy algorithm is alone in its family, and so is an algorithm of a curve, which has one hash.
 */
export function familyOf(algorithm: SignatureAlgorithm): readonly SignatureAlgorithm[] {
  if (isLegacy(algorithm) || (algorithm.kty !== 'RSA' && algorithm.kty !== 'oct')) return [algorithm];
  const prefix = algorithm.name.slice(0, 2);
  return [...ALGORITHMS.values()].filter((other) => other.name.startsWith(prefix) && !isLegacy(other));
}
