// `pnpm soak descriptor`: R20. A service follows its descriptor under load. The descriptor gets a
// hundred valid changes and then invalid ones. The service is in service-process.ts.
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { duration, type Figure } from '@latchkey/test-kit/figures';
import { createSamples, failedText, type Samples, startLoad } from '@latchkey/test-kit/load';
import { type Progress, startProgress } from '@latchkey/test-kit/progress';
import { generateSigningKey, mint } from '@latchkey/testing';
import { startIssuerHost } from '../issuer-handle.ts';
import { Refused, type Service, startService } from './service.ts';
import { descriptorOf, invalidTexts, ROUTE, type Trusted, until, versionName } from './terms.ts';

const RATE = 1_000;
const RELOADS = 100;
/** Each kind of invalid text is used twice. */
const ROUNDS_OF_BAD = 2;
const QUIET_MS = 8_000;
/**
 * The most time until a change is applied or refused. The service reads a file 100 ms after its
 * last change, and a source that cannot be reached has 5 s to answer.
 */
const NOTICED_MS = 15_000;
const TOKENS = 100;

/** The input of a scenario. */
interface Stage {
  readonly service: Service;
  readonly trusted: Trusted;
  readonly progress: Progress;
  token(): string;
  /** Replaces the descriptor by a text, atomically. */
  put(text: string): Promise<void>;
}

/** Runs R20, in about a minute. Rejects only if the scenario cannot run. */
export async function descriptor(): Promise<readonly Figure[]> {
  const progress = startProgress();
  const issuers = startIssuerHost();
  const directory = await mkdtemp(join(tmpdir(), 'latchkey-soak-'));
  const file = join(directory, 'service.yaml');
  try {
    const [remote, key] = await Promise.all([issuers.create(), generateSigningKey('ES256', 'inline')]);
    const trusted: Trusted = { remote, inline: { issuer: 'urn:inline', keys: [key.publicJwk] } };
    const put = async (text: string) => {
      await writeFile(`${file}.next`, text);
      await rename(`${file}.next`, file);
    };
    await put(descriptorOf(trusted, 0));
    const service = await startService(file);
    try {
      const exp = Math.floor(Date.now() / 1000) + 600;
      const claims = { iss: 'urn:inline', aud: remote.audience, sub: 'alice', exp };
      const tokens = [
        ...(await remote.mint(TOKENS)),
        ...(await Promise.all(
          Array.from({ length: TOKENS }, (_, index) => mint(key, { ...claims, jti: `${index}` })),
        )),
      ];
      let next = 0;
      const token = () => tokens[next++ % tokens.length] ?? '';
      const stage: Stage = { service, trusted, progress, token, put };
      progress.phase('R20 warm-up, and the load without a change');
      const quietMs = await quiet(stage);
      progress.phase(`R20 ${RELOADS} reloads under load`);
      const reloads = await reloading(stage, quietMs);
      progress.phase('R20 invalid descriptors under load');
      return [reloads, await refusing(stage)];
    } finally {
      await service.stop();
    }
  } finally {
    progress.stop();
    await issuers.close();
    await rm(directory, { recursive: true });
  }
}

function load({ service, token }: Stage, times: Samples) {
  return startLoad([{ call: () => service.get(`/${ROUTE}`, token()), times }], RATE);
}

/** The 99th percentile without changes of the descriptor. */
async function quiet(stage: Stage): Promise<number> {
  const times = createSamples(QUIET_MS * 2);
  const running = load(stage, times);
  await sleep(QUIET_MS / 2);
  times.take(0);
  await sleep(QUIET_MS / 2);
  await running.stop();
  return times.take(0.99);
}

async function reloading(stage: Stage, quietMs: number): Promise<Figure> {
  const { service, trusted, progress, put } = stage;
  const times = createSamples(200_000);
  const applying: number[] = [];
  const running = load(stage, times);
  const began = performance.now();
  let inForce = 0;
  for (let version = 1; version <= RELOADS; version++) {
    const before = service.counts.applied;
    const at = performance.now();
    await put(descriptorOf(trusted, version));
    if (!(await until(() => service.counts.applied > before, NOTICED_MS))) break;
    applying.push(performance.now() - at);
    if ((await realmOf(service)) === versionName(version)) inForce++;
    if (version % 25 === 0) progress.note(`${version} applied`);
    await sleep(100);
  }
  const seconds = (performance.now() - began) / 1000;
  const { tally, perSecond } = await running.stop();
  const { broke } = service.counts;
  return {
    id: 'R20',
    goal: 'reload',
    figure: '100 config reloads at 1 000 req/s: 0 failed valid requests',
    measured: `${failedText(tally)} over HTTP through Express, at ${perSecond.toFixed(0)} req/s for ${seconds.toFixed(0)} s; ${applying.length} reloads applied one by one, ${inForce} active right after that, the slowest ${duration(Math.max(...applying))} after the file changed; p99 ${duration(times.take(0.99))}, without reloads ${duration(quietMs)}; half of the tokens are signed by keys that each version has to fetch; ${broke.length} unhandled`,
    met:
      tally.failed === 0 &&
      applying.length === RELOADS &&
      inForce === RELOADS &&
      // A lower rate would be another test.
      perSecond >= RATE * 0.98 &&
      broke.length === 0,
  };
}

async function refusing(stage: Stage): Promise<Figure> {
  const { service, trusted, put } = stage;
  const texts = Array.from({ length: ROUNDS_OF_BAD }, () => invalidTexts(trusted)).flat();
  const { applied } = service.counts;
  const running = load(stage, createSamples(0));
  let refused = 0;
  let kept = 0;
  for (const text of texts) {
    const before = service.counts.refused;
    await put(text);
    if (await until(() => service.counts.refused > before, NOTICED_MS)) refused++;
    if ((await realmOf(service)) === versionName(RELOADS)) kept++;
  }
  const appliedMeanwhile = service.counts.applied - applied;
  await put(descriptorOf(trusted, RELOADS + 1));
  const recovered = await until(() => service.counts.applied > applied + appliedMeanwhile, NOTICED_MS);
  const inForce = (await realmOf(service)) === versionName(RELOADS + 1);
  const { tally, perSecond } = await running.stop();
  return {
    id: 'R20',
    goal: 'invalid config',
    figure: 'leaves the old one running',
    measured: `${refused} of ${texts.length} invalid descriptors refused with an event, ${appliedMeanwhile} applied, the old one active after ${kept} of them; ${failedText(tally)} meanwhile at ${perSecond.toFixed(0)} req/s; a valid one after them is ${recovered && inForce ? 'applied' : 'NOT applied'}`,
    met:
      refused === texts.length &&
      kept === texts.length &&
      appliedMeanwhile === 0 &&
      tally.failed === 0 &&
      recovered &&
      inForce &&
      service.counts.broke.length === 0,
  };
}

/** The active version, from the realm of a challenge; undefined without a challenge. */
async function realmOf({ get }: Service): Promise<string | undefined> {
  try {
    await get(`/${ROUTE}`, 'no.good.token');
    return undefined;
  } catch (error) {
    return error instanceof Refused ? /realm="([^"]*)"/.exec(error.challenge)?.[1] : undefined;
  }
}
