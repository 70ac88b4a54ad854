// `latchkey jwks generate`: makes a key, stores it in a new secret, and adds the keyset that
// verifies its tokens. The key is never printed.

import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type AlgorithmName, createMemoryStore, type JsonObject } from '@latchkey/core';
import { generateJwk, publicJwk } from '@latchkey/core/signing';
import { addKeyset } from '@latchkey/core/tools';
import { type Command, Option } from 'commander';
import {
  type Context,
  command,
  type FileOptions,
  type FormatOptions,
  withFile,
  withFormat,
} from '../context.ts';
import { misused } from '../failure.ts';
import { checkOptions, checkSource } from '../keyset-check.ts';
import { listIn, textIn } from '../keyset-source.ts';
import { openOrBegin } from '../new-files.ts';
import { formatTable, plain } from '../output.ts';
import { makeSecret } from '../write-secret.ts';

interface GenerateOptions extends FileOptions, FormatOptions {
  readonly algorithm?: (typeof ALGORITHMS)[number];
  readonly keyId?: string;
  readonly issuer?: string;
  readonly secret?: string;
  readonly symmetric?: true;
  readonly force?: true;
}

const SYMMETRIC = ['HS256', 'HS384', 'HS512'] as const;
const ALGORITHMS = [
  'ES256',
  'ES384',
  'ES512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'EdDSA',
  'Ed25519',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
  ...SYMMETRIC,
] as const satisfies readonly AlgorithmName[];

/** `jwks generate`. */
export function generate(context: Context): Command {
  return withFormat(
    withFile(
      command('generate', 'Make a key, store it in a new secret as a JWK Set, and add the keyset.', [
        'latchkey jwks generate my-service --algorithm ES256 --key-id signing-key --issuer https://example.com',
        'latchkey jwks generate my-service --key-id signing-key --secret my-jwks-secret',
      ]),
    ),
  )
    .argument('[service]', 'the name of the service')
    .addOption(
      new Option(
        '--algorithm <name>',
        'the algorithm of the key (default: ES256; HS256 with --symmetric)',
      ).choices(ALGORITHMS),
    )
    .option('--key-id <id>', 'the kid of the key (default: a random UUID)')
    .option('--issuer <issuer>', 'the issuer of the tokens that the key signs')
    .option('--secret <name>', 'the name of the secret (default: the key id)')
    .option('--symmetric', 'make an HMAC key: a service that can verify can also sign')
    .option('--force', 'replace a secret of this name; tokens of its key are no longer accepted')
    .action((service: string | undefined, options: GenerateOptions) => run(context, service, options));
}

async function run(context: Context, service: string | undefined, options: GenerateOptions): Promise<void> {
  const { output } = context;
  const { issuer, keyId = randomUUID(), secret = keyId } = options;
  const algorithm = algorithmOf(options);
  const file = await openOrBegin(context, options, service);
  const keysets = listIn(file.document, 'keySets');
  const name = `keySets[${keysets.length}]`;
  const keyset: JsonObject = {
    ...(issuer === undefined ? {} : { issuer }),
    secret: { name: secret, key: 'jwks.json' },
  };
  checkOptions(context, keyset, name, {
    issuer: '--issuer',
    secret: options.secret === undefined ? '--key-id' : '--secret',
  });
  if (issuer === undefined)
    output.warn('without --issuer, the keyset accepts tokens of every issuer that no other keyset names');
  const known = keysets.some((other) => isDeepStrictEqual(other, keyset));
  const text = known ? file.document.text : addKeyset(file.document, keyset);
  const jwk = await output.waitFor(`making a key: ${algorithm}`, newJwk(algorithm, keyId));
  const bytes = Buffer.from(`${JSON.stringify({ keys: [jwk] }, null, 2)}\n`);
  // Checks the keyset as a service would, before any file is written.
  const secrets = createMemoryStore({ [secret]: { 'jwks.json': bytes } });
  await checkSource(context, keyset, name, { secrets, externalSecrets: undefined });
  const undo = await makeSecret(file.directory, secret, { 'jwks.json': bytes }, options.force === true);
  try {
    await file.save(text);
  } catch (error) {
    await undo();
    throw error;
  }
  if (known) output.note('the descriptor has this keyset already');
  else if (issuer !== undefined && keysets.some((other) => textIn(other, 'issuer') === issuer))
    output.note('another keyset has this issuer too; they are tried in their order');
  output.note(`a signer reads the private key from the secret ${plain(secret)}, entry jwks.json`);
  output.result(
    options.output,
    () => formatTable(['KEY ID', 'ALGORITHM', 'SECRET'], [[keyId, algorithm, secret]]),
    { keyId, algorithm, secret, publicKey: publicJwk(jwk) ?? null },
  );
}

function algorithmOf({ algorithm, symmetric }: GenerateOptions): AlgorithmName {
  const named = algorithm ?? (symmetric === true ? 'HS256' : 'ES256');
  const isSymmetric = SYMMETRIC.some((known) => known === named);
  if (isSymmetric && symmetric !== true)
    throw misused(
      `${named} is symmetric: a service that can verify can also sign; --symmetric makes such a key`,
    );
  if (!isSymmetric && symmetric === true) throw misused(`${named} is not symmetric; leave --symmetric out`);
  return named;
}

async function newJwk(algorithm: AlgorithmName, keyId: string): Promise<JsonObject> {
  try {
    return await generateJwk(algorithm, keyId);
  } catch (error) {
    throw misused(error instanceof Error ? error.message : 'the key cannot be made');
  }
}
