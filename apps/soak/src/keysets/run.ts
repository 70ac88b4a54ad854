// `pnpm soak keysets`: runs the scenarios. Scenarios share a phase only if none of them disturbs
// the measurement of another. No measurement is here.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Figure } from '@latchkey/test-kit/figures';
import { startProgress } from '@latchkey/test-kit/progress';
import { startIssuerHost } from '../issuer-handle.ts';
import { clockJumps } from './clock.ts';
import { startComparison } from './comparison.ts';
import { floodWhileDown, floodWhileUp } from './flood.ts';
import { drip, hugeAnswers, isolation } from './hostile.ts';
import { herd, hygiene } from './hygiene.ts';
import { coldOutage, warmOutage } from './outage.ts';
import { revocation, rotationWithOverlap, rotationWithoutOverlap } from './rotation.ts';
import { authenticatorOf, inTurn, type Stage } from './subject.ts';

/** Longer than the shortest lifetime of keys, 60 s. */
const COMPARISON_MS = 63_000;

/** Runs all scenarios, in about three minutes. Rejects only if a scenario cannot run. */
export async function keysets(): Promise<readonly Figure[]> {
  let rejections = 0;
  const count = (error: unknown) => {
    rejections++;
    console.log('unhandledRejection:', error);
  };
  process.on('unhandledRejection', count);
  const progress = startProgress();
  const issuers = startIssuerHost();
  const stage: Stage = { issuers, progress, unhandledRejections: () => rejections };
  try {
    progress.phase('R11 huge answers');
    const size = await hugeAnswers(stage);
    progress.phase('R9 ten thousand cold requests');
    const cold = await herd(stage);
    progress.phase('R4 R10 R12 compared; R1 R2 R3 R5 R22 in the background');
    const minute = await Promise.all([
      sideBySide(stage),
      rotationWithOverlap(stage),
      rotationWithoutOverlap(stage),
      revocation(stage),
      coldOutage(stage),
      clockJumps(stage),
    ]);
    progress.phase('R6 R8 kid flood, endpoint up');
    const up = await floodWhileUp(stage);
    progress.phase('R7 kid flood, endpoint down');
    const down = await floodWhileDown(stage);
    progress.phase('R19 process hygiene');
    const left = await hygiene(stage);
    return [size, cold, ...minute, up, down, left].flat().sort(byId);
  } finally {
    progress.stop();
    await issuers.close();
    process.off('unhandledRejection', count);
  }
}

/** Runs the scenarios whose latency is compared, with one common baseline. */
async function sideBySide(stage: Stage): Promise<readonly Figure[]> {
  const healthy = await stage.issuers.create();
  const baseline = authenticatorOf(healthy);
  await baseline.ready();
  const token = inTurn(await healthy.mint(200));
  const contestants = [await warmOutage(stage), await drip(stage), await isolation(stage, healthy)];
  const comparison = startComparison(() => baseline.verify(token()), contestants, 1_000);
  // Waits first, so that the start of the other scenarios is not measured.
  await sleep(2_000);
  await Promise.all(contestants.map((contestant) => contestant.begin()));
  comparison.reset();
  await sleep(COMPARISON_MS);
  const compared = await comparison.stop();
  await baseline.close();
  const figures: Figure[] = [];
  for (const [index, contestant] of contestants.entries()) {
    const result = compared[index];
    if (result !== undefined) figures.push(...(await contestant.finish(result)));
  }
  return figures;
}

function byId(a: Figure, b: Figure): number {
  return Number(a.id.slice(1)) - Number(b.id.slice(1));
}
