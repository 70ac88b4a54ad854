// Checks the package.json files: one range for each dependency, and what an npm page needs.
import { globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

type Ranges = { readonly [name: string]: string };
interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly dependencies?: Ranges;
  readonly devDependencies?: Ranges;
  readonly optionalDependencies?: Ranges;
  readonly peerDependencies?: Ranges;
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
  // TypeDoc reads programs with the API of TypeScript 6, which 7 does not have.
  const isOther = (path: string, name: string) => path === 'apps/docs/package.json' && name === 'typescript';
  // A published package depends on core by a range, and every other use of it is the workspace's.
  for (const [path, { dependencies, devDependencies }] of manifests)
    for (const [name, range] of Object.entries({ ...dependencies, ...devDependencies }))
      if (!range.startsWith('workspace:') && !isOther(path, name))
        ranges.set(name, (ranges.get(name) ?? new Set()).add(range));
  expect(ranges.size).toBeGreaterThan(20);
  expect([...ranges].filter(([, { size }]) => size > 1).map(([name, all]) => [name, ...all])).toEqual([]);
});

it('keeps development dependencies and scripts out of what is published', () => {
  const { hooks } = createRequire(import.meta.url)('../../.pnpmfile.cjs');
  expect(hooks.beforePacking({ name: 'a', devDependencies: { b: '1' }, scripts: { build: 'c' } })).toEqual({
    name: 'a',
  });
});

describe.each(published)('%s', (path, manifest) => {
  it('names no package of this repository that is not published', () => {
    const { dependencies, optionalDependencies, peerDependencies } = manifest;
    const named = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
    const names = new Set(published.map(([, { name }]) => name));
    expect(named.filter((name) => name.startsWith('@latchkey') && !names.has(name))).toEqual([]);
  });

  it('has a README whose links work on npm', () => {
    const readme = readFileSync(join(root, dirname(path), 'README.md'), 'utf8');
    const links = [...readme.matchAll(/\]\(([^)]*)\)/g)].map(([, link = '']) => link);
    expect(links.filter((link) => !/^(https:\/\/|#)/.test(link))).toEqual([]);
  });

  it('has what an npm page shows', () => {
    const { description, keywords, homepage, bugs, license, repository } = manifest;
    const directory = dirname(path);
    expect(description).toMatch(/^[A-Z].+\.$/);
    expect(keywords).toContain('jwt');
    expect(homepage).toContain(`/${directory}#readme`);
    expect(bugs).toBeTypeOf('string');
    expect(license).toBe('MIT');
    expect(repository).toMatchObject({ type: 'git', directory });
    expect(manifest).toMatchObject({
      engines: { node: '>=22.19' },
      main: expect.stringMatching(/^\.\/dist\/.*\.js$/),
      types: expect.stringMatching(/^\.\/dist\/.*\.d\.ts$/),
    });
  });

  it('packs the CHANGELOG.md that changesets write', () => {
    expect(manifest.files).toContain('CHANGELOG.md');
  });

  it('packs the sources that its declaration maps name', () => {
    expect(manifest.files).toContain('src');
  });

  it('runs no script when it is installed', () => {
    const { scripts = {} } = manifest;
    expect(Object.keys(scripts).filter((name) => /install|prepare/.test(name))).toEqual([]);
  });
});
