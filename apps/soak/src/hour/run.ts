// `pnpm soak hour [--minutes=60]`: R21. A load of 70 % of a processor for an hour, with rotating
// keys and one hostile request in ten. It counts wrong decisions of both kinds and measures the
// drift of the latency.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Authenticator } from '@latchkey/core';
import { duration, type Figure } from '@latchkey/test-kit/figures';
import { codeOf, createSamples, type Samples, type Stream, startLoad } from '@latchkey/test-kit/load';
import { startProgress } from '@latchkey/test-kit/progress';
import { type RemoteIssuer, startIssuerHost } from '../issuer-handle.ts';
import { authenticatorOf, inTurn, withRandomKids } from '../keysets/subject.ts';
import { minutesOf } from '../minutes.ts';

/** The share of the processor that the load should use. */
const SHARE = 0.7;
const ROTATE_EVERY_MS = 300_000;
/**
 * Longer than 10 s, because a keyset refetches for an unknown kid only once in 10 s, and hostile
 * kids use that fetch.
 */
const PUBLISHED_AHEAD_MS = 12_000;
/**
 * The hour has 20 parts with their own latency. The drift compares the second part with the last.
 */
const PARTS = 20;
/**
 * Ten times the size of the cache, so that half of the requests have a token that is not cached.
 */
const TOKENS = 5_000;
const OFTEN = 100;
const KEPT = 500;
/** The number and the length of the measurements that set the rate of the load. */
const CALIBRATIONS = 3;
const CALIBRATION_MS = 4_000;

/** The number of wrong decisions, by the expected and the actual result. */
type Wrong = Map<string, number>;

/** The tokens that requests send. A rotation replaces both. */
interface Supply {
  good: () => string;
  hostile: () => string;
}

/**
 * Runs R21. Rejects only if the scenario cannot run, or for an argument that is not a number of
 * minutes.
 */
export async function hour(given: readonly string[]): Promise<readonly Figure[]> {
  const minutes = minutesOf(given, 60);
  const progress = startProgress();
  const issuers = startIssuerHost();
  try {
    // The keys may be cached for a minute, so the service drops a removed key within that time.
    const issuer = await issuers.create({ cacheControl: 'max-age=60' });
    const authenticator = authenticatorOf(issuer, { cache: { tokens: KEPT } });
    await authenticator.ready();
    const supply = await supplyOf(issuer);
    progress.phase('R21 finding the rate that uses 70 % of the processor');
    const rate = await rateFor(authenticator, supply);
    progress.phase(`R21 ${minutes} minutes at ${rate} requests per second`);
    const figure = await soaking({ authenticator, issuer, supply, rate, minutes });
    await authenticator.close();
    return [figure];
  } finally {
    progress.stop();
    await issuers.close();
  }
}

interface Soak {
  readonly authenticator: Authenticator;
  readonly issuer: RemoteIssuer;
  readonly supply: Supply;
  readonly rate: number;
  readonly minutes: number;
}

async function soaking({ authenticator, issuer, supply, rate, minutes }: Soak): Promise<Figure> {
  const wrong: Wrong = new Map();
  const times = createSamples(2_000_000);
  const streams = streamsOf(authenticator, supply, wrong, times);
  const began = process.cpuUsage();
  const startedAt = performance.now();
  const load = startLoad(streams, rate / streams.length);
  const p99s: number[] = [];
  let rotations = 0;
  let rotatedAt = startedAt;
  for (let part = 0; part < PARTS; part++) {
    const endsAt = startedAt + ((part + 1) * minutes * 60_000) / PARTS;
    const rotates = performance.now() - rotatedAt >= ROTATE_EVERY_MS;
    if (rotates) {
      rotations++;
      rotatedAt = performance.now();
      await issuer.rotate({ keepOld: true });
    }
    // New tokens for each part, because tokens are valid for five minutes and a part takes at most
    // three.
    const next = await supplyOf(issuer);
    if (rotates) await sleep(PUBLISHED_AHEAD_MS);
    Object.assign(supply, next);
    await sleep(Math.max(0, endsAt - performance.now()));
    p99s.push(times.take(0.99));
  }
  const { tally, perSecond } = await load.stop();
  const { user, system } = process.cpuUsage(began);
  const share = (user + system) / 1000 / (performance.now() - startedAt);
  // The first part warms up; the drift is relative to the second.
  const [, first = Number.NaN] = p99s;
  const last = p99s.at(-1) ?? Number.NaN;
  const drift = last / first - 1;
  const count = [...wrong.values()].reduce((sum, each) => sum + each, 0);
  const kinds = [...wrong].map(([kind, each]) => `${each} ${kind}`).join(', ');
  return {
    id: 'R21',
    goal: 'soak',
    figure: '1 h at 70 % CPU, rotation every 5 min, 10 % hostile: 0 wrong decisions, p99 drift <= 10 %',
    measured: `${count} wrong decisions of ${tally.total}${kinds && ` (${kinds})`} in ${minutes} min at ${(perSecond * streams.length).toFixed(0)} req/s, ${(share * 100).toFixed(0)} % of a processor, ${rotations} rotations; p99 ${duration(first)} in the second twentieth, ${duration(last)} in the last: ${(drift * 100).toFixed(0)} %`,
    met: count === 0 && drift <= 0.1 && minutes >= 60,
  };
}

/** Nine streams of valid requests and one of hostile requests. */
function streamsOf(
  authenticator: Authenticator,
  supply: Supply,
  wrong: Wrong,
  times: Samples,
): readonly Stream[] {
  const note = (expected: string, got: string) => {
    const kind = `${expected} answered with ${got}`;
    wrong.set(kind, (wrong.get(kind) ?? 0) + 1);
  };
  const good: Stream = {
    call: () => authenticator.verify(supply.good()),
    times,
    outcome: ({ code }) => {
      if (code !== 'ok') note('good', code);
    },
  };
  const hostile: Stream = {
    // Catches the refusal, which is expected, because a load counts every throw as a failure.
    call: async () => {
      const code = await authenticator.verify(supply.hostile()).then(() => 'ok', codeOf);
      // Every hostile token must be refused with a token_ code; a 503 also counts as wrong.
      if (!code.startsWith('token_')) note('hostile', code);
    },
  };
  return [...Array.from({ length: 9 }, () => good), hostile];
}

/** Creates tokens of the current key, and forged tokens from them, which must all be refused. */
async function supplyOf(issuer: RemoteIssuer): Promise<Supply> {
  const tokens = await issuer.mint(TOKENS);
  const [one = '', other = ''] = tokens;
  const [header, payload] = one.split('.');
  const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
  const randomKid = withRandomKids(one);
  const forged = inTurn([
    `${header}.${payload}.${other.split('.')[2]}`,
    `${none}.${payload}.`,
    `${header}.${payload}`,
    `${one}=`,
    'abc.def.ghi',
  ]);
  let asked = 0;
  let forging = 0;
  const [often, rarely] = [inTurn(tokens.slice(0, OFTEN)), inTurn(tokens)];
  const good = () => (asked++ % 2 === 0 ? often() : rarely());
  return { good, hostile: () => (forging++ % 6 === 0 ? randomKid() : forged()) };
}

/**
 * Finds the rate at which the load uses its share of the processor. Each step corrects the previous
 * one.
 */
async function rateFor(authenticator: Authenticator, supply: Supply): Promise<number> {
  let rate = 2_000;
  for (let step = 0; step < CALIBRATIONS; step++) {
    const streams = streamsOf(authenticator, supply, new Map(), createSamples(0));
    const began = process.cpuUsage();
    const load = startLoad(streams, rate / streams.length);
    await sleep(CALIBRATION_MS);
    const { perSecond } = await load.stop();
    const { user, system } = process.cpuUsage(began);
    const share = (user + system) / 1000 / CALIBRATION_MS;
    rate = Math.floor((perSecond * streams.length * SHARE) / share);
  }
  return rate;
}
