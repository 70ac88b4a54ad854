// Reading the deprecated `keys` list.

import { ConfigError } from '../errors.ts';
import { checkSecretName } from '../secrets/store.ts';
import { readList, readObject, readText } from '../values/readers.ts';
import type { LegacyKeySettings } from './legacy-keys.ts';
import { isLegacyName, readAlgorithm, readLegacy } from './read-algorithms.ts';

/** Checks the deprecated `keys` list. @throws ConfigError */
export function readLegacyKeys(value: unknown): readonly LegacyKeySettings[] {
  const keys = readList(value, readLegacyKey, 'keys');
  for (const [index, { keyId }] of keys.entries()) {
    const first = keys.findIndex((key) => key.keyId === keyId);
    if (first !== index)
      throw new ConfigError(`keys[${index}].keyId`, `is the same as that of keys[${first}]`);
  }
  return keys;
}

function readLegacyKey(value: unknown, path: string): LegacyKeySettings {
  const known = ['keyId', 'issuer', 'algorithm', 'secret', 'unsafeLegacyAlgorithms'];
  const options = readObject(value, known, path);
  const issuer = options.issuer === undefined ? undefined : readText(options.issuer, `${path}.issuer`);
  const algorithm = readAlgorithm(options.algorithm, `${path}.algorithm`);
  const legacy = readLegacy(options.unsafeLegacyAlgorithms, issuer, path);
  if (isLegacyName(algorithm) && !legacy.has(algorithm)) {
    throw new ConfigError(
      `${path}.algorithm`,
      `${algorithm} is unsafe; name it in unsafeLegacyAlgorithms to accept it all the same`,
    );
  }
  const secret = readObject(options.secret, ['name'], `${path}.secret`);
  return {
    keyId: readText(options.keyId, `${path}.keyId`),
    issuer,
    algorithm,
    secretName: checkSecretName(readText(secret.name, `${path}.secret.name`), `${path}.secret.name`),
    legacy,
  };
}
