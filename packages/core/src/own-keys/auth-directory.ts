// The directory of a service that makes its own keys: id_rsa, id_rsa.pub, and tokens signed with
// the key. It is private to its owner. Existing keys are never replaced without `force`.
import { createPrivateKey, createPublicKey, type JsonWebKey, randomUUID } from 'node:crypto';
import { link, lstat, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { isIdentifier } from '../claims/identifier.ts';
import { ConfigError } from '../errors.ts';
import { generateJwk } from '../jwk/generate.ts';
import { importPem } from '../keysets/public-keys.ts';
import { readTextFile } from '../secrets/directory.ts';
import { privateJwkFromPem, publicJwkFromPem } from '../secrets/pem.ts';
import { refuseLink, writePrivateFile } from '../secrets/write-file.ts';
import { createSigner } from '../signing/signer.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import { parseToken } from '../token/parse.ts';
import { type Clock, readClock } from '../values/clock.ts';
import { boolean, oneOrMany, text } from '../values/option.ts';
import { argument, readEach, readText } from '../values/readers.ts';
import { codeOf } from '../values/system-error.ts';
import { refuseForeign } from './ownership.ts';

/** The files of a directory. All paths are absolute. */
export interface AuthDirectory {
  readonly privateKey: string;
  readonly publicKey: string;
  readonly systemToken: string;
  /** The paths of the files that this call created. */
  readonly made: readonly string[];
}

type Files = Omit<AuthDirectory, 'made'>;

/** The options of a directory and its tokens. */
export interface AuthDirectoryOptions {
  /** Default `.auth` in the current directory. */
  readonly directory?: string;
  /** The `iss` of tokens. Default: the host name of this machine. */
  readonly issuer?: string;
  /** The `aud` of tokens. Default: none. */
  readonly audience?: string | readonly string[];
  /** The `sub` of the system token. Default `okera`. */
  readonly systemSubject?: string;
  /** The clock for `exp`. Default `Date`. */
  readonly clock?: Clock;
}

/** A token, and the file that it was saved to. */
export interface SavedToken {
  readonly file: string;
  readonly token: string;
}

/** The algorithm of all tokens signed with the directory's key. */
export const AUTH_ALGORITHM = 'RS512';
/** The default subject of the system token. */
export const SYSTEM_SUBJECT = 'okera';
/** The group of the system token. */
export const SYSTEM_GROUP = 'root';

const IGNORE_ALL = '*\n';
const LIFETIME_DAYS = 100;
/** A system token that expires sooner is replaced at the next start. */
const RENEW_DAYS = 10;
const DAY_MS = 86_400_000;
const MAX_TOKEN_BYTES = 16 * 1024;

/**
 * Creates the parts that are missing. Without a directory: the directory with a key pair and a
 * system token. With a key pair: the system token. A system token that has expired, or expires
 * within ten days, is replaced. Two processes that start at the same time get the same keys.
 * @throws ConfigError for a directory or files that another user owns or may write, and for secrets
 *   that others may read
 * @example
 * ```ts
 * const { publicKey, systemToken } = await openAuthDirectory({ directory: '/var/lib/me/.auth' });
 * ```
 */
export async function openAuthDirectory(
  ...given: readonly [options?: AuthDirectoryOptions]
): Promise<AuthDirectory> {
  const options = readDirectoryOptions(given);
  const path = pathOf(options);
  const files = filesIn(path);
  if (!(await exists(path)) && (await makeWhole(path, options)))
    return { ...files, made: Object.values(files) };
  await refuseForeignIn(files);
  const made: string[] = [];
  if (!(await exists(files.privateKey)) && (await makeKey(files))) made.push(files.privateKey);
  if (!(await exists(files.publicKey)) && (await putNew(files.publicKey, await publicPem(files))))
    made.push(files.publicKey);
  await refuseOtherHalf(files);
  if (await isDue(files, options)) {
    await saveSystemToken(files, options);
    made.push(files.systemToken);
  }
  return { ...files, made };
}

/**
 * Makes a new key pair and a system token. For an existing private key it makes what is missing:
 * the public key, and a system token that is signed with it and does not expire soon.
 * @param force replaces an existing key pair; all tokens signed with the old key become invalid
 * @throws ConfigError if nothing is missing and `force` is not set
 * @example
 * ```ts
 * const { made } = await initAuthDirectory({ force: true });
 * ```
 */
export async function initAuthDirectory(
  ...given: readonly [options?: AuthDirectoryOptions & { readonly force?: boolean }]
): Promise<AuthDirectory> {
  const { force, ...options } = readDirectoryOptions(given);
  const files = filesIn(pathOf(options));
  if (force !== true || !(await exists(files.privateKey))) {
    const opened = await openAuthDirectory(options);
    if (opened.made.length > 0) return opened;
    throw new ConfigError(
      'directory',
      'already has a key pair and a system token; replacing the pair makes its tokens invalid',
    );
  }
  // All files are replaced, so only the directory itself must belong to this user.
  await refuseForeign({ directory: dirname(files.privateKey), secret: [], open: [] });
  // Before the first write, because a new private key with the old public key is not a pair.
  for (const path of Object.values(files)) await refuseIrregular(path);
  await write(files.privateKey, await newKey());
  await write(files.publicKey, await publicPem(files));
  await saveSystemToken(files, options);
  return { ...files, made: Object.values(files) };
}

/**
 * Makes a token for a user, valid for 100 days, and saves it next to the key.
 * @throws ConfigError for the name of the system, and for a name that cannot be a file name
 * @example
 * ```ts
 * const { file, token } = await createUserToken('alice', ['readers']);
 * ```
 */
export async function createUserToken(
  username: string,
  groups: readonly string[],
  ...given: readonly [options?: AuthDirectoryOptions]
): Promise<SavedToken> {
  const options = readDirectoryOptions(given);
  const file = userTokenFile(username, options);
  if (!Array.isArray(groups) || !groups.every((group) => typeof group === 'string'))
    throw new ConfigError('groups', 'expected a list of names');
  if (groups.includes(SYSTEM_GROUP))
    throw new ConfigError(
      'groups',
      `expected other groups than ${SYSTEM_GROUP}, which is for the system alone`,
    );
  const files = filesIn(pathOf(options));
  await refuseForeignIn(files);
  const token = await sign(files, { sub: username, groups }, options);
  await write(file, `${token}\n`);
  return { file, token };
}

/**
 * The path of the token of a user.
 * @throws ConfigError
 * @example
 * ```ts
 * const file = userTokenFile('alice'); // <current directory>/.auth/…
 * ```
 */
export function userTokenFile(username: string, ...given: readonly [options?: AuthDirectoryOptions]): string {
  const options = readDirectoryOptions(given);
  readText(username, 'username');
  if (username === (options.systemSubject ?? SYSTEM_SUBJECT) || username.toLowerCase() === 'system')
    throw new ConfigError(
      'username',
      'expected another name than the name of the system, whose token is made with its keys',
    );
  // Encoded as one path segment: a unique name, and never a hidden file.
  const name = encodeURIComponent(username.isWellFormed() ? username : '').replace(/^\./, '%2E');
  if (name === '' || name.length > 200 || !isIdentifier(username))
    throw new ConfigError('username', 'expected a name of 1 to 200 characters');
  return join(pathOf(options), `${name}.token`);
}

/** Refuses what a file cannot take the place of. @throws ConfigError */
async function refuseIrregular(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats?.isFile() === false)
    throw new ConfigError('directory', `expected ${basename(path)} to be a regular file; remove it`);
}

/**
 * A directory with all that belongs in it, in place at once.
 * @returns false if another process was faster
 */
async function makeWhole(path: string, options: AuthDirectoryOptions): Promise<boolean> {
  const draft = `${path}.${randomUUID()}`;
  const files = filesIn(draft);
  try {
    // Written first, so that no other file can get into a repository.
    await write(join(draft, '.gitignore'), IGNORE_ALL);
    await write(files.privateKey, await newKey());
    await write(files.publicKey, await publicPem(files));
    await saveSystemToken(files, options);
    await rename(draft, path);
    return true;
  } catch (error) {
    if (await exists(path)) return false;
    throw new Error(`the keys cannot be written: ${codeOf(error)}`);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/**
 * Creates a key pair in an existing directory, next to files of the user.
 * @returns false if another process was faster
 */
async function makeKey({ privateKey, publicKey }: Files): Promise<boolean> {
  if (await exists(publicKey))
    throw new ConfigError('directory', 'expected a private key next to the public key; add it');
  await putNew(join(dirname(privateKey), '.gitignore'), IGNORE_ALL);
  return putNew(privateKey, await newKey());
}

/**
 * Creates a whole file if there is none.
 * @returns false if the file exists: of several processes, only one creates it
 */
async function putNew(file: string, text: string): Promise<boolean> {
  await refuseLink(file);
  const draft = join(dirname(file), `.${randomUUID()}.tmp`);
  try {
    await write(draft, text);
    await link(draft, file);
    return true;
  } catch (error) {
    if (await exists(file)) return false;
    throw new Error(`the file cannot be written: ${codeOf(error)}`);
  } finally {
    await rm(draft, { force: true });
  }
}

async function newKey(): Promise<string> {
  const jwk = await generateJwk(AUTH_ALGORITHM);
  const key = createPrivateKey({ key: { ...jwk } as JsonWebKey, format: 'jwk' });
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

async function publicPem({ privateKey }: Files): Promise<string> {
  return createPublicKey(await readPem(privateKey))
    .export({ type: 'spki', format: 'pem' })
    .toString();
}

async function saveSystemToken(files: Files, options: AuthDirectoryOptions): Promise<void> {
  const claims = { sub: options.systemSubject ?? SYSTEM_SUBJECT, groups: [SYSTEM_GROUP] };
  await write(files.systemToken, `${await sign(files, claims, options)}\n`);
}

async function sign({ privateKey }: Files, claims: object, options: AuthDirectoryOptions): Promise<string> {
  const signer = createSigner({
    jwks: { keys: [privateJwkFromPem(await readPem(privateKey))] },
    alg: AUTH_ALGORITHM,
    issuer: options.issuer ?? hostname(),
    ...(options.audience === undefined ? {} : { audience: options.audience }),
    expiresIn: `${LIFETIME_DAYS}d`,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  return signer.sign({ ...claims });
}

async function readPem(file: string): Promise<string> {
  const text = await readTextFile(file);
  if (text === undefined) throw new ConfigError('directory', 'expected a readable private key');
  return text;
}

function write(file: string, text: string): Promise<void> {
  return writePrivateFile(file, Buffer.from(text), new AbortController().signal);
}

/**
 * Refuses keys that another user owns, and private keys that other users can read.
 * @throws ConfigError
 */
function refuseForeignIn({ privateKey, publicKey, systemToken }: Files): Promise<void> {
  return refuseForeign({
    directory: dirname(privateKey),
    secret: [privateKey, systemToken],
    open: [publicKey],
  });
}

/**
 * Refuses a public key that is not of the private one, as a new pair leaves them that was not
 * written to its end: tokens that are signed here would be good nowhere. One half by itself is
 * fine. @throws ConfigError
 */
async function refuseOtherHalf(files: Files): Promise<void> {
  const [given, made] = await Promise.all([
    readTextFile(files.publicKey).then((pem) => modulusOf(pem ?? '')),
    publicPem(files).then(modulusOf, () => undefined),
  ]);
  if (given === undefined || made === undefined || given === made) return;
  throw new ConfigError(
    'directory',
    'expected id_rsa.pub to be the public half of id_rsa, got that of another key; make both anew with force, or put the right one there',
  );
}

/** What tells one RSA key from another. @returns undefined for what is none */
function modulusOf(pem: string): unknown {
  try {
    return publicJwkFromPem(pem).n;
  } catch {
    return undefined;
  }
}

/** A token that is missing, of another key or another subject, or near its end. */
async function isDue({ systemToken, publicKey }: Files, options: AuthDirectoryOptions): Promise<boolean> {
  const [token, pem] = await Promise.all(
    [systemToken, publicKey].map(async (file) => {
      return (await readTextFile(file))?.trim() ?? '';
    }),
  );
  const subject = options.systemSubject ?? SYSTEM_SUBJECT;
  if (!isSignedBy(token ?? '', pem ?? '', AUTH_ALGORITHM, subject)) return true;
  const { exp } = parseToken(token ?? '', MAX_TOKEN_BYTES).claims;
  const nowMs = (options.clock ?? Date).now();
  return typeof exp === 'number' && exp * 1000 - nowMs < RENEW_DAYS * DAY_MS;
}

/** True for a token of this subject that is signed with this key, expired or not. */
export function isSignedBy(token: string, pem: string, algorithm: AlgorithmName, subject: string): boolean {
  try {
    const { header, claims, signingInput, signature } = parseToken(token, MAX_TOKEN_BYTES);
    const key = importPem(pem, algorithm, { origin: 'public' });
    if ('reason' in key || header.alg !== algorithm || claims.sub !== subject) return false;
    return key.verifiers.get(algorithm)?.(signingInput, signature) === true;
  } catch {
    return false;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function filesIn(path: string): Files {
  return {
    privateKey: join(path, 'id_rsa'),
    publicKey: join(path, 'id_rsa.pub'),
    systemToken: join(path, 'system.token'),
  };
}

/** Reads the options of a call, which may be absent. @throws ConfigError */
function readDirectoryOptions(
  given: readonly [options?: AuthDirectoryOptions & { readonly force?: boolean }],
): AuthDirectoryOptions & { readonly force?: boolean } {
  return readEach(argument(given, 'options', {}), {
    directory: readText,
    issuer: readText,
    audience: oneOrMany(text).read,
    systemSubject: readText,
    clock: readClock,
    force: boolean.read,
  });
}

function pathOf({ directory = '.auth' }: AuthDirectoryOptions): string {
  return resolve(directory);
}
