// Runs a program of a page as a process of its own, on a free port.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOME } from './pages.ts';

/** A program that listens. */
export interface Service {
  readonly url: string;
  /** The tokens in the lines `export ALICE=…` that it has printed, by name. */
  readonly tokens: ReadonlyMap<string, string>;
  /** Waits for other lines of its output, without the lines of tokens. */
  lines(count: number): Promise<readonly string[]>;
  /** Starts another program in the same process, and returns its URL. */
  add(file: string): Promise<string>;
  stop(): void;
}

/**
 * Starts a program of a page, unchanged. Its port 3000 becomes a free one.
 * @returns when it listens and has printed all of its tokens
 */
export async function startService(file: string, tokenCount: number, cwd = HOME): Promise<Service> {
  const child = spawn(
    process.execPath,
    [
      '--conditions=source',
      '--disable-warning=ExperimentalWarning',
      `--import=${join(HOME, 'test/free-port.ts')}`,
      file,
    ],
    { cwd, env: { ...process.env, NODE_ENV: 'test' }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
  );
  const output = collect(child);
  const stop = () => void child.kill();
  const ended = once(child, 'exit').then(() => {
    throw new Error(`the program ended: ${output.text()}`);
  });
  // Also after a program that was stopped.
  ended.catch(() => {});
  const until = (isEnough: () => boolean) => Promise.race([output.until(isEnough), ended]);
  try {
    const [port] = await Promise.race([once(child, 'message'), ended]);
    await until(() => output.tokens().size === tokenCount);
    const lines = async (count: number) => {
      await until(() => output.lines().length >= count);
      return output.lines();
    };
    const add = async (other: string) => {
      child.send(other);
      const [added] = await Promise.race([once(child, 'message'), ended]);
      return `http://localhost:${added}`;
    };
    return { url: `http://localhost:${port}`, tokens: output.tokens(), lines, add, stop };
  } catch (error) {
    stop();
    throw error;
  }
}

/** Collects what a process prints. */
function collect({ stdout, stderr }: ChildProcess) {
  let text = '';
  let wake = () => {};
  for (const stream of [stdout, stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      wake();
    });
  const isToken = (line: string) => /^export \w+=/.test(line);
  // The last part is no whole line, and mostly empty.
  const all = () => text.split('\n').slice(0, -1);
  return {
    text: () => text,
    tokens: () =>
      new Map(
        all()
          .filter(isToken)
          .map((line) => tokenIn(line)),
      ),
    lines: () => all().filter((line) => !isToken(line)),
    async until(isEnough: () => boolean): Promise<void> {
      while (!isEnough())
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    },
  };
}

function tokenIn(line: string): readonly [name: string, token: string] {
  const [, name = '', token = ''] = /^export (\w+)=(\S+)$/.exec(line) ?? [];
  return [name, token];
}

/** Writes a program, and compiles TypeScript. Returns the file to run. */
export function writeProgram(directory: string, name: string, language: string, code: string): string {
  const file = join(directory, `${name}.${language === 'ts' ? 'mts' : 'mjs'}`);
  writeFileSync(file, code);
  if (language === 'js') return file;
  const options = [
    '--ignoreConfig',
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--experimentalDecorators',
  ];
  execFileSync('tsc', [...options, '--noCheck', '--noResolve', file], { cwd: directory });
  return join(directory, `${name}.mjs`);
}
