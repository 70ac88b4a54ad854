// Runs in each runtime: loads the packages that use diagnostics channels, collects garbage, and
// prints the channels whose subscribers are still there.
import '@latchkey/core';
import '@latchkey/fastify';
import { channel, subscribe } from 'node:diagnostics_channel';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const NAMES = ['latchkey:keyset:refreshed', 'latchkey:signer:failed', 'latchkey:descriptor:refused'];
for (const name of NAMES) subscribe(name, () => {});

const bun: unknown = Reflect.get(globalThis, 'Bun');
if (bun === undefined) setFlagsFromString('--expose-gc');
const collect = (bun === undefined ? runInNewContext('gc') : Reflect.get(Object(bun), 'gc')) as (
  isFull: boolean,
) => void;
for (let time = 0; time < 3; time++) {
  collect(true);
  // Some garbage is only found in another turn.
  await new Promise((resolve) => setImmediate(resolve));
}
const kept = [...NAMES, 'fastify.initialization'].filter((name) => channel(name).hasSubscribers);
console.log(JSON.stringify(kept));
