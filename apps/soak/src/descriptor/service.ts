// Controls the service: starts it, sends requests, and counts its messages about the descriptor.
// The service runs in another process.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import type { Told } from './service-process.ts';

/** The messages of the service so far. */
export interface Counts {
  readonly applied: number;
  readonly refused: number;
  readonly broke: readonly string[];
}

/** A service that follows a descriptor. */
export interface Service {
  readonly counts: Counts;
  /** Sends a request. @throws Refused for every status but 200 */
  get(path: string, token: string): Promise<void>;
  stop(): Promise<void>;
}

/** An answer that is not 200. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly challenge: string;

  constructor(status: number, text: string, challenge: string) {
    super(`${status} ${text}`);
    this.challenge = challenge;
  }
}

/** Starts the service with a descriptor. Resolves when it listens. */
export async function startService(descriptor: string): Promise<Service> {
  // The service warns about each text that it refuses. The warnings are off, because the refusals
  // are counted.
  const env = { ...process.env, NODE_NO_WARNINGS: '1' };
  const child = fork(fileURLToPath(import.meta.resolve('./service-process.ts')), [descriptor], { env });
  const counts = { applied: 0, refused: 0, broke: [] as string[] };
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the service ended, exit code ${code}`)));
    child.on('message', (message) => {
      // This application also sends the message.
      const told = message as Told;
      if (told.kind === 'listens') resolve(told.url);
      else if (told.kind === 'broke') counts.broke.push(told.message);
      else counts[told.kind]++;
    });
  });
  child.on('exit', (code) => counts.broke.push(`the service ended, exit code ${code}`));
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  return {
    counts,
    get: (path, token) => ask(agent, url + path, token),
    async stop() {
      agent.destroy();
      if (!child.connected) return;
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

function ask(agent: Agent, url: string, token: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent, headers, timeout: 10_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode = 0, headers: answered } = response;
        if (statusCode === 200) return resolve();
        const text = Buffer.concat(chunks).toString();
        return reject(new Refused(statusCode, text, answered['www-authenticate'] ?? ''));
      });
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer within 10 s')));
    asked.on('error', reject);
    asked.end();
  });
}
