// Core, jose and an independent reference judge the same generated tokens. Core accepts exactly
// what the reference accepts, and nothing that jose refuses. Where core is stricter than jose, the
// reason is on the list in reasons.ts.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Authenticator } from '../../src/index.ts';
import { outcome } from '../support/outcome.ts';
import { authenticatorFor, CONFIGS, type Config } from './configs.ts';
import { joseAccepts } from './jose.ts';
import { keysOf } from './keys.ts';
import { type TokenPlan, tokenPlansOf } from './plans.ts';
import { BY_CHANCE, REASONS, reasonFor } from './reasons.ts';
import { accepts } from './reference.ts';
import { check, IS_LONG, runsOf, timeFor } from './runs.ts';
import { tokenOf } from './tokens.ts';

const USUAL = 1_500;
/** Enough tokens for everything that a plan may contain. */
const IS_MANY = runsOf(USUAL) >= 20_000;

let authenticators: readonly Authenticator[];

beforeAll(async () => {
  authenticators = await Promise.all(CONFIGS.map(authenticatorFor));
});
afterAll(() => Promise.all(authenticators.map((one) => one.close())));

const keys = new Map<string, ReturnType<typeof keysOf>>();
const keysFor = (issuer: string) => {
  const known = keys.get(issuer) ?? keysOf(issuer);
  keys.set(issuer, known);
  return known;
};

interface Count {
  accepted: number;
  refused: number;
}

/** What was tried, to see that nothing is missing. */
const counts = { core: 0, jose: 0, reference: 0, all: 0 };
const byMutation = new Map<string, Count>();
const byCode = new Map<string, number>();
const byReason = new Map<string, number>();

const more = (map: Map<string, number>, name: string) => map.set(name, (map.get(name) ?? 0) + 1);

async function judge(plan: TokenPlan): Promise<void> {
  const token = tokenOf(plan);
  const config = CONFIGS[plan.config] as Config;
  const authenticator = authenticators[plan.config] as Authenticator;
  const [byCore, byJose] = await Promise.all([
    outcome(authenticator.verify(token)),
    joseAccepts(token, config),
  ]);
  const isAccepted = byCore === 'accepted';
  const byReference = accepts(token, config, keysFor);
  expect(byReference ? 'accepted' : 'refused', `the reference, where core says ${byCore}`).toBe(
    isAccepted ? 'accepted' : 'refused',
  );
  if (isAccepted) expect(byJose, 'jose, where core accepts').toBe(true);
  else if (byJose) {
    const reason = reasonFor(token, byCore, config);
    expect(reason, `the reason of core, which says ${byCore} where jose accepts`).toBeDefined();
    more(byReason, String(reason));
  }
  counts.all++;
  if (isAccepted) counts.core++;
  if (byJose) counts.jose++;
  if (byReference) counts.reference++;
  more(byCode, byCore);
  const { kind } = plan.mutation;
  const count = byMutation.get(kind) ?? { accepted: 0, refused: 0 };
  count[isAccepted ? 'accepted' : 'refused']++;
  byMutation.set(kind, count);
}

it('core, jose and the reference agree on generated tokens', { timeout: timeFor(USUAL) }, async () => {
  await check('differential', USUAL, tokenPlansOf(), judge);
  if (IS_LONG) {
    console.log(
      `${counts.all} tokens: core accepts ${counts.core}, the reference ${counts.reference}, jose ${counts.jose}`,
    );
    console.table(Object.fromEntries(byMutation));
    console.table(Object.fromEntries([...byCode].sort()));
    console.table(Object.fromEntries([...byReason].sort()));
  }
  expect(counts.all).toBeGreaterThanOrEqual(runsOf(USUAL));
  // About half are valid.
  expect(counts.core / counts.all).toBeGreaterThan(0.35);
  expect(counts.core / counts.all).toBeLessThan(0.65);
  // Each kind of mutation was there, with both outcomes if it can have both. Few tokens with some
  // kinds are valid, so that a short run may have none.
  const rare = ['characters', 'signature', 'key', 'algorithm'];
  for (const kind of ['none', 'segments', 'header', 'claim', 'spelling', 'size', 'time', ...rare]) {
    const { accepted, refused } = byMutation.get(kind) ?? { accepted: 0, refused: 0 };
    expect(refused, kind).toBeGreaterThan(0);
    if (kind !== 'segments' && (IS_MANY || !rare.includes(kind))) expect(accepted, kind).toBeGreaterThan(0);
  }
  // In a long run, each reason of the list is needed.
  const needed = REASONS.map(([, why]) => why).filter((why) => why !== BY_CHANCE);
  if (IS_MANY) expect([...byReason.keys()]).toEqual(expect.arrayContaining(needed));
});
