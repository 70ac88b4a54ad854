// A keyset over a source of keys. The refresh engine (net/refresh.ts) holds a snapshot of
// verification keys for it.
import { AuthError } from '../errors.ts';
import { publish } from '../events.ts';
import { type ImportedJwks, importJwksInTurns, type KeyPolicy } from '../jwk/import-jwks.ts';
import type { JsonFetcher } from '../net/https.ts';
import { createRefreshed, type Loaded, type Source } from '../net/refresh.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import {
  createSnapshot,
  type KeySelection,
  type KeySnapshot,
  type Keyset,
  publishChanges,
} from './keyset.ts';

/** The result of a source of keys: a whole, validated set, and how long it may be used. */
export interface LoadedKeys extends ImportedJwks, Loaded {}

/** A place that verification keys come from. */
export type KeySource = Source<LoadedKeys>;

/** Fetches and imports one JWK Set. An empty set is valid: the issuer has withdrawn all keys. */
export async function loadJwks(
  { url, policy, fetcher }: { readonly url: URL; readonly policy: KeyPolicy; readonly fetcher: JsonFetcher },
  signal: AbortSignal,
  headers?: Readonly<Record<string, string>>,
): Promise<LoadedKeys> {
  const { json, lifetimeMs } = await fetcher.fetch(url, signal, headers);
  return { ...(await importJwksInTurns(json, policy, signal)), lifetimeMs };
}

/** The settings of a refreshed keyset. */
export interface RefreshedKeysetSettings {
  readonly name: string;
  readonly issuer: string | undefined;
  readonly allowed: ReadonlySet<AlgorithmName> | undefined;
  readonly selection: KeySelection;
  readonly source: KeySource;
  /** Upper bound of the lifetime of a set. */
  readonly refreshIntervalMs: number;
  /** How long a set is used while its source fails, counted from its reading. */
  readonly maxStaleMs: number;
}

/** Makes a keyset from a source. Reads nothing before the first `keys()` or `ready()`. */
export function createRefreshedKeyset(settings: RefreshedKeysetSettings): Keyset {
  const { issuer, allowed, selection, source, refreshIntervalMs, maxStaleMs } = settings;
  let { name } = settings;
  const { current, refetch, ready, reload, report, close } = createRefreshed<LoadedKeys, KeySnapshot>({
    source,
    refreshIntervalMs,
    maxStaleMs,
    accept(loaded, before) {
      publishChanges({ name, issuer }, before, loaded);
      return createSnapshot(loaded.keys);
    },
    refreshed: ({ keys }, lifetimeMs) =>
      publish('latchkey:keyset:refreshed', { keyset: name, issuer, keys: keys.length, lifetimeMs }),
    failed: (error, failures, retryInMs) =>
      publish('latchkey:keyset:failed', { keyset: name, issuer, error, failures, retryInMs }),
    stale: (ageMs) => publish('latchkey:keyset:stale', { keyset: name, issuer, ageMs }),
    unavailable: (reason) =>
      new AuthError('keyset_unavailable', {
        detail: `${name}: no usable keys from ${source.description}`,
        ...reason,
      }),
  });
  return Object.freeze<Keyset>({
    name,
    issuer,
    allowed,
    selection,
    keys: current,
    refetch,
    ready,
    reload,
    rename(next) {
      name = next;
    },
    report() {
      const { value, ...state } = report();
      return {
        keyset: name,
        issuer,
        source: source.description,
        kids: value?.keys.map(({ kid }) => kid) ?? [],
        ...state,
      };
    },
    close,
  });
}
