// Every step of a reload is cut by faults in turn. The file and its watchers are replaced:
// what a reader sees of the file is a step, and time alone says when it is read again.
import { describe, expect, it, vi } from 'vitest';
import { firstSeed, runsOf } from '../support/runs.ts';
import { descriptorScenarios } from './scenarios/descriptors.ts';
import { variantsOf } from './steps.ts';
import { play, playShuffled } from './world.ts';

vi.mock('../../src/net/node-http.ts', () => import('./transport.ts'));
vi.mock('../../src/descriptor/load.ts', async (real) => ({
  ...(await real<object>()),
  ...(await import('./descriptor-file.ts')),
}));
vi.mock('../../src/secrets/directory.ts', async (real) => ({
  ...(await real<object>()),
  watchPath: () => () => {},
  watchFileAt: () => () => {},
}));
await import('../../src/net/node-http.ts');

const isLong = runsOf(0) > 0;

describe('T-140: every step of a reload, cut by faults', () => {
  it.each(descriptorScenarios.map((scenario) => [scenario.name, scenario] as const))(
    '%s',
    { timeout: isLong ? 600_000 : 60_000 },
    async (_, scenario) => {
      const { taken, problems } = await play(scenario);
      const found = problems.map((problem) => `without a fault: ${problem}`);
      for (const variant of variantsOf(taken, isLong)) {
        const run = await play(scenario, variant);
        found.push(...run.problems.map((problem) => `${variant.name}: ${problem}`));
      }
      expect(found).toEqual([]);
    },
  );

  it.each(descriptorScenarios.map((scenario) => [scenario.name, scenario] as const))(
    'T-133: in any order of the answers: %s',
    { timeout: isLong ? 600_000 : 60_000 },
    async (_, scenario) => {
      const found: string[] = [];
      for (let seed = firstSeed(); seed < firstSeed() + runsOf(5); seed++) {
        const { problems } = await playShuffled(scenario, seed);
        found.push(...problems.map((problem) => `LATCHKEY_SEED=${seed}: ${problem}`));
      }
      expect(found).toEqual([]);
    },
  );
});
