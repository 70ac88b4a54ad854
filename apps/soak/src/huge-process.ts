// The process whose memory R11 measures: it warms up, waits for a message, reads an answer that is
// too large, and reports its growth. The goal is in keysets/hostile.ts.
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthenticator, isAuthError } from '@latchkey/core';

/** The report of the process. */
export interface Growth {
  readonly rssMiB: number;
  readonly failedAttempts: number;
  readonly oldKeysKept: boolean;
}

const [issuer = '', jwksUrl = '', audience = '', token = '', unknownKid = ''] = process.argv.slice(2);
const create = (url: string) =>
  createAuthenticator({ keySets: [{ issuer, jwksUrl: url, allowHttp: true }], audience });
const accepts = (candidate: string) => authenticator.verify(candidate).then(() => true, refused);

// One good and one failed fetch load all code before the memory is measured.
for (const url of [jwksUrl, `${jwksUrl}/nowhere`]) {
  const warmUp = create(url);
  await warmUp.verify(token).catch(refused);
  await warmUp.verify(unknownKid).catch(refused);
  await warmUp.close();
}
const authenticator = create(jwksUrl);
await authenticator.verify(token);
let failedAttempts = 0;
subscribe('latchkey:keyset:failed', () => {
  failedAttempts++;
});
process.send?.('ready');
await once(process, 'message');

globalThis.gc?.();
await sleep(100);
const before = process.memoryUsage.rss();
let most = before;
const timer = setInterval(() => {
  most = Math.max(most, process.memoryUsage.rss());
}, 2);
await accepts(unknownKid);
// Waits for the retries after one and three seconds.
await sleep(3_500);
clearInterval(timer);
const oldKeysKept = await accepts(token);
await authenticator.close();
process.send?.({ rssMiB: (most - before) / 1024 / 1024, failedAttempts, oldKeysKept } satisfies Growth);
process.disconnect?.();

function refused(error: unknown): false {
  if (!isAuthError(error)) throw error;
  return false;
}
