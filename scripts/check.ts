// Runs every check that a change must pass: `pnpm check`. CI reads the counts in the last line.
// `--after-tests` reads the report of the last test run instead of running the tests.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';

const REPORT = 'reports/tests.json';
/** The checks of packed packages are tests too, and counted one by one. */
const PACKAGES_REPORT = 'reports/packages.json';
/** The reports of the conformance suite inside of each other runtime. */
const RUNTIMES_REPORTS = 'reports/conformance';

const steps: readonly (readonly [name: string, script: string, ...args: string[]])[] = [
  ['format and lint', 'lint'],
  ['types', 'types'],
  ['layers', 'layers'],
  ['unused', 'unused'],
  ['dependencies', 'dependencies:check'],
  ['English', 'english'],
  ['tables', 'tables', '--check'],
  ['build', 'build'],
  ['packages', 'packages'],
  ['other runtimes', 'conformance', '--others'],
  ['demo', 'demo'],
  ['speed, by ratios', 'guard'],
];

let passed = 0;
let failed = 0;
const count = (ok: boolean) => {
  if (ok) passed++;
  else failed++;
};

if (!process.argv.includes('--after-tests')) {
  rmSync(REPORT, { force: true });
  count(run('tests', 'test'));
}
countTests(REPORT);
rmSync(PACKAGES_REPORT, { force: true });
rmSync(RUNTIMES_REPORTS, { recursive: true, force: true });
mkdirSync(RUNTIMES_REPORTS, { recursive: true });
for (const [name, script, ...args] of steps) count(run(name, script, args));
countTests(PACKAGES_REPORT);
for (const name of readdirSync(RUNTIMES_REPORTS)) countTests(`${RUNTIMES_REPORTS}/${name}`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function run(name: string, script: string, args: readonly string[] = []): boolean {
  console.log(`\n== ${name}`);
  const { status } = spawnSync('pnpm', ['run', script, ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' },
  });
  if (status !== 0) console.log(`== ${name} FAILED`);
  return status === 0;
}

/** Counts the tests of a report. A missing report or a report without tests is a failure. */
function countTests(file: string): void {
  if (!existsSync(file)) {
    console.log(`no ${file}: its tests did not run`);
    failed++;
    return;
  }
  const report = JSON.parse(readFileSync(file, 'utf8')) as {
    readonly success: boolean;
    readonly numPassedTests: number;
    readonly numFailedTests: number;
  };
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  if (report.numPassedTests === 0 || (!report.success && report.numFailedTests === 0)) failed++;
}
