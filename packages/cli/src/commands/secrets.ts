// `latchkey secrets`: the directory of secrets that descriptors refer to. Each subcommand has its
// own file.
import type { Command } from 'commander';
import { type Context, command } from '../context.ts';
import { createAsymmetric, createSymmetric } from './secrets-create.ts';
import { list } from './secrets-list.ts';

/** `secrets create symmetric | asymmetric`, `secrets list`. */
export function secrets(context: Context): Command {
  const create = command('create', 'Put keys that you have into a secret.', [
    'latchkey secrets create symmetric my-secret --secret-key secret.key',
    'latchkey secrets create asymmetric my-secret --private-key private.pem --extract-public-key',
  ])
    .addCommand(createSymmetric(context))
    .addCommand(createAsymmetric(context));
  return command('secrets', 'The secrets that a descriptor refers to: one directory for each.', [
    'latchkey secrets create symmetric my-secret --secret-key secret.key',
    'latchkey secrets list',
  ])
    .addCommand(create)
    .addCommand(list(context));
}
