// Reading the options that name algorithms, of keysets and of single keys.

import { ConfigError } from '../errors.ts';
import { type AlgorithmName, algorithmNames, findAlgorithm, isLegacy } from '../token/algorithms.ts';
import { readList } from '../values/readers.ts';

/** `allowedAlgorithms`. @throws ConfigError for one that no key of this source could ever be for */
export function readAllowed(
  value: unknown,
  origin: 'public' | 'secret',
  legacy: ReadonlySet<AlgorithmName>,
  path: string,
): ReadonlySet<AlgorithmName> | undefined {
  if (value === undefined) return undefined;
  const names = readList(value, readAlgorithm, path);
  for (const [index, name] of names.entries()) {
    const at = `${path}[${index}]`;
    if (origin === 'public' && findAlgorithm(name)?.kty === 'oct') {
      throw new ConfigError(
        at,
        `${name} takes a secret, and this source is public; use secret or externalSecret`,
      );
    }
    if (isLegacyName(name) && !legacy.has(name)) {
      throw new ConfigError(
        at,
        `${name} is unsafe; name it in unsafeLegacyAlgorithms to accept it all the same`,
      );
    }
  }
  // RFC 9864 §2.2: two names of one algorithm.
  return new Set(names.flatMap((name) => (findAlgorithm(name)?.kty === 'OKP' ? ['EdDSA', 'Ed25519'] : name)));
}

/** The name of an algorithm. @throws ConfigError */
export function readAlgorithm(value: unknown, path: string): AlgorithmName {
  const algorithm = typeof value === 'string' ? findAlgorithm(value) : undefined;
  if (algorithm === undefined) throw new ConfigError(path, `expected one of ${algorithmNames.join(', ')}`);
  return algorithm.name;
}

/** `unsafeLegacyAlgorithms`, which need an issuer beside them. @throws ConfigError */
export function readLegacy(
  value: unknown,
  issuer: string | undefined,
  name: string,
): ReadonlySet<AlgorithmName> {
  const path = `${name}.unsafeLegacyAlgorithms`;
  if (value === undefined) return new Set();
  const names = readList(value, readAlgorithm, path);
  if (!names.every(isLegacyName))
    throw new ConfigError(path, 'expected HMD5 or HS224; others need no such permission');
  if (issuer === undefined) throw new ConfigError(path, 'needs an issuer beside it');
  return new Set(names);
}

/** True for HMD5 and HS224. */
export function isLegacyName(name: AlgorithmName): boolean {
  const algorithm = findAlgorithm(name);
  return algorithm !== undefined && isLegacy(algorithm);
}
