// `pnpm soak adapters [--minutes=5]`: R13 and R15 over HTTP, on each adapter in turn. Ever new good
// tokens with one hostile request in ten, and what the service has done about them.
import { Agent } from 'node:http';
import type { Figure } from '@latchkey/test-kit/figures';
import { changed } from '@latchkey/test-kit/hostile-tokens';
import { startProgress } from '@latchkey/test-kit/progress';
import { type Pick, picker } from '@latchkey/test-kit/random';
import { type RemoteIssuer, startIssuerHost } from '../issuer-handle.ts';
import { minutesOf } from '../minutes.ts';
import { askGood, askHostile } from './ask.ts';
import { type RunningService, startService } from './service.ts';
import { SERVICES } from './services.ts';

/** Tokens that the issuer signs at a time. */
const BATCH = 500;
/** Good requests for each hostile one. */
const GOOD_PER_HOSTILE = 9;
/** The size of the cache, which is full long before the half of the run that counts. */
const KEPT = 1_000;
/** Requests at a time. */
const AT_ONCE = 16;
/** The heap is looked at this many times in the half of the run that counts. */
const LOOKS = 6;
const MIB = 1024 * 1024;
/** R13: what the cache may hold. */
const MOST_HEAP = 32 * MIB;
/** R15 */
const MOST_PAUSE_MS = 50;

/** What was found on one adapter. */
interface Soaked {
  readonly adapter: string;
  good: number;
  hostile: number;
  /** Answers that are wrong, by what was sent and the status. */
  readonly wrong: Map<string, number>;
  /** Calls of handlers that no accepted token explains. */
  handledWrongly: number;
  pauseMs: number;
  faults: number;
  /** The heap, and how many requests came before, at each look. */
  readonly heaps: { readonly requests: number; readonly heap: number }[];
}

/** Runs R13 and R15. Rejects only if a service cannot run. */
export async function adapters(given: readonly string[]): Promise<readonly Figure[]> {
  const minutes = minutesOf(given, 5);
  const progress = startProgress();
  const issuers = startIssuerHost();
  const found: Soaked[] = [];
  try {
    for (const adapter of SERVICES.keys()) {
      progress.phase(`R13, R15 ${adapter}`);
      const issuer = await issuers.create({ cacheControl: 'max-age=60' });
      const service = await startService(adapter, {
        keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
        audience: issuer.audience,
        cache: { tokens: KEPT },
      });
      const endsAt = performance.now() + (minutes * 60_000) / SERVICES.size;
      const soaked = await soak({ adapter, issuer, service, endsAt });
      await service.stop();
      await issuer.close();
      progress.note(`${adapter}: ${soaked.good} good, ${soaked.hostile} hostile, ${textOf(soaked.wrong)}`);
      found.push(soaked);
    }
  } finally {
    progress.stop();
    await issuers.close();
  }
  return found.flatMap((soaked) => [memoryOf(soaked, minutes), corpusOf(soaked)]);
}

interface Stage {
  readonly adapter: string;
  readonly issuer: RemoteIssuer;
  readonly service: RunningService;
  readonly endsAt: number;
}

async function soak({ adapter, issuer, service, endsAt }: Stage): Promise<Soaked> {
  const soaked: Soaked = {
    adapter,
    good: 0,
    hostile: 0,
    wrong: new Map(),
    handledWrongly: 0,
    pauseMs: 0,
    faults: 0,
    heaps: [],
  };
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const pick = picker([...SERVICES.keys()].indexOf(adapter) + 1);
  const round = async () => askAll(await issuer.mint(BATCH), { agent, port: service.port, pick, soaked });
  // The code of a service is compiled while it answers its first requests.
  await round();
  await service.vitals();
  const lookEveryMs = (endsAt - performance.now()) / (2 * LOOKS);
  for (let look = 0; look < 2 * LOOKS; look++) {
    const until = endsAt - (2 * LOOKS - 1 - look) * lookEveryMs;
    let accepted = 0;
    do accepted += await round();
    while (performance.now() < until);
    const { handled, pauseMs, heap, faults } = await service.vitals();
    soaked.handledWrongly += Math.abs(handled - accepted);
    soaked.pauseMs = Math.max(soaked.pauseMs, pauseMs);
    soaked.faults += faults.length;
    soaked.heaps.push({ requests: soaked.good + soaked.hostile, heap });
  }
  agent.destroy();
  return soaked;
}

interface Sending {
  readonly agent: Agent;
  readonly port: number;
  readonly pick: Pick;
  readonly soaked: Soaked;
}

/** Sends each token once, and hostile ones between them. @returns the accepted ones */
async function askAll(tokens: readonly string[], sending: Sending): Promise<number> {
  let next = 0;
  let accepted = 0;
  const worker = async () => {
    for (let at = next++; at < tokens.length; at = next++)
      if (await askOne(tokens[at] ?? '', at, sending)) accepted++;
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return accepted;
}

/** @returns true if the good token was accepted */
async function askOne(token: string, at: number, { agent, port, pick, soaked }: Sending): Promise<boolean> {
  const note = (what: string) => soaked.wrong.set(what, (soaked.wrong.get(what) ?? 0) + 1);
  if (at % GOOD_PER_HOSTILE === 0) {
    soaked.hostile++;
    // Node answers a broken head with 400, or closes the connection, which is 0 here.
    const status = await askHostile(port, hostileOf(token, pick));
    if (![0, 400, 401, 431].includes(status)) note(`hostile answered with ${status}`);
  }
  soaked.good++;
  const status = await askGood(agent, port, token).catch(() => 0);
  if (status !== 200) note(`good answered with ${status}`);
  return status === 200;
}

/** Changes a token until it is another one, also to a server that reads it from a header. */
function hostileOf(token: string, pick: Pick): string {
  for (;;) {
    const other = changed(token, pick);
    // Spaces around it are not part of a header's value, and a line break ends the value.
    if (other.split(/[\r\n]/)[0]?.trim() !== token) return other;
  }
}

function textOf(wrong: ReadonlyMap<string, number>): string {
  return wrong.size === 0 ? '0 wrong' : [...wrong].map(([what, count]) => `${count} ${what}`).join(', ');
}

/** R13: the heap of the second half, and how it grows with requests. */
function memoryOf({ adapter, heaps }: Soaked, minutes: number): Figure {
  const half = heaps.slice(LOOKS);
  const [first, last] = [half[0], half.at(-1)];
  const [baseline] = heaps;
  if (first === undefined || last === undefined || baseline === undefined)
    throw new Error('nothing measured');
  const grown = last.heap - baseline.heap;
  const slope = slopeOf(half);
  return {
    id: 'R13',
    goal: 'memory',
    figure: `${adapter}: heap <= first look + 32 MiB, slope of the second half < 1 B per request`,
    measured: `${(grown / MIB).toFixed(1)} MiB more after ${last.requests} requests in ${(minutes / SERVICES.size).toFixed(1)} min; ${slope.toFixed(2)} B per request in the second half`,
    met: grown <= MOST_HEAP && slope < 1,
  };
}

/** The slope of the line through the looks that has the least squares, in bytes per request. */
function slopeOf(looks: Soaked['heaps']): number {
  const mean = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;
  const at = mean(looks.map(({ requests }) => requests));
  const of = mean(looks.map(({ heap }) => heap));
  const both = looks.reduce((sum, { requests, heap }) => sum + (requests - at) * (heap - of), 0);
  return both / looks.reduce((sum, { requests }) => sum + (requests - at) ** 2, 0);
}

/** R15: what became of the hostile requests. */
function corpusOf({ adapter, good, hostile, wrong, handledWrongly, pauseMs, faults }: Soaked): Figure {
  return {
    id: 'R15',
    goal: 'hostile',
    figure: `${adapter}: none accepted, no 5xx, nothing unhandled, no handler called; pause <= ${MOST_PAUSE_MS} ms`,
    measured: `${hostile} mutated tokens among ${good} good ones: ${textOf(wrong)}, ${handledWrongly} calls of handlers without a good token, ${faults} unhandled; longest pause ${pauseMs.toFixed(0)} ms`,
    met: wrong.size === 0 && handledWrongly === 0 && faults === 0 && pauseMs <= MOST_PAUSE_MS,
  };
}
