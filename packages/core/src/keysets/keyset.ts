// The interface of a keyset to the rest of core, and a snapshot of its keys. Sources and refreshing
// are in the other files of this folder.
import { publish } from '../events.ts';
import type { ImportedJwks, SkippedKey, VerificationKey } from '../jwk/import-jwks.ts';
import type { SourceState } from '../net/refresh.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import type { UnverifiedHeader } from '../token/parse.ts';
import type { AcceptedKey } from './accepted.ts';
import type { IssuerTemplate } from './issuer-template.ts';

/** The keys of one issuer at one moment. It is replaced as a whole, never changed. */
export interface KeySnapshot {
  /** A unique number: identifies the snapshot without keeping it in memory. */
  readonly id: number;
  /** In the order of the source. */
  readonly keys: readonly VerificationKey[];
  readonly byKid: ReadonlyMap<string, readonly VerificationKey[]>;
  /** By the thumbprints of certificates, for tokens without a kid. Empty if no key has one. */
  readonly byX5t: ReadonlyMap<string, readonly VerificationKey[]>;
  readonly byX5tS256: ReadonlyMap<string, readonly VerificationKey[]>;
  /** The first key for each algorithm, used for tokens without a kid. */
  readonly firstFor: ReadonlyMap<AlgorithmName, VerificationKey>;
  /** The members of the set that cannot be used. */
  readonly skipped: readonly SkippedKey[];
}

/** How keys are chosen when the token's kid does not identify one. */
export interface KeySelection {
  /**
   * A token without a kid: `first` tries the first key that takes its algorithm, and only that;
   * `try-all` tries four of them at most; `refuse` refuses it.
   */
  readonly kidless: 'first' | 'try-all' | 'refuse';
  /** Keys without a kid of their own (PEM files): each is tried in turn for any token. */
  readonly unnamed?: boolean | undefined;
}

/** The state of a keyset. Contains no key material. */
export interface KeysetReport {
  readonly keyset: string;
  readonly issuer: string | undefined;
  readonly source: string;
  /**
   * `fresh`: within its lifetime. `stale`: older, and used because the source fails. `empty`: there
   * are no usable keys. `loading`: the source is being read for the first time. `idle`: it has not
   * been read, because no token has needed it (`jwksHosts`, `loadAtStart: false`).
   */
  readonly state: SourceState;
  readonly kids: readonly (string | undefined)[];
  /** The keys of the source that cannot be used, and why. */
  readonly skipped: readonly SkippedKey[];
  /** Whole milliseconds since the keys in use were read. */
  readonly ageMs: number | undefined;
  /** Failed attempts in a row. */
  readonly failures: number;
  /** Why the last attempt failed, without secrets. Undefined if it did not fail. */
  readonly lastError: string | undefined;
  /** Whole milliseconds until the source is read again. Undefined if no reading is planned. */
  readonly nextAttemptInMs: number | undefined;
  /**
   * Until when tokens of its keys may still come, by the tokens that were accepted in this process
   * since it started: a key may be dropped from the set when `until` of its `kid` is past, in each
   * process. Keys that the keyset no longer has are listed too. Absent before the first token.
   */
  readonly accepted?: readonly AcceptedKey[];
  /** Of a keyset whose tenants each have keys of their own, whose `kids` are not listed. */
  readonly tenants?: TenantsReport;
}

/** The tenants of a keyset that have keys of their own. */
export interface TenantsReport {
  /** The tenants whose keys are kept, because they have verified a token. */
  readonly inUse: number;
  /** The tenants whose keys are read or kept, and have not verified a token yet. */
  readonly candidates: number;
  /** The tenants in use whose keys cannot be read now. */
  readonly failing: number;
}

/** The verification keys of one issuer, kept current. */
export interface Keyset {
  /** Its path in the options: `keySets[0]`. */
  readonly name: string;
  /** Undefined: the keyset is for tokens whose issuer no other keyset names. */
  readonly issuer: string | undefined;
  /** Of a keyset for many tenants: which issuers are of its form. Absent for every other one. */
  readonly template?: IssuerTemplate | undefined;
  /**
   * False: tokens of this issuer are refused, although the keyset is for issuers like it, and
   * cached ones count no longer. Absent: the keyset accepts every issuer that it is found for.
   * @throws AuthError `keyset_unavailable` (or rejects with it) if this cannot be decided
   */
  accepts?: ((issuer: string) => boolean | Promise<boolean>) | undefined;
  /** The keyset's `allowedAlgorithms`; undefined if the option is not set. */
  readonly allowed: ReadonlySet<AlgorithmName> | undefined;
  readonly selection: KeySelection;
  /**
   * Returns the keys in force: synchronously if they are loaded, else a promise that waits for the
   * first load.
   * @param header unverified; only a keyset with `jwksHosts` reads it
   * @param issuer of the token, unverified; a keyset with `jwksHosts`, and one for many tenants,
   *   read it
   * @throws AuthError `keyset_unavailable` (or rejects with it, if it had to wait)
   */
  keys(header: UnverifiedHeader, issuer?: string): KeySnapshot | Promise<KeySnapshot>;
  /**
   * Returns the keys after reading the source again, at most once per cooldown. For a kid that the
   * keys in force do not have.
   * @throws AuthError `keyset_unavailable` while the source fails (or rejects with it, if it had to
   *   read): the kid may be a new, valid one
   */
  refetch(header: UnverifiedHeader, issuer?: string): KeySnapshot | Promise<KeySnapshot>;
  /**
   * Records that a key of this keyset has verified a token. Absent if the keyset does not need it.
   */
  confirm?(header: UnverifiedHeader, issuer: string | undefined): void;
  /**
   * Resolves when keys are in force. Rejects after one attempt, with an Error whose message is for
   * the person who starts the service. Its `code` is `keyset_unavailable`.
   */
  ready(): Promise<void>;
  /** Reads the source for the first time, in the background. Absent if it is read when needed. */
  start?(): void;
  /** True if keys are in force, or none are needed before a token arrives. */
  isLoaded(): boolean;
  /**
   * Reads the source now, regardless of the cooldown. Rejects if there are no keys afterwards.
   * Absent if there is no source to read.
   */
  reload?(): Promise<unknown>;
  /** Sets the keyset's new path in the options, for its events and errors. */
  rename?(name: string): void;
  report(): KeysetReport;
  /** Stops all background work. */
  close(): Promise<void>;
}

let snapshots = 0;

/** Makes a snapshot of imported keys. */
export function createSnapshot(
  keys: readonly VerificationKey[],
  skipped: readonly SkippedKey[] = [],
): KeySnapshot {
  const firstFor = new Map<AlgorithmName, VerificationKey>();
  for (const key of keys) {
    for (const algorithm of key.verifiers.keys()) {
      if (!firstFor.has(algorithm)) firstFor.set(algorithm, key);
    }
  }
  return Object.freeze({
    id: snapshots++,
    keys: Object.freeze([...keys]),
    byKid: grouped(keys, ({ kid }) => kid),
    byX5t: grouped(keys, ({ x5t }) => x5t),
    byX5tS256: grouped(keys, ({ x5tS256 }) => x5tS256),
    firstFor,
    skipped,
  });
}

function grouped(
  keys: readonly VerificationKey[],
  nameOf: (key: VerificationKey) => string | undefined,
): ReadonlyMap<string, readonly VerificationKey[]> {
  const byName = new Map<string, VerificationKey[]>();
  for (const key of keys) {
    const name = nameOf(key);
    if (name === undefined) continue;
    const same = byName.get(name);
    if (same === undefined) byName.set(name, [key]);
    else same.push(key);
  }
  return byName;
}

/** Publishes which keys were added and removed between two states of a keyset. */
export function publishChanges(
  keyset: Pick<Keyset, 'name' | 'issuer'>,
  before: KeySnapshot | undefined,
  { keys, skipped }: ImportedJwks,
): void {
  const about = { keyset: keyset.name, issuer: keyset.issuer };
  const old = new Set(before?.keys.map(identity));
  const now = new Set(keys.map(identity));
  for (const key of keys) {
    if (!old.has(identity(key))) publish('latchkey:keyset:key-added', { ...about, kid: key.kid });
  }
  for (const key of before?.keys ?? []) {
    if (!now.has(identity(key))) publish('latchkey:keyset:key-removed', { ...about, kid: key.kid });
  }
  for (const { kid, reason } of skipped) publish('latchkey:keyset:key-skipped', { ...about, kid, reason });
}

function identity(key: VerificationKey): string {
  return JSON.stringify([key.kid ?? null, key.thumbprint]);
}
