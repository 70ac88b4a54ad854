// The context of every command: the terminal, the output, and the shared options. No command is
// here.
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { createOutput, type Output, type OutputFormat, type Terminal } from './output.ts';

/** The context of every command. */
export interface Context {
  readonly terminal: Terminal;
  readonly output: Output;
  /** Resolves a path of the user against the working directory. */
  pathOf(path: string): string;
}

/** The options of commands that work on a descriptor. */
export interface FileOptions {
  /** The descriptor. */
  readonly file: string;
  /** The directory of secrets. Default: `secrets` next to the descriptor. */
  readonly secrets?: string | undefined;
}

/** The option of commands that have a result. */
export interface FormatOptions {
  readonly output: OutputFormat;
}

/** Makes the context of every command. */
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
    .showHelpAfterError('(see --help)');
}

/** `--file` and `--secrets`. */
export function withFile(to: Command): Command {
  return to
    .addOption(new Option('-f, --file <path>', 'the descriptor').default('service.yaml'))
    .addOption(
      new Option(
        '--secrets <directory>',
        'the directory of secrets (default: secrets, next to the descriptor)',
      ),
    );
}

/** `--output`. */
export function withFormat(to: Command): Command {
  return to.addOption(
    new Option('-o, --output <format>', 'the format of the result').choices(['text', 'json']).default('text'),
  );
}
