// What a keyset is to the rest of core, and the set of keys that it holds at one moment. Sources
// and refreshing lie beside it.
import { publish } from '../events.ts';
import type { ImportedJwks, VerificationKey } from '../jwk/import-jwks.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import type { UnverifiedHeader } from '../token/parse.ts';

/** The keys of one issuer at one moment. Replaced whole, never changed. */
export interface KeySnapshot {
  /** Its own: to know it again without holding it. */
  readonly id: number;
  /** In the source's order. */
  readonly keys: readonly VerificationKey[];
  readonly byKid: ReadonlyMap<string, readonly VerificationKey[]>;
  /** The first key that takes an algorithm, for tokens without a kid. */
  readonly firstFor: ReadonlyMap<AlgorithmName, VerificationKey>;
}

/** How keys are chosen where the token's kid does not say which. */
export interface KeySelection {
  /**
   * A token without a kid: `first` tries the first key that takes its algorithm, and only that;
   * `try-all` tries four of them at most; `refuse` refuses it.
   */
  readonly kidless: 'first' | 'try-all' | 'refuse';
  /** Keys that were given without a kid (PEM files) are tried one after the other for any token. */
  readonly unnamed?: boolean | undefined;
}

/** How a keyset fares. Holds no key material. */
export interface KeysetReport {
  readonly keyset: string;
  readonly issuer: string | undefined;
  readonly source: string;
  /**
   * `fresh`: within its lifetime. `stale`: older, in use because the source fails. `empty`: nothing
   * usable.
   */
  readonly state: 'fresh' | 'stale' | 'empty';
  readonly kids: readonly (string | undefined)[];
  /** Milliseconds since the keys in use were read. */
  readonly ageMs: number | undefined;
  /** Failed attempts in a row. */
  readonly failures: number;
}

/** One issuer's verification keys, kept current. */
export interface Keyset {
  /** Where it stands in the options: `keySets[0]`. */
  readonly name: string;
  /** Undefined: for tokens whose issuer no other keyset names. */
  readonly issuer: string | undefined;
  /** The keyset's `allowedAlgorithms`; undefined where it names none. */
  readonly allowed: ReadonlySet<AlgorithmName> | undefined;
  readonly selection: KeySelection;
  /**
   * The keys in force: at once if they are at hand, else when the first load has ended.
   * @param header unverified; only a keyset with `jwksHosts` looks at it
   * @param issuer of the token, unverified: the same
   * @throws AuthError `keyset_unavailable` (rejects with it, if it had to wait)
   */
  keys(header: UnverifiedHeader, issuer?: string): KeySnapshot | Promise<KeySnapshot>;
  /**
   * The keys after another look at the source, at most one per cooldown: for a kid that is not
   * among those in force.
   * @throws AuthError `keyset_unavailable` while the source fails (rejects with it, if it had to
   *   look): the kid may be good
   */
  refetch(header: UnverifiedHeader, issuer?: string): KeySnapshot | Promise<KeySnapshot>;
  /** Told that a key of this keyset has verified a token, where the keyset wants to know. */
  confirm?(header: UnverifiedHeader, issuer: string | undefined): void;
  /** Resolves when keys are in force. Rejects with the first attempt's error. */
  ready(): Promise<void>;
  /**
   * Looks at the source now, whatever the cooldown. Rejects if there are no keys afterwards.
   * Absent: there is nothing to look at.
   */
  reload?(): Promise<unknown>;
  /** Says that it stands elsewhere in the options now: for its events and errors. */
  rename?(name: string): void;
  report(): KeysetReport;
  /** Stops all background work. */
  close(): Promise<void>;
}

let snapshots = 0;

/** Makes a snapshot of imported keys. */
export function createSnapshot(keys: readonly VerificationKey[]): KeySnapshot {
  const byKid = new Map<string, VerificationKey[]>();
  const firstFor = new Map<AlgorithmName, VerificationKey>();
  for (const key of keys) {
    for (const algorithm of key.verifiers.keys()) {
      if (!firstFor.has(algorithm)) firstFor.set(algorithm, key);
    }
    if (key.kid === undefined) continue;
    const same = byKid.get(key.kid);
    if (same === undefined) byKid.set(key.kid, [key]);
    else same.push(key);
  }
  return Object.freeze({ id: snapshots++, keys: Object.freeze([...keys]), byKid, firstFor });
}

/** Tells what changed between two states of a keyset. */
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
