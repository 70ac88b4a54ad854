// Sends the attacks to one route, a few at a time, and judges the answers.
import { ConfigError } from '@latchkey/core';
import type { Attack } from './attack.ts';
import { ATTACKS, type WholeAttack } from './attacks/all.ts';
import type { Bench } from './bench.ts';
import type { Ask } from './control.ts';
import type { Forgery } from './forgery.ts';
import { type Baseline, hasFailed, isLetInElsewhere, isLikeGood } from './judge.ts';
import type { AttackResult } from './report.ts';
import type { Outcome } from './send.ts';

/** Attacks that are under way at once. */
const CONCURRENT = 4;

/** Makes all attacks on a route. The results are in the order of the attacks. */
export async function attackRoute(
  bench: Bench,
  baseline: Baseline,
  ask: Ask,
): Promise<readonly AttackResult[]> {
  const chosen = ATTACKS.filter(({ id }) => bench.attack.isChosen(id));
  const results = new Map<WholeAttack, AttackResult>();
  const { listener } = bench;
  const waiting = chosen.values();
  listener.forget();
  const work = async () => {
    for (const attack of waiting) results.set(attack, await resultOf(attack, bench, baseline, ask));
  };
  await Promise.all(Array.from({ length: CONCURRENT }, work));
  return chosen.flatMap((attack): AttackResult | [] => {
    const result = results.get(attack);
    if (result?.outcome !== 'refused' || !listener.wasAsked(attack.id)) return result ?? [];
    const reason = `The service has connected to the URL in the token. ${attack.advice}`;
    return { ...result, outcome: 'let-in', reason };
  });
}

async function resultOf(
  attack: WholeAttack,
  bench: Bench,
  baseline: Baseline,
  ask: Ask,
): Promise<AttackResult> {
  const { id, title, advice, takes, needs = [] } = attack;
  const as = (
    outcome: AttackResult['outcome'],
    status?: number,
    reason?: string,
    label?: string,
  ): AttackResult => ({
    id,
    title: label === undefined ? title : `${title} (${label})`,
    threat: id.slice(0, id.indexOf('/')),
    takes,
    route: bench.route.name,
    outcome,
    status,
    reason,
  });
  const skip = needs.map((need) => need(bench)).find((reason) => reason !== undefined);
  if (skip !== undefined) return as('skipped', undefined, skip);
  const forged = await forgeriesOf(attack, bench);
  if (typeof forged === 'string') return as('skipped', undefined, forged);
  let refused: number | undefined;
  let broke: AttackResult | undefined;
  for (const forgery of forged) {
    const outcome = await sendAll(forgery, ask);
    const status = typeof outcome === 'string' ? undefined : outcome.status;
    if (status === 429)
      throw new Error(
        `attack: ${bench.route.name}: the service limits the rate of requests (429), so no attack can show anything. Turn the limit off in this test.`,
      );
    if (isLetIn(attack, forgery, outcome, bench, baseline))
      return as('let-in', status, advice, forgery.label);
    if (hasFailed(outcome))
      broke ??= as(
        'broke',
        status,
        'The service fails on such a request. Refuse it; see the error in the log of the service.',
        forgery.label,
      );
    refused ??= status;
  }
  return broke ?? as('refused', refused);
}

/** The requests of an attack, or why there are none. */
async function forgeriesOf(attack: Attack, bench: Bench): Promise<readonly Forgery[] | string> {
  let forged: readonly (string | Forgery)[];
  try {
    forged = await attack.forge(bench);
  } catch (error) {
    if (error instanceof ConfigError) return error.problem;
    // The function of a user may refuse to make malformed tokens.
    return `the issuer cannot make the tokens: ${error instanceof Error ? error.name : 'an error'}`;
  }
  if (forged.length === 0) return 'nothing in this configuration can be forged so';
  return forged.map((each) => (typeof each === 'string' ? { token: each } : each));
}

async function sendAll(forgery: Forgery, ask: Ask): Promise<Outcome> {
  for (let time = 1; time < (forgery.times ?? 1); time++) await ask(forgery);
  return ask(forgery);
}

function isLetIn(
  attack: Attack,
  forgery: Forgery,
  answer: Outcome,
  { attack: { isAccepted }, route }: Bench,
  baseline: Baseline,
): boolean {
  if (typeof answer === 'string') return false;
  if (answer.status === 101) return true;
  if (attack.isElsewhere !== true) return isAccepted(answer);
  const { method = route.method } = forgery;
  if (!isLetInElsewhere(answer, method, baseline)) return false;
  const isKnown = method === route.method || method === 'HEAD' || method === 'OPTIONS';
  return isKnown || isLikeGood(answer, baseline);
}
