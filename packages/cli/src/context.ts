// What every command has at hand: the terminal, the output, and the options that all commands
// share.
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { createOutput, type Output, type OutputFormat, type Terminal } from './output.ts';

/** What every command has at hand. */
export interface Context {
  readonly terminal: Terminal;
  readonly output: Output;
  /** A path that the user gave, from where the user stands. */
  pathOf(path: string): string;
}

/** The options of commands that work on a descriptor. */
export interface FileOptions {
  /** The descriptor. */
  readonly file: string;
  /** The directory of secrets. Default: `secrets` beside the descriptor. */
  readonly secrets?: string | undefined;
}

/** The option of commands that have a result. */
export interface FormatOptions {
  readonly output: OutputFormat;
}

/** Makes what every command has at hand. */
export function createContext(terminal: Terminal): Context {
  return {
    terminal,
    output: createOutput(terminal),
    pathOf: (path) => resolve(terminal.cwd(), path),
  };
}

/** A command with examples after its help. */
export function command(name: string, description: string, examples: readonly string[]): Command {
  return new Command(name)
    .description(description)
    .addHelpText('after', ['', 'Examples:', ...examples.map((example) => `  $ ${example}`)].join('\n'))
    .showHelpAfterError('(--help says more)');
}

/** `--file` and `--secrets`. */
export function withFile(to: Command): Command {
  return to
    .addOption(new Option('-f, --file <path>', 'the descriptor').default('service.yaml'))
    .addOption(
      new Option('--secrets <directory>', 'where secrets are kept (default: secrets, beside the descriptor)'),
    );
}

/** `--output`. */
export function withFormat(to: Command): Command {
  return to.addOption(
    new Option('-o, --output <format>', 'how the result is written')
      .choices(['text', 'json'])
      .default('text'),
  );
}
