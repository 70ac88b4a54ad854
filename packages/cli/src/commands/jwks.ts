// `latchkey jwks`: the keysets of a descriptor. Each subcommand has its own file.
import type { Command } from 'commander';
import { type Context, command } from '../context.ts';
import { add } from './jwks-add.ts';
import { generate } from './jwks-generate.ts';
import { list } from './jwks-list.ts';
import { migrate } from './jwks-migrate.ts';
import { remove } from './jwks-remove.ts';
import { update } from './jwks-update.ts';

/** `jwks`. */
export function jwks(context: Context): Command {
  const group = command('jwks', 'Keysets: whose tokens a service accepts, and where their keys come from.', [
    'latchkey jwks list my-service',
    'latchkey jwks add my-service --oidc-discovery --issuer https://accounts.google.com',
  ]);
  for (const made of [list, add, generate, update, remove, migrate]) group.addCommand(made(context));
  return group;
}
