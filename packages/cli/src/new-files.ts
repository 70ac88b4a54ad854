// Begins a descriptor where there is none yet: no file, or an empty one. Others are read in
// files.ts.
import { stat } from 'node:fs/promises';
import { codeOf } from '@latchkey/core/tools';
import { stringify } from 'yaml';
import type { Context, FileOptions } from './context.ts';
import { type DescriptorFile, descriptorFile, openDescriptorFile } from './files.ts';
import { plain } from './output.ts';
import { schemaLine } from './schema-line.ts';

/**
 * Reads a descriptor, or begins one if the file is empty or missing: the first `save` writes it.
 * @throws Failure, ConfigError
 */
export async function openOrBegin(
  context: Context,
  options: FileOptions,
  service?: string,
): Promise<DescriptorFile> {
  const { file: name } = options;
  const path = context.pathOf(name);
  const found = (await exists(path)) ? await openDescriptorFile(context, options, service) : undefined;
  if (found !== undefined && found.document.text.trim() !== '') return found;
  const begun = { ...(service === undefined ? {} : { name: service }), service: { jwt: { keySets: [] } } };
  const text = name.endsWith('.json')
    ? `${JSON.stringify(begun, null, 2)}\n`
    : `${schemaLine(path) ?? ''}${stringify(begun)}`;
  const file = descriptorFile(context, options, service, { before: found?.document.text, text });
  return {
    ...file,
    async save(changed) {
      await file.save(changed);
      const audience = /\baudience\b/.test(changed)
        ? ''
        : '; write into it the audience that tokens must name';
      context.output.note(`made ${name}${audience}`);
    },
  };
}

/** Reads a descriptor for a list. A missing file has an empty one, with a warning. */
export async function openToList(
  context: Context,
  options: FileOptions,
  service?: string,
): Promise<DescriptorFile> {
  const file = await openOrBegin(context, options, service);
  if (file.isNew)
    context.output.warn(
      `${plain(file.name)} does not exist; --file names another one, and jwks add makes it`,
    );
  return file;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => codeOf(error) !== 'ENOENT',
  );
}
