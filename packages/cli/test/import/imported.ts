// Importing in tests: the command in process, and the descriptor that it prints brought to life
// with what it needs.
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
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
import { createTerminal } from '../terminal.ts';

/** What an import came to. */
export interface Imported {
  readonly cwd: string;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A directory of its own. */
export const makeDirectory = (): string => mkdtempSync(join(tmpdir(), 'latchkey-import-'));

/** Text of a fixture. */
export const fixture = (name: string): string =>
  readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');

/** Runs `latchkey import` on a file with this in it. */
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

/** The same as data, with its notes. Fails where the import does. */
export async function importData(
  text: string | object,
): Promise<{ readonly jwt: Record<string, never>; readonly notes: readonly Note[] }> {
  const { code, stdout, stderr } = await importText(text, { args: ['-o', 'json'] });
  if (code !== 0) throw new Error(stderr);
  const { descriptor, notes } = JSON.parse(stdout);
  return { jwt: descriptor.service.jwt, notes };
}

/** Brings what was printed to life, as a service does. */
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

/** What becomes of a token: 200, or the status of the refusal. */
export async function decides(authenticator: Authenticator, token: string, name?: string): Promise<number> {
  try {
    await authenticator.verify(token, ...(name === undefined ? [] : [route(name)]));
    return 200;
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return error.status;
  }
}

/** What becomes of a request with these headers. */
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

/** Claims of a token that is good for an hour. */
export const hour = (): { iat: number; exp: number } => {
  const now = Math.floor(Date.now() / 1000);
  return { iat: now, exp: now + 3_600 };
};
