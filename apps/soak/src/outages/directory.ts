// R18: a directory is killed and started a hundred times under load, and then gets lookups of
// injection strings. The lookups are in askers.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import { isAuthError } from '@latchkey/core';
import { INJECTIONS, ODD } from '@latchkey/test-kit/directory';
import { duration, type Figure } from '@latchkey/test-kit/figures';
import { median, startLoad } from '@latchkey/test-kit/load';
import type { Progress } from '@latchkey/test-kit/progress';
import { type Asker, type Askers, createAskers, type Find } from './askers.ts';
import { type Companion, startCompanion } from './companion.ts';
import type { DirectoryMoves } from './directory-process.ts';
import type { Vitals } from './vitals.ts';

const KILLS = 100;
/**
 * Every 20th time the directory stays down for LONG_MS, until the service and the resolver wait as
 * long between attempts as they ever do.
 */
const LONG_EVERY = 20;
const LONG_MS = 2_500;
/** The range of the time that it is up before the next kill, in milliseconds. */
const UP_MS = [50, 300] as const;
const SERVICE_PER_SECOND = 200;
const RESOLVER_PER_SECOND = 50;
const MAX_RECOVERY_MS = 2_000;
const GIVE_UP_MS = 10_000;

/** The times from accepted connections to the first right groups, for each kill. */
interface Recoveries {
  readonly service: number[];
  readonly resolver: number[];
}

/** Runs for about two minutes. */
export async function directoryOutages(progress: Progress, vitals: Vitals): Promise<readonly Figure[]> {
  const directory = startCompanion<DirectoryMoves>('directory-process.ts');
  try {
    const askers = await createAskers(await directory.call('create'));
    try {
      const killed = await kills(directory, askers, progress, vitals);
      progress.phase('R18 injections');
      return [...killed, await injections(askers)];
    } finally {
      await askers.close();
    }
  } finally {
    await directory.stop();
  }
}

async function kills(
  directory: Companion<DirectoryMoves>,
  { service, resolver }: Askers,
  progress: Progress,
  vitals: Vitals,
): Promise<readonly Figure[]> {
  const recoveries: Recoveries = { service: [], resolver: [] };
  const uncaughtBefore = vitals.uncaught;
  const began = performance.now();
  const loads = [
    startLoad([{ call: service.ask }], SERVICE_PER_SECOND),
    startLoad([{ call: resolver.ask }], RESOLVER_PER_SECOND),
  ];
  await sleep(1_000);
  for (let kill = 1; kill <= KILLS; kill++) {
    await sleep(UP_MS[0] + Math.random() * (UP_MS[1] - UP_MS[0]));
    await directory.call('kill');
    const next = [service.nextRight(), resolver.nextRight()] as const;
    if (kill % LONG_EVERY === 0) await sleep(LONG_MS);
    const up = await directory.call('start');
    const [byService, byResolver] = await Promise.all(next.map((right) => recovered(right, up)));
    recoveries.service.push(byService ?? Number.NaN);
    recoveries.resolver.push(byResolver ?? Number.NaN);
    if (kill % 10 === 0) progress.note(`R18: killed ${kill} times`);
  }
  const lastedMs = performance.now() - began;
  for (const load of loads) await load.stop();
  const both = [service, resolver];
  return [
    survival(both, vitals.uncaught - uncaughtBefore, lastedMs),
    correctness(both),
    recovery(recoveries),
  ];
}

async function recovered(right: { readonly at: number | undefined }, up: number): Promise<number> {
  const limit = performance.now() + GIVE_UP_MS;
  while (right.at === undefined && performance.now() < limit) await sleep(2);
  return right.at === undefined ? Number.POSITIVE_INFINITY : Math.max(0, right.at - up);
}

function survival(askers: readonly Asker[], uncaught: number, lastedMs: number): Figure {
  const odd = askers.flatMap(({ answers }) => answers.odd);
  return {
    id: 'R18',
    goal: 'LDAP: the process',
    figure: 'server killed 100 x: 0 crashes, 0 unhandled rejections',
    measured: `${uncaught} uncaught errors and unhandled rejections, ${odd.length} errors other than groups_unavailable${odd.length === 0 ? '' : ` (${odd.slice(0, 3).join('; ')})`}; a real slapd over ldaps, SIGKILL ${KILLS} times in ${duration(lastedMs)}, started again at once, every ${LONG_EVERY}th time after ${duration(LONG_MS)}`,
    met: uncaught === 0 && odd.length === 0,
  };
}

function correctness(askers: readonly Asker[]): Figure {
  const wrong = askers.flatMap(({ answers }) => answers.wrong);
  return {
    id: 'R18',
    goal: 'LDAP: groups',
    figure: '0 wrong groups: each answer exactly right, or groups_unavailable',
    measured: `${wrong.length} wrong${wrong.length === 0 ? '' : ` (${wrong.slice(0, 3).join('; ')})`}; ${askers.map(({ name, answers: { right, unavailable, slowestMs } }) => `${name}: ${right} right, ${unavailable} unavailable, slowest ${duration(slowestMs)}`).join('; ')}; 50 subjects in none to 34 groups, nested and in pages, and 10 unknown subjects; ${SERVICE_PER_SECOND}/s through authenticate() with cacheFor 0s, ${RESOLVER_PER_SECOND}/s at a second resolver`,
    met: wrong.length === 0 && askers.every(({ answers }) => answers.right > 0 && answers.unavailable > 0),
  };
}

function recovery({ service, resolver }: Recoveries): Figure {
  const text = (times: readonly number[]) =>
    `median ${duration(median(times))}, max ${duration(Math.max(...times))}`;
  const slow = [...service, ...resolver].filter((ms) => !(ms <= MAX_RECOVERY_MS)).length;
  const isLong = (_: number, index: number) => (index + 1) % LONG_EVERY === 0;
  return {
    id: 'R18',
    goal: 'LDAP: recovery',
    figure: '<= 2 s from accepted connections to right groups, each time',
    measured: `service: ${text(service)} (after long outages: ${text(service.filter(isLong))}); resolver alone: ${text(resolver)} (${text(resolver.filter(isLong))}); ${slow} of ${service.length + resolver.length} slower than ${duration(MAX_RECOVERY_MS)}`,
    met: slow === 0,
  };
}

async function injections({ service, resolver }: Askers): Promise<Figure> {
  const results: {
    readonly name: string;
    readonly hits: number;
    readonly unsaid: number;
    readonly found: number;
    readonly people: number;
  }[] = [];
  for (const { name, find } of [service, resolver]) {
    const outcomes: string[] = [];
    for (const subject of INJECTIONS) outcomes.push(await outcomeOf(find, subject));
    // Checks that real people are found, because a directory that finds no people would pass the
    // first check.
    const own: boolean[] = [];
    for (const [index, subject] of ODD.entries()) {
      // Core refuses a subject with control characters before it asks the directory.
      if (!/\p{Cc}/u.test(subject)) own.push((await outcomeOf(find, subject)) === `odd-${index}`);
    }
    results.push({
      name,
      hits: outcomes.filter((outcome) => outcome !== UNKNOWN && outcome !== UNSAID).length,
      unsaid: outcomes.filter((outcome) => outcome === UNSAID).length,
      found: own.filter((is) => is).length,
      people: own.length,
    });
  }
  return {
    id: 'R18',
    goal: 'LDAP: injection',
    figure: '0 hits from the injection list',
    measured: results
      .map(
        ({ name, hits, unsaid, found, people }) =>
          `${name}: ${hits} hits and ${unsaid} errors for ${INJECTIONS.length} subjects, and ${found} of ${people} people with odd names found, with exactly their own group`,
      )
      .join('; '),
    met: results.every(({ hits, unsaid, found, people }) => hits === 0 && unsaid === 0 && found === people),
  };
}

const UNKNOWN = 'unknown';
const UNSAID = 'unsaid';

async function outcomeOf(find: Find, subject: string): Promise<string> {
  try {
    return (await find(subject))?.join() ?? UNKNOWN;
  } catch (error) {
    // A token that is too long, or that is not a text, is refused before the lookup.
    return isAuthError(error) && error.status === 401 ? UNKNOWN : UNSAID;
  }
}
