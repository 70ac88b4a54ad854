// `pnpm bench NAME`: speed, as ratios within one run. Measures nothing itself.
import { runFigures } from '@latchkey/test-kit/run-figures';
import { guard } from './guard/run.ts';
import { signing } from './signing/run.ts';
import { speed } from './speed/run.ts';

const missed = await runFigures(
  'pnpm bench',
  new Map([
    ['guard', guard],
    ['signing', signing],
    ['speed', speed],
    ['--quick', (given: readonly string[]) => speed(['--quick', ...given])],
  ]),
);
// The guard is a check: there, a missed goal is a failure.
if (process.argv[2] === 'guard' && missed !== 0) process.exitCode = 1;
