// Rotations and revocation at a healthy issuer: R1, R2, R3. Faults of the issuer are in the other
// files.
import { setTimeout as sleep } from 'node:timers/promises';
import { duration, type Figure } from '@latchkey/test-kit/figures';
import { codeOf, failedText, startLoad, type Tally } from '@latchkey/test-kit/load';
import { authenticatorOf, inTurn, type Stage } from './subject.ts';

/**
 * A little more than 10 s, because the engine refetches for an unknown kid only once in 10 s, and
 * each rotation must be found at once.
 */
const BETWEEN_ROTATIONS_MS = 10_500;
const TOKENS = 100;
const LIFETIME_MS = 60_000;

/**
 * R1: a new key is published before it signs. There are two keysets, so that ten rotations fit into
 * a minute.
 */
export async function rotationWithOverlap(stage: Stage): Promise<readonly Figure[]> {
  const runs = await Promise.all([overlapping(stage, 5, 500), overlapping(stage, 5, 500)]);
  const failed = runs.reduce((sum, { tally }) => sum + tally.failed, 0);
  const perSecond = runs.reduce((sum, run) => sum + run.perSecond, 0);
  const fetches = runs.flatMap((run) => run.fetches);
  const most = Math.max(...fetches);
  return [
    {
      id: 'R1',
      goal: 'rotation with overlap',
      figure: '0 failed valid requests, <= 1 extra fetch per rotation',
      measured: `${runs.map(({ tally }) => failedText(tally)).join(' and ')}; ${most} fetches at most per rotation; ${fetches.length} rotations over 2 keysets, 10.5 s apart, published 1.2 s before use, ${perSecond.toFixed(0)} verifies/s in all, half of them with older keys`,
      met: failed === 0 && most <= 1,
    },
  ];
}

async function overlapping(
  { issuers }: Stage,
  rotations: number,
  rate: number,
): Promise<{ readonly tally: Tally; readonly perSecond: number; readonly fetches: readonly number[] }> {
  const issuer = await issuers.create();
  const authenticator = authenticatorOf(issuer, {
    keySets: [{ issuer: issuer.issuer, useOidcDiscovery: true, allowHttp: true }],
  });
  await authenticator.ready();
  let tokens = await issuer.mint(TOKENS);
  let token = inTurn(tokens);
  const load = startLoad([{ call: () => authenticator.verify(token()) }], rate);
  const fetches: number[] = [];
  for (let rotation = 0; rotation < rotations; rotation++) {
    const before = await issuer.counts();
    await issuer.rotate({ keepOld: true });
    const newTokens = issuer.mint(TOKENS);
    await sleep(1_200);
    const older = tokens;
    tokens = await newTokens;
    token = inTurn(tokens.flatMap((newer, index) => [newer, older[index] ?? newer]));
    await sleep(BETWEEN_ROTATIONS_MS - 1_200);
    const after = await issuer.counts();
    fetches.push(after.jwks - before.jwks + after.metadata - before.metadata);
  }
  const result = await load.stop();
  await authenticator.close();
  return { ...result, fetches };
}

/** R2: a new key signs as soon as it is published, and the old key is removed at that time. */
export async function rotationWithoutOverlap({ issuers }: Stage): Promise<readonly Figure[]> {
  const issuer = await issuers.create();
  const authenticator = authenticatorOf(issuer);
  await authenticator.ready();
  let token = inTurn(await issuer.mint(TOKENS));
  let failures: { readonly code: string; readonly at: number }[] = [];
  const load = startLoad(
    [
      {
        call: () => authenticator.verify(token()),
        outcome: ({ code, at }) => {
          if (code !== 'ok') failures.push({ code, at });
        },
      },
    ],
    500,
  );
  const rotate = async () => {
    await issuer.rotate({ keepOld: false });
    const at = performance.now();
    token = inTurn(await issuer.mint(TOKENS));
    return at;
  };

  const before = await issuer.counts();
  const rotations = 3;
  for (let rotation = 0; rotation < rotations; rotation++) {
    await rotate();
    // The next rotation comes before the 10 s after the last one are over.
    await sleep(rotation < rotations - 1 ? BETWEEN_ROTATIONS_MS : 3_000);
  }
  const atOnce = failures;
  const fetches = (await issuer.counts()).jwks - before.jwks;
  failures = [];
  const early = await rotate();
  await sleep(BETWEEN_ROTATIONS_MS);
  const lastFailure = failures.at(-1);
  const failedForMs = lastFailure === undefined ? 0 : lastFailure.at - early;
  const { perSecond } = await load.stop();
  await authenticator.close();
  return [
    {
      id: 'R2',
      goal: 'rotation without overlap',
      figure:
        '0 failures if no refetch in the last 10 s, else only within <= 10 s; waiting requests share one fetch',
      measured: `${atOnce.length} failures and ${fetches} fetches in ${rotations} rotations 10.5 s apart; rotated again 3 s after a refetch: failures for ${duration(failedForMs)} (${failures.length}, ${[...new Set(failures.map(({ code }) => code))].join(', ')}); ${perSecond.toFixed(0)} verifies/s`,
      met: atOnce.length === 0 && fetches === rotations && failedForMs <= 10_000,
    },
  ];
}

/**
 * R3: a key is removed from the set just after the set was fetched, and no token uses the new key.
 */
export async function revocation({ issuers }: Stage): Promise<readonly Figure[]> {
  const issuer = await issuers.create({ cacheControl: 'max-age=60' });
  const authenticator = authenticatorOf(issuer);
  await authenticator.ready();
  const [token = ''] = await issuer.mint(1);
  await issuer.rotate({ keepOld: false });
  const removed = performance.now();
  let lastAccept = removed;
  let checks = 0;
  let code = 'ok';
  while (code === 'ok' && performance.now() - removed < LIFETIME_MS + 10_000) {
    const at = performance.now();
    code = await authenticator.verify(token).then(() => 'ok', codeOf);
    checks++;
    if (code === 'ok') lastAccept = at;
    await sleep(20);
  }
  await authenticator.close();
  const acceptedForMs = lastAccept - removed;
  return [
    {
      id: 'R3',
      goal: 'revocation',
      figure: 'last accept <= lifetime + 5 s (65 s here)',
      measured: `last accept ${duration(acceptedForMs)} after the key was removed, then ${code}; lifetime 60 s by Cache-Control (the floor), one token verified ${checks} times`,
      met: acceptedForMs <= LIFETIME_MS + 5_000 && code === 'token_key_unknown',
    },
  ];
}
