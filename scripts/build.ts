// Builds the package in the current folder: ES modules into dist, and with `--cjs` CommonJS into
// dist/cjs. Jest, bundlers and TypeScript before 5.8 need CommonJS. Node takes the ES modules for
// require() too, so that a process has one copy of the state. With `--pack`, the ES modules are in
// few files.
// Declaration maps lead an editor to the sources, which are packed too.
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { packModules } from './pack-modules.ts';

const tsc = (...args: readonly string[]) =>
  execFileSync('tsc', ['-p', 'tsconfig.json', '--declarationMap', ...args], { stdio: 'inherit' });

const isPacked = process.argv.includes('--pack');
// The compiler does not write again what packing has removed.
if (isPacked) rmSync('dist', { recursive: true, force: true });
tsc();
if (isPacked) await packModules('dist');
if (process.argv.includes('--cjs')) {
  const folder = 'dist/cjs';
  rmSync(folder, { recursive: true, force: true });
  const commonjs = [
    '--module',
    'commonjs',
    '--moduleResolution',
    'bundler',
    '--verbatimModuleSyntax',
    'false',
  ];
  tsc(...commonjs, '--incremental', 'false', '--outDir', folder);
  // Without it, the "type" of the package would make these files ES modules.
  writeFileSync(`${folder}/package.json`, '{ "type": "commonjs" }\n');
}
