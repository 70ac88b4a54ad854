// R17: an endpoint that validates tokens shows every fault under load and recovers after each. The
// figures are in remote-figures.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import { type AuthenticatorOptions, createAuthenticator } from '@latchkey/core';
import type { Figure } from '@latchkey/test-kit/figures';
import { type Load, startLoad } from '@latchkey/test-kit/load';
import type { Progress } from '@latchkey/test-kit/progress';
import { generateSigningKey } from '@latchkey/testing';
import { type Calls, watchCalls } from './calls.ts';
import { type Companion, sharedNow, startCompanion } from './companion.ts';
import type { Arrival, EndpointMoves } from './endpoint-process.ts';
import { createJudge, type Judge } from './judge.ts';
import type { Fault } from './misbehave.ts';
import { type Course, remoteFigures } from './remote-figures.ts';
import { AUDIENCE, createTokens, ISSUER } from './tokens.ts';
import { heapAfterGcMiB, type Vitals } from './vitals.ts';

interface Outage {
  readonly fault: Fault;
  readonly lastsMs: number;
  /** Requests per second at each authenticator, half of them with valid tokens. */
  readonly perSecond: number;
}

const OUTAGES: readonly Outage[] = [
  { fault: 'hang', lastsMs: 6_000, perSecond: 2_000 },
  { fault: 'error', lastsMs: 4_500, perSecond: 2_000 },
  // Odd answers do not open the breaker, so all requests reach the endpoint. The rate is lower,
  // because both processes have work with them.
  { fault: 'invalid', lastsMs: 5_000, perSecond: 400 },
  { fault: 'redirect', lastsMs: 3_000, perSecond: 400 },
  { fault: 'flood', lastsMs: 6_000, perSecond: 2_000 },
  { fault: 'reset', lastsMs: 4_500, perSecond: 2_000 },
  { fault: 'down', lastsMs: 4_500, perSecond: 2_000 },
  // A second hang, which ends while two attempts are waiting that will not be answered.
  { fault: 'hang', lastsMs: 4_300, perSecond: 2_000 },
];

/** The permanent rate of each kind of token at each authenticator. */
const STEADY_PER_SECOND = 100;
const TOKENS = 500;
const STAGGER_MS = 700;
const MAX_RECOVERY_MS = 10_000;

/** One authenticator and its endpoint. */
interface Side {
  readonly judge: Judge;
  readonly id: number;
  readonly port: number;
}

interface Scene {
  readonly endpoints: Companion<EndpointMoves>;
  readonly sides: readonly Side[];
  readonly calls: Calls;
  readonly vitals: Vitals;
}

/** Runs for about a minute. */
export async function remoteOutages(progress: Progress, vitals: Vitals): Promise<readonly Figure[]> {
  const endpoints = startCompanion<EndpointMoves>('endpoint-process.ts');
  const calls = watchCalls();
  try {
    const sides = await createSides(endpoints);
    const scene = { endpoints, sides, calls, vitals };
    const loads = sides.map(({ judge }) => startRequests(judge, STEADY_PER_SECOND));
    // Warms up, because the first run is slow and allocates memory.
    await sleep(2_000);
    await strike(scene, { fault: 'error', lastsMs: 1_500, perSecond: 500 });
    await sleep(500);
    const heapBefore = heapAfterGcMiB();
    const courses: Course[] = [];
    for (const outage of OUTAGES) {
      progress.phase(`R17 ${outage.fault}`);
      courses.push(...(await strike(scene, outage)));
      await sleep(1_000);
    }
    await Promise.all(loads.map((load) => load.stop()));
    await Promise.all(sides.map(({ judge }) => judge.authenticator.close()));
    const heapMiB = heapAfterGcMiB() - heapBefore;
    const { accepted, astray } = await endpoints.call('counts');
    return remoteFigures({
      courses,
      verdicts: sides.map(({ judge }) => judge.verdicts),
      accepted,
      astray,
      heapMiB,
      uncaught: vitals.uncaught,
    });
  } finally {
    calls.stop();
    await endpoints.stop();
  }
}

async function createSides(endpoints: Companion<EndpointMoves>): Promise<readonly Side[]> {
  const key = await generateSigningKey();
  const tokens = await createTokens(key, TOKENS);
  type Options = Pick<AuthenticatorOptions, 'keySets' | 'remote'>;
  const create = async (name: string, optionsFor: (url: string) => Options): Promise<Side> => {
    const { id, port, url } = await endpoints.call('create');
    await endpoints.call('know', id, tokens.known);
    const authenticator = createAuthenticator({ audience: AUDIENCE, ...optionsFor(url) });
    return { judge: createJudge(name, authenticator, tokens), id, port };
  };
  const keySets = [{ issuer: ISSUER, jwks: { keys: [key.publicJwk] } }];
  return [
    await create('alone', (url) => ({ keySets: [], remote: { url } })),
    await create('first', (url) => ({ keySets, remote: { url, onReject: 'deny', onError: 'deny' } })),
  ];
}

/**
 * Runs one outage at both endpoints, at the second a little later, so that the waits of both do not
 * end at the same time.
 */
async function strike(scene: Scene, outage: Outage): Promise<readonly Course[]> {
  scene.vitals.take();
  const courses = await Promise.all(
    scene.sides.map((side, index) => sleep(index * STAGGER_MS).then(() => strikeOne(scene, side, outage))),
  );
  const vital = scene.vitals.take();
  return courses.map((course) => ({ ...course, vital }));
}

/** Runs one outage at one endpoint, until the first principal after it. */
async function strikeOne(
  { endpoints, calls }: Scene,
  { judge, id, port }: Side,
  { fault, lastsMs, perSecond }: Outage,
): Promise<Omit<Course, 'vital'>> {
  judge.era('changes');
  judge.takeSlowest();
  await endpoints.call('takeArrivals', id);
  const began = await endpoints.call('behave', id, fault);
  judge.era('mute');
  calls.take(port);
  const breaker = watchBreaker(judge);
  const flood = startRequests(judge, perSecond / 2);
  await sleep(lastsMs);
  flood.pause(true);
  const { opened, closings } = breaker.stop();
  judge.era('changes');
  const ended = await endpoints.call('behave', id);
  const recovered = (await firstPrincipal(judge)) ?? Number.POSITIVE_INFINITY;
  await flood.stop();
  const since = opened ?? began;
  const isWithin = (at: number) => at >= since && at < ended;
  const arrivals = (await endpoints.call('takeArrivals', id)).filter(({ at }) => isWithin(at));
  const isNew = ({ token, at }: Arrival) => (judge.begunAt(token, at) ?? 0) >= since;
  // With `down` no server records arrivals, so the starts of calls count. Such a call fails at
  // once.
  const begun =
    fault === 'down' ? calls.take(port).filter(isWithin) : arrivals.filter(isNew).map(({ at }) => at);
  judge.era('says');
  return {
    fault,
    name: judge.name,
    slowestMs: judge.takeSlowest(),
    opened: opened !== undefined,
    closings,
    lastedMs: ended - since,
    begun: begun.map((at) => at - since),
    late: arrivals.filter((arrival) => !isNew(arrival)).length,
    recoveredMs: Math.max(0, recovered - ended),
  };
}

async function firstPrincipal(judge: Judge): Promise<number | undefined> {
  const limit = performance.now() + MAX_RECOVERY_MS;
  while (judge.firstPrincipal === undefined && performance.now() < limit) await sleep(5);
  return judge.firstPrincipal;
}

/**
 * Records when the breaker first opened (within two milliseconds, by `sharedNow()`) and how often
 * it closed after that.
 */
function watchBreaker({ authenticator }: Judge): {
  stop(): { readonly opened: number | undefined; readonly closings: number };
} {
  let opened: number | undefined;
  let closings = 0;
  let before = authenticator.report().remote?.state;
  const timer = setInterval(() => {
    const state = authenticator.report().remote?.state;
    if (state === 'open') opened ??= sharedNow();
    else if (before === 'open') closings++;
    before = state;
  }, 2);
  return {
    stop() {
      clearInterval(timer);
      return { opened, closings };
    },
  };
}

function startRequests({ present }: Judge, perSecondOfEachKind: number): Load {
  return startLoad(
    [{ call: () => present('valid') }, { call: () => present('forged') }],
    perSecondOfEachKind,
  );
}
