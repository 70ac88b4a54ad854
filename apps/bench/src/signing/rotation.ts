// S5 to S7: two rotations and a retirement at a thousand requests per second. Two signers share one
// directory; one verifier. The load is in callers.ts.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JwkSet } from '@latchkey/core';
import { createSigner, type RetiredKeys, type RotatedKey } from '@latchkey/core/signing';
import { duration, type Figure } from '@latchkey/test-kit/figures';
import type { Progress } from '@latchkey/test-kit/progress';
import { type KeyUse, startCallers } from './callers.ts';
import { type Service, startService } from './service.ts';
import { AUDIENCE, ISSUER, SECRET } from './terms.ts';

/** The first key change comes before the verifier's next refresh; the second one comes after it. */
const ROTATE_AT_MS = [3_000, 60_000] as const;
/**
 * The time of the first retirement, which is too early; the signer then answers when it is
 * possible.
 */
const RETIRE_AT_MS = 85_000;
/**
 * A verifier refreshes after 48 s at the latest if the source asks for a lifetime below its minimum
 * of 60 s.
 */
const REFUSED_WITHIN_MS = 60_000;

interface Scene {
  readonly directory: string;
  /** The key that signs when the load begins. */
  readonly first: RotatedKey;
  /** The signer that rotates. */
  readonly rotating: Service;
  /** The signer that does not rotate. The verifier gets its keys from this one. */
  readonly following: Service;
  readonly verifier: Service;
  readonly progress: Progress;
}

/** Runs for about two minutes, on the real clock. */
export async function rotationUnderLoad(progress: Progress): Promise<readonly Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'latchkey-bench-'));
  const services: Service[] = [];
  const start = async (file: string, argument: string) => {
    const service = await startService(file, argument);
    services.push(service);
    return service;
  };
  try {
    const rotating = await start('signing-process.ts', directory);
    const first = await move<RotatedKey>(rotating, 'rotate');
    // The verifier asks the signer that does not rotate, so that this signer must publish the keys
    // that the other one writes.
    const following = await start('signing-process.ts', directory);
    const verifier = await start('verifying-process.ts', `${following.url}/.well-known/jwks.json`);
    return await run({ directory, first, rotating, following, verifier, progress });
  } finally {
    await Promise.all(services.map((service) => service.stop()));
    await rm(directory, { recursive: true, force: true });
  }
}

async function run({
  directory,
  first,
  rotating,
  following,
  verifier,
  progress,
}: Scene): Promise<readonly Figure[]> {
  const began = Date.now();
  const at = (ms: number) => `${(Math.max(0, ms - began) / 1000).toFixed(1)} s`;
  const until = (ms: number) => sleep(Math.max(0, began + ms - Date.now()));
  const callers = await startCallers([rotating, following], verifier);
  const keys: RotatedKey[] = [first];
  for (const ms of ROTATE_AT_MS) {
    await until(ms);
    const key = await move<RotatedKey>(rotating, 'rotate');
    keys.push(key);
    progress.note(`rotated: key ${key.kid} signs from ${at((key.signsFrom ?? 0) * 1000)}`);
  }
  await until(RETIRE_AT_MS);
  const early = await move<RetiredKeys>(rotating, 'retire');
  const safeAt = 1000 * (early.kept.find(({ kid }) => kid === first.kid)?.safeToDropAt ?? Number.NaN);
  progress.note(
    `retired too early: dropped ${early.dropped.length}; the first key can be dropped at ${at(safeAt)}`,
  );
  await until(safeAt - began + 1_000);
  const oldToken = await signedByOldKey(directory, first.kid ?? '');
  const before = await verifier.get('/friends', oldToken);
  const retired = await move<RetiredKeys>(rotating, 'retire');
  const retiredAt = Date.now();
  progress.note(`retired: dropped ${retired.dropped.join(', ')}; the verifier refreshes within 48 s`);
  let after = before;
  while (after.status === 200 && Date.now() - retiredAt < REFUSED_WITHIN_MS) {
    await sleep(100);
    after = await verifier.get('/friends', oldToken);
  }
  const refusedAfterMs = Date.now() - retiredAt;
  // New tokens must still pass after that.
  await sleep(2_000);
  const count = await callers.stop();
  const fetches = [rotating, following].map(
    async (signer) => (await signer.get('/fetches')).body as number[],
  );
  const [astray = [], asked = []] = await Promise.all(fetches);
  for (const use of count.uses) progress.note(useText(use, at));

  const p99 = count.times.take(0.99);
  const outside = keys.flatMap((key, index) => outOfTurn(count.uses, key, keys[index + 1]));
  const lates = keys
    .slice(1)
    .map(({ kid, signsFrom = 0 }) =>
      count.uses.filter((use) => use.kid === kid).map(({ firstEnded }) => firstEnded - signsFrom * 1000),
    );
  const code = (after.body as { readonly code?: string }).code ?? 'accepted';
  return [
    {
      id: 'S5',
      goal: 'rotation under load',
      figure: '0 failures in two rotations and a retirement, with 2 signers over one directory',
      measured: `${count.failed} of ${count.requests} requests and ${count.logins} logins failed${count.failed === 0 ? '' : ` (${count.failures})`}; ${count.perSecond.toFixed(0)} requests/s for ${at(Date.now())}, p99 ${duration(p99)}; published 20 s ahead; ${asked.length + astray.length} fetches of the JWK Set by the verifier, at ${asked.map(at).join(', ')}, from the signer that does not rotate (the last is for the key that was dropped)`,
      met: count.failed === 0,
    },
    {
      id: 'S6',
      goal: 'change of keys',
      figure: 'all signers over the secret change keys at the same time: 0 tokens of a wrong key',
      measured: `${outside.length} of ${count.uses.length} uses of a key by a signer at a wrong time; first tokens of the new keys ${lates.map((ms) => ms.map((late) => `${late} ms`).join(' and ')).join(', then ')} after their time; tokens by key and signer: ${keys
        .map(({ kid }) =>
          count.uses
            .filter((use) => use.kid === kid)
            .map(({ tokens }) => tokens)
            .join(' + '),
        )
        .join(', ')}`,
      met: outside.length === 0 && lates.every((ms) => ms.length === 2),
    },
    {
      id: 'S7',
      goal: 'retirement',
      figure: 'the old key is refused when its last token has expired; other keys pass',
      measured: `token of the first key, signed anew: ${before.status} before retire(), ${after.status} ${code} ${duration(refusedAfterMs)} after it, by the verifier's own refresh; dropped ${early.dropped.length} too early, then ${retired.dropped.length}, kept ${retired.kept.length} until later; ${count.failed} others failed`,
      met:
        before.status === 200 &&
        after.status === 401 &&
        code === 'token_key_unknown' &&
        early.dropped.length === 0 &&
        retired.dropped.length === 1 &&
        retired.dropped[0] === first.kid &&
        count.failed === 0,
    },
  ];
}

async function move<T>(signer: Service, name: 'rotate' | 'retire'): Promise<T> {
  const { status, body } = await signer.post(`/${name}`);
  if (status !== 200) throw new Error(`${name}: ${JSON.stringify(body)}`);
  return body as T;
}

/** A token that an attacker with a copy of the old key could sign. */
async function signedByOldKey(directory: string, kid: RotatedKey['kid']): Promise<string> {
  const { keys } = JSON.parse(await readFile(join(directory, SECRET.name, SECRET.key), 'utf8')) as JwkSet;
  const copy = keys.filter((key) => key.kid === kid).map(({ exp: _, ...key }) => key);
  const thief = createSigner({ jwks: { keys: copy }, issuer: ISSUER, audience: AUDIENCE, expiresIn: '10m' });
  return thief.sign({ sub: 'mallory' });
}

/** The uses of a key before its own time or after the time of the next key. */
function outOfTurn(
  uses: readonly KeyUse[],
  key: RotatedKey,
  next: RotatedKey | undefined,
): readonly KeyUse[] {
  const from = (key.signsFrom ?? 0) * 1000;
  const until = (next?.signsFrom ?? Number.POSITIVE_INFINITY) * 1000;
  return uses.filter((use) => use.kid === key.kid && (use.firstEnded < from || use.lastBegan >= until));
}

function useText({ kid, signer, tokens, firstEnded, lastBegan }: KeyUse, at: (ms: number) => string): string {
  return `key ${kid}, signer ${signer + 1}: ${tokens} tokens, ${at(firstEnded)} to ${at(lastBegan)}`;
}
