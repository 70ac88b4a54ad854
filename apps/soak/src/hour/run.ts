// `pnpm soak hour [--minutes=60]`: R21. Most of a processor's time for an hour, keys that rotate,
// and one hostile request in ten. A wrong decision of either kind counts, and how the latency
// drifts.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Authenticator } from '@latchkey/core';
import { duration, type Figure } from '@latchkey/test-kit/figures';
import { codeOf, createSamples, type Samples, type Stream, startLoad } from '@latchkey/test-kit/load';
import { startProgress } from '@latchkey/test-kit/progress';
import { type RemoteIssuer, startIssuerHost } from '../issuer-handle.ts';
import { authenticatorOf, inTurn, withRandomKids } from '../keysets/subject.ts';

/** The share of the processor that the load is to take. */
const SHARE = 0.7;
const ROTATE_EVERY_MS = 300_000;
/** A flood of unknown kids uses up the one look in 10 s that a keyset takes at its source. */
const PUBLISHED_AHEAD_MS = 12_000;
/** The hour in parts, each with a latency of its own: the first and the last are compared. */
const PARTS = 20;
/**
 * Ten times as many as the cache keeps: half of the requests have a token that has to be verified
 * anew.
 */
const TOKENS = 5_000;
const OFTEN = 100;
const KEPT = 500;
/** How often, and how long each time, the pace is measured before the load starts. */
const CALIBRATIONS = 3;
const CALIBRATION_MS = 4_000;

/** Wrong decisions, by what should have come and what came. */
type Wrong = Map<string, number>;

/** What a request sends now; rotation replaces both. */
interface Supply {
  good: () => string;
  hostile: () => string;
}

/**
 * Runs it. Rejects only if the run itself breaks, or for an argument that is not a number of
 * minutes.
 */
export async function hour(given: readonly string[]): Promise<readonly Figure[]> {
  const minutes = readMinutes(given);
  const progress = startProgress();
  const issuers = startIssuerHost();
  try {
    // A source that may be kept for a minute: a removed key is found gone within that.
    const issuer = await issuers.create({ cacheControl: 'max-age=60' });
    const authenticator = authenticatorOf(issuer, { cache: { tokens: KEPT } });
    await authenticator.ready();
    const supply = await supplyOf(issuer);
    progress.phase('R21 how many requests take that share of the processor');
    const rate = await rateFor(authenticator, supply);
    progress.phase(`R21 ${minutes} minutes at ${rate} requests a second`);
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
    // Tokens live five minutes, and a part at most three.
    const next = await supplyOf(issuer);
    if (rotates) await sleep(PUBLISHED_AHEAD_MS);
    Object.assign(supply, next);
    await sleep(Math.max(0, endsAt - performance.now()));
    p99s.push(times.take(0.99));
  }
  const { tally, perSecond } = await load.stop();
  const { user, system } = process.cpuUsage(began);
  const share = (user + system) / 1000 / (performance.now() - startedAt);
  // The first part warms up; the second is the measure.
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

/** Nine good requests in ten, and a hostile one. */
function streamsOf(
  authenticator: Authenticator,
  supply: Supply,
  wrong: Wrong,
  times: Samples,
): readonly Stream[] {
  const note = (expected: string, got: string) => {
    const kind = `${expected} that came to ${got}`;
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
    // A refusal is what should come; a load counts what throws as failed.
    call: async () => {
      const code = await authenticator.verify(supply.hostile()).then(() => 'ok', codeOf);
      // An unknown kid may bring a 503 while its source cannot be asked; nothing else may.
      if (!code.startsWith('token_')) note('hostile', code);
    },
  };
  return [...Array.from({ length: 9 }, () => good), hostile];
}

/** Tokens by the key that signs now, and what is made of them: none of it may be accepted. */
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
 * The rate at which the load takes its share of the processor, found in steps: each corrects the
 * last.
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

/** @throws Error for what is not a number of minutes */
function readMinutes(given: readonly string[]): number {
  const { values } = parseArgs({ args: [...given], options: { minutes: { type: 'string' } } });
  const minutes = Number(values.minutes ?? 60);
  if (!(minutes > 0 && minutes <= 60))
    throw new Error(`--minutes: expected a number above 0 and up to 60, got ${values.minutes}`);
  return minutes;
}
