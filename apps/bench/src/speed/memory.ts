// The part `memory`: the heap of a process after a million valid and a million invalid tokens. The
// process is in memory-process.ts.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Progress } from '@latchkey/test-kit/progress';
import type { Grown } from './memory-process.ts';
import type { SpeedOptions } from './options.ts';
import type { Outcome } from './outcome.ts';

const MOST_MIB = 32;

/** Measures one process. */
export async function remembering({ memoryTokens }: SpeedOptions, progress: Progress): Promise<Outcome> {
  progress.phase(`memory: ${memoryTokens} valid and ${memoryTokens} invalid tokens`);
  const { baseline, afterValid, afterInvalid, rss } = await grow(memoryTokens);
  const most = Math.max(afterValid, afterInvalid) - baseline;
  return {
    findings: [
      {
        goal: 'memory (R13)',
        figure: `${memoryTokens} unique valid and as many unique invalid tokens: heap after collection <= baseline + ${MOST_MIB} MB`,
        measured: `${mib(afterValid - baseline)} more than the baseline of ${baseline.toFixed(1)} MiB after the valid ones, ${mib(afterInvalid - baseline)} after the invalid ones as well (nine kinds); resident ${rss.toFixed(0)} MiB`,
        met: most <= MOST_MIB,
      },
    ],
    measurements: [],
  };
}

function grow(count: number): Promise<Grown> {
  const main = fileURLToPath(import.meta.resolve('./memory-process.ts'));
  const child = fork(main, [String(count)], { execArgv: ['--conditions=source', '--expose-gc'] });
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as Grown));
    child.once('exit', (code) => reject(new Error(`the process ended, exit code ${code}`)));
  });
}

function mib(value: number): string {
  return `${value.toFixed(1)} MiB`;
}
