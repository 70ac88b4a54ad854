// Helpers for tests of imports: run the command in process, and make an authenticator from the
// printed descriptor.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  type Authenticator,
  createAuthenticator,
  isAuthError,
  type JsonObject,
  loadDescriptor,
  route,
} from '@latchkey/core';
import { parseDescriptor } from '@latchkey/core/tools';
import type { Note } from '../../src/import/draft.ts';
import { run } from '../../src/index.ts';
import { temporaryFolder } from '../temporary.ts';
import { createTerminal } from '../terminal.ts';

/** The result of an import. */
export interface Imported {
  readonly cwd: string;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The directory of the import. */
export const makeDirectory = (): string => temporaryFolder('import');

/** Returns the text of a fixture. */
export const fixture = (name: string): string =>
  readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');

/** Runs `latchkey import` on a file with this text. */
export async function importText(
  text: string | object,
  {
    args = [],
    format,
    cwd = makeDirectory(),
  }: { args?: readonly string[]; format?: string; cwd?: string } = {},
): Promise<Imported> {
  writeFileSync(join(cwd, 'source'), typeof text === 'string' ? text : JSON.stringify(text));
  const { terminal, stdout, stderr } = createTerminal({ cwd });
  const code = await run(['import', ...(format === undefined ? [] : [format]), 'source', ...args], terminal);
  return { cwd, code, stdout: stdout(), stderr: stderr() };
}

/** Returns the result as data, with its notes. Throws if the import fails. */
export async function importData(
  text: string | object,
): Promise<{ readonly jwt: Record<string, never>; readonly notes: readonly Note[] }> {
  const { code, stdout, stderr } = await importText(text, { args: ['-o', 'json'] });
  if (code !== 0) throw new Error(stderr);
  const { descriptor, notes } = JSON.parse(stdout);
  return { jwt: descriptor.service.jwt, notes };
}

/** Makes an authenticator from the printed descriptor, as a service does. */
export function load(
  imported: Imported,
  {
    environment = {},
    secrets = {},
  }: { environment?: Record<string, string>; secrets?: Record<string, JsonObject> } = {},
) {
  if (imported.code !== 0) throw new Error(imported.stderr);
  parseDescriptor(imported.stdout, 'stdout');
  const directory = makeDirectory();
  const descriptor = join(directory, 'service.yaml');
  writeFileSync(descriptor, imported.stdout);
  for (const [name, document] of Object.entries(secrets)) {
    const file = join(directory, 'secrets', name, 'jwks.json');
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, JSON.stringify(document), { mode: 0o600 });
  }
  const loaded = loadDescriptor({ descriptor, environment });
  return { ...loaded, directory, authenticator: createAuthenticator(loaded.options) };
}

/** Returns the status for a token: 200, or that of the refusal. */
export async function decides(authenticator: Authenticator, token: string, name?: string): Promise<number> {
  try {
    await authenticator.verify(token, ...(name === undefined ? [] : [route(name)]));
    return 200;
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return error.status;
  }
}

/** Returns the status for a request with these headers. */
export async function admits(
  authenticator: Authenticator,
  headers: Record<string, string>,
  { method = 'GET', url = '/' }: { method?: string; url?: string } = {},
): Promise<number> {
  try {
    await authenticator.authenticate({ method, url, headers, rawHeaders: Object.entries(headers).flat() });
    return 200;
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return error.status;
  }
}

/** Claims of a token that expires in an hour. */
export const hour = (): { iat: number; exp: number } => {
  const now = Math.floor(Date.now() / 1000);
  return { iat: now, exp: now + 3_600 };
};
