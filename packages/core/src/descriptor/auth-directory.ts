// The directory of a service that makes its own keys: id_rsa, id_rsa.pub, and tokens signed with them. Private to its owner, and made once.
import { createPrivateKey, createPublicKey, type JsonWebKey } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { Clock } from '../clock.ts';
import { ConfigError } from '../errors.ts';
import { warn } from '../events.ts';
import { generateJwk } from '../secrets/generate.ts';
import { privateJwkFromPem } from '../secrets/pem.ts';
import { codeOf, writePrivateFile } from '../secrets/write-file.ts';
import { createSigner } from '../signing/signer.ts';
import type { JsonObject } from '../token/json.ts';

/** Where the files are. All paths are absolute. */
export interface AuthDirectory {
  readonly privateKey: string;
  readonly publicKey: string;
  readonly systemToken: string;
  /** The paths that were made by this call. */
  readonly made: readonly string[];
}

/** How a directory and its tokens are made. */
export interface AuthDirectoryOptions {
  /** Default `.auth` in the current directory. */
  readonly directory?: string | undefined;
  /** The `iss` of tokens. Default: this machine's name. */
  readonly issuer?: string | undefined;
  /** The `aud` of tokens. Default: none. */
  readonly audience?: string | readonly string[] | undefined;
  /** The `sub` of the system token. Default `okera`. */
  readonly systemSubject?: string | undefined;
  /** For `exp`. Default `Date`. */
  readonly clock?: Clock | undefined;
}

/** A token that was made, and where it was saved. */
export interface SavedToken {
  readonly file: string;
  readonly token: string;
}

/** The algorithm of all that is signed with the directory's key. */
export const AUTH_ALGORITHM = 'RS512';
/** The subject of the system token, where nothing else is said. */
export const SYSTEM_SUBJECT = 'okera';
/** The group that the system token is of. */
export const SYSTEM_GROUP = 'root';

const LIFETIME_DAYS = 100;
/** A system token with less left is made anew at the next start. */
const RENEW_DAYS = 10;
const DAY_MS = 86_400_000;
const NO_SIGNAL = new AbortController().signal;

/**
 * Makes whatever is missing: a directory with a key pair and a system token; beside a key pair that is there already, the token; and a new
 * token in the place of one that has expired, or will within ten days. Two processes that start at once get the same.
 */
export async function openAuthDirectory(options: AuthDirectoryOptions = {}): Promise<AuthDirectory> {
  const path = pathOf(options);
  const made: string[] = [];
  if (!(await exists(join(path, 'id_rsa')))) {
    if (await makeWhole(path, options)) made.push('id_rsa', 'id_rsa.pub', 'system.token');
  }
  await refuseIfShared(path);
  if (!(await exists(join(path, 'id_rsa.pub')))) {
    await writePrivateFile(join(path, 'id_rsa.pub'), await publicPem(path), NO_SIGNAL);
    made.push('id_rsa.pub');
  }
  if (await isDue(join(path, 'system.token'), options.clock ?? Date)) {
    await saveSystemToken(path, options);
    made.push('system.token');
  }
  return {
    privateKey: join(path, 'id_rsa'),
    publicKey: join(path, 'id_rsa.pub'),
    systemToken: join(path, 'system.token'),
    made: made.map((name) => join(path, name)),
  };
}

/**
 * Makes a key pair and a system token in any case.
 * @param force puts them in the place of a pair that is there: no token of that is good any more
 * @throws ConfigError if there is a pair, without `force`
 */
export async function initAuthDirectory(
  options: AuthDirectoryOptions & { readonly force?: boolean | undefined } = {},
): Promise<AuthDirectory> {
  const path = pathOf(options);
  if (await exists(join(path, 'id_rsa'))) {
    if (options.force !== true)
      throw new ConfigError('directory', 'has a key pair already; its tokens would be good no more');
    await writeKeys(path);
    await saveSystemToken(path, options);
  }
  const { made, ...files } = await openAuthDirectory(options);
  return { ...files, made: made.length > 0 ? made : Object.values(files) };
}

/**
 * Makes a token for a user, good for 100 days, and saves it beside the key.
 * @throws ConfigError for a name that is the system's, or that no file can have
 */
export async function createUserToken(
  username: string,
  groups: readonly string[],
  options: AuthDirectoryOptions = {},
): Promise<SavedToken> {
  const file = userTokenFile(username, options);
  const token = await sign(pathOf(options), { sub: username, groups }, options);
  await writePrivateFile(file, Buffer.from(`${token}\n`), NO_SIGNAL);
  return { file, token };
}

/** Where the token of a user is saved. @throws ConfigError */
export function userTokenFile(username: string, options: AuthDirectoryOptions = {}): string {
  if (username === (options.systemSubject ?? SYSTEM_SUBJECT) || username.toLowerCase() === 'system')
    throw new ConfigError('username', 'is the system; nobody else is called so');
  // One path segment, whatever it holds: a name of its own, and no hidden file.
  const name = encodeURIComponent(username.isWellFormed() ? username : '').replace(/^\./, '%2E');
  if (name === '' || name.length > 200 || /[\p{Cc}]/u.test(username))
    throw new ConfigError('username', 'expected a name of 1 to 200 characters');
  return join(pathOf(options), `${name}.token`);
}

/** @returns false if another process was faster */
async function makeWhole(path: string, options: AuthDirectoryOptions): Promise<boolean> {
  if (await exists(path)) {
    // Somebody's directory, with files of theirs.
    await writeKeys(path);
    await saveSystemToken(path, options);
    return true;
  }
  const draft = `${path}.${process.pid}.${crypto.randomUUID()}`;
  try {
    await writeKeys(draft);
    await saveSystemToken(draft, options);
    await rename(draft, path);
    return true;
  } catch (error) {
    if (await exists(join(path, 'id_rsa'))) return false;
    throw new Error(`the keys cannot be written: ${codeOf(error)}`);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function writeKeys(path: string): Promise<void> {
  const jwk = await generateJwk(AUTH_ALGORITHM);
  const key = createPrivateKey({ key: { ...jwk } as JsonWebKey, format: 'jwk' });
  await mkdir(path, { recursive: true, mode: 0o700 });
  // First of all: from then on, nothing of it gets into a repository.
  await writePrivateFile(join(path, '.gitignore'), Buffer.from('*\n'), NO_SIGNAL);
  const pem = key.export({ type: 'pkcs8', format: 'pem' });
  await writePrivateFile(join(path, 'id_rsa'), Buffer.from(pem), NO_SIGNAL);
  await writePrivateFile(join(path, 'id_rsa.pub'), await publicPem(path), NO_SIGNAL);
}

async function publicPem(path: string): Promise<Buffer> {
  const key = createPublicKey(await readFile(join(path, 'id_rsa'), 'utf8'));
  return Buffer.from(key.export({ type: 'spki', format: 'pem' }));
}

async function saveSystemToken(path: string, options: AuthDirectoryOptions): Promise<void> {
  const claims = { sub: options.systemSubject ?? SYSTEM_SUBJECT, groups: [SYSTEM_GROUP] };
  const token = await sign(path, claims, options);
  await writePrivateFile(join(path, 'system.token'), Buffer.from(`${token}\n`), NO_SIGNAL);
}

async function sign(path: string, claims: object, options: AuthDirectoryOptions): Promise<string> {
  let pem: string;
  try {
    pem = await readFile(join(path, 'id_rsa'), 'utf8');
  } catch (error) {
    throw new ConfigError('directory', `has no private key that can be read: ${codeOf(error)}`);
  }
  const signer = createSigner({
    jwks: { keys: [privateJwkFromPem(pem) as JsonObject] },
    alg: AUTH_ALGORITHM,
    issuer: options.issuer ?? hostname(),
    audience: options.audience,
    expiresIn: `${LIFETIME_DAYS}d`,
    clock: options.clock,
  });
  return signer.sign({ ...claims });
}

/** A key that others of this machine can read is a key of theirs. */
async function refuseIfShared(path: string): Promise<void> {
  const { mode } = await stat(join(path, 'id_rsa'));
  if ((mode & 0o077) !== 0)
    warn('LATCHKEY_UNSAFE', 'the private key can be read by others of this machine; chmod 600 it');
}

/** What the token says of itself is not verified: this service has made it. */
async function isDue(file: string, clock: Clock): Promise<boolean> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch {
    return true;
  }
  try {
    const { exp } = JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return typeof exp === 'number' && exp * 1000 - clock.now() < RENEW_DAYS * DAY_MS;
  } catch {
    return true;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function pathOf({ directory = '.auth' }: AuthDirectoryOptions): string {
  return resolve(directory);
}
