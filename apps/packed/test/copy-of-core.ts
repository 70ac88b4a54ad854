// Loads a second copy of the sources of core, as a second version in node_modules would be.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const CORE = resolve(import.meta.dirname, '../../../packages/core');

/** The entry points of a copy. */
export interface CopyOfCore {
  readonly core: typeof import('@latchkey/core');
  readonly adapter: typeof import('@latchkey/core/adapter');
  readonly signing: typeof import('@latchkey/core/signing');
  readonly remove: () => void;
}

/** Copies and loads core. With a version, the copy is of that version, and its objects differ. */
export async function copyOfCore(version?: string): Promise<CopyOfCore> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-copy-'));
  cpSync(join(CORE, 'src'), join(folder, 'src'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), readFileSync(join(CORE, 'package.json')));
  symlinkSync(join(CORE, 'node_modules'), join(folder, 'node_modules'));
  if (version !== undefined) {
    replace(join(folder, 'src/values/version.ts'), /'.*'/, `'${version}'`);
    replace(join(folder, 'src/values/copies.ts'), /SHAPE = \d+/, 'SHAPE = -1');
  }
  const load = (file: string) => import(/* @vite-ignore */ pathToFileURL(join(folder, 'src', file)).href);
  return {
    core: await load('index.ts'),
    adapter: await load('adapter/index.ts'),
    signing: await load('signing/index.ts'),
    remove: () => rmSync(folder, { recursive: true }),
  };
}

function replace(file: string, pattern: RegExp, text: string): void {
  const old = readFileSync(file, 'utf8');
  const changed = old.replace(pattern, text);
  if (changed === old) throw new Error(`${file}: expected ${pattern}`);
  writeFileSync(file, changed);
}
