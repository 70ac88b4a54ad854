// The list of revocations in a stream of Redis. How it is followed is in follow.ts.
import type { RevocationFeed, StoredRevocation } from '@latchkey/core';
import { readObject, withDeadline } from '@latchkey/core/adapter';
import { type RedisClient, type RedisCommands, readClient } from './client.ts';
import { type Connection, keepConnection } from './connection.ts';
import { followStream } from './follow.ts';
import { warnOfForgetting } from './forgetting.ts';
import { readName } from './name.ts';
import { FIELD, parseEntry, readEntries, timeOf } from './stream.ts';

/** Options of the feed. */
export interface RevocationFeedOptions {
  /**
   * The key of the stream. All services that follow it, and all that revoke, have the same one. The
   * `keyPrefix` of the client is put before it. Default: `latchkey:revocations`.
   */
  readonly key?: string;
}

/** A feed that has connections. */
export interface RedisRevocationFeed extends RevocationFeed {
  /**
   * Ends the connection over which `publish` writes. Those who follow the feed have their own.
   */
  close(): Promise<void>;
}

/** How long `publish` may take. */
const PUBLISH_MS = 5_000;
/** How many old entries are looked at for each new one. */
const SWEPT = 20;
/** Entries that have ended are removed this much later, because clocks differ. */
const SWEEP_MARGIN_MS = 3_600_000;

/**
 * Makes a list of revocations that several processes share, in a stream of Redis: a single
 * server, a cluster, or a server behind sentinels. Tested with Redis 7.0; Valkey has the same
 * commands, and was not tested. Each authenticator that follows it opens a connection of its own,
 * with the options of the client; so does the first `publish`, until `close`.
 *
 * `publish` resolves when Redis has the entry. It rejects if there is no answer within 5 s; the
 * entry may then be there all the same, and can be published again. Entries that have ended are
 * removed from the stream by later ones.
 * @throws ConfigError
 * @example
 * ```ts
 * const revocationFeed = createRevocationFeed(createClient({ url: 'redis://localhost:6379' }));
 * const authenticator = createAuthenticator({ keySets, audience, revocation: {}, revocationFeed });
 * await authenticator.revoke({ issuer: 'https://login.example.com', sub: 'alice' });
 * ```
 */
export function createRevocationFeed(
  client: RedisClient,
  options: RevocationFeedOptions = {},
): RedisRevocationFeed {
  const source = readClient(client);
  const key = readName(readObject(options, ['key'], '').key, 'latchkey:revocations', 'key');
  const closing = new AbortController();
  const sweep = createSweeper(key);
  const opened = warnOfForgetting('revocations');
  let writing: Connection | undefined;

  async function add(revocation: StoredRevocation): Promise<void> {
    writing ??= keepConnection(source, { purpose: 'revocations', isQuiet: true });
    const connection = writing;
    await connection.ready();
    const id = await connection.ask((redis) => redis.xAdd(key, '*', { [FIELD]: JSON.stringify(revocation) }));
    if (typeof id !== 'string') throw new Error('revocations: Redis gave an answer that cannot be read');
    // It is published. Old entries only need memory, so their end is not waited for.
    connection.ask((redis) => sweep(redis, timeOf(id))).catch(() => {});
  }

  return Object.freeze<RedisRevocationFeed>({
    description: `Redis stream ${key}`,
    follow: (sink) => followStream({ source, key, opened }, sink),
    publish: (revocation) => withDeadline(PUBLISH_MS, closing.signal, () => add(revocation)),
    async close() {
      closing.abort(new Error('revocations: it is closed'));
      await writing?.close();
    },
  });
}

/** Removes entries that have ended, some in each call, around the stream again and again. */
function createSweeper(key: string): (redis: RedisCommands, nowMs: number) => Promise<void> {
  let next = '-';
  return async (redis, nowMs) => {
    const entries = readEntries(await redis.xRange(key, next, '+', { COUNT: SWEPT }));
    const lastId = entries.at(-1)?.id;
    next = entries.length < SWEPT || lastId === undefined ? '-' : `(${lastId}`;
    const ended = entries.filter((entry) => endOf(entry) + SWEEP_MARGIN_MS < nowMs).map(({ id }) => id);
    if (ended.length > 0) await redis.xDel(key, ended);
  };
}

/** When an entry ends. One that cannot be read never does. */
function endOf(entry: Parameters<typeof parseEntry>[0]): number {
  try {
    const until: unknown = Reflect.get(Object(parseEntry(entry)), 'until');
    return typeof until === 'number' ? until : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
