// A keyset over a source of keys. The refresh engine (net/refresh.ts) holds a snapshot of
// verification keys for it.
import { AuthError } from '../errors.ts';
import { publish } from '../events.ts';
import { type ImportedJwks, importJwksInTurns, type KeyPolicy, type SkippedKey } from '../jwk/import-jwks.ts';
import type { JsonFetcher } from '../net/https.ts';
import { createStateNotice, inSeconds, type StateNotice } from '../net/outage.ts';
import { createRefreshed, type Loaded, type Source } from '../net/refresh.ts';
import { causeText, plain } from '../plain-text.ts';
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
  /** The monotonic time, in milliseconds. Default: `performance.now()`. */
  readonly monotonic?: () => number;
  /** Upper bound of the lifetime of a set. */
  readonly refreshIntervalMs: number;
  /** How long a set is used while its source fails, counted from its reading. */
  readonly maxStaleMs: number;
  /** Default: a process warning when the state changes. */
  readonly tell?: StateNotice<KeysState>;
}

/**
 * `failing`: the last keys are used. `down`: there are no keys. `useless`: the source was read, and
 * none of its keys can be used.
 */
export type KeysState = 'failing' | 'down' | 'useless';

/** Makes a keyset from a source. Reads nothing before `keys()`, `ready()` or `start()`. */
export function createRefreshedKeyset(settings: RefreshedKeysetSettings): Keyset {
  const { issuer, allowed, selection, source, refreshIntervalMs, maxStaleMs } = settings;
  const { place = source.description } = source;
  const tell = settings.tell ?? createStateNotice<KeysState>();
  let { name } = settings;
  const engine = createRefreshed<LoadedKeys, KeySnapshot>({
    ...(settings.monotonic === undefined ? {} : { monotonic: settings.monotonic }),
    source,
    refreshIntervalMs,
    maxStaleMs,
    accept(loaded, before) {
      publishChanges({ name, issuer }, before, loaded);
      return createSnapshot(loaded.keys, loaded.skipped);
    },
    refreshed(snapshot, lifetimeMs) {
      const { keys } = snapshot;
      publish('latchkey:keyset:refreshed', { keyset: name, issuer, keys: keys.length, lifetimeMs });
      if (keys.length === 0) tell('useless', () => useless(snapshot));
      else tell('well', () => `${name}: keys from ${place} again`);
    },
    failed({ error, failures, retryInMs, isUsable }) {
      publish('latchkey:keyset:failed', { keyset: name, issuer, error, failures, retryInMs });
      const next = `trying again ${inSeconds(retryInMs)}`;
      if (isUsable)
        tell(
          'failing',
          () => `${name}: ${place} fails: ${causeText(error)}; its last keys are used; ${next}`,
        );
      else tell('down', () => `${name}: no keys from ${place}: ${causeText(error)}; ${next}`);
    },
    stale: (ageMs) => publish('latchkey:keyset:stale', { keyset: name, issuer, ageMs }),
    unavailable: ({ cause, retryAfterSeconds }) =>
      new AuthError('keyset_unavailable', {
        detail: `${name}: no usable keys from ${source.description}`,
        cause,
        retryAfterSeconds,
      }),
    notReady({ cause, failures, retryAfterSeconds = 0 }) {
      const tried = `tried ${failures === 1 ? 'once' : `${failures} times`}`;
      const why =
        cause === undefined
          ? 'closed'
          : `${causeText(cause)} (${tried}; trying again ${inSeconds(retryAfterSeconds * 1000)})`;
      return notReady(`${name}: no keys from ${place}: ${why}`, cause);
    },
  });

  /** Says why no token can pass, although the source was read. */
  function useless({ skipped }: KeySnapshot): string {
    if (skipped.length === 0) return `${name}: ${place} has no keys; every token of it is refused`;
    return `${name}: no key from ${place} can be used: ${skippedText(skipped)}; every token of it is refused`;
  }

  /** An empty set is valid: its issuer has withdrawn all keys, or has not made one yet. */
  function refuseUseless(): void {
    const { value } = engine.report();
    if (value !== undefined && isUseless(value)) throw notReady(useless(value));
  }

  return Object.freeze<Keyset>({
    name,
    issuer,
    allowed,
    selection,
    keys: engine.current,
    refetch: engine.refetch,
    start: engine.start,
    isLoaded: engine.isLoaded,
    close: engine.close,
    async ready() {
      await engine.ready();
      refuseUseless();
    },
    async reload() {
      await engine.reload();
      refuseUseless();
    },
    rename(next) {
      name = next;
    },
    report() {
      const { value, state, ...others } = engine.report();
      return {
        keyset: name,
        issuer,
        source: source.description,
        state: value !== undefined && isUseless(value) ? 'empty' : state,
        kids: value?.keys.map(({ kid }) => kid) ?? [],
        skipped: value?.skipped ?? [],
        ...others,
      };
    },
  });
}

function isUseless({ keys, skipped }: KeySnapshot): boolean {
  return keys.length === 0 && skipped.length > 0;
}

/** Names the first keys of a set that cannot be used, with the reasons. */
export function skippedText(skipped: readonly SkippedKey[]): string {
  const shown = skipped.slice(0, 3).map(({ kid, reason }) => {
    const name = kid === undefined ? 'a key without a kid' : `kid ${kid}`;
    return `${name} (${reason})`;
  });
  const more = skipped.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function notReady(message: string, cause?: unknown): Error {
  const error = new Error(plain(message), cause === undefined ? undefined : { cause });
  return Object.assign(error, { code: 'keyset_unavailable' as const });
}
