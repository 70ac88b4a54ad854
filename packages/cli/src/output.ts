// The only file that prints. Results go to stdout, everything about them to stderr; colour and
// progress only where a person looks on.
import { styleText } from 'node:util';
import { plain } from '@latchkey/core/tools';

export { plain };

/** What of Node's streams is written to. */
export interface OutputStream {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

/** What a command prints to, and reads from. `process` is one. */
export interface Terminal {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly stdin: AsyncIterable<Uint8Array | string> & { readonly isTTY?: boolean | undefined };
  readonly env: Readonly<Record<string, string | undefined>>;
  cwd(): string;
}

/** How results are written. */
export type OutputFormat = 'text' | 'json';

type Style = Parameters<typeof styleText>[0];

/** What commands print with. */
export interface Output {
  /**
   * A result: as it is, for people, or as JSON with `-o json`. Text comes from outside only through
   * `plain`.
   */
  result(format: OutputFormat, text: () => string, value: unknown): void;
  /**
   * Something about what was done, in one line. Not with the result: on stderr. As warnings and
   * failures, it goes through `message`.
   */
  note(text: string): void;
  warn(text: string): void;
  fail(text: string): void;
  /** Says what is waited for, while it is waited for: where a person looks on. */
  waitFor<T>(what: string, work: Promise<T>): Promise<T>;
  /** Coloured where stdout is a terminal that wants it. */
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
        // Back to the start, and nothing left of it.
        stderr.write('\r\u001b[K');
      }
    },
    style: (style, text) => styled(stdout, style, text),
  };
}

/**
 * Text for people that may quote what was typed: made plain, and without a token that was typed in
 * a wrong place.
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
 * Columns, as wide as what is in them, three spaces apart; nothing after the last. Every cell is
 * made plain.
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
