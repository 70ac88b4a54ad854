// `pnpm bench signing`: what runs when. The one after the other: both want the whole machine.

import type { Figure } from '@latchkey/test-kit/figures';
import { startProgress } from '@latchkey/test-kit/progress';
import { rotationUnderLoad } from './rotation.ts';
import { throughput } from './throughput.ts';

/** Runs all scenarios, in about three minutes. Rejects only if the run itself breaks. */
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
