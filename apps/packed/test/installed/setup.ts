// Before the checks: packs all packages, and installs them by npm into two folders outside of the
// repository. `today` has the newest version of each framework, and the tools. `commonjs` has Nest
// 11, the last one that is CommonJS, and Jest, whose modules are CommonJS.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { pack } from './pack.ts';
import { published, ROOT } from './published.ts';
import { runs } from './run.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder with the tarballs and the projects. */
    readonly folder: string;
  }
}

type Ranges = Readonly<Record<string, string>>;

const TYPES: Ranges = {
  '@koa/router': '^15.7.0',
  '@types/express': '^5.0.6',
  '@types/koa': '^3.0.3',
  '@types/node': '^24',
  'reflect-metadata': '^0.2.2',
};

/** What the programs of the READMEs use besides the peers. */
const QUICK_STARTS: Ranges = {
  '@hono/node-server': '^2.1.9',
  '@modelcontextprotocol/node': '^2.1.2',
  srvx: '^1.0.8',
};

const TOOLS: Ranges = {
  'typescript-5.5': 'npm:typescript@~5.5.0',
  'typescript-5.9': 'npm:typescript@~5.9.0',
  'typescript-6': 'npm:typescript@^6.0.0',
  'typescript-7': 'npm:typescript@^7.0.0',
  esbuild: '^0.28.0',
  webpack: '^5.113.0',
  bun: '^1.4.0',
  deno: '^2.9.0',
  workerd: '^1.20261117.1',
};

const JEST: Ranges = {
  jest: '^30.0.0',
  'ts-jest': '^29.4.0',
  '@types/jest': '^30.0.0',
  // The newest that ts-jest takes.
  typescript: '^6.0.0',
};

export default async function setup(project: TestProject): Promise<() => void> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-packages-'));
  project.provide('folder', folder);
  const tarballs = await pack(folder);
  const peers = Object.assign({}, ...published.map(({ manifest }) => manifest.peerDependencies));
  const nest = (major: number) =>
    Object.fromEntries(
      ['common', 'core', 'platform-express'].map((name) => [`@nestjs/${name}`, `^${major}.0.0`]),
    );
  await Promise.all([
    install(
      join(folder, 'today'),
      { ...peers, ...nest(12), ...TYPES, ...QUICK_STARTS, ...TOOLS, ...tarballs },
      tarballs,
    ),
    install(
      join(folder, 'commonjs'),
      {
        express: '^5.0.0',
        koa: '^3.0.0',
        fastify: '^5.0.0',
        rxjs: '^7.8.0',
        ...nest(11),
        ...TYPES,
        ...JEST,
        ...tarballs,
      },
      tarballs,
    ),
  ]);
  return () => rmSync(folder, { recursive: true, force: true });
}

/** Makes a project with these packages and the sample applications. No install script runs. */
async function install(project: string, dependencies: Ranges, overrides: Ranges): Promise<void> {
  await mkdir(project);
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, dependencies, overrides }));
  cpSync(join(ROOT, 'apps/packed/applications'), join(project, 'applications'), { recursive: true });
  await runs('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], project);
}
