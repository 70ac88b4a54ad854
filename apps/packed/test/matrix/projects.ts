// The folders of `pnpm matrix`: the tools, and projects that each package manager installs.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runs } from '../installed/run.ts';
import { type Cell, type Manager, NODES } from './cells.ts';
import type { Ranges } from './subjects.ts';

/**
 * Yarn installs no peers, and Vite is a peer of Vitest. Vite 8.4 names an optional package that
 * mirrors of the registry may lack, and Yarn stops there.
 */
const VITE: Ranges = { vite: '~8.3.0' };
const RUNNERS: Ranges = { ...VITE, vitest: '^5.0.0', jest: '^30.0.0' };

/** A version of Node of the package `node`, without its install script. */
export const nodeIn = (tools: string, node: string): string =>
  join(tools, `node_modules/node-${node}/bin/node`);

/** Installs Node, package managers, a bundler and a compiler. None needs its install script. */
export async function installTools(tools: string): Promise<void> {
  const platform = `${process.platform}-${process.arch}`;
  const nodes = NODES.map((node, index) => {
    const range = index === 0 ? `${node}.0` : `^${node}.0.0`;
    return [`node-${node}`, `npm:node-${platform}@${range}`] as const;
  });
  await install('npm', tools, tools, {
    ...Object.fromEntries(nodes),
    pnpm: '^12.0.0',
    '@yarnpkg/cli-dist': '^4.0.0',
    esbuild: '^0.28.0',
    typescript: '^7.0.0',
  });
}

/** Makes and installs the project of a cell. */
export async function installProject(
  { subject, versions, manager }: Pick<Cell, 'subject' | 'versions' | 'manager'>,
  project: string,
  tools: string,
  tarballs: Ranges,
): Promise<void> {
  const own = Object.entries(tarballs).filter(([name]) => subject.own.includes(name));
  const runners = subject.kind === 'libraries' ? VITE : RUNNERS;
  await install(manager, project, tools, { ...runners, ...versions, ...Object.fromEntries(own) }, tarballs);
}

/** No install script runs, and the packages of this repository are those that were packed. */
async function install(
  manager: Manager,
  project: string,
  tools: string,
  dependencies: Ranges,
  tarballs: Ranges = {},
): Promise<void> {
  mkdirSync(project);
  const file = (name: string, text: string) => writeFileSync(join(project, name), text);
  file(
    'package.json',
    JSON.stringify({ private: true, dependencies, overrides: tarballs, resolutions: tarballs }),
  );
  const bin = join(tools, 'node_modules');
  switch (manager) {
    case 'npm':
      await runs('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], project);
      return;
    case 'pnpm':
      file('pnpm-workspace.yaml', JSON.stringify({ overrides: tarballs }));
      await runs(process.execPath, [join(bin, 'pnpm/bin/pnpm.mjs'), 'install', '--ignore-scripts'], project);
      return;
    case 'yarn':
      // An empty lockfile makes the folder a project of its own.
      file('yarn.lock', '');
      file(
        '.yarnrc.yml',
        JSON.stringify({ nodeLinker: 'node-modules', enableScripts: false, enableTelemetry: false }),
      );
      await runs(process.execPath, [join(bin, '@yarnpkg/cli-dist/bin/yarn.js'), 'install'], project);
  }
}
