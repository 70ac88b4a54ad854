// The proof that a run says something: the service accepts good tokens and refuses requests without
// one, before the attacks and after them.

import { MISSING_PATH } from './attacks/paths.ts';
import { boundRequest } from './attacks/possession.ts';
import type { Bench, Nonce } from './bench.ts';
import type { Forgery } from './forgery.ts';
import type { Baseline } from './judge.ts';
import type { AttackAnswer } from './options.ts';
import type { Outcome } from './send.ts';

/** Sends a request of a bench. */
export type Ask = (forgery: Forgery) => Promise<Outcome>;

const HELP =
  'Give the claims that the route requires in "requires", and the options and an issuer of the service.';

/**
 * Asks with a good token and without one.
 * @throws Error if the answers are not those of a service that checks tokens
 */
export async function proveControl(bench: Bench, ask: Ask, nonce: Nonce): Promise<Baseline> {
  const { attack, route, config } = bench;
  const good = await accepted(bench, ask, nonce);
  if (good === undefined)
    throw fault(
      bench,
      `a good token is refused (${await statusOf(ask, bench)}), so no attack can show anything. ${HELP}`,
    );
  // What is kept of a token that has verified must not help one that is like it.
  for (let time = 0; time < 3; time++) await ask({ token: bench.good.token });
  const without = await ask({});
  if (typeof without !== 'string' && attack.isAccepted(without))
    throw fault(
      bench,
      `a request without a token is accepted (${without.status}), so the route is not protected. Name routes that need a token; if this answer is a refusal, say so by isAccepted.`,
    );
  if (config.judgesProofs && config.publicUrl !== undefined && config.binding === undefined) {
    if ((await accepted(bench, ask, nonce, boundRequest)) === undefined)
      throw fault(
        bench,
        'a token that is bound to a key is refused with its proof. Check dpop.publicUrl: proofs are for it and the path.',
      );
  }
  const open = await Promise.all(
    [MISSING_PATH, '/', ...attack.publicPaths].flatMap((target) =>
      [route.method, 'OPTIONS', 'HEAD'].map((method) => ask({ target, method })),
    ),
  );
  return { good, open };
}

/** Asks with a good token; a second time with the nonce of DPoP that the service then sends. */
async function accepted(
  bench: Bench,
  ask: Ask,
  nonce: Nonce,
  request: (bench: Bench) => Promise<Forgery> = async ({ mint }) => ({ token: await mint() }),
): Promise<AttackAnswer | undefined> {
  for (let time = 0; time < 2; time++) {
    const answer = await ask(await request(bench));
    if (typeof answer === 'string') return undefined;
    if (bench.attack.isAccepted(answer)) return answer;
    const sent = answer.headers['dpop-nonce'];
    if (sent === undefined) return undefined;
    nonce.current = sent;
  }
  return undefined;
}

/** What a good token gets after the attacks. @returns undefined if it is accepted */
export async function whyNotAlive(bench: Bench, ask: Ask, nonce: Nonce): Promise<string | undefined> {
  if ((await accepted(bench, ask, nonce)) !== undefined) return undefined;
  return `A good token is refused after the attacks (${await statusOf(ask, bench)}). Start the service again, and find the attack by only.`;
}

async function statusOf(ask: Ask, bench: Bench): Promise<string> {
  const answer = await ask({ token: await bench.mint() });
  return typeof answer === 'string' ? `the connection was ${answer}` : String(answer.status);
}

function fault({ route }: Bench, problem: string): Error {
  return new Error(`attack: ${route.name}: ${problem}`);
}
