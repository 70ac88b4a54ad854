// `pnpm bench NAME`: measures speed, as ratios within one run. No measurement is here.
import { runFigures } from '@latchkey/test-kit/run-figures';
import { guard } from './guard/run.ts';
import { pairs } from './pairs/run.ts';
import { signing } from './signing/run.ts';
import { speed } from './speed/run.ts';

const missed = await runFigures(
  'pnpm bench',
  new Map([
    ['guard', guard],
    ['pairs', pairs],
    ['signing', signing],
    ['speed', speed],
    ['--quick', (given: readonly string[]) => speed(['--quick', ...given])],
  ]),
);
// The guard is a check, so a missed goal sets the exit code.
if (process.argv[2] === 'guard' && missed !== 0) process.exitCode = 1;
