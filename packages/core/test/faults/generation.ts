// The making of keys, replaced: it is a step of the scenario that runs, and takes no real time,
// which the clock of a run does not know. A test file puts it in place with `vi.mock`.
import { generateKeyPairSync } from 'node:crypto';
import type { generateJwk as makeJwk } from '../../src/jwk/generate.ts';
import type { Boundary } from './steps.ts';
import type { World } from './world.ts';

/** It can fail, but core need not expect that it hangs. */
const GENERATE: Boundary = { name: 'making of a key', deadlineMs: 0, isSync: true, isNode: true, wrong: [] };

let world: World | undefined;
let made = 0;

/** The steps are those of this world from here on; of none where it is undefined. */
export function generateIn(next: World | undefined): void {
  world = next;
}

/** Takes the place of `generateJwk` of jwk/generate.ts. */
export const generateJwk: typeof makeJwk = (algorithm) => {
  const answer = async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return {
      ...privateKey.export({ format: 'jwk' }),
      kid: `made-${made++}`,
      alg: algorithm,
      use: 'sig',
    } as const;
  };
  return world === undefined ? answer() : world.take(GENERATE, answer);
};
