// Creates a descriptor when the first keyset or key is added. Existing descriptors are read in
// files.ts.
import { stat } from 'node:fs/promises';
import { createDirectoryStore } from '@latchkey/core';
import { changeDescriptor, codeOf, parseDescriptor } from '@latchkey/core/tools';
import { stringify } from 'yaml';
import type { Context, FileOptions } from './context.ts';
import { misused } from './failure.ts';
import { type DescriptorFile, openDescriptorFile, secretsDirectory } from './files.ts';

/**
 * Reads a descriptor, or starts a new one if there is no such file: the first `save` writes it.
 * @throws Failure, ConfigError
 */
export async function openOrBegin(
  context: Context,
  options: FileOptions,
  service?: string,
): Promise<DescriptorFile> {
  const { file } = options;
  const path = context.pathOf(file);
  if (await exists(path)) return openDescriptorFile(context, options, service);
  const begun = { ...(service === undefined ? {} : { name: service }), service: { jwt: { keySets: [] } } };
  const text = file.endsWith('.json') ? `${JSON.stringify(begun, null, 2)}\n` : stringify(begun);
  const directory = secretsDirectory(context, options);
  return {
    name: file,
    document: parseDescriptor(text, file),
    directory,
    store: createDirectoryStore(directory),
    async save(changed) {
      parseDescriptor(changed, file);
      if (!(await changeDescriptor(path, undefined, changed)))
        throw misused(`${file} has been made meanwhile; try again`);
      context.output.note(`made ${file}; say in it which audience its tokens have to name`);
    },
  };
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => codeOf(error) !== 'ENOENT',
  );
}
