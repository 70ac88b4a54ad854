// The state of a process: R9 after a cold start under load, R19 after failures, idle time and
// closing.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Authenticator } from '@latchkey/core';
import { duration, type Figure } from '@latchkey/test-kit/figures';
import { codeOf } from '@latchkey/test-kit/load';
import type { RemoteIssuer } from '../issuer-handle.ts';
import { authenticatorOf, inTurn, type Stage, watchAttempts } from './subject.ts';

/** R9: ten thousand requests before the first key is loaded. */
export async function herd({ issuers }: Stage): Promise<readonly Figure[]> {
  const issuer = await issuers.create();
  const token = inTurn(await issuer.mint(100));
  const authenticator = authenticatorOf(issuer, {
    keySets: [{ issuer: issuer.issuer, useOidcDiscovery: true, allowHttp: true }],
  });
  const began = performance.now();
  const codes = await Promise.all(
    Array.from({ length: 10_000 }, () => authenticator.verify(token()).then(() => 'ok', codeOf)),
  );
  const tookMs = performance.now() - began;
  const { metadata, jwks } = await issuer.counts();
  await authenticator.close();
  const failed = codes.filter((code) => code !== 'ok').length;
  return [
    {
      id: 'R9',
      goal: 'thundering herd',
      figure: '10 000 concurrent cold requests: 1 discovery and 1 JWKS fetch',
      measured: `${metadata} discovery and ${jwks} JWKS fetches for ${codes.length} concurrent verifies, ${failed} failed, all answered within ${duration(tookMs)}`,
      met: metadata === 1 && jwks === 1 && failed === 0,
    },
  ];
}

/** R19: sockets, timers and rejections that are left after failures, closing and idle time. */
export async function hygiene({ issuers, unhandledRejections }: Stage): Promise<readonly Figure[]> {
  const healthy = await issuers.create();
  const failing = await issuers.create();
  const refusing = await issuers.create();
  await failing.fail({ kind: 'status', status: 500 });
  await refusing.close();
  await sleep(300);
  const socketsBefore = openSockets();
  const idle = idleProcess(healthy);

  const failures = [failing, refusing].map(({ issuer }) => watchAttempts(issuer));
  const authenticators: Authenticator[] = [];
  let rejected = 0;
  for (let batch = 0; batch < 10; batch++) {
    const some = Array.from({ length: 100 }, (_, index) =>
      authenticatorOf(index % 2 === 0 ? failing : refusing),
    );
    const outcomes = await Promise.allSettled(some.map((authenticator) => authenticator.ready()));
    rejected += outcomes.filter(({ status }) => status === 'rejected').length;
    authenticators.push(...some);
  }
  // Each authenticator retries once after a second, without a waiting request.
  await sleep(1_300);
  const closings = await Promise.all(authenticators.map((authenticator) => timeOf(authenticator.close())));
  const attempts = failures.flatMap((watch) => watch.attempts).length;
  for (const watch of failures) watch.stop();
  closings.push(...(await closeWhileFetching(failing)));

  // Retries that survived close() would come 2 s after the failures.
  const watches = [failing, refusing].map(({ issuer }) => watchAttempts(issuer));
  await sleep(2_500);
  const late = watches.flatMap(({ attempts }) => attempts).length;
  for (const watch of watches) watch.stop();
  const idleMs = await idle;
  const leaked = openSockets() - socketsBefore;
  const slowestMs = Math.max(...closings);
  return [
    {
      id: 'R19',
      goal: 'process hygiene',
      figure: '1 000 failed refreshes: 0 unhandledRejection, idle process exits, close() <= 1 s, 0 leaked',
      measured: `${attempts} failed refreshes: ${rejected} first loads and their retries, of as many authenticators (half status 500, half refused connections); ${unhandledRejections()} unhandledRejection in the whole run; ${leaked} sockets more than before, ${late} attempts after close(); slowest of ${closings.length} close() ${duration(slowestMs)} (20 of them while a fetch hung); a process that had verified once ${idleMs === undefined ? 'did NOT end within 15 s' : `ended by itself after ${duration(idleMs)}`}`,
      met:
        rejected === 1_000 &&
        attempts >= 2 * rejected &&
        unhandledRejections() === 0 &&
        leaked <= 0 &&
        late === 0 &&
        slowestMs <= 1_000 &&
        idleMs !== undefined,
    },
  ];
}

async function closeWhileFetching(issuer: RemoteIssuer): Promise<readonly number[]> {
  await issuer.fail({ kind: 'hang' });
  const authenticators = Array.from({ length: 20 }, () => authenticatorOf(issuer));
  const loads = Promise.allSettled(authenticators.map((authenticator) => authenticator.ready()));
  await sleep(200);
  const closings = await Promise.all(authenticators.map((authenticator) => timeOf(authenticator.close())));
  await loads;
  return closings;
}

/**
 * Runs the idle process.
 * @returns milliseconds from its verification to its end; undefined if it had to be killed
 */
async function idleProcess(issuer: RemoteIssuer): Promise<number | undefined> {
  const [token = ''] = await issuer.mint(1);
  const main = fileURLToPath(import.meta.resolve('../idle-process.ts'));
  const child: ChildProcess = spawn(
    process.execPath,
    [...process.execArgv, main, issuer.issuer, issuer.jwksUrl, issuer.audience, token],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let verifiedAt: number | undefined;
  child.stdout?.on('data', () => {
    verifiedAt ??= performance.now();
  });
  const killer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  const [exitCode] = await once(child, 'exit');
  clearTimeout(killer);
  if (exitCode === null) return undefined;
  if (exitCode !== 0 || verifiedAt === undefined) throw new Error(`the idle process failed: ${exitCode}`);
  return performance.now() - verifiedAt;
}

async function timeOf(work: Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work;
  return performance.now() - began;
}

/**
 * The number of open sockets of this process, including those that do not keep it alive. Only on
 * Linux; elsewhere 0.
 */
function openSockets(): number {
  if (process.platform !== 'linux') return 0;
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:');
    } catch {
      // The file descriptor of the listing itself is already closed.
      return false;
    }
  }).length;
}
