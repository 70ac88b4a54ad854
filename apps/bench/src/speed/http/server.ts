// Starts and ends a contestant's service from the measuring process. The service is in
// server-process.ts.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Terms } from '../terms.ts';
import type { Pinning } from './pinning.ts';

/** A running service. */
export interface Server {
  readonly origin: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const MAIN = fileURLToPath(import.meta.resolve('./server-process.ts'));

/** Starts a service with the settings of production. Resolves when it listens. */
export async function startServer(
  framework: string,
  contestant: string,
  terms: Terms,
  pinning: Pinning,
): Promise<Server> {
  const args = ['--conditions=source', MAIN, framework, contestant, JSON.stringify(terms)];
  const { file, args: all } = pinning.server({ file: process.execPath, args });
  const child = spawn(file, all, {
    env: { ...process.env, NODE_ENV: 'production', LATCHKEY_ALLOW_HTTP_KEYS: 'true' },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  // Some packages log refusals here. Only the end is kept, for the error if the service ends.
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2_000);
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(Number(message)));
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new Error(`${contestant} on ${framework} ended, exit code ${code}: ${said}`)),
    );
  });
  return {
    origin: `http://127.0.0.1:${port}`,
    // A process that has sent its port has an id.
    pid: child.pid ?? 0,
    async stop() {
      if (!child.connected) return;
      child.disconnect();
      await once(child, 'exit');
    },
  };
}
