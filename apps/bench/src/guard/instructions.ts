// Counts the processor's instructions of one cached verification. Other load on the machine does
// not change this number. Needs Linux's perf and a machine with counters; most virtual machines
// have none.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Figure } from '@latchkey/test-kit/figures';

/** The number of verifications to count. A run with none is subtracted. */
const TIMES = 400_000;
/**
 * A generous maximum for one cache hit. It is an estimate: no counted value was available when this
 * was written.
 */
const MOST = 20_000;

/** Counts the instructions. If the machine cannot count, the figure says so and is met. */
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
