// `pnpm soak redis`: R24. Redis is killed and started again and again, under two services that keep
// used proofs and revocations in it. `pnpm soak redis quick` kills it three times, and
// `pnpm soak redis 50 300` makes 300 calls per second, for a machine that cannot make more. Redis
// writes each command to its disk before it answers (appendfsync always), so that it loses nothing.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { duration, type Figure } from '@latchkey/test-kit/figures';
import { median } from '@latchkey/test-kit/load';
import { type Progress, startProgress } from '@latchkey/test-kit/progress';
import { hasRedis, hasValkey, type RedisServer, startRedis } from '@latchkey/test-kit/redis';
import { type Command, PUBLIC_URL } from './caller-process.ts';
import type { Result } from './reckoning.ts';
import type { ServiceOptions } from './service-process.ts';

/** Calls per second. */
const RATE = 2_000;
const MAX_STALE_MS = 2_000;
const RECOVERY_MS = 2_000;

/** Runs R24, in about four minutes. Rejects only if the scenario cannot run. */
export async function redis(given: readonly string[] = []): Promise<readonly Figure[]> {
  const [size = '50', perSecond = RATE] = given;
  const [kills, rate] = size === 'quick' ? [3, 200] : [Number(size), Number(perSecond)];
  const programs = [
    ...(hasRedis ? ['redis-server' as const] : []),
    ...(hasValkey ? ['valkey-server' as const] : []),
  ];
  if (programs.length === 0) throw new Error('redis-server and valkey-server are missing');
  const progress = startProgress();
  const figures: Figure[] = [];
  try {
    for (const program of programs) {
      const server = await startRedis({ program, config: ['appendonly yes', 'appendfsync always'] });
      try {
        figures.push(...(await chaos(server, { program, kills, rate }, progress)));
      } finally {
        await server.close();
      }
    }
    return figures;
  } finally {
    progress.stop();
  }
}

type Measured = Result & { readonly perSecond: number; readonly failed: number; readonly total: number };

interface Size {
  readonly program: string;
  readonly kills: number;
  readonly rate: number;
}

async function chaos(server: RedisServer, size: Size, progress: Progress): Promise<readonly Figure[]> {
  const { program, kills, rate } = size;
  progress.phase(`R24 ${program}: two services`);
  const caller = start('./caller-process.ts');
  const issuer = (await answerOf(caller)) as Pick<ServiceOptions, 'issuer' | 'audience'>;
  const options: ServiceOptions = {
    ...issuer,
    redisUrl: server.url,
    publicUrl: PUBLIC_URL,
    maxStaleMs: MAX_STALE_MS,
  };
  const services = [start('./service-process.ts', options), start('./service-process.ts', options)];
  const crashed: string[] = [];
  const ports = await Promise.all(services.map(answerOf));
  for (const [at, service] of services.entries())
    service.on('exit', (code, signal) => crashed.push(`service ${at} by ${signal ?? code}`));
  const tell = (command: Command) => caller.send(command);
  tell({ op: 'begin', redisUrl: server.url, ports: ports as number[], rate, maxStaleMs: MAX_STALE_MS });
  await answerOf(caller);
  // The load warms up first.
  await sleep(3_000);
  const downs: number[] = [];
  for (let kill = 1; kill <= kills; kill++) {
    progress.phase(`R24 ${program}: kill ${kill} of ${kills}`);
    tell({ op: 'killing' });
    const beganMs = Date.now();
    await server.kill();
    await sleep(Math.random() * 1_000);
    await server.start();
    const atMs = Date.now();
    tell({ op: 'ready', atMs });
    downs.push(atMs - beganMs);
    await sleep(RECOVERY_MS + 500 + Math.random() * 500);
  }
  tell({ op: 'end' });
  const measured = (await answerOf(caller)) as Measured;
  const isUp = crashed.length === 0;
  for (const child of [...services, caller]) {
    const exited = once(child, 'exit');
    child.disconnect();
    await exited;
  }
  return figuresOf(size, measured, { downs, crashes: isUp ? [] : crashed });
}

function figuresOf(
  { program, kills, rate }: Size,
  measured: Measured,
  { downs, crashes }: { readonly downs: readonly number[]; readonly crashes: readonly string[] },
): readonly Figure[] {
  const { statuses, replays, acceptedReplays, revoked, acceptedRevoked, recoveries, late } = measured;
  const others = Object.entries(statuses).filter(([status]) => status !== '200' && status !== '503');
  const listed = Object.entries(statuses)
    .map(([status, count]) => `${count} of ${status}`)
    .join(', ');
  const slowest = Math.max(...recoveries);
  const meanDown = downs.reduce((sum, ms) => sum + ms, 0) / downs.length;
  const goal = `${program} killed ${kills} times`;
  return [
    {
      id: 'R24',
      goal,
      figure: 'no used proof is accepted again, of two services on one Redis',
      measured: `${acceptedReplays} of ${replays}, at ${measured.perSecond.toFixed(0)} of ${rate} calls/s; down for ${duration(meanDown)} on average`,
      met: acceptedReplays === 0 && replays > 0,
    },
    {
      id: 'R24',
      goal,
      figure: `no revoked token is accepted later than maxStale (${duration(MAX_STALE_MS)})`,
      measured: `${acceptedRevoked} of ${revoked} requests, with ${measured.revocations} revoked tokens`,
      met: acceptedRevoked === 0 && revoked > 0,
    },
    {
      id: 'R24',
      goal,
      figure: 'valid requests get 200, or 503 in an outage; no service crashes',
      measured: `${listed}; ${measured.failed} without an answer; ${crashes.length === 0 ? 'no crash' : crashes.join(', ')}`,
      met: others.length === 0 && measured.failed === 0 && crashes.length === 0 && (statuses['200'] ?? 0) > 0,
    },
    {
      id: 'R24',
      goal,
      figure: `both services work again within ${duration(RECOVERY_MS)} of Redis being ready`,
      measured: `${recoveries.length} of ${kills * 2} recoveries, after ${duration(median(recoveries))} (median) and ${duration(slowest)} (slowest); ${late} later 503s`,
      met: recoveries.length === kills * 2 && slowest <= RECOVERY_MS && late === 0,
    },
  ];
}

function start(file: string, options?: ServiceOptions): ChildProcess {
  const given = options === undefined ? [] : [JSON.stringify(options)];
  const execArgv = [
    '--conditions=source',
    '--disable-warning=LATCHKEY_UNAVAILABLE',
    '--disable-warning=LATCHKEY_RECOVERED',
  ];
  return fork(fileURLToPath(import.meta.resolve(file)), given, { execArgv });
}

async function answerOf(child: ChildProcess): Promise<unknown> {
  const ended = once(child, 'exit').then(() => {
    throw new Error('a process of the run has ended');
  });
  const [answer] = await Promise.race([once(child, 'message'), ended]);
  return answer;
}
