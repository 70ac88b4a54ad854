// The sample as its own process, with the tokens that it prints.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The running sample. */
export interface Sample {
  readonly url: string;
  /** A token by its name: `READER` or `WRITER`. */
  token(name: string): string;
  /** Sends SIGTERM and resolves with the exit code. */
  stop(): Promise<number | null>;
}

/** Starts the sample on a free port, and waits for its tokens. */
export async function startSample(): Promise<Sample> {
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  const child = spawn(
    process.execPath,
    ['--conditions=source', '--disable-warning=ExperimentalWarning', main],
    {
      env: { ...process.env, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const tokens = new Map<string, string>();
  let url = '';
  for await (const line of createInterface({ input: child.stdout })) {
    const [, listens] = /^listening on (\S+)$/.exec(line) ?? [];
    const [, name, token] = /^export (\w+)=(\S+)$/.exec(line) ?? [];
    if (listens !== undefined) url = `${listens}/mcp`;
    if (name !== undefined && token !== undefined) tokens.set(name, token);
    if (tokens.size === 2) break;
  }
  return {
    url,
    token(name) {
      const token = tokens.get(name);
      if (token === undefined) throw new Error(`the sample printed no token ${name}`);
      return token;
    },
    async stop() {
      const ended = once(child, 'exit');
      child.kill();
      await ended;
      return child.exitCode;
    },
  };
}
