// `latchkey import`: turns the configuration of a gateway into a descriptor that makes the same
// decisions. The readers of the formats are in ../import.

import { open, readFile, rm } from 'node:fs/promises';
import { codeOf, writeDescriptor } from '@latchkey/core/tools';
import { type Command, Option } from 'commander';
import { type Context, command, type FileOptions, type FormatOptions, withFormat } from '../context.ts';
import { misused } from '../failure.ts';
import { createDraft, type Draft, type NoteKind } from '../import/draft.ts';
import { detectFormat, FORMATS, type Format, readInto, titleOf } from '../import/formats.ts';
import { descriptorOf, renderDraft } from '../import/render.ts';
import { MAX_SOURCE_BYTES, parseSource } from '../import/source.ts';
import { refuseUnusable } from '../import/validate-draft.ts';
import { plain } from '../output.ts';
import { schemaLine } from '../schema-line.ts';

interface ImportOptions extends Pick<FileOptions, 'file'>, FormatOptions {
  readonly write?: true;
  readonly force?: true;
  readonly endpoint?: string;
}

const KINDS: readonly (readonly [NoteKind, string])[] = [
  ['safer', 'made safer'],
  ['no-equivalent', 'without an equivalent'],
  ['check', 'to be checked'],
];

/** The command `import`. */
export function imports(context: Context): Command {
  const made = command(
    'import',
    'Print the descriptor that makes the same decisions as a gateway.\n' +
      'A comment marks every line that has no equivalent, was made safer, or must be checked.',
    [
      'latchkey import krakend.json',
      'latchkey import akamai jwt-settings.json --write --file service.yaml',
      'latchkey import envoy.yaml',
      'kubectl get agentgatewaypolicy jwt -o yaml | latchkey import -',
      'latchkey import okera config.yaml -o json',
    ],
  )
    .argument('[format]', `${FORMATS.join(', ')}; default: detected from the file`)
    .argument('[source]', 'the configuration; - reads it from stdin')
    .addOption(new Option('-f, --file <path>', 'the descriptor that --write writes').default('service.yaml'))
    .option(
      '--endpoint <path>',
      'import this endpoint of KrakenD alone: its path, or "POST /path" where several methods have it',
    )
    .option('--write', 'write the descriptor to --file, and not to stdout')
    .option('--force', 'with --write: replace an existing descriptor');
  return withFormat(made).action(
    (first: string | undefined, second: string | undefined, options: ImportOptions) =>
      run(context, first, second, options),
  );
}

async function run(
  context: Context,
  first: string | undefined,
  second: string | undefined,
  { file, write, force, endpoint, output: format }: ImportOptions,
): Promise<void> {
  if (force === true && write !== true) throw misused('--force requires --write');
  const name = second ?? first;
  if (name === undefined) throw misused('expected a file to import, or - for stdin');
  const asked = second === undefined ? undefined : readFormat(first ?? '');
  const called = name === '-' ? 'stdin' : name;
  const source = parseSource(await readSource(context, name), called);
  const kind = asked ?? detectFormat(source);
  const draft = createDraft();
  if (endpoint !== undefined && kind !== 'krakend')
    throw misused(`--endpoint is for KrakenD; this is a configuration of ${titleOf(kind)}`);
  await readInto(draft, kind, source, { directory: context.terminal.cwd(), endpoint });
  const body = renderDraft(draft, headOf(kind, source.name));
  // A new file of YAML begins with the line for editors.
  const isYaml = write === true && !file.endsWith('.json');
  const text = `${isYaml ? (schemaLine(context.pathOf(file)) ?? '') : ''}${body}`;
  await refuseUnusable(draft, text, source.name);
  if (write === true) await writeText(context.pathOf(file), file, text, force === true);
  if (write !== true || format === 'json')
    context.output.result(format, () => text, {
      descriptor: descriptorOf(draft),
      notes: draft.notes.map(({ path, kind: of, text: said }) => ({ path, kind: of, text: said })),
    });
  if (write === true) context.output.note(`wrote ${plain(file)}`);
  report(context, draft);
}

function readFormat(text: string): Format {
  return (
    FORMATS.find((format) => format === text) ??
    fail(`unknown format ${plain(JSON.stringify(text))}; expected one of ${FORMATS.join(', ')}`)
  );
}

function fail(message: string): never {
  throw misused(message);
}

async function readSource({ terminal, pathOf }: Context, name: string): Promise<string> {
  if (name === '-') {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of terminal.stdin) {
      const bytes = Buffer.from(chunk);
      size += bytes.length;
      if (size > MAX_SOURCE_BYTES) throw misused('stdin: is larger than 2 MiB');
      chunks.push(bytes);
    }
    return Buffer.concat(chunks).toString('utf8');
  }
  try {
    return await readFile(pathOf(name), 'utf8');
  } catch (error) {
    throw misused(`${plain(name)} cannot be read: ${codeOf(error)}`);
  }
}

function headOf(format: Format, source: string): readonly string[] {
  return [
    `Imported from ${source}, which ${titleOf(format)} reads.`,
    'A comment marks each difference: safer, no equivalent, or check.',
  ];
}

/** Writes the descriptor. An existing one is replaced only with --force. */
async function writeText(path: string, name: string, text: string, force: boolean): Promise<void> {
  if (!force) {
    try {
      // The new file reserves the name: a second process fails here.
      await (await open(path, 'wx', 0o644)).close();
    } catch (error) {
      const code = codeOf(error);
      throw misused(
        code === 'EEXIST'
          ? `${plain(name)} exists already; --force replaces it`
          : `${plain(name)} cannot be written: ${code}`,
      );
    }
  }
  try {
    await writeDescriptor(path, text);
  } catch (error) {
    if (!force) await rm(path, { force: true });
    throw misused(`${plain(name)}: ${error instanceof Error ? error.message : 'cannot be written'}`);
  }
}

function report({ output }: Context, { notes }: Draft): void {
  for (const [kind, said] of KINDS) {
    const count = notes.filter((note) => note.kind === kind).length;
    if (count === 0) continue;
    const text = `${count} ${said}`;
    if (kind === 'no-equivalent' && notes.some((note) => note.text.startsWith('this was a restriction')))
      output.warn(`${text}; some of it restricted access: read the comments before you use the descriptor`);
    else output.note(text);
  }
}
