// `pnpm soak outages`: what runs when. The one after the other: both want the whole machine.

import type { Figure } from '@latchkey/test-kit/figures';
import { startProgress } from '@latchkey/test-kit/progress';
import { hasSlapd } from '@latchkey/test-kit/slapd';
import { directoryOutages } from './directory.ts';
import { remoteOutages } from './remote.ts';
import { startVitals } from './vitals.ts';

/** Runs all scenarios, in about three minutes. Rejects only if the run itself breaks. */
export async function outages(): Promise<readonly Figure[]> {
  const progress = startProgress();
  const vitals = startVitals();
  try {
    const remote = await remoteOutages(progress, vitals);
    if (!hasSlapd) {
      console.log('R18 is left out: there is no /usr/sbin/slapd here');
      return remote;
    }
    progress.phase('R18 a directory that is killed');
    return [...remote, ...(await directoryOutages(progress, vitals))];
  } finally {
    vitals.stop();
    progress.stop();
  }
}
