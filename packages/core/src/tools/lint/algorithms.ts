// Lint rules about the algorithms of keysets and keys, and about how a key is chosen for a token.
// Other rules are next to this file.

import { findAlgorithm } from '../../token/algorithms.ts';
import type { UncheckedOptions } from '../../values/readers.ts';
import { itemsOf, keysetsOf, keysOf, type LintRule, type Part, type Spot, spotIf } from './rule.ts';

const MANY_ALGORITHMS = 4;
const SECRET_SOURCES = ['secret', 'externalSecret'] as const;

/** The rules about algorithms. */
export const algorithmRules: readonly LintRule[] = [
  {
    id: 'unsafe-algorithm-match',
    severity: 'warning',
    message: 'keys verify more algorithms than their own',
    fix: 'remove it, and name the algorithms of the keys in allowedAlgorithms',
    find: (jwt) => having(keysetsOf(jwt), 'unsafeAlgorithmMatch'),
  },
  {
    id: 'hmd5-accepted',
    severity: 'warning',
    message: 'HMAC with MD5 is broken, and systems that follow FIPS do not have it',
    fix: 'let the issuer sign with HS256, or with ES256, which needs no shared key; then remove HMD5',
    find: (jwt) => legacy(jwt, 'HMD5'),
  },
  {
    id: 'hs224-accepted',
    severity: 'warning',
    message: 'HS224 is not registered, so it gets no review',
    fix: 'let the issuer sign with HS256; then remove HS224',
    find: (jwt) => legacy(jwt, 'HS224'),
  },
  {
    id: 'symmetric-on-public-source',
    severity: 'error',
    message: 'needs a secret key, and the keys of this source are public: every reader of them could sign',
    fix: 'name algorithms with public keys, such as ES256; or keep the key in a secret, and use `secret:`',
    find: (jwt) =>
      keysetsOf(jwt)
        .filter(({ value }) => SECRET_SOURCES.every((source) => value[source] === undefined))
        .flatMap((keyset) => algorithmsOf(keyset).filter(({ about }) => isSymmetric(about))),
  },
  {
    id: 'algorithms-mixed',
    severity: 'warning',
    message: 'allows both algorithms with secrets and algorithms with public keys',
    fix: 'split it into two keysets, one for each kind',
    find: (jwt) =>
      keysetsOf(jwt).flatMap((keyset) => {
        const kinds = new Set(algorithmsOf(keyset).map(({ about }) => isSymmetric(about)));
        return spotIf(kinds.size > 1, `${keyset.path}.allowedAlgorithms`);
      }),
  },
  {
    id: 'algorithms-wide',
    severity: 'warning',
    message: 'allows more algorithms than one issuer uses',
    fix: 'keep only the one or two that its tokens have in alg',
    find: (jwt) =>
      keysetsOf(jwt).flatMap((keyset) =>
        spotIf(algorithmsOf(keyset).length > MANY_ALGORITHMS, `${keyset.path}.allowedAlgorithms`),
      ),
  },
  {
    id: 'kidless-try-all',
    severity: 'warning',
    message: 'a token without a key id is tried with several keys, and each try costs a verification',
    fix: 'let the issuer write kid, and remove kidless',
    find: (jwt) =>
      keysetsOf(jwt).flatMap(({ path, value }) => spotIf(value.kidless === 'try-all', `${path}.kidless`)),
  },
];

function legacy(jwt: UncheckedOptions, name: string): readonly Spot[] {
  return [...keysetsOf(jwt), ...keysOf(jwt)].flatMap(({ path, value }) =>
    itemsOf(value.unsafeLegacyAlgorithms).flatMap((algorithm, index) =>
      spotIf(algorithm === name, `${path}.unsafeLegacyAlgorithms[${index}]`),
    ),
  );
}

function algorithmsOf({ path, value }: Part): readonly Spot[] {
  return itemsOf(value.allowedAlgorithms).flatMap((name, index) =>
    typeof name === 'string' && findAlgorithm(name) !== undefined
      ? [{ path: `${path}.allowedAlgorithms[${index}]`, about: name }]
      : [],
  );
}

function isSymmetric(algorithm: string | undefined): boolean {
  return algorithm !== undefined && findAlgorithm(algorithm)?.kty === 'oct';
}

function having(parts: readonly Part[], name: string): readonly Spot[] {
  return parts
    .filter(({ value }) => value[name] !== undefined)
    .map(({ path }) => ({ path: `${path}.${name}` }));
}
