// The process whose size R11 measures: warms up, waits for the word, meets an answer that is too
// large, and tells how it grew.
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthenticator, isAuthError } from '@latchkey/core';

/** What it tells. */
export interface Growth {
  readonly rssMiB: number;
  readonly failedAttempts: number;
  readonly oldKeysKept: boolean;
}

const [issuer = '', jwksUrl = '', audience = '', token = '', unknownKid = ''] = process.argv.slice(2);
const create = (url: string) =>
  createAuthenticator({ keySets: [{ issuer, jwksUrl: url, allowHttp: true }], audience });
const accepts = (candidate: string) => authenticator.verify(candidate).then(() => true, refused);

// Everything that a fetch and a failed fetch load is loaded before the size is taken.
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
// Room for retries after one and three seconds.
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
