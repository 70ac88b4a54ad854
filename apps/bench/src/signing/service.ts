// Controls a service from the measuring process: starts it, sends requests, ends it. The service
// itself runs in another process.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';

/** The answer of a service. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** A running service. */
export interface Service {
  readonly url: string;
  get(path: string, token?: string): Promise<Answer>;
  post(path: string, body?: unknown): Promise<Answer>;
  stop(): Promise<void>;
}

/** Starts a service of this directory. Resolves when it listens. */
export async function startService(file: string, argument: string): Promise<Service> {
  const child = fork(fileURLToPath(import.meta.resolve(`./${file}`)), [argument]);
  const url = await new Promise<string>((resolve, reject) => {
    child.once('message', (message) => resolve(String(message)));
    child.once('exit', (code) => reject(new Error(`${file} ended, exit code ${code}`)));
  });
  const agent = new Agent({ keepAlive: true });
  return {
    url,
    get: (path, token) =>
      ask(agent, url + path, 'GET', token === undefined ? {} : { authorization: `Bearer ${token}` }),
    post: (path, body) =>
      ask(agent, url + path, 'POST', { 'content-type': 'application/json' }, JSON.stringify(body ?? {})),
    async stop() {
      agent.destroy();
      if (!child.connected) return;
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

function ask(
  agent: Agent,
  url: string,
  method: string,
  headers: Readonly<Record<string, string>>,
  body?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent, method, headers, timeout: 10_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) });
      });
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer within 10 s')));
    asked.on('error', reject);
    asked.end(body);
  });
}
