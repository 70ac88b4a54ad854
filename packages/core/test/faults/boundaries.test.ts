// The list of the places where core calls something outside of it is that of the code, and each of
// them is cut by a scenario, or by the test that it names.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { CUT, ELSEWHERE } from './boundaries.ts';
import { SCENARIOS } from './scenarios/all.ts';
import { descriptorScenarios } from './scenarios/descriptors.ts';
import { play } from './world.ts';

vi.mock('../../src/net/node-http.ts', () => import('./transport.ts'));
vi.mock('../../src/jwk/generate.ts', async (real) => ({
  ...(await real<object>()),
  ...(await import('./generation.ts')),
}));
vi.mock('../../src/descriptor/load.ts', async (real) => ({
  ...(await real<object>()),
  ...(await import('./descriptor-file.ts')),
}));
await import('../../src/net/node-http.ts');

const sourceOf = (file: string) => readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8');

describe('the places where core calls something outside of it', () => {
  it.each([...CUT, ...ELSEWHERE].map(({ file, call }) => [file, call] as const))('%s: %s', (file, call) => {
    expect(sourceOf(file)).toContain(call);
  });

  it.each([...new Set(ELSEWHERE.map(({ test }) => test))])('%s exists', (test) => {
    expect(existsSync(new URL(`../${test}`, import.meta.url))).toBe(true);
  });

  it('each is cut by a scenario, and each step is at one of them', async () => {
    const names = new Set<string>();
    for (const scenario of [...SCENARIOS, ...descriptorScenarios])
      for (const { name } of (await play(scenario)).taken) names.add(name);
    const all = CUT.flatMap(({ steps }) => steps);
    const isAt = (step: string) => (name: string) => name === step || name.endsWith(step);
    expect(all.filter((step) => ![...names].some(isAt(step)))).toEqual([]);
    expect([...names].filter((name) => !all.some((step) => isAt(step)(name)))).toEqual([]);
  });
});
