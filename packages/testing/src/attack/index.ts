// The attack on a service: opens it, proves the control, makes all attacks, and reports.

import { createDpopKey } from '../dpop.ts';
import { ATTACKS } from './attacks/all.ts';
import { benchFor, type Nonce, readGoodToken, strangerFor, type Tools } from './bench.ts';
import { type Ask, proveControl, whyNotAlive } from './control.ts';
import { createKeyListener } from './listener.ts';
import { type AttackOptions, type CheckedAttack, type CheckedRoute, readAttack } from './options.ts';
import { type AttackReport, type AttackResult, reportOf } from './report.ts';
import { attackRoute } from './run.ts';
import { type Endpoint, send } from './send.ts';
import { openTarget } from './target.ts';

/**
 * Makes about a hundred attacks on each route of a service, for its own options, with some 300
 * forged requests: tokens without a signature, public keys as secrets, wrong issuers, audiences and
 * times, ambiguous headers, other spellings of its paths. Reports each one that was let in. Before
 * that, it proves that a good token is accepted and a request without one is not.
 *
 * It does *not* find everything: rules that are right for a claim and wrong for the business, and
 * routes that are not named, are not tested. The handlers run for good tokens, a few times each, so
 * use a service of tests with its own data. A target that is not on loopback is refused.
 * @returns the report; `assertSafe()` throws if something was let in
 * @throws ConfigError for options that cannot be right
 * @throws Error if a good token is refused, if a request without a token is accepted, or if the
 *   service limits the rate of requests: the run would then show nothing
 * @example
 * ```ts
 * const issuer = await createIssuer();
 * // A service that was built with issuer.options runs there.
 * const report = await attack({
 *   target: 'http://127.0.0.1:3000',
 *   routes: [{ path: '/orders', requires: { scope: 'orders:read' } }],
 *   options: issuer.options,
 *   issuer,
 * });
 * report.assertSafe();
 * ```
 */
export async function attack(options: AttackOptions): Promise<AttackReport> {
  const checked = readAttack(
    options,
    ATTACKS.map(({ id }) => id),
  );
  const good = readGoodToken(await checked.issuer.mint(claimsFor(checked.routes[0])));
  const stranger = await strangerFor(good);
  const listener = await createKeyListener(stranger.publicJwk);
  try {
    const [dpop, anotherDpop] = await Promise.all([createDpopKey(), createDpopKey()]);
    const tools = { stranger, dpop, anotherDpop, listener };
    const { endpoint, close } = await openTarget(checked);
    try {
      const results: AttackResult[] = [];
      for (const route of checked.routes) results.push(...(await resultsOf(checked, route, tools, endpoint)));
      return reportOf(results);
    } finally {
      await close();
    }
  } finally {
    await listener.close();
  }
}

async function resultsOf(
  checked: CheckedAttack,
  route: CheckedRoute,
  tools: Tools,
  endpoint: Endpoint,
): Promise<readonly AttackResult[]> {
  const nonce: Nonce = { current: undefined };
  const bench = await benchFor(checked, route, tools, nonce);
  const ask: Ask = async (forgery) =>
    send(endpoint, await bench.requestOf(forgery), checked.timeoutMs, checked.certificate);
  const baseline = await proveControl(bench, ask, nonce);
  const results = await attackRoute(bench, baseline, ask);
  const reason = await whyNotAlive(bench, ask, nonce);
  if (reason === undefined) return results;
  const after = {
    id: 'control/after',
    title: 'a good token after the attacks',
    threat: 'control',
    takes: 'nothing',
  } as const;
  return [...results, { ...after, route: route.name, outcome: 'broke', status: undefined, reason }];
}

function claimsFor(route: CheckedRoute | undefined) {
  return { ...route?.claims, ...route?.requires };
}
