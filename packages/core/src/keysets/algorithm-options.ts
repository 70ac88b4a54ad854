// Options that name algorithms: of keysets, of single keys and of signers. The algorithms
// themselves are in token/algorithms.ts.
import { ConfigError } from '../errors.ts';
import { type AlgorithmName, algorithmNames, findAlgorithm, isLegacy } from '../token/algorithms.ts';
import { listed } from '../values/judge.ts';
import { kindOf, meant } from '../values/kind.ts';
import { type Kind, list, type Option, optional, refined, shared, wordSchemas } from '../values/option.ts';

const namesThat = (fits: (name: AlgorithmName) => boolean) => algorithmNames.filter(fits);

/** The names of algorithms with public keys. */
export const publicNames: readonly AlgorithmName[] = namesThat((name) => findAlgorithm(name)?.kty !== 'oct');
/** The names of all algorithms except the legacy ones. */
export const safeNames: readonly AlgorithmName[] = namesThat((name) => !isLegacyName(name));

/** The name of an algorithm. */
export const algorithm: Kind<AlgorithmName> = {
  read: readAlgorithm,
  schema: shared('algorithm', {
    description: 'A signature algorithm of JOSE.',
    anyOf: wordSchemas(...algorithmNames),
  }),
};

/** The schema of `allowedAlgorithms` for sources with public keys. */
export const publicAlgorithmSchema = shared('publicAlgorithm', {
  description: 'A signature algorithm with public keys. HMAC needs secret or externalSecret as its source.',
  anyOf: wordSchemas(...publicNames),
});

/** `unsafeLegacyAlgorithms`. Needs an issuer next to it: see `checkLegacy`. */
export function legacyOption(doc: string): Option<ReadonlySet<AlgorithmName> | undefined> {
  const item = shared('legacyAlgorithm', {
    description: 'An algorithm that is broken (HMD5) or registered nowhere (HS224).',
    anyOf: wordSchemas('HMD5', 'HS224'),
  });
  const names = refined(
    list(algorithm),
    (read, path) => {
      if (!read.every(isLegacyName))
        throw new ConfigError(path, 'expected HMD5 or HS224; others need no such permission');
      return new Set(read);
    },
    { type: 'array', minItems: 1, items: item },
  );
  return optional(names, doc, listed({ more: 'opens', thing: 'unsafe algorithm' }));
}

/**
 * Refuses legacy algorithms without an issuer.
 * @param name the path of the object that has them
 * @throws ConfigError
 */
export function checkLegacy(
  legacy: ReadonlySet<AlgorithmName> | undefined,
  issuer: string | undefined,
  name: string,
): ReadonlySet<AlgorithmName> {
  if (legacy !== undefined && issuer === undefined)
    throw new ConfigError(`${name}.unsafeLegacyAlgorithms`, 'expected an issuer next to it');
  return legacy ?? new Set();
}

/**
 * Refuses an algorithm that is unsafe and not named in `unsafeLegacyAlgorithms`.
 * @throws ConfigError
 */
export function checkPermitted(name: AlgorithmName, legacy: ReadonlySet<AlgorithmName>, path: string): void {
  if (!isLegacyName(name) || legacy.has(name)) return;
  throw new ConfigError(path, `${name} is unsafe; to accept it anyway, name it in unsafeLegacyAlgorithms`);
}

/**
 * Makes the set of `allowedAlgorithms`.
 * @throws ConfigError for an algorithm that no key of this source can have
 */
export function completeAllowed(
  names: readonly AlgorithmName[] | undefined,
  origin: 'public' | 'secret',
  legacy: ReadonlySet<AlgorithmName>,
  path: string,
): ReadonlySet<AlgorithmName> | undefined {
  if (names === undefined) return undefined;
  for (const [index, name] of names.entries()) {
    const at = `${path}[${index}]`;
    if (origin === 'public' && findAlgorithm(name)?.kty === 'oct') {
      throw new ConfigError(
        at,
        `${name} needs a secret key, and this source is public; use secret or externalSecret`,
      );
    }
    checkPermitted(name, legacy, at);
  }
  // RFC 9864 §2.2: EdDSA and Ed25519 are two names of one algorithm, so each allows both.
  return new Set(names.flatMap((name) => (findAlgorithm(name)?.kty === 'OKP' ? ['EdDSA', 'Ed25519'] : name)));
}

/** Reads the name of an algorithm. @throws ConfigError */
export function readAlgorithm(value: unknown, path: string): AlgorithmName {
  const algorithm = typeof value === 'string' ? findAlgorithm(value) : undefined;
  if (algorithm === undefined)
    throw new ConfigError(
      path,
      `expected one of ${safeNames.join(', ')}, got ${kindOf(value)}${meant(value, safeNames)}`,
    );
  return algorithm.name;
}

/** True for HMD5 and HS224. */
export function isLegacyName(name: AlgorithmName): boolean {
  const algorithm = findAlgorithm(name);
  return algorithm !== undefined && isLegacy(algorithm);
}
