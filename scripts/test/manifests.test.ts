// Checks the package.json files: one range for each dependency, and what an npm page needs.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

type Ranges = { readonly [name: string]: string };
interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly dependencies?: Ranges;
  readonly devDependencies?: Ranges;
  readonly scripts?: Ranges;
  readonly [member: string]: unknown;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const paths = globSync(['package.json', '{packages,apps}/*/package.json'], { cwd: root }).toSorted();
const manifests = paths.map(
  (path) => [path, JSON.parse(readFileSync(join(root, path), 'utf8')) as Manifest] as const,
);
const published = manifests.filter(([, { private: isPrivate }]) => isPrivate !== true);

it('gives a dependency the same range in every package', () => {
  const ranges = new Map<string, Set<string>>();
  // A published package depends on core by a range, and every other use of it is the workspace's.
  for (const [, { dependencies, devDependencies }] of manifests)
    for (const [name, range] of Object.entries({ ...dependencies, ...devDependencies }))
      if (!range.startsWith('workspace:')) ranges.set(name, (ranges.get(name) ?? new Set()).add(range));
  expect(ranges.size).toBeGreaterThan(20);
  expect([...ranges].filter(([, { size }]) => size > 1).map(([name, all]) => [name, ...all])).toEqual([]);
});

describe.each(published)('%s', (path, manifest) => {
  it('has what an npm page shows', () => {
    const { description, keywords, homepage, bugs, license, repository } = manifest;
    const directory = dirname(path);
    expect(description).toMatch(/^[A-Z].+\.$/);
    expect(keywords).toContain('jwt');
    expect(homepage).toContain(`/${directory}#readme`);
    expect(bugs).toBeTypeOf('string');
    expect(license).toBe('MIT');
    expect(repository).toMatchObject({ type: 'git', directory });
  });

  it('packs the CHANGELOG.md that changesets write', () => {
    expect(manifest.files).toContain('CHANGELOG.md');
  });

  it('runs no script when it is installed', () => {
    const { scripts = {} } = manifest;
    expect(Object.keys(scripts).filter((name) => /install|prepare/.test(name))).toEqual([]);
  });
});
