// `latchkey jwks remove`: removes a keyset from a descriptor. Its secret, if it has one, is not
// deleted.
import { removeKeyset } from '@latchkey/core/tools';
import type { Command } from 'commander';
import { type Context, command, type FileOptions, withFile } from '../context.ts';
import { openDescriptorFile } from '../files.ts';
import { type Selection, selectKeyset, withSelection } from '../keyset-select.ts';
import { isData, listIn, sourceOf, textIn } from '../keyset-source.ts';
import { plain } from '../output.ts';

/** `jwks remove`. */
export function remove(context: Context): Command {
  return withSelection(
    withFile(
      command('remove', 'Remove a keyset. Tokens of its issuer are no longer accepted.', [
        'latchkey jwks remove my-service --issuer https://accounts.google.com',
        'latchkey jwks remove my-service --index 2',
      ]),
    ),
  )
    .argument('[service]', 'the name of the service')
    .action(async (service: string | undefined, options: FileOptions & Selection) => {
      const { output } = context;
      const file = await openDescriptorFile(context, options, service);
      const { keyset, index } = selectKeyset(context, file.document, options);
      await file.save(removeKeyset(file.document, index));
      output.note(`removed keyset ${index + 1} from ${file.name}: ${plain(sourceOf(keyset))}`);
      if (isData(keyset.secret))
        output.note(`its secret was not deleted: ${plain(textIn(keyset.secret, 'name') ?? '?')}`);
      if (listIn(file.document, 'keySets').length === 1 && listIn(file.document, 'keys').length === 0)
        output.warn('no keyset is left; add one before a service starts with this descriptor');
    });
}
