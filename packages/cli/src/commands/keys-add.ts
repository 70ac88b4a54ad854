// `latchkey keys add`: adds a key to the deprecated list, after checking that its secret exists and
// fits.
import { ConfigError, type JsonObject, type SecretStore } from '@latchkey/core';
import { addKey, readLegacyKey, readLegacyKeys } from '@latchkey/core/tools';
import type { Command } from 'commander';
import { type Context, command, withFile } from '../context.ts';
import { misused } from '../failure.ts';
import { type KeyOptions, keyOf, withKey } from '../legacy-key.ts';
import { openOrBegin } from '../new-files.ts';
import { plain } from '../output.ts';

/** `keys add`. */
export function add(context: Context): Command {
  return withKey(
    withFile(
      command('add', 'Add a key whose secret exists already.', [
        'latchkey keys add my-service --key-id my-key --algorithm HS256 --issuer my-issuer --secret my-secret',
        'latchkey keys add --key-id partner --algorithm RS256 --issuer https://partner.example.com',
      ]),
    ),
  ).action(async (service: string | undefined, options: KeyOptions) => {
    const { output } = context;
    const file = await openOrBegin(context, options, service);
    const key = keyOf(options, file.document);
    const verifies = await checkSecret(key, file.store);
    await file.save(addKey(file.document, key));
    if (!verifies) output.note('its secret has no public.key, so the key signs and does not verify');
    output.note(`added the key ${plain(options.keyId)} to ${file.name}`);
  });
}

/**
 * @returns false for a key that only signs.
 * @throws Failure for a secret that is missing, or for another algorithm
 */
async function checkSecret(key: JsonObject, store: SecretStore): Promise<boolean> {
  const { signal } = new AbortController();
  try {
    const [settings] = readLegacyKeys([key]);
    if (settings === undefined) return false;
    return (await readLegacyKey(settings, 'keys', store, signal)).identity !== undefined;
  } catch (error) {
    if (error instanceof ConfigError && error.cause instanceof Error)
      throw misused(`the secret cannot be used for this key: ${error.cause.message}`);
    throw error;
  }
}
