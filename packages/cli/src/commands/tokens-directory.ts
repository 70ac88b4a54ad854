// `latchkey tokens init`, `create` and `show`: a key pair in `.auth`, and tokens that are signed
// with it. Nothing is verified here.
import { readFile } from 'node:fs/promises';
import { isAbsolute, relative } from 'node:path';
import { ConfigError } from '@latchkey/core';
import {
  type AuthDirectoryOptions,
  createUserToken,
  initAuthDirectory,
  userTokenFile,
} from '@latchkey/core/own-keys';
import { type Command, Option } from 'commander';
import { type Context, command, type FormatOptions, withFormat } from '../context.ts';
import { misused } from '../failure.ts';
import { plain } from '../output.ts';

interface DirectoryOptions extends FormatOptions {
  readonly directory: string;
  readonly issuer?: string | undefined;
  readonly audience?: readonly string[] | undefined;
  readonly systemSubject?: string | undefined;
}

interface InitOptions extends DirectoryOptions {
  readonly force?: boolean | undefined;
}

/** `tokens init`. */
export function init(context: Context): Command {
  const made = command(
    'init',
    'Make what is missing of a key pair (RS512) and the token of the system, good for 100 days.',
    ['latchkey tokens init', 'latchkey tokens init --directory /etc/my-service/.auth --issuer my-service'],
  );
  return withSigning(withDirectory(made))
    .addOption(new Option('--force', 'replace an existing key pair; its tokens are no longer accepted'))
    .action(async (options: InitOptions) => {
      const {
        privateKey,
        publicKey,
        systemToken,
        made: paths,
      } = await initAuthDirectory({
        ...settingsOf(context, options),
        force: options.force === true,
      }).catch((error: unknown) => {
        if (!(error instanceof ConfigError) || error.path !== 'directory') throw error;
        const fix = error.problem.startsWith('already has a key pair') ? ' (--force does it)' : '';
        throw misused(`${shown(context, context.pathOf(options.directory))} ${error.problem}${fix}`);
      });
      const isMade = (path: string) => paths.includes(path);
      const lines = [
        ...(isMade(privateKey) ? ['Private Key generated'] : []),
        ...(isMade(publicKey) ? ['Public key generated', `Key saved to: ${shown(context, publicKey)}`] : []),
        ...(isMade(privateKey) ? [`Key saved to: ${shown(context, privateKey)}`] : []),
        ...(isMade(systemToken) ? [`System token saved to: ${shown(context, systemToken)}`] : []),
      ];
      const value = { privateKey, publicKey, systemToken, made: paths };
      context.output.result(options.output, () => log(lines), value);
    });
}

/** `tokens create <username> [groups...]`. */
export function create(context: Context): Command {
  const made = command(
    'create',
    'Make a token for a user and groups, signed with the key of tokens init; it expires after 100 days.',
    [
      'latchkey tokens create analyst analyst_group',
      'latchkey tokens create analyst analysts auditors --audience https://api.example.com',
    ],
  )
    .argument('<username>', 'the user: the sub of the token')
    .argument('[groups...]', 'the groups of that user');
  return withSigning(withDirectory(made)).action(
    async (username: string, groups: readonly string[], options: DirectoryOptions) => {
      const { file, token } = await createUserToken(username, groups, settingsOf(context, options)).catch(
        (error: unknown) => {
          if (!(error instanceof ConfigError)) throw error;
          if (error.path === 'username' && error.problem.includes('the name of the system'))
            throw misused(`username: ${error.problem}; latchkey tokens init makes that token`);
          if (error.path !== 'directory') throw error;
          const path = shown(context, context.pathOf(options.directory));
          throw misused(`${path} ${error.problem}; latchkey tokens init makes one`);
        },
      );
      const lines = [`Token saved to: ${shown(context, file)}`, `Token: ${token}`];
      context.output.result(options.output, () => log(lines), { file, token });
    },
  );
}

/** `tokens show <username>`. */
export function show(context: Context): Command {
  const made = command('show', 'The token that was created for a user.', [
    'latchkey tokens show analyst',
    'latchkey tokens show analyst --output json',
  ]).argument('<username>', 'the user of the token');
  return withDirectory(made).action(async (username: string, options: DirectoryOptions) => {
    const file = userTokenFile(username, settingsOf(context, options));
    const token = (await readToken(file, username)).trim();
    context.output.result(options.output, () => log([`Token: ${plain(token)}`]), { file, token });
  });
}

function withDirectory(made: Command): Command {
  return withFormat(made)
    .addOption(new Option('--directory <path>', 'the directory of the keys and tokens').default('.auth'))
    .addOption(new Option('--system-subject <name>', 'the subject of the system token (default: okera)'));
}

function withSigning(made: Command): Command {
  return made
    .addOption(new Option('--issuer <issuer>', 'the iss of tokens (default: the name of this machine)'))
    .addOption(
      new Option('--audience <audience>', 'the aud of tokens; may be repeated (default: none)').argParser(
        (value: string, before: readonly string[] | undefined) => [...(before ?? []), value],
      ),
    );
}

function settingsOf(context: Context, options: DirectoryOptions): AuthDirectoryOptions {
  const { issuer, audience, systemSubject } = options;
  const [first, ...others] = audience ?? [];
  return {
    directory: context.pathOf(options.directory),
    ...(issuer === undefined ? {} : { issuer }),
    ...(first === undefined ? {} : { audience: [first, ...others] }),
    ...(systemSubject === undefined ? {} : { systemSubject }),
  };
}

async function readToken(file: string, username: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw misused(
      code === 'ENOENT'
        ? `there is no token for ${plain(username)}; latchkey tokens create makes one`
        : `the token of ${plain(username)} cannot be read: ${code}`,
    );
  }
}

/** Relative to the working directory, if it is below. */
function shown({ terminal }: Context, path: string): string {
  const below = relative(terminal.cwd(), path);
  return plain(below === '' || below.startsWith('..') || isAbsolute(below) ? path : below);
}

/** Prefixes each line with the local time, as in the manual. */
function log(lines: readonly string[]): string {
  const now = new Date();
  const two = (value: number) => String(value).padStart(2, '0');
  const date = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join('/');
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(':');
  return lines.map((line) => `${date} ${time} ${line}`).join('\n');
}
