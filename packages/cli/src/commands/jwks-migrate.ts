// `latchkey jwks migrate`: turns the deprecated keys into keysets. It may be stopped at any point,
// and run again.
import { finishMigration, type Migration, planMigration } from '@latchkey/core/tools';
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
import { openDescriptorFile } from '../files.ts';
import { formatTable, plain } from '../output.ts';

interface Options extends FileOptions, FormatOptions {
  readonly secretPrefix?: string | undefined;
}

/** `jwks migrate [SERVICE]`. */
export function migrate(context: Context): Command {
  const made = command('migrate', 'Turn the deprecated keys into keysets, one for each issuer.', [
    'latchkey jwks migrate my-service',
    'latchkey jwks migrate my-service --secret-prefix my-prefix',
    'latchkey jwks migrate --file service.yaml --output json',
  ]).argument('[service]', 'the name of the service');
  return withFormat(withFile(made))
    .addOption(
      new Option(
        '--secret-prefix <prefix>',
        'the prefix of the names of new secrets (default: the name of the service)',
      ),
    )
    .action((service: string | undefined, options: Options) => runMigration(context, service, options));
}

async function runMigration(context: Context, service: string | undefined, options: Options): Promise<void> {
  const before = await openDescriptorFile(context, options, service);
  const { store } = before;
  const prefix = options.secretPrefix ?? service ?? before.document.name;
  if (before.document.jwt.keys === undefined) {
    context.output.result(options.output, () => `Nothing to migrate: ${plain(before.name)} has no keys.`, {
      migrated: false,
      keySets: [],
      notes: [],
    });
    return;
  }
  if (prefix === undefined) throw misused('expected --secret-prefix, because the service has no name');
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(prefix))
    throw misused('expected a --secret-prefix of letters, digits, ".", "_" and "-"');
  const settings = { store, prefix, environment: context.terminal.env };
  const plan = await planMigration(before.document, settings);
  if (plan === undefined) return;
  // The order matters. The old keys are in force until the last write, so a stop at any point does
  // no harm.
  for (const { reference, bytes } of plan.secrets)
    await store.write?.(reference, bytes, new AbortController().signal);
  await before.save(plan.text);
  const between = await openDescriptorFile(context, options, service);
  await between.save(await finishMigration(between.document, settings));
  report(context, options, plan);
}

function report({ output }: Context, options: Options, { keySets, notes }: Migration): void {
  const rows = keySets.map(({ issuer, secretName, keyIds }) => [
    issuer ?? '(none)',
    `secret: ${secretName}`,
    keyIds.join(', '),
  ]);
  output.result(options.output, () => formatTable(['ISSUER', 'SOURCE', 'KEYS'], rows), {
    migrated: true,
    keySets,
    notes,
  });
  if (options.output === 'text') for (const note of notes) output.note(`note: ${plain(note)}`);
}
