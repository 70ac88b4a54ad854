// `latchkey routes`: shows what each route of a saved report asks, and what is different in another
// one. The adapters make the reports.
import { readFileSync } from 'node:fs';
import type { RouteReport } from '@latchkey/core';
import type { Command } from 'commander';
import { type Context, command, type FormatOptions, withFormat } from '../context.ts';
import { COLOURS, MARKS } from '../effects.ts';
import { misused, refused } from '../failure.ts';
import { plain } from '../output.ts';
import { nameOf, parseRoutes, type RouteChange, routeChanges } from '../route-changes.ts';

interface ListOptions extends FormatOptions {
  readonly check?: boolean | undefined;
}

interface DiffOptions extends FormatOptions {
  readonly failOnOpen?: boolean | undefined;
}

/** Makes the command with its subcommands. */
export function routes(context: Context): Command {
  const made = command('routes', 'Show what routes ask: a saved report of routes() of an adapter.', [
    'latchkey routes list routes.json --check',
    'latchkey routes diff before.json after.json --fail-on-open',
  ]);
  const list = command('list', 'Show each route of a report, and what it asks.', [
    'latchkey routes list routes.json',
    'latchkey routes list routes.json --check',
  ]);
  const diff = command('diff', 'Say which routes ask less or more than before.', [
    'latchkey routes diff before.json after.json -o json',
    'latchkey routes diff before.json after.json --fail-on-open',
  ]);
  withFormat(list)
    .argument('<report>', 'JSON.stringify(routes(app)), as a file')
    .option('--check', 'end with 1 if a route is undecided')
    .action((file: string, options: ListOptions) => show(context, file, options));
  withFormat(diff)
    .argument('<before>', 'the report from before')
    .argument('<after>', 'the report of now')
    .option('--fail-on-open', 'end with 1 if a route asks less')
    .action((before: string, after: string, options: DiffOptions) =>
      compare(context, before, after, options),
    );
  return made.addCommand(list).addCommand(diff);
}

function show(context: Context, file: string, options: ListOptions): void {
  const { output } = context;
  const found = open(context, file);
  const undecided = found.filter(({ requirement }) => requirement === 'UNDECIDED');
  output.result(
    options.output,
    () =>
      found.length === 0
        ? 'no routes'
        : table(found.map(cells))
            .map((line) => plain(line))
            .join('\n'),
    { routes: found, undecided: undecided.map(nameOf) },
  );
  if (options.check === true && undecided.length > 0)
    throw refused(`${undecided.length} undecided: ${undecided.map(nameOf).join(', ')}`);
}

function compare(context: Context, before: string, after: string, options: DiffOptions): void {
  const { output } = context;
  const changes = routeChanges(open(context, before), open(context, after));
  const opens = changes.filter(({ effect }) => effect === 'opens').length;
  const format = ({ effect, route, message }: RouteChange) =>
    output.style(COLOURS[effect], plain(`${MARKS[effect]} ${effect} ${route}: ${message}`));
  output.result(
    options.output,
    () => (changes.length === 0 ? 'no route asks less or more' : changes.map(format).join('\n')),
    { changes, opens },
  );
  if (options.failOnOpen === true && opens > 0) throw refused(`${opens} of the changes open something`);
}

function open({ pathOf }: Context, file: string): readonly RouteReport[] {
  let text: string;
  try {
    text = readFileSync(pathOf(file), 'utf8');
  } catch {
    throw misused(`${plain(file)} cannot be read`);
  }
  return parseRoutes(text, plain(file));
}

function cells(route: RouteReport): readonly string[] {
  const { method, path, requirement, claims, requires = [], reportOnly = [], from = '' } = route;
  const asked = [
    ...(claims.length === 0 ? [] : [`claims: ${claims.join(', ')}`]),
    ...requires.map(({ about, expected }) => `${about}: ${expected}`),
    ...reportOnly.map(
      ({ claim, until }) => `${claim} is report only${until === undefined ? '' : ` until ${until}`}`,
    ),
  ];
  return [method, path, requirement, from, asked.join('; ')];
}

/** Lines of columns, without spaces at the end. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows.reduce<readonly number[]>(
    (most, row) => row.map((cell, index) => Math.max(cell.length, most[index] ?? 0)),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
