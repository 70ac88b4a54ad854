// Real Redis servers on free loopback ports, with their own data. No test is here.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './free-port.ts';

/** False if a program of Redis is missing. Tests of a real Redis are skipped then. */
export const hasRedis = ['redis-server', 'redis-sentinel', 'redis-cli'].every(canRun);
if (!hasRedis) console.warn('redis-server or redis-sentinel is missing: tests of a real Redis are skipped');

/** True if `valkey-server` is there too. */
export const hasValkey = canRun('valkey-server');

export interface RedisOptions {
  /** Directives of redis.conf. */
  readonly config?: readonly string[];
  /** Default: a free one. */
  readonly port?: number;
  readonly program?: 'redis-server' | 'valkey-server' | 'redis-sentinel';
  /** True: it listens for TLS only, with cert.pem, key.pem and ca.pem of `files`. */
  readonly isTls?: boolean;
  /** Files next to redis.conf, which are named in directives without a folder. */
  readonly files?: { readonly [name: string]: string };
}

export interface RedisServer {
  /** `redis://127.0.0.1:PORT`. The port and the data stay the same after `start()`. */
  readonly url: string;
  readonly port: number;
  /** Starts the server again; resolves when it accepts connections and has loaded its data. */
  start(): Promise<void>;
  /** Ends the process and waits until it has ended. Default: SIGKILL. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Stops the process: it keeps its connections and does not answer. `thaw` continues it. */
  freeze(): void;
  thaw(): void;
  /** Resolves to the next log line that contains this text. */
  logged(text: string): Promise<string>;
  /** Ends the process and deletes its files. */
  close(): Promise<void>;
}

/** Starts a server. */
export async function startRedis({
  config = [],
  port: given,
  program = 'redis-server',
  isTls = false,
  files = {},
}: RedisOptions = {}): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-redis-'));
  const port = given ?? (await freePort());
  const listens = isTls ? ['port 0', `tls-port ${port}`] : [`port ${port}`];
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const lines = ['bind 127.0.0.1', ...listens, `dir ${folder}`, ...config, ''];
  writeFileSync(join(folder, 'redis.conf'), lines.join('\n'));
  const log: string[] = [];
  const waiting = new Set<(line: string) => void>();
  let child: ChildProcess | undefined;
  const server: RedisServer = {
    url: `${isTls ? 'rediss' : 'redis'}://127.0.0.1:${port}`,
    port,
    logged: (text) =>
      new Promise((resolve) => {
        const look = (line: string) => {
          if (!line.includes(text)) return;
          waiting.delete(look);
          resolve(line);
        };
        waiting.add(look);
      }),
    async start() {
      const started = spawn(program, ['redis.conf'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
      child = started;
      const ready = server.logged(program === 'redis-sentinel' ? '+monitor' : 'Ready to accept connections');
      for (const stream of [started.stdout, started.stderr])
        createInterface(stream).on('line', (line) => {
          log.push(line);
          for (const look of waiting) look(line);
        });
      const ended = once(started, 'exit').then(() => {
        throw new Error(`${program} did not start: ${log.slice(-5).join('\n')}`);
      });
      ended.catch(() => {});
      await Promise.race([ready, ended]);
    },
    async kill(signal = 'SIGKILL') {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    },
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    async close() {
      await server.kill();
      // A child that writes a file of its data may end a little later.
      rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
    },
  };
  await server.start();
  return server;
}

function canRun(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}
