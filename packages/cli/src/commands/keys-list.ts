// `latchkey keys list`: prints the deprecated list. Its secrets are printed only with -o json, and
// with a warning.
import type { Command } from 'commander';
import {
  type Context,
  command,
  type FileOptions,
  type FormatOptions,
  withFile,
  withFormat,
} from '../context.ts';
import type { DescriptorFile } from '../files.ts';
import { type Data, isData, listIn, textIn } from '../keyset-source.ts';
import { openToList } from '../new-files.ts';
import { formatTable, plain } from '../output.ts';

interface ListOptions extends FileOptions, FormatOptions {
  readonly redact?: true;
}

/** The entries of a secret, and their names in the output. */
const ENTRIES = [
  ['secretKey', 'secret.key'],
  ['privateKey', 'private.key'],
  ['publicKey', 'public.key'],
] as const;

/** `keys list`. */
export function list(context: Context): Command {
  return withFormat(
    withFile(
      command('list', 'List keys. JSON contains their secrets, unless --redact omits them.', [
        'latchkey keys list my-service',
        'latchkey keys list my-service -o json --redact',
      ]),
    ),
  )
    .argument('[service]', 'the name of the service')
    .option('--redact', 'omit the secrets from JSON')
    .action(async (service: string | undefined, options: ListOptions) => {
      const { output } = context;
      const file = await openToList(context, options, service);
      const keys = listIn(file.document, 'keys');
      const isOpen = options.output === 'json' && options.redact !== true;
      if (isOpen && keys.length > 0)
        output.warn('the output contains secrets in the clear; --redact omits them');
      const data = isOpen ? await Promise.all(keys.map((key) => withSecret(context, key, file))) : keys;
      output.result(options.output, () => formatTable(HEAD, keys.map(rowOf)), data);
    });
}

const HEAD = ['KEY ID', 'ISSUER', 'ALGORITHM', 'SECRET'] as const;

function rowOf(key: Data): readonly string[] {
  const cells = [textIn(key, 'keyId'), textIn(key, 'issuer'), textIn(key, 'algorithm'), secretOf(key)];
  return cells.map((cell) => cell ?? '-');
}

function secretOf({ secret }: Data): string | undefined {
  return isData(secret) ? textIn(secret, 'name') : undefined;
}

/** Adds the content of its secret: bytes in base64, PEM unchanged. */
async function withSecret({ output }: Context, key: Data, { store }: DescriptorFile): Promise<Data> {
  const name = secretOf(key);
  if (name === undefined) return key;
  const { signal } = new AbortController();
  const found = await Promise.all(
    ENTRIES.map(async ([shown, entry]) => {
      const bytes = await store.read({ name, key: entry }, signal);
      if (bytes === undefined) return [];
      return [[shown, Buffer.from(bytes).toString(shown === 'secretKey' ? 'base64' : 'utf8')]];
    }),
  );
  if (found.flat().length === 0) output.warn(`the secret ${plain(name)} does not exist`);
  return { ...key, secret: { name, ...Object.fromEntries(found.flat()) } };
}
