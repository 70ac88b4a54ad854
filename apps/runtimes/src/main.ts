// `pnpm conformance`: runs the conformance suite inside of each runtime, one after the other.
// `--others`: not on this Node, where `pnpm test` has run it.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RUNTIMES, type Runtime } from './runtimes.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const VITEST = 'node_modules/vitest/vitest.mjs';
const CONFIG = ['--config', 'apps/runtimes/vitest.config.ts'];

let isWhole = true;
if (!process.argv.includes('--others')) {
  console.log(`== Node ${process.versions.node}, all adapters`);
  const args = [VITEST, 'run', 'conformance.test', '--reporter=dot'];
  isWhole = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' }).status === 0;
}
for (const runtime of RUNTIMES) isWhole = run(runtime) && isWhole;
process.exitCode = isWhole ? 0 : 1;

function run({ name, program, env: more, vitest: { before, after } }: Runtime): boolean {
  if (program === undefined) {
    console.log(`${name}: npm has no program for this machine`);
    // CI has all of them.
    return !(process.platform === 'linux' && process.arch === 'x64');
  }
  const report = `reports/conformance/${name.toLowerCase().replace(' ', '-')}.json`;
  rmSync(`${ROOT}/${report}`, { force: true });
  const env = { ...process.env, ...more, LATCHKEY_RUNTIME: name, LATCHKEY_REPORT: report, NO_COLOR: '1' };
  const startedAt = performance.now();
  const { status, stdout, stderr } = spawnSync(program, [...before, VITEST, 'run', ...CONFIG, ...after], {
    cwd: ROOT,
    env,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  const [running = name] = /(?<=running on )[^\n]+/.exec(stdout) ?? [];
  const { numPassedTests: passed = 0, numFailedTests: failed = 0 } = existsSync(`${ROOT}/${report}`)
    ? (JSON.parse(readFileSync(`${ROOT}/${report}`, 'utf8')) as Record<string, number>)
    : {};
  const isGood = status === 0 && passed > 0;
  if (!isGood) console.log(`${stdout}\n${stderr}`);
  console.log(`${running}: ${passed} passed, ${failed} failed, in ${seconds} s`);
  return isGood;
}
