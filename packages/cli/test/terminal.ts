// A terminal for tests, which records its output. It is not interactive unless the test says so.
import { Readable } from 'node:stream';
import type { Terminal } from '../src/index.ts';

/** The settings of a terminal for tests. */
export interface TerminalOptions {
  readonly cwd: string;
  /** The standard input. Default: empty. */
  readonly stdin?: string | Uint8Array | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Whether it is a terminal instead of a pipe. Default false. */
  readonly isTTY?: boolean | undefined;
}

/** Makes a terminal, and functions that return its output. */
export function createTerminal({ cwd, stdin = '', env = {}, isTTY = false }: TerminalOptions): {
  readonly terminal: Terminal;
  stdout(): string;
  stderr(): string;
} {
  const printed = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof printed) => ({
    isTTY,
    write(text: string) {
      printed[name] += text;
      return true;
    },
  });
  return {
    terminal: {
      stdout: stream('stdout'),
      stderr: stream('stderr'),
      stdin: Object.assign(Readable.from([Buffer.from(stdin)]), { isTTY }),
      env,
      cwd: () => cwd,
    },
    stdout: () => printed.stdout,
    stderr: () => printed.stderr,
  };
}
