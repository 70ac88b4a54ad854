// `pnpm soak outages`: runs the scenarios one after the other, because each needs the whole
// machine. No measurement is here.

import type { Figure } from '@latchkey/test-kit/figures';
import { startProgress } from '@latchkey/test-kit/progress';
import { hasSlapd } from '@latchkey/test-kit/slapd';
import { directoryOutages } from './directory.ts';
import { remoteOutages } from './remote.ts';
import { startVitals } from './vitals.ts';

/** Runs all scenarios, in about three minutes. Rejects only if a scenario cannot run. */
export async function outages(): Promise<readonly Figure[]> {
  const progress = startProgress();
  const vitals = startVitals();
  try {
    const remote = await remoteOutages(progress, vitals);
    if (!hasSlapd) {
      console.log('R18 is skipped: /usr/sbin/slapd cannot be used here');
      return remote;
    }
    progress.phase('R18 a directory that is killed');
    return [...remote, ...(await directoryOutages(progress, vitals))];
  } finally {
    vitals.stop();
    progress.stop();
  }
}
