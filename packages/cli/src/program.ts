// All commands, as one program.
import { createRequire } from 'node:module';
import tab from '@bomb.sh/tab/commander';
import { Command } from 'commander';
import { explain } from './commands/explain.ts';
import { imports } from './commands/import.ts';
import { jwks } from './commands/jwks.ts';
import { keys } from './commands/keys.ts';
import { lint } from './commands/lint.ts';
import { plan } from './commands/plan.ts';
import { secrets } from './commands/secrets.ts';
import { tokens } from './commands/tokens.ts';
import { type Context, command } from './context.ts';
import { message } from './output.ts';

const { version }: { readonly version: string } = createRequire(import.meta.url)('../package.json');

/** Makes the program. Nothing has run yet. */
export function createProgram(context: Context): Command {
  const { stdout, stderr } = context.terminal;
  const program = new Command('latchkey')
    .description('Whom a service trusts, on the command line: keysets, keys, secrets and tokens.')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 the answer is no, 2 misuse or configuration, 3 a source cannot be reached.',
    )
    .version(version, '--version', 'what version this is')
    .showHelpAfterError('(--help says more)');
  // Before its commands: they take these over.
  program.exitOverride().configureOutput({
    writeOut: (text) => void stdout.write(text),
    writeErr: (text) => void stderr.write(text),
    outputError: (text, write) => write(plainError(text)),
    getOutHasColors: () => stdout.isTTY === true,
    getErrHasColors: () => stderr.isTTY === true,
  });
  for (const made of [jwks, keys, secrets, tokens, explain, lint, plan, imports])
    program.addCommand(made(context));
  // As the command lines of gateways have it: `service jwks list`, `services jwts list`.
  const service = command('service', 'jwks and keys, as the command lines of gateways have them.', [
    'latchkey service jwks list my-service',
    'latchkey services jwts list my-service',
  ]).alias('services');
  program.addCommand(service.addCommand(jwks(context)).addCommand(keys(context)), { hidden: true });
  takeOver(program);
  tab(program, { completionCommandName: 'completion' });
  return program;
}

/** How a program ends and prints goes for all that is in it. */
function takeOver(parent: Command): void {
  for (const child of parent.commands) {
    child.copyInheritedSettings(parent);
    takeOver(child);
  }
}

/**
 * Commander's message quotes what was typed. The lines of its own are its suggestion and its end.
 */
function plainError(text: string): string {
  const [, said = '', suggestion = '', end = ''] =
    /^(.*?)(\n\(Did you mean [^\n]*\?\))?(\n?)$/s.exec(text) ?? [];
  return `${message(said)}${suggestion}${end}`;
}
