// Lint rules about the directory of secrets: missing entries, permissions, and unusable keys. Reads
// files, and never writes.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readKeyset } from '../../keysets/options.ts';
import { readText } from '../../keysets/secret.ts';
import { readTextFile } from '../../secrets/directory.ts';
import { checkSecretName } from '../../secrets/store.ts';
import { findAlgorithm } from '../../token/algorithms.ts';
import type { UncheckedOptions } from '../../values/readers.ts';
import { codeOf } from '../../values/system-error.ts';
import { type FindingKind, foundBy, lintSet, NO_KEYS, setOf, type UnplacedFinding } from './jwks.ts';
import { isExposed } from './literals.ts';
import { itemsOf, keysetsOf, keysOf, membersOf, type Part, partsIn } from './rule.ts';

interface Reference {
  readonly path: string;
  readonly name: string;
  /** Entries of which one must exist. */
  readonly keys: readonly string[];
}

const RULES = {
  missing: {
    rule: 'secret-missing',
    severity: 'error',
    message: 'this secret does not exist',
    fix: 'make it with `latchkey secrets create` or `latchkey jwks generate`, or name one that exists',
  },
  readable: {
    rule: 'secret-readable-by-others',
    severity: 'error',
    message:
      'this file holds a private key or a secret, and other users of this machine can read or change it',
    fix: 'chmod 600 it, and its directory 700',
  },
  writable: {
    rule: 'secret-writable-by-others',
    severity: 'error',
    message: 'others of this machine can change this, and put keys of their own there',
    fix: 'chmod go-w it',
  },
  unreadable: {
    rule: 'secret-unreadable',
    severity: 'error',
    message: 'this secret cannot be read',
    fix: 'put a regular file there, that this user can read',
  },
} as const satisfies Record<string, FindingKind>;

const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

/** Looks at every secret that a descriptor names, and at all files of these secrets. */
export async function lintSecrets(
  jwt: UncheckedOptions,
  directory: string,
): Promise<readonly UnplacedFinding[]> {
  const references = referencesIn(jwt);
  const [first] = references;
  const found = await Promise.all([
    ...references.map((reference) => lintPresence(reference, directory)),
    ...(first === undefined ? [] : [lintDirectory(first.path, directory, 'the directory of secrets')]),
    ...firstOfEach(references).map((reference) => lintModes(reference, directory)),
    ...keysetsOf(jwt).map((keyset) => lintKeys(keyset, directory)),
  ]);
  return found.flat();
}

function referencesIn(jwt: UncheckedOptions): readonly Reference[] {
  const signing = membersOf(jwt.signing);
  const of = (value: unknown, path: string, keys?: readonly string[]): readonly Reference[] => {
    const { name, key = 'jwks.json' } = membersOf(value);
    const named = keys ?? [key];
    return [name, ...named].every(isName) ? [{ path, name: String(name), keys: named.map(String) }] : [];
  };
  const legacy = ({ path, value }: Part, verifies: boolean) =>
    of(value.secret, `${path}.secret`, entriesOf(value.algorithm, verifies));
  return [
    ...keysetsOf(jwt).flatMap(({ path, value }) => of(value.secret, `${path}.secret`)),
    ...keysOf(jwt).flatMap((key) => legacy(key, true)),
    ...of(membersOf(membersOf(jwt.remote).client).secret, 'remote.client.secret'),
    ...of(membersOf(membersOf(jwt.groups).endpoint).token, 'groups.endpoint.token'),
    ...of(signing.secret, 'signing.secret'),
    ...partsIn(signing.keys, 'signing.keys').flatMap((key) => legacy(key, false)),
  ];
}

function entriesOf(algorithm: unknown, verifies: boolean): readonly string[] {
  const isSymmetric = typeof algorithm === 'string' && findAlgorithm(algorithm)?.kty === 'oct';
  if (isSymmetric) return ['secret.key'];
  return verifies ? ['public.key', 'private.key'] : ['private.key'];
}

/** True for a valid name. An invalid name is refused elsewhere, and leads to no file. */
function isName(value: unknown): boolean {
  try {
    return typeof value === 'string' && checkSecretName(value, '') !== '';
  } catch {
    return false;
  }
}

function firstOfEach(references: readonly Reference[]): readonly Reference[] {
  return references.filter(
    ({ name }, index) => references.findIndex((other) => other.name === name) === index,
  );
}

async function lintPresence(
  { path, name, keys }: Reference,
  directory: string,
): Promise<readonly UnplacedFinding[]> {
  const reasons = await Promise.all(keys.map((key) => whyNot(join(directory, name, key))));
  if (reasons.includes(undefined)) return [];
  const other = reasons.find((reason) => reason !== 'ENOENT' && reason !== 'ENOTDIR');
  const about = `${name}/${keys.join(' or ')}`;
  return other === undefined
    ? [foundBy(RULES.missing, path, about)]
    : [foundBy(RULES.unreadable, path, `${about}: ${other}`)];
}

async function whyNot(file: string): Promise<string | undefined> {
  try {
    return (await stat(file)).isFile() ? undefined : 'not a regular file';
  } catch (error) {
    return codeOf(error);
  }
}

async function lintModes({ path, name }: Reference, directory: string): Promise<readonly UnplacedFinding[]> {
  // File modes have no meaning on Windows.
  if (process.platform === 'win32') return [];
  const entries = await readdir(join(directory, name)).catch(() => []);
  const found = await Promise.all(
    entries.sort().map(async (entry) => {
      const file = join(directory, name, entry);
      const stats = await stat(file).catch(() => undefined);
      if (stats?.isFile() !== true || (stats.mode & OTHERS) === 0) return [];
      const about = `${name}/${entry}`;
      if (await isPrivate(file, entry)) return [foundBy(RULES.readable, path, about)];
      return (stats.mode & OTHERS_WRITE) === 0 ? [] : [foundBy(RULES.writable, path, about)];
    }),
  );
  return [...(await lintDirectory(path, join(directory, name), name)), ...found.flat()];
}

/**
 * Who may write a directory replaces what is in it. In one that is sticky, as mounts of Kubernetes
 * are, only its owner does.
 */
async function lintDirectory(
  path: string,
  directory: string,
  about: string,
): Promise<readonly UnplacedFinding[]> {
  if (process.platform === 'win32') return [];
  const stats = await stat(directory).catch(() => undefined);
  const isOpen =
    stats?.isDirectory() === true && (stats.mode & OTHERS_WRITE) !== 0 && (stats.mode & STICKY) === 0;
  return isOpen ? [foundBy(RULES.writable, path, about)] : [];
}

/** True for everything except public keys. A file that cannot be read here may be a secret, too. */
async function isPrivate(file: string, entry: string): Promise<boolean> {
  const text = await readTextFile(file);
  if (text === undefined) return entry !== 'public.key';
  if (/^\s*-----BEGIN (?:RSA )?PUBLIC KEY-----[^-]*-----END (?:RSA )?PUBLIC KEY-----\s*$/.test(text))
    return false;
  const set = setOf(text);
  return set === undefined || itemsOf(set.keys).length === 0 || itemsOf(set.keys).some(isExposed);
}

async function lintKeys(keyset: Part, directory: string): Promise<readonly UnplacedFinding[]> {
  const { name, key = 'jwks.json' } = membersOf(keyset.value.secret);
  if (!isName(name) || !isName(key)) return [];
  const text = await readTextFile(join(directory, String(name), String(key)));
  // Another rule has already reported that the entry is missing.
  if (text === undefined) return [];
  const path = `${keyset.path}.secret`;
  const set = textSecretIn(keyset, text) ?? setOf(text);
  return set === undefined ? [foundBy(NO_KEYS, path)] : lintSet(keyset, set, path);
}

/**
 * The set of a secret that is a text; undefined for JSON, and for what core refuses at the start.
 */
function textSecretIn({ path, value }: Part, text: string): UncheckedOptions | undefined {
  try {
    const settings = readKeyset(value, path);
    return settings.source === 'secret' ? readText(Buffer.from(text), settings) : undefined;
  } catch {
    return undefined;
  }
}
