// The list of revocations of an authenticator: its index, the feed that it follows, and whether the
// list is current. Whether a token is then refused is decided in decision/judge-revocation.ts.
import { asError, ConfigError } from '../errors.ts';
import { publish } from '../events.ts';
import { withDeadline } from '../net/deadline.ts';
import { createStateNotice } from '../net/outage.ts';
import { causeText } from '../plain-text.ts';
import { type Clock, monotonicOf } from '../values/clock.ts';
import { durationText } from '../values/duration.ts';
import type { JsonObject } from '../values/json.ts';
import { kindOf } from '../values/kind.ts';
import type { RevocationFeed, RevocationSink } from './feed.ts';
import { createFollowing } from './following.ts';
import { createRevocationIndex } from './index-by-issuer.ts';
import {
  MOST_SKEW_MS,
  type RevocationKind,
  readStoredRevocation,
  type StoredRevocation,
} from './revocation.ts';

/** The state of the list of revocations. Contains no revocation. */
export interface RevocationReport {
  /** What the list is read from: `the memory of this process`, `file revocations.jsonl`. */
  readonly source: string;
  readonly entries: number;
  /**
   * `stale`: the source has not confirmed the list within `maxStale`. `full`: a revocation did not
   * fit. Tokens are then answered with 503.
   */
  readonly state: 'current' | 'stale' | 'full';
  /** How long ago the source confirmed the list. Undefined: never, or it is the memory. */
  readonly ageMs: number | undefined;
  /** Why the source failed. Undefined if it did not. */
  readonly lastError: string | undefined;
}

/** The revocations that an authenticator knows. */
export interface RevocationList {
  /** Returns which kind of revocation ends the token of these claims; undefined if none does. */
  find(claims: JsonObject): RevocationKind | undefined;
  /** Returns why the list may lack revocations; undefined if it is current. */
  whyNotCurrent(): string | undefined;
  /**
   * Adds a revocation, here at once, and for all who follow the feed. Rejects if it may be lost.
   */
  publish(revocation: StoredRevocation): Promise<void>;
  /** Changes the greatest number of revocations. Forgets none. */
  resize(entries: number): void;
  /** Begins to follow the feed, in the background. */
  start(): void;
  /** True while the list has never been current. */
  isUnread(): boolean;
  /** Waits until the list is current, for `maxStale` at most. */
  ready(): Promise<void>;
  report(): RevocationReport;
  close(): Promise<void>;
}

/** What a list is made of. */
export interface RevocationListSettings {
  readonly entries: number;
  readonly maxStaleMs: number;
  /** Undefined: the list is in memory only. */
  readonly feed: RevocationFeed | undefined;
  readonly clock: Clock;
}

const MEMORY = 'the memory of this process';
/** How long a feed may take to store a revocation. */
const PUBLISH_MS = 10_000;

/** Makes an empty list. Reads nothing before `start`, `ready`, the first token or `publish`. */
export function createRevocationList({
  entries,
  maxStaleMs,
  feed,
  clock,
}: RevocationListSettings): RevocationList {
  const source = feed?.description ?? MEMORY;
  const index = createRevocationIndex(entries, clock);
  const monotonic = monotonicOf(clock);
  const [tellFeed, tellFull] = [createStateNotice<'failing'>(), createStateNotice<'full'>()];
  /** Those of this process that the feed may not have delivered, and when they were published. */
  const own = new Map<StoredRevocation, number>();
  const waiting = new Set<(error: Error | undefined) => void>();
  const stopping = new AbortController();
  let isClosed = false;
  let startedAt = Number.NEGATIVE_INFINITY;
  let currentAt = Number.NEGATIVE_INFINITY;
  let lastError: Error | undefined;
  let isStaleTold = false;

  const sink = Object.freeze<RevocationSink>({
    maxStaleMs,
    now: monotonic,
    add: (added) => take(added, index.add),
    replace: (all) =>
      take(all, (checked) => {
        index.replace(checked);
        forgetEnded();
        index.add(own.keys());
      }),
    current(at) {
      if (isClosed || !Number.isFinite(at)) return;
      currentAt = Math.max(currentAt, Math.min(at, monotonic()));
      for (const [one, publishedAt] of own) if (publishedAt <= currentAt) own.delete(one);
      if (monotonic() - currentAt > maxStaleMs) return;
      lastError = undefined;
      isStaleTold = false;
      tellFeed('well', () => `revocation: ${source} works again`);
      wake(undefined);
    },
    failed(error) {
      if (isClosed) return;
      lastError = asError(error);
      publish('latchkey:revocation:failed', { source, error: lastError });
      tellFailure(causeText(lastError));
      if (isStale()) wake(notReady());
    },
  });

  /** Checks all before it takes any. */
  function take(
    given: readonly StoredRevocation[],
    into: (checked: readonly StoredRevocation[]) => void,
  ): void {
    // Array.from would make an empty list of any other object, such as an error of a store.
    if (!Array.isArray(given))
      throw new ConfigError('revocations', `expected a list of revocations, got ${kindOf(given)}`);
    const checked = Array.from(given, (one, at) => readStoredRevocation(one, `revocations[${at}]`));
    if (isClosed) return;
    into(checked);
    tellIfFull();
  }

  function forgetEnded(): void {
    const nowMs = clock.now();
    for (const one of own.keys()) if (one.until + MOST_SKEW_MS <= nowMs) own.delete(one);
  }

  function tellIfFull(): void {
    if (index.isOverfull()) tellFull('full', () => `revocation: ${FULL}; ${MEANWHILE}`);
    else tellFull('well', () => 'revocation: all revocations fit again');
  }

  function tellFailure(cause: string): void {
    tellFeed(
      'failing',
      () =>
        `revocation: ${source} fails: ${cause}; when the list is older than ${durationText(maxStaleMs)} (revocation.maxStale), ${MEANWHILE}`,
    );
  }

  const following = feed && createFollowing(feed, sink);

  function wake(error: Error | undefined): void {
    for (const one of waiting) one(error);
    waiting.clear();
  }

  function notReady(): Error {
    const cause = isClosed
      ? 'closed'
      : lastError === undefined
        ? 'it has not been read yet'
        : causeText(lastError);
    const error = new Error(`revocation: no list from ${source}: ${cause}`, { cause: lastError });
    return Object.assign(error, { code: 'revocation_unavailable' as const });
  }

  function start(): void {
    if (following === undefined || isClosed) return;
    if (startedAt === Number.NEGATIVE_INFINITY) startedAt = monotonic();
    following.start();
  }

  function isStale(): boolean {
    return feed !== undefined && !(monotonic() - currentAt <= maxStaleMs);
  }

  /** Says why the list is stale, and warns once. */
  function staleText(): string {
    const isNever = currentAt === Number.NEGATIVE_INFINITY;
    const ageMs = monotonic() - Math.max(currentAt, startedAt);
    const text = isNever
      ? `${source} has not been read yet`
      : `${source} was confirmed ${Math.floor(ageMs / 1000)} s ago; revocation.maxStale is ${durationText(maxStaleMs)}`;
    // After the start, the first reading has this time too.
    if (!isStaleTold && ageMs > maxStaleMs) {
      isStaleTold = true;
      publish('latchkey:revocation:stale', { source, ageMs });
      tellFailure(lastError === undefined ? text : causeText(lastError));
    }
    return text;
  }

  return Object.freeze<RevocationList>({
    find: index.find,
    whyNotCurrent() {
      if (isClosed) return 'the list of revocations is closed';
      start();
      if (isStale()) return staleText();
      return index.isOverfull() ? FULL : undefined;
    },
    async publish(revocation) {
      if (isClosed) throw notReady();
      start();
      const fits = index.add([revocation]);
      tellIfFull();
      if (feed === undefined) {
        if (!fits) throw new Error(`revocation: ${FULL}`);
        return;
      }
      // It counts here from now on, also if the feed does not take it.
      forgetEnded();
      if (own.size < entries) own.set(revocation, Number.POSITIVE_INFINITY);
      try {
        const late = () => new Error(`it has not said within ${PUBLISH_MS} ms that the revocation is stored`);
        await withDeadline(PUBLISH_MS, stopping.signal, () => feed.publish(revocation), late);
      } catch (cause) {
        throw new Error(`${source}: ${asError(cause).message}`, { cause });
      }
      if (own.has(revocation)) own.set(revocation, monotonic());
    },
    resize: index.resize,
    start,
    isUnread: () => feed !== undefined && currentAt === Number.NEGATIVE_INFINITY,
    async ready() {
      start();
      if (!isStale()) return;
      if (isClosed || lastError !== undefined) throw notReady();
      const { promise, resolve } = Promise.withResolvers<Error | undefined>();
      waiting.add(resolve);
      const timer = setTimeout(() => resolve(notReady()), maxStaleMs);
      try {
        const error = await promise;
        if (error !== undefined) throw error;
      } finally {
        clearTimeout(timer);
        waiting.delete(resolve);
      }
    },
    report: () => ({
      source,
      entries: index.size(),
      state: isStale() ? 'stale' : index.isOverfull() ? 'full' : 'current',
      ageMs: Number.isFinite(currentAt) ? Math.round(monotonic() - currentAt) : undefined,
      lastError: lastError && causeText(lastError),
    }),
    async close() {
      isClosed = true;
      stopping.abort();
      wake(notReady());
      await following?.close();
    },
  });
}

const FULL =
  'there are more revocations than the list may have; raise revocation.entries, or let tokens be valid for a shorter time';
const MEANWHILE = 'all tokens are answered with 503';
