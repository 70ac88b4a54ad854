// Options of the deprecated `keys` list: their type, the checked settings, and the table that reads
// them. The keysets are made in legacy-keys.ts.
import { ConfigError } from '../errors.ts';
import { name } from '../secrets/options.ts';
import type { AlgorithmName, LegacyAlgorithmName } from '../token/algorithms.ts';
import { replaced, replacedBy } from '../values/judge.ts';
import {
  type Kind,
  list,
  needed,
  object,
  optional,
  refined,
  shared,
  type TableOf,
  text,
} from '../values/option.ts';
import { algorithm, checkLegacy, checkPermitted, legacyOption } from './algorithm-options.ts';

/** One key of the deprecated `keys` list. */
export interface LegacyKeyOptions {
  /** Unique in the list. */
  readonly keyId: string;
  /** Tokens of this issuer are verified by the keys of this issuer only. */
  readonly issuer?: string;
  readonly algorithm: AlgorithmName;
  /** The secret has the entry `secret.key` (symmetric) or `public.key` (PEM). */
  readonly secret: { readonly name: string };
  /** See `SecretKeysetOptions`. Needs `issuer`. */
  readonly unsafeLegacyAlgorithms?: readonly LegacyAlgorithmName[];
}

/** One key of the list, checked. */
export interface LegacyKeySettings {
  readonly keyId: string;
  readonly issuer: string | undefined;
  readonly algorithm: AlgorithmName;
  readonly secretName: string;
  readonly legacy: ReadonlySet<AlgorithmName>;
}

/** The options of one key. */
export const legacyKeyOptions = object(
  {
    keyId: needed(text, 'The kid of its tokens, unique in the list.', replaced('has another key id')),
    issuer: optional(text, 'Tokens of this issuer are verified by the keys of this issuer only.', () => []),
    algorithm: needed(algorithm, 'The algorithm of its tokens.', replacedBy('algorithm')),
    secret: needed(
      object({ name }),
      'The secret with secret.key or public.key in it.',
      replaced('is in another secret'),
    ),
    unsafeLegacyAlgorithms: legacyOption('Must repeat the algorithm, if it is broken or unregistered.'),
  } satisfies TableOf<LegacyKeyOptions>,
  {
    dependentRequired: { unsafeLegacyAlgorithms: ['issuer'] },
    if: { properties: { algorithm: { enum: ['HMD5', 'HS224'] } } },
    then: { required: ['unsafeLegacyAlgorithms'] },
  },
);

const legacyKey: Kind<LegacyKeySettings> = refined(
  legacyKeyOptions,
  ({ secret, unsafeLegacyAlgorithms, ...read }, path) => {
    const legacy = checkLegacy(unsafeLegacyAlgorithms, read.issuer, path);
    checkPermitted(read.algorithm, legacy, `${path}.algorithm`);
    return { ...read, secretName: secret.name, legacy };
  },
  shared('legacyKey', { ...legacyKeyOptions.schema, description: 'One key of the deprecated list.' }),
);

/** The deprecated `keys` list. */
export const legacyKeys: Kind<readonly LegacyKeySettings[]> = refined(list(legacyKey), (keys, path) => {
  for (const [index, { keyId }] of keys.entries()) {
    const first = keys.findIndex((key) => key.keyId === keyId);
    if (first !== index)
      throw new ConfigError(
        `${path}[${index}].keyId`,
        `expected a unique keyId, got that of ${path}[${first}]`,
      );
  }
  return keys;
});

/** Checks the deprecated `keys` list. @throws ConfigError */
export function readLegacyKeys(value: unknown): readonly LegacyKeySettings[] {
  return legacyKeys.read(value, 'keys');
}
