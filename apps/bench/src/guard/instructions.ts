// Instructions of one cached verification, counted by the processor: the same on a busy machine as
// on a quiet one. Needs Linux's perf, and a machine that lets it count; most virtual ones do not.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Figure } from '@latchkey/test-kit/figures';

/** So many verifications are counted, beside a run with none. */
const TIMES = 400_000;
/**
 * What was counted when this was written was not: this is what a hit may cost at most, generously.
 */
const MOST = 20_000;

/** Counts. Where nobody can, that is said, and is no failure. */
export async function countInstructions(): Promise<Figure> {
  const [goal, figure] = ['instructions of one verification of a token seen before', `<= ${MOST}`];
  const [none, many] = [count(0), count(TIMES)];
  if (none === undefined || many === undefined)
    return {
      id: 'guard instructions',
      goal,
      figure,
      measured: 'this machine does not count them',
      met: true,
    };
  const each = Math.round((many - none) / TIMES);
  return { id: 'guard instructions', goal, figure, measured: String(each), met: each <= MOST };
}

function count(times: number): number | undefined {
  const script = fileURLToPath(new URL('instructions-process.ts', import.meta.url));
  const node = [process.execPath, ...process.execArgv, script, String(times)];
  const { stderr, status } = spawnSync('perf', ['stat', '-x,', '-e', 'instructions:u', ...node], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const found = /^(\d+),[^\n]*instructions:u/m.exec(stderr ?? '');
  return status === 0 && found?.[1] !== undefined ? Number(found[1]) : undefined;
}
