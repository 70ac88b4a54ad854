// The zero-configuration start: reads five settings, from the environment or a file of `KEY: value`
// lines, and makes the options from them. It starts no server.

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

const NAMES = [
  'ENABLE_JWT',
  'JWT_PUBLIC_KEY',
  'JWT_ALGORITHM',
  'JWT_AUTHENTICATION_SERVER_URL',
  'JWT_AUTHENTICATION_SERVER_ALLOW_HTTP',
  'JWT_AUTHENTICATION_SERVER_SYSTEM',
  'SYSTEM_TOKEN',
] as const;
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
  const ownNames = [
    'JWT_PUBLIC_KEY',
    'JWT_ALGORITHM',
    'JWT_AUTHENTICATION_SERVER_URL',
    'SYSTEM_TOKEN',
  ] as const;
  const hasOwn = ownNames.some((name) => values[name] !== undefined);
  refuseUnlessEnabled(values.ENABLE_JWT, hasOwn);
  const made = hasOwn ? undefined : await openAuthDirectory(directoryOptionsOf(options));
  if (made !== undefined && made.made.length > 0)
    warn('LATCHKEY_GENERATED', `ENABLE_JWT is the only setting: created ${made.made.join(', ')}`);
  const keys =
    made === undefined ? readKeys(values) : [{ file: made.publicKey, algorithm: AUTH_ALGORITHM } as const];
  const systemToken = made?.systemToken ?? readPath(values.SYSTEM_TOKEN, 'SYSTEM_TOKEN');
  if (systemToken === undefined)
    warn('LATCHKEY_UNAVAILABLE', 'SYSTEM_TOKEN is not set: calls to other services carry no token');
  const subject = systemSubject ?? SYSTEM_SUBJECT;
  const remote = readRemote(values, keys.length > 0);
  const system = systemToken === undefined ? undefined : await findSystemKey(systemToken, subject, keys);
  const keySets = keys.map(
    (key): KeysetOptions => ({ publicKeys: [key], ...(key === system ? { system: true } : {}) }),
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
    made: made?.made ?? [],
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

function refuseUnlessEnabled(enabled: string | undefined, hasOwn: boolean): void {
  if (enabled === undefined && hasOwn) return;
  if (enabled === undefined)
    throw new ConfigError(
      'ENABLE_JWT',
      'expected a setting that turns JWT on; set it to true, or set the others',
    );
  if (!/^true$/i.test(enabled))
    throw new ConfigError('ENABLE_JWT', 'expected true, because other values turn JWT off');
}

async function readSettingsFile(file: string): Promise<Values> {
  const text = await readTextFile(file);
  if (text === undefined) throw new ConfigError('file', `cannot be read: ${await whyNot(file)}`);
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

const URL_NAME = 'JWT_AUTHENTICATION_SERVER_URL';
const HTTP_NAME = 'JWT_AUTHENTICATION_SERVER_ALLOW_HTTP';
const SYSTEM_NAME = 'JWT_AUTHENTICATION_SERVER_SYSTEM';

function readRemote(values: Values, hasKeys: boolean): Pick<AuthenticatorOptions, 'remote'> {
  const written = values[URL_NAME];
  if (written === undefined) return {};
  const allowHttp = readFlag(values, HTTP_NAME) === true;
  const isSystem = readFlag(values, SYSTEM_NAME);
  refuseServerUrl(written, allowHttp);
  if (isSystem === undefined && values.SYSTEM_TOKEN !== undefined && !hasKeys)
    throw new ConfigError(
      SYSTEM_NAME,
      'expected true or false, because no JWT_PUBLIC_KEY vouches for the system: true lets the server ' +
        'vouch for it, false refuses its tokens here',
    );
  return {
    remote: {
      url: written,
      allowHttp,
      ...(hasKeys ? { onReject: 'next', onError: 'next' } : {}),
      ...(isSystem === true ? { system: true } : {}),
    },
  };
}

/** Refuses what `remote.url` would, with the names of the settings. @throws ConfigError */
function refuseServerUrl(written: string, allowHttp: boolean): void {
  try {
    checkEndpointUrl(url.read(written, URL_NAME), { allowHttp, proxy: 'environment' }, URL_NAME);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(URL_NAME, error.problem.replace('allowHttp', `${HTTP_NAME}=true`));
  }
}

function readFlag(values: Values, name: keyof Values): boolean | undefined {
  const value = values[name]?.toLowerCase();
  if (value === undefined || value === 'true' || value === 'false')
    return value === undefined ? undefined : value === 'true';
  throw new ConfigError(name, 'expected true or false');
}

/**
 * Finds the key that has signed the system token: it is the system's key. The token may have
 * expired, because only its key matters.
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
  const reason =
    text === undefined ? `${file} cannot be read: ${await whyNot(file)}` : 'no key verifies it as the system';
  if (keys.length > 0 || text === undefined)
    warn(
      'LATCHKEY_UNAVAILABLE',
      `SYSTEM_TOKEN: ${reason}${keys.length > 0 ? ', so no token is accepted as the token of the system' : ''}`,
    );
  return undefined;
}

async function whyNot(file: string): Promise<string> {
  return access(file, constants.R_OK).then(() => 'not a small file', codeOf);
}
