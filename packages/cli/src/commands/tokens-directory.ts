// `tokens init`, `tokens create`, `tokens show`: a key pair of one's own in `.auth`, and the tokens
// that are signed with it.
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
  const made = command('init', 'A new key pair (RS512) and the token of the system, good for 100 days.', [
    'latchkey tokens init',
    'latchkey tokens init --directory /etc/my-service/.auth --issuer my-service',
  ]);
  return withSigning(withDirectory(made))
    .addOption(new Option('--force', 'put a new key pair in the place of one; its tokens are good no more'))
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
        const fix = error.problem.startsWith('has a key pair') ? ' (--force does it)' : '';
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
    'A token for a user and groups, signed with the key of tokens init; good for 100 days.',
    [
      'latchkey tokens create analyst analyst_group',
      'latchkey tokens create analyst analysts auditors --audience https://api.example.com',
    ],
  )
    .argument('<username>', 'who the token is for: its sub')
    .argument('[groups...]', 'the groups of that user');
  return withSigning(withDirectory(made)).action(
    async (username: string, groups: readonly string[], options: DirectoryOptions) => {
      const { file, token } = await createUserToken(username, groups, settingsOf(context, options)).catch(
        (error: unknown) => {
          if (!(error instanceof ConfigError) || error.path !== 'directory') throw error;
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
  ]).argument('<username>', 'whose token it is');
  return withDirectory(made).action(async (username: string, options: DirectoryOptions) => {
    const file = userTokenFile(username, settingsOf(context, options));
    const token = (await readToken(file, username)).trim();
    context.output.result(options.output, () => log([`Token: ${plain(token)}`]), { file, token });
  });
}

function withDirectory(made: Command): Command {
  return withFormat(made)
    .addOption(new Option('--directory <path>', 'where the keys and tokens are').default('.auth'))
    .addOption(new Option('--system-subject <name>', 'the subject of the system token (default: okera)'));
}

function withSigning(made: Command): Command {
  return made
    .addOption(new Option('--issuer <issuer>', "the iss of tokens (default: this machine's name)"))
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

/** From where the user stands, if it is below. */
function shown({ terminal }: Context, path: string): string {
  const below = relative(terminal.cwd(), path);
  return plain(below === '' || below.startsWith('..') || isAbsolute(below) ? path : below);
}

/** Each line with the local time, as in the manual. */
function log(lines: readonly string[]): string {
  const now = new Date();
  const two = (value: number) => String(value).padStart(2, '0');
  const date = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join('/');
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(':');
  return lines.map((line) => `${date} ${time} ${line}`).join('\n');
}
