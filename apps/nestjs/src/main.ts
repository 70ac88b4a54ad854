// Compiles the service and runs it, because Node strips types but does not support decorators. The
// service is in ../service.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = fileURLToPath(new URL('..', import.meta.url));
const compiler = join(dirname(fileURLToPath(import.meta.resolve('typescript/package.json'))), 'bin/tsc');
// Compiles each file alone, which is fast; a test checks the types.
const transpile = ['--noEmit', 'false', '--noCheck', '--noResolve', '--rootDir', 'service'];

console.log('compiling …');
const { status } = spawnSync(process.execPath, [compiler, '-p', home, ...transpile], {
  cwd: home,
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);
await import(new URL('../dist/main.js', import.meta.url).href);
