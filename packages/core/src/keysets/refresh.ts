// The refresh engine: keeps one keyset current from one source, and never makes an outage of its own. No HTTP, no parsing.
import { AuthError } from '../errors.ts';
import { publish } from '../events.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import type { ImportedJwks } from './jwk.ts';
import {
  createSnapshot,
  type KeySelection,
  type KeySnapshot,
  type Keyset,
  publishChanges,
} from './keyset.ts';

/** What a source gives: a whole, validated set, and how long it may be used. */
export interface LoadedKeys extends ImportedJwks {
  /** What the source said of caching; undefined if it said nothing. */
  readonly lifetimeMs: number | undefined;
}

/** A place that keys come from. Sources hold no keys; the engine does. */
export interface KeySource {
  /** For people: `oidc-discovery`, a URL. */
  readonly description: string;
  /** Reads everything anew. Must end by itself in bounded time, and stop when the signal says so. */
  load(signal: AbortSignal): Promise<LoadedKeys>;
  /** Calls back when the source has changed, where it can tell. Returns what ends it. */
  watch?(changed: () => void): () => void;
  /** Lets go of connections. */
  close(): Promise<void>;
}

/** What an engine is made of. */
export interface RefreshSettings {
  readonly name: string;
  readonly issuer: string | undefined;
  readonly allowed: ReadonlySet<AlgorithmName> | undefined;
  readonly selection: KeySelection;
  readonly source: KeySource;
  /** Upper bound of a set's lifetime. */
  readonly refreshIntervalMs: number;
  /** How long a set is used at most when its source fails, counted from its reading. */
  readonly maxStaleMs: number;
}

/** Shortest lifetime, so that `no-store` does not mean a fetch per request. */
const MIN_LIFETIME_MS = 60_000;
/** A set is read anew when this much of its lifetime has passed, so that no request waits. */
const REFRESH_AHEAD = 0.8;
/** Between two looks for an unknown kid, counted from the attempt, whatever came of it. */
const COOLDOWN_MS = 10_000;
const MIN_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 30_000;
/** Node turns a longer delay into none at all. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Makes a keyset of a source. Reads nothing before the first `keys()` or `ready()`. Ages are monotonic. */
export function createRefreshedKeyset(settings: RefreshSettings): Keyset {
  const { name, issuer, source } = settings;
  const about = { keyset: name, issuer };
  const stopping = new AbortController();
  let snapshot: KeySnapshot | undefined;
  let readAt = 0;
  let freshUntil = 0;
  let failures = 0;
  let retryAt = 0;
  let lastError: unknown;
  let staleTold = false;
  let soughtAt = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> | undefined;
  let seeking: Promise<KeySnapshot> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let unwatch: (() => void) | undefined;
  let changing = false;

  /** One attempt, shared by all who ask while it runs. Never rejects. */
  function load(): Promise<void> {
    unwatch ??= source.watch?.(() => void changed()) ?? (() => {});
    loading ??= attempt().finally(() => {
      loading = undefined;
    });
    return loading;
  }

  /** The source says that it has changed: read it once, however often it says so meanwhile. */
  async function changed(): Promise<void> {
    if (changing || stopping.signal.aborted) return;
    changing = true;
    await loading;
    changing = false;
    await load();
  }

  async function attempt(): Promise<void> {
    clearTimeout(timer);
    try {
      accept(await source.load(stopping.signal));
    } catch (error) {
      if (!stopping.signal.aborted) fail(error instanceof Error ? error : new Error('the source failed'));
    }
  }

  function accept(loaded: LoadedKeys): void {
    if (stopping.signal.aborted) return;
    const lifetimeMs = Math.max(
      MIN_LIFETIME_MS,
      Math.min(settings.refreshIntervalMs, loaded.lifetimeMs ?? Number.POSITIVE_INFINITY),
    );
    publishChanges({ name, issuer }, snapshot, loaded);
    snapshot = createSnapshot(loaded.keys);
    readAt = performance.now();
    freshUntil = readAt + lifetimeMs;
    failures = 0;
    lastError = undefined;
    staleTold = false;
    schedule(lifetimeMs * REFRESH_AHEAD);
    publish('latchkey:keyset:refreshed', { ...about, keys: loaded.keys.length, lifetimeMs });
  }

  function fail(error: Error): void {
    failures++;
    lastError = error;
    const retryInMs = Math.max(backoffMs(failures), askedDelayMs(error));
    retryAt = performance.now() + retryInMs;
    schedule(retryInMs);
    publish('latchkey:keyset:failed', { ...about, error, failures, retryInMs });
  }

  function schedule(delayMs: number): void {
    timer = setTimeout(load, Math.min(delayMs, MAX_TIMER_MS));
    timer.unref();
  }

  /** What can be used now without waiting. */
  function usable(): KeySnapshot | undefined {
    if (snapshot === undefined) return undefined;
    const now = performance.now();
    if (now < freshUntil) return snapshot;
    // Past its lifetime a set is used only because its source fails, and only so long.
    if (failures === 0 || now - readAt > settings.maxStaleMs) return undefined;
    if (!staleTold) {
      staleTold = true;
      publish('latchkey:keyset:stale', { ...about, ageMs: now - readAt });
    }
    return snapshot;
  }

  function unavailable(): AuthError {
    return new AuthError('keyset_unavailable', {
      detail: `${name}: no usable keys from ${source.description}`,
      cause: lastError,
      retryAfterSeconds: failures === 0 ? undefined : (retryAt - performance.now()) / 1000,
    });
  }

  async function waitForKeys(): Promise<KeySnapshot> {
    await load();
    const now = usable();
    if (now === undefined) throw unavailable();
    return now;
  }

  function keys(): KeySnapshot | Promise<KeySnapshot> {
    const now = usable();
    if (now !== undefined) return now;
    // While the source fails, retries run on their own time, and no request waits for one.
    if (failures > 0 || stopping.signal.aborted) throw unavailable();
    return waitForKeys();
  }

  /** One look that began after it was asked for: a load already under way may have read the source too early. */
  async function seek(): Promise<KeySnapshot> {
    await loading;
    if (!stopping.signal.aborted) await load();
    return keys();
  }

  return Object.freeze<Keyset>({
    name,
    issuer,
    allowed: settings.allowed,
    selection: settings.selection,
    keys,
    refetch() {
      // A source that fails is retried on its own time, however many unknown kids arrive.
      if (failures > 0 || stopping.signal.aborted) return keys();
      const now = performance.now();
      if (seeking === undefined) {
        if (now - soughtAt < COOLDOWN_MS) return keys();
        soughtAt = now;
        seeking = seek().finally(() => {
          seeking = undefined;
        });
      }
      return seeking;
    },
    async ready() {
      // While the source fails, retries run on their own time, however often somebody asks how it is.
      if (usable() === undefined && failures === 0 && !stopping.signal.aborted) await load();
      if (usable() === undefined) throw unavailable();
    },
    report() {
      const now = performance.now();
      return {
        keyset: name,
        issuer,
        source: source.description,
        state: usable() === undefined ? 'empty' : now < freshUntil ? 'fresh' : 'stale',
        kids: snapshot?.keys.map(({ kid }) => kid) ?? [],
        ageMs: snapshot === undefined ? undefined : now - readAt,
        failures,
      };
    },
    async close() {
      stopping.abort();
      clearTimeout(timer);
      unwatch?.();
      await source.close();
      await loading;
    },
  });
}

/**
 * The pause after so many failures in a row. Early ones differ widely, so that processes that failed together come back apart;
 * later ones hardly, so that an hour of outage is at most 130 attempts.
 */
function backoffMs(failures: number): number {
  const fullMs = MIN_BACKOFF_MS * 2 ** Math.min(failures - 1, 10);
  return fullMs < MAX_BACKOFF_MS
    ? fullMs * (0.5 + Math.random() * 0.5)
    : MAX_BACKOFF_MS * (0.96 + Math.random() * 0.04);
}

/** How long a source asked not to be asked again, if it did. */
function askedDelayMs(error: Error): number {
  const asked = 'retryAfterMs' in error ? error.retryAfterMs : 0;
  return typeof asked === 'number' && asked > 0 ? asked : 0;
}
