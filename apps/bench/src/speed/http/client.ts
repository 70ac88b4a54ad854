// The load client: sends as many requests as the server can answer, from its own process, over 32
// connections. It does not know the contestants.
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Command } from './pinning.ts';

/** Tokens that are sent in turn. */
export interface Rotation {
  readonly size: number;
  readonly file: string;
}

/** A client. */
export interface Client {
  /** The program, for the report; wrk with its version. */
  readonly name: string;
  rotation(tokens: readonly string[]): Rotation;
  /**
   * Sends requests for whole seconds.
   * @param start the index of the first token
   * @returns the number of answers: 0 if the machine had no time for the client
   * @throws Error if a request failed or was answered with an error
   */
  run(
    url: string,
    rotation: Rotation,
    start: number,
    seconds: number,
  ): Promise<{ requests: number; perSecond: number }>;
  /** Deletes the files. */
  close(): void;
}

const CONNECTIONS = 32;
const execute = promisify(execFile);

/** Uses wrk if it is installed, otherwise autocannon. */
export function createClient(place: (command: Command) => Command): Client {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-'));
  const version = wrkVersion();
  const hasWrk = version !== undefined;
  let files = 0;
  return {
    name: version ?? 'autocannon',
    rotation(tokens) {
      const file = join(folder, `tokens-${files++}`);
      writeFileSync(file, `${tokens.join('\n')}\n`);
      return { size: tokens.length, file };
    },
    async run(url, { file, size }, start, seconds) {
      const make = hasWrk ? wrk : autocannon;
      const { file: program, args } = place(make(url, file, start % size, seconds));
      const { stdout } = await execute(program, [...args]);
      const last = stdout.trim().split('\n').at(-1) ?? '';
      const result: { requests: number; seconds: number; failed: number } = JSON.parse(last);
      if (result.failed > 0)
        throw new Error(`${url}: ${result.failed} of ${result.requests} requests failed`);
      return { requests: result.requests, perSecond: result.requests / result.seconds };
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** `wrk debian/4.1.0`: wrk prints this before its usage and exits with an error code. */
function wrkVersion(): string | undefined {
  const { error, stdout } = spawnSync('wrk', ['--version'], { encoding: 'utf8' });
  return error === undefined ? (/^wrk \S+/.exec(stdout)?.[0] ?? 'wrk') : undefined;
}

function wrk(url: string, file: string, start: number, seconds: number): Command {
  const script = fileURLToPath(import.meta.resolve('./rotation.lua'));
  const load = ['--threads=1', `--connections=${CONNECTIONS}`, `--duration=${seconds}s`, '--timeout=10s'];
  return { file: 'wrk', args: [...load, `--script=${script}`, url, '--', file, String(start)] };
}

function autocannon(url: string, file: string, start: number, seconds: number): Command {
  const main = fileURLToPath(import.meta.resolve('./autocannon-process.ts'));
  const given = [url, file, String(start), String(seconds), String(CONNECTIONS)];
  return { file: process.execPath, args: [main, ...given] };
}
