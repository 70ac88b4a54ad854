// `latchkey lint`: prints the dangers in a descriptor, for terminals and for CI. Core finds them.
import { stat } from 'node:fs/promises';
import { type Finding, lintDescriptor, type Severity } from '@latchkey/core/tools';
import type { Command } from 'commander';
import {
  type Context,
  command,
  type FileOptions,
  type FormatOptions,
  withFile,
  withFormat,
} from '../context.ts';
import { refused } from '../failure.ts';
import { openDescriptorFile } from '../files.ts';
import { plain } from '../output.ts';
import { describeDifferences, routeDifferences } from '../route-differences.ts';

interface LintOptions extends FileOptions, FormatOptions {
  readonly strict?: boolean | undefined;
}

/** Makes `lint`. It ends with 1 for an error, and with `--strict` for a warning too. */
export function lint(context: Context): Command {
  const made = command('lint', 'Find what is dangerous, deprecated or refused in a descriptor.', [
    'latchkey lint',
    'latchkey lint my-service --file deploy/service.yaml --strict',
    'latchkey lint --output json',
  ]);
  return withFormat(withFile(made))
    .argument('[service]', 'the name of the service')
    .option('--strict', 'end with 1 for a warning too')
    .action((service: string | undefined, options: LintOptions) => run(context, service, options));
}

async function run(context: Context, service: string | undefined, options: LintOptions): Promise<void> {
  const { output, terminal } = context;
  const { document, directory, name } = await openDescriptorFile(context, options, service);
  const looksAtSecrets = options.secrets !== undefined || (await isDirectory(directory));
  const findings = await lintDescriptor(document, {
    secrets: looksAtSecrets ? directory : undefined,
    environment: terminal.env,
  });
  const routes = routeDifferences(document);
  const of = (severity: Severity) => findings.filter((finding) => finding.severity === severity);
  const [errors, warnings] = [of('error'), of('warning')];
  const verdict = `${count(errors.length, 'error')}, ${count(warnings.length, 'warning')}`;
  output.result(
    options.output,
    () =>
      findings.length === 0
        ? `${plain(name)}: nothing found`
        : [...errors, ...warnings].map((finding) => format(context, finding)).join('\n'),
    { findings, errors: errors.length, warnings: warnings.length, routes },
  );
  const differences = describeDifferences(routes);
  if (differences !== undefined) output.note(differences);
  if (!looksAtSecrets) output.note('there is no directory of secrets, so secrets were not checked');
  if (errors.length > 0 || (options.strict === true && warnings.length > 0)) throw refused(verdict);
  if (warnings.length > 0) output.note(verdict);
}

function format({ output }: Context, { rule, severity, path, place, message, fix }: Finding): string {
  const colour = severity === 'error' ? 'red' : 'yellow';
  const at = plain(`${place.file}:${place.line}:${place.column}`);
  const what = path === '' ? message : `${path}: ${message}`;
  return `${at} ${output.style(colour, severity)} ${rule} ${plain(what)}\n    ${output.style('dim', plain(fix))}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}
