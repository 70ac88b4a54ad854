// `latchkey tokens`: commands that make, show and verify tokens. Each subcommand has its own file.
import type { Command } from 'commander';
import { type Context, command } from '../context.ts';
import { create, init, show } from './tokens-directory.ts';
import { inspect } from './tokens-inspect.ts';
import { verify } from './tokens-verify.ts';

/** `tokens init | create | show | verify | inspect`. */
export function tokens(context: Context): Command {
  return command('tokens', 'Tokens of a key pair of your own, and tokens to look at.', [
    'latchkey tokens init',
    'latchkey tokens create analyst analyst_group',
    'latchkey tokens inspect < token.txt',
  ])
    .addCommand(init(context))
    .addCommand(create(context))
    .addCommand(show(context))
    .addCommand(verify(context))
    .addCommand(inspect(context));
}
