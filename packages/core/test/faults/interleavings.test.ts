// Calls of several requests, of refreshes, of changes and of the end, answered in an order that a
// seed decides. LATCHKEY_RUNS says how many seeds, and LATCHKEY_SEED which is the first.
import { describe, expect, it, vi } from 'vitest';
import { firstSeed, runsOf } from '../support/runs.ts';
import { SCENARIOS } from './scenarios/all.ts';
import { storm } from './scenarios/storm.ts';
import { playShuffled, type Scenario } from './world.ts';

vi.mock('../../src/net/node-http.ts', () => import('./transport.ts'));
vi.mock('../../src/jwk/generate.ts', async (real) => ({
  ...(await real<object>()),
  ...(await import('./generation.ts')),
}));
await import('../../src/net/node-http.ts');

/** What was wrong in the runs of a scenario, with the seed. */
async function problemsOf(scenarioOf: (seed: number) => Scenario, runs: number): Promise<readonly string[]> {
  const found: string[] = [];
  for (let seed = firstSeed(); seed < firstSeed() + runs; seed++) {
    const { problems } = await playShuffled(scenarioOf(seed), seed);
    found.push(...problems.map((problem) => `LATCHKEY_SEED=${seed}: ${problem}`));
  }
  return found;
}

const timeout = Math.max(60_000, runsOf(0) * 1_000);

describe('T-133: any order of the answers', () => {
  it('while everything changes', { timeout }, async () => {
    expect(await problemsOf(storm, runsOf(100))).toEqual([]);
  });

  it.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
    '%s',
    { timeout },
    async (_, scenario) => {
      expect(await problemsOf(() => scenario, runsOf(4))).toEqual([]);
    },
  );
});
