// Controls the provider process from the measured process, one command after the other. No token is
// issued here.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Command, Counts } from './provider-process.ts';

/** A provider in the other process. */
export interface Provider {
  readonly origin: string;
  /** Tokens of the first tenants, one each. */
  mint(count: number): Promise<readonly string[]>;
  counts(): Promise<Counts>;
  close(): Promise<void>;
}

/** Starts a provider with this many tenants: `tenant-0` and so on. */
export async function startProvider(tenants: number): Promise<Provider> {
  const child = fork(fileURLToPath(import.meta.resolve('./provider-process.ts')));
  let last: Promise<unknown> = once(child, 'message');
  /** The answer of the process, which the caller knows the form of. */
  function ask<T>(command: Command): Promise<T> {
    const answer = last.then(async () => {
      child.send(command);
      const [message] = await once(child, 'message');
      return message as T;
    });
    last = answer;
    return answer;
  }
  const origin = await ask<string>({ op: 'start', tenants });
  return {
    origin,
    mint: (count) => ask<readonly string[]>({ op: 'mint', count }),
    counts: () => ask<Counts>({ op: 'counts' }),
    async close() {
      child.disconnect();
      await once(child, 'exit');
    },
  };
}
