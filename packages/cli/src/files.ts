// The files of commands: reads a descriptor and replaces it atomically, and finds the directory of
// its secrets.
import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ConfigError, createDirectoryStore, type SecretStore } from '@latchkey/core';
import {
  changeDescriptor,
  type DescriptorDocument,
  parseDescriptor,
  readDescriptorFile,
} from '@latchkey/core/tools';
import type { Context, FileOptions } from './context.ts';
import { misused } from './failure.ts';

/** A descriptor as read. */
export interface DescriptorFile {
  /** The path as the user gave it, for messages. */
  readonly name: string;
  readonly document: DescriptorDocument;
  /** True if there is no such file yet. */
  readonly isNew: boolean;
  /** The directory of secrets. */
  readonly directory: string;
  readonly store: SecretStore;
  /**
   * Replaces the text atomically, and keeps the mode of the file.
   * @throws Failure if the file has changed since it was read
   */
  save(text: string): Promise<void>;
}

/**
 * Reads a descriptor, also one that has no options yet.
 * @param service the name that the user gave; it must equal the name in the file, if both exist
 * @throws Failure, ConfigError
 */
export async function openDescriptorFile(
  context: Context,
  options: FileOptions,
  service?: string,
): Promise<DescriptorFile> {
  const text = await readText(context.pathOf(options.file), options.file);
  return descriptorFile(context, options, service, { before: text, text });
}

/**
 * Makes the functions of a descriptor from its text.
 * @param texts `before` is the content of the file, undefined if there is none; `text` is edited
 * @throws Failure, ConfigError
 */
export function descriptorFile(
  context: Context,
  options: FileOptions,
  service: string | undefined,
  { before, text }: { readonly before: string | undefined; readonly text: string },
): DescriptorFile {
  const { file } = options;
  const path = context.pathOf(file);
  const document = parseDescriptor(text, file, { mayLackBlock: true });
  if (service !== undefined && document.name !== undefined && service !== document.name)
    throw misused(`${file} describes ${document.name}, not ${service}`);
  const directory = secretsDirectory(context, options);
  return {
    name: file,
    document,
    isNew: before === undefined,
    directory,
    store: createDirectoryStore(directory),
    async save(changed) {
      if (changed === before) return;
      // Refuses to write a descriptor that cannot be read again.
      parseDescriptor(changed, file);
      // A link stays a link: what it leads to is changed.
      const target = before === undefined ? path : await realpath(path);
      if (!(await changeDescriptor(target, before, changed)))
        throw misused(`${file} has ${before === undefined ? 'been made' : 'changed'} meanwhile; try again`);
    },
  };
}

/** Returns the directory of secrets. The descriptor need not exist. */
export function secretsDirectory({ pathOf }: Context, { file, secrets }: FileOptions): string {
  return secrets === undefined ? join(dirname(pathOf(file)), 'secrets') : pathOf(secrets);
}

async function readText(path: string, name: string): Promise<string> {
  if (!existsSync(path)) throw misused(`${name} does not exist; set its path with --file`);
  try {
    return readDescriptorFile(path);
  } catch (error) {
    throw error instanceof ConfigError ? misused(error.problem.replace(path, name)) : error;
  }
}
