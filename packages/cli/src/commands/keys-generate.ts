// `latchkey keys generate`: makes a key of the deprecated list, in a new secret. The key is never
// printed.
import { createPrivateKey, createPublicKey, type JsonWebKey, randomBytes } from 'node:crypto';
import type { AlgorithmName } from '@latchkey/core';
import { generateJwk } from '@latchkey/core/signing';
import { addKey } from '@latchkey/core/tools';
import type { Command } from 'commander';
import { type Context, command, withFile } from '../context.ts';
import { type KeyOptions, keyOf, withKey } from '../legacy-key.ts';
import { openOrBegin } from '../new-files.ts';
import { plain } from '../output.ts';
import { makeSecret } from '../write-secret.ts';

interface GenerateOptions extends KeyOptions {
  readonly force?: true;
}

/** Longer than the hash of HMD5 or HS224. */
const LEGACY_BYTES = 32;

/** `keys generate`. */
export function generate(context: Context): Command {
  return withKey(
    withFile(
      command('generate', 'Make a key, store it in a new secret, and add it.', [
        'latchkey keys generate my-service --key-id my-key --algorithm HS256 --issuer my-issuer',
        'latchkey keys generate --key-id signing --algorithm ES256 --secret signing-2026',
      ]),
    ),
  )
    .option('--force', 'replace a secret of this name; tokens of its key are no longer accepted')
    .action(async (service: string | undefined, options: GenerateOptions) => {
      const { output } = context;
      const { keyId, algorithm, secret = keyId } = options;
      const file = await openOrBegin(context, options, service);
      const text = addKey(file.document, keyOf(options, file.document));
      const entries = await output.waitFor(`making a key: ${algorithm}`, newEntries(algorithm));
      const undo = await makeSecret(file.directory, secret, entries, options.force === true);
      try {
        await file.save(text);
      } catch (error) {
        await undo();
        throw error;
      }
      output.note(`added the key ${plain(keyId)} to ${file.name}, with the new secret ${plain(secret)}`);
      if (options.unsafeLegacy === true)
        output.note(
          `another system has to sign with it: Latchkey verifies ${algorithm} and does not sign it`,
        );
    });
}

/** The entries of a secret for this algorithm. */
async function newEntries(algorithm: AlgorithmName): Promise<Readonly<Record<string, Uint8Array>>> {
  if (algorithm === 'HMD5' || algorithm === 'HS224') return { 'secret.key': randomBytes(LEGACY_BYTES) };
  const jwk = await generateJwk(algorithm);
  if (typeof jwk.k === 'string') return { 'secret.key': Buffer.from(jwk.k, 'base64url') };
  const key: JsonWebKey = { ...jwk };
  const privateKey = createPrivateKey({ key, format: 'jwk' });
  const publicKey = createPublicKey(privateKey);
  return {
    'private.key': Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    'public.key': Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })),
  };
}
