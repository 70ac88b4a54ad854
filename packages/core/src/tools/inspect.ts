// Shows the content of a token or a keyset to people. Nothing here verifies a token, and no
// decision may depend on it.

import type { SkippedKey, VerificationKey } from '../jwk/import-jwks.ts';
import { createSource } from '../keysets/create.ts';
import { importInline } from '../keysets/inline.ts';
import type { KeysetOptions } from '../keysets/options.ts';
import { readKeyset, readsForTokens } from '../keysets/options.ts';
import { held } from '../net/held.ts';
import type { SecretStore } from '../secrets/store.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import { parseToken } from '../token/parse.ts';
import { type JsonObject, parseJsonObject } from '../values/json.ts';

/** The content of a token. */
export interface UnverifiedTokenText {
  /** The whole JOSE header, including parameters that a verifier ignores. */
  readonly header: JsonObject;
  readonly claims: JsonObject;
}

/** The largest value of `maxTokenBytes`. */
const MAX_BYTES = 65_536;

/**
 * Reads a token as strictly as an authenticator does. Does *not* verify it.
 * @throws AuthError `token_malformed`
 */
export function readUnverifiedToken(token: string): UnverifiedTokenText {
  const { claims } = parseToken(token, MAX_BYTES);
  return { header: parseJsonObject(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url')), claims };
}

/** Options of `inspectKeyset`, in addition to those of the keyset. */
export interface InspectOptions {
  readonly secrets?: SecretStore | undefined;
  readonly externalSecrets?: SecretStore | undefined;
  /** The name of the keyset in errors. Default `keySets[0]`. */
  readonly name?: string | undefined;
}

/** The keys of a keyset at one moment, without key material. */
export interface InspectedKeyset {
  /** In the order of the source. */
  readonly keys: readonly {
    readonly kid: string | undefined;
    readonly algorithms: readonly AlgorithmName[];
  }[];
  readonly skipped: readonly SkippedKey[];
}

/**
 * Reads one keyset once, as a service does. Does not cache, retry, watch or warn, and closes its
 * connections. A keyset with `jwksHosts`, and one whose tenants have keys of their own, have no
 * keys here, because only a token says where they are.
 * @throws ConfigError for invalid options, and for an inline set without a usable key
 * @throws Error of the source, if it cannot be read
 */
export async function inspectKeyset(
  options: KeysetOptions,
  { secrets, externalSecrets, name = 'keySets[0]' }: InspectOptions = {},
): Promise<InspectedKeyset> {
  const settings = readKeyset(options, name);
  if (settings.source === 'jwksHosts' || readsForTokens(settings)) return { keys: [], skipped: [] };
  if (settings.source === 'jwks') return inspected(importInline(settings));
  const source = createSource(settings, { secret: secrets, externalSecret: externalSecrets });
  try {
    return inspected(await held(source.load(new AbortController().signal)));
  } finally {
    await source.close?.();
  }
}

function inspected({
  keys,
  skipped,
}: {
  readonly keys: readonly VerificationKey[];
  readonly skipped: readonly SkippedKey[];
}): InspectedKeyset {
  return { keys: keys.map(({ kid, verifiers }) => ({ kid, algorithms: [...verifiers.keys()] })), skipped };
}
