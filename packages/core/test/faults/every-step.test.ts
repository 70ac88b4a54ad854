// Every step of every scenario is cut by faults in turn: by every third one, or by each of them
// with LATCHKEY_RUNS. Each run is the same each time.
import { describe, expect, it, vi } from 'vitest';
import { runsOf } from '../support/runs.ts';
import { SCENARIOS } from './scenarios/all.ts';
import { variantsOf } from './steps.ts';
import { play } from './world.ts';

vi.mock('../../src/net/node-http.ts', () => import('./transport.ts'));
vi.mock('../../src/jwk/generate.ts', async (real) => ({
  ...(await real<object>()),
  ...(await import('./generation.ts')),
}));
// Loaded before the first run, whose clock does not go on meanwhile.
await import('../../src/net/node-http.ts');

const isLong = runsOf(0) > 0;

describe('T-110 to T-141, T-151 to T-163: every step of a scenario, cut by faults', () => {
  it.each(SCENARIOS.map((scenario, offset) => [scenario.name, scenario, offset] as const))(
    '%s',
    { timeout: isLong ? 600_000 : 60_000 },
    async (_, scenario, offset) => {
      const { taken, problems } = await play(scenario);
      const found = problems.map((problem) => `without a fault: ${problem}`);
      for (const variant of variantsOf(taken, isLong, offset)) {
        const run = await play(scenario, variant);
        found.push(...run.problems.map((problem) => `${variant.name}: ${problem}`));
      }
      expect(found).toEqual([]);
    },
  );
});
