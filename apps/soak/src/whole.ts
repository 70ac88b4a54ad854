// `pnpm soak --minutes N`, before a release: R13 and R15 over HTTP on every adapter, R16, and R21.
import type { Figure } from '@latchkey/test-kit/figures';
import { adapters } from './adapters/run.ts';
import { hour } from './hour/run.ts';
import { minutesOf } from './minutes.ts';
import { patterns } from './patterns/run.ts';

/** The parts, with their share of the time. */
const SHARES = [
  [adapters, 0.6],
  [patterns, 0.1],
  [hour, 0.3],
] as const;

/** Runs the parts one after the other. */
export async function whole(given: readonly string[]): Promise<readonly Figure[]> {
  const minutes = minutesOf(given, 10);
  const figures: Figure[] = [];
  for (const [run, share] of SHARES) figures.push(...(await run(['--minutes', String(minutes * share)])));
  return figures;
}
