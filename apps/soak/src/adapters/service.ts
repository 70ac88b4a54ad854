// Controls a service of one adapter from the measuring process.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { AuthenticatorOptions } from '@latchkey/core';
import type { Told, Vitals } from './terms.ts';

/** A running service. */
export interface RunningService {
  readonly port: number;
  /** Its vitals since the last call. */
  vitals(): Promise<Vitals>;
  stop(): Promise<void>;
}

/** Starts the service of an adapter. Resolves when it listens. */
export async function startService(adapter: string, options: AuthenticatorOptions): Promise<RunningService> {
  const main = fileURLToPath(import.meta.resolve('./service-process.ts'));
  const child = fork(main, [adapter, JSON.stringify(options)], {
    execArgv: ['--conditions=source', '--expose-gc', '--disable-warning=LATCHKEY_UNSAFE'],
    env: { ...process.env, NODE_ENV: 'production', NODE_NO_WARNINGS: '1' },
    // Frameworks write refusals there.
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const told = () =>
    new Promise<Told>((resolve, reject) => {
      const ended = (code: number | null) =>
        reject(new Error(`the service of ${adapter} ended, exit code ${code}`));
      child.once('exit', ended);
      child.once('message', (message) => {
        child.off('exit', ended);
        resolve(message as Told);
      });
    });
  const first = await told();
  if (!('port' in first)) throw new Error('expected the port of the service first');
  return {
    port: first.port,
    async vitals() {
      const answer = told();
      child.send({});
      const message = await answer;
      if (!('vitals' in message)) throw new Error('expected the vitals of the service');
      return message.vitals;
    },
    async stop() {
      if (!child.connected) return;
      child.disconnect();
      await once(child, 'exit');
    },
  };
}
