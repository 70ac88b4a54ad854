// A keyset whose JWK Set is written in the options. Its keys never change and are never fetched.
import { asError, ConfigError } from '../errors.ts';
import { type ImportedJwks, importJwks, type JwkSet, type KeyPolicy, membersOf } from '../jwk/import-jwks.ts';
import { EXPOSED } from '../jwk/import-key.ts';
import { kindOf } from '../values/kind.ts';
import { isPromise } from '../values/promise.ts';
import { createSnapshot, type KeySelection, type Keyset, publishChanges } from './keyset.ts';

/** The settings of an inline keyset. */
interface InlineKeysetSettings {
  readonly name: string;
  readonly issuer: string | undefined;
  readonly policy: KeyPolicy;
  readonly selection: KeySelection;
  readonly jwks: JwkSet;
  /** The monotonic time, in milliseconds. Default: `performance.now()`. */
  readonly monotonic?: () => number;
}

/**
 * Makes a keyset of fixed keys. Keys that cannot be used are skipped, as in any JWK Set.
 * @throws ConfigError if no key can be used, or if a private or symmetric key is among them
 */
export function createInlineKeyset(settings: InlineKeysetSettings): Keyset {
  const { name, issuer, policy, selection, jwks, monotonic = () => performance.now() } = settings;
  const imported = importInline({ name, jwks, policy });
  const snapshot = createSnapshot(imported.keys, imported.skipped);
  const since = monotonic();
  publishChanges({ name, issuer }, undefined, imported);
  return Object.freeze<Keyset>({
    name,
    issuer,
    allowed: policy.allowed,
    selection,
    keys: () => snapshot,
    refetch: () => snapshot,
    ready: () => Promise.resolve(),
    isLoaded: () => true,
    report: () => ({
      keyset: name,
      issuer,
      source: 'jwks',
      state: 'fresh',
      kids: snapshot.keys.map(({ kid }) => kid),
      skipped: snapshot.skipped,
      ageMs: Math.round(monotonic() - since),
      failures: 0,
      lastError: undefined,
      nextAttemptInMs: undefined,
    }),
    close: () => Promise.resolve(),
  });
}

/**
 * Reads a JWK Set in the options, and copies it, so that later changes to the application's object
 * have no effect.
 * @throws ConfigError
 */
export function readInlineSet(value: unknown, path: string): JwkSet {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw noSet(value, path);
  let copy: unknown;
  try {
    copy = structuredClone(value);
  } catch (cause) {
    throw noSet(value, path, cause);
  }
  try {
    if (membersOf(copy).length > 0) return copy as JwkSet;
  } catch (cause) {
    throw new ConfigError(path, asError(cause).message, { cause });
  }
  throw new ConfigError(path, 'expected at least one key, got an empty list');
}

function noSet(value: unknown, path: string, cause?: unknown): ConfigError {
  const got = `got ${kindOf(value)}${insteadOf(value)}`;
  return new ConfigError(path, `expected a JWK Set, { keys: [ … ] }, ${got}`, { cause });
}

/** What to write in place of a value that people take for a JWK Set. */
function insteadOf(value: unknown): string {
  if (value instanceof URL) return "; write jwksUrl: 'https://…'";
  if (Array.isArray(value)) return '; put it into { keys: … }';
  if (isPromise(value)) return '; await it first';
  if (typeof value !== 'string') return '';
  if (/^https?:/i.test(value)) return " with a URL; write jwksUrl: 'https://…'";
  if (/^\s*\{/.test(value)) return ' with JSON; parse it first';
  if (value.includes('-----BEGIN')) return " with PEM; write publicKeys: [{ pem: '…', algorithm: 'RS256' }]";
  return '; for a file, pass its content, as JSON.parse reads it';
}

/** Imports the keys of an inline keyset. @throws ConfigError like `createInlineKeyset` */
export function importInline({
  name,
  jwks,
  policy,
}: Pick<InlineKeysetSettings, 'name' | 'jwks' | 'policy'>): ImportedJwks {
  const path = `${name}.jwks`;
  const imported = importJwks(jwks, policy);
  if (imported.skipped.some(({ reason }) => reason === EXPOSED)) {
    throw new ConfigError(
      path,
      `a key ${EXPOSED}; leave only public keys here, and name secrets with "secret"`,
    );
  }
  if (imported.keys.length === 0) {
    const reasons = imported.skipped.map(({ reason }) => reason).join('; ');
    throw new ConfigError(path, `no usable key${reasons === '' ? '' : `: ${reasons}`}`);
  }
  return imported;
}
