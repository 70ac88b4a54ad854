// Every command line of the systems that this one replaces, with the name latchkey: it runs, and
// has the effect that seeds.ts describes.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseDescriptor } from '@latchkey/core/tools';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../src/index.ts';
import { type RunningHosts, startHosts } from './hosts.ts';
import { HOSTS, KEY_LINES, KEYSET_LINES, type SeedLine, type SeedResult, TOKEN_LINES } from './seeds.ts';
import { createTerminal } from './terminal.ts';

let hosts: RunningHosts;
let cwd: string;

beforeAll(async () => {
  hosts = await startHosts(HOSTS);
});
afterAll(() => hosts.close());
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'latchkey-seeds-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

/** Splits a line into words as a shell does, without the vendor's name. */
function wordsOf(line: string, fill: SeedLine['fill'] = {}): readonly string[] {
  const filled = Object.entries(fill).reduce((text, [name, value]) => text.replaceAll(name, value), line);
  const words = [...filled.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
  return words.slice(1).map((word) => (word.startsWith('/path/to/') ? join(cwd, word) : word));
}

function file(path: string): string | undefined {
  try {
    return readFileSync(join(cwd, path), 'utf8');
  } catch {
    return undefined;
  }
}

function jwt(): SeedResult['jwt'] {
  const text = file('service.yaml');
  return text === undefined ? undefined : parseDescriptor(text, 'service.yaml').jwt;
}

async function check(row: SeedLine): Promise<void> {
  for (const [path, text] of Object.entries(row.before ?? {})) {
    mkdirSync(dirname(join(cwd, path)), { recursive: true });
    writeFileSync(join(cwd, path), text);
  }
  for (const line of row.first ?? []) {
    const { terminal, stderr } = createTerminal({ cwd });
    expect(await run(wordsOf(line), terminal), stderr()).toBe(0);
  }
  const jwtBefore = jwt();
  const asked = hosts.requests.length;
  const { terminal, stdout, stderr } = createTerminal({ cwd });
  expect(await run(wordsOf(row.line, row.fill), terminal), stderr()).toBe(0);
  expect(hosts.requests.slice(asked)).toEqual(row.requests ?? []);
  if (row.stdout !== undefined) expect(stdout()).toBe(row.stdout);
  // Rows with their own check may change any file.
  if (row.jwt !== undefined || row.fault === undefined) expect(jwt()).toEqual(row.jwt ?? jwtBefore);
  const mode = (path: string) => statSync(join(cwd, path), { throwIfNoEntry: false })?.mode;
  const result: SeedResult = {
    stdout: stdout(),
    stderr: stderr(),
    jwt: jwt(),
    file,
    mode: (path) => (mode(path) ?? 0) & 0o777,
  };
  expect(row.fault?.(result)).toBeUndefined();
}

describe.each([
  ['AK-19 to AK-28 keysets', KEYSET_LINES],
  ['AK-27, AK-31 to AK-41 keys and secrets', KEY_LINES],
  ['OK-15 to OK-18 tokens', TOKEN_LINES],
])('%s', (_, rows) => {
  it.each(rows)('$line', check);
});
