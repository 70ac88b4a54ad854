// Scenarios with time: R9's second half, keys that reach the end of their lifetime, and R22, a wall
// clock that jumps.
import { setTimeout as sleep } from 'node:timers/promises';
import { duration, type Figure } from '@latchkey/test-kit/figures';
import { startLoad } from '@latchkey/test-kit/load';
import { authenticatorOf, inTurn, type Stage, watchAttempts } from './subject.ts';

const HOUR_MS = 3_600_000;

/**
 * R22 and R9's second half. The clock of one authenticator jumps, that of the other does not; both
 * refresh at 48 s.
 */
export async function clockJumps({ issuers }: Stage): Promise<readonly Figure[]> {
  const cacheControl = 'max-age=60';
  const [jumping, steady] = await Promise.all([
    issuers.create({ cacheControl }),
    issuers.create({ cacheControl }),
  ]);
  let offsetMs = 0;
  const jumpy = authenticatorOf(jumping, { clock: { now: () => Date.now() + offsetMs } });
  const plain = authenticatorOf(steady);
  await Promise.all([jumpy.ready(), plain.ready()]);
  const [jumpyToken, plainToken] = [inTurn(await jumping.mint(100)), inTurn(await steady.mint(100))];
  const watches = [watchAttempts(jumping.issuer), watchAttempts(steady.issuer)];
  const began = performance.now();
  let waited = 0;
  const plainLoad = startLoad(
    [
      {
        call: () => {
          let settled = false;
          // A request whose key is cached is answered before the next turn of the event loop.
          setImmediate(() => {
            if (!settled) waited++;
          });
          return plain.verify(plainToken()).finally(() => {
            settled = true;
          });
        },
      },
    ],
    200,
  );
  const seen: string[] = [];
  for (const [name, offset, ms] of [
    ['0', 0, 5_000],
    ['+1 h', HOUR_MS, 20_000],
    ['-1 h', -HOUR_MS, 26_000],
    ['0', 0, 4_000],
  ] as const) {
    offsetMs = offset;
    const load = startLoad([{ call: () => jumpy.verify(jumpyToken()) }], 100);
    await sleep(ms);
    const { tally } = await load.stop();
    seen.push(`${name}: ${tally.failed === 0 ? 'all accepted' : tally.failures}`);
  }
  const plainResult = await plainLoad.stop();
  const [jumpingFetches, steadyFetches] = [(await jumping.counts()).jwks, (await steady.counts()).jwks];
  for (const watch of watches) watch.stop();
  await Promise.all([jumpy.close(), plain.close()]);
  const refreshedAt = watches.map(({ attempts }) => (attempts[0]?.endedAt ?? Number.NaN) - began);
  return [
    {
      id: 'R9',
      goal: 'refresh ahead',
      figure: 'on expiry 0 requests wait',
      measured: `${waited} of ${plainResult.tally.total} waited, ${plainResult.tally.failed} failed, over ${steadyFetches - 1} refresh of a 60 s lifetime, at ${plainResult.perSecond.toFixed(0)} verifies/s`,
      met: waited === 0 && plainResult.tally.failed === 0 && steadyFetches === 2,
    },
    {
      id: 'R22',
      goal: 'clock',
      figure: 'wall clock +-1 h: refresh schedule unaffected, only claim checks change',
      measured: `${jumpingFetches} fetches with the jumps and ${steadyFetches} without in 55 s, the refresh at ${refreshedAt.map(duration).join(' and ')} (lifetime 60 s); ${seen.join(', ')}; 100 verifies/s`,
      met:
        jumpingFetches === steadyFetches && Math.abs((refreshedAt[0] ?? 0) - (refreshedAt[1] ?? 0)) < 1_000,
    },
  ];
}
