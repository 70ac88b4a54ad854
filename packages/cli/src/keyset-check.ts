// Whether a keyset is one that a service could use: its options, and, unless that is to be skipped,
// what its source gives.
import { ConfigError, type KeysetOptions, type SecretStore } from '@latchkey/core';
import { inspectKeyset, interpolate, readKeyset } from '@latchkey/core/tools';
import type { Context } from './context.ts';
import { misused, unreachable } from './failure.ts';
import { type Data, isData, sourceOf } from './keyset-source.ts';
import { plain } from './output.ts';

/** Where a keyset's secrets are. */
export interface Stores {
  readonly secrets: SecretStore;
  readonly externalSecrets: SecretStore | undefined;
}

/**
 * Checks the options of a keyset, with its variables put in.
 * @param name where it stands, for messages: `keySets[1]`
 * @throws ConfigError
 */
export function checkOptions({ terminal }: Context, keyset: Data, name: string): void {
  readKeyset(withVariables(keyset, terminal.env, name), name);
}

/**
 * Reads the keys of a keyset, once, as a service would, and warns of those that it could not use.
 * @throws Failure: a secret that is not there or holds no JWK Set is misuse; any other source is
 *   said to be unreachable
 */
export async function checkSource(
  context: Context,
  keyset: Data,
  name: string,
  stores: Stores,
): Promise<void> {
  const { output, terminal } = context;
  // What is wrong with the options is thrown, whatever their type says.
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

function withVariables(keyset: Data, environment: Context['terminal']['env'], name: string): Data {
  try {
    return interpolate(keyset, environment);
  } catch (error) {
    throw error instanceof ConfigError ? new ConfigError(`${name}.${error.path}`, error.problem) : error;
  }
}

/** Core's own texts are constant; the system's name hosts and certificates at most. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return 'it cannot be read';
  // What fetch says of every fault of the network.
  if (cause.message === 'fetch failed' && cause.cause instanceof Error) return reasonOf(cause.cause);
  return plain(cause.message === '' && 'code' in cause ? String(cause.code) : cause.message);
}
