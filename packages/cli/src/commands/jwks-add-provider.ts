// `latchkey jwks add --provider`: adds the keysets of a provider, with comments. What it writes are
// ordinary options; the presets are in providers.
import { existsSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { JsonObject, JsonValue } from '@latchkey/core';
import { addKeyset, type DescriptorDocument, parseDescriptor, setOption } from '@latchkey/core/tools';
import type { Command } from 'commander';
import type { Context, FileOptions } from '../context.ts';
import { misused } from '../failure.ts';
import type { DescriptorFile } from '../files.ts';
import { checkOptions, checkSource, type Flags, orSkip } from '../keyset-check.ts';
import { listIn, sourceOf } from '../keyset-source.ts';
import { openOrBegin } from '../new-files.ts';
import { plain } from '../output.ts';
import { findProvider, PROVIDERS, readFlags } from '../providers/choose.ts';
import { FLAGS, type FlagName } from '../providers/flags.ts';
import type { PresetKeyset, Provider, Written } from '../providers/preset.ts';

/** The options of `jwks add` that a provider may have next to it. */
export interface ProviderOptions extends FileOptions {
  readonly provider: string;
  readonly refreshInterval?: string;
  readonly skipValidation?: true;
  readonly startWithoutKeys?: true;
}

/** These options of `jwks add` are not only for providers, so it declares them itself. */
const SHARED: readonly FlagName[] = ['audience', 'issuer', 'jwksUrl'];
const BESIDES = [
  'file',
  'secrets',
  'provider',
  'refreshInterval',
  'skipValidation',
  'startWithoutKeys',
] as const satisfies readonly (keyof ProviderOptions)[];

/** Declares `--provider` and the flags of providers. */
export function withProviders(command: Command): Command {
  command
    .optionsGroup('Options for a provider:')
    .option(
      '--provider <name>',
      `the options for a provider, with comments: ${PROVIDERS.map(({ name }) => name).join(', ')}`,
    );
  for (const [name, { option, help, many }] of Object.entries(FLAGS)) {
    if (SHARED.some((shared) => shared === name)) continue;
    if (many === true) command.option(option, help, gather);
    else command.option(option, help);
  }
  return command;
}

/** Adds a value to those that were given before. */
export function gather(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** Refuses flags of providers in a call without one. @throws Failure */
export function refuseProviderFlags(options: object): void {
  const found = Object.entries(FLAGS).find(
    ([name]) => Object.hasOwn(options, name) && !SHARED.some((shared) => shared === name),
  );
  if (found !== undefined) throw misused(`${found[1].option.split(' ')[0]} requires --provider`);
}

/** Runs `jwks add --provider`. */
export async function addProvider(
  context: Context,
  service: string | undefined,
  options: ProviderOptions,
): Promise<void> {
  const { output } = context;
  const provider = findProvider(options.provider);
  const written = provider.write(readFlags(provider, flagsIn(options)));
  const file = await openOrBegin(context, options, service);
  const known = listIn(file.document, 'keySets');
  const keysets = written.keysets.map((keyset) => withCommon(keyset, options));
  for (const [index, { options: keyset }] of keysets.entries()) {
    checkOptions(context, keyset, `keySets[${known.length + index}]`, WRITTEN_FROM);
    const same = known.findIndex((other) => isDeepStrictEqual(other, keyset));
    if (same !== -1) throw misused(`keyset ${same + 1} is the same`);
    if (keyset.issuer === undefined && known.length > 0)
      throw misused('--issuer: expected the iss of the tokens, because there are other keysets in the file');
  }
  const text = withHeader(withKeysets(file, keysets), written, known.length > 0);
  await validate(context, provider, keysets, options, file);
  await file.save(text);
  if (file.name.endsWith('.json')) output.note('the comments are left out, because JSON has none');
  for (const [index, { options: keyset }] of keysets.entries())
    output.note(`added keyset ${known.length + index + 1} to ${file.name}: ${plain(sourceOf(keyset))}`);
}

const WRITTEN_FROM: Flags = {
  issuer: '--issuer',
  jwksUrl: '--jwks-url',
  audience: '--audience',
  refreshInterval: '--refresh-interval',
};

/** The flags of providers, after refusing options that are for other sources. @throws Failure */
function flagsIn(options: ProviderOptions): Parameters<typeof readFlags>[1] {
  const others = Object.entries(options).filter(([name]) => !BESIDES.some((known) => known === name));
  const stranger = others.find(([name]) => !Object.hasOwn(FLAGS, name));
  if (stranger !== undefined) {
    const flag = stranger[0].replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw misused(
      `--${flag}: expected nothing of that kind next to --provider, which names the source itself`,
    );
  }
  return Object.fromEntries(others);
}

/** The keyset with the options that are the same for all providers. */
function withCommon(
  { options, comments }: PresetKeyset,
  { refreshInterval, startWithoutKeys }: ProviderOptions,
): PresetKeyset {
  const more: JsonObject = {
    ...(refreshInterval === undefined ? {} : { refreshInterval }),
    ...(startWithoutKeys === undefined ? {} : { skipValidation: true }),
  };
  return { options: { ...options, ...more }, comments };
}

function withKeysets(
  { document, name }: DescriptorFile,
  keysets: readonly PresetKeyset[],
): DescriptorDocument {
  return keysets.reduce(
    (current, { options, comments }) =>
      parseDescriptor(addKeyset(current, options, comments), name, { mayLackBlock: true }),
    document,
  );
}

/**
 * Adds the header to the places of a token. Other keysets keep the place that they had.
 * @throws Failure if the file has other places, whose order is for people to decide
 */
function withHeader(document: DescriptorDocument, { header }: Written, hasOthers: boolean): string {
  if (header === undefined) return document.text;
  const { tokenFrom } = document.jwt;
  if (tokenFrom === undefined) {
    const places: JsonValue = [...(hasOthers ? [{ header: 'Authorization' }] : []), { header: header.name }];
    return setOption(document, 'tokenFrom', places, header.comment);
  }
  if (JSON.stringify(tokenFrom).toLowerCase().includes(`"header":"${header.name}"`)) return document.text;
  const { file, line, column } = document.placeOf('tokenFrom');
  throw misused(
    `${file}:${line}:${column}: tokenFrom: expected it to have { header: ${header.name} }; add that, then try again`,
  );
}

async function validate(
  context: Context,
  { keysNeed }: Provider,
  keysets: readonly PresetKeyset[],
  { skipValidation }: ProviderOptions,
  { store }: DescriptorFile,
): Promise<void> {
  if (skipValidation === true) return context.output.note('not validated, because of --skip-validation');
  if (keysNeed !== undefined && !existsSync(keysNeed))
    return context.output.note(`not validated: the keys are read with ${keysNeed}, which is not here`);
  for (const { options } of keysets)
    await checkSource(context, options, 'keySets', { secrets: store, externalSecrets: undefined }).catch(
      orSkip,
    );
}
