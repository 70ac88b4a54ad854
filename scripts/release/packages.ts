// The published packages of the repository, and the version that the changesets give.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface PublishedPackage {
  readonly name: string;
  readonly version: string;
  readonly folder: string;
  readonly dependencies: readonly string[];
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** The published packages, each after those that it depends on. */
export function packages(): readonly PublishedPackage[] {
  const rest = readdirSync('packages')
    .map((name) => join('packages', name))
    .map((folder) => {
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
      return { ...manifest, folder, dependencies: Object.keys(manifest.dependencies ?? {}) };
    })
    .filter((one) => one.private !== true);
  const names = new Set(rest.map(({ name }) => name));
  const ordered: PublishedPackage[] = [];
  while (rest.length > 0) {
    const done = new Set(ordered.map(({ name }) => name));
    const next = rest.findIndex(({ dependencies }) =>
      dependencies.every((name) => !names.has(name) || done.has(name)),
    );
    if (next < 0) throw new Error('expected packages without a cycle of dependencies');
    ordered.push(...rest.splice(next, 1));
  }
  return ordered;
}

/** The options of pnpm that choose these packages. */
export function filters(all: readonly PublishedPackage[]): readonly string[] {
  return all.flatMap(({ name }) => ['--filter', name]);
}

/** The one version of all packages. @throws if they differ */
export function versionOf(all: readonly PublishedPackage[]): string {
  const versions = [...new Set(all.map(({ version }) => version))];
  const [version] = versions;
  if (version === undefined || versions.length > 1)
    throw new Error(`expected one version of all packages, got ${versions.join(', ')}`);
  return version;
}

/** The version that the changesets give; undefined if there are none. */
export function plannedVersion(): string | undefined {
  const hasChangesets = readdirSync('.changeset').some(
    (name) => name.endsWith('.md') && name !== 'README.md',
  );
  if (!hasChangesets) return;
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-release-'));
  try {
    const file = join(folder, 'plan.json');
    execFileSync('pnpm', ['exec', 'changeset', 'status', '--output', file], { stdio: 'pipe' });
    const { releases } = JSON.parse(readFileSync(file, 'utf8')) as {
      readonly releases: readonly { readonly newVersion: string; readonly type: string }[];
    };
    return releases.find(({ type }) => type !== 'none')?.newVersion;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
