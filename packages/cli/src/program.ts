// Builds the program from all commands. It runs nothing.
import { createRequire } from 'node:module';
import tab from '@bomb.sh/tab/commander';
import { Command } from 'commander';
import { explain } from './commands/explain.ts';
import { imports } from './commands/import.ts';
import { inspect } from './commands/inspect.ts';
import { jwks } from './commands/jwks.ts';
import { keys } from './commands/keys.ts';
import { lint } from './commands/lint.ts';
import { plan } from './commands/plan.ts';
import { revoke } from './commands/revoke.ts';
import { routes } from './commands/routes.ts';
import { secrets } from './commands/secrets.ts';
import { tokens } from './commands/tokens.ts';
import { type Context, command } from './context.ts';
import { otherName } from './other-names.ts';
import { message } from './output.ts';

const { version }: { readonly version: string } = createRequire(import.meta.url)('../package.json');

/** Makes the program without running it. */
export function createProgram(context: Context): Command {
  const { stdout, stderr } = context.terminal;
  const program = new Command('latchkey')
    .description('Manage the issuers that a service trusts: keysets, keys, secrets and tokens.')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 the answer is no, 2 misuse or a wrong configuration, 3 a source cannot be reached.',
    )
    .version(version, '--version', 'print the version')
    .showHelpAfterError('(see --help)');
  // This must precede the commands, because they inherit these settings.
  program.exitOverride().configureOutput({
    writeOut: (text) => void stdout.write(text),
    writeErr: (text) => void stderr.write(text),
    outputError: (text, write) => write(plainError(program.name(), text)),
    getOutHasColors: () => stdout.isTTY === true,
    getErrHasColors: () => stderr.isTTY === true,
  });
  for (const made of [jwks, keys, secrets, tokens, explain, inspect, revoke, lint, plan, routes, imports])
    program.addCommand(made(context));
  // The names in the command lines of gateways: `service jwks list`, `services jwts list`.
  const service = command('service', 'jwks and keys, as the command lines of gateways have them.', [
    'latchkey service jwks list my-service',
    'latchkey services jwts list my-service',
  ]).alias('services');
  program.addCommand(service.addCommand(jwks(context)).addCommand(keys(context)), { hidden: true });
  takeOver(program);
  tab(program, { completionCommandName: 'completion' });
  return program;
}

/** Applies the exit and output settings to a command and all its subcommands. */
function takeOver(parent: Command): void {
  for (const child of parent.commands) {
    child.copyInheritedSettings(parent);
    child.configureOutput({ outputError: (text, write) => write(plainError(child.name(), text)) });
    refuseRepeats(child);
    takeOver(child);
  }
}

/** Commander takes the last value: who writes two means both. */
function refuseRepeats(child: Command): void {
  for (const option of child.options) {
    // Those with a parser of their own collect values; choices are a parser of Commander.
    const collects = option.parseArg !== undefined && option.argChoices === undefined;
    if (option.variadic || option.isBoolean() || collects) continue;
    let isGiven = false;
    child.on(`option:${option.name()}`, () => {
      if (isGiven) child.error(`error: option '${option.flags}' was given twice; give it once`);
      isGiven = true;
    });
  }
}

/** The message of Commander quotes arguments. Its own lines are the suggestion and the end. */
function plainError(group: string, text: string): string {
  const [, said = '', suggestion = '', end = ''] =
    /^(.*?)(\n\(Did you mean [^\n]*\?\))?(\n?)$/s.exec(text) ?? [];
  const [, unknown = ''] = /^error: unknown command '([a-z]+)'$/.exec(said) ?? [];
  const here = otherName(group, unknown);
  if (here !== undefined) return `${said}; here: ${here}${end}`;
  return `${message(said)}${suggestion}${end}`;
}
