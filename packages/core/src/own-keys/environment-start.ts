// The zero-configuration start: reads the settings in NAMES, from the environment or a file of
// `KEY: value` lines, and makes the options of an authenticator from them. It starts no server.

import { access, constants } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { present } from '../claims/rules.ts';
import type { AuthenticatorOptions } from '../decision/options.ts';
import { parseAllDocuments } from '../descriptor/yaml.ts';
import { ConfigError } from '../errors.ts';
import { warn } from '../events.ts';
import type { KeysetOptions } from '../keysets/options.ts';
import { checkEndpointUrl, url } from '../net/options.ts';
import { readTextFile } from '../secrets/directory.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import { type Clock, readClock } from '../values/clock.ts';
import { own } from '../values/json.ts';
import { oneOrMany, orNull, text } from '../values/option.ts';
import { argument, isPlainObject, readEach, readEnvironment, readText } from '../values/readers.ts';
import { codeOf } from '../values/system-error.ts';
import {
  AUTH_ALGORITHM,
  type AuthDirectoryOptions,
  isSignedBy,
  openAuthDirectory,
  SYSTEM_GROUP,
  SYSTEM_SUBJECT,
} from './auth-directory.ts';

/** The source of the settings. */
export interface EnvironmentStartOptions {
  /** A file of `KEY: value` lines; other settings in it are ignored. Default: the environment. */
  readonly file?: string;
  /** Default `process.env`. Not read if there is a file. */
  readonly environment?: { readonly [name: string]: string | undefined };
  /** Where keys are created, if needed. Default `.auth` in the current directory. */
  readonly directory?: string;
  /** The audience of this service. No setting exists for it. Default null: `aud` is not checked. */
  readonly audience?: string | readonly string[] | null;
  /** Default `okera`. */
  readonly systemSubject?: string;
  readonly clock?: Clock;
}

/** The result of the settings. */
export interface EnvironmentStart {
  /** For `createAuthenticator`, or the `authenticate` of any adapter. */
  readonly options: AuthenticatorOptions;
  /** The path of the system token, for `createServiceFetch`; undefined if there is none. */
  readonly systemToken: string | undefined;
  /** The files that were created because `ENABLE_JWT` was the only setting. */
  readonly made: readonly string[];
}

const URL_NAME = 'JWT_AUTHENTICATION_SERVER_URL';
const HTTP_NAME = 'JWT_AUTHENTICATION_SERVER_ALLOW_HTTP';
const SYSTEM_NAME = 'JWT_AUTHENTICATION_SERVER_SYSTEM';
/** Each of these also turns JWT on, and then no keys are created. */
const KEY_NAMES = ['JWT_PUBLIC_KEY', 'JWT_ALGORITHM', URL_NAME, 'SYSTEM_TOKEN'] as const;
const NAMES = ['ENABLE_JWT', ...KEY_NAMES, HTTP_NAME, SYSTEM_NAME] as const;
type Values = { readonly [Name in (typeof NAMES)[number]]?: string };

const READERS = {
  file: readText,
  environment: readEnvironment,
  directory: readText,
  audience: orNull(oneOrMany(text)).read,
  systemSubject: readText,
  clock: readClock,
};

/**
 * Reads the settings. With `ENABLE_JWT: true` alone, a key pair (RS512) and a system token are
 * created once and used from then on; a Node warning names the new files. A token needs a `sub`.
 * The group `root` and the system's subject are accepted only in tokens of the system: those of the
 * key that signed `SYSTEM_TOKEN`, and with `JWT_AUTHENTICATION_SERVER_SYSTEM: true` those that the
 * server accepts.
 * @throws ConfigError for invalid settings, if no setting turns JWT on, and for `SYSTEM_TOKEN` with
 *   a server and no key, unless a setting says whether the server vouches for the system
 * @example
 * ```ts
 * const { options } = await loadEnvironmentStart(); // ENABLE_JWT=true
 * const authenticator = createAuthenticator(options);
 * ```
 */
export async function loadEnvironmentStart(
  ...given: readonly [options?: EnvironmentStartOptions]
): Promise<EnvironmentStart> {
  const options: EnvironmentStartOptions = readEach(argument(given, 'options', {}), READERS);
  const { file, environment = process.env, audience = null, systemSubject, clock } = options;
  const values = file === undefined ? pick(environment) : await readSettingsFile(file);
  const namesKeys = KEY_NAMES.some((name) => values[name] !== undefined);
  refuseUnlessEnabled(values.ENABLE_JWT, namesKeys);
  const directory = namesKeys ? undefined : await openAuthDirectory(directoryOptionsOf(options));
  if (directory !== undefined && directory.made.length > 0)
    warn('LATCHKEY_GENERATED', `ENABLE_JWT is the only setting: created ${directory.made.join(', ')}`);
  const keys =
    directory === undefined
      ? readKeys(values)
      : [{ file: directory.publicKey, algorithm: AUTH_ALGORITHM } as const];
  const systemToken = directory?.systemToken ?? readPath(values.SYSTEM_TOKEN, 'SYSTEM_TOKEN');
  if (systemToken === undefined)
    warn('LATCHKEY_UNAVAILABLE', 'SYSTEM_TOKEN is not set: calls to other services carry no token');
  const subject = systemSubject ?? SYSTEM_SUBJECT;
  const remote = readRemote(values, keys.length > 0);
  const systemKey = systemToken === undefined ? undefined : await findSystemKey(systemToken, subject, keys);
  const keySets = keys.map(
    (key): KeysetOptions => ({ publicKeys: [key], ...(key === systemKey ? { system: true } : {}) }),
  );
  return {
    options: {
      keySets,
      ...remote,
      audience,
      claims: { sub: present() },
      groups: { reserved: [SYSTEM_GROUP] },
      systemSubject: subject,
      ...(clock === undefined ? {} : { clock }),
    },
    systemToken,
    made: directory?.made ?? [],
  };
}

function directoryOptionsOf(options: EnvironmentStartOptions): AuthDirectoryOptions {
  const { directory, systemSubject, clock } = options;
  return {
    ...(directory === undefined ? {} : { directory }),
    ...(systemSubject === undefined ? {} : { systemSubject }),
    ...(clock === undefined ? {} : { clock }),
  };
}

interface PublicKeyFile {
  readonly file: string;
  readonly algorithm: AlgorithmName;
}

function refuseUnlessEnabled(enabled: string | undefined, namesKeys: boolean): void {
  if (enabled === undefined) {
    if (namesKeys) return;
    throw new ConfigError(
      'ENABLE_JWT',
      'expected a setting that turns JWT on; set it to true, or set the others',
    );
  }
  if (!/^true$/i.test(enabled))
    throw new ConfigError('ENABLE_JWT', 'expected true, because other values turn JWT off');
}

async function readSettingsFile(file: string): Promise<Values> {
  const text = await readTextFile(file);
  if (text === undefined) throw new ConfigError('file', `cannot be read: ${await whyUnreadable(file)}`);
  // All values are read as text: `true` and `1` stay as written. Parser warnings are suppressed,
  // because the file may contain secrets of other programs.
  const [document, another] = parseAllDocuments(text, {
    schema: 'failsafe',
    logLevel: 'silent',
    prettyErrors: false,
  });
  const isOne = another === undefined && document?.errors.length === 0;
  const values: unknown = isOne ? document.toJS() : undefined;
  if (!isPlainObject(values)) throw new ConfigError('file', 'expected KEY: value lines');
  return pick(values);
}

function pick(source: { readonly [name: string]: unknown }): Values {
  return Object.fromEntries(
    NAMES.flatMap((name) => {
      const value = own(source, name);
      if (value === undefined || value === '') return [];
      if (typeof value !== 'string') throw new ConfigError(name, 'expected one value on its line');
      return [[name, value.trim()]];
    }),
  );
}

function readKeys({ JWT_PUBLIC_KEY, JWT_ALGORITHM }: Values): readonly PublicKeyFile[] {
  if (JWT_PUBLIC_KEY === undefined) {
    if (JWT_ALGORITHM !== undefined)
      throw new ConfigError('JWT_ALGORITHM', 'expected JWT_PUBLIC_KEY next to it, whose algorithm it is');
    return [];
  }
  const files = JWT_PUBLIC_KEY.split(',').map((item) => readPath(item.trim(), 'JWT_PUBLIC_KEY') ?? '');
  const algorithms = JWT_ALGORITHM?.split(',').map((item) => readAlgorithm(item.trim()));
  if (algorithms !== undefined && algorithms.length !== files.length)
    throw new ConfigError(
      'JWT_ALGORITHM',
      `expected one algorithm for each key, got ${algorithms.length} for ${files.length} keys`,
    );
  return files.map((file, index) => ({ file, algorithm: algorithms?.[index] ?? AUTH_ALGORITHM }));
}

function readAlgorithm(name: string): AlgorithmName {
  if (name === 'RSA256' || name === 'RS256') return 'RS256';
  if (name === 'RSA512' || name === 'RS512') return 'RS512';
  throw new ConfigError('JWT_ALGORITHM', 'expected RSA256 or RSA512 for each key');
}

function readPath(value: string | undefined, name: string): string | undefined {
  if (value === undefined) return undefined;
  try {
    const path = value.startsWith('file:/') ? fileURLToPath(value) : value;
    if (isAbsolute(path)) return path;
  } catch {
    // An invalid file URL is not a path either.
  }
  throw new ConfigError(name, 'expected a full path, or file:///…');
}

/** Reads the server. With keys, it is asked first, and the keys decide if it refuses or fails. */
function readRemote(values: Values, hasKeys: boolean): Pick<AuthenticatorOptions, 'remote'> {
  const serverUrl = values[URL_NAME];
  if (serverUrl === undefined) return {};
  const allowHttp = readFlag(values, HTTP_NAME) === true;
  const isSystem = readFlag(values, SYSTEM_NAME);
  checkServerUrl(serverUrl, allowHttp);
  if (isSystem === undefined && values.SYSTEM_TOKEN !== undefined && !hasKeys)
    throw new ConfigError(
      SYSTEM_NAME,
      'expected true or false, because no JWT_PUBLIC_KEY vouches for the system: true lets the server ' +
        'vouch for it, false refuses its tokens here',
    );
  return {
    remote: {
      url: serverUrl,
      allowHttp,
      ...(hasKeys ? { onReject: 'next', onError: 'next' } : {}),
      ...(isSystem === true ? { system: true } : {}),
    },
  };
}

/** Checks the URL like `remote.url`, but names the settings in the error. @throws ConfigError */
function checkServerUrl(serverUrl: string, allowHttp: boolean): void {
  try {
    checkEndpointUrl(url.read(serverUrl, URL_NAME), { allowHttp, proxy: 'environment' }, URL_NAME);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(URL_NAME, error.problem.replace('allowHttp', `${HTTP_NAME}=true`));
  }
}

function readFlag(values: Values, name: keyof Values): boolean | undefined {
  const value = values[name]?.toLowerCase();
  if (value === undefined) return undefined;
  if (value === 'true' || value === 'false') return value === 'true';
  throw new ConfigError(name, 'expected true or false');
}

/**
 * Finds the key of the system: the one that has signed the system token. The token may have
 * expired, because only its key matters. Warns if the token cannot be read, or no key signed it.
 */
async function findSystemKey(
  file: string,
  subject: string,
  keys: readonly PublicKeyFile[],
): Promise<PublicKeyFile | undefined> {
  const text = await readTextFile(file);
  const token = text?.trim() ?? '';
  for (const key of keys) {
    if (isSignedBy(token, (await readTextFile(key.file)) ?? '', key.algorithm, subject)) return key;
  }
  // Without keys, the server may vouch for the token.
  if (text !== undefined && keys.length === 0) return undefined;
  const reason =
    text === undefined
      ? `${file} cannot be read: ${await whyUnreadable(file)}`
      : 'no key verifies it as the system';
  const effect = keys.length > 0 ? ', so no token is accepted as the token of the system' : '';
  warn('LATCHKEY_UNAVAILABLE', `SYSTEM_TOKEN: ${reason}${effect}`);
  return undefined;
}

/** Why `readTextFile` found nothing: the code of the error, or the file is too long or no file. */
async function whyUnreadable(file: string): Promise<string> {
  return access(file, constants.R_OK).then(() => 'not a small file', codeOf);
}
