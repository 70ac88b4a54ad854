// The runtimes that Latchkey is tested on, and their programs for this machine. npm has the
// programs in packages for each platform; no install script runs.
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A runtime that is not the Node of this repository. */
export interface Runtime {
  readonly name: 'Node 22' | 'Node 26' | 'Deno' | 'Bun';
  /** The program; undefined if npm has none for this machine. */
  readonly program: string | undefined;
  /** Its arguments before the name of a file: they read TypeScript from source. */
  readonly args: readonly string[];
  /** Variables of its run. */
  readonly env?: NodeJS.ProcessEnv;
  /** Its arguments to run vitest, whose forks need more of Node than Bun has. */
  readonly vitest: { readonly before: readonly string[]; readonly after: readonly string[] };
}

const MODULES = fileURLToPath(new URL('../node_modules', import.meta.url));
const PLAIN = { before: [], after: [] };

/** All of them. */
export const RUNTIMES: readonly Runtime[] = [
  {
    name: 'Node 22',
    program: found(MODULES, 'node-22-', 'bin/node'),
    args: ['--conditions=source', '--no-warnings'],
    vitest: PLAIN,
  },
  {
    name: 'Node 26',
    program: found(MODULES, 'node-26-', 'bin/node'),
    // One of them runs all cases without the cache of tokens.
    env: { LATCHKEY_CACHE: 'off' },
    args: ['--conditions=source', '--no-warnings'],
    vitest: PLAIN,
  },
  {
    name: 'Deno',
    program: found(join(broughtBy('deno'), '@deno'), '', 'deno'),
    args: ['run', '--allow-all', '--conditions=source'],
    vitest: { before: ['run', '--allow-all', '--quiet'], after: [] },
  },
  {
    name: 'Bun',
    program: found(join(broughtBy('bun'), '@oven'), 'bun-', 'bin/bun'),
    args: ['--conditions=source'],
    vitest: { before: ['--bun'], after: ['--pool=threads'] },
  },
];

/** The folder of the packages next to a package. */
function broughtBy(name: string): string {
  return dirname(realpathSync(join(MODULES, name)));
}

/** The program in the package whose name starts like this. */
function found(folder: string, start: string, program: string): string | undefined {
  if (!existsSync(folder)) return undefined;
  const names = readdirSync(folder).filter((name) => name.startsWith(start));
  return names.map((name) => join(folder, name, program)).find((path) => existsSync(path));
}
