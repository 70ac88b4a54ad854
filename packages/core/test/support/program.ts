// Programs of their own process that import this package from source.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** How to start a program. The timeout is in milliseconds; default: 15 seconds. */
interface Start {
  readonly flags?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly timeout?: number;
}

/** A path below `src`, as text in a program to import from. */
export function sourceModule(path: string): string {
  return JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
}

/** Runs the text of a module, and gives what it wrote once it has ended. */
export async function runProgram(
  text: string,
  { flags = [], ...start }: Start = {},
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const all = ['--conditions=source', ...flags, '--input-type=module', '--eval', text];
  return run(process.execPath, all, { timeout: 15_000, ...start });
}
