// Checks that a service could use a keyset: its options and, unless skipped, the keys of its
// source. Nothing is written here.
import { isAbsolute } from 'node:path';
import { ConfigError, type KeysetOptions, type SecretStore } from '@latchkey/core';
import { inspectKeyset, interpolate, readKeyset } from '@latchkey/core/tools';
import type { Context } from './context.ts';
import { Failure, misused, unreachable } from './failure.ts';
import { type Data, isData, sourceOf } from './keyset-source.ts';
import { plain } from './output.ts';

/** The option that writes `skipValidation`, for commands that make and change keysets. */
export const START_WITHOUT_KEYS = [
  '--start-without-keys',
  'write skipValidation: true: the start of the service does not wait for these keys',
] as const;

/** The directories of a keyset's secrets. */
export interface Stores {
  readonly secrets: SecretStore;
  readonly externalSecrets: SecretStore | undefined;
}

/** The flags of the command, by the options that they set. */
export type Flags = Readonly<Record<string, string>>;

const MINUTE_MS = 60_000;

/**
 * Checks the options of a keyset, with its variables replaced. A CA file that is only where the
 * service runs, as in a pod, is not checked.
 * @param name its place, for messages: `keySets[1]`
 * @param flags for messages about options that the command sets
 * @throws ConfigError, Failure with the flag
 */
export function checkOptions(
  { terminal, output }: Context,
  keyset: Data,
  name: string,
  flags: Flags = {},
): void {
  try {
    const { refresh } = readHere(withVariables(keyset, terminal.env, name), name);
    if (flags.refreshInterval !== undefined && refresh.refreshIntervalMs < MINUTE_MS)
      output.note(`${flags.refreshInterval}: keys are read at most once a minute, so this is 1m`);
  } catch (error) {
    throw error instanceof ConfigError ? inFlags(error, name, flags) : error;
  }
}

function readHere(keyset: Data, name: string): ReturnType<typeof readKeyset> {
  try {
    return readKeyset(keyset, name);
  } catch (error) {
    const isElsewhere =
      error instanceof ConfigError &&
      error.path === `${name}.tls.ca` &&
      isAbsolute(error.problem) &&
      error.problem.endsWith(' cannot be read: ENOENT');
    if (!isElsewhere || !isData(keyset.tls)) throw error;
    const { ca: _ca, ...tls } = keyset.tls;
    return readKeyset({ ...keyset, tls }, name);
  }
}

/** Names the flag instead of the option of the file. */
export function inFlags(error: ConfigError, name: string, flags: Flags): Error {
  const [, option = ''] = /^([A-Za-z]+)/.exec(error.path.slice(name.length + 1)) ?? [];
  const flag = error.path.startsWith(`${name}.`) ? flags[option] : undefined;
  if (flag === undefined) return error;
  const problem = error.problem.replace(/\b[a-z]+(?:[A-Z][a-z]+)+\b/g, (word) => ALL_FLAGS[word] ?? word);
  return misused(`${flag}: ${problem}`);
}

const ALL_FLAGS: Flags = {
  allowHttp: '--allow-http',
  jwksUrl: '--jwks-url',
  useOidcDiscovery: '--oidc-discovery',
  useDiscovery: '--discovery',
  allowedAlgorithms: '--allowed-algorithms',
  refreshInterval: '--refresh-interval',
  externalSecret: '--external-secret',
  unsafeLegacyAlgorithms: '--unsafe-legacy',
  keyId: '--key-id',
};

/**
 * Reads the keys of a keyset once, as a service would, and warns of unusable keys.
 * @throws Failure: misuse for a secret that is missing or not a JWK Set; unreachable for any other
 *   source
 */
export async function checkSource(
  context: Context,
  keyset: Data,
  name: string,
  stores: Stores,
): Promise<void> {
  const { output, terminal } = context;
  // Wrong options throw here, because their type is not checked.
  const options = withVariables(keyset, terminal.env, name) as unknown as KeysetOptions;
  const source = plain(sourceOf(keyset));
  try {
    const reading = inspectKeyset(options, { ...stores, name });
    const { keys, skipped } = await output.waitFor(`reading keys: ${source}`, reading);
    for (const { kid = 'without a kid', reason } of skipped)
      output.warn(`the key ${plain(kid)} of ${source} is not used: ${plain(reason)}`);
    if (keys.length === 0) output.warn(`${source} has no key that verifies a token`);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const isSecret = isData(keyset.secret) || isData(keyset.externalSecret);
    throw (isSecret ? misused : unreachable)(`${source}: ${reasonOf(error)}`);
  }
}

/** Says how to go on without a source that this machine cannot reach. */
export function orSkip(error: unknown): never {
  if (error instanceof Failure && error.exitCode === 3)
    throw unreachable(`${error.message}; --skip-validation writes it without reading its keys`);
  throw error;
}

function withVariables(keyset: Data, environment: Context['terminal']['env'], name: string): Data {
  try {
    return interpolate(keyset, environment);
  } catch (error) {
    throw error instanceof ConfigError ? new ConfigError(`${name}.${error.path}`, error.problem) : error;
  }
}

/** The texts of core are constant; those of the system name at most hosts and certificates. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return 'it cannot be read';
  // The message of fetch for every network error.
  if (cause.message === 'fetch failed' && cause.cause instanceof Error) return reasonOf(cause.cause);
  return plain(cause.message === '' && 'code' in cause ? String(cause.code) : cause.message);
}
