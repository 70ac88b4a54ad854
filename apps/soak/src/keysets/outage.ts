// Scenarios with an issuer that is down: R4 with cached keys, R5 without keys.
import { setTimeout as sleep } from 'node:timers/promises';
import { duration, type Figure } from '@latchkey/test-kit/figures';
import { codeOf, createSamples, type Outcome, startLoad } from '@latchkey/test-kit/load';
import { type Contestant, ratioText } from './comparison.ts';
import { authenticatorOf, inTurn, type Stage, until, watchAttempts, withRandomKids } from './subject.ts';

const HOUR_MS = 3_600_000;
const MAX_BACKOFF_MS = 30_000;
/** The first deadline of a fetch, and the time that a 503 may take after it. */
const DEADLINE_MS = 5_000;
const MAX_REFUSAL_MS = 50;

/**
 * R4: the issuer goes down just after its keys were fetched, and stays down longer than their
 * lifetime of 60 s.
 */
export async function warmOutage({ issuers }: Stage): Promise<Contestant> {
  const issuer = await issuers.create({ cacheControl: 'max-age=60' });
  const authenticator = authenticatorOf(issuer);
  const tokens = await issuer.mint(200);
  const token = inTurn(tokens);
  const watch = watchAttempts(issuer.issuer);
  let began = 0;
  let before = 0;
  await authenticator.ready();
  return {
    call: () => authenticator.verify(token()),
    async begin() {
      await issuer.fail({ kind: 'reset' });
      before = (await issuer.counts()).jwks;
      began = performance.now();
      // An unknown kid starts a fetch; without it, the first fetch would come at 48 s.
      await authenticator.verify(withRandomKids(tokens[0] ?? '')()).catch(codeOf);
    },
    async finish(compared) {
      const lastedMs = performance.now() - began;
      const attempts = (await issuer.counts()).jwks - before;
      const [state] = authenticator.report().keysets;
      watch.stop();
      await authenticator.close();
      const last = watch.attempts.at(-1);
      const nextInMs = (last?.endedAt ?? 0) + (last?.retryInMs ?? 0) - began;
      // The jitter of the cap is a tenth in both directions, which cancels out in an hour. Other
      // waits are used unchanged.
      const waitMs = last?.retryInMs ?? 0;
      const spacingMs = Math.abs(waitMs - MAX_BACKOFF_MS) <= MAX_BACKOFF_MS / 10 ? MAX_BACKOFF_MS : waitMs;
      const perHour = attempts + 1 + (HOUR_MS - nextInMs) / spacingMs;
      return [
        {
          id: 'R4',
          goal: 'outage, warm',
          figure: '0 failures for cached keys, p99 <= 1.1 x, <= 130 attempts/h',
          measured: `${compared.failed} of ${compared.calls} failed; ${ratioText(compared)}; ${attempts} attempts in ${duration(lastedMs)}, extrapolated by the backoff of ${duration(spacingMs)} reached to ${perHour.toFixed(0)}/h; down for ${duration(lastedMs)} instead of 1 h (keyset ${state?.state} at the end) under ${compared.perSecond.toFixed(0)} verifies/s`,
          met: compared.failed === 0 && compared.ratio <= 1.1 && perHour <= 130,
        },
      ];
    },
  };
}

/**
 * R5: the issuer hangs when the service starts, then refuses connections, and comes back when the
 * engine's wait is longest.
 */
export async function coldOutage({ issuers, progress }: Stage): Promise<readonly Figure[]> {
  const issuer = await issuers.create();
  const token = inTurn(await issuer.mint(100));
  await issuer.fail({ kind: 'hang' });
  const watch = watchAttempts(issuer.issuer);
  const authenticator = authenticatorOf(issuer);
  const began = performance.now();
  const latencies = createSamples(50_000);
  let firstEndedMs = 0;
  let firstSuccess: number | undefined;
  let unexpected = 0;
  const outcome = ({ code, at, ms }: Outcome) => {
    if (code === 'ok') firstSuccess ??= at + ms;
    else if (code !== 'keyset_unavailable' || firstSuccess !== undefined) unexpected++;
    if (at - began <= DEADLINE_MS) firstEndedMs = Math.max(firstEndedMs, at + ms - began);
    else if (code !== 'ok') latencies.add(ms);
  };
  const load = startLoad([{ call: () => authenticator.verify(token()), outcome }], 100);

  await sleep(DEADLINE_MS + 500);
  await issuer.fail({ kind: 'reset' });
  const longest = () => (watch.attempts.at(-1)?.retryInMs ?? 0) >= MAX_BACKOFF_MS * 0.9;
  await until(longest, 45_000);
  await issuer.fail();
  const returned = performance.now();
  progress.note('R5: the issuer is back; the next attempt comes within 33 s');
  await until(() => firstSuccess !== undefined, 45_000);
  await sleep(500);
  const { tally, perSecond } = await load.stop();
  watch.stop();
  await authenticator.close();

  const slowestMs = latencies.take(1);
  const recoveredInMs = (firstSuccess ?? Number.POSITIVE_INFINITY) - returned;
  return [
    {
      id: 'R5',
      goal: 'outage, cold',
      figure:
        'every request 503 <= 50 ms after the first deadline; first success <= 2 s + backoff cap (32 s) after return',
      measured: `requests before the deadline ended after ${duration(firstEndedMs)}, slowest 503 later ${duration(slowestMs)}, ${unexpected} unexpected answers; first success ${duration(recoveredInMs)} after the return; down for ${duration(returned - began)}, back just after an attempt had failed; ${perSecond.toFixed(0)} verifies/s, ${tally.total} in all, the process kept running`,
      met:
        firstEndedMs <= DEADLINE_MS + MAX_REFUSAL_MS &&
        slowestMs <= MAX_REFUSAL_MS &&
        unexpected === 0 &&
        recoveredInMs <= MAX_BACKOFF_MS + 2_000,
    },
  ];
}
