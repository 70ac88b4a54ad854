// Proof that the runs can fail: scenarios in which something around core is broken on purpose. Each
// of them has to be found, with what is wrong about it. Core itself is not changed.
import { describe, expect, it, vi } from 'vitest';
import { AuthError, isAuthError } from '../../src/errors.ts';
import { decisionScenarios } from './scenarios/decisions.ts';
import { keysetScenarios } from './scenarios/keysets.ts';
import { type Boundary, SECRET, variantsOf } from './steps.ts';
import { play, type Scenario, type World } from './world.ts';

vi.mock('../../src/net/node-http.ts', () => import('./transport.ts'));
await import('../../src/net/node-http.ts');

/** A scenario of this name in a world that is broken. */
function broken(name: string, change: (world: World) => Partial<World>): Scenario {
  const scenario = [...keysetScenarios, ...decisionScenarios].find((one) => one.name === name);
  if (scenario === undefined) throw new Error(`expected a scenario, got ${name}`);
  return { name, open: (world) => scenario.open({ ...world, ...change(world) }) };
}

/** Calls of one boundary, changed. */
const changing =
  (name: string, change: (call: () => unknown) => unknown) =>
  ({ take }: World): Partial<World> => ({
    take: <T>(boundary: Boundary, answer: () => T) =>
      boundary.name === name ? (change(() => take(boundary, answer)) as T) : take(boundary, answer),
  });

/** Requests, changed. */
const asking =
  (change: (call: () => unknown) => Promise<unknown>) =>
  ({ ask }: World): Partial<World> => ({
    ask: (what, expected, call, deadlineMs) => ask(what, expected, () => change(call), deadlineMs),
  });

/** Gives something else where a call fails, as code that fails open does. */
const orElse = (instead: unknown) => async (call: () => unknown) => {
  try {
    return await call();
  } catch {
    return instead;
  }
};

const SECRET_READ = 'a secret, read for the first time';
let firstRead: unknown;

describe('runs that have to fail', () => {
  it.each<[title: string, scenario: Scenario, problem: string]>([
    [
      'a resolver that gives everything when it fails',
      broken('groups of a directory', changing('resolve of the directory', orElse(['readers']))),
      'a stranger: was accepted, and must not be',
    ],
    [
      'a replay store for which an error is a new proof',
      broken('proofs of possession, each used once', changing('use of the replay store', orElse(true))),
      'the proof again: was accepted, and must not be',
    ],
    [
      'a feed whose list is empty when it cannot be read',
      broken('revocations of a feed', changing('read of the feed', orElse([]))),
      'a token that another process has revoked: was accepted, and must not be',
    ],
    [
      'a store that gives an old answer after a newer one',
      broken(
        'a secret that is watched, and replaced',
        changing('read of the secret store', (call) => {
          firstRead ??= call();
          return firstRead;
        }),
      ),
      'a key that went: was accepted, and must not be',
    ],
    [
      'an application that never answers after a failure',
      broken(
        SECRET_READ,
        asking(async (call) => Promise.resolve(call()).catch(() => new Promise(() => {}))),
      ),
      'good 1: has not ended within 5000 ms',
    ],
    [
      'a 401 in place of a 503',
      broken(
        SECRET_READ,
        asking(async (call) => {
          try {
            return await call();
          } catch (error) {
            throw isAuthError(error) && error.status === 503 ? new AuthError('token_key_unknown') : error;
          }
        }),
      ),
      'expected good, got token_key_unknown',
    ],
    [
      'a crash in place of a refusal',
      broken(
        SECRET_READ,
        asking(async (call) => {
          try {
            return await call();
          } catch {
            throw new TypeError('undefined is not a function');
          }
        }),
      ),
      'not a refusal: TypeError',
    ],
    [
      'a store that forgets a promise',
      broken(
        SECRET_READ,
        changing('read of the secret store', async (call) => {
          void Promise.reject(new Error('forgotten'));
          return call();
        }),
      ),
      'unhandledRejection: Error: forgotten',
    ],
    [
      'a store that leaves a timer',
      broken(
        SECRET_READ,
        changing('read of the secret store', (call) => {
          setInterval(() => {}, 60_000);
          return call();
        }),
      ),
      'timers are left after close()',
    ],
    [
      'a function that shows a secret',
      broken(
        'tenants that the application is asked about',
        changing('the function of the application', async (call) => {
          try {
            return await call();
          } catch {
            throw new AuthError('keyset_unavailable', { detail: SECRET });
          }
        }),
      ),
      'keyset_unavailable shows a secret',
    ],
  ])('%s', async (_, scenario, problem) => {
    firstRead = undefined;
    const { taken, problems } = await play(scenario);
    const found = [...problems];
    for (const variant of variantsOf(taken, true)) {
      if (found.some((one) => one.includes(problem))) break;
      found.push(...(await play(scenario, variant)).problems);
    }
    expect(found).toContainEqual(expect.stringContaining(problem));
  });
});
