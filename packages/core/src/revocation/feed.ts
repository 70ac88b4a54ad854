// What a list of revocations that several processes share is, as the author of a feed sees it. How
// entries and times of a feed are used is in list.ts.
import { ConfigError } from '../errors.ts';
import { kindOf } from '../values/kind.ts';
import type { StoredRevocation } from './revocation.ts';

/**
 * Receives what a feed delivers. `add` and `replace` check each entry, and take either all entries
 * of a call or none.
 */
export interface RevocationSink {
  /** `revocation.maxStale`, in milliseconds: `current` has to be called more often. */
  readonly maxStaleMs: number;
  /**
   * The monotonic time of the authenticator, in milliseconds, for `current`. Call it before the
   * feed asks its store.
   */
  now(): number;
  /** Adds entries. A known one is merged: the later times count. @throws ConfigError */
  add(entries: readonly StoredRevocation[]): void;
  /** Gives the whole list, as of a file or of a snapshot. @throws ConfigError */
  replace(entries: readonly StoredRevocation[]): void;
  /**
   * Says that every entry that was published before that time has been delivered. Tokens are
   * accepted for `revocation.maxStale` from that time on.
   * @param at a time of `now`
   */
  current(at: number): void;
  /**
   * Says that the feed cannot follow its store now, or has read something wrong: for the warning of
   * the outage, which the next call of `current` ends. The list stays in force. `ready()` of the
   * authenticator rejects with this error, if `current` was never called.
   */
  failed(error: unknown): void;
}

/** A feed that is being followed. */
export interface FollowedFeed {
  /**
   * Stops following, and closes what `follow` has opened, within a second. The sink is not called
   * afterwards.
   */
  close(): Promise<void>;
}

/**
 * A list of revocations that several processes share. Several authenticators may follow one feed.
 * @example
 * ```ts
 * declare const list: {
 *   read(): Promise<StoredRevocation[]>;
 *   append(entry: string): Promise<void>;
 * };
 * const feed: RevocationFeed = {
 *   description: 'the list of our login service',
 *   follow(sink) {
 *     const look = async () => {
 *       const at = sink.now();
 *       sink.replace(await list.read());
 *       sink.current(at);
 *     };
 *     const lookAgain = () => void look().catch(sink.failed);
 *     lookAgain();
 *     const timer = setInterval(lookAgain, sink.maxStaleMs / 3);
 *     return { close: async () => clearInterval(timer) };
 *   },
 *   publish: (revocation) => list.append(JSON.stringify(revocation)),
 * };
 * ```
 */
export interface RevocationFeed {
  /** What it is, for warnings and reports: `file revocations.jsonl`. Without secrets. */
  readonly description: string;
  /**
   * Begins to deliver entries, and calls `current` at least three times in each
   * `revocation.maxStale`, also when there are no new entries. Does not throw, and connects in the
   * background: where it throws all the same, it is called again after five seconds.
   */
  follow(sink: RevocationSink): FollowedFeed;
  /**
   * Stores an entry for all processes, within ten seconds. Resolves when it is durable, and rejects
   * if this is not certain. It is not delivered twice if it is there already.
   */
  publish(revocation: StoredRevocation): Promise<void>;
}

/** Checks a feed. @throws ConfigError */
export function readRevocationFeed(value: unknown, path: string): RevocationFeed {
  if (typeof value !== 'object' || value === null)
    throw new ConfigError(path, `expected a feed with follow and publish, got ${kindOf(value)}`);
  for (const name of ['follow', 'publish'])
    if (typeof Reflect.get(value, name) !== 'function')
      throw new ConfigError(`${path}.${name}`, 'expected a function; a feed has follow and publish');
  if (typeof Reflect.get(value, 'description') !== 'string')
    throw new ConfigError(`${path}.description`, 'expected a text that names the feed in warnings');
  return value as RevocationFeed;
}
