// The comment that tells editors the schema of a descriptor. It names a file that package managers
// keep at the same path over updates, or is left out.
import { existsSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';

const SCHEMA = join('@latchkey', 'core', 'descriptor.schema.json');
/**
 * npm has every package in the first. pnpm has only direct dependencies there, and links to all
 * others in the second.
 */
const PLACES = ['node_modules', join('node_modules', '.pnpm', 'node_modules')];

/**
 * The first line of a new descriptor in YAML, with its line break. It finds `@latchkey/core` in the
 * directory of the file and in those above it.
 * @returns undefined if no `@latchkey/core` is installed there
 */
export function schemaLine(descriptor: string): string | undefined {
  const base = dirname(descriptor);
  for (let directory = base; ; directory = dirname(directory)) {
    const found = PLACES.map((place) => join(directory, place, SCHEMA)).find((path) => existsSync(path));
    if (found !== undefined) {
      const path = relative(base, found).split(sep).join('/');
      return `# yaml-language-server: $schema=${path.startsWith('.') ? path : `./${path}`}\n`;
    }
    if (directory === dirname(directory)) return undefined;
  }
}
