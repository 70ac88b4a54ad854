// One key of the deprecated list, from options of the command line. Nothing is written here.
import { type AlgorithmName, ConfigError, type JsonObject } from '@latchkey/core';
import { type DescriptorDocument, readLegacyKeys } from '@latchkey/core/tools';
import { type Command, Option } from 'commander';
import type { FileOptions } from './context.ts';
import { misused } from './failure.ts';
import { inFlags } from './keyset-check.ts';
import { listIn, textIn } from './keyset-source.ts';
import { plain } from './output.ts';

/** The options that describe a key. */
export interface KeyOptions extends FileOptions {
  readonly keyId: string;
  readonly algorithm: AlgorithmName;
  readonly issuer?: string;
  readonly secret?: string;
  readonly unsafeLegacy?: true;
}

/** The algorithms of the deprecated list. */
const ALGORITHMS = [
  'HMD5',
  'HS224',
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'RS384',
  'RS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const satisfies readonly AlgorithmName[];

const FLAGS = {
  keyId: '--key-id',
  issuer: '--issuer',
  algorithm: '--algorithm',
  secret: '--secret',
  unsafeLegacyAlgorithms: '--unsafe-legacy',
} as const;

/** The algorithms of the list that need --unsafe-legacy. */
const LEGACY: ReadonlySet<string> = new Set(['HMD5', 'HS224']);

/** `--key-id`, `--algorithm`, `--issuer`, `--secret` and `--unsafe-legacy`. */
export function withKey(to: Command): Command {
  return to
    .argument('[service]', 'the name of the service')
    .requiredOption('--key-id <id>', 'the kid of the key; no other key of the service has it')
    .addOption(
      new Option('--algorithm <name>', 'the algorithm of the key').choices(ALGORITHMS).default('HS256'),
    )
    .option('--issuer <issuer>', 'tokens of this issuer are verified only by its keys; recommended')
    .option('--secret <name>', 'the name of the secret (default: the key id)')
    .option('--unsafe-legacy', 'allow HMD5 and HS224, and write unsafeLegacyAlgorithms; requires --issuer');
}

/**
 * Returns the key for the descriptor.
 * @throws Failure, ConfigError for a key that the list cannot contain
 */
export function keyOf(options: KeyOptions, document: DescriptorDocument): JsonObject {
  const { keyId, algorithm, issuer, secret = keyId } = options;
  const isLegacy = LEGACY.has(algorithm);
  if (isLegacy && (options.unsafeLegacy !== true || issuer === undefined))
    throw misused(`${algorithm} is too weak; --unsafe-legacy with --issuer allows it`);
  if (!isLegacy && options.unsafeLegacy === true)
    throw misused(`--unsafe-legacy is for HMD5 and HS224, not for ${algorithm}`);
  const keys = listIn(document, 'keys');
  if (keys.some((key) => textIn(key, 'keyId') === keyId))
    throw misused(`another key has the id ${plain(keyId)} already`);
  const key = {
    keyId,
    ...(issuer === undefined ? {} : { issuer }),
    algorithm,
    secret: { name: secret },
    ...(isLegacy ? { unsafeLegacyAlgorithms: [algorithm] } : {}),
  };
  try {
    readLegacyKeys([key]);
  } catch (error) {
    throw error instanceof ConfigError
      ? inFlags(error, 'keys[0]', options.secret === undefined ? { ...FLAGS, secret: '--key-id' } : FLAGS)
      : error;
  }
  return key;
}
