// `latchkey plan`: prints what a change of a descriptor opens and closes, before it is made. Core
// compares the two.
import { existsSync } from 'node:fs';
import { type Change, type DescriptorDocument, lintDescriptor, planChange } from '@latchkey/core/tools';
import type { Command } from 'commander';
import { type Context, command, type FormatOptions, withFormat } from '../context.ts';
import { COLOURS, MARKS } from '../effects.ts';
import { misused, refused } from '../failure.ts';
import { openDescriptorFile } from '../files.ts';
import { plain } from '../output.ts';
import { describeDifferences, routeDifferences } from '../route-differences.ts';

interface PlanOptions extends FormatOptions {
  readonly failOnOpen?: boolean | undefined;
}

/**
 * Makes `plan`. It ends with 0 for any difference; with `--fail-on-open` it ends with 1 if anything
 * opens.
 */
export function plan(context: Context): Command {
  const made = command('plan', 'Say what a change of a descriptor opens and closes.', [
    'latchkey plan service.yaml changed.yaml',
    'latchkey plan service.yaml changed.yaml --fail-on-open',
  ]);
  return withFormat(made)
    .argument('<old>', 'the current descriptor')
    .argument('<new>', 'the changed descriptor')
    .option('--fail-on-open', 'end with 1 if anything opens')
    .action((before: string, after: string, options: PlanOptions) => run(context, before, after, options));
}

async function run(context: Context, before: string, after: string, options: PlanOptions): Promise<void> {
  const { output } = context;
  const old = await open(context, before);
  const current = await open(context, after);
  const oldFault = await faultOf(context, old);
  if (oldFault !== undefined) output.warn(`no service starts with ${plain(before)}: ${oldFault}`);
  const fault = await faultOf(context, current);
  if (fault !== undefined) throw misused(`no service starts with ${plain(after)}: ${fault}`);
  if (old.name !== current.name)
    output.warn(
      `the files describe different services: ${plain(old.name ?? 'no name')} and ${plain(current.name ?? 'no name')}`,
    );
  const changes = planChange(old, current);
  const routes = routeDifferences(current);
  const count = (effect: Change['effect']) => changes.filter((change) => change.effect === effect).length;
  const [opens, closes, others] = [count('opens'), count('closes'), count('changes')];
  const summary = `opens ${opens}, closes ${closes}, changes ${others} otherwise`;
  output.result(
    options.output,
    () =>
      changes.length === 0
        ? 'nothing opens, closes or changes'
        : [...changes.map((change) => format(context, change)), '', summary].join('\n'),
    { changes, opens, closes, others, routes },
  );
  const differences = describeDifferences(routes);
  if (differences !== undefined) output.note(differences);
  if (options.failOnOpen === true && opens > 0) throw refused(`${opens} of the changes open something`);
}

async function open(context: Context, file: string): Promise<DescriptorDocument> {
  if (!existsSync(context.pathOf(file))) throw misused(`${plain(file)} does not exist`);
  return (await openDescriptorFile(context, { file })).document;
}

/** Why core refuses the options of a descriptor; undefined if it takes them. */
async function faultOf({ terminal }: Context, document: DescriptorDocument): Promise<string | undefined> {
  const findings = await lintDescriptor(document, { environment: terminal.env });
  const refusal = findings.find(({ rule }) => rule === 'refused');
  if (refusal === undefined) return undefined;
  const { path, message, place } = refusal;
  return plain(`${place.file}:${place.line}:${place.column}: ${path === '' ? '' : `${path}: `}${message}`);
}

function format({ output }: Context, { effect, path, message, place }: Change): string {
  const at = plain(`${place.file}:${place.line}:${place.column}`);
  const what = `${MARKS[effect]} ${effect} ${plain(path === '' ? message : `${path}: ${message}`)}`;
  return `${output.style(COLOURS[effect], what)} ${output.style('dim', `(${at})`)}`;
}
