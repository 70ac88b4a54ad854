// The part `start`: the time and the disk space that an adapter adds to a service, and a cold
// start. It uses the packed packages, installed by npm, not the sources.
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { median } from '@latchkey/test-kit/load';
import type { Progress } from '@latchkey/test-kit/progress';
import { coldStarts } from './cold-start.ts';
import type { SpeedOptions } from './options.ts';
import type { Finding, Measurements, Outcome } from './outcome.ts';

const MOST_MS = 25;
const MOST_PACKAGES = 10;
const MOST_MB = 12;

interface Adapter {
  readonly name: string;
  /** The packages installed with the adapter. */
  readonly peers: Readonly<Record<string, string>>;
  /** The imports of a service that does not use Latchkey. */
  readonly framework: readonly string[];
}

const ADAPTERS: readonly Adapter[] = [
  { name: 'express', peers: { express: '^5' }, framework: ['express'] },
  { name: 'koa', peers: { koa: '^3', '@koa/router': '^15' }, framework: ['koa', '@koa/router'] },
  { name: 'fastify', peers: { fastify: '^5' }, framework: ['fastify'] },
  {
    name: 'nestjs',
    peers: {
      '@nestjs/common': '^12',
      '@nestjs/core': '^12',
      '@nestjs/platform-express': '^12',
      'reflect-metadata': '^0.2',
      rxjs: '^7',
    },
    framework: ['reflect-metadata', '@nestjs/common', '@nestjs/core', '@nestjs/platform-express'],
  },
];

/** The packages that an adapter adds. */
interface Installed {
  readonly packages: readonly string[];
  readonly megabytes: number;
  readonly withScripts: readonly string[];
}

const WORKSPACE = fileURLToPath(new URL('../../../..', import.meta.url));
const execute = promisify(execFile);

/**
 * Measures all adapters. Without a package registry nothing can be installed; the figures then say
 * so and are missed.
 */
export async function starting(options: SpeedOptions, progress: Progress): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-'));
  const findings: Finding[] = [];
  const measurements: Measurements[] = [];
  try {
    progress.phase('start: build and pack');
    await run('pnpm', ['run', 'build'], WORKSPACE);
    const tarballs = await pack(['core', ...ADAPTERS.map(({ name }) => name)], folder);
    for (const adapter of ADAPTERS) {
      progress.phase(`start: ${adapter.name}`);
      findings.push(...(await measure(adapter, tarballs, options, folder)));
    }
    progress.phase('start: cold');
    const project = await install('@latchkey/express', {}, tarballs, folder);
    measurements.push(await coldStarts(project, options.starts));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { findings, measurements };
}

async function pack(names: readonly string[], folder: string): Promise<Readonly<Record<string, string>>> {
  const tarballs: Record<string, string> = {};
  for (const name of names) {
    const tarball = join(folder, `${name}.tgz`);
    await run('pnpm', ['pack', '--out', tarball], join(WORKSPACE, 'packages', name));
    tarballs[`@latchkey/${name}`] = `file:${tarball}`;
  }
  return tarballs;
}

async function measure(
  adapter: Adapter,
  tarballs: Readonly<Record<string, string>>,
  { starts }: SpeedOptions,
  folder: string,
): Promise<readonly Finding[]> {
  const name = `@latchkey/${adapter.name}`;
  const time: Omit<Finding, 'measured' | 'met'> = {
    goal: `start: ${name}`,
    figure: `its import adds <= ${MOST_MS} ms to the framework's own`,
  };
  const size: Omit<Finding, 'measured' | 'met'> = {
    goal: `size: ${name}`,
    figure: `<= ${MOST_PACKAGES} packages, <= ${MOST_MB} MB, no install script`,
  };
  try {
    const alone = await install(name, {}, tarballs, folder);
    const { packages, megabytes, withScripts } = inventory(alone);
    const project = await install(name, adapter.peers, tarballs, folder);
    const times: { framework: number; adapter: number }[] = [];
    for (let round = 0; round < starts; round++) times.push(await importTimes(adapter, project));
    const adds = median(times.map((one) => one.adapter));
    return [
      {
        ...time,
        measured: `${adds.toFixed(1)} ms, after ${median(times.map((one) => one.framework)).toFixed(1)} ms for ${adapter.framework.join(', ')}; medians of ${starts} new processes`,
        met: adds <= MOST_MS,
      },
      {
        ...size,
        measured: `${packages.length} packages (${packages.join(', ')}), ${megabytes.toFixed(1)} MB, ${withScripts.length === 0 ? 'no install script' : `install scripts of ${withScripts.join(', ')}`}; without the framework`,
        met: packages.length <= MOST_PACKAGES && megabytes <= MOST_MB && withScripts.length === 0,
      },
    ];
  } catch (error) {
    const measured = `NOT MEASURED: ${String(error).slice(0, 200)}`;
    return [
      { ...time, measured, met: false },
      { ...size, measured, met: false },
    ];
  }
}

/** Installs an adapter into an empty project, with only the peers that are named. */
async function install(
  name: string,
  peers: Readonly<Record<string, string>>,
  tarballs: Readonly<Record<string, string>>,
  folder: string,
): Promise<string> {
  const project = mkdtempSync(join(folder, 'project-'));
  const dependencies = { ...peers, [name]: tarballs[name], '@latchkey/core': tarballs['@latchkey/core'] };
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ private: true, type: 'module', dependencies, overrides: tarballs }),
  );
  await run('npm', ['install', '--ignore-scripts', '--legacy-peer-deps', '--no-audit', '--no-fund'], project);
  return project;
}

function inventory(project: string): Installed {
  const lock: { packages: Record<string, { hasInstallScript?: boolean }> } = JSON.parse(
    readFileSync(join(project, 'package-lock.json'), 'utf8'),
  );
  const paths = Object.keys(lock.packages).filter((path) => path.startsWith('node_modules/'));
  return {
    packages: paths.map(nameOf),
    megabytes: bytesUnder(join(project, 'node_modules')) / 1e6,
    withScripts: paths.filter((path) => lock.packages[path]?.hasInstallScript === true).map(nameOf),
  };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

function bytesUnder(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

/** Measures the import times in a new process: first the framework, then the adapter. */
async function importTimes(
  { name, framework }: Adapter,
  project: string,
): Promise<{ framework: number; adapter: number }> {
  const code = `
    const began = performance.now();
    for (const name of ${JSON.stringify(framework)}) await import(name);
    const between = performance.now();
    await import('@latchkey/${name}');
    const ended = performance.now();
    console.log(JSON.stringify({ framework: between - began, adapter: ended - between }));`;
  const { stdout } = await execute(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: project,
  });
  return JSON.parse(stdout);
}

async function run(command: string, args: readonly string[], cwd: string): Promise<void> {
  await execute(command, [...args], { cwd, env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' } });
}
