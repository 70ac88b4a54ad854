// `pnpm bench signing`: runs the scenarios one after the other, because each needs the whole
// machine. No measurement is here.

import type { Figure } from '@latchkey/test-kit/figures';
import { startProgress } from '@latchkey/test-kit/progress';
import { rotationUnderLoad } from './rotation.ts';
import { throughput } from './throughput.ts';

/** Runs all scenarios, in about three minutes. Rejects only if a scenario cannot run. */
export async function signing(): Promise<readonly Figure[]> {
  const progress = startProgress();
  try {
    const paces = await throughput(progress);
    progress.phase('S5 S6 S7 rotation under load');
    return [...paces, ...(await rotationUnderLoad(progress))];
  } finally {
    progress.stop();
  }
}
