// A terminal for tests: what is printed to it can be read, and nobody sits at it unless the test
// says so.
import { Readable } from 'node:stream';
import type { Terminal } from '../src/index.ts';

/** What a test's terminal is like. */
export interface TerminalOptions {
  readonly cwd: string;
  /** What is typed or piped in. Default: nothing. */
  readonly stdin?: string | Uint8Array | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Whether a person looks on. Default false. */
  readonly isTTY?: boolean | undefined;
}

/** Makes a terminal, and what has been printed to it. */
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
