// Whether a keyset is one that a service could use: its options, and, unless that is to be skipped, what its source gives.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  ConfigError,
  createAuthenticator,
  isAuthError,
  type KeysetOptions,
  type SecretStore,
} from '@latchkey/core';
import { interpolate, readKeyset } from '@latchkey/core/tools';
import type { Context } from './context.ts';
import { misused, unreachable } from './failure.ts';
import { type Data, isData, sourceOf, textIn } from './keyset-source.ts';
import { plain } from './output.ts';

/** Where a keyset's secrets are. */
export interface Stores {
  readonly secrets: SecretStore;
  readonly externalSecrets: SecretStore | undefined;
}

const SKIPPED = 'latchkey:keyset:key-skipped';

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
 * @throws Failure: a secret that is not there or holds no JWK Set is misuse; any other source is said to be unreachable
 */
export async function checkSource(
  context: Context,
  keyset: Data,
  name: string,
  stores: Stores,
): Promise<void> {
  const { output, terminal } = context;
  const { skipValidation: _, ...validated } = keyset;
  const options = withVariables(validated, terminal.env, name);
  if (!isKeyset(options, name)) return;
  const source = plain(sourceOf(keyset));
  // Said afterwards: meanwhile, the terminal shows what is waited for.
  const skipped: Data[] = [];
  const told = (message: unknown) => {
    if (isData(message)) skipped.push(message);
  };
  const authenticator = createAuthenticator({ keySets: [options], audience: null, ...stores });
  subscribe(SKIPPED, told);
  try {
    await output.waitFor(`reading keys: ${source}`, authenticator.ready());
    for (const key of skipped) {
      const [kid, reason] = [textIn(key, 'kid') ?? 'without a kid', textIn(key, 'reason') ?? ''];
      output.warn(`the key ${plain(kid)} of ${source} is not used: ${plain(reason)}`);
    }
    const [report] = authenticator.report().keysets;
    if (report?.kids.length === 0) output.warn(`${source} has no key that verifies a token`);
  } catch (error) {
    if (!isAuthError(error)) throw error;
    const isSecret = isData(keyset.secret) || isData(keyset.externalSecret);
    throw (isSecret ? misused : unreachable)(`${source}: ${reasonOf(error.cause)}`);
  } finally {
    unsubscribe(SKIPPED, told);
    await authenticator.close();
  }
}

/** Options, checked: what is wrong with them is thrown. */
function isKeyset(value: unknown, name: string): value is KeysetOptions {
  readKeyset(value, name);
  return true;
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
