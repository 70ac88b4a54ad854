// Runs other programs in a folder: Node, npm, compilers, bundlers, other runtimes.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';

/** How a program ended, with its whole output. */
export interface Ended {
  readonly code: number;
  readonly output: string;
}

/** The longest that a program runs: what hangs is ended, and has failed. */
const LIMIT_MS = 1_800_000;

/** Runs a program to its end. Its variables are those of this process, and these. */
export function run(
  command: string,
  args: readonly string[],
  cwd: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const env = { ...process.env, ...variables, NODE_OPTIONS: '', NO_COLOR: '1' };
  return new Promise((resolve) => {
    execFile(command, args, { cwd, env, maxBuffer: 2 ** 26, timeout: LIMIT_MS }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, output: `${stdout}${stderr}` });
    });
  });
}

/** Runs a program that must succeed, and returns its output. @throws Error with its output */
export async function runs(...call: Parameters<typeof run>): Promise<string> {
  const { code, output } = await run(...call);
  if (code !== 0) throw new Error(`${call[0]} ${call[1].join(' ')} ended with ${code}:\n${output}`);
  return output;
}

/** Runs a program on this Node. @throws Error with its output */
export function runsNode(args: readonly string[], cwd: string): Promise<string> {
  return runs(process.execPath, args, cwd);
}

/** A service in another process. */
export interface Service {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/** Starts a service, which prints its URL. @throws Error with its output if it does not */
export async function serve(command: string, args: readonly string[], cwd: string): Promise<Service> {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  let output = '';
  const url = await new Promise<string>((resolve, reject) => {
    const take = (chunk: Buffer) => {
      output += chunk;
      const [found] = /http:\/\/\S+(?=\n)/.exec(output) ?? [];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', reject);
    child.on('close', (code) =>
      reject(new Error(`${command} ${args.join(' ')} ended with ${code}:\n${output}`)),
    );
  });
  return {
    url,
    async stop() {
      child.kill('SIGKILL');
      await closed;
    },
  };
}
