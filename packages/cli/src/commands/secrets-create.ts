// `latchkey secrets create symmetric` and `asymmetric`: check existing keys and store them in a
// secret. They make no keys.
import { checkKeyPair, checkSymmetricSecret, extractPublicKey } from '@latchkey/core/tools';
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
import { secretsDirectory } from '../files.ts';
import { warnOfArgument } from '../token-input.ts';
import { makeSecret } from '../write-secret.ts';
import { inputName, readKeyInput } from './secrets-files.ts';

/** The entries of raw keys in a secret. */
type KeyEntry = 'secret.key' | 'private.key' | 'public.key';

interface CreateOptions extends FileOptions, FormatOptions {
  readonly force?: boolean | undefined;
}

interface SymmetricOptions extends CreateOptions {
  readonly secretKeyLiteral?: string | undefined;
  readonly secretKey?: string | undefined;
}

interface AsymmetricOptions extends CreateOptions {
  readonly privateKey?: string | undefined;
  readonly publicKey?: string | undefined;
  readonly extractPublicKey?: boolean | undefined;
}

/** `secrets create symmetric NAME`. */
export function createSymmetric(context: Context): Command {
  const made = command('symmetric', 'A secret that issuer and verifier share.', [
    'openssl rand -base64 48 | latchkey secrets create symmetric my-secret --secret-key -',
    'latchkey secrets create symmetric my-secret --secret-key secret.key',
    'latchkey secrets create symmetric my-secret --secret-key-literal "<some-secret-text>"',
  ]).argument('<name>', 'the name of the secret');
  return withCreate(made)
    .addOption(
      new Option('--secret-key-literal <text>', 'the secret itself; other users can see arguments').conflicts(
        'secretKey',
      ),
    )
    .addOption(new Option('--secret-key <path>', 'a file with the secret; - is standard input'))
    .action(async (name: string, options: SymmetricOptions) => {
      const { secretKeyLiteral: literal, secretKey: path } = options;
      if (literal !== undefined) warnOfArgument(context, 'the secret', '--secret-key -');
      else if (path === undefined) throw misused('expected either --secret-key or --secret-key-literal');
      const bytes = literal === undefined ? await readKeyInput(context, path ?? '-') : Buffer.from(literal);
      judge('the secret', 'make one with: openssl rand -base64 48', () => checkSymmetricSecret(bytes));
      await put(context, name, { 'secret.key': bytes }, options);
    });
}

/** `secrets create asymmetric NAME`. */
export function createAsymmetric(context: Context): Command {
  const made = command('asymmetric', 'A key pair, or one half of it: PEM, RSA, ECDSA or Ed25519.', [
    'latchkey secrets create asymmetric my-secret --private-key private.key --public-key public.key',
    'latchkey secrets create asymmetric my-secret --private-key private.key --extract-public-key',
  ]).argument('<name>', 'the name of the secret');
  return withCreate(made)
    .addOption(new Option('--private-key <path>', 'a file with the private key; - is standard input'))
    .addOption(
      new Option('--public-key <path>', 'a file with the public key; - is standard input').conflicts(
        'extractPublicKey',
      ),
    )
    .addOption(new Option('--extract-public-key', 'derive the public key from the private key'))
    .action(async (name: string, options: AsymmetricOptions) => {
      const { privateKey: privatePath, publicKey: publicPath } = options;
      if (privatePath === undefined && (publicPath === undefined || options.extractPublicKey === true))
        throw misused('expected --private-key; add --public-key or --extract-public-key to verify with it');
      if (privatePath === '-' && publicPath === '-')
        throw misused('expected - for at most one of --private-key and --public-key');
      const privateKey = await readPem(context, privatePath);
      const given = await readPem(context, publicPath);
      for (const [path, pair] of [
        [privatePath, { privateKey }],
        [publicPath, { publicKey: given }],
      ] as const)
        if (path !== undefined) judge(inputName(path), FIX, () => checkKeyPair(pair));
      judge('the key pair', 'pass the two halves of one key pair', () =>
        checkKeyPair({ privateKey, publicKey: given }),
      );
      const extract = options.extractPublicKey === true && privateKey !== undefined;
      const publicKey = extract ? extractPublicKey(privateKey) : given;
      await put(
        context,
        name,
        { ...entry('private.key', privateKey), ...entry('public.key', publicKey) },
        options,
      );
      if (publicKey === undefined)
        context.output.note('The secret only signs, because it has no public key.');
    });
}

const FIX = 'make one with: openssl genpkey -algorithm ed25519';

function withCreate(made: Command): Command {
  return withFormat(withFile(made)).addOption(new Option('--force', 'replace an existing secret'));
}

async function readPem(context: Context, path: string | undefined): Promise<string | undefined> {
  return path === undefined ? undefined : Buffer.from(await readKeyInput(context, path)).toString('utf8');
}

function entry(key: KeyEntry, pem: string | undefined): Readonly<Record<string, Uint8Array>> {
  return pem === undefined ? {} : { [key]: Buffer.from(pem) };
}

/** Turns an error about a key into a failure with a fix, because the user can replace the key. */
function judge(what: string, fix: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw misused(`${what} cannot be used: ${error.message}; ${fix}`);
  }
}

async function put(
  context: Context,
  name: string,
  entries: Readonly<Record<string, Uint8Array>>,
  options: CreateOptions,
): Promise<void> {
  await makeSecret(secretsDirectory(context, options), name, entries, options.force === true);
  const names = Object.keys(entries);
  context.output.result(options.output, () => `Secret ${name} created: ${names.join(', ')}`, {
    name,
    entries: names,
  });
}
