// The refresh engine: keeps one value current from one source, and never makes an outage of its
// own. No HTTP, no parsing.
import { MAX_TIMER_MS } from './limits.ts';

/** What a source gives says how long it may be used. */
export interface Loaded {
  /** What the source said of caching; undefined if it said nothing. */
  readonly lifetimeMs: number | undefined;
}

/** A place that something comes from. Sources hold nothing; the engine does. */
export interface Source<L extends Loaded> {
  /** For people: `oidc-discovery`, a URL. */
  readonly description: string;
  /**
   * Reads everything anew. Must end by itself in bounded time, and stop when the signal says so.
   */
  load(signal: AbortSignal): Promise<L>;
  /** Calls back when the source has changed, where it can tell. Returns what ends it. */
  watch?(changed: () => void): () => void;
  /** Lets go of connections, where the source has any. */
  close?(): Promise<void>;
}

/** Why there is nothing to use. */
interface Unavailable {
  readonly cause: unknown;
  /** Until the next attempt; undefined where none has been made. */
  readonly retryAfterSeconds: number | undefined;
}

/** What an engine is made of. */
export interface RefreshSettings<L extends Loaded, T> {
  readonly source: Source<L>;
  /** Upper bound of a value's lifetime. */
  readonly refreshIntervalMs: number;
  /** How long a value is used at most when its source fails, counted from its reading. */
  readonly maxStaleMs: number;
  /** Makes what is held of what was loaded; beside it stands what was held before. */
  accept(loaded: L, before: T | undefined): T;
  /** Told when a new value is in force. */
  refreshed(value: T, lifetimeMs: number): void;
  /** Told of an attempt that failed. What was held before stays in force. */
  failed(error: Error, failures: number, retryInMs: number): void;
  /** Told once per outage, when the value in force is older than its lifetime. */
  stale(ageMs: number): void;
  /** The error of who asks while there is nothing to use. */
  unavailable(reason: Unavailable): Error;
}

/** How an engine fares. */
interface RefreshReport<T> {
  readonly value: T | undefined;
  /**
   * `fresh`: within its lifetime. `stale`: older, in use because the source fails. `empty`: nothing
   * usable.
   */
  readonly state: 'fresh' | 'stale' | 'empty';
  /** Milliseconds since the value was read. */
  readonly ageMs: number | undefined;
  /** Failed attempts in a row. */
  readonly failures: number;
}

/** A value that is kept current. */
export interface Refreshed<T> {
  /**
   * The value in force: at once if it is at hand, else when the first load has ended. Throws or
   * rejects with `unavailable`.
   */
  current(): T | Promise<T>;
  /**
   * The value after another look at the source, at most one per cooldown. Throws or rejects with
   * `unavailable` while the source fails, also where there is a value: what the source has by now
   * cannot be known.
   */
  refetch(): T | Promise<T>;
  /**
   * The value after another look, whatever the cooldown: for whoever has just written the source.
   */
  reload(): Promise<T>;
  /** Resolves when a value is in force. Rejects with the first attempt's error. */
  ready(): Promise<void>;
  report(): RefreshReport<T>;
  /** Stops all background work. */
  close(): Promise<void>;
}

/** Shortest lifetime, so that `no-store` does not mean a fetch per request. */
const MIN_LIFETIME_MS = 60_000;
/** A value is read anew when this much of its lifetime has passed, so that no request waits. */
const REFRESH_AHEAD = 0.8;
/** Between two looks for an unknown kid, counted from the attempt, whatever came of it. */
const COOLDOWN_MS = 10_000;
const MIN_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 30_000;

/**
 * Keeps what a source gives. Reads nothing before the first `current()` or `ready()`. Ages are
 * monotonic.
 */
export function createRefreshed<L extends Loaded, T extends object>(
  settings: RefreshSettings<L, T>,
): Refreshed<T> {
  const { source } = settings;
  const stopping = new AbortController();
  let value: T | undefined;
  let readAt = 0;
  let freshUntil = 0;
  let failures = 0;
  let retryAt = 0;
  let lastError: unknown;
  let staleTold = false;
  let soughtAt = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> | undefined;
  let seeking: Promise<T> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let unwatch: (() => void) | undefined;
  let changing = false;

  /** One attempt, shared by all who ask while it runs. Never rejects. */
  function load(): Promise<void> {
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
    // After the end, nothing would close what is watched anew.
    if (!stopping.signal.aborted) await load();
  }

  async function attempt(): Promise<void> {
    clearTimeout(timer);
    try {
      // Anew each time, and before it is read: what is watched may be another one by now, or not
      // have been there.
      unwatch?.();
      unwatch = undefined;
      unwatch = source.watch?.(() => void changed());
      accept(await source.load(stopping.signal));
    } catch (error) {
      if (!stopping.signal.aborted) fail(error instanceof Error ? error : new Error('the source failed'));
    }
  }

  function accept(loaded: L): void {
    if (stopping.signal.aborted) return;
    const lifetimeMs = Math.max(
      MIN_LIFETIME_MS,
      Math.min(settings.refreshIntervalMs, loaded.lifetimeMs ?? Number.POSITIVE_INFINITY),
    );
    value = settings.accept(loaded, value);
    readAt = performance.now();
    freshUntil = readAt + lifetimeMs;
    failures = 0;
    lastError = undefined;
    staleTold = false;
    schedule(lifetimeMs * REFRESH_AHEAD);
    settings.refreshed(value, lifetimeMs);
  }

  function fail(error: Error): void {
    failures++;
    lastError = error;
    const retryInMs = Math.max(backoffMs(failures), Math.min(askedDelayMs(error), MAX_BACKOFF_MS));
    retryAt = performance.now() + retryInMs;
    schedule(retryInMs);
    settings.failed(error, failures, retryInMs);
  }

  function schedule(delayMs: number): void {
    timer = setTimeout(load, Math.min(delayMs, MAX_TIMER_MS));
    timer.unref();
  }

  /** What can be used now without waiting. */
  function usable(): T | undefined {
    if (value === undefined) return undefined;
    const now = performance.now();
    if (now < freshUntil) return value;
    // Past its lifetime a value is used only because its source fails, and only so long.
    if (failures === 0 || now - readAt > settings.maxStaleMs) return undefined;
    if (!staleTold) {
      staleTold = true;
      settings.stale(now - readAt);
    }
    return value;
  }

  function unavailable(): Error {
    return settings.unavailable({
      cause: lastError,
      retryAfterSeconds: failures === 0 ? undefined : (retryAt - performance.now()) / 1000,
    });
  }

  async function waitForValue(): Promise<T> {
    await load();
    const now = usable();
    if (now === undefined) throw unavailable();
    return now;
  }

  function current(): T | Promise<T> {
    const now = usable();
    if (now !== undefined) return now;
    // While the source fails, retries run on their own time, and no request waits for one.
    if (isBlind()) throw unavailable();
    return waitForValue();
  }

  /**
   * One look that began after it was asked for: a load already under way may have read the source
   * too early.
   */
  async function seek(): Promise<T> {
    await loading;
    if (!stopping.signal.aborted) await load();
    return current();
  }

  async function seekForNew(): Promise<T> {
    const found = await seek();
    if (isBlind()) throw unavailable();
    return found;
  }

  /** True while nothing can be said about what the value in force does not have. */
  function isBlind(): boolean {
    return failures > 0 || stopping.signal.aborted;
  }

  return Object.freeze<Refreshed<T>>({
    current,
    refetch() {
      // A source that fails is retried on its own time, however many unknown kids arrive.
      if (isBlind()) throw unavailable();
      const now = performance.now();
      if (seeking === undefined) {
        if (now - soughtAt < COOLDOWN_MS) return current();
        soughtAt = now;
        seeking = seekForNew().finally(() => {
          seeking = undefined;
        });
      }
      return seeking;
    },
    reload: seek,
    async ready() {
      // While the source fails, retries run on their own time, however often somebody asks how it
      // is.
      if (usable() === undefined && failures === 0 && !stopping.signal.aborted) await load();
      if (usable() === undefined) throw unavailable();
    },
    report() {
      const now = performance.now();
      return {
        value,
        state: usable() === undefined ? 'empty' : now < freshUntil ? 'fresh' : 'stale',
        ageMs: value === undefined ? undefined : now - readAt,
        failures,
      };
    },
    async close() {
      stopping.abort();
      clearTimeout(timer);
      unwatch?.();
      await source.close?.();
      await loading;
    },
  });
}

/**
 * The pause after so many failures in a row. Early ones differ widely, so that processes that
 * failed together come back apart; later ones hardly, so that an hour of outage is at most 130
 * attempts.
 */
function backoffMs(failures: number): number {
  const fullMs = MIN_BACKOFF_MS * 2 ** Math.min(failures - 1, 10);
  return fullMs < MAX_BACKOFF_MS
    ? fullMs * (0.5 + Math.random() * 0.5)
    : MAX_BACKOFF_MS * (0.96 + Math.random() * 0.04);
}

/**
 * How long a source asked not to be asked again, if it did. It may be well again much sooner: a
 * long pause is cut short.
 */
function askedDelayMs(error: Error): number {
  const asked = 'retryAfterMs' in error ? error.retryAfterMs : 0;
  return typeof asked === 'number' && asked > 0 ? asked : 0;
}
