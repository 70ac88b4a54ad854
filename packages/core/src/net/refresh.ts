// The refresh engine: keeps one value current from one source. A failing source does not remove a
// value that is still usable. No HTTP and no parsing here.
import { causeText } from '../plain-text.ts';
import { held } from './held.ts';
import { MAX_TIMER_MS } from './limits.ts';
import { createPace } from './pace.ts';

/** The result of a source, with its lifetime. */
export interface Loaded {
  /** From the cache headers of the source; undefined if it has none. */
  readonly lifetimeMs: number | undefined;
}

/** A place that a value is read from. Sources keep no values; the engine does. */
export interface Source<L extends Loaded> {
  /** For logs and reports: `oidc-discovery`, or a URL. */
  readonly description: string;
  /** Where an operator finds it: its URL, its file, its secret. Default: the description. */
  readonly place?: string;
  /**
   * Reads the value again. Must end by itself in bounded time, and stop when the signal is aborted.
   */
  load(signal: AbortSignal): Promise<L>;
  /**
   * Calls back when the source has changed, if the source can tell. Returns a function that stops
   * this.
   */
  watch?(changed: () => void): () => void;
  /** Closes connections, if the source has any. */
  close?(): Promise<void>;
}

/** The reason why there is no usable value. */
interface Unavailable {
  readonly cause: unknown;
  /** Until the next attempt; undefined if there was no attempt yet. */
  readonly retryAfterSeconds: number | undefined;
  /** Failed attempts in a row. */
  readonly failures: number;
}

/** A failed attempt. */
export interface FailedAttempt {
  readonly error: Error;
  /** Failed attempts in a row. */
  readonly failures: number;
  readonly retryInMs: number;
  /** True if there is a value that is used meanwhile. */
  readonly isUsable: boolean;
}

/** The settings of an engine. */
export interface RefreshSettings<L extends Loaded, T> {
  readonly source: Source<L>;
  /** The monotonic time, in milliseconds. Default: `performance.now()`. */
  readonly monotonic?: () => number;
  /** Upper bound of the lifetime of a value. */
  readonly refreshIntervalMs: number;
  /** How long a value is used while its source fails, counted from its reading. */
  readonly maxStaleMs: number;
  /** Makes the value from the result of the source; `before` is the previous value. */
  accept(loaded: L, before: T | undefined): T;
  /** Called when a new value is in force. */
  refreshed(value: T, lifetimeMs: number): void;
  /** Called after a failed attempt. The previous value stays in force. */
  failed(attempt: FailedAttempt): void;
  /** Called once per outage, when the value in force is older than its lifetime. */
  stale(ageMs: number): void;
  /** Makes the error for a caller that asks while there is no usable value. */
  unavailable(reason: Unavailable): Error;
  /** Makes the error of `ready()`, for the person who starts the service. Default: the same. */
  notReady?(reason: Unavailable): Error;
}

/** The state of an engine. */
interface RefreshReport<T> {
  readonly value: T | undefined;
  readonly state: SourceState;
  /** Whole milliseconds since the value was read. */
  readonly ageMs: number | undefined;
  /** Failed attempts in a row. */
  readonly failures: number;
  /** Why the last attempt failed, without secrets. Undefined if it did not. */
  readonly lastError: string | undefined;
  /** Whole milliseconds until the source is read again. Undefined if no reading is planned. */
  readonly nextAttemptInMs: number | undefined;
}

/**
 * `fresh`: the value is within its lifetime. `stale`: it is older, and used because the source
 * fails. `empty`: there is no usable value. `loading`: the source is being read for the first time.
 * `idle`: it has not been read, because nothing has needed it.
 */
export type SourceState = 'fresh' | 'stale' | 'empty' | 'loading' | 'idle';

/** A value that is kept current. */
export interface Refreshed<T> {
  /**
   * Returns the value in force: synchronously if it is loaded, else a promise that waits for the
   * first load. Throws or rejects with `unavailable`.
   */
  current(): T | Promise<T>;
  /**
   * Returns the value after reading the source again, at most once per cooldown. Throws or rejects
   * with `unavailable` while the source fails, even if there is a value: the current content of the
   * source is unknown.
   */
  refetch(): T | Promise<T>;
  /**
   * Returns the value after reading the source again, regardless of the cooldown: for a caller that
   * has just written to the source.
   */
  reload(): Promise<T>;
  /** Resolves when a value is in force. Rejects with the first attempt's error. */
  ready(): Promise<void>;
  /**
   * Reads the source for the first time, in the background: this does not keep the process alive.
   */
  start(): void;
  /** True if there is a usable value. */
  isLoaded(): boolean;
  report(): RefreshReport<T>;
  /** Stops all background work. */
  close(): Promise<void>;
}

/** Shortest lifetime, so that `no-store` does not cause a fetch per request. */
const MIN_LIFETIME_MS = 60_000;
/** A value is read again when this share of its lifetime has passed, so that no request waits. */
const REFRESH_AHEAD = 0.8;
/** Between two readings for an unknown kid, counted from the attempt, even if it failed. */
const COOLDOWN_MS = 10_000;
const MIN_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 30_000;

/**
 * Keeps the value of a source current. Reads nothing before the first `current()` or `ready()`.
 * Ages use the monotonic clock.
 */
export function createRefreshed<L extends Loaded, T extends object>(
  settings: RefreshSettings<L, T>,
): Refreshed<T> {
  const { source, monotonic = () => performance.now() } = settings;
  const stopping = new AbortController();
  let value: T | undefined;
  let readAt = 0;
  let freshUntil = 0;
  let failures = 0;
  /** When the source is read next; undefined if no reading is planned. */
  let nextAt: number | undefined;
  let lastError: unknown;
  let staleTold = false;
  let soughtAt = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> | undefined;
  let seeking: Promise<T> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let unwatch: (() => void) | undefined;
  let changing = false;
  const pace = createPace(monotonic, stopping.signal);

  /** One attempt, shared by all callers while it runs. Never rejects. */
  function load(): Promise<void> {
    loading ??= attempt().finally(() => {
      loading = undefined;
    });
    return loading;
  }

  /** The source reports a change: read it once, even if it reports more changes meanwhile. */
  async function changed(): Promise<void> {
    if (changing || stopping.signal.aborted) return;
    changing = true;
    await loading;
    // A source may report a change whenever it is watched, as each reading does.
    await pace();
    changing = false;
    // After the end, nothing would close what is watched anew.
    if (!stopping.signal.aborted) await load();
  }

  async function attempt(): Promise<void> {
    clearTimeout(timer);
    try {
      // Watch again before each reading: the watched file or folder may have been replaced, or may
      // not have existed before.
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
    readAt = monotonic();
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
    schedule(retryInMs);
    settings.failed({ error, failures, retryInMs, isUsable: inForce() !== undefined });
  }

  function schedule(delayMs: number): void {
    nextAt = monotonic() + delayMs;
    timer = setTimeout(load, Math.min(delayMs, MAX_TIMER_MS));
    timer.unref();
  }

  /** The value that can be used now, without waiting. */
  function inForce(now = monotonic()): T | undefined {
    if (value === undefined || now < freshUntil) return value;
    // After its lifetime, a value is used only while its source fails, and for `maxStaleMs` at
    // most.
    return failures === 0 || now - readAt > settings.maxStaleMs ? undefined : value;
  }

  /** The same, for use. */
  function usable(): T | undefined {
    const now = monotonic();
    const found = inForce(now);
    if (found !== undefined && now >= freshUntil && !staleTold) {
      staleTold = true;
      settings.stale(now - readAt);
    }
    return found;
  }

  function unavailable(make = settings.unavailable): Error {
    const leftMs = (nextAt ?? 0) - monotonic();
    return make({
      cause: lastError,
      retryAfterSeconds: failures === 0 ? undefined : leftMs / 1000,
      failures,
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
    // While the source fails, retries have their own schedule, and no request waits for one.
    if (isBlind()) throw unavailable();
    return held(waitForValue());
  }

  /**
   * Reads the source with a load that starts after this call: a load that is already running may
   * have read the source too early.
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

  /** True while the current content of the source is unknown, and it is not time to read it. */
  function isBlind(): boolean {
    return stopping.signal.aborted || (failures > 0 && !isDue());
  }

  /** True if a pause is over and its timer has not fired: a test has moved its clock. */
  function isDue(): boolean {
    return loading === undefined && nextAt !== undefined && monotonic() >= nextAt;
  }

  function stateAt(now: number): SourceState {
    if (usable() !== undefined) return now < freshUntil ? 'fresh' : 'stale';
    if (value !== undefined || failures > 0 || stopping.signal.aborted) return 'empty';
    return loading === undefined ? 'idle' : 'loading';
  }

  return Object.freeze<Refreshed<T>>({
    current,
    refetch() {
      // A failing source is retried on its own schedule, however many unknown kids arrive.
      if (isBlind()) throw unavailable();
      const now = monotonic();
      if (seeking === undefined) {
        if (now - soughtAt < COOLDOWN_MS) return current();
        soughtAt = now;
        seeking = held(seekForNew()).finally(() => {
          seeking = undefined;
        });
      }
      return seeking;
    },
    reload: () => held(seek()),
    async ready() {
      // While the source fails, retries have their own schedule, however often ready() is called.
      if (usable() === undefined && !isBlind()) await held(load());
      if (usable() === undefined) throw unavailable(settings.notReady);
    },
    start() {
      if (value === undefined && failures === 0 && !stopping.signal.aborted) void load();
    },
    isLoaded: () => inForce() !== undefined,
    report() {
      const now = monotonic();
      const isLoading = loading !== undefined;
      return {
        value,
        state: stateAt(now),
        ageMs: value === undefined ? undefined : Math.round(now - readAt),
        failures,
        lastError: lastError === undefined ? undefined : causeText(lastError),
        nextAttemptInMs:
          nextAt === undefined || isLoading ? undefined : Math.max(0, Math.round(nextAt - now)),
      };
    },
    async close() {
      stopping.abort();
      nextAt = undefined;
      clearTimeout(timer);
      unwatch?.();
      await source.close?.();
      await loading;
    },
  });
}

/**
 * The pause after this number of failures in a row. Early pauses vary widely, so that processes
 * that failed together do not retry together. Later ones vary little, so that an hour of outage has
 * at most 130 attempts.
 */
function backoffMs(failures: number): number {
  const fullMs = MIN_BACKOFF_MS * 2 ** Math.min(failures - 1, 10);
  return fullMs < MAX_BACKOFF_MS
    ? fullMs * (0.5 + Math.random() * 0.5)
    : MAX_BACKOFF_MS * (0.96 + Math.random() * 0.04);
}

/**
 * The pause that the source requested (Retry-After), or 0. The source may recover much sooner, so
 * the caller shortens a long pause.
 */
function askedDelayMs(error: Error): number {
  const asked = 'retryAfterMs' in error ? error.retryAfterMs : 0;
  return typeof asked === 'number' && asked > 0 ? asked : 0;
}
