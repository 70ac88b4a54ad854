// Issuers with bad answers: a slow one (R10), answers that are too large (R11), one that hangs
// (R12).
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createAuthenticator } from '@latchkey/core';
import { duration, type Figure } from '@latchkey/test-kit/figures';
import { codeOf, startLoad } from '@latchkey/test-kit/load';
import type { Fault } from '@latchkey/testing';
import type { Growth } from '../huge-process.ts';
import type { RemoteIssuer } from '../issuer-handle.ts';
import { type Contestant, ratioText } from './comparison.ts';
import { authenticatorOf, inTurn, keysetOf, type Stage, watchAttempts, withRandomKids } from './subject.ts';

const MIB = 1024 * 1024;

/** R10: every attempt gets one byte per second. */
export async function drip({ issuers }: Stage): Promise<Contestant> {
  const issuer = await issuers.create();
  const authenticator = authenticatorOf(issuer);
  const tokens = await issuer.mint(200);
  const token = inTurn(tokens);
  await authenticator.ready();
  const watch = watchAttempts(issuer.issuer);
  let began = 0;
  return {
    call: () => authenticator.verify(token()),
    async begin() {
      await issuer.fail({ kind: 'drip', intervalMs: 1_000 });
      began = performance.now();
      authenticator.verify(withRandomKids(tokens[0] ?? '')()).catch(codeOf);
    },
    async finish(compared) {
      watch.stop();
      await authenticator.close();
      let startedAt = began;
      const lengths = watch.attempts.map(({ endedAt, retryInMs = 0 }) => {
        const ms = endedAt - startedAt;
        startedAt = endedAt + retryInMs;
        return ms;
      });
      const longestMs = Math.max(...lengths);
      return [
        {
          id: 'R10',
          goal: 'slow JWKS',
          figure: '1 B/s drip aborted <= 5.2 s; cached-key p99 <= 1.1 x',
          measured: `${lengths.length} attempts aborted, the longest after ${duration(longestMs)}; ${compared.failed} of ${compared.calls} failed; ${ratioText(compared)}; ${compared.perSecond.toFixed(0)} verifies/s`,
          met: lengths.length > 0 && longestMs <= 5_200 && compared.failed === 0 && compared.ratio <= 1.1,
        },
      ];
    },
  };
}

/** R12: another keyset of the same authenticator hangs and still gets tokens. */
export async function isolation({ issuers }: Stage, healthy: RemoteIssuer): Promise<Contestant> {
  const hanging = await issuers.create();
  const hopeless = inTurn(await hanging.mint(50));
  await hanging.fail({ kind: 'hang' });
  const authenticator = createAuthenticator({
    keySets: [keysetOf(hanging), keysetOf(healthy)],
    audience: healthy.audience,
  });
  const token = inTurn(await healthy.mint(200));
  await authenticator.verify(token());
  let load: ReturnType<typeof startLoad> | undefined;
  return {
    call: () => authenticator.verify(token()),
    async begin() {
      load = startLoad([{ call: () => authenticator.verify(hopeless()) }], 50);
    },
    async finish(compared) {
      const hanging = await load?.stop();
      await authenticator.close();
      return [
        {
          id: 'R12',
          goal: 'isolation',
          figure: 'issuer A hanging: issuer B p99 <= 1.05 x, 0 failures',
          measured: `${compared.failed} of ${compared.calls} failed; ${ratioText(compared)}; ${compared.perSecond.toFixed(0)} verifies/s for B, ${hanging?.perSecond.toFixed(0)}/s for A in the same authenticator (${hanging?.tally.failures})`,
          met: compared.failed === 0 && compared.ratio <= 1.05,
        },
      ];
    },
  };
}

/**
 * R11: three answers that are too large. Each is read by its own process, so that its memory can be
 * measured.
 */
export async function hugeAnswers({ issuers }: Stage): Promise<readonly Figure[]> {
  const faults: readonly (readonly [name: string, fault: Fault])[] = [
    ['endless', { kind: 'endless' }],
    ['gzip bomb of 256 MiB', { kind: 'gzip-bomb', bytes: 256 * MIB }],
    ['JWK Set of 16 MiB', { kind: 'body', body: `{"keys":[],"x":"${'x'.repeat(16 * MIB)}"}` }],
  ];
  const growths: { readonly name: string; readonly growth: Growth }[] = [];
  for (const [name, fault] of faults)
    growths.push({ name, growth: await meet(await issuers.create(), fault) });
  return [
    {
      id: 'R11',
      goal: 'huge JWKS',
      figure: 'aborted at 512 KiB decoded; RSS <= +20 MB; old keys kept',
      measured: `${growths
        .map(
          ({ name, growth: { rssMiB, failedAttempts, oldKeysKept } }) =>
            `${name}: RSS +${rssMiB.toFixed(1)} MiB at most over ${failedAttempts} failed attempts, old keys ${oldKeysKept ? 'kept' : 'LOST'}`,
        )
        .join('; ')}; each in its own process, RSS read every 2 ms`,
      met: growths.every(
        ({ growth: { rssMiB, failedAttempts, oldKeysKept } }) =>
          rssMiB <= 20 && failedAttempts >= 2 && oldKeysKept,
      ),
    },
  ];
}

async function meet(issuer: RemoteIssuer, fault: Fault): Promise<Growth> {
  const [token = ''] = await issuer.mint(1);
  const child = fork(fileURLToPath(import.meta.resolve('../huge-process.ts')), [
    issuer.issuer,
    issuer.jwksUrl,
    issuer.audience,
    token,
    withRandomKids(token)(),
  ]);
  const broken = once(child, 'exit').then(([code]): never => {
    throw new Error(`R11: the process ended, exit code ${code}`);
  });
  const message = async (): Promise<unknown> => (await Promise.race([once(child, 'message'), broken]))[0];
  await message();
  await issuer.fail(fault);
  child.send('go');
  const growth = await message();
  broken.catch(() => {});
  await issuer.close();
  if (!isGrowth(growth))
    throw new Error('R11: expected a report of growth from the process, got another message');
  return growth;
}

function isGrowth(value: unknown): value is Growth {
  return (
    typeof value === 'object' &&
    value !== null &&
    'rssMiB' in value &&
    typeof value.rssMiB === 'number' &&
    'failedAttempts' in value &&
    typeof value.failedAttempts === 'number' &&
    'oldKeysKept' in value &&
    typeof value.oldKeysKept === 'boolean'
  );
}
