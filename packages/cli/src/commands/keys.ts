// `latchkey keys`: the deprecated list of raw keys, which warns at every use. Each subcommand has
// its own file.
import type { Command } from 'commander';
import { type Context, command } from '../context.ts';
import { add } from './keys-add.ts';
import { generate } from './keys-generate.ts';
import { list } from './keys-list.ts';

/** `keys`, also called `jwts` and `jwt`. */
export function keys(context: Context): Command {
  const group = command('keys', 'Single keys (deprecated: jwks migrate turns them into keysets).', [
    'latchkey keys list my-service',
    'latchkey jwks migrate my-service',
  ]);
  group.aliases(['jwts', 'jwt']);
  group.hook('preAction', () =>
    context.output.warn('single keys are deprecated; "latchkey jwks migrate" turns them into keysets'),
  );
  for (const made of [list, generate, add]) group.addCommand(made(context));
  return group;
}
