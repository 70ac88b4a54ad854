// The only file that prints. Results go to stdout, messages to stderr; colour and progress only to
// a terminal.
import { styleText } from 'node:util';
import { plain } from '@latchkey/core/tools';

export { plain };

/** The members of Node's output streams that are used here. */
export interface OutputStream {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

/** The streams and environment of a command. `process` is one. */
export interface Terminal {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly stdin: AsyncIterable<Uint8Array | string> & { readonly isTTY?: boolean | undefined };
  readonly env: Readonly<Record<string, string | undefined>>;
  cwd(): string;
}

/** The format of results. */
export type OutputFormat = 'text' | 'json';

type Style = Parameters<typeof styleText>[0];

/** The functions with which commands print. */
export interface Output {
  /**
   * Prints a result: as text, or as JSON with `-o json`. Text from outside must go through `plain`
   * first.
   */
  result(format: OutputFormat, text: () => string, value: unknown): void;
  /**
   * Prints one line about the work to stderr, apart from the result. It goes through `message`,
   * like warnings and failures.
   */
  note(text: string): void;
  warn(text: string): void;
  fail(text: string): void;
  /** Shows a text while an operation is running, only on a terminal. */
  waitFor<T>(what: string, work: Promise<T>): Promise<T>;
  /** Colours a text if stdout is a terminal with colours. */
  style(style: Style, text: string): string;
}

/** Makes an output. */
export function createOutput({ stdout, stderr, env }: Pick<Terminal, 'stdout' | 'stderr' | 'env'>): Output {
  const isPlain = env.NO_COLOR !== undefined && env.NO_COLOR !== '';
  const styled = (stream: OutputStream, style: Style, text: string) =>
    stream.isTTY === true && !isPlain ? styleText(style, text, { validateStream: false }) : text;
  const line = (stream: OutputStream, text: string) =>
    void stream.write(text.endsWith('\n') ? text : `${text}\n`);
  return {
    result: (format, text, value) => line(stdout, format === 'json' ? escapedJson(value) : text()),
    note: (text) => line(stderr, message(text)),
    warn: (text) => line(stderr, `${styled(stderr, 'yellow', 'warning:')} ${message(text)}`),
    fail: (text) => line(stderr, `${styled(stderr, 'red', 'error:')} ${message(text)}`),
    async waitFor(what, work) {
      if (stderr.isTTY !== true) return work;
      stderr.write(styled(stderr, 'dim', `${message(what)} …`));
      try {
        return await work;
      } finally {
        // Returns to the start of the line and clears it.
        stderr.write('\r\u001b[K');
      }
    },
    style: (style, text) => styled(stdout, style, text),
  };
}

/**
 * Prepares a message that may quote arguments: makes it plain, and removes a token that was typed
 * in a wrong place.
 */
export function message(text: string): string {
  return plain(text.replaceAll(TOKEN, '(a token)'));
}

/** As nearly all begin; or three long segments, since a header may be written with white space. */
const TOKEN = /eyJ[\w-]*\.[\w.-]*|(?<![\w-])[\w-]{12,}\.[\w-]{12,}\.[\w-]{12,}/g;

/** JSON that means the same, with nothing in it that a terminal obeys. */
function escapedJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(/[^\n\P{C}]|[\u2028\u2029]/gu, (character) =>
    [...Array(character.length).keys()]
      .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/**
 * Formats columns as wide as their content, three spaces apart, without trailing spaces. Every cell
 * is made plain.
 */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows.map((row) => row.map(plain))];
  const widths = head.map((_, column) => Math.max(...lines.map((row) => row[column]?.length ?? 0)));
  return lines
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}
