// What lint finds in the algorithms of keysets and keys, and in how a key is chosen for a token.

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
    fix: 'take it out, and name the algorithms of the keys in allowedAlgorithms',
    find: (jwt) => having(keysetsOf(jwt), 'unsafeAlgorithmMatch'),
  },
  {
    id: 'hmd5-accepted',
    severity: 'warning',
    message: 'HMAC with MD5 is broken, and is gone from systems that follow FIPS',
    fix: 'have the issuer sign with HS256, or with ES256 where it need not share its key; then take HMD5 out',
    find: (jwt) => legacy(jwt, 'HMD5'),
  },
  {
    id: 'hs224-accepted',
    severity: 'warning',
    message: 'HS224 is registered nowhere, so nobody reviews it',
    fix: 'have the issuer sign with HS256; then take HS224 out',
    find: (jwt) => legacy(jwt, 'HS224'),
  },
  {
    id: 'symmetric-on-public-source',
    severity: 'error',
    message: 'takes a secret, and the keys of this source are public: whoever reads them could sign',
    fix: 'name algorithms with public keys, such as ES256; or keep the key in a secret, and use `secret:`',
    find: (jwt) =>
      keysetsOf(jwt)
        .filter(({ value }) => SECRET_SOURCES.every((source) => value[source] === undefined))
        .flatMap((keyset) => algorithmsOf(keyset).filter(({ about }) => isSymmetric(about))),
  },
  {
    id: 'algorithms-mixed',
    severity: 'warning',
    message: 'allows algorithms with secrets and with public keys, side by side',
    fix: 'make two keysets of it, one for each kind',
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
    fix: 'leave the one or two that its tokens say in alg',
    find: (jwt) =>
      keysetsOf(jwt).flatMap((keyset) =>
        spotIf(algorithmsOf(keyset).length > MANY_ALGORITHMS, `${keyset.path}.allowedAlgorithms`),
      ),
  },
  {
    id: 'kidless-try-all',
    severity: 'warning',
    message: 'a token without a key id is tried with several keys, and each try costs a verification',
    fix: 'have the issuer write kid, and take kidless out',
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
