// `latchkey jwks list`: lists the keysets of a descriptor in its order. No key is read.
import type { Command } from 'commander';
import {
  type Context,
  command,
  type FileOptions,
  type FormatOptions,
  withFile,
  withFormat,
} from '../context.ts';
import { listIn, sourceOf, textIn } from '../keyset-source.ts';
import { openToList } from '../new-files.ts';
import { formatTable } from '../output.ts';

/** `jwks list`. */
export function list(context: Context): Command {
  return withFormat(
    withFile(
      command('list', 'List keysets. The first is number 1.', [
        'latchkey jwks list my-service',
        'latchkey jwks list -o json',
      ]),
    ),
  )
    .argument('[service]', 'the name of the service')
    .action(async (service: string | undefined, options: FileOptions & FormatOptions) => {
      const { document } = await openToList(context, options, service);
      const keysets = listIn(document, 'keySets');
      // Programs get the two columns of the command lines of gateways.
      const hasNumbers = context.terminal.stdout.isTTY === true;
      const rows = () =>
        keysets.map((keyset, index) => [
          ...(hasNumbers ? [String(index + 1)] : []),
          textIn(keyset, 'issuer') ?? '-',
          sourceOf(keyset),
        ]);
      const head = [...(hasNumbers ? ['INDEX'] : []), 'ISSUER', 'SOURCE'];
      context.output.result(options.output, () => formatTable(head, rows()), keysets);
    });
}
